//! How long each list, search and overview takes, as REST gives it.

use super::filling::Filled;
use crate::report::{line, median, once};
use postigo_tests::gate::{Gate, http_client};
use serde_json::Value;
use std::time::Duration;

const ROUNDS: usize = 11;
const LIST: &str = "≤ 15 ms";
const OVERVIEW: &str = "≤ 20 ms";
const SEARCH: &str = "≤ 50 ms";

/// Prints the median of each.
pub fn run(gate: &Gate, filled: &Filled) {
    let token = gate.run(&["token", "create", "--role", "admin"]).trim().to_owned();
    let daemon = gate.serve("warn");
    let client = http_client(Duration::from_mins(5));
    let get = |path: &str| -> Value {
        let answer = client.get(format!("{}{path}", daemon.url)).bearer_auth(&token).send().unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().unwrap()
    };
    let health = format!("{}/healthz", daemon.url);
    let bare = median(ROUNDS, 20, || drop(client.get(&health).send().unwrap().bytes().unwrap()));
    println!("  REST on this machine, the median of {ROUNDS}; an empty answer takes {:.1} ms", milliseconds(bare));
    let ticket = get("/api/v1/tickets?limit=1&search=pump")["items"][0].clone();
    let number = ticket["ticket_number"].as_str().unwrap().to_owned();
    let shown = get(&format!("/api/v1/tickets/{number}"));
    let article = shown["articles"][0]["id"].as_i64().unwrap();
    let communication =
        get("/api/v1/communications?kind=message&limit=1")["items"][0]["id"].as_str().unwrap().to_owned();
    let failed = get("/api/v1/communications?status=failed&limit=1")["items"][0]["id"].as_str().unwrap().to_owned();
    let day = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(filled.day_before) * 1_000_000).unwrap();
    let day = day.format(&time::format_description::well_known::Rfc3339).unwrap();
    let middle = filled.mails / 2;
    let requests = [
        ("the log, newest first", LIST, "communications".to_owned()),
        ("the log, messages", LIST, "communications?kind=message".to_owned()),
        ("the log of an account", LIST, "communications?account=support".to_owned()),
        ("the log, what failed", LIST, "communications?status=failed".to_owned()),
        ("the log, warnings and above", LIST, "communications?priority=warning".to_owned()),
        ("the log of a ticket", LIST, format!("communications?ticket={number}")),
        ("the log of a filter that matched a tenth", LIST, "communications?filter=0019".to_owned()),
        ("the log of a day", LIST, format!("communications?since={day}")),
        ("the log of a day, longest first", LIST, format!("communications?since={day}&sort=duration")),
        ("a mail's communication", LIST, format!("communications/{communication}")),
        ("a failed connection", LIST, format!("communications/{failed}")),
        ("a search in the log of a day", SEARCH, format!("communications?since={day}&search=pump%20{middle}")),
        ("a search in all of the log", "bounded", format!("communications?search=pump%20{middle}")),
        (
            "a search in all of the log that finds nothing",
            "bounded",
            "communications?search=nobody-wrote-this".to_owned(),
        ),
        ("the overview of a day", OVERVIEW, format!("communications/overview?since={day}")),
        ("the overview of all", OVERVIEW, "communications/overview".to_owned()),
        ("tickets, newest first", LIST, "tickets".to_owned()),
        ("tickets of a queue and a state", LIST, "tickets?queue=Raw&state=new".to_owned()),
        (
            "tickets of a customer",
            LIST,
            format!("tickets?customer_user={}", ticket["customer_user"].as_str().unwrap_or_default()),
        ),
        ("tickets that changed within a day", LIST, format!("tickets?changed_since={day}")),
        ("a search for a ticket", "bounded", format!("tickets?search=pump%20{middle}")),
        ("a ticket with its articles", LIST, format!("tickets/{number}")),
        ("an article with its text", LIST, format!("articles/{article}")),
        ("the spool: what waits, is held, failed, was ignored", LIST, "spool".to_owned()),
        ("the spool: what was filed", LIST, "spool?status=filed".to_owned()),
        ("a message of the spool", LIST, format!("spool/{middle}")),
        ("outgoing mails", LIST, "outbound".to_owned()),
    ];
    for (what, aim, path) in requests {
        let path = format!("/api/v1/{path}");
        get(&path);
        let took = median(ROUNDS, 1, || drop(get(&path)));
        line(what, &format!("{:.1} ms", milliseconds(took)), aim, "");
    }
    let (took, _) = once(|| gate.run(&["log", "list", "--limit", "50"]));
    line("the log by a command, its start included", &format!("{:.0} ms", milliseconds(took)), "–", "");
    daemon.stop();
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
