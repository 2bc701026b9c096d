//! The general settings: shown, and changed key by key.

use super::Refused;
use super::configured::{self, Editor, Object, Saved};
use postigo_model::configured::{Configuration, form};

/// The settings as they are shown.
pub fn show(configuration: &Configuration) -> Object {
    form::write_fields(|writer| configuration.settings.clone().describe(writer))
}

/// Changes the settings that `fields` name; what they leave out stays.
pub async fn alter(editor: Editor<'_>, fields: &Object) -> Result<Saved<()>, Refused> {
    configured::change(editor, |configuration| {
        let settings = &mut configuration.settings;
        let problems = form::read_fields(fields, "", &form::in_clear, |reader| settings.describe(reader));
        if problems.is_empty() { Ok(()) } else { Err(configured::unreadable("settings", "", problems)) }
    })
    .await
}
