//! One other system: who it is and how its numbers look.

use crate::settings::SourceSettings;
use postigo_filter::pattern::{Cache, Case, Parsed, Pattern};
use postigo_filter::{Mail, Problem, Verdict};
use std::cell::RefCell;

/// One other system.
#[derive(Debug)]
pub struct Source {
    from: Searched,
    number: Searched,
    settings: SourceSettings,
}

impl Source {
    /// Compiles the entry at index `at` of `sources`.
    ///
    /// # Errors
    /// Every mistake, with its place.
    pub fn new(at: usize, settings: SourceSettings) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut told = |key: &str, reason: String| problems.push(Problem::new(format!("/sources/{at}/{key}"), reason));
        let from = Searched::new(&settings.from, Case::Ignored).map_err(|reason| told("from", reason)).ok();
        let number = Searched::new(&settings.number, Case::Kept).map_err(|reason| told("number", reason)).ok();
        if number.as_ref().is_some_and(|number| number.pattern.groups().all_group_len() < 2) {
            told(
                "number",
                format!("The pattern `{}` has no group: put the number itself in parentheses.", settings.number),
            );
        }
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        if !is_name(&settings.field) {
            told("field", format!("`{}` is not the name of a dynamic field: letters and digits only.", settings.field));
        }
        if !settings.subject && !settings.body {
            told("subject", "Neither subject nor body is searched: switch one of them on.".to_owned());
        }
        match (from, number) {
            (Some(from), Some(number)) if problems.is_empty() => Ok(Self { from, number, settings }),
            _ => Err(problems),
        }
    }

    /// The number in a mail of this system, if there is one.
    ///
    /// # Errors
    /// A sentence, when the body is to be searched and was not granted.
    pub fn number(&self, mail: &Mail<'_>) -> Result<Option<String>, String> {
        if !self.from.is_in(&mail.header("From").unwrap_or_default()) {
            return Ok(None);
        }
        if self.settings.body {
            let text = mail.text().map_err(|refusal| format!("The numbers are searched in the body. {refusal}"))?;
            if let Some(number) = text.lines().find_map(|line| self.find(line)) {
                return Ok(Some(number));
            }
        }
        Ok(if self.settings.subject { self.find(&mail.header("Subject").unwrap_or_default()) } else { None })
    }

    fn find(&self, text: &str) -> Option<String> {
        if !self.number.is_in(text) {
            return None;
        }
        let number = text.get(self.number.pattern.captured(text).get_group(1)?.range())?;
        (!number.is_empty()).then(|| number.to_owned())
    }

    /// What is set for a number: for a new ticket and for a follow-up alike, since the host decides which it is
    /// afterwards.
    pub fn verdict(&self, number: &str) -> Verdict {
        let field = &self.settings.field;
        let mut changes = vec![(format!("DynamicField-{field}"), number.to_owned())];
        if let Some(sender_type) = self.settings.sender_type {
            changes.push(("SenderType".to_owned(), sender_type.name().to_owned()));
        }
        if let Some(visible) = self.settings.visible_for_customer {
            changes.push(("IsVisibleForCustomer".to_owned(), if visible { "1" } else { "0" }.to_owned()));
        }
        let reason = format!("{field} is {number}");
        changes.into_iter().fold(Verdict::matched().because(reason), |verdict, (name, value)| {
            verdict.set(format!("X-OTOBO-{name}"), value.clone()).set(format!("X-OTOBO-FollowUp-{name}"), value)
        })
    }
}

/// A pattern with the memory of its searches.
#[derive(Debug)]
struct Searched {
    pattern: Pattern,
    cache: RefCell<Cache>,
}

impl Searched {
    fn new(pattern: &str, case: Case) -> Result<Self, String> {
        let pattern = Parsed::anywhere(pattern, case)?.compile()?;
        let cache = RefCell::new(pattern.cache());
        Ok(Self { pattern, cache })
    }

    fn is_in(&self, text: &str) -> bool {
        self.pattern.is_in(text, &mut self.cache.borrow_mut())
    }
}
