//! Folders are found however the server calls them, and mail is moved there once whatever the server can.

use crate::fetching::{account, deliver, fetch, subjects};
use postigo_tests::dovecot::{Dovecot, Options};
use postigo_tests::gate::Gate;
use postigo_tests::mails::mail;
use postigo_tests::proxy::{Disturbance, Harm, Place, Proxy, Side};

/// All folders lie below the INBOX, as with Courier and Cyrus, and one is for junk.
pub const BELOW_INBOX: &str = "namespace inbox {\n  prefix = INBOX.\n  separator = .\n  mailbox Spam {\n    special_use = \\Junk\n    auto = create\n  }\n}\n";

#[test]
fn folders_are_found_by_their_use_below_the_inbox_and_in_any_script() {
    let Some(server) = Dovecot::with(Options { more: BELOW_INBOX.to_owned(), ..Options::default() }) else { return };
    let gate = Gate::new();
    server.deliver("use", "Spam", [mail(0).as_slice()]);
    server.deliver("name", "Other", [mail(1).as_slice()]);
    deliver(&server, "move", 2..3);
    deliver(&server, "junk", 3..4);
    deliver(&server, "nested", 4..5);
    let accounts = [
        account("use", &server, "folder = \"\\\\Junk\""),
        account("name", &server, "folder = \"Other\""),
        account("move", &server, "after_fetch = \"move:Erledigt & 台北\""),
        account("junk", &server, "after_fetch = \"move:\\\\Junk\""),
        account("nested", &server, "after_fetch = \"move:Archive/2026\""),
    ];
    gate.configure(&accounts.concat());
    for name in ["use", "name", "move", "junk", "nested"] {
        let report = fetch(&gate, name);
        assert_eq!((&report["error"], &report["new"]), (&serde_json::Value::Null, &1.into()), "{report}");
        assert!(server.messages(name, "INBOX").is_empty());
    }
    assert_eq!(gate.titles(), subjects(0..5));
    assert!(server.messages("use", "Spam").is_empty() && server.messages("name", "Other").is_empty());
    assert_eq!(server.messages("move", "Erledigt &- &U,BTFw-").len(), 1);
    assert_eq!(server.messages("junk", "Spam").len(), 1);
    assert_eq!(server.messages("nested", "Archive.2026").len(), 1);
}

#[test]
fn a_use_that_no_folder_has_is_said() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    gate.configure(&account("main", &server, "folder = \"\\\\Archive\""));
    let output = gate.try_run(["account", "test", "main"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("\\Archive") && said.contains("Name a folder"), "{said}");
}

#[test]
fn a_copy_whose_answer_was_lost_is_not_made_again_where_the_server_has_no_move() {
    let capabilities = Some("IMAP4rev1 UIDPLUS");
    let Some(server) = Dovecot::with(Options { capabilities, ..Options::default() }) else { return };
    let proxy = Proxy::before(server.imap);
    let through = |name: &str| {
        account(name, &server, "after_fetch = \"move:Done\"\ntimeout = \"2s\"")
            .replace(&format!("port = {}", server.imap), &format!("port = {}", proxy.port))
    };
    let gate = Gate::new();
    gate.configure(&[through("rehearsal"), through("main")].concat());
    for name in ["rehearsal", "main"] {
        deliver(&server, name, 0..3);
    }
    proxy.pass();
    assert_eq!(fetch(&gate, "rehearsal")["told"], 3);
    // The last four lines were COPY, STORE, EXPUNGE and LOGOUT.
    let copied = proxy.passed(Side::Client).lines - 3;
    proxy.disturb(Disturbance { side: Side::Client, place: Place::Line(copied), harm: Harm::Silence });
    let said = fetch_that_may_fail(&gate, "main");
    assert!(said.contains("silent"), "{said}");
    assert_eq!(
        (server.messages("main", "Done").len(), server.messages("main", "INBOX").len()),
        (3, 3),
        "it broke after the copy"
    );
    let report = fetch(&gate, "main");
    assert_eq!((&report["fetched"], &report["told"]), (&0.into(), &3.into()), "{report}");
    assert_eq!(
        (server.messages("main", "Done").len(), server.messages("main", "INBOX").len()),
        (3, 0),
        "each is there once"
    );
}

/// What a fetch says that fails.
pub fn fetch_that_may_fail(gate: &Gate, account: &str) -> String {
    let output = gate.try_run(["fetch", "--account", account]);
    String::from_utf8_lossy(&output.stderr).into_owned()
}
