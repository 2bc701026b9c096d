//! What follows from a classifier's answers is the admin's to say: how far it goes, from which confidence on, and what it
//! may never do. The classifier here is a guest that is told its answers by the mail.

use super::authors::guests;
use postigo_skipped::skipped;
use postigo_tests::gate::Gate;
use serde_json::{Value, json};

/// A gate with the classifier `labels`, and queues and fields for what follows; none where the guests are not built.
fn gate() -> Option<Gate> {
    let component = guests().join("labels.wasm");
    if !component.exists() {
        skipped("the guests are not built (make guests)");
        return None;
    }
    let gate = Gate::new();
    gate.run(&["component", "upload", &component.display().to_string()]);
    gate.run(&["component", "activate", "labels@1.0.0"]);
    gate.configure(
        r#"
        [[queue]]
        name = "Billing"
        [[queue]]
        name = "Help"
        [[dynamic_field]]
        name = "GuessedQueue"
        [[dynamic_field]]
        name = "GuessedSurely"
        "#,
    );
    Some(gate)
}

/// A file with one filter of the classifier; `keys` of the filter and of its answer.
fn sorting(keys: &str, answer: &str) -> String {
    format!(
        r#"
        [[filter]]
        name = "50 Sort"
        component = "labels"
        {keys}
        [[filter.answer]]
        question = "queue"
        header = "X-OTOBO-Queue"
        {answer}
        [filter.settings]
        questions = {{ queue = ["Billing", "Support", "Gone"] }}
        "#
    )
}

/// Takes in a mail with these header lines: its result.
fn take_in(gate: &Gate, number: usize, headers: &str) -> Value {
    let path = gate.folder().join(format!("{number}.eml"));
    let mail = format!(
        "From: jane@example.com\nSubject: Mail {number}\nMessage-ID: <{number}@example.com>\n{headers}\n\nText.\n"
    );
    std::fs::write(&path, mail).unwrap();
    gate.json(&["ingest", &path.display().to_string()]).remove(0)
}

fn outcome(result: &Value) -> &Value {
    &result["filters"][0]["answers"][0]["consequences"][0]["outcome"]
}

/// What the log says of the filter, and whether it is found by the filter's name.
fn logged(gate: &Gate, result: &Value) -> String {
    let shown = gate.run(&["log", "show", result["communication"].as_str().unwrap()]);
    let found = gate.run(&["log", "list", "--filter", "50 Sort", "--json"]);
    assert!(found.contains(result["communication"].as_str().unwrap()), "{found}");
    shown
}

