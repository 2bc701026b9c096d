//! Raises the priority of urgent mails.
use postigo_filter::{Description, Filter, Grants, Mail, Problem, Verdict};

struct Urgent;

impl Filter for Urgent {
    type Settings = serde::de::IgnoredAny;

    fn describe() -> Description {
        Description::new("urgent", "1.0.0", "Raises the priority of mails that say they are urgent.").sets("X-OTOBO-Priority")
    }
    fn new(_: Self::Settings, _: &Grants) -> Result<Self, Vec<Problem>> {
        Ok(Self)
    }
    fn evaluate(&self, mail: &Mail<'_>) -> Result<Verdict, String> {
        let subject = mail.header("Subject").unwrap_or_default();
        if !subject.to_lowercase().contains("urgent") {
            return Ok(Verdict::not_matched());
        }
        Ok(Verdict::matched().set("X-OTOBO-Priority", "5 very high"))
    }
}

postigo_filter::export!(Urgent);
