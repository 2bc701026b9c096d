//! Recognises mails that nobody wrote to us: bounces, delivery reports, automatic replies and messages, mailing lists.
//!
//! Each kind sets the headers that the admin chose for it; by default `X-OTOBO-Loop`, so that no automatic reply goes
//! out, and for automatic replies `X-OTOBO-FollowUp-State-Keep` too, so that an out-of-office notice opens no closed
//! ticket.

mod kind;
mod phrases;
mod settings;
#[cfg(test)]
mod tests;

use kind::{Kind, recognise};
use postigo_filter::{Description, Filter, Grants, Mail, Problem, Verdict};
use settings::Settings;

/// The filter.
#[derive(Debug)]
pub struct AutoReplyGuard {
    settings: Settings,
}

impl Filter for AutoReplyGuard {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "auto-reply-guard",
            env!("CARGO_PKG_VERSION"),
            "Recognises bounces, delivery reports, automatic replies and mailing lists, and sets headers for each.",
        )
        .settings_schema(&settings::schema())
        .wants("raw")
        .sets("X-OTOBO-*")
    }

    fn new(settings: Settings, _: &Grants) -> Result<Self, Vec<Problem>> {
        let problems = settings.problems();
        if problems.is_empty() { Ok(Self { settings }) } else { Err(problems) }
    }

    fn evaluate(&self, mail: &Mail<'_>) -> Result<Verdict, String> {
        let Some((kind, reason)) = recognise(mail, &self.settings.phrases) else {
            return Ok(Verdict::not_matched());
        };
        let headers = self.settings.headers(kind);
        if headers.is_empty() {
            return Ok(Verdict::not_matched());
        }
        let verdict = Verdict::matched().because(format!("{}: {reason}", kind.name()));
        Ok(headers.iter().fold(verdict, |verdict, one| verdict.set(one.header.as_str(), one.value.as_str())))
    }
}

postigo_filter::export!(AutoReplyGuard);

impl Kind {
    /// What the kind is called in the log.
    fn name(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::DeliveryReport => "delivery report",
            Self::AutomaticReply => "automatic reply",
            Self::AutomaticMessage => "automatic message",
            Self::MailingList => "mailing list",
        }
    }
}
