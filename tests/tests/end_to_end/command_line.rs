//! The command line as admins and scripts use it.

use postigo_tests::gate::Gate;
use postigo_tests::postgres::Postgres;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::Stdio;

const CONFIGURATION: &str = r#"
[settings]
agents = ["anna"]

[[queue]]
name = "Support"
address = "support@desk.test"

[[system_address]]
address = "support@desk.test"
queue = "Support"

[[account]]
name = "main"
protocol = "imaps"
host = "mail.desk.test"
user = "support"
password = "pa55 w0rd of main"

[[customer_user]]
login = "jane"
email = "Jane@Customer.test"
customer_number = "ACME"

[[filter]]
name = "10 Invoices"
component = "match"
stop_after_match = true
[filter.settings]
when = [ { header = "Subject", matches = "invoice" } ]
set = [ { header = "X-OTOBO-Queue", value = "Misc" } ]
"#;

const MAIL: &[u8] = b"From: Jane <jane@customer.test>\r\nTo: support@desk.test\r\nSubject: A lamp \xff is broken\r\nMessage-ID: <1@customer.test>\r\n\r\nHelp.\r\n";

/// Writes a file beside the database.
fn file(gate: &Gate, name: &str, text: &str) -> String {
    let path = gate.folder().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn ingest(gate: &Gate, mail: &[u8]) -> Value {
    let mut command = gate.command();
    let mut child =
        command.args(["ingest", "--json", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(mail).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs a command that must fail: its exit status and what it says on standard error.
fn failure(gate: &Gate, arguments: &[&str]) -> (i32, String) {
    let output = gate.try_run(arguments);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn names(values: &[Value]) -> Vec<&str> {
    values.iter().filter_map(|value| value["name"].as_str()).collect()
}

fn applied_once_and_taken_back(gate: &Gate, other: &Gate) {
    let path = file(gate, "a.toml", CONFIGURATION);
    let first = &gate.json(&["config", "apply", &path])[0];
    assert_eq!(first["created"].as_array().unwrap().len(), 5, "{first}");
    assert_eq!(first["changed"], json!([{"kind": "settings", "name": ""}]));
    let second = &gate.json(&["config", "apply", &path])[0];
    assert_eq!(
        (&second["created"], &second["changed"], &second["version"]),
        (&json!([]), &json!([]), &first["version"])
    );

    let export = gate.run(&["config", "export"]);
    assert!(!export.contains("pa55"), "{export}");
    let path = file(gate, "export.toml", &export);
    let again = &gate.json(&["config", "apply", "--prune", &path])[0];
    assert_eq!(
        (&again["created"], &again["changed"], &again["removed"]),
        (&json!([]), &json!([]), &json!([])),
        "{export}"
    );

    // Where it is new, an account needs its password: an export has none.
    let (status, said) = failure(other, &["config", "apply", &path]);
    assert!(status == 1 && said.contains("key password (account \"main\"): must be given"), "{said}");
    let login = "user = \"support\"\n";
    let with_password = file(gate, "export.toml", &export.replace(login, &format!("{login}password = \"another\"\n")));
    other.run(&["config", "apply", &with_password]);
    assert_eq!(other.run(&["config", "export"]), export);
}

#[test]
fn a_file_is_applied_once_and_an_export_is_taken_back() {
    applied_once_and_taken_back(&Gate::new(), &Gate::new());
}

#[test]
fn a_file_is_applied_once_and_an_export_is_taken_back_on_postgresql() {
    let Some(server) = Postgres::start() else { return };
    let gate = Gate::on_postgres(&server.database(), None);
    applied_once_and_taken_back(&gate, &Gate::on_postgres(&server.database(), None));
}

#[test]
fn mistakes_are_named_with_their_places_and_nothing_is_changed() {
    let gate = Gate::new();
    let text =
        CONFIGURATION.replace("\"invoice\"", "\"invoice (\"").replace("queue = \"Support\"\n", "queue = \"Sales\"\n");
    let path = file(&gate, "bad.toml", &text);
    for command in ["apply", "check"] {
        let (status, said) = failure(&gate, &["config", command, &path]);
        assert_eq!(status, 1);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 2, "{said}");
        assert!(
            lines[0].starts_with(&format!("{path}:11: key queue (system address \"support@desk.test\"): ")),
            "{said}"
        );
        assert!(
            lines[1].starts_with(&format!("{path}:30: key settings.when[0].matches (filter \"10 Invoices\"): ")),
            "{said}"
        );
    }
    assert_eq!(names(&gate.json(&["queue", "list"])), ["Junk", "Misc", "Postmaster", "Raw"]);
    assert_eq!(failure(&gate, &["config", "apply", "missing.toml"]).0, 1);
    assert_eq!(failure(&gate, &["config", "burn"]).0, 2);
}

#[test]
fn secrets_are_sealed_and_never_shown() {
    let gate = Gate::new();
    gate.configure(CONFIGURATION);
    let shown = [vec!["config", "export"], vec!["account", "list", "--json"], vec!["config", "export", "--json"]];
    for command in shown {
        assert!(!gate.run(&command).contains("pa55"), "{command:?}");
    }
    for entry in std::fs::read_dir(gate.folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            assert!(!std::fs::read(&path).unwrap().windows(4).any(|window| window == b"pa55"), "{}", path.display());
        }
    }
    // A key that is gone is not made anew; how to make another, if it is lost, is said.
    std::fs::remove_file(gate.folder().join("key")).unwrap();
    let (status, said) = failure(&gate, &["queue", "list"]);
    let make = said.split_once("make another (").and_then(|(_, rest)| rest.split_once(')')).map(|(make, _)| make);
    let made = std::process::Command::new("sh").args(["-c", make.unwrap_or_default()]).status().unwrap();
    assert!(status == 1 && made.success(), "{said}");
    // With another key the password is not opened, and the error says what to do.
    let (status, said) = failure(&gate, &["queue", "list"]);
    assert!(status == 1 && said.contains("account \"main\", password") && said.contains("--key"), "{said}");
    // Where the key is lost, the secret is set again.
    let (status, said) = failure(&gate, &["config", "apply", &file(&gate, "a.toml", "[[account]]\nname = \"main\"\n")]);
    assert!(status == 1 && said.contains("a.toml:1: key password (account \"main\")"), "{said}");
    gate.configure(CONFIGURATION);
    assert_eq!(gate.json(&["account", "list"]).len(), 2);
}

#[test]
fn filters_are_listed_disabled_enabled_and_deleted() {
    let gate = Gate::new();
    gate.configure(CONFIGURATION);
    gate.configure(&CONFIGURATION[CONFIGURATION.find("[[filter]]").unwrap()..].replace("10 Invoices", "9 Later"));
    let listed = gate.json(&["filter", "list"]);
    assert_eq!(names(&listed), ["10 Invoices", "9 Later"], "byte order");
    assert_eq!(
        (&listed[0]["order"], &listed[0]["stop_after_match"], &listed[0]["valid"]),
        (&json!(1), &json!(true), &json!(true))
    );
    gate.run(&["filter", "disable", "9 Later"]);
    assert_eq!(gate.json(&["filter", "show", "9 Later"])[0]["valid"], json!(false));
    gate.run(&["filter", "enable", "9 Later"]);
    assert_eq!(gate.json(&["filter", "show", "9 Later"])[0]["valid"], json!(true));
    gate.run(&["filter", "delete", "9 Later"]);
    assert_eq!(names(&gate.json(&["filter", "list", "--limit", "5"])), ["10 Invoices"]);
    let (status, said) = failure(&gate, &["filter", "disable", "9 Later"]);
    assert!(status == 1 && said.contains("There is no filter \"9 Later\""), "{said}");
}

#[test]
fn pruning_spares_what_the_file_names_and_an_address_in_use() {
    let gate = Gate::new();
    gate.configure(CONFIGURATION);
    let (status, said) = failure(&gate, &["config", "apply", "--prune", &file(&gate, "empty.toml", "")]);
    assert!(status == 1 && said.contains("the queue \"Support\" sends from it"), "{said}");
    assert_eq!(names(&gate.json(&["filter", "list"])), ["10 Invoices"], "nothing was changed");
    let pruned =
        &gate.json(&["config", "apply", "--prune", &file(&gate, "queue.toml", "[[queue]]\nname = \"Support\"\n")])[0];
    assert_eq!(names(pruned["removed"].as_array().unwrap()), ["10 Invoices"]);
    assert_eq!(names(pruned["changed"].as_array().unwrap()), ["Support", "support@desk.test", "main"]);
}

#[test]
fn what_was_filed_is_shown_and_changed() {
    let gate = Gate::new();
    gate.configure(CONFIGURATION);
    let filed = ingest(&gate, MAIL);
    let number = filed["ticket_number"].as_str().unwrap();
    assert_eq!(filed["customer_user"], "jane");
    let second = ingest(&gate, b"From: x@customer.test\r\nSubject: another\r\n\r\n");
    let second = second["ticket_number"].as_str().unwrap();

    let ticket = &gate.json(&["ticket", "show", number])[0];
    assert_eq!(ticket["queue"], "Support");
    let article = &ticket["articles"][0];
    assert_eq!(
        (&article["from"], &article["message_id"]),
        (&json!("Jane <jane@customer.test>"), &json!("<1@customer.test>"))
    );
    let raw = gate.try_run(["article", "show", &article["id"].to_string(), "--raw"]).stdout;
    assert_eq!(raw, MAIL, "the received bytes, unchanged");

    let changed = &gate
        .json(&["ticket", "update", number, "--queue", "Junk", "--owner", "anna", "--lock", "lock", "--state", "open"])
        [0];
    assert_eq!(
        (&changed["queue"], &changed["owner"], &changed["lock"], &changed["state"]),
        (&json!("Junk"), &json!("anna"), &json!("lock"), &json!("open"))
    );
    let (status, said) = failure(&gate, &["ticket", "update", number, "--queue", "Nowhere", "--state", "Open"]);
    assert!(status == 1 && said.contains("\"Nowhere\"") && said.contains("\"Open\""), "{said}");
    assert_eq!(failure(&gate, &["ticket", "update", number]).0, 2, "nothing to change");
    gate.run(&["ticket", "update", second, "--merge-into", number]);
    let merged = &gate.json(&["ticket", "show", second])[0];
    assert_eq!((&merged["state"], &merged["merged_into"]), (&json!("merged"), &json!(number)));
    assert_eq!(failure(&gate, &["ticket", "show", "1"]).0, 1);

    let id = filed["communication"].as_str().unwrap();
    let shown = &gate.json(&["log", "show", id])[0];
    assert!(shown["entries"].as_array().is_some_and(|entries| !entries.is_empty()), "{shown}");
    assert!(shown["started_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(gate.json(&["log", "list", "--search", "lamp", "--limit", "1"]).len(), 1);
    assert_eq!(gate.json(&["log", "list", "--until", "2020-01-01"]).len(), 0);
    assert_eq!(gate.json(&["log", "overview"])[0]["active"], json!(0));
    assert_eq!(failure(&gate, &["log", "list", "--since", "yesterday"]).0, 2);
    assert_eq!(failure(&gate, &["log", "list", "--priority", "loud"]).0, 2);
}

#[test]
fn components_are_uploaded_once_and_refused_with_the_reason() {
    let gate = Gate::new();
    let (status, said) = failure(&gate, &["filter", "upload", &file(&gate, "no.wasm", "not wasm")]);
    assert!(status == 1 && said.contains("no.wasm is not taken"), "{said}");
    let listed = gate.json(&["filter", "components"]);
    assert_eq!(names(&listed), ["auto-reply-guard", "classifier", "match", "ticket-number"]);
    assert!(listed.iter().all(|component| component["shipped"] == json!(true)));
}

#[test]
fn a_held_message_is_released_and_filed_without_a_daemon() {
    let gate = Gate::new();
    let rule =
        "when = [ { header = \"Body\", matches = \"x\" } ]\nset = [ { header = \"X-OTOBO-Queue\", value = \"Misc\" } ]";
    gate.configure(&format!(
        "[[filter]]\nname = \"nosy\"\ncomponent = \"match\"\ngrants = []\non_failure = \"hold\"\n[filter.settings]\n{rule}\n"
    ));
    let path = gate.folder().join("mail.eml");
    std::fs::write(&path, postigo_tests::mails::mail(1)).unwrap();
    let held = gate.json(&["ingest", path.to_str().unwrap()]);
    assert_eq!(
        (held[0]["status"].as_str(), held[0]["filters"][0]["error"]["kind"].as_str()),
        (Some("held"), Some("denied"))
    );
    assert!(gate.titles().is_empty());
    gate.run(&["filter", "disable", "nosy"]);
    let waiting = gate.json(&["spool", "list", "--status", "held"]);
    gate.run(&["spool", "release", &waiting[0]["id"].to_string()]);
    assert_eq!(gate.titles(), [postigo_tests::mails::subject(1)]);
}

#[test]
fn templates_and_automatic_answers_are_set_key_by_key_and_deleted() {
    let gate = Gate::new();
    gate.configure(CONFIGURATION);
    let text = file(&gate, "receipt.txt", "Dear <OTOBO_CUSTOMER_REALNAME>,\nthank you.\n");
    let (status, said) = failure(&gate, &["auto-response", "set", "Receipt", "--subject", "Thanks"]);
    assert!(status == 1 && said.contains("auto response \"Receipt\"") && said.contains("`queue` is missing"), "{said}");
    let set = ["auto-response", "set", "Receipt", "--queue", "Support", "--subject", "Thanks", "--body-file", &text];
    let answer = &gate.json(&set)[0];
    assert_eq!(
        (&answer["type"], &answer["body"]),
        (&json!("reply"), &json!("Dear <OTOBO_CUSTOMER_REALNAME>,\nthank you.\n"))
    );
    let answer = &gate.json(&["auto-response", "set", "Receipt", "--type", "follow-up", "--language", "de"])[0];
    assert_eq!(
        (&answer["type"], &answer["language"], &answer["subject"]),
        (&json!("follow-up"), &json!("de"), &json!("Thanks"))
    );
    let (status, said) = failure(&gate, &["auto-response", "set", "Receipt", "--queue", "Nowhere"]);
    assert!(status == 1 && said.contains("there is no queue \"Nowhere\""), "{said}");
    let (status, said) = failure(&gate, &["auto-response", "set", "Receipt", "--type", "sometimes"]);
    assert!(status == 1 && said.contains("key type"), "{said}");
    assert_eq!(failure(&gate, &["auto-response", "set", "Receipt"]).0, 2, "nothing to set");
    for misused in [
        &["template", "set", "Hours", "--valid", "bogus"][..],
        &["template", "set", "Hours", "--language", "de"],
        &["template", "set", "Hours", "--queue", "Misc", "--all-queues"],
        &["auto-response", "set", "Receipt", "--queue", "Support", "--queue", "Misc"],
        &["auto-response", "set", "Receipt", "--all-queues"],
        &["auto-response", "set", "Receipt", "--valid", "false"],
        &["auto-response", "set", "Receipt", "--comment", "x"],
    ] {
        assert_eq!(failure(&gate, misused).0, 2, "{misused:?}");
    }
    assert_eq!(gate.json(&["auto-response", "show", "Receipt"])[0], *answer, "what is wrong changes nothing");
    assert!(
        gate.run(&["auto-response", "show", "Receipt"]).ends_with("\nDear <OTOBO_CUSTOMER_REALNAME>,\nthank you.\n")
    );

    let mut command = gate.command();
    let set = ["template", "set", "Hours", "--queue", "Support", "--queue", "Misc", "--body-file", "-", "--json"];
    let mut child = command.args(set).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all("Nine to fünf.".as_bytes()).unwrap();
    let template: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!((&template["queues"], &template["body"]), (&json!(["Support", "Misc"]), &json!("Nine to fünf.")));
    let template = &gate.json(&["template", "set", "Hours", "--all-queues"])[0];
    assert_eq!((&template["queues"], &template["valid"]), (&json!([]), &json!(true)));
    let template = &gate.json(&["template", "set", "Hours", "--valid", "false"])[0];
    assert_eq!(
        (&template["queues"], &template["valid"], &template["body"]),
        (&json!([]), &json!(false), &json!("Nine to fünf."))
    );
    std::fs::write(gate.folder().join("latin1.txt"), b"F\xfcnf").unwrap();
    let (status, said) = failure(
        &gate,
        &["template", "set", "Hours", "--body-file", gate.folder().join("latin1.txt").to_str().unwrap()],
    );
    assert!(status == 1 && said.contains("no text in UTF-8"), "{said}");
    assert_eq!(names(&gate.json(&["template", "list"])), ["Hours"]);
    gate.run(&["template", "delete", "Hours"]);
    gate.run(&["auto-response", "delete", "Receipt"]);
    assert!(gate.json(&["template", "list"]).is_empty() && gate.json(&["auto-response", "list"]).is_empty());
    let (status, said) = failure(&gate, &["template", "delete", "Hours"]);
    assert!(status == 1 && said.contains("There is no template \"Hours\"; `postigo template list` shows"), "{said}");
}

#[test]
fn every_kind_is_set_listed_shown_and_deleted_by_the_keys_of_the_file() {
    let gate = Gate::new();
    let first = |words: &[&str]| gate.json(words).remove(0);
    let queue = first(&["queue", "set", "Support", "follow_up=new-ticket", "comment=second, third"]);
    assert_eq!(
        (&queue["follow_up"], &queue["comment"], &queue["valid"]),
        (&json!("new-ticket"), &json!("second, third"), &json!(true))
    );
    first(&["address", "set", "support@desk.test", "queue=Support", "display_name=Desk"]);
    let address = first(&["address", "set", "SUPPORT@desk.test", "comment=same", "address=Support@Desk.Test"]);
    assert_eq!(address["address"], json!("support@desk.test"), "its spelling stays");
    let queue =
        first(&["queue", "set", "Support", "address=Support@Desk.test", "valid=temporarily-invalid", "comment="]);
    assert_eq!(
        (&queue["follow_up"], &queue["valid"], &queue["comment"]),
        (&json!("new-ticket"), &json!("temporarily-invalid"), &json!(""))
    );
    assert_eq!(names(&gate.json(&["queue", "list", "--search", "DESK.test"])), ["Support"]);
    assert_eq!(gate.json(&["address", "list", "--limit", "1"])[0]["address"], json!("support@desk.test"));
    let (status, said) = failure(&gate, &["queue", "delete", "Support"]);
    assert!(status == 1 && said.contains("postigo queue set \"Support\" valid=false"), "{said}");

    let stderr = |name: &str| String::from_utf8(gate.try_run(["queue", "set", name, "comment=x"]).stderr).unwrap();
    assert!(stderr("Sales").contains("\"Sales\" is new"));
    assert!(stderr("Support").contains("\"Support\" was there"));
    first(&["queue", "set", "Support", "comment="]);

    let secret = file(&gate, "password", "pa55 w0rd\n");
    let password = format!("password={{ file = {secret:?} }}");
    let words = [
        "account",
        "set",
        "main",
        "protocol=imaps",
        "host=mail.desk.test",
        "user=support",
        &password,
        "tls.verify=false",
        "port=994",
    ];
    let account =
        first(&[&words[..], &["networks=::1,10.0.0.0/8", "oauth2.provider=google", "oauth2.client_id=x"]].concat());
    assert_eq!(
        (&account["tls"]["verify"], &account["port"], &account["networks"][1]),
        (&json!(false), &json!(994), &json!("10.0.0.0/8"))
    );
    assert!(!account.to_string().contains("pa55"), "{account}");
    let account = first(&["account", "set", "main", "oauth2=", "interval=5m"]);
    assert_eq!(
        (&account["oauth2"], &account["tls"]["verify"], &account["interval"]),
        (&Value::Null, &json!(false), &json!("5m"))
    );
    let (status, said) = failure(&gate, &["account", "set", "main", "host=elsewhere.test"]);
    assert!(status == 1 && said.contains("key password: must be given again"), "the secret went in: {said}");
    first(&["transport", "set", "other", "kind=smtp", "host=a.test", "user=support", &password]);
    assert_eq!(failure(&gate, &["transport", "set", "other", "host=b.test", "user="]).0, 1);
    first(&["transport", "set", "other", "user=", "password="]);
    first(&["transport", "set", "other", "host=b.test", "user=support"]);
    gate.run(&["transport", "delete", "other"]);
    let (status, said) = failure(&gate, &["queue", "set", "Support", "follow_up=maybe", "address=nobody@desk.test"]);
    for told in ["key follow_up", "key address"] {
        assert!(status == 1 && said.contains(told), "mistakes of form and of rules are told together: {said}");
    }
    let (status, said) = failure(
        &gate,
        &["account", "set", "main", "port=many", "tls.verify=maybe", "colour=red", "networks=[", "interval=5"],
    );
    for told in [
        "key port: must be a port",
        "key tls.verify: must be true or false",
        "there is no key `colour` here; the keys are name, protocol",
    ] {
        assert!(status == 1 && said.contains(told), "{told} is missing in {said}");
    }
    assert!(
        said.lines().count() == 5
            && said.contains("key networks: ")
            && said.contains("key interval: must be a duration"),
        "{said}"
    );
    assert_eq!(failure(&gate, &["account", "set", "main", "port"]).0, 2);
    assert_eq!(gate.json(&["account", "show", "main"])[0], account, "what is wrong changes nothing");

    first(&["transport", "set", "relay", "kind=smtp", "host=localhost", "for=Support,support@desk.test"]);
    assert_eq!(gate.json(&["transport", "show", "relay"])[0]["for"], json!(["Support", "support@desk.test"]));
    assert_eq!(first(&["field", "set", "Contract"])["multiple"], json!(false), "a new thing has its defaults");
    let filter = [
        "filter",
        "set",
        "10 Invoices",
        "component=match",
        "settings.when=[ { header = \"Subject\", matches = \"invoice\" } ]",
    ];
    let filter =
        first(&[&filter[..], &["settings.set=[{\"header\": \"X-OTOBO-Queue\", \"value\": \"Misc\"}]"]].concat());
    assert_eq!(filter["settings"]["when"][0]["matches"], json!("invoice"));
    let filter = first(&["filter", "set", "10 Invoices", "limits.time=100ms", "grants=body"]);
    assert_eq!((&filter["limits"]["time"], &filter["settings"]["set"][0]["value"]), (&json!("100ms"), &json!("Misc")));

    let customer = first(&["customer", "set", "jane", "email=jane@customer.test", "first_name=Jane"]);
    assert_eq!((&customer["first_name"], &customer["language"]), (&json!("Jane"), &json!("")));
    assert_eq!(first(&["customer", "set", "jane", "last_name=Roe"])["first_name"], json!("Jane"));
    assert_eq!(gate.json(&["customer", "list", "--search", "roe"]).len(), 1);
    assert!(gate.json(&["customer", "list", "--search", "doe"]).is_empty());
    let (status, said) = failure(&gate, &["customer", "set", "joe", "colour=red"]);
    assert!(status == 1 && said.contains("`email` is missing") && said.contains("no key `colour`"), "{said}");

    let text = file(&gate, "receipt.txt", "Thank\nyou.\n");
    let literal = format!("body={{ file = {text:?} }}");
    let receipt = first(&["response", "set", "Receipt", "queue=Support", "subject=Thanks", &literal]);
    assert_eq!(receipt["body"], json!(literal.trim_start_matches("body=")), "a text names no file");
    let named = format!("body={text}");
    assert_eq!(first(&["response", "set", "Receipt", "--file", &named])["body"], json!("Thank\nyou.\n"));
    assert_eq!(gate.json(&["auto-response", "show", "Receipt"]), gate.json(&["response", "show", "Receipt"]));
    for (kind, name) in [
        ("response", "Receipt"),
        ("field", "Contract"),
        ("transport", "relay"),
        ("filter", "10 Invoices"),
        ("customer", "jane"),
    ] {
        gate.run(&[kind, "delete", name]);
        let (status, said) = failure(&gate, &[kind, "show", name]);
        assert!(status == 1 && said.contains(&format!("`postigo {kind} list`")), "{said}");
    }
    // What was set is what a file would have.
    assert!(gate.run(&["config", "export"]).contains("[[queue]]\nname = \"Support\"\nfollow_up = \"new-ticket\""));
}

#[test]
fn every_key_is_told_of() {
    let gate = Gate::new();
    let queue = gate.json(&["config", "keys", "queue"]);
    let key = queue.iter().find(|key| key["key"] == "follow_up").unwrap();
    assert_eq!((&key["default"], &key["values"]), (&json!("possible"), &json!("`possible`, `reject`, `new-ticket`")));
    assert!(
        gate.run(&["config", "keys"])
            .contains("account.tls.verify\n    Whether the server's certificate is checked.\n")
    );
    assert!(gate.run(&["queue", "set", "--help"]).contains("follow_up_lock\n"));
    let (status, said) = failure(&gate, &["config", "keys", "queues"]);
    assert!(status == 1 && said.contains("the tables are settings, queue, system_address"), "{said}");
}

#[test]
fn several_files_are_one_and_what_makes_no_sense_is_warned_of() {
    let gate = Gate::new();
    let queues = file(&gate, "queues.toml", "[[queue]]\nname = \"Support\"\n");
    let account = |more: &str| {
        format!(
            "[[account]]\nname = \"main\"\nprotocol = \"imap\"\nhost = \"mail.desk.test\"\nuser = \"u\"\npassword = \"p\"\n{more}"
        )
    };
    let accounts = file(&gate, "accounts.toml", &account("dispatch = \"queue:Support\"\ntls = { ca = \"ca.pem\" }\n"));
    // By itself the second names a queue that is not there.
    let (status, said) = failure(&gate, &["config", "check", &accounts]);
    assert!(status == 1 && said.contains(&format!("{accounts}:7: key dispatch")), "{said}");
    let output = gate.try_run(["config", "apply", &queues, &accounts]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let ca = gate.folder().join("ca.pem");
    for told in [format!("warning: {accounts}:3: key protocol"), format!("warning: {accounts}:8: key tls.ca")] {
        assert!(said.contains(&told), "{told} is missing: {said}");
    }
    assert!(said.contains(ca.to_str().unwrap()), "relative to the file: {said}");
    std::fs::write(&ca, "").unwrap();
    assert_eq!(gate.json(&["account", "show", "main"])[0]["tls"]["ca"], json!(ca.to_str().unwrap()));
    let again = &gate.json(&["config", "apply", &accounts, &queues])[0];
    assert_eq!((&again["changed"], &again["warnings"]), (&json!([]), &json!([])), "{again}");
    // So is what is set key by key.
    let output = gate.try_run(["account", "set", "main", "protocol=imap+starttls", "port=993", "password=p"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("\nwarning: account \"main\", key port: "), "{said}");
    let set = &gate.json(&["account", "set", "main", "port=995", "password=p"])[0];
    assert!(set["warnings"][0].as_str().unwrap().contains("key port"), "{set}");
    let set = &gate.json(&["account", "set", "main", "port=143", "password=p"])[0];
    assert_eq!(set.get("warnings"), None, "{set}");
    // A thing is in one of them.
    let (status, said) =
        failure(&gate, &["config", "apply", &queues, &accounts, &queues.replace("queues", "./queues")]);
    assert!(status == 1 && said.contains("is in") && said.contains("already"), "{said}");
}

#[test]
fn a_name_that_does_not_exist_is_an_error_and_a_list_that_is_cut_says_so() {
    let gate = Gate::new();
    gate.configure(CONFIGURATION);
    let mail =
        file(&gate, "a.eml", std::str::from_utf8(b"From: a@x.test\r\nSubject: invoice\r\n\r\nHello\r\n").unwrap());
    gate.run(&["ingest", &mail]);
    for (arguments, names) in [
        (&["ticket", "list", "--queue", "Suport"][..], "There is no queue \"Suport\""),
        (&["ticket", "list", "--state", "opened"], "There is no state \"opened\""),
        (&["ticket", "list", "--owner", "bob"], "There is no agent \"bob\""),
        (&["spool", "list", "--account", "mian"], "There is no account \"mian\""),
        (&["log", "list", "--account", "mian"], "There is no account or transport \"mian\""),
        (&["log", "list", "--parent", "0193"], "There is no communication \"0193\""),
    ] {
        let (status, said) = failure(&gate, arguments);
        assert!(status == 1 && said.contains(names), "{arguments:?}: {said}");
    }
    // What exists and has nothing is an empty list, and no more.
    assert_eq!(gate.json(&["ticket", "list", "--queue", "Support"]), [Value::Null; 0]);
    assert_eq!(gate.json(&["spool", "list", "--account", "main"]), [Value::Null; 0]);
    let message = gate.json(&["log", "list"]).remove(0)["id"].as_str().unwrap().to_owned();
    assert_eq!(gate.json(&["log", "list", "--parent", &message]), [Value::Null; 0]);
    let said = |arguments: &[&str]| String::from_utf8(gate.try_run(arguments).stderr).unwrap();
    assert!(said(&["queue", "list", "--limit", "2"]).contains("There are more than these 2"));
    assert_eq!(said(&["queue", "list", "--limit", "5"]), "", "all five are shown");
    // Times are the admin's.
    let listed = |zone: &str, more: &[&str]| {
        let output =
            gate.command().env("TZ", zone).args([&["spool", "list", "--status", "filed"], more].concat()).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    assert!(listed("IST-5:30", &[]).contains("+05:30"), "{}", listed("IST-5:30", &[]));
    assert!(!listed("IST-5:30", &["--utc"]).contains("+05:30"));
    assert!(listed("IST-5:30", &["--json"]).contains("Z\""));
    let new = gate.folder().join("new");
    let mut command = std::process::Command::new(postigo_tests::gate::binary());
    let output = command.args(["--data", new.to_str().unwrap(), "queue", "list"]).output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("does not exist yet"));
    // A dry run says why.
    let tried = gate.run(&["filter", "test", "10 Invoices", &mail]);
    assert!(tried.contains("because Subject \"invoice\" matches \"invoice\": holds"), "{tried}");
}
