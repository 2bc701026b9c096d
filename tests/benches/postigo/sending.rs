//! One very large mail on its way out: sent on as it came, by REST and SMTP.

use super::daemon::peak_mebibytes;
use super::report::{line, once, section};
use postigo_tests::gate::{Gate, PATIENCE, http_client, until};
use postigo_tests::mails::mail_with_large_file;
use postigo_tests::sink::Sink;
use serde_json::json;
use std::io::Write as _;

const LARGE: usize = 100 << 20;

pub fn run() {
    section("A mail of 100 MB is sent on");
    let (gate, sink) = (Gate::new(), Sink::start());
    gate.configure(&format!(
        "[settings]\nmax_message_size = \"200 MiB\"\n[[queue]]\nname = \"Support\"\n[[system_address]]\naddress = \"support@example.org\"\n\
         queue = \"Support\"\n[[transport]]\nname = \"out\"\nkind = \"smtp\"\nhost = \"127.0.0.1\"\nport = {}\n",
        sink.port
    ));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let mail = mail_with_large_file(0, LARGE);
    file.write_all(&mail).unwrap();
    gate.run(&["ingest", &file.path().display().to_string()]);
    let number = gate.json(&["ticket", "list"])[0]["ticket_number"].as_str().unwrap().to_owned();
    let article = gate.json(&["ticket", "show", &number])[0]["articles"][0]["id"].as_i64().unwrap();
    let token = gate.json(&["token", "create", "--role", "agent"])[0]["token"].as_str().unwrap().to_owned();
    let daemon = gate.serve("warn");
    let (took, ()) = once(|| {
        let request = http_client(PATIENCE).post(format!("{}/api/v1/articles/{article}/bounce", daemon.url)).bearer_auth(&token);
        let answer = request.json(&json!({ "to": ["other@example.net"] })).send().unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().unwrap_or_default());
        until("it is sent", PATIENCE, || gate.json(&["outbound", "list", "--status", "sent"]).len() == 1);
    });
    let taken = sink.taken();
    assert!(taken.len() == 1 && taken[0].bytes > mail.len(), "{taken:?} of {}", mail.len());
    line(
        "greatest resident memory with 100 MB going out",
        &format!("{:.0} MB", peak_mebibytes(&daemon)),
        "≤ 300 MB",
        &format!("queued and sent in {took:.1?}"),
    );
    daemon.stop();
}
