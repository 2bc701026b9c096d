//! The rules and mails that the benchmarks share.

use bytes::Bytes;
use postigo::chain::{Components, FilterComponent, LazySandbox, shipped_component};
use postigo_mail::{Envelope, Mail, Message, OpenedMessage, Vocabulary};
use postigo_model::configured::Filter;
use postigo_sandbox::RuntimeOptions;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The headers that the rules look at, in turn.
pub const HEADERS: [&str; 5] = ["Subject", "From", "To", "List-Id", "X-Mailer"];

/// The pattern of a rule. Of many only the last can match the mails below.
pub fn pattern(number: usize, of: usize) -> (&'static str, String) {
    if number + 1 == of {
        return ("Subject", r"pump (\d+)".into());
    }
    let header = HEADERS[number % HEADERS.len()];
    let pattern = match number % 4 {
        0 => format!(r"invoice {number:04}-(\d+)"),
        1 => format!(r"(?:robot|monitor){number}@[a-z.]+"),
        2 => format!(r"^\[project-{number}\]"),
        _ => format!(r"order {number} (confirmed|cancelled)"),
    };
    (header, pattern)
}

/// A rule as settings of `match`.
pub fn settings(number: usize, of: usize) -> serde_json::Value {
    let (header, pattern) = pattern(number, of);
    serde_json::json!({
        "when": [{ "header": header, "matches": pattern }],
        "set": [{ "header": "X-OTOBO-Priority", "value": "4 high" }],
    })
}

/// The same rules as a configuration file.
pub fn configuration(count: usize) -> String {
    let mut toml = String::new();
    for number in 0..count {
        let (header, pattern) = pattern(number, count);
        let when = format!("[ {{ header = \"{header}\", matches = '{pattern}' }} ]");
        let set = r#"[ { header = "X-OTOBO-Priority", value = "4 high" } ]"#;
        let head = format!("[[filter]]\nname = \"{number:04}\"\ncomponent = \"match\"\n[filter.settings]");
        writeln!(toml, "{head}\nwhen = {when}\nset = {set}").unwrap();
    }
    toml
}

/// Mails of the usual kinds; the rule that matches is the last one.
pub fn mails() -> Vec<Bytes> {
    let bodies =
        ["The pump has stopped again.\r\n".repeat(20), "<p>See below.</p>\r\n".repeat(60), "Hello,\r\n".repeat(5)];
    (0..8)
        .map(|number| {
            format!(
                "Return-Path: <jane{number}@customer.example>\r\nReceived: from mx{number}.customer.example (mx{number}.customer.example [192.0.2.{number}])\r\n\tby mail.example.org with ESMTPS id 4Xyz{number}\r\n\tfor <support@example.org>; Tue, 24 Nov 2026 10:00:0{number} +0000\r\nDKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=customer.example; s=mail;\r\n\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\nFrom: \"Jane Roe {number}\" <jane{number}@customer.example>\r\nTo: Support <support@example.org>, Sales <sales@example.org>\r\nCc: =?utf-8?Q?J=C3=BCrgen?= <j@customer.example>\r\nSubject: Re: pump 739{number} in hall {number} =?utf-8?Q?l=C3=A4uft?= nicht\r\nMessage-ID: <bench{number}@customer.example>\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\nX-Mailer: Mailer 7.{number}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{}",
                bodies[number % bodies.len()]
            )
            .into_bytes()
            .into()
        })
        .collect()
}

/// A mail whose subject makes a rule of every kind a candidate.
pub fn heavy_mail(rules: usize) -> Bytes {
    let mut words = String::new();
    for number in 0..rules {
        write!(words, "invoice {number:04}- robot{number}@ [project-{number}] order {number} ").unwrap();
    }
    format!("From: {words} <a@b.example>\r\nTo: {words} <c@d.example>\r\nSubject: {words}\r\nList-Id: {words}\r\nX-Mailer: {words}\r\n\r\nHeavy.\r\n")
        .into_bytes()
        .into()
}

/// A mail as the chain receives it.
pub fn receive(raw: &Bytes) -> Box<Mail> {
    let vocabulary = Vocabulary::new(&[]);
    Box::new(OpenedMessage::as_it_came(Message::parse(raw.clone())).vet(Envelope::default(), &vocabulary).0.compute())
}

/// The built binary, which the runtime needs for its children.
pub fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("POSTIGO_BINARY") {
        return path.into();
    }
    let bench = std::env::current_exe().unwrap();
    bench.parent().and_then(Path::parent).unwrap().join("postigo")
}

/// A sandbox with its caches in `folder`.
pub fn sandbox(folder: &Path) -> Arc<LazySandbox> {
    Arc::new(LazySandbox::new(RuntimeOptions::new(folder.to_owned(), program())))
}

/// The component `match`, ready for the chain.
pub struct Match(pub FilterComponent);

impl Match {
    /// Inspected by this sandbox.
    pub fn of(sandbox: &Arc<LazySandbox>) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        Self(runtime.block_on(shipped_component("match", sandbox)).expect("match is embedded: make guests"))
    }
}

impl Components for Match {
    fn find(&self, filter: &Filter) -> Option<FilterComponent> {
        (filter.component == "match").then(|| self.0.clone())
    }
}