#[test]
fn a_classifier_goes_as_far_as_its_mode_says() {
    let Some(gate) = gate() else { return };
    let fields = "guess_field = \"GuessedQueue\"\nconfidence_field = \"GuessedSurely\"";

    gate.configure(&sorting("mode = \"shadow\"\nstop_after_match = true", fields));
    let shadow = take_in(&gate, 1, "X-Guess: Billing 0.95");
    assert_eq!(
        (&shadow["queue"], &shadow["filters"][0]["outcome"]),
        (&json!("Raw"), &json!("not-matched")),
        "{shadow}"
    );
    let answer = &shadow["filters"][0]["answers"][0];
    assert_eq!(
        (&answer["question"], &answer["label"], &answer["confidence"], &answer["acted"]),
        (&json!("queue"), &json!("Billing"), &json!(0.95), &json!(false))
    );
    assert_eq!(outcome(&shadow), "would-set");
    let told = logged(&gate, &shadow);
    assert!(told.contains("X-OTOBO-Queue would be set to \"Billing\" (threshold 0.9)"), "{told}");

    gate.configure(&sorting("mode = \"suggest\"\nstop_after_match = true\nevidence = 1", fields));
    let suggest = take_in(&gate, 2, "X-Guess: Billing 0.95");
    assert_eq!((&suggest["queue"], &suggest["filters"][0]["stopped"]), (&json!("Raw"), &json!(false)), "{suggest}");
    assert_eq!(suggest["dynamic_fields"], json!({ "GuessedQueue": ["Billing"], "GuessedSurely": ["0.95"] }));
    assert_eq!(suggest["filters"][0]["answers"][0]["evidence"][0]["text"], "Billing 0.95");

    gate.configure(&sorting(
        "mode = \"act\"\nstop_after_match = true",
        "values = { Support = \"Help\" }\nthreshold = { default = 0.9, Support = 0.97 }",
    ));
    let act = take_in(&gate, 3, "X-Guess: Billing 0.9");
    assert_eq!((&act["queue"], &act["queue_by"]), (&json!("Billing"), &json!("filter:50 Sort")), "{act}");
    assert_eq!(
        (&act["filters"][0]["stopped"], &act["filters"][0]["answers"][0]["acted"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(take_in(&gate, 4, "X-Guess: Support 0.97")["queue"], "Help");
    for (number, guess, expected) in
        [(5, "Support 0.96", "below-threshold"), (6, "Gone 1", "leads-nowhere"), (7, "nothing 1", "no-guess")]
    {
        let result = take_in(&gate, number, &format!("X-Guess: {guess}"));
        assert_eq!((outcome(&result), &result["queue"]), (&json!(expected), &json!("Raw")), "{result}");
    }

    // What was answered is told later, from what was stored.
    let why = gate.json(&["classifier", "why", suggest["ticket_number"].as_str().unwrap()]).remove(0);
    let answered = &why["mails"][0]["filters"][0];
    assert_eq!(answered["answers"], suggest["filters"][0]["answers"], "{why}");
    assert_eq!(answered["version"]["component"], "labels");
    let words = gate.run(&["classifier", "why", act["ticket_number"].as_str().unwrap()]);
    assert!(words.contains("queue: \"Billing\", confidence 0.9. X-OTOBO-Queue is set to \"Billing\""), "{words}");

    // A dry run shows the same, and changes nothing.
    let tried = gate.run(&["filter", "test", "50 Sort", &gate.folder().join("5.eml").display().to_string()]);
    assert!(tried.contains("confidence 0.96") && tried.contains("the threshold is 0.97"), "{tried}");
}

#[test]
fn follow_ups_and_failures_are_as_the_filter_says() {
    let Some(gate) = gate() else { return };
    gate.configure(&sorting("mode = \"act\"\non_failure = \"hold\"", ""));
    let first = take_in(&gate, 1, "X-Guess: Billing 1");
    let reply =
        |number: usize, headers: &str| take_in(&gate, number, &format!("In-Reply-To: <1@example.com>\n{headers}"));
    let follow_up = reply(2, "X-Break: 1");
    assert_eq!((&follow_up["status"], &follow_up["follow_up"]), (&json!("filed"), &json!(true)), "{follow_up}");
    assert_eq!(
        (&follow_up["ticket_number"], &follow_up["filters"][0]["outcome"]),
        (&first["ticket_number"], &json!("not-matched"))
    );
    let broken = take_in(&gate, 3, "X-Break: 1");
    assert_eq!((&broken["status"], &broken["filters"][0]["outcome"]), (&json!("held"), &json!("failed")), "{broken}");
    gate.run(&["filter", "set", "50 Sort", "follow_ups=true", "on_failure=skip"]);
    let asked = reply(4, "X-Guess: Support 1");
    assert_eq!(asked["filters"][0]["answers"][0]["label"], "Support", "{asked}");
}

#[test]
fn what_ends_a_mails_way_is_an_admins_to_grant_and_mistakes_are_told_beforehand() {
    let Some(gate) = gate() else { return };
    let refused = |keys: &str, answer: &str| {
        let path = gate.folder().join("refused.toml");
        std::fs::write(&path, sorting(keys, answer)).unwrap();
        gate.refused(&["config", "apply", &path.display().to_string()])
    };
    let told = refused("mode = \"act\"", "guess_field = \"Nowhere\"");
    assert!(told.contains("there is no dynamic field \"Nowhere\""), "{told}");
    let told = refused("mode = \"act\"", "threshold = 2");
    assert!(told.contains("threshold") && told.contains("from 0 to 1"), "{told}");
    let told =
        gate.refused(&["filter", "set", "10 Match", "component=match", "mode=act", "settings={ when = [], set = [] }"]);
    assert!(told.contains("is no classifier"), "{told}");

    // Labels that lead nowhere are told when the filter is saved, and shown beside it.
    let path = gate.folder().join("warned.toml");
    std::fs::write(&path, sorting("mode = \"act\"", "")).unwrap();
    let output = gate.try_run(["config", "check", &path.display().to_string()]);
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && told.contains("\"Gone\": there is no queue \"Gone\" in use"), "{told}");
    gate.configure(&sorting("mode = \"act\"", ""));
    let shown = gate.run(&["filter", "show", "50 Sort"]);
    assert!(shown.contains("\"Gone\": nothing: there is no queue \"Gone\" in use"), "{shown}");

    // To end a mail's way an admin grants it, whatever leads there.
    let ignoring = r#"answer=[{ question = "queue", header = "X-OTOBO-Ignore", values = { Billing = "yes" } }]"#;
    let told = gate.refused(&["filter", "set", "50 Sort", ignoring]);
    assert!(told.contains("\"final\" to the filter's grants"), "{told}");
    gate.run(&["filter", "set", "50 Sort", ignoring, "grants=final"]);
    assert_eq!(take_in(&gate, 1, "X-Guess: Billing 1")["status"], "ignored");

    // The configuration is written as a file that makes the same again.
    let exported = gate.run(&["config", "export"]);
    let path = gate.folder().join("exported.toml");
    std::fs::write(&path, &exported).unwrap();
    let applied = gate.json(&["config", "apply", &path.display().to_string()]).remove(0);
    assert_eq!((&applied["changed"], &applied["created"]), (&json!([]), &json!([])), "{exported}");
    assert!(exported.contains("X-OTOBO-Ignore"), "{exported}");
}
