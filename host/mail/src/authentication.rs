//! What a trusted host found out about where a mail comes from: Authentication-Results (RFC 8601).
//!
//! That something failed is believed at once, for it harms nobody but the mail's sender. That all is well is believed
//! more narrowly, since it may have come with the mail. The trusted host removes what comes from outside under its name
//! (RFC 8601 section 5).

use super::address::is_written_plainly;
use super::message::Message;
use postigo_model::mailbox::Mailbox;

/// So many fields are read; a host adds one for each of its programs.
const MOST_FIELDS: usize = 20;

/// Why a trusted host does not believe a mail's sender; a sentence's second half. `trusted` are the hosts' names,
/// authserv-ids.
///
/// A mail fails by `dmarc=fail`, or, where DMARC passes for no domain of From, by `spf=fail` without a `dkim=pass` of the
/// domain in From. A DKIM signature that fails alone is none (RFC 6376 section 6.1), and `softfail`, `neutral`, `none` and
/// errors are no failures. The fields of the host that had the mail last count: from the first of a trusted host on, up
/// to the next Received.
pub fn failed_authentication(message: &Message, trusted: &[String]) -> Option<String> {
    let (host, results) = findings(message, trusted);
    failure(&results, ReadSender::of(message).as_ref())
        .map(|failure| format!("{host} says {failure} (Authentication-Results)"))
}

/// The one sender of a mail of whom a trusted host says that the mail is from their domain: by `dmarc=pass` of it, or
/// by `dkim=pass` of it or of one above it. A domain below it is another's where a provider gives names away, and SPF
/// says nothing of From. A `dmarc=pass` that does not say of which domain is of theirs where From is written so plainly
/// that nobody reads another address there: what stands around an address is taken off here, and may be part of it there.
pub fn authenticated_sender(message: &Message, trusted: &[String]) -> Option<Mailbox> {
    let (_, results) = findings(message, trusted);
    let sender = ReadSender::of(message).filter(|sender| sender.is_alone)?;
    let domain = sender.domain().filter(|domain| !domain.is_empty())?;
    let believed = results.iter().filter(|found| found.result == "pass").any(|found| {
        match (found.method.as_str(), found.domain.as_deref()) {
            ("dmarc", Some(of)) => of == domain,
            ("dmarc", None) => sender.is_plain,
            ("dkim", Some(of)) => is_below(domain, of),
            _ => false,
        }
    });
    (believed && failure(&results, Some(&sender)).is_none()).then_some(sender.mailbox)
}

/// The last address of From, as we read it, and whether others read the same.
struct ReadSender {
    mailbox: Mailbox,
    /// Whether there is one From with one address: of several a host may have looked at another than we do.
    is_alone: bool,
    /// Whether it is alone, and stands there with nothing around it that is read in one way or another.
    is_plain: bool,
}

impl ReadSender {
    fn of(message: &Message) -> Option<Self> {
        let addresses = message.addresses("From");
        let last = addresses.last()?;
        let mut fields = message.in_order().filter(|(name, _)| name.eq_ignore_ascii_case(b"From"));
        let (first, second) = (fields.next(), fields.next());
        let is_alone = addresses.len() == 1 && second.is_none();
        let is_plain = is_alone && first.is_some_and(|(_, field)| is_written_plainly(&message.unfold(field), last));
        Some(Self { mailbox: Mailbox::of(&last.address), is_alone, is_plain })
    }

    fn domain(&self) -> Option<&str> {
        self.mailbox.domain()
    }
}

/// The trusted host that had the mail last, and what it found.
fn findings(message: &Message, trusted: &[String]) -> (String, Vec<Finding>) {
    if trusted.is_empty() {
        return Default::default();
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
    (host, results)
}

fn failure(results: &[Finding], sender: Option<&ReadSender>) -> Option<&'static str> {
    let of_method = |method: &'static str, result: &'static str| {
        results.iter().filter(move |found| found.method == method && found.result == result)
    };
    if of_method("dmarc", "fail").next().is_some() {
        return Some("dmarc=fail");
    }
    let domain = sender.and_then(ReadSender::domain);
    let is_plain = sender.is_some_and(|sender| sender.is_plain);
    let passes = of_method("dmarc", "pass").any(|found| found.is_of(domain) || found.domain.is_none() && is_plain);
    let is_signed = || of_method("dkim", "pass").any(|found| found.is_of(domain));
    (!passes && of_method("spf", "fail").next().is_some() && !is_signed())
        .then_some("spf=fail, without a dkim=pass of its domain")
}

/// What one method found: `dkim=pass header.d=example.org`.
struct Finding {
    method: String,
    result: String,
    /// The domain that signed (`header.d`, or that of `header.i`), or that DMARC was looked up for (`header.from`).
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
            "header.from" => Some(value.rsplit_once('@').map_or(value, |(_, domain)| domain)),
            "header.i" => value.rsplit_once('@').map(|(_, domain)| domain),
            _ => None,
        });
        let domain = domain.and_then(|domain| Mailbox::of(&format!("x@{domain}")).domain().map(str::to_owned));
        Some(Self { method, result: result.to_owned(), domain })
    }

    /// Whether the domain that signed is that of From, above it or below it (RFC 7489 section 3.1, relaxed).
    fn is_of(&self, from: Option<&str>) -> bool {
        let (Some(domain), Some(from)) = (self.domain.as_deref(), from) else { return false };
        is_below(domain, from) || is_below(from, domain)
    }
}

