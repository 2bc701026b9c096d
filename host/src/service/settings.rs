//! The general settings: shown, and changed key by key.

use super::ServiceError;
use super::configured::{self, Editor, Object, SavedChange};
use postigo_model::configured::{Configuration, form};

/// The settings as they are shown.
pub fn show(configuration: &Configuration) -> Object {
    form::write(&configuration.settings)
}

/// Changes the settings that `fields` name; what they leave out stays.
pub async fn alter(editor: Editor<'_>, fields: &Object) -> Result<SavedChange<()>, ServiceError> {
    configured::change(editor, |configuration| {
        let problems = form::read_fields(&mut configuration.settings, fields, "", &form::in_clear);
        if problems.is_empty() { Ok(()) } else { Err(configured::unreadable("settings", "", problems)) }
    })
    .await
}
