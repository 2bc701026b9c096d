//! What classifiers learn from, as users have it: tickets with what people made of them, and what people say.

use crate::rest::Rest;
use postigo_tests::gate::{Gate, PATIENCE, binary, on_both, until};
use serde_json::{Value, json};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

/// A desk whose filters put bills, calls for help and spam where they belong, and one filter that guesses.
const DESK: &str = "[[queue]]\nname = \"Billing\"\ndescription = \"Bills and payments.\"\nkeywords = [\"invoice\"]\n[[queue]]\nname = \"Support\"\n\
    [[filter]]\nname = \"10 Rough\"\ncomponent = \"match\"\n[filter.settings]\nwhen = [{ header = \"Subject\", matches = \"^(?<queue>Billing|Support|Junk)\" }]\n\
    set = [{ header = \"X-OTOBO-Queue\", value = \"[** \\\\queue **]\" }]\n\
    [[filter]]\nname = \"50 Guess\"\ncomponent = \"match\"\n[filter.settings]\nwhen = [{ header = \"Subject\", matches = \"^guess\" }]\n\
    set = [{ header = \"X-OTOBO-Queue\", value = \"Billing\" }]\n\
    [[filter]]\nname = \"60 Drop\"\ncomponent = \"match\"\n[filter.settings]\nwhen = [{ header = \"Subject\", matches = \"^drop\" }]\n\
    set = [{ header = \"X-OTOBO-Ignore\", value = \"yes\" }]\n";

/// Files mails with these subjects; gives the numbers of their tickets.
fn file(gate: &Gate, subjects: &[&str]) -> Vec<String> {
    let mut mbox = tempfile::NamedTempFile::new().unwrap();
    for subject in subjects {
        let id = subject.replace(' ', ".");
        write!(
            mbox,
            "From jane Thu Jan  1 00:00:00 2026\nFrom: jane@customer.example\nTo: desk@example.org\nMessage-ID: <{id}@customer.example>\n\
             Subject: {subject}\n\nThis is about {subject}.\n\n"
        )
        .unwrap();
    }
    let results = gate.json(&["ingest", &mbox.path().display().to_string()]);
    results.iter().map(|result| result["ticket_number"].as_str().unwrap_or_default().to_owned()).collect()
}

fn labels(report: &Value) -> Value {
    let question = &report["questions"][0];
    assert_eq!(question["question"], "queue", "{report:#}");
    let counted =
        |label: &Value| (label["label"].as_str().unwrap().to_owned(), json!([label["examples"], label["given"]]));
    question["labels"].as_array().unwrap().iter().map(counted).collect::<serde_json::Map<_, _>>().into()
}

fn examples(gate: &Gate, more: &[&str]) -> Value {
    gate.json(&[&["classifier", "examples", "--not-by", "50 Guess"], more].concat())[0].clone()
}

#[test]
fn a_desk_learns_from_what_people_made_of_its_tickets_and_not_from_what_a_filter_guessed() {
    on_both(|gate| {
        gate.configure(DESK);
        let subjects =
            ["Billing 1", "Billing 2", "Support 1", "Junk 1", "other 1", "guess 1", "guess 2", "drop 1", "Billing 3"];
        let numbers = file(gate, &subjects);
        gate.run(&["ticket", "update", &numbers[5], "--queue", "Support"]);
        gate.run(&["ticket", "update", &numbers[8], "--merge-into", &numbers[0]]);

        let report = examples(gate, &[]);
        assert_eq!(labels(&report), json!({ "Billing": [2, 0], "Support": [2, 1] }), "{report:#}");
        assert_eq!([&report["examples"], &report["outside"]], [4, 2], "spam, and what was dropped: {report:#}");
        let without: Vec<i64> =
            report["without_lesson"].as_array().unwrap().iter().map(|one| one["tickets"].as_i64().unwrap()).collect();
        assert_eq!(without, [1, 1], "what nobody sorted, and what was guessed: {report:#}");
        let all = gate.json(&["classifier", "examples"])[0].clone();
        assert_eq!(labels(&all), json!({ "Billing": [3, 0], "Support": [2, 1] }), "{all:#}");

        // Somebody says so.
        let given = gate.json(&["classifier", "feedback", "give", "guess.2@customer.example", "queue", "Billing"]);
        assert_eq!([&given[0]["known"], &given[0]["message_id"]], [&json!(true), &json!("<guess.2@customer.example>")]);
        let report = examples(gate, &[]);
        assert_eq!(labels(&report), json!({ "Billing": [3, 1], "Support": [2, 1] }), "{report:#}");

        // As labelled mails, for their owner alone, as many of one label as of another.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("examples.jsonl");
        let out = path.display().to_string();
        let report = examples(gate, &["--out", &out, "--limit", "4"]);
        assert_eq!(labels(&report), json!({ "Billing": [2, 1], "Support": [2, 1] }), "{report:#}");
        assert_eq!(report["passed_over"], 1);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let written = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let support =
            json!({ "subject": "Support 1", "text": "This is about Support 1.\n", "labels": { "queue": "Support" } });
        assert!(lines.contains(&support), "{written}");
        assert_eq!(lines.iter().filter(|line| line["labels"] == json!({})).count(), 1, "{written}");
        let again = gate.refused(&["classifier", "examples", "--out", &out]);
        assert!(again.contains("--out") && again.contains("examples.jsonl"), "{again}");

        // A queue that is gone teaches nothing.
        gate.run(&["queue", "set", "Support", "valid=false"]);
        let report = examples(gate, &[]);
        assert_eq!(labels(&report), json!({ "Billing": [3, 1] }), "{report:#}");
        let report = examples(gate, &["--since", "2999-01-01"]);
        assert_eq!([&report["examples"], &report["looked_at"]], [0, 0], "{report:#}");
    });
}

