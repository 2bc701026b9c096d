//! Addresses that mail goes to or comes from, checked before anything is composed.

use lettre::message::Mailbox;
use postigo_mail::Address;
use postigo_model::text::on_one_line;

/// RFC 5321 section 4.5.3.1: octets of a local part, and of a path.
const LONGEST_LOCAL_PART: usize = 64;
const LONGEST_ADDRESS: usize = 254;
/// So many characters of a display name go out.
const LONGEST_NAME: usize = 120;

/// An address that can stand in an envelope and a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    /// As people read it.
    pub shown: Address,
    /// As it goes out: the domain in ASCII (RFC 5891).
    pub wire: String,
    mailbox: Mailbox,
}

impl Addressee {
    /// Reads one address, `jane@example.com` or `Jane Roe <jane@example.com>`. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.chars().any(char::is_control) {
            return Err("must not have line breaks or control characters.".to_owned());
        }
        let bare = text.trim();
        if !bare.contains('<') && !bare.starts_with('"') && bare.contains(char::is_whitespace) {
            return Err("must be one address, and nothing beside it.".to_owned());
        }
        let mut found = Address::parse_all(text);
        match (found.pop(), found.is_empty()) {
            (Some(address), true) => Self::new(address),
            (Some(_), false) => Err("must be one address; give each its own entry.".to_owned()),
            (None, _) => Err("must be an e-mail address: local-part@domain, or Name <local-part@domain>.".to_owned()),
        }
    }

    /// Checks an address that was read before.
    pub fn new(address: Address) -> Result<Self, String> {
        let wrong = |what: &str| format!("\"{}\" is no e-mail address: {what}.", on_one_line(&address.address));
        let (local, domain) = address.address.rsplit_once('@').ok_or_else(|| wrong("it has no @"))?;
        let ascii = if domain.starts_with('[') {
            domain.to_owned()
        } else {
            idna::domain_to_ascii(domain).map_err(|_| wrong("its domain is none"))?
        };
        let wire = format!("{local}@{ascii}");
        if local.len() > LONGEST_LOCAL_PART || wire.len() > LONGEST_ADDRESS {
            return Err(wrong("it is too long"));
        }
        let checked =
            lettre::Address::new(local, &ascii).map_err(|_| wrong("it is not of the form local-part@domain"))?;
        let name: String = on_one_line(&address.display_name).chars().take(LONGEST_NAME).collect();
        let mailbox = Mailbox::new((!name.is_empty()).then_some(name), checked);
        Ok(Self { shown: address, wire, mailbox })
    }

    /// For a header.
    pub fn mailbox(&self) -> Mailbox {
        self.mailbox.clone()
    }

    /// The domain in ASCII.
    pub fn domain(&self) -> &str {
        self.wire.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused_with_a_reason() {
        for (text, wire) in [
            ("jane@example.com", "jane@example.com"),
            ("Jane Roe <jane+x@example.com>", "jane+x@example.com"),
            ("\"Roe, Jane\" <jane@BÜCHER.example>", "jane@xn--bcher-kva.example"),
            ("jörg@example.com", "jörg@example.com"),
            ("\"a b\"@example.com", "\"a b\"@example.com"),
        ] {
            assert_eq!(Addressee::parse(text).unwrap().wire, wire, "{text}");
        }
        let long = format!("{}@example.com", "x".repeat(65));
        for (text, reason) in [
            ("", "must be an e-mail address"),
            ("jane", "must be an e-mail address"),
            ("a@x.test, b@x.test", "one address"),
            ("a@x.test,b@x.test", "one address"),
            ("a@x.test\r\nBcc: b@x.test", "line breaks"),
            ("a@x test", "nothing beside it"),
            ("a b@x.test", "nothing beside it"),
            ("a@-", "is no e-mail address"),
            (&long, "too long"),
        ] {
            let told = Addressee::parse(text).map(|found| found.wire);
            assert!(told.as_ref().is_err_and(|told| told.contains(reason)), "{text}: {told:?}");
        }
    }
}
