//! The communication log as admins ask it: by command line and by REST, from a mail to its ticket and its filters, and back.

use super::rest::Rest;
use postigo_tests::gate::Gate;
use serde_json::{Value, json};

/// A gate with a filter that finds a queue, and one that drops mail.
pub fn gate() -> Gate {
    let gate = Gate::new();
    gate.configure(
        "[[filter]]\nname = \"10 Invoices\"\ncomponent = \"match\"\n[filter.settings]\nwhen = [{ header = \"Subject\", matches = \"Invoice\" }]\n\
         set = [{ header = \"X-OTOBO-Queue\", value = \"Junk\" }]\n\n\
         [[filter]]\nname = \"20 Spam\"\ncomponent = \"match\"\n[filter.settings]\nwhen = [{ header = \"Subject\", matches = \"Pills\" }]\n\
         set = [{ header = \"X-OTOBO-Ignore\", value = \"yes\" }]\n",
    );
    gate
}

/// Takes a mail in; gives its result.
pub fn ingest(gate: &Gate, mail: &str) -> Value {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), mail.replace('\n', "\r\n")).unwrap();
    gate.json(&["ingest", &file.path().display().to_string()]).remove(0)
}

fn ids(listed: &[Value]) -> Vec<&str> {
    listed.iter().map(|listed| listed["id"].as_str().unwrap()).collect()
}

#[test]
fn a_list_says_what_became_of_each_mail_and_leads_to_its_ticket_and_its_filters_and_back() {
    let gate = gate();
    let from = "From: Jane <jane@x.test>\nTo: desk@desk.test\n";
    let filed = ingest(&gate, &format!("{from}Message-ID: <one@x.test>\nSubject: Invoice 42\n\nhello\n"));
    let number = filed["ticket_number"].as_str().unwrap();
    let more = ingest(&gate, &format!("{from}References: <one@x.test>\nSubject: Re: [Ticket#{number}] and\n\nmore\n"));
    let dropped = ingest(&gate, &format!("{from}Subject: Pills\n\nbuy\n"));
    let id = |result: &Value| result["communication"].as_str().unwrap().to_owned();
    let (filed_id, more_id, dropped_id) = (id(&filed), id(&more), id(&dropped));

    let listed = gate.json(&["log", "list", "--kind", "message", "--sort", "oldest"]);
    let told: Vec<_> = listed.iter().map(|mail| [&mail["fate"], &mail["ticket_number"], &mail["subject"]]).collect();
    let more_subject = json!(format!("Re: [Ticket#{number}] and"));
    assert_eq!(
        told,
        [
            [&json!("filed"), &json!(number), &json!("Invoice 42")],
            [&json!("follow-up"), &json!(number), &more_subject],
            [&json!("ignored"), &Value::Null, &json!("Pills")],
        ]
    );
    let heading = ["sender", "recipients", "message_id"].map(|key| listed[0][key].as_str().unwrap());
    assert_eq!(heading, ["Jane <jane@x.test>", "desk@desk.test", "<one@x.test>"]);
    let table = gate.run(&["log", "list"]);
    for words in ["FATE", "follow-up", "Jane <jane@x.test>", "Invoice 42", number] {
        assert!(table.contains(words), "{words}: {table}");
    }

    assert_eq!(ids(&gate.json(&["log", "list", "--ticket", number, "--reverse"])), [&filed_id, &more_id]);
    assert_eq!(ids(&gate.json(&["log", "list", "--filter", "10 Invoices", "--since", "1h"])), [&filed_id]);
    assert_eq!(ids(&gate.json(&["log", "list", "--filter", "20 Spam"])), [&dropped_id]);
    assert!(gate.json(&["log", "list", "--filter", "20 Spam", "--until", "1h"]).is_empty());
    assert!(gate.json(&["log", "list", "--filter", "10 Invoices", "--kind", "connection"]).is_empty());
    let longest = ["log", "list", "--kind", "message", "--sort", "duration"];
    let (longest, shortest) = (gate.json(&longest), gate.json(&[&longest[..], &["--reverse"]].concat()));
    assert_eq!(ids(&longest), ids(&shortest).into_iter().rev().collect::<Vec<_>>());
    for (wrong, told) in [
        (["--ticket", "17"], "There is no ticket \"17\"; give its number without the hook."),
        (["--filter", "30"], "There is no filter \"30\"; `postigo filter list` shows those that exist."),
    ] {
        let refused = gate.try_run([&["log", "list"], &wrong[..]].concat());
        assert!(String::from_utf8_lossy(&refused.stderr).contains(told), "{refused:?}");
    }

    let shown = gate.run(&["log", "show", &filed_id]);
    let filter = gate.json(&["filter", "show", "10 Invoices"]).remove(0);
    let revision = filter["revision"].as_str().unwrap();
    assert!(shown.contains(&format!(", settings {revision}. It sets X-OTOBO-Queue: Junk.")), "{shown}");
    assert!(shown.contains("filter:10 Invoices: Matched") && shown.contains(" by match@"), "{shown}");
    assert!(shown.contains(number) && shown.contains("fate"), "{shown}");
    let ticket = gate.json(&["ticket", "show", number]).remove(0);
    assert_eq!(ticket["articles"][1]["communications"], json!([more_id]));
    assert!(gate.run(&["ticket", "show", number]).contains(&filed_id));
    gate.run(&["filter", "set", "10 Invoices", "stop_after_match=true"]);
    let changed = gate.json(&["filter", "show", "10 Invoices"]).remove(0);
    assert_ne!(changed["revision"], filter["revision"], "other settings are another revision");

    let daemon = gate.serve("warn");
    let rest = Rest::new(&gate, &daemon, "reader");
    for (query, expected) in [
        (format!("ticket={number}&reverse=true"), vec![&filed_id, &more_id]),
        ("filter=10%20Invoices".to_owned(), vec![&filed_id]),
        ("kind=message&sort=oldest&limit=1".to_owned(), vec![&filed_id]),
    ] {
        let found = rest.get(&format!("/communications?{query}"));
        assert_eq!(ids(found["items"].as_array().unwrap()), expected, "{query}");
    }
    let shown = rest.get(&format!("/communications/{more_id}"));
    assert_eq!((&shown["fate"], &shown["ticket_number"]), (&json!("follow-up"), &json!(number)));
    let chain = rest.get("/chain");
    assert!(chain["filters"][0]["made_of"].as_str().unwrap().starts_with("match@"), "{chain}");
}
