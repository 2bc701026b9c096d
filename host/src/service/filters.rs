//! Filters, beside what all configured things have in common: let run, and kept from running.

use super::Refused;
use super::configured::{self, Editor, Saved};
use postigo_model::configured::form::Kind as _;
use postigo_model::configured::{Filter, Validity};

/// Lets a filter run, or keeps it without running it.
pub async fn set_validity(editor: Editor<'_>, name: &str, valid: Validity) -> Result<Saved<()>, Refused> {
    configured::change(editor, |configuration| {
        let missing = || Refused::Missing { what: Filter::KIND.to_owned(), name: name.to_owned() };
        configuration.filters.get_mut(name).ok_or_else(missing)?.valid = valid;
        Ok(())
    })
    .await
}
