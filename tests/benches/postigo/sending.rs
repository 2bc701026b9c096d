//! Very large mails on their way out, by REST and SMTP: one sent on as it came, and the largest that agents may write
//! and pass on.

use super::daemon::peak_mebibytes;
use super::report::{line, once, section};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postigo_tests::gate::{Gate, PATIENCE, http_client, until};
use postigo_tests::mails::{large_mail, mail_with_large_file};
use postigo_tests::postgres::Postgres;
use postigo_tests::sink::Sink;
use serde_json::{Value, json};
use std::io::Write as _;

const LARGE: usize = 100 << 20;
/// Text and files of a mail that is composed, together, have 72 MiB at most: 100 MB in Base64.
const LARGEST_COMPOSED: usize = 71 << 20;

pub fn run() {
    section("Very large mails go out");
    let send_on = |article: i64| (format!("/articles/{article}/bounce"), json!({ "to": ["other@example.net"] }));
    resident("100 MB sent on", &Gate::new(), mail_with_large_file(0, LARGE), LARGE, send_on);
    if let Some(postgres) = Postgres::start() {
        let gate = Gate::on_postgres(&postgres.database(), None);
        resident("100 MB sent on, PostgreSQL", &gate, mail_with_large_file(0, LARGE), LARGE, send_on);
    }
    resident(
        "71 MiB passed on as a mail",
        &Gate::new(),
        large_mail(0, LARGEST_COMPOSED - (1 << 10)),
        LARGEST_COMPOSED - (1 << 20),
        |article| (format!("/articles/{article}/forward"), json!({ "as": "message", "to": ["other@example.net"] })),
    );
    resident(
        "100 MB of files passed on",
        &Gate::new(),
        mail_with_large_file(0, LARGEST_COMPOSED / 3 * 4),
        LARGEST_COMPOSED,
        |article| (format!("/articles/{article}/forward"), json!({ "to": ["other@example.net"] })),
    );
    resident("71 MiB of files written", &Gate::new(), large_mail(0, 1_000), LARGEST_COMPOSED, |article| {
        let file = json!({ "name": "plan.bin", "content": STANDARD.encode(vec![b'x'; LARGEST_COMPOSED]) });
        (format!("/articles/{article}/forward"), json!({ "to": ["other@example.net"], "attachments": [file] }))
    });
}

/// Files a mail, asks a fresh daemon for something with its article, and measures until a mail of so many bytes at
/// least has gone out.
fn resident(what: &str, gate: &Gate, mail: Vec<u8>, at_least: usize, ask: impl Fn(i64) -> (String, Value)) {
    let sink = Sink::start();
    gate.configure(&format!(
        "[settings]\nmax_message_size = \"200 MiB\"\n[[queue]]\nname = \"Support\"\n[[system_address]]\naddress = \"support@example.org\"\n\
         queue = \"Support\"\n[[transport]]\nname = \"out\"\nkind = \"smtp\"\nhost = \"127.0.0.1\"\nport = {}\n",
        sink.port
    ));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&mail).unwrap();
    drop(mail);
    gate.run(&["ingest", &file.path().display().to_string()]);
    let number = gate.json(&["ticket", "list"])[0]["ticket_number"].as_str().unwrap().to_owned();
    let article = gate.json(&["ticket", "show", &number])[0]["articles"][0]["id"].as_i64().unwrap();
    let token = gate.json(&["token", "create", "--role", "agent"])[0]["token"].as_str().unwrap().to_owned();
    let (path, body) = ask(article);
    let daemon = gate.serve("warn");
    let (took, ()) = once(|| {
        let request = http_client(PATIENCE).post(format!("{}/api/v1{path}", daemon.url)).bearer_auth(&token);
        let answer = request.header("idempotency-key", "large").json(&body).send().unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().unwrap_or_default());
        until("it is sent", PATIENCE, || gate.json(&["outbound", "list", "--status", "sent"]).len() == 1);
    });
    let taken = sink.taken();
    assert!(taken.len() == 1 && taken[0].bytes > at_least, "{what}: {taken:?}");
    line(
        &format!("greatest resident memory, {what}"),
        &format!("{:.0} MB", peak_mebibytes(&daemon)),
        "≤ 300 MB",
        &format!("queued and sent in {took:.1?}"),
    );
    daemon.stop();
}
