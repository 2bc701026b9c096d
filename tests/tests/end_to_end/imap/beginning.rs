//! Which mail an account takes: all, or what comes from now on; and what is said of the rest.

use crate::fetching::{account, deliver, fetch, subjects};
use postigo_tests::dovecot::Dovecot;
use postigo_tests::gate::Gate;
use postigo_tests::mails::{large_mail, mail};
use serde_json::Value;
use std::time::{Duration, SystemTime};

const NOW: &str = "after_fetch = \"keep\"\nstart = \"now\"";

/// Makes all mail of a user's INBOX a day older.
fn age(server: &Dovecot, user: &str) {
    let (mailboxes, ..) = server.mailboxes();
    let yesterday = SystemTime::now() - Duration::from_hours(24);
    for entry in std::fs::read_dir(mailboxes.join(user).join("new")).expect("the user has mail").flatten() {
        std::fs::File::open(entry.path()).and_then(|file| file.set_modified(yesterday)).expect("the mail is ours");
    }
}

#[test]
fn an_account_that_begins_now_leaves_old_mail_alone_even_when_the_server_renumbers_it() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    deliver(&server, "main", 0..3);
    age(&server, "main");
    gate.configure(&account("main", &server, NOW));
    let report = fetch(&gate, "main");
    assert_eq!((&report["seen"], &report["left"], &report["fetched"]), (&3.into(), &3.into(), &0.into()), "{report}");
    deliver(&server, "main", 3..5);
    let report = fetch(&gate, "main");
    assert_eq!(report["new"], 2, "{report}");
    deliver(&server, "main", 5..6);
    server.stop();
    server.forget_uids("main");
    server.resume();
    let report = fetch(&gate, "main");
    assert_eq!((&report["left"], &report["known"], &report["new"]), (&3.into(), &2.into(), &1.into()), "{report}");
    assert_eq!(gate.titles(), subjects(3..6));
    gate.configure(&account("main", &server, "after_fetch = \"keep\"\nstart = \"beginning\""));
    assert_eq!(fetch(&gate, "main")["new"], 3, "a change of mind");
    assert_eq!(gate.titles(), subjects(0..6));
}

#[test]
fn mail_that_is_there_is_taken_where_nothing_is_said() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    deliver(&server, "main", 0..2);
    gate.configure(&account("main", &server, ""));
    let report = fetch(&gate, "main");
    assert_eq!((&report["left"], &report["new"]), (&0.into(), &2.into()), "{report}");
}

/// What a report explains of the messages that were there.
fn explained(report: &Value) -> u64 {
    let keys = ["fetched", "earlier", "left", "oversize", "marked_deleted", "gone", "unreadable"];
    keys.iter().map(|key| report[key].as_u64().expect("a number")).sum()
}

#[test]
fn what_was_seen_and_not_fetched_is_always_explained() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    for after in ["keep", "seen", "delete"] {
        deliver(&server, after, 0..3);
        server.deliver(after, "INBOX", [large_mail(7, 150_000).as_slice()]);
        server.deliver_flagged(after, &mail(77), "T");
        gate.configure(&format!(
            "[settings]\nmax_message_size = \"100 KiB\"\n{}",
            account(after, &server, &format!("after_fetch = \"{after}\""))
        ));
        let first = fetch(&gate, after);
        assert_eq!(
            (&first["seen"], &first["new"], &first["oversize"], &first["marked_deleted"]),
            (&5.into(), &3.into(), &1.into(), &1.into())
        );
        deliver(&server, after, 3..4);
        let second = fetch(&gate, after);
        assert_eq!(second["new"], 1, "{second}");
        for report in [&first, &second] {
            assert_eq!(report["seen"], explained(report), "{after}: {report}");
            let log = gate.run(&["log", "show", report["communication"].as_str().expect("an id"), "--json"]);
            assert!(log.contains("dealt with by earlier fetches"), "{log}");
        }
        if after == "keep" {
            let third = fetch(&gate, after);
            assert_eq!(
                (&third["seen"], &third["earlier"], &third["fetched"]),
                (&6.into(), &6.into(), &0.into()),
                "{third}"
            );
        }
    }
}

#[test]
fn a_source_that_cannot_tell_old_mail_from_new_cannot_begin_now() {
    let gate = Gate::new();
    let file = gate.folder().join("wrong.toml");
    std::fs::write(&file, "[[account]]\nname = \"files\"\nprotocol = \"maildir\"\nhost = \"/tmp\"\nstart = \"now\"\n")
        .expect("ours");
    let output = gate.try_run(["config", "check", file.to_str().expect("a path")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("start") && said.contains("files"), "{said}");
}
