//! The daemon: its memory, its start, and how soon a saved filter is in force.

use super::report::{line, once, section};
use super::rules::{configuration, settings};
use postigo_tests::gate::{Daemon, Gate};

pub fn run() {
    section("The daemon");
    let idle = Gate::new();
    idle.run(&["queue", "list"]);
    let daemon = idle.serve("warn");
    line("memory of its own, idle", &format!("{:.0} MB", own_mebibytes(&daemon)), "≤ 60 MB", "");
    daemon.stop();
    let some = Gate::new();
    some.configure(&configuration(50));
    let daemon = some.serve("warn");
    feed(&some);
    line(
        "memory of its own with 50 filters, after a message",
        &format!("{:.0} MB", own_mebibytes(&daemon)),
        "≤ 250 MB",
        "",
    );
    daemon.stop();
    hundred_filters();
}

fn hundred_filters() {
    let gate = Gate::new();
    gate.configure(&configuration(100));
    let (without, daemon) = once(|| Gate::new().serve("warn"));
    daemon.stop();
    gate.serve("warn").stop();
    let (took, daemon) = once(|| gate.serve("warn"));
    let baseline = format!("without filters, on an empty folder {} ms", without.as_millis());
    line("start with 100 unchanged filters", &format!("{} ms", took.as_millis()), "≤ 0.5 s", &baseline);
    let token = gate.run(&["token", "create", "--role", "admin"]).trim().to_owned();
    let client = postigo_tests::gate::http_client(std::time::Duration::from_mins(1));
    let mut changed = settings(99, 100);
    changed["set"][0]["value"] = "5 very high".into();
    let address = format!("{}/api/v1/filters/0099", daemon.url);
    let (took, answer) = once(|| {
        let body = serde_json::json!({ "component": "match", "settings": changed });
        client.put(&address).bearer_auth(&token).json(&body).send().unwrap()
    });
    assert_eq!(answer.status(), 200, "{}", answer.text().unwrap_or_default());
    let (first, ()) = once(|| feed(&gate));
    line(
        "from saving a filter among 100 to its being in force",
        &format!("{} ms", took.as_millis()),
        "≤ 0.6 s",
        &format!("the first message then, by the command line {} ms", first.as_millis()),
    );
    daemon.stop();
}

fn feed(gate: &Gate) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.eml");
    std::fs::write(&path, &super::rules::mails()[0]).unwrap();
    let results = gate.json(&["ingest", path.to_str().unwrap()]);
    assert_eq!(results[0]["status"], "filed", "{results:?}");
}

/// Memory of its own in MiB, without the pages of its program, of which as many are in memory as the system likes.
fn own_mebibytes(daemon: &Daemon) -> f64 {
    status(daemon, "RssAnon:")
}

/// Resident memory in MiB.
pub fn mebibytes(daemon: &Daemon) -> f64 {
    status(daemon, "VmRSS:")
}

/// The greatest resident memory so far, in MiB.
pub fn peak_mebibytes(daemon: &Daemon) -> f64 {
    status(daemon, "VmHWM:")
}

fn status(daemon: &Daemon, what: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let kibibytes: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix(what))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap();
    kibibytes / 1024.0
}
