//! What a guest returned is data: here it is checked before it touches a mail.

use postigo_mail::{Vocabulary, on_one_line};
use postigo_model::guest::FailureKind;
use postigo_model::result::HeaderChange;
use postigo_sandbox::{CallFailure, GuestHeader};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// A header that is to be set, with all its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHeader {
    /// Canonical name.
    pub header: String,
    /// One, or several for a dynamic field that takes several, in the order given.
    pub values: Vec<String>,
}

/// The headers that a component declared, to be looked up however many they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredHeaders {
    /// In lower case.
    names: HashSet<String>,
    /// What stands before a `*`, in lower case and sorted; none begins with another one.
    beginnings: Vec<String>,
}

impl DeclaredHeaders {
    /// Of names in any case, and beginnings of names that end in `*`.
    pub fn of(headers: &[String]) -> Self {
        let (mut names, mut beginnings) = (HashSet::new(), Vec::new());
        for header in headers.iter().map(|header| header.to_ascii_lowercase()) {
            match header.strip_suffix('*') {
                Some(beginning) => beginnings.push(beginning.to_owned()),
                None => drop(names.insert(header)),
            }
        }
        beginnings.sort_unstable();
        // What begins with another one stands right behind it, or behind one that goes here as well.
        beginnings.dedup_by(|longer, shorter| longer.starts_with(shorter.as_str()));
        Self { names, beginnings }
    }

    fn has(&self, header: &str) -> bool {
        let header = header.to_ascii_lowercase();
        // The last beginning that sorts before the header is the only one that it can have.
        let before = self.beginnings.partition_point(|beginning| *beginning <= header).checked_sub(1);
        let begins = before
            .and_then(|place| self.beginnings.get(place))
            .is_some_and(|beginning| header.starts_with(beginning.as_str()));
        begins || self.names.contains(&header)
    }
}

/// Checks the changes of a filter that matched: each header may be set by filters, and the component declared it; one
/// that may not fails them all. Of several changes of a header the last wins, unless it takes several values. Values
/// lose their line breaks.
pub fn check(
    changes: Vec<GuestHeader>,
    declared: &DeclaredHeaders,
    vocabulary: &Vocabulary,
) -> Result<Vec<AllowedHeader>, CallFailure> {
    let mut accepted: Vec<AllowedHeader> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for change in changes {
        let settable = vocabulary
            .may_set(&change.header)
            .map_err(|why| output(format!("The filter set a header that it must not: {why}.")))?;
        if !declared.has(&settable.name) {
            return Err(output(format!("The filter set {}, which its component does not declare.", settable.name)));
        }
        let value = on_one_line(change.value); // no value begins a header of its own
        match places.get(&settable.name).and_then(|place| accepted.get_mut(*place)) {
            Some(before) if settable.multiple => before.values.push(value),
            Some(before) => before.values = vec![value],
            None => {
                places.insert(settable.name.clone(), accepted.len());
                accepted.push(AllowedHeader { header: settable.name, values: vec![value] });
            }
        }
    }
    Ok(accepted)
}

/// The accepted headers as results show them, an entry for each value.
pub fn shown(accepted: &[AllowedHeader]) -> Vec<HeaderChange> {
    let each = |accepted: &AllowedHeader| {
        let header = accepted.header.clone();
        accepted.values.clone().into_iter().map(move |value| HeaderChange { header: header.clone(), value })
    };
    accepted.iter().flat_map(each).collect()
}

fn output(message: String) -> CallFailure {
    CallFailure { kind: FailureKind::Output, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::configured::DynamicField;
    use proptest::prelude::*;

    fn vocabulary() -> Vocabulary {
        Vocabulary::new(&[
            DynamicField { name: "Contract".into(), multiple: false },
            DynamicField { name: "Product".into(), multiple: true },
        ])
    }

    fn checked(changes: &[(&str, &str)], declared: &[&str]) -> Result<Vec<(String, Vec<String>)>, CallFailure> {
        let changes = changes
            .iter()
            .map(|(header, value)| GuestHeader { header: (*header).into(), value: (*value).into() })
            .collect();
        let declared: Vec<String> = declared.iter().map(|name| (*name).to_owned()).collect();
        let accepted = check(changes, &DeclaredHeaders::of(&declared), &vocabulary())?;
        Ok(accepted.into_iter().map(|accepted| (accepted.header, accepted.values)).collect())
    }

    #[test]
    fn names_become_canonical_and_values_stay_on_one_line() {
        let changes = [("x-otobo-QUEUE", "Junk"), ("X-OTOBO-DynamicField-Contract", "1\r\n\x002\n")];
        let accepted = checked(&changes, &["x-otobo-queue", "X-OTOBO-DynamicField-*"]).unwrap();
        let expected = [("X-OTOBO-Queue", "Junk"), ("X-OTOBO-DynamicField-Contract", "1 2 ")];
        assert_eq!(accepted, expected.map(|(header, value)| (header.to_owned(), vec![value.to_owned()])));
    }

    #[test]
    fn the_last_value_wins_but_for_a_field_that_takes_several() {
        let changes = [
            ("X-OTOBO-Queue", "Junk"),
            ("X-OTOBO-DynamicField-Product", "a"),
            ("X-OTOBO-Queue", "Misc"),
            ("X-OTOBO-DynamicField-Product", "b"),
        ];
        let accepted = checked(&changes, &["X-OTOBO-*"]).unwrap();
        assert_eq!(accepted[0].1, ["Misc"]);
        assert_eq!(accepted[1].1, ["a", "b"]);
    }

    #[test]
    fn undeclared_computed_and_foreign_headers_fail_as_output() {
        for header in
            ["X-OTOBO-AttachmentCount", "X-OTOBO-BodyDecrypted", "Subject", "", "X-OTOBO-Queue\r\nBcc", "X-OTOBO-"]
        {
            let failure = checked(&[("X-OTOBO-Queue", "Junk"), (header, "1")], &["X-OTOBO-*", "Subject"]).unwrap_err();
            assert_eq!(failure.kind, FailureKind::Output, "{header}");
        }
        checked(&[("X-OTOBO-Queue", "Junk")], &["X-OTOBO-State"]).unwrap_err();
    }

    proptest! {
        #[test]
        fn a_header_is_declared_by_its_name_or_its_beginning(
            declared in proptest::collection::vec("[aAb]{0,4}\\*?", 0..8), header in "[aAb]{0,5}"
        ) {
            // As plainly as can be: each declaration by itself.
            let plainly = declared.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(beginning) => header.to_ascii_lowercase().starts_with(&beginning.to_ascii_lowercase()),
                None => header.eq_ignore_ascii_case(pattern),
            });
            prop_assert_eq!(DeclaredHeaders::of(&declared).has(&header), plainly);
        }

        #[test]
        fn nothing_a_guest_returns_injects_a_line_or_a_foreign_header(
            changes in proptest::collection::vec(("(X-OTOBO-)?[ -~\r\n\0é]{0,12}", "[a-c\r\n\0é]{0,8}"), 0..6)
        ) {
            let changes: Vec<(&str, &str)> = changes.iter().map(|(header, value)| (header.as_str(), value.as_str())).collect();
            if let Ok(accepted) = checked(&changes, &["X-OTOBO-*"]) {
                for (header, values) in accepted {
                    prop_assert!(header.starts_with("X-OTOBO-"));
                    prop_assert!(!header.contains([' ', ':', '\r', '\n', '\0']));
                    prop_assert!(values.iter().all(|value| !value.contains(['\r', '\n', '\0'])));
                }
            }
        }
    }
}
