//! What a client may say. The grammar is smtp-proto's; what this server does not offer is refused here.

use super::reply::Reply;
use smtp_proto::{
    Error, MAIL_BODY_BINARYMIME, MAIL_BY_NOTIFY, MAIL_BY_RETURN, MAIL_BY_TRACE, MAIL_CONPERM, MAIL_REQUIRETLS,
    MAIL_RET_FULL, MAIL_RET_HDRS, MAIL_SMTPUTF8, MailFrom, RcptTo, Request,
};
use std::borrow::Cow;

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// HELO, EHLO, LHLO with the client's name of itself.
    Hello(Greeting, String),
    /// MAIL FROM.
    Mail {
        /// The envelope sender; empty: the null sender.
        sender: String,
        /// The size that the client announces (RFC 1870); 0: none.
        size: u64,
        /// Whether addresses and headers may be UTF-8 (RFC 6531).
        utf8: bool,
    },
    /// RCPT TO.
    Recipient(String),
    /// DATA.
    Data,
    /// BDAT (RFC 3030): so many bytes follow; the last of the message or not.
    Chunk(u64, bool),
    /// RSET.
    Reset,
    /// NOOP.
    Nothing,
    /// STARTTLS (RFC 3207).
    StartTls,
    /// VRFY.
    Verify,
    /// HELP.
    Help,
    /// QUIT.
    Quit,
}

/// How a client greets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// SMTP of old.
    Helo,
    /// SMTP with extensions.
    Ehlo,
    /// LMTP.
    Lhlo,
}

/// What MAIL may not ask for: extensions that are not offered.
const NOT_OFFERED: u64 = MAIL_BODY_BINARYMIME
    | MAIL_BY_NOTIFY
    | MAIL_BY_RETURN
    | MAIL_BY_TRACE
    | MAIL_CONPERM
    | MAIL_REQUIRETLS
    | MAIL_RET_FULL
    | MAIL_RET_HDRS;

/// Digits of a size: any number of these fits.
const MOST_DIGITS: usize = 18;

/// Reads a line, CRLF included.
pub fn parse(line: &[u8]) -> Result<Command, Reply> {
    // The grammar passes over a CR, so that `BDAT 1 CR 2` would be 12 bytes.
    if memchr::memchr(b'\r', line.strip_suffix(b"\r\n").unwrap_or(line)).is_some() {
        return Err(Reply::new(500, "5.5.2", "A CR stands alone in the line"));
    }
    let request = Request::parse(&mut line.iter()).map_err(|error| explain(&error))?;
    match request {
        Request::Helo { host } => Ok(Command::Hello(Greeting::Helo, host.into_owned())),
        Request::Ehlo { host } => Ok(Command::Hello(Greeting::Ehlo, host.into_owned())),
        Request::Lhlo { host } => Ok(Command::Hello(Greeting::Lhlo, host.into_owned())),
        Request::Mail { from } => mail(from, line),
        Request::Rcpt { to } => recipient(to, line),
        Request::Data => Ok(Command::Data),
        // The grammar begins anew with a number that is too large for it, so that bytes of the chunk would be read as
        // commands.
        Request::Bdat { .. } if line.split(|byte| !byte.is_ascii_digit()).any(|digits| digits.len() > MOST_DIGITS) => {
            Err(Reply::new(501, "5.5.4", "The chunk's size cannot be read"))
        }
        Request::Bdat { chunk_size, is_last } => Ok(Command::Chunk(chunk_size as u64, is_last)),
        Request::Rset => Ok(Command::Reset),
        Request::Noop { .. } => Ok(Command::Nothing),
        Request::StartTls => Ok(Command::StartTls),
        Request::Vrfy { .. } => Ok(Command::Verify),
        Request::Help { .. } => Ok(Command::Help),
        Request::Quit => Ok(Command::Quit),
        Request::Auth { .. }
        | Request::Expn { .. }
        | Request::Etrn { .. }
        | Request::Atrn { .. }
        | Request::Burl { .. } => Err(Reply::new(502, "5.5.1", format!("{} is not offered here", request.name()))),
    }
}

fn mail(from: MailFrom<Cow<'_, str>>, line: &[u8]) -> Result<Command, Reply> {
    let utf8 = from.flags & MAIL_SMTPUTF8 != 0;
    let more = from.env_id.is_some() || from.mtrk.is_some() || from.solicit.is_some() || from.trans_id.is_some();
    if from.flags & NOT_OFFERED != 0 || more || from.hold_for + from.hold_until > 0 || from.mt_priority != 0 {
        return Err(Reply::new(555, "5.5.4", "MAIL asks for what was not offered"));
    }
    check_address(&from.address, "5.1.7")?;
    if from.address.is_empty() && names_postmaster(line) {
        return Err(Reply::new(501, "5.1.7", "The sender has no domain"));
    }
    if !utf8 && !from.address.is_ascii() {
        return Err(Reply::new(553, "5.6.7", "The sender's address is not ASCII; say SMTPUTF8"));
    }
    Ok(Command::Mail { sender: from.address.into_owned(), size: from.size as u64, utf8 })
}

