//! What goes well: an upload is described, a group configured, a mail judged.

use super::harness::*;
use postigo_model::guest::FailureKind;
use postigo_model::guest::Grant;
use postigo_sandbox::{Asker, GuestSession, PrepareError, UploadRefusal};

#[test]
fn an_upload_says_what_it_is() {
    let inspected = hostile();
    assert_eq!(inspected.description.name, "hostile");
    assert_eq!(inspected.description.grants, [Grant::Body, Grant::Raw]);
    assert_eq!(inspected.description.filter().headers, ["X-OTOBO-Queue"]);
    assert!(inspected.description.filter().screens);
    assert_eq!(inspected.unsnapshotable, None);
    // The component that came of the core module is an upload like any other.
    let again = runtime().inspect(&inspected.component, Asker::Host).unwrap();
    assert_eq!(again.component, inspected.component);
}

#[test]
fn a_filter_matches_and_says_what_to_set() {
    let group = group(&["behave", "ignore"]);
    assert!(group.screens() && group.cost().snapshot && group.cost().pooled, "{:?}", group.cost());
    let verdict = evaluate(&group, 0).unwrap();
    assert!(verdict.matched);
    assert_eq!((verdict.changes[0].header.as_str(), verdict.changes[0].value.as_str()), ("X-OTOBO-Queue", "Junk"));
    assert!(!evaluate(&group, 1).unwrap().matched);
}

#[test]
fn the_screen_names_candidates_and_the_headers_it_read() {
    let group = group(&["behave", "miss", "ignore"]);
    let screened = GuestSession::open(&group).unwrap().screen(mail("Invoice 42"), None).result.unwrap();
    assert_eq!(screened.candidates, [0, 2]);
    assert_eq!(screened.read, ["subject"]);
}

#[test]
fn every_message_finds_the_guest_as_it_was_configured() {
    let group = group(&["count", "remember"]);
    for subject in ["One", "Two", "Three"] {
        let mut session = GuestSession::open(&group).unwrap();
        let counted = session.evaluate(0, mail(subject), None);
        assert_eq!(counted.result.unwrap().reason, "1", "the count of {subject}");
        assert_eq!(session.evaluate(1, mail(subject), None).result.unwrap().reason, subject);
        // Within a message the instance is the same.
        assert_eq!(session.evaluate(0, mail(subject), None).result.unwrap().reason, "2");
    }
}

#[test]
fn a_full_evaluation_gives_the_same() {
    let group = group(&["behave"]);
    let verdict = runtime().open_full(&group).unwrap().evaluate(0, mail("Invoice 42"), None).result.unwrap();
    assert_eq!(verdict, evaluate(&group, 0).unwrap());
}

#[test]
fn what_is_granted_can_be_read() {
    let mut with = spec(&["read-body", "read-raw"]);
    with.grants = vec![Grant::Body, Grant::Raw];
    let group = runtime().prepare(&with, Asker::Host).unwrap();
    assert!(evaluate(&group, 0).unwrap().matched);
    assert_eq!(evaluate(&group, 1).unwrap().reason, mail("Invoice 42").message().raw().len().to_string());
}

#[test]
fn a_problem_in_the_settings_names_filter_and_place() {
    let PrepareError::Problems(problems) = not_prepared(&["behave", "problem-in-configure"]) else {
        panic!("no problems")
    };
    assert_eq!(problems[0].filter, "1 problem-in-configure");
    assert_eq!(problems[0].place, "/do");
    assert!(problems[0].reason.contains("on demand"));
}

#[test]
fn what_was_prepared_is_kept_across_starts_and_damage_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let spec = spec(&["behave"]);
    let first = runtime_in(folder.path().to_owned());
    assert!(evaluate(&first.prepare(&spec, Asker::Host).unwrap(), 0).unwrap().matched);
    // A runtime whose child cannot be run must find everything on disk.
    let start = || {
        let options = postigo_sandbox::RuntimeOptions::new(folder.path().to_owned(), "/nonexistent/postigo".into());
        postigo_sandbox::Runtime::start(options).unwrap()
    };
    assert!(evaluate(&start().prepare(&spec, Asker::Host).unwrap(), 0).unwrap().matched);
    for kind in ["snapshots", "functions", "code"] {
        damage(&folder.path().join(kind));
    }
    assert!(
        matches!(start().prepare(&spec, Asker::Host), Err(PrepareError::Unavailable(reason)) if reason.contains("/nonexistent/postigo"))
    );
    let mended = runtime_in(folder.path().to_owned());
    assert!(evaluate(&mended.prepare(&spec, Asker::Host).unwrap(), 0).unwrap().matched);
}

