//! What a server writes before a mail that it takes (RFC 5321 section 4.4): the envelope's sender, and where the mail
//! came from.

use postigo_model::configured::Dialect;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::OnceLock;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// How a mail came.
#[derive(Debug, Clone, Copy)]
pub struct ArrivalTrace<'w> {
    /// LMTP or SMTP.
    pub dialect: Dialect,
    /// Whether the client greeted with EHLO or LHLO, not HELO.
    pub extended: bool,
    /// Whether TLS was agreed on.
    pub secure: bool,
    /// Whether the transaction is SMTPUTF8.
    pub utf8: bool,
    /// The client's name of itself.
    pub hello: &'w str,
    /// Its address; none over a Unix socket.
    pub peer: Option<IpAddr>,
}

impl ArrivalTrace<'_> {
    /// RFC 3848 and RFC 6531: `LMTP`, `ESMTPS`, `UTF8SMTP`, …
    fn protocol(&self) -> String {
        let base = match self.dialect {
            Dialect::Lmtp => "LMTP",
            Dialect::Smtp if self.utf8 => "SMTP",
            Dialect::Smtp if self.extended => "ESMTP",
            Dialect::Smtp => "SMTP",
        };
        format!("{}{base}{}", if self.utf8 { "UTF8" } else { "" }, if self.secure { "S" } else { "" })
    }
}

/// Return-Path and Received; of several recipients none is named, so that nobody learns of the others.
pub fn headers(way: &ArrivalTrace<'_>, sender: &str, recipients: &[&str], id: &str, now: OffsetDateTime) -> String {
    let mut text = format!("Return-Path: <{}>\r\nReceived: from {}", quoted(sender), name(way.hello));
    match way.peer {
        Some(IpAddr::V4(address)) => drop(write!(text, " ([{address}])")),
        Some(IpAddr::V6(address)) => drop(write!(text, " ([IPv6:{address}])")),
        None => text.push_str(" (local)"),
    }
    let _ = write!(text, "\r\n\tby {} (Postigo) with {} id {id}", host_name(), way.protocol());
    if let [recipient] = recipients {
        let _ = write!(text, "\r\n\tfor <{}>", quoted(recipient));
    }
    let date = now.format(&Rfc2822).unwrap_or_default();
    let _ = write!(text, ";\r\n\t{date}\r\n");
    text
}

/// The name of this machine.
pub fn host_name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let read = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let found = name(read.trim());
        if found == UNNAMED { "localhost".to_owned() } else { found }
    })
}

const UNNAMED: &str = "unknown";

/// A client's name of itself, with nothing that has a meaning in a header.
fn name(claimed: &str) -> String {
    let kept: String =
        claimed.chars().filter(|letter| letter.is_alphanumeric() || ".-_:[]".contains(*letter)).take(255).collect();
    if kept.is_empty() { UNNAMED.to_owned() } else { kept }
}

/// An address as RFC 5321 writes it: a local part that is no dot-string is quoted.
fn quoted(address: &str) -> String {
    let Some((local, domain)) = address.rsplit_once('@') else { return address.to_owned() };
    let is_dot_string = !local.is_empty()
        && local
            .chars()
            .all(|letter| letter.is_alphanumeric() || !letter.is_ascii() || "!#$%&'*+-/=?^_`{|}~.".contains(letter));
    if is_dot_string {
        return address.to_owned();
    }
    format!("\"{}\"@{domain}", local.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_say_how_a_mail_came() {
        let now = OffsetDateTime::from_unix_timestamp(1_795_600_000).unwrap();
        let way = ArrivalTrace {
            dialect: Dialect::Lmtp,
            extended: true,
            secure: true,
            utf8: false,
            hello: "mx.example.net (evil)\r\nX: y",
            peer: Some("2001:db8::1".parse().unwrap()),
        };
        let text = headers(&way, "jane doe@example.com", &["support@example.org"], "17", now);
        let expected = format!(
            "Return-Path: <\"jane doe\"@example.com>\r\nReceived: from mx.example.netevilX:y ([IPv6:2001:db8::1])\r\n\tby {} (Postigo) with LMTPS id 17\r\n\tfor <support@example.org>;\r\n\tWed, 25 Nov 2026 09:46:40 +0000\r\n",
            host_name()
        );
        assert_eq!(text, expected);
        let text = headers(&ArrivalTrace { peer: None, dialect: Dialect::Smtp, ..way }, "", &["a@x", "b@x"], "17", now);
        assert!(
            text.starts_with("Return-Path: <>\r\n") && text.contains("(local)") && text.contains("with ESMTPS"),
            "{text}"
        );
        assert!(!text.contains("for"), "several recipients stay unnamed: {text}");
    }
}
