//! When two addresses are the same.

use std::borrow::Cow;

/// What an address is known by: two are the same when this is. The domain's case counts nowhere (RFC 5321 section 2.4), and an international
/// domain is the same in both of its spellings (RFC 5890); the local part's case is ignored as well, as in OTOBO.
pub fn address_key(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => format!("{}@{}", local.to_lowercase(), readable_domain(domain)),
        None => address.to_lowercase(),
    }
}

/// The address without the detail after a plus sign (`support+x@example.org` is `support@example.org`); none where there is no detail.
pub fn without_detail(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    let (user, _) = local.split_once('+')?;
    (!user.is_empty()).then(|| format!("{user}@{domain}"))
}

/// The domain as people write it, in small letters.
fn readable_domain(domain: &str) -> Cow<'_, str> {
    let lower = domain.to_lowercase();
    if !lower.split('.').any(|label| label.starts_with("xn--")) {
        return Cow::Owned(lower);
    }
    match idna::domain_to_unicode(&lower) {
        (readable, Ok(())) => Cow::Owned(readable),
        (_, Err(_)) => Cow::Owned(lower),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_detail_is_what_follows_the_first_plus() {
        assert_eq!(without_detail("support+a+b@example.org").as_deref(), Some("support@example.org"));
        assert_eq!(without_detail("support@example.org"), None);
        assert_eq!(without_detail("+a@example.org"), None);
        assert_eq!(without_detail("a+b"), None);
    }

    #[test]
    fn an_address_is_one_in_all_its_spellings() {
        for (one, other, same) in [
            ("Support@Desk.Example", "support@desk.example", true),
            ("a@xn--bcher-kva.example", "A@BÜCHER.example", true),
            ("a@b.example", "a@c.example", false),
            ("a@xn--.example", "a@XN--.example", true),
            ("\"a@b\"@c.example", "\"A@B\"@C.example", true),
        ] {
            assert_eq!(address_key(one) == address_key(other), same, "{one} {other}");
        }
    }
}
