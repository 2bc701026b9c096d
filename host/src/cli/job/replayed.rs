//! What came of a replay, for people.

use crate::cli::TextTable;
use crate::cli::output::word;
use serde_json::Value;
use std::fmt::Write as _;

/// The counts, what each filter did and would do, and the mails that differ.
pub fn text(result: &Value) -> String {
    let mut text = String::new();
    for (key, what) in [
        ("tried", "mails were tried"),
        ("same", "would become the same"),
        ("differ", "would become something else"),
        ("own_ticket", "would follow up the ticket that they made, and are not compared"),
        ("failed", "could not be tried"),
        ("passed_over", "went into other queues, or nothing is kept of them"),
        ("without_bytes", "have no bytes any more"),
    ] {
        let count = result[key].as_i64().unwrap_or_default();
        if count > 0 || matches!(key, "tried" | "differ") {
            let _ = writeln!(text, "{count:>8}  {what}");
        }
    }
    if result["bound_reached"] == true {
        let count = result["looked_at"].as_i64().unwrap_or_default();
        let _ = writeln!(text, "{count:>8}  messages were looked at, which is the most: earlier ones were not");
    }
    for (field, count) in result["by_field"].as_object().into_iter().flatten() {
        let _ = writeln!(text, "{:>8}  in {field}", word(&serde_json::json!({ "count": count }), "count"));
    }
    let filters = result["by_filter"].as_object().into_iter().flatten();
    let mut table = TextTable::new(&["FILTER", "MATCHED THEN", "MATCHES NOW", "LOST", "GAINED", "FAILS NOW"]);
    let mut has_filters = false;
    for (name, counts) in filters {
        has_filters = true;
        let mut row = vec![name.clone()];
        row.extend(["matched_then", "matches_now", "lost", "gained", "fails_now"].map(|key| word(counts, key)));
        table.row(row);
    }
    if has_filters {
        let _ = write!(text, "\n{table}");
    }
    let mails = result["mails"].as_array().map(Vec::as_slice).unwrap_or_default();
    if mails.is_empty() {
        return text;
    }
    let mut table = TextTable::new(&["MESSAGE", "RECEIVED", "TICKET", "TITLE", "WOULD DIFFER"]);
    for mail in mails {
        let mut row = ["spool_id", "received_at", "ticket_number", "title"].map(|key| word(mail, key)).to_vec();
        row.push(differences(mail));
        table.row(row);
    }
    let _ = write!(text, "\n{table}");
    if let Some(more @ 1..) = result["not_listed"].as_i64() {
        let _ = writeln!(text, "There are {more} more, which are counted and not listed.");
    }
    text
}

fn differences(mail: &Value) -> String {
    if let Some(error) = mail["error"].as_str() {
        return error.to_owned();
    }
    let differences = mail["differences"].as_array().into_iter().flatten().map(|difference| {
        let shown = |key: &str| difference[key].as_str().unwrap_or("–").to_owned();
        format!("{}: {} → {}", word(difference, "field"), shown("then"), shown("now"))
    });
    differences.collect::<Vec<_>>().join("; ")
}
