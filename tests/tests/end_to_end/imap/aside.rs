//! Mail that is held goes into a folder of the server, once.

use super::folders::{BELOW_INBOX, fetch_that_may_fail};
use crate::fetching::{account, deliver, fetch, subjects};
use postigo_tests::dovecot::{Dovecot, Options};
use postigo_tests::gate::{Gate, PATIENCE, until};
use postigo_tests::proxy::{Disturbance, Harm, Place, Proxy, Side};

/// A filter that holds every mail.
const HOLD: &str = "[[filter]]\nname = \"nosy\"\ncomponent = \"match\"\ngrants = []\non_failure = \"hold\"\n[filter.settings]\nwhen = [ { header = \"Body\", matches = \"x\" } ]\nset = [ { header = \"X-OTOBO-Queue\", value = \"Misc\" } ]\n";

fn with_folder(after: &str) -> String {
    format!("failed_folder = \"Failed\"\nafter_fetch = \"{after}\"")
}

#[test]
fn held_mail_is_moved_or_put_into_the_failed_folder_once() {
    let Some(server) = Dovecot::with(Options { more: BELOW_INBOX.to_owned(), ..Options::default() }) else { return };
    let gate = Gate::new();
    let ways = ["keep", "seen", "delete", "move:Done"];
    let users = ["a", "b", "c", "d"];
    let accounts: String =
        users.iter().zip(ways).map(|(user, after)| account(user, &server, &with_folder(after))).collect();
    gate.configure(&format!("{HOLD}{accounts}"));
    for user in users {
        deliver(&server, user, 0..2);
        assert_eq!(fetch(&gate, user)["new"], 2);
        for _ in 0..2 {
            assert!(fetch(&gate, user)["error"].is_null());
            assert_eq!(server.messages(user, "Failed").len(), 2, "{user}");
            assert!(server.messages(user, "INBOX").is_empty(), "{user}");
        }
    }
    assert!(server.messages("c", "Failed").iter().all(|name| name.ends_with(":2,F")), "what was put there is flagged");
    assert_eq!(server.messages("d", "Done").len(), 2);
    // Released, they are filed; the folder is left as it is.
    gate.run(&["filter", "disable", "nosy"]);
    let held: Vec<String> =
        gate.json(&["spool", "list", "--status", "held"]).iter().map(|row| row["id"].to_string()).collect();
    assert_eq!(held.len(), 8);
    gate.run(&[&["spool", "release"], held.iter().map(String::as_str).collect::<Vec<_>>().as_slice()].concat());
    assert_eq!(gate.titles().len(), 8);
    assert!(fetch(&gate, "a")["error"].is_null());
    assert_eq!(server.messages("a", "Failed").len(), 2);
}

#[test]
fn the_daemon_puts_mail_aside_as_soon_as_it_is_held() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    let patient = account("main", &server, &with_folder("delete")).replace("interval = \"1s\"", "interval = \"1h\"");
    gate.configure(&format!("{HOLD}{patient}"));
    let daemon = gate.serve("info");
    deliver(&server, "main", 0..1);
    until("it is put aside", PATIENCE, || server.messages("main", "Failed").len() == 1);
    gate.run(&["filter", "disable", "nosy"]);
    deliver(&server, "main", 1..2);
    until("the next one is filed", PATIENCE, || gate.titles() == subjects(1..2));
    daemon.stop();
    assert_eq!(server.messages("main", "Failed").len(), 1);
}

#[test]
fn an_append_whose_answer_was_lost_is_not_made_again() {
    let Some(server) = Dovecot::start() else { return };
    let proxy = Proxy::before(server.imap);
    let through = |name: &str| {
        account(name, &server, &with_folder("delete"))
            .replace(&format!("port = {}", server.imap), &format!("port = {}", proxy.port))
    };
    let gate = Gate::new();
    gate.configure(&[HOLD.to_owned(), through("rehearsal"), through("main")].concat());
    for name in ["rehearsal", "main"] {
        deliver(&server, name, 0..1);
        assert_eq!(fetch(&gate, name)["new"], 1);
    }
    proxy.pass();
    assert!(fetch(&gate, "rehearsal")["error"].is_null());
    assert_eq!(server.messages("rehearsal", "Failed").len(), 1);
    // The last line was LOGOUT; before it came the end of the message.
    let appended = proxy.passed(Side::Client).lines - 1;
    proxy.disturb(Disturbance { side: Side::Client, place: Place::Line(appended), harm: Harm::Cut });
    let said = fetch_that_may_fail(&gate, "main");
    assert!(said.contains("lost"), "{said}");
    until("the server has taken it", PATIENCE, || server.messages("main", "Failed").len() == 1);
    for _ in 0..2 {
        assert!(fetch(&gate, "main")["error"].is_null());
        assert_eq!(server.messages("main", "Failed").len(), 1);
    }
}
