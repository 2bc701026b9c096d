//! Envelope addresses as they go over the wire: international domains as A-labels (RFC 5890), local parts as they are.

use lettre::Address;

/// The address as SMTP takes it, or why there is none, a sentence. An address with a non-ASCII local part stays so and
/// needs SMTPUTF8 (RFC 6531).
pub fn envelope(address: &str) -> Result<Address, String> {
    let unfit = |why: String| format!("{address:?} is no address that mail could be sent to: {why}.");
    let (local, domain) = address.rsplit_once('@').ok_or_else(|| unfit("there is no @ in it".to_owned()))?;
    let domain = if domain.starts_with('[') {
        domain.to_owned()
    } else {
        idna::domain_to_ascii(domain).map_err(|_| unfit(format!("{domain:?} is no domain name")))?
    };
    Address::new(local, domain).map_err(|error| unfit(error.to_string()))
}

/// Whether an address needs a server that speaks SMTPUTF8.
pub fn needs_utf8(address: &Address) -> bool {
    !address.user().is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_becomes_ascii_and_a_local_part_does_not() {
        let address = envelope("müller@bücher.example").unwrap();
        assert_eq!(address.to_string(), "müller@xn--bcher-kva.example");
        assert!(needs_utf8(&address));
        assert!(!needs_utf8(&envelope("a@bücher.example").unwrap()));
        assert_eq!(envelope("a@[192.0.2.1]").unwrap().to_string(), "a@[192.0.2.1]");
    }

    #[test]
    fn nothing_that_would_become_another_command_is_an_address() {
        for wrong in [
            "",
            "a",
            "@",
            "a@",
            "@b.example",
            "a@b.example>\r\nDATA",
            "a b@c.example",
            "a@b c",
            "a\r\n@b.example",
            "a@b.example\n",
            "<a@b.example>",
        ] {
            let why = envelope(wrong).unwrap_err();
            assert!(why.ends_with('.') && !why.contains('\n'), "{wrong:?}: {why}");
        }
    }
}
