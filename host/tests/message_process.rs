//! A message's own process, tried on the built binary: what is said of its end.

#![allow(clippy::expect_used, reason = "a step that fails ends its test")]

use postigo::chain::{ChainPlan, Mode};
use postigo::worker::LiveConfiguration;
use postigo::worker::alone::{AloneJob, ChildProcess, MessageProcess as _, ProcessEnd};
use postigo_mail::{Envelope, Vocabulary};
use postigo_model::configured::Configuration;
use postigo_sandbox::RuntimeOptions;
use std::collections::HashMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A mail of 24 MiB of text.
fn large_mail() -> Vec<u8> {
    let mut mail = b"From: jane@example.com\r\nSubject: large\r\n\r\n".to_vec();
    while mail.len() < 24 << 20 {
        mail.extend_from_slice(b"All work and no play makes a mail rather long, line after line after line.\r\n");
    }
    mail
}

#[test]
fn a_mail_that_wants_more_memory_than_it_may_have_ends_its_own_process_alone_and_that_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let processes =
        ChildProcess::new(&RuntimeOptions::new(folder.path().join("cache"), env!("CARGO_BIN_EXE_postigo").into()));
    let run = |processes: &ChildProcess, raw: Vec<u8>| {
        let setup = LiveConfiguration::new(Configuration::default(), ChainPlan::default(), Vocabulary::new(&[]));
        let job = AloneJob {
            message: 1,
            raw: raw.into(),
            envelope: Envelope { account: "local".into(), ..Envelope::default() },
            mode: Mode::Live { check_screening: false, put_off_before: false },
            setup: Arc::new(setup),
            components: HashMap::new(),
        };
        processes.run(&job, &mut |_| Ok(None), &CancellationToken::new())
    };
    let large = large_mail();
    run(&processes, large.clone()).expect("the mail is harmless where there is memory for it");
    let died = run(&processes.with_memory(16 << 20), large).expect_err("its process dies");
    assert_eq!(
        died.to_string(),
        "The process that worked on this message alone died: it wanted more memory than the 16 MiB that a message of this size may take."
    );
    let missing = ChildProcess::new(&RuntimeOptions::new(folder.path().join("cache"), folder.path().join("postigo")));
    let not_run = run(&missing, b"Subject: small\r\n\r\nHello.\r\n".to_vec()).expect_err("there is no such program");
    assert!(matches!(not_run, ProcessEnd::NotRun(_)), "{not_run}");
}
