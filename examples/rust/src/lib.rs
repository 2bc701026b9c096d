//! Raises the priority of urgent mails.
use postigo_filter::{Description, Filter, Grants, Mail, Problem, Verdict};

struct Urgent;

impl Filter for Urgent {
    type Settings = serde::de::IgnoredAny;

    fn describe() -> Description {
        Description::new("urgent", "1.0.0", "Raises the priority of mails that say they are urgent.")
            .sets("X-OTOBO-Priority")
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

#[cfg(test)]
mod tests {
    use super::Urgent;
    use postigo_filter::testing::{Mail, run};

    #[test]
    fn urgent_mails_get_the_highest_priority() {
        let verdict = run::<Urgent>("{}", &Mail::new().with("Subject", "URGENT: help")).unwrap();
        assert!(verdict.matched);
        assert_eq!(verdict.changes[0].value, "5 very high");
        assert!(!run::<Urgent>("{}", &Mail::new().with("Subject", "No hurry")).unwrap().matched);
        assert!(!run::<Urgent>("{}", &Mail::new()).unwrap().matched);
    }
}