#[test]
fn who_changed_a_ticket_is_told_where_it_is_shown() {
    on_both(|gate| {
        gate.configure(DESK);
        let number = file(gate, &["Billing 1"]).remove(0);
        gate.run(&["ticket", "update", &number, "--queue", "Support", "--state", "open"]);
        let daemon = gate.serve("warn");
        let agent = Rest::new(gate, &daemon, "agent");
        agent.json("PATCH", &format!("/tickets/{number}"), &json!({ "queue": "Billing", "state": "open" }), 200);
        let note = json!({ "kind": "note", "body": "Paid.", "state": "closed successful" });
        agent.json("POST", &format!("/tickets/{number}/articles"), &note, 201);
        let shown = gate.json(&["ticket", "show", &number])[0].clone();
        let told: Vec<(&str, &str, &str)> = shown["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| ["field", "earlier", "later"].map(|key| one[key].as_str().unwrap()).into())
            .collect();
        let expected = [
            ("queue", "Billing", "Support"),
            ("state", "new", "open"),
            ("queue", "Support", "Billing"),
            ("state", "open", "closed successful"),
        ];
        assert_eq!(told, expected, "{shown:#}");
        let actors: Vec<&str> =
            shown["changes"].as_array().unwrap().iter().map(|one| one["actor"].as_str().unwrap()).collect();
        assert!(actors[1].starts_with("command line (") && actors[2].starts_with("token "), "{actors:?}");
        let text = gate.run(&["ticket", "show", &number]);
        assert!(text.contains("CHANGED") && text.contains(actors[2]), "{text}");
    });
}

#[test]
fn feedback_is_kept_once_by_agents_and_the_last_word_counts() {
    on_both(|gate| {
        let daemon = gate.serve("warn");
        let [agent, reader, admin] = ["agent", "reader", "admin"].map(|role| Rest::new(gate, &daemon, role));
        let said = json!({ "message_id": "<a@b.example>", "question": "queue", "label": "Billing" });
        let first = agent.json("POST", "/feedback", &said, 200);
        assert_eq!(first["known"], false, "the mail may come later");
        assert_eq!(agent.json("POST", "/feedback", &said, 200), first, "said again, it changes nothing");
        reader.json("POST", "/feedback", &said, 403);
        let other = json!({ "message_id": "a@b.example", "question": "queue", "label": "Support" });
        let last = agent.json("POST", "/feedback", &other, 200);
        assert_eq!([&last["id"], &last["label"]], [&first["id"], &json!("Support")]);
        let wrong = json!({ "message_id": "<>", "question": "", "label": "two\nlines" });
        let told = agent.json("POST", "/feedback", &wrong, 422);
        let places: Vec<&str> =
            told["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(places, ["/message_id", "/question", "/label"]);

        let listed = reader.get("/feedback?message_id=a@b.example");
        assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed:#}");
        assert_eq!(gate.json(&["classifier", "feedback", "list"])[0]["label"], "Support");
        let path = format!("/feedback/{}", first["id"]);
        agent.json("DELETE", &path, &Value::Null, 403);
        assert_eq!(admin.send("DELETE", &path, "application/json", "").status().as_u16(), 204);
        admin.json("DELETE", &path, &Value::Null, 404);
        assert_eq!(reader.get("/feedback")["items"], json!([]));
    });
}

/// The classifier of the tests that counts words.
fn keywords() -> String {
    let path = binary().parent().unwrap().parent().unwrap().join("guests/keywords.wasm");
    assert!(path.exists(), "{} is not there; run `make guests`", path.display());
    path.display().to_string()
}

#[test]
fn a_filter_learns_from_the_desks_tickets_and_one_command_goes_back_to_an_earlier_model() {
    on_both(|gate| {
        gate.configure(DESK);
        file(gate, &["Billing invoice 1", "Support printer 1", "Billing invoice 2", "Support printer 2", "Junk 1"]);
        gate.run(&["component", "upload", &keywords()]);
        gate.run(&["component", "activate", "keywords"]);
        gate.run(&["filter", "set", "70 Sort", "component=keywords"]);
        let refused = gate.refused(&["classifier", "train", "No filter"]);
        assert!(refused.contains("No filter"), "{refused}");
        let refused = gate.refused(&["classifier", "train", "10 Rough"]);
        assert!(refused.contains("cannot be trained"), "{refused}");

        let train = |more: &[&str]| {
            let job = gate.json(&[&["classifier", "train", "70 Sort"], more].concat())[0].clone();
            assert_eq!(job["status"], "done", "{job:#}");
            job["result"]["model"].clone()
        };
        let first = train(&[]);
        assert_eq!([&first["number"], &first["in_force"]], [&json!(1), &json!(true)], "{first:#}");
        assert_eq!(first["labels"]["queue"]["Billing"], json!({ "examples": 2, "given": 0 }), "{first:#}");
        assert!(first["trained_by"].as_str().unwrap().starts_with("command line ("), "{first:#}");
        assert_eq!(train(&[])["number"], 1, "the same tickets give the same model, which is not kept twice");

        file(gate, &["Billing invoice 3", "Support printer 3"]);
        let second = train(&[]);
        assert_eq!([&second["number"], &second["in_force"]], [&json!(2), &json!(false)], "{second:#}");
        let numbers = || {
            let models = gate.json(&["classifier", "models", "70 Sort"]);
            models.iter().map(|model| (model["number"].clone(), model["in_force"].clone())).collect::<Vec<_>>()
        };
        assert_eq!(numbers(), [(json!(2), json!(false)), (json!(1), json!(true))]);

        // By a daemon and over REST; who did it is a version of the filter.
        let daemon = gate.serve("warn");
        let [admin, author] = ["admin", "author"].map(|role| Rest::new(gate, &daemon, role));
        author.json("POST", "/filters/70%20Sort/models/2/use", &Value::Null, 403);
        admin.json("POST", "/filters/70%20Sort/models/2/use", &Value::Null, 200);
        assert_eq!(numbers(), [(json!(2), json!(true)), (json!(1), json!(false))]);
        let versions = admin.get("/filters/70%20Sort/versions");
        assert_eq!(versions["items"][0]["keys"], json!(["model"]), "{versions:#}");
        assert!(versions["items"][0]["actor"].as_str().unwrap().starts_with("token "), "{versions:#}");
        let job = admin.json("POST", "/filters/70%20Sort/train", &json!({ "use": true }), 202);
        let id = job["id"].to_string();
        until("the training ends", PATIENCE, || gate.json(&["job", "show", &id])[0]["status"] == "done");
        drop(daemon);

        // Back again; what is in force stays, and no configuration file has a model.
        gate.run(&["classifier", "use", "70 Sort", "1"]);
        let refused = gate.refused(&["classifier", "models", "70 Sort", "1", "--delete"]);
        assert!(refused.contains("in force"), "{refused}");
        gate.run(&["classifier", "models", "70 Sort", "2", "--delete"]);
        assert_eq!(numbers(), [(json!(1), json!(true))]);
        assert!(!gate.run(&["config", "export"]).contains("model"), "it is no part of a file");
    });
}