fn recipient(to: RcptTo<Cow<'_, str>>, line: &[u8]) -> Result<Command, Reply> {
    if to.flags != 0 || to.orcpt.is_some() || to.rrvs != 0 {
        return Err(Reply::new(555, "5.5.4", "RCPT asks for what was not offered"));
    }
    check_address(&to.address, "5.1.3")?;
    if to.address.is_empty() {
        return if names_postmaster(line) {
            Ok(Command::Recipient("postmaster".to_owned()))
        } else {
            Err(Reply::new(501, "5.1.3", "There is no recipient"))
        };
    }
    Ok(Command::Recipient(to.address.into_owned()))
}

/// The grammar gives the same for `<>` and for `<Postmaster>` without a domain. The one is the null sender, the other a
/// recipient that RFC 5321 section 4.1.1.3 demands.
fn names_postmaster(line: &[u8]) -> bool {
    line.to_ascii_lowercase().windows(12).any(|part| part == b"<postmaster>")
}

/// Addresses go into headers and logs: no control characters.
fn check_address(address: &str, status: &'static str) -> Result<(), Reply> {
    if address.chars().any(|character| character.is_control() || matches!(character, '\u{fffd}' | '<' | '>')) {
        return Err(Reply::new(501, status, "The address has characters that no address has"));
    }
    Ok(())
}

fn explain(error: &Error) -> Reply {
    match error {
        Error::UnknownCommand => Reply::new(500, "5.5.1", "No such command"),
        Error::InvalidSenderAddress => Reply::new(501, "5.1.7", "The sender is no address"),
        Error::InvalidRecipientAddress => Reply::new(501, "5.1.3", "The recipient is no address"),
        Error::SyntaxError { syntax } => Reply::new(501, "5.5.4", format!("Expected: {syntax}")),
        Error::InvalidParameter { param } => Reply::new(501, "5.5.4", format!("The value of {param} cannot be read")),
        Error::UnsupportedParameter { param } => Reply::new(555, "5.5.4", format!("{param} was not offered")),
        _ => Reply::new(500, "5.5.2", "The line cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        let mail = |sender: &str, size, utf8| Ok(Command::Mail { sender: sender.into(), size, utf8 });
        for (line, expected) in [
            ("lhlo mx.example.net", Ok(Command::Hello(Greeting::Lhlo, "mx.example.net".into()))),
            ("MAIL FROM:<>", mail("", 0, false)),
            ("mail from:<a@x.test> SIZE=12 BODY=8BITMIME", mail("a@x.test", 12, false)),
            ("MAIL FROM:<\u{fc}@x.test> SMTPUTF8", mail("\u{fc}@x.test", 0, true)),
            ("RCPT TO:<a+b@x.test>", Ok(Command::Recipient("a+b@x.test".into()))),
            ("RCPT TO:<@relay.test:a@x.test>", Ok(Command::Recipient("a@x.test".into()))),
            ("RCPT TO:<PostMaster>", Ok(Command::Recipient("postmaster".into()))),
            ("BDAT 86 LAST", Ok(Command::Chunk(86, true))),
            ("BDAT 0", Ok(Command::Chunk(0, false))),
            ("DATA", Ok(Command::Data)),
        ] {
            assert_eq!(parse(format!("{line}\r\n").as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_read_or_is_not_offered_is_refused() {
        for (line, code) in [
            ("", 500),
            ("GET / HTTP/1.1", 500),
            ("MAIL FROM:a@x.test", 501),
            ("MAIL FROM:<a>", 501),
            ("MAIL FROM:<Postmaster>", 501),
            ("MAIL FROM:<\u{fc}@x.test>", 553),
            ("MAIL FROM:<a@x.test> BODY=BINARYMIME", 555),
            ("MAIL FROM:<a@x.test> RET=FULL", 555),
            ("MAIL FROM:<a@x.test> SIZE=x", 501),
            ("MAIL FROM:<a@x.test> NONSENSE=1", 555),
            ("RCPT TO:<>", 501),
            ("RCPT TO:<a@x.test> NOTIFY=NEVER", 555),
            ("RCPT TO:<a\u{1}@x.test>", 501),
            ("RCPT TO:<\"a\u{1}\"@x.test>", 501),
            ("BDAT -1", 501),
            ("BDAT 99999999999999999999999 LAST", 501),
            ("BDAT 999999999999999999\r99999999 LAST", 500),
            ("AUTH PLAIN AGEAYg==", 502),
            ("EXPN list", 502),
            ("LHLO", 501),
        ] {
            let reply = parse(format!("{line}\r\n").as_bytes()).expect_err(line);
            assert_eq!(reply.code, code, "{line}: {reply}");
        }
    }
}
