//! When two addresses are the same mailbox.

use std::borrow::Cow;

/// The form in which equal addresses are equal texts: small letters, the domain as A-labels (RFC 5890), no dot at its end. RFC 5321 lets only the
/// domain's letters be equal; a local part's case is ignored too, as the peer does.
pub fn canonical(address: &str) -> String {
    let Some((local, domain)) = address.rsplit_once('@') else { return address.to_lowercase() };
    format!("{}@{}", local.to_lowercase(), canonical_domain(domain))
}

/// The same for a domain alone.
pub fn canonical_domain(domain: &str) -> String {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    // What is no domain name (an address literal, a name with an underscore) stays as it is.
    idna::domain_to_ascii_cow(domain.as_bytes(), idna::AsciiDenyList::EMPTY).map_or_else(|_| domain.to_lowercase(), Cow::into_owned)
}

/// The address without the detail after a plus sign (`support+x@example.org` is `support@example.org`); none where there is no detail.
pub fn without_detail(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    let (user, _) = local.split_once('+')?;
    (!user.is_empty()).then(|| format!("{user}@{domain}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_mailboxes_have_one_form() {
        for (one, other) in [
            ("Support@Example.ORG", "support@example.org"),
            ("support@example.org.", "support@example.org"),
            ("hilfe@Bücher.example", "hilfe@xn--bcher-kva.example"),
            ("hilfe@XN--BCHER-KVA.example", "HILFE@bücher.example"),
            ("Ärger@example.org", "ärger@EXAMPLE.org"),
            ("a@[IPv6:2001:DB8::1]", "a@[ipv6:2001:db8::1]"),
        ] {
            assert_eq!(canonical(one), canonical(other));
        }
        assert_ne!(canonical("a@example.org"), canonical("a@example.com"));
        assert_ne!(canonical("a+b@example.org"), canonical("a@example.org"));
    }

    #[test]
    fn the_detail_is_what_follows_the_first_plus() {
        assert_eq!(without_detail("support+a+b@example.org").as_deref(), Some("support@example.org"));
        assert_eq!(without_detail("support@example.org"), None);
        assert_eq!(without_detail("+a@example.org"), None);
        assert_eq!(without_detail("a+b"), None);
    }
}