/// Whether a domain is another one, or below it.
fn is_below(one: &str, other: &str) -> bool {
    !other.is_empty() && one.strip_suffix(other).is_some_and(|before| before.is_empty() || before.ends_with('.'))
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
            ("mx.desk.example; spf=fail; dmarc=pass header.from=x.example", false),
            ("mx.desk.example; spf=fail; dmarc=pass header.from=evil.example", true),
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
    fn a_trusted_host_says_of_one_sender_that_they_wrote() {
        let jane = "From: jane@mail.x.example";
        for (from, results, believed) in [
            (jane, "dmarc=pass header.from=mail.x.example", true),
            (jane, "dmarc=pass", true),
            (jane, "dmarc=pass header.from=x.example", false),
            (jane, "dkim=pass header.d=mail.x.example", true),
            (jane, "dkim=pass header.d=x.example", true),
            (jane, "dkim=pass header.i=@X.example.", true),
            (jane, "dkim=pass header.d=a.mail.x.example", false),
            (jane, "dkim=pass header.d=l.x.example", false),
            (jane, "dkim=pass header.d=evil.example", false),
            (jane, "dkim=pass", false),
            (jane, "dkim=pass header.d=", false),
            (jane, "dkim=fail header.d=x.example", false),
            (jane, "spf=pass smtp.mailfrom=mail.x.example", false),
            (jane, "dmarc=fail; dkim=pass header.d=x.example", false),
            (jane, "none", false),
            ("From: jane@mail.x.example, bob@mail.x.example", "dmarc=pass", false),
            ("From: evil@e.example\nFrom: jane@mail.x.example", "dmarc=pass", false),
            ("From: nobody", "dmarc=pass", false),
            ("To: jane@mail.x.example", "dmarc=pass", false),
        ] {
            let told = |host: &str, trusted: &[String]| {
                let message = Message::parse(
                    format!("Authentication-Results: {host}; {results}\n{from}\n\n").into_bytes().into(),
                );
                authenticated_sender(&message, trusted)
            };
            let trusted = ["mx.desk.example".to_owned()];
            assert_eq!(
                told("mx.desk.example", &trusted),
                believed.then(|| Mailbox::of("jane@mail.x.example")),
                "{from} {results}"
            );
            assert_eq!(
                (told("mx.e.example", &trusted), told("mx.desk.example", &[])),
                (None, None),
                "{from} {results}"
            );
        }
    }

    #[test]
    fn who_is_read_in_two_ways_is_proved_by_nothing_that_does_not_name_their_domain() {
        for (from, plain) in [
            ("jane@x.example", true),
            ("<jane@x.example>", true),
            ("Jane Roe <jane@x.example>", true),
            ("\"Roe, Jane (via x@y.example)\" <jane@x.example>", true),
            ("=?utf-8?Q?J=C3=A4ne?=\n <jane@x.example>", true),
            ("\"Jane\" <jane@X.example>", true),
            // What we take off, another may take for a part of the domain, or of another address.
            ("<'jane@x.example'>", false),
            ("'jane@x.example'", false),
            ("\"jane@x.example\"", false),
            ("<mailto:jane@x.example>", false),
            ("[jane@x.example]", false),
            ("<jane@x.example;>", false),
            ("<jane@x.example", false),
            ("<<jane@x.example>>", false),
            ("<@evil.example:jane@x.example>", false),
            ("evil@evil.example: <jane@x.example>", false),
            ("evil@evil.example <jane@x.example>", false),
            ("<jane@x.example> evil@evil.example", false),
            ("\"\\\" <evil@evil.example>\" <jane@x.example>", false),
            ("jane@x.example (evil@evil.example)", false),
            ("jane(x)@x.example", false),
            ("jane @ x.example", false),
        ] {
            let believed = |results: &str| {
                let header = format!("Authentication-Results: mx.desk.example; {results}\nFrom: {from}\n\n");
                let message = Message::parse(header.into_bytes().into());
                let trusted = ["mx.desk.example".to_owned()];
                let fails = failed_authentication(&message, &trusted).is_some();
                (authenticated_sender(&message, &trusted).is_some(), fails)
            };
            assert_eq!(believed("spf=fail; dmarc=pass"), (plain, !plain), "{from}");
            let is_read = !from.contains(" @ ");
            let named = believed("spf=fail; dmarc=pass header.from=x.example");
            assert_eq!(named, (is_read, !is_read), "{from}");
            assert_eq!(believed("spf=fail; dmarc=pass header.from=evil.example"), (false, true), "{from}");
            assert_eq!(believed("spf=fail; dmarc=pass header.from=x.example'"), (false, true), "{from}");
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
