//! The command line and REST: the same things are shown the same way, and the same is refused.

use crate::rest::Rest;
use postigo_tests::gate::Gate;
use postigo_tests::mails;
use serde_json::{Value, json};

/// What a command is refused with.
fn refusal(gate: &Gate, arguments: &[&str]) -> String {
    let output = gate.try_run(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn what_was_filed_logged_and_sent_is_shown_alike() {
    let gate = Gate::new();
    gate.configure(
        "[settings]\nagents = [\"anna\"]\n[[system_address]]\naddress = \"desk@example.org\"\nqueue = \"Raw\"\n\
         [[queue]]\nname = \"Raw\"\naddress = \"desk@example.org\"\n",
    );
    let path = gate.folder().join("mail.eml");
    std::fs::write(&path, mails::mail(1)).unwrap();
    let filed = gate.json(&["ingest", path.to_str().unwrap()]).remove(0);
    let (number, communication) = (filed["ticket_number"].as_str().unwrap(), filed["communication"].as_str().unwrap());
    let sent = gate
        .json(&["ticket", "mail", number, "--to", "jane@example.com", "--body-file", path.to_str().unwrap()])
        .remove(0);
    let outgoing = sent["outgoing_id"].to_string();
    let daemon = gate.serve("warn");
    let rest = Rest::new(&gate, &daemon, "admin");
    for (command, path) in [
        (&["spool", "list", "--status", "filed"][..], "/spool?status=filed"),
        (&["outbound", "list"], "/outbound"),
        (&["log", "list", "--direction", "incoming"], "/communications?direction=incoming"),
        (&["ticket", "list"], "/tickets"),
        (&["component", "list"], "/components"),
    ] {
        let listed = gate.json(command);
        assert!(!listed.is_empty(), "{command:?}");
        assert_eq!(Value::Array(listed), rest.get(path)["items"], "{command:?}");
    }
    let log = format!("/communications/{communication}");
    for (command, path) in [
        (&["spool", "show", "1"][..], "/spool/1"),
        (&["outbound", "show", &outgoing], &format!("/outbound/{outgoing}")),
        (&["log", "show", communication], &log),
        (&["log", "show", communication, "--priority", "warning"], &format!("{log}?priority=warning")),
        (&["log", "overview", "--until", "2020-01-01"], "/communications/overview?until=2020-01-01T00:00:00Z"),
        (&["ticket", "show", number], &format!("/tickets/{number}")),
        (&["article", "show", "1"], "/articles/1"),
    ] {
        assert_eq!(gate.json(command), [rest.get(path)], "{command:?}");
    }
}

#[test]
fn what_may_not_be_is_refused_alike() {
    let gate = Gate::new();
    gate.configure("[[account]]\nname = \"closed\"\nprotocol = \"local\"\nvalid = false\n");
    let path = gate.folder().join("mail.eml");
    std::fs::write(&path, mails::mail(1)).unwrap();
    let daemon = gate.serve("warn");
    let rest = Rest::new(&gate, &daemon, "admin");
    let answer = rest.send("POST", "/messages?account=closed", "message/rfc822", mails::mail(1));
    assert_eq!(answer.status(), 400);
    assert!(answer.text().unwrap().contains("The account \\\"closed\\\" is not valid."));
    assert!(gate.json(&["spool", "list"]).is_empty(), "nothing was taken in");
    // Who runs the machine hands mail in for any account: a mail server's pipe that names this one loses nothing.
    let taken = gate.json(&["ingest", "--account", "closed", path.to_str().unwrap()]);
    assert_eq!(taken[0]["status"], "filed", "{taken:?}");

    let longest = "A token's name has 1 to 200 characters.";
    let long = "x".repeat(201);
    for name in ["", " ", &long] {
        assert!(refusal(&gate, &["token", "create", "--role", "reader", "--name", name]).contains(longest), "{name:?}");
        let problem = rest.json("POST", "/tokens", &json!({ "name": name, "role": "reader" }), 422);
        assert_eq!(problem["errors"][0]["detail"], longest);
    }

    assert!(refusal(&gate, &["account", "sign-out", "nobody"]).contains("There is no account \"nobody\"."));
    rest.json("DELETE", "/accounts/nobody/sign-in", &Value::Null, 404);
    assert!(refusal(&gate, &["account", "sign-out", "local"]).contains("does not sign in by OAuth2"));
    rest.json("DELETE", "/accounts/local/sign-in", &Value::Null, 409);
}