#[test]
fn code_that_was_deleted_is_compiled_by_a_child_again_and_never_here() {
    let folder = tempfile::tempdir().unwrap();
    let spec = spec(&["behave"]);
    let first = runtime_in(folder.path().to_owned());
    first.prepare(&spec, Asker::Host).unwrap();
    // Whoever keeps the compiled code may still be writing its notes on it.
    until_removed(&folder.path().join("code"));
    let childless = postigo_sandbox::RuntimeOptions::new(folder.path().to_owned(), "/nonexistent/postigo".into());
    let childless = postigo_sandbox::Runtime::start(childless).unwrap();
    assert!(
        matches!(childless.prepare(&spec, Asker::Host), Err(PrepareError::Unavailable(_))),
        "nothing but a child compiles"
    );
    assert!(
        evaluate(&first.prepare(&spec, Asker::Host).unwrap(), 0).unwrap().matched,
        "the running one has a child do it"
    );
    assert!(
        evaluate(&childless.prepare(&spec, Asker::Host).unwrap(), 0).unwrap().matched,
        "and then the code is there for all"
    );
}

/// Removes a folder into which somebody else may still write.
fn until_removed(folder: &std::path::Path) {
    while let Err(error) = std::fs::remove_dir_all(folder) {
        assert_eq!(error.kind(), std::io::ErrorKind::DirectoryNotEmpty, "{error}");
    }
}

/// Cuts every file below a folder to half its length.
fn damage(folder: &std::path::Path) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            damage(&entry.path());
        } else {
            let file = std::fs::File::options().write(true).open(entry.path()).unwrap();
            file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        }
    }
}

#[test]
fn what_is_no_filter_is_refused() {
    let refused = |bytes: &[u8]| runtime().inspect(bytes, Asker::Host).map(|_| "taken").unwrap_err();
    assert!(matches!(refused(b""), UploadRefusal::NotWasm(_)));
    assert!(matches!(refused(b"MZ\x90\0 an .exe"), UploadRefusal::NotWasm(_)));
    assert!(matches!(refused(&wat::parse_str("(component)").unwrap()), UploadRefusal::Export(_)));
    let truncated = built("hostile");
    let said = refused(&truncated[..truncated.len() / 2]);
    assert!(matches!(said, UploadRefusal::NotWasm(_)), "{said:?}");
}

#[test]
fn a_mail_is_lent_for_one_call_only() {
    let group = group(&["behave", "fail"]);
    let mut session = GuestSession::open(&group).unwrap();
    let first = session.evaluate(0, mail("One"), None);
    let second = session.evaluate(0, mail("Two"), None);
    assert_eq!((first.mail.header("Subject"), second.mail.header("Subject")), (Some("One"), Some("Two")));
    let failed = session.evaluate(1, mail("Three"), None).result.unwrap_err();
    assert_eq!((failed.kind, failed.message.as_str()), (FailureKind::Trap, "the guest said: An error on demand."));
}

#[test]
fn a_group_that_takes_more_than_half_its_memory_is_to_be_split() {
    let mut spec = spec(&["behave", "behave"]);
    let memory = runtime().prepare(&spec, Asker::Host).unwrap().cost().memory;
    spec.limits.memory = memory * 3 / 2;
    let failed = runtime().prepare(&spec, Asker::Host).map(|_| "prepared").unwrap_err();
    assert!(matches!(&failed, PrepareError::Failed(failure) if failure.kind == FailureKind::Memory), "{failed}");
    spec.members.truncate(1);
    assert!(evaluate(&runtime().prepare(&spec, Asker::Host).unwrap(), 0).unwrap().matched);
}
