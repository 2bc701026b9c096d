//! What a trusted host found out about where a mail comes from: Authentication-Results (RFC 8601).
//!
//! Only what failed is of use here: a header that says that all is well may have come with the mail, while one that says otherwise harms nobody but
//! its sender. The trusted host removes what comes from outside under its name (RFC 8601 section 5).

use super::Mailbox;
use super::message::Message;

/// So many fields are read; a host adds one for each of its programs.
const MOST_FIELDS: usize = 20;

/// Why a trusted host does not believe a mail's sender; a sentence's second half. `trusted` are the hosts' names, authserv-ids.
///
/// A mail fails by `dmarc=fail`, or, where nothing is said of DMARC, by `spf=fail` without a `dkim=pass` of the domain in From. A DKIM signature that
/// fails alone is none (RFC 6376 section 6.1), and `softfail`, `neutral`, `none` and errors are no failures. The fields of the host that had the mail
/// last count: from the first of a trusted host on, up to the next Received.
pub fn failed_authentication(message: &Message, trusted: &[String]) -> Option<String> {
    if trusted.is_empty() {
        return None;
    }
    let mut host = String::new();
    let mut results = Vec::new();
    let mut read = 0;
    for (name, field) in message.in_order() {
        if name.eq_ignore_ascii_case(b"Received") && !host.is_empty() || read == MOST_FIELDS {
            break;
        }
        if !name.eq_ignore_ascii_case(b"Authentication-Results") {
            continue;
        }
        read += 1;
        let plain = without_comments(&String::from_utf8_lossy(&message.unfold(field)));
        let mut parts = plain.split(';');
        let id = parts.next().and_then(|first| first.split_whitespace().next()).unwrap_or_default();
        if trusted.iter().any(|trusted| trusted.eq_ignore_ascii_case(id)) {
            host = id.to_ascii_lowercase();
            results.extend(parts.filter_map(Finding::read));
        }
    }
    let from = message.addresses("From").last().map(|from| Mailbox::of(&from.address));
    failure(&results, from.as_ref().and_then(Mailbox::domain)).map(|failure| format!("{host} says {failure} (Authentication-Results)"))
}

fn failure(results: &[Finding], from: Option<&str>) -> Option<&'static str> {
    let says = |method: &str, result: &str| results.iter().any(|found| found.method == method && found.result == result);
    if says("dmarc", "fail") {
        return Some("dmarc=fail");
    }
    let signed = || results.iter().any(|found| found.method == "dkim" && found.result == "pass" && found.is_of(from));
    (!says("dmarc", "pass") && says("spf", "fail") && !signed()).then_some("spf=fail, without a dkim=pass of its domain")
}

/// What one method found: `dkim=pass header.d=example.org`.
struct Finding {
    method: String,
    result: String,
    /// The domain that signed (`header.d`, or that of `header.i`).
    domain: Option<String>,
}

impl Finding {
    fn read(part: &str) -> Option<Self> {
        let joined = part.split('=').map(str::trim).collect::<Vec<_>>().join("=").to_ascii_lowercase();
        let mut words = joined.split_whitespace();
        let (method, result) = words.next()?.split_once('=')?;
        // A version may stand behind the method.
        let method = method.split('/').next().unwrap_or_default().to_owned();
        let domain = words.filter_map(|word| word.split_once('=')).find_map(|(property, value)| match property {
            "header.d" => Some(value),
            "header.i" => value.rsplit_once('@').map(|(_, domain)| domain),
            _ => None,
        });
        let domain = domain.and_then(|domain| Mailbox::of(&format!("x@{domain}")).domain().map(str::to_owned));
        Some(Self { method, result: result.to_owned(), domain })
    }

    /// Whether the domain that signed is that of From, above it or below it (RFC 7489 section 3.1, relaxed).
    fn is_of(&self, from: Option<&str>) -> bool {
        let (Some(domain), Some(from)) = (self.domain.as_deref(), from) else { return false };
        let is_below = |one: &str, other: &str| one.strip_suffix(other).is_some_and(|before| before.is_empty() || before.ends_with('.'));
        !domain.is_empty() && (is_below(domain, from) || is_below(from, domain))
    }
}

/// A value without its comments. What stands in quotes is one word: no quoted semicolon begins another part.
fn without_comments(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let (mut depth, mut quoted) = (0_u32, false);
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if quoted || depth > 0 => {
                characters.next();
            }
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if depth > 0 => {
                depth -= 1;
                plain.push(' ');
            }
            _ if depth > 0 => {}
            ';' | '=' if quoted => plain.push('_'),
            blank if quoted && blank.is_whitespace() => plain.push('_'),
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(header: &str) -> Option<String> {
        let message = Message::parse(format!("{header}\nFrom: jane@x.example\n\n").into_bytes().into());
        failed_authentication(&message, &["mx.desk.example".to_owned()])
    }

    #[test]
    fn a_trusted_host_says_what_failed() {
        for (results, failed) in [
            ("mx.desk.example; dmarc=fail header.from=x.example", true),
            ("MX.desk.example 1; dmarc = fail (p=none) header.from=x.example", true),
            ("mx.desk.example; spf=fail smtp.mailfrom=x.example", true),
            ("mx.desk.example; spf/1=fail; dkim=fail header.d=x.example", true),
            ("mx.desk.example; spf=fail; dkim=pass header.d=evil.example", true),
            ("mx.desk.example; spf=fail; dkim=pass header.d=ax.example", true),
            ("mx.desk.example; spf=fail; dkim=pass header.d=x.example", false),
            ("mx.desk.example; spf=fail; dkim=pass header.i=@mail.X.example", false),
            ("mx.desk.example; spf=fail; dmarc=pass", false),
            ("mx.desk.example; spf=softfail; dkim=none; dmarc=none", false),
            ("mx.desk.example; dkim=fail header.d=x.example", false),
            ("mx.desk.example; none", false),
            ("mx.desk.example; spf=pass reason=\"no; dmarc=fail\" (; dmarc=fail)", false),
            ("mx.desk.example; spf=fail reason=\"a; dkim=pass header.d=x.example\"", true),
            ("mx.other.example; dmarc=fail", false),
            ("mx.desk.example", false),
            ("", false),
        ] {
            assert_eq!(told(&format!("Authentication-Results: {results}")).is_some(), failed, "{results}");
        }
    }

    #[test]
    fn only_what_the_last_host_added_counts() {
        let field = |result: &str| format!("Authentication-Results: mx.desk.example; {result}\n");
        let own = "Received: from x by mx.desk.example\n";
        let received = "Received: from y by x\n";
        for (header, failed) in [
            ([own, &field("spf=fail"), &field("dkim=pass header.d=x.example"), received].concat(), false),
            ([own, &field("spf=fail"), received, &field("dkim=pass header.d=x.example")].concat(), true),
            ([own, &field("spf=pass"), received, &field("dmarc=fail")].concat(), false),
            ([&field("dmarc=fail"), own].concat(), true),
            (field("dmarc=pass") + &field("dmarc=fail"), true),
        ] {
            assert_eq!(told(header.trim_end()).is_some(), failed, "{header}");
        }
    }

    #[test]
    fn nobody_is_trusted_by_default() {
        let message = Message::parse(b"Authentication-Results: ; dmarc=fail\n\n".to_vec().into());
        assert_eq!(failed_authentication(&message, &[]), None);
    }
}
