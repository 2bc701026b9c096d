//! Finds the ticket numbers of other systems: by sender and pattern, in subject and body, into a dynamic field.
//!
//! With the setting `external_number_field` naming that field, the host follows up the open ticket that has the same
//! number there, when it checks for follow-ups a second time; otherwise the new ticket keeps the number for the mails
//! to come.

mod settings;
mod source;
#[cfg(test)]
mod tests;

use postigo_filter::{Description, Filter, Grants, Mail, Problem, Verdict};
use settings::Settings;
use source::Source;

/// The filter.
#[derive(Debug)]
pub struct TicketNumber {
    sources: Vec<Source>,
}

impl Filter for TicketNumber {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "ticket-number",
            env!("CARGO_PKG_VERSION"),
            "Finds ticket numbers of other systems by sender and pattern, and keeps them in a dynamic field.",
        )
        .settings_schema(settings::SCHEMA)
        .wants("body")
        .sets("X-OTOBO-DynamicField-*")
        .sets("X-OTOBO-FollowUp-DynamicField-*")
        .sets("X-OTOBO-SenderType")
        .sets("X-OTOBO-FollowUp-SenderType")
        .sets("X-OTOBO-IsVisibleForCustomer")
        .sets("X-OTOBO-FollowUp-IsVisibleForCustomer")
    }

    fn new(settings: Settings, _: &Grants) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut sources = Vec::with_capacity(settings.sources.len());
        for (at, one) in settings.sources.into_iter().enumerate() {
            match Source::new(at, one) {
                Ok(source) => sources.push(source),
                Err(mistakes) => problems.extend(mistakes),
            }
        }
        if problems.is_empty() { Ok(Self { sources }) } else { Err(problems) }
    }

    fn evaluate(&self, mail: &Mail<'_>) -> Result<Verdict, String> {
        for source in &self.sources {
            if let Some(number) = source.number(mail)? {
                return Ok(source.verdict(&number));
            }
        }
        Ok(Verdict::not_matched())
    }
}

postigo_filter::export!(TicketNumber);
