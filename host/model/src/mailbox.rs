//! When two addresses are the same: as mailboxes, and as people. Nothing compares addresses but by these two forms.

use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization as _;

/// A mailbox in the one form that all spellings of its address have: two addresses are the same mailbox when this is
/// equal.
///
/// - Quotes and escapes of the local part are undone: `"jane"@x`, `"j\ane"@x` and `jane@x` are one (RFC 5321 section
///   4.1.2).
/// - The domain is in small letters (RFC 5321 section 2.4), as people write it (RFC 5890; UTS 46), without a dot at its
///   end.
/// - The local part's case is ignored, as OTOBO does, though RFC 5321 section 2.4 leaves it to the receiving host.
/// - Composed and decomposed characters are the same (Unicode normalization form C; RFC 6532 section 3.1).
///
/// It is for comparing, not for writing to: what goes over the wire is what was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Mailbox(String);

impl Mailbox {
    /// The mailbox of an address, in or without angle brackets. What has no `@`, such as `postmaster`, is a local part
    /// alone.
    pub fn of(address: &str) -> Self {
        let address =
            address.trim_matches(|character: char| matches!(character, '<' | '>') || character.is_whitespace());
        Self(match address.rsplit_once('@') {
            Some((local, domain)) => format!("{}@{}", readable_local(local), readable_domain(domain)),
            None => readable_local(address),
        })
    }

    /// As a key of a row or map.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the last `@`.
    pub fn local_part(&self) -> &str {
        self.0.rsplit_once('@').map_or(&self.0, |(local, _)| local)
    }

    /// What stands behind it; none where there is no `@`.
    pub fn domain(&self) -> Option<&str> {
        self.0.rsplit_once('@').map(|(_, domain)| domain)
    }

    /// The mailbox without the detail after the first plus sign (RFC 5233): `support+x@example.org` is
    /// `support@example.org`; none where there is no detail.
    pub fn without_detail(&self) -> Option<Self> {
        let (user, _) = self.local_part().split_once('+')?;
        (!user.is_empty())
            .then(|| Self(format!("{user}@{}", self.domain().unwrap_or_default())))
            .filter(|_| self.domain().is_some())
    }
}

impl From<Mailbox> for String {
    fn from(mailbox: Mailbox) -> Self {
        mailbox.0
    }
}

/// Whom a mailbox belongs to, as far as its address tells: the mailbox without a detail. For limits and against loops
/// alone: whoever has one address has all its details. Dots in local parts count: whether they do is the receiving
/// host's secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person(Mailbox);

impl Person {
    /// The person of an address.
    pub fn of(address: &str) -> Self {
        let mailbox = Mailbox::of(address);
        Self(mailbox.without_detail().unwrap_or(mailbox))
    }

    /// As a key of a row or map.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// A local part without quotes and escapes, in small letters.
fn readable_local(local: &str) -> String {
    if !local.contains(['"', '\\']) {
        return folded(local);
    }
    let mut plain = String::with_capacity(local.len());
    let mut characters = local.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.extend(characters.next()),
            '"' => {}
            other => plain.push(other),
        }
    }
    folded(&plain)
}

/// The domain as people write it, in small letters.
fn readable_domain(domain: &str) -> String {
    let lower = domain.to_lowercase();
    let readable = if lower.is_ascii() && !lower.split('.').any(|label| label.starts_with("xn--")) {
        Cow::Borrowed(lower.as_str())
    } else {
        match idna::domain_to_unicode(&lower) {
            (readable, Ok(())) => Cow::Owned(readable),
            (_, Err(_)) => Cow::Owned(folded(&lower)),
        }
    };
    readable.trim_end_matches('.').to_owned()
}

fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfc().collect::<String>().to_lowercase().nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_detail_is_what_follows_the_first_plus() {
        let without = |address: &str| Mailbox::of(address).without_detail().map(String::from);
        assert_eq!(without("support+a+b@example.org").as_deref(), Some("support@example.org"));
        assert_eq!(without("\"support+a b\"@Example.org.").as_deref(), Some("support@example.org"));
        for none in ["support@example.org", "+a@example.org", "a+b"] {
            assert_eq!(without(none), None, "{none}");
        }
    }

    #[test]
    fn a_mailbox_is_one_in_all_its_spellings() {
        for (one, other, same) in [
            ("Support@Desk.Example", "support@desk.example", true),
            ("a@xn--bcher-kva.example", "A@BÜCHER.example", true),
            ("a@xn--bcher-kva.example", "a@bu\u{308}cher.example", true),
            ("a@bücher。example", "a@bücher.example", true),
            ("a@b.example", "a@c.example", false),
            ("a@xn--.example", "a@XN--.example", true),
            ("\"a@b\"@c.example", "\"A@B\"@C.example", true),
            ("\"victim\"@x.example", "victim@x.example", true),
            ("\"v\\ictim\"@x.example", "victim@x.example", true),
            ("\"vic\".\"tim\"@x.example", "vic.tim@x.example", true),
            ("victim@x.example.", "victim@X.example", true),
            ("<victim@x.example>", " victim@x.example", true),
            ("J\u{f6}rg@x.example", "jo\u{308}rg@x.example", true),
            ("victim+1@x.example", "victim@x.example", false),
            ("v.ictim@x.example", "victim@x.example", false),
            ("victim@[192.0.2.1]", "VICTIM@[192.0.2.1]", true),
        ] {
            assert_eq!(Mailbox::of(one) == Mailbox::of(other), same, "{one} {other}");
        }
    }

    #[test]
    fn a_person_has_all_details_of_an_address() {
        for (one, other, same) in [
            ("victim+1@x.example", "\"victim+2\"@X.example.", true),
            ("victim@x.example", "victim+@x.example", true),
            ("+1@x.example", "+2@x.example", false),
            ("victim@x.example", "other@x.example", false),
        ] {
            assert_eq!(Person::of(one) == Person::of(other), same, "{one} {other}");
        }
    }
}
