//! Sessions over a pipe in memory: what a client is answered, and what has been stored by then.

use super::session::{LmtpClient, NextStep, Session};
use super::sink::Sink;
use super::wire::Wire;
use super::{BoundSocket, Listener, Policy, SessionLimits};
use crate::store::StoreError;
use postigo_model::communication::{CommunicationKind, CommunicationRecord, CommunicationStatus};
use postigo_model::configured::{Account, Configuration, Dialect, Endpoint, Protocol, SystemAddress, Tls};
use postigo_model::mailbox::Mailbox;
use postigo_model::spool::{Arrival, TakenIn};
use postigo_net::listen::{
    Acceptance, ClientPlace, ConnectionLimits, Descriptors, IntakeBudget, ListenerFigures, Origin, Places,
};
use postigo_skipped::skipped;
use postigo_supervision as supervision;
use postigo_supervision::WorkKind;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

/// What the fake spool does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Stores.
    Well,
    /// Has stored all this before.
    Known,
    /// Is known to be full.
    Full,
    /// Fails.
    Broken,
    /// Panics.
    Panics,
    /// Cannot take up what is configured.
    Behind,
}

/// A spool in memory.
pub struct FakeSpool {
    policy: Arc<Policy>,
    mood: Mood,
    /// What was stored.
    pub stored: Mutex<Vec<Arrival>>,
    logged: Mutex<Vec<CommunicationRecord>>,
    /// Whether it panics when it is next asked for its policy.
    breaks: AtomicBool,
}

impl FakeSpool {
    pub fn new(mood: Mood) -> Arc<Self> {
        Self::taking(mood, 10_000)
    }

    /// One that takes messages of so many bytes.
    fn taking(mood: Mood, greatest: u64) -> Arc<Self> {
        let mut configuration = Configuration::default();
        for (name, user) in [("main", ""), ("sales", "sales@desk.test")] {
            let account =
                Account { name: name.into(), protocol: Protocol::Lmtp, user: user.into(), ..Account::default() };
            configuration.accounts.insert(name.into(), account);
        }
        for address in ["support@desk.test", "help@desk.test"] {
            let address = SystemAddress { address: address.into(), queue: "Raw".into(), ..SystemAddress::default() };
            configuration.system_addresses.insert(Mailbox::of(&address.address).into(), address);
        }
        configuration.settings.max_message_size = greatest;
        let policy = Arc::new(Policy::of(&configuration, &Endpoint::Tcp("127.0.0.1:24".parse().unwrap())));
        Arc::new(Self {
            policy,
            mood,
            stored: Mutex::default(),
            logged: Mutex::default(),
            breaks: AtomicBool::new(false),
        })
    }
}

impl Sink for FakeSpool {
    fn policy(&self) -> Arc<Policy> {
        assert!(!self.breaks.swap(false, Ordering::Relaxed), "on purpose");
        Arc::clone(&self.policy)
    }

    async fn newest_policy(&self) -> Option<Arc<Policy>> {
        (self.mood != Mood::Behind).then(|| self.policy())
    }

    async fn is_full(&self, _: &Policy) -> bool {
        self.mood == Mood::Full
    }

    async fn take_in(&self, arrivals: Vec<Arrival>) -> Result<Vec<TakenIn>, StoreError> {
        match self.mood {
            Mood::Broken => Err(StoreError::Stopped),
            Mood::Panics => panic!("on purpose"),
            Mood::Known => Ok(arrivals.iter().map(|_| TakenIn::Known(1)).collect()),
            Mood::Well | Mood::Full | Mood::Behind => {
                let taken = arrivals.iter().map(|_| TakenIn::New(1)).collect();
                self.stored.lock().unwrap().extend(arrivals);
                Ok(taken)
            }
        }
    }

    async fn log(&self, record: CommunicationRecord) {
        self.logged.lock().unwrap().push(record);
    }

    fn may_tell_refusal(&self) -> bool {
        true
    }

    fn count(&self, _: &str, _: &'static str) {}
}

/// Quick limits, so that waits end soon.
pub fn limits() -> SessionLimits {
    SessionLimits {
        command: Duration::from_secs(5),
        recipients: 3,
        mistakes: 5,
        transactions: 4,
        ..SessionLimits::default()
    }
}

/// The places of a listener.
fn places(connections: usize) -> Arc<Places> {
    Places::of(
        "here",
        ConnectionLimits { connections, per_address: 1 },
        &Arc::new(Descriptors::of(20_000)),
        ListenerFigures::default(),
    )
}

/// A place at a listener where there are enough.
async fn alone() -> Arc<ClientPlace> {
    Arc::new(places(100).admit(Origin::Known).await.unwrap())
}

/// Sends all at once, as a pipelining client may, and gives what is answered until the session ends. TLS is offered
/// with a certificate that is not there.
pub async fn talk(spool: &Arc<FakeSpool>, dialect: Dialect, limits: SessionLimits, said: &[u8]) -> (String, NextStep) {
    talk_in_pieces(spool, dialect, limits, said, 1 << 20).await
}

/// As [`talk`], but the session gets no more than so many bytes at once.
pub async fn talk_in_pieces(
    spool: &Arc<FakeSpool>,
    dialect: Dialect,
    limits: SessionLimits,
    said: &[u8],
    piece: usize,
) -> (String, NextStep) {
    let tls = Tls { certificate: "/nowhere/mail.pem".into(), key: "/nowhere/mail.key".into(), ..Tls::default() };
    talk_with(tls, spool, dialect, limits, said, piece).await
}

async fn talk_with(
    tls: Tls,
    spool: &Arc<FakeSpool>,
    dialect: Dialect,
    limits: SessionLimits,
    said: &[u8],
    piece: usize,
) -> (String, NextStep) {
    let (client, server) = tokio::io::duplex(piece);
    let place = alone().await;
    let client_of = LmtpClient { dialect, peer: Some("127.0.0.1".parse().unwrap()), tls, place };
    let mut session = Session::new(Arc::clone(spool), client_of, limits, CancellationToken::new());
    let serving = tokio::spawn(async move {
        let mut wire = Wire::new(Box::new(server));
        let next = session.run(&mut wire).await;
        wire.close().await;
        session.end().await;
        next
    });
    let (mut reading, mut writing) = tokio::io::split(client);
    let said = said.to_vec();
    let saying = tokio::spawn(async move {
        // A session that has ended reads no more.
        let _ = writing.write_all(&said).await;
        let _ = writing.shutdown().await;
    });
    let mut answers = Vec::new();
    reading.read_to_end(&mut answers).await.unwrap();
    saying.await.unwrap();
    (String::from_utf8(answers).unwrap(), serving.await.unwrap())
}

/// The codes of the answers; of one with several lines the last.
fn codes(answers: &str) -> Vec<&str> {
    answers.lines().filter(|line| line.as_bytes().get(3) == Some(&b' ')).map(|line| &line[..3]).collect()
}

async fn lmtp(spool: &Arc<FakeSpool>, said: &str) -> (String, NextStep) {
    talk(spool, Dialect::Lmtp, limits(), format!("LHLO mx.test\r\n{said}").as_bytes()).await
}

const MAIL: &str = "MAIL FROM:<jane@x.test>\r\n";
const TEXT: &str = "Subject: a\r\nMessage-ID: <1@x.test>\r\n\r\nb\r\n";

#[tokio::test]
async fn one_message_an_account_and_an_answer_a_recipient() {
    let spool = FakeSpool::new(Mood::Well);
    let recipients = "RCPT TO:<support+7@desk.test>\r\nRCPT TO:<nobody@desk.test>\r\nRCPT TO:<sales@desk.test>\r\nRCPT TO:<HELP@desk.test>\r\n";
    let (answers, next) = lmtp(&spool, &format!("{MAIL}{recipients}DATA\r\n{TEXT}..\r\n.\r\nQUIT\r\n")).await;
    assert_eq!(
        codes(&answers),
        ["220", "250", "250", "250", "550", "250", "250", "354", "250", "250", "250", "221"],
        "{answers}"
    );
    assert_eq!(next, NextStep::Close);
    let stored = spool.stored.lock().unwrap();
    let envelopes: Vec<(&str, &[String])> =
        stored.iter().map(|arrival| (arrival.account.as_str(), arrival.recipients.as_slice())).collect();
    let expected: [(&str, &[String]); 2] = [
        ("main", &["support+7@desk.test".to_owned(), "HELP@desk.test".to_owned()]),
        ("sales", &["sales@desk.test".to_owned()]),
    ];
    assert_eq!(envelopes, expected);
    let raw = String::from_utf8(stored[0].raw.to_vec()).unwrap();
    assert!(raw.starts_with("Return-Path: <jane@x.test>\r\nReceived: from mx.test ([127.0.0.1])\r\n\tby "), "{raw}");
    assert!(raw.ends_with(&format!(" +0000\r\n{TEXT}.\r\n")), "{raw}");
    assert_eq!(stored[0].key, postigo_model::spool::SourceKey::DigestAfter(raw.find("Subject: a").unwrap()));
    let record = spool.logged.lock().unwrap().pop().unwrap();
    let entries: Vec<&str> = record.entries.iter().map(|entry| entry.value.as_str()).collect();
    assert!(
        entries.iter().any(|entry| entry.starts_with("A recipient was refused: 550 5.1.1 <nobody@desk.test>")),
        "{entries:?}"
    );
    assert!(entries.last().unwrap().starts_with("1 messages taken (0 of them known"), "{entries:?}");
    assert_eq!(stored[0].communication.as_deref(), Some(record.id.as_str()));
}

#[tokio::test]
async fn smtp_gives_one_answer_and_wants_ehlo() {
    let spool = FakeSpool::new(Mood::Well);
    let said = format!(
        "LHLO x\r\nEHLO mx.test\r\n{MAIL}RCPT TO:<support@desk.test>\r\nRCPT TO:<sales@desk.test>\r\nDATA\r\n{TEXT}.\r\nQUIT\r\n"
    );
    let (answers, _) = talk(&spool, Dialect::Smtp, limits(), said.as_bytes()).await;
    assert_eq!(codes(&answers), ["220", "500", "250", "250", "250", "250", "354", "250", "221"], "{answers}");
    for extension in ["PIPELINING", "SIZE 10000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING", "STARTTLS"]
    {
        assert!(answers.contains(extension), "{extension} is missing: {answers}");
    }
    assert_eq!(spool.stored.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn chunks_make_a_message_and_carry_dots_as_they_are() {
    let spool = FakeSpool::new(Mood::Well);
    let said = format!(
        "{MAIL}RCPT TO:<support@desk.test>\r\nBDAT 12\r\nSubject: a\r\nBDAT 5\r\n\r\n.\r\nBDAT 0 LAST\r\nNOOP\r\nQUIT\r\n"
    );
    let (answers, _) = lmtp(&spool, &said).await;
    assert_eq!(codes(&answers), ["220", "250", "250", "250", "250", "250", "250", "250", "221"], "{answers}");
    assert!(spool.stored.lock().unwrap()[0].raw.ends_with(b"\r\nSubject: a\r\n\r\n.\r\n"));
}

#[tokio::test]
async fn what_is_not_stored_is_not_said_to_be() {
    for (mood, code) in [(Mood::Broken, "451"), (Mood::Known, "250")] {
        let spool = FakeSpool::new(mood);
        let (answers, _) = lmtp(&spool, &format!("{MAIL}RCPT TO:<support@desk.test>\r\nDATA\r\n{TEXT}.\r\n")).await;
        assert_eq!(codes(&answers).last(), Some(&code), "{answers}");
        assert!(spool.stored.lock().unwrap().is_empty());
    }
    let (answers, _) = lmtp(&FakeSpool::new(Mood::Full), MAIL).await;
    assert!(answers.ends_with("452 4.3.1 No room for more messages now\r\n"), "{answers}");
    let (answers, _) = lmtp(&FakeSpool::new(Mood::Behind), MAIL).await;
    assert!(answers.ends_with("451 4.3.5 What is configured cannot be taken up now; try again later\r\n"), "{answers}");
}

#[tokio::test]
async fn a_message_that_is_cut_short_is_not_stored() {
    for said in [
        format!("DATA\r\n{TEXT}"),
        format!("DATA\r\n{TEXT}."),
        "BDAT 20 LAST\r\nSubject: a\r\n".to_owned(),
        "BDAT 3\r\nabc".to_owned(),
    ] {
        let spool = FakeSpool::new(Mood::Well);
        lmtp(&spool, &format!("{MAIL}RCPT TO:<support@desk.test>\r\n{said}")).await;
        assert!(spool.stored.lock().unwrap().is_empty(), "{said:?}");
    }
}

#[tokio::test]
async fn smuggled_commands_are_neither_obeyed_nor_stored() {
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r\n", "\r\n.\r"] {
        let spool = FakeSpool::new(Mood::Well);
        let said = format!(
            "{MAIL}RCPT TO:<support@desk.test>\r\nDATA\r\nSubject: a\r\n\r\nb{end}{MAIL}RCPT TO:<sales@desk.test>\r\nDATA\r\nc\r\n.\r\nNOOP\r\n"
        );
        let (answers, next) = lmtp(&spool, &said).await;
        assert_eq!(codes(&answers), ["220", "250", "250", "250", "354", "550"], "{end:?}: {answers}");
        assert_eq!(next, NextStep::Close);
        assert!(spool.stored.lock().unwrap().is_empty(), "{end:?}");
    }
}

#[tokio::test]
async fn sizes_are_held_to() {
    let spool = FakeSpool::new(Mood::Well);
    let large = "x".repeat(98);
    let text = format!("{large}\r\n").repeat(101);
    let said = format!(
        "MAIL FROM:<> SIZE=10001\r\nMAIL FROM:<> SIZE=10000\r\nRCPT TO:<help@desk.test>\r\nDATA\r\n{text}.\r\n{MAIL}RCPT TO:<help@desk.test>\r\nDATA\r\n{TEXT}.\r\n"
    );
    let (answers, _) = lmtp(&spool, &said).await;
    assert_eq!(
        codes(&answers),
        ["220", "250", "552", "250", "250", "354", "552", "250", "250", "354", "250"],
        "{answers}"
    );
    assert_eq!(spool.stored.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_refused_for_good_is_found_by_whose_mail_it_is() {
    let spool = FakeSpool::new(Mood::Well);
    let text = format!("{}\r\n", "x".repeat(98)).repeat(101);
    let said = format!(
        "{MAIL}RCPT TO:<nobody@desk.test>\r\nRCPT TO:<none@desk.test>\r\nRCPT TO:<help@desk.test>\r\nDATA\r\n\
         From: Jane <jane@home.test>\r\nTo: help@desk.test\r\nSubject: =?utf-8?q?Gro=C3=9F?=\r\nMessage-ID: <big@home.test>\r\n\r\n\
         {text}.\r\nMAIL FROM:<huge@x.test> SIZE=10001\r\nQUIT\r\n"
    );
    lmtp(&spool, &said).await;
    let logged = spool.logged.lock().unwrap().clone();
    let found = |text: &str| {
        let messages = logged.iter().filter(|record| record.kind == CommunicationKind::Message);
        let found: Vec<&CommunicationRecord> = messages.filter(|record| record.search.contains(text)).collect();
        assert_eq!(found.len(), 1, "{text}: {logged:?}");
        found[0].clone()
    };
    for text in ["jane@home.test", "<big@home.test>", "groß"] {
        let told = found(text);
        assert!(told.entries[0].value.contains("552 5.3.4") && told.entries[0].value.contains("Groß"), "{told:?}");
        assert_eq!(told.parent.as_deref(), logged.last().map(|connection| connection.id.as_str()));
    }
    let told = found("nobody@desk.test");
    assert_eq!((told.entries.len(), &told), (2, &found("none@desk.test")), "one row a mail, whatever its recipients");
    assert!(told.entries[1].value.contains("550 5.1.1 <none@desk.test>"), "{told:?}");
    assert!(found("huge@x.test").entries[0].value.contains("552 5.3.4 At most 10000 bytes"), "{logged:?}");
}

#[tokio::test]
async fn commands_have_their_order_and_their_number() {
    let spool = FakeSpool::new(Mood::Well);
    let (answers, _) = talk(
        &spool,
        Dialect::Lmtp,
        limits(),
        b"MAIL FROM:<>\r\nRCPT TO:<help@desk.test>\r\nDATA\r\nNONSENSE\r\nRSET\r\nGET / HTTP/1.1\r\n",
    )
    .await;
    assert_eq!(codes(&answers), ["220", "503", "503", "503", "500", "250", "500",], "{answers}");
    let (answers, _) = talk(&spool, Dialect::Lmtp, limits(), "X\r\n".repeat(9).as_bytes()).await;
    assert_eq!(codes(&answers), ["220", "500", "500", "500", "500", "500", "421"], "{answers}");
    let four = "RCPT TO:<help@desk.test>\r\n".repeat(4);
    let (answers, _) = lmtp(&spool, &format!("{MAIL}{four}")).await;
    assert_eq!(codes(&answers), ["220", "250", "250", "250", "250", "250", "452"], "{answers}");
    let (answers, _) = lmtp(&spool, &format!("{MAIL}RSET\r\n").repeat(5)).await;
    assert_eq!(codes(&answers)[10..], ["421"], "who must connect anew is not kept: {answers}");
    let (answers, next) = talk(&spool, Dialect::Lmtp, limits(), b"NOOP\nNOOP\r\n").await;
    assert_eq!((codes(&answers), next), (vec!["220", "500"], NextStep::Close), "a line ends with CRLF");
    let (answers, _) = talk(&spool, Dialect::Lmtp, limits(), &[b'x'; 5_000]).await;
    assert_eq!(codes(&answers), ["220", "500"]);
}

#[tokio::test]
async fn bytes_of_a_chunk_whose_size_cannot_be_read_are_no_commands() {
    for size in ["x", "-1", "", "99999999999999999999999"] {
        let spool = FakeSpool::new(Mood::Well);
        let (answers, next) =
            lmtp(&spool, &format!("{MAIL}RCPT TO:<help@desk.test>\r\nbdat {size} LAST\r\nRSET\r\nNOOP\r\n")).await;
        assert_eq!(
            (codes(&answers), next),
            (vec!["220", "250", "250", "250", "501"], NextStep::Close),
            "{size}: {answers}"
        );
    }
    for before in ["", MAIL, &format!("{MAIL}RCPT TO:<help@desk.test>\r\n")] {
        let (answers, next) =
            lmtp(&FakeSpool::new(Mood::Well), &format!("{before}BDAT 999999999999 LAST\r\nNOOP\r\n")).await;
        assert_eq!((codes(&answers).last(), next), (Some(&"552"), NextStep::Close), "{answers}");
    }
}

#[tokio::test]
async fn what_was_sent_in_clear_behind_starttls_is_dropped() {
    let spool = FakeSpool::new(Mood::Well);
    let folder = tempfile::tempdir().unwrap();
    let Some(tls) = certificate(folder.path()) else { return };
    let said = format!("LHLO mx.test\r\nSTARTTLS\r\n{MAIL}RCPT TO:<help@desk.test>\r\n");
    let (answers, next) = talk_with(tls, &spool, Dialect::Lmtp, limits(), said.as_bytes(), 1 << 20).await;
    assert_eq!((codes(&answers), next), (vec!["220", "250", "220"], NextStep::StartTls));
}

/// A certificate of its own, and its key.
fn certificate(folder: &std::path::Path) -> Option<Tls> {
    let path = |name: &str| folder.join(name).display().to_string();
    let tls = Tls { certificate: path("mail.pem"), key: path("mail.key"), ..Tls::default() };
    let mut command = std::process::Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "30",
        "-subj",
        "/CN=localhost",
    ]);
    let Ok(output) = command.args(["-keyout", &tls.key, "-out", &tls.certificate]).output() else {
        skipped("openssl is not installed");
        return None;
    };
    assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    Some(tls)
}

#[tokio::test]
async fn a_certificate_that_cannot_be_read_is_told_and_the_session_goes_on() {
    let spool = FakeSpool::new(Mood::Well);
    let (answers, next) =
        lmtp(&spool, &format!("STARTTLS\r\n{MAIL}RCPT TO:<help@desk.test>\r\nDATA\r\n{TEXT}.\r\nQUIT\r\n")).await;
    assert_eq!(
        (codes(&answers), next),
        (vec!["220", "250", "454", "250", "250", "354", "250", "221"], NextStep::Close),
        "{answers}"
    );
    let record = spool.logged.lock().unwrap().pop().unwrap();
    assert!(record.entries.iter().any(|entry| entry.value.contains("/nowhere/mail.pem")), "the log names the file");
}

#[tokio::test]
async fn dripping_clients_are_told_goodbye() {
    // Bytes one by one, and chunks that something else is said between.
    for (begin, drip) in [("DATA\r\n", "a"), ("BDAT 1\r\na", "NOOP\r\n"), ("BDAT 1\r\na", "BDAT 1\r\na")] {
        let spool = FakeSpool::new(Mood::Well);
        let (client, server) = tokio::io::duplex(1 << 10);
        let client_of = LmtpClient { dialect: Dialect::Lmtp, peer: None, tls: Tls::default(), place: alone().await };
        let quick = SessionLimits { grace: Duration::from_millis(300), ..limits() };
        let mut session = Session::new(Arc::clone(&spool), client_of, quick, CancellationToken::new());
        let serving = tokio::spawn(async move {
            let mut wire = Wire::new(Box::new(server));
            session.run(&mut wire).await;
            wire.close().await;
        });
        let (mut reading, mut writing) = tokio::io::split(client);
        let dripping = tokio::spawn(async move {
            let begin = format!("LHLO x\r\n{MAIL}RCPT TO:<help@desk.test>\r\n{begin}");
            writing.write_all(begin.as_bytes()).await.unwrap();
            while writing.write_all(drip.as_bytes()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let mut answers = String::new();
        reading.read_to_string(&mut answers).await.unwrap();
        serving.await.unwrap();
        drop(reading);
        assert_eq!(codes(&answers).last(), Some(&"421"), "{answers}");
        dripping.await.unwrap();
        assert!(spool.stored.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_stop_ends_idle_clients_but_takes_a_message_to_its_end() {
    let spool = FakeSpool::new(Mood::Well);
    let (client, server) = tokio::io::duplex(1 << 16);
    let client_of = LmtpClient { dialect: Dialect::Lmtp, peer: None, tls: Tls::default(), place: alone().await };
    let stop = CancellationToken::new();
    let mut session = Session::new(Arc::clone(&spool), client_of, limits(), stop.clone());
    let serving = tokio::spawn(async move {
        let mut wire = Wire::new(Box::new(server));
        session.run(&mut wire).await;
        wire.close().await;
    });
    let (mut reading, mut writing) = tokio::io::split(client);
    writing.write_all(format!("LHLO x\r\n{MAIL}RCPT TO:<help@desk.test>\r\nDATA\r\n{TEXT}").as_bytes()).await.unwrap();
    let mut answers = String::new();
    while !answers.contains("354 ") {
        let mut more = [0; 1_000];
        let count = reading.read(&mut more).await.unwrap();
        answers.push_str(&String::from_utf8_lossy(&more[..count]));
    }
    stop.cancel();
    writing.write_all(b".\r\n").await.unwrap();
    reading.read_to_string(&mut answers).await.unwrap();
    serving.await.unwrap();
    assert_eq!(codes(&answers)[4..], ["354", "250", "421"], "{answers}");
    assert_eq!(spool.stored.lock().unwrap().len(), 1);
}

/// Brings a message over a socket; gives what is said after the message's bytes. None where the client was turned away.
async fn bring(path: &std::path::Path) -> Option<String> {
    let mut client = UnixStream::connect(path).await.unwrap();
    let commands = format!("LHLO mx.test\r\n{MAIL}RCPT TO:<support@desk.test>\r\nDATA\r\n");
    client.write_all(commands.as_bytes()).await.ok()?;
    let mut answers = String::new();
    while !answers.contains("\n354 ") {
        let byte = client.read_u8().await.ok()?;
        answers.push(char::from(byte));
    }
    client.write_all(format!("{TEXT}.\r\n").as_bytes()).await.unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    Some(String::from_utf8(rest).unwrap())
}

#[tokio::test]
async fn a_session_that_panics_gives_its_place_back_and_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let spool = FakeSpool::new(Mood::Panics);
    // Room for one client.
    let (places, acceptance) = (places(1), Acceptance::of("here", ListenerFigures::default()));
    let (sink, tls) = (Arc::clone(&spool), Tls::default());
    let listener = Listener { dialect: Dialect::Lmtp, tls, sink, places, acceptance, limits: limits() };
    let stop = CancellationToken::new();
    let bound = BoundSocket::to(&Endpoint::Unix(path.clone())).await.unwrap();
    let serving = tokio::spawn(listener.serve(bound, stop.clone()));
    for _ in 0..3 {
        let brought = async {
            loop {
                // The place of the one before is free soon after its connection has ended.
                if let Some(answer) = bring(&path).await {
                    return answer;
                }
            }
        };
        let answer = tokio::time::timeout(Duration::from_secs(20), brought).await.expect("it has a place");
        assert_eq!(answer.trim_start_matches(|letter| letter != '\n').trim(), "", "what was not taken is not answered");
    }
    stop.cancel();
    serving.await.expect("the listener goes on");
    let logged = spool.logged.lock().unwrap();
    let ended: Vec<&CommunicationRecord> = logged.iter().filter(|record| record.ended_at.is_some()).collect();
    assert_eq!(ended.len(), 3);
    for record in ended {
        assert_eq!((record.status, record.account.as_str()), (CommunicationStatus::Failed, "main"));
        assert!(
            record.entries.iter().any(|entry| entry.value.contains("The session panicked: on purpose (")),
            "{record:?}"
        );
    }
    let told = supervision::broken()
        .into_iter()
        .find(|broken| broken.work == WorkKind::Session && broken.of == "main")
        .unwrap();
    assert_eq!(told.times, 3);
}

#[tokio::test]
async fn a_client_whose_admission_panics_ends_no_session_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let spool = FakeSpool::new(Mood::Well);
    let (places, acceptance) = (places(5), Acceptance::of("here", ListenerFigures::default()));
    let (sink, tls) = (Arc::clone(&spool), Tls::default());
    let listener = Listener { dialect: Dialect::Lmtp, tls, sink, places, acceptance, limits: limits() };
    let stop = CancellationToken::new();
    let bound = BoundSocket::to(&Endpoint::Unix(path.clone())).await.unwrap();
    let serving = tokio::spawn(listener.serve(bound, stop.clone()));
    let heard = async |client: &mut UnixStream| {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(client.read_u8().await.unwrap());
        }
        String::from_utf8(line).unwrap()
    };
    let mut under_way = UnixStream::connect(&path).await.unwrap();
    assert!(heard(&mut under_way).await.starts_with("220 "));
    spool.breaks.store(true, Ordering::Relaxed);
    let mut broken = UnixStream::connect(&path).await.unwrap();
    let mut answer = Vec::new();
    broken.read_to_end(&mut answer).await.unwrap();
    assert!(answer.is_empty() && !spool.breaks.load(Ordering::Relaxed));
    under_way.write_all(b"NOOP\r\n").await.unwrap();
    assert!(heard(&mut under_way).await.starts_with("250 "), "it goes on");
    let mut next = UnixStream::connect(&path).await.unwrap();
    assert!(heard(&mut next).await.starts_with("220 "), "and others are let in");
    assert!(
        supervision::broken().iter().any(|broken| broken.work == WorkKind::Session && broken.of.is_empty()),
        "it is told"
    );
    stop.cancel();
    serving.await.unwrap();
}

/// A client at a listener.
struct Connected {
    client: tokio::io::DuplexStream,
    /// What it has heard.
    heard: String,
    serving: tokio::task::JoinHandle<()>,
}

impl Connected {
    /// All that it hears until the session ends, and no more than that.
    async fn hear_out(mut self) -> String {
        let mut answers = String::new();
        self.client.read_to_string(&mut answers).await.unwrap();
        self.serving.await.unwrap();
        answers
    }
}

/// A client that has said this and heard so many answers.
async fn connected(places: &Arc<Places>, limits: SessionLimits, said: &str, answers: usize) -> Connected {
    connected_from(None, places, limits, said, answers).await
}

async fn connected_from(
    peer: Option<IpAddr>,
    places: &Arc<Places>,
    limits: SessionLimits,
    said: &str,
    answers: usize,
) -> Connected {
    connected_as(Origin::Known, peer, places, limits, said, answers).await
}

async fn connected_as(
    origin: Origin,
    peer: Option<IpAddr>,
    places: &Arc<Places>,
    limits: SessionLimits,
    said: &str,
    answers: usize,
) -> Connected {
    let (mut client, server) = tokio::io::duplex(1 << 16);
    let place = Arc::new(places.admit(origin).await.unwrap());
    let client_of = LmtpClient { dialect: Dialect::Lmtp, peer, tls: Tls::default(), place };
    let mut session = Session::new(FakeSpool::taking(Mood::Well, 1 << 20), client_of, limits, CancellationToken::new());
    let serving = tokio::spawn(async move {
        let mut wire = Wire::new(Box::new(server));
        session.run(&mut wire).await;
        wire.close().await;
    });
    client.write_all(said.as_bytes()).await.unwrap();
    let mut heard = String::new();
    while codes(&heard).len() < answers {
        let mut more = [0; 1_000];
        let count = client.read(&mut more).await.unwrap();
        heard.push_str(&String::from_utf8_lossy(&more[..count]));
    }
    Connected { client, heard, serving }
}

#[tokio::test]
async fn a_client_that_waits_leaves_for_another_and_one_that_brings_a_message_stays() {
    for (begun, answers) in [("", 2), ("NO", 2), (MAIL, 3)] {
        let places = places(1);
        let waiting = connected(&places, limits(), &format!("LHLO x\r\n{begun}"), answers).await;
        let _other = places.admit(Origin::Known).await.expect("the one that waits leaves");
        assert_eq!(codes(&waiting.hear_out().await), ["421"]);
    }
    let places = places(1);
    let begun = format!("LHLO x\r\n{MAIL}RCPT TO:<help@desk.test>\r\nDATA\r\n");
    let mut delivering = connected(&places, limits(), &begun, 5).await;
    assert!(places.admit(Origin::Known).await.is_err());
    delivering.client.write_all(format!("{TEXT}.\r\nQUIT\r\n").as_bytes()).await.unwrap();
    assert_eq!(codes(&delivering.hear_out().await), ["250", "221"]);
}

#[tokio::test]
async fn where_places_are_few_a_slow_message_has_less_time() {
    let begun = format!("LHLO x\r\n{MAIL}RCPT TO:<help@desk.test>\r\nDATA\r\na");
    let short = SessionLimits { short_grace: Duration::ZERO, ..limits() };
    let dripping = connected(&places(1), short.clone(), &begun, 5).await;
    assert_eq!(codes(&dripping.hear_out().await), ["421"]);
    let mut alone = connected(&places(100), short, &begun, 5).await;
    alone.client.write_all(b"\r\n.\r\nQUIT\r\n").await.unwrap();
    assert_eq!(codes(&alone.hear_out().await), ["250", "221"]);
}

#[tokio::test]
async fn a_slow_message_leaves_for_another_client_and_nothing_of_it_is_promised() {
    let stranger = || Origin::of(Some("10.0.0.1".parse().unwrap()), false);
    let begun = format!("LHLO x\r\n{MAIL}RCPT TO:<help@desk.test>\r\n");
    // In DATA, in a chunk, between chunks, and in a chunk that belongs to no message.
    let ways =
        [(format!("{begun}DATA\r\na"), 5), (format!("{begun}BDAT 9\r\na"), 4), (format!("{begun}BDAT 1\r\na"), 5)];
    for (said, answers) in ways.into_iter().chain([("LHLO x\r\nBDAT 9\r\na".to_owned(), 2)]) {
        let places = places(1).where_slow_is(u64::MAX);
        let slow = connected_as(stranger(), None, &places, limits(), &said, answers).await;
        let _other = places.admit(Origin::Known).await.expect("the slow one leaves");
        assert_eq!(codes(&slow.hear_out().await), ["421"], "{said:?}");
    }
    let places = places(1).where_slow_is(0);
    let mut enough = connected_as(stranger(), None, &places, limits(), &format!("{begun}DATA\r\na"), 5).await;
    assert!(places.admit(Origin::Known).await.is_err());
    enough.client.write_all(b"\r\n.\r\nQUIT\r\n").await.unwrap();
    assert_eq!(codes(&enough.hear_out().await), ["250", "221"]);
}

#[tokio::test]
async fn the_messages_of_one_client_leave_room_for_those_of_others() {
    let limits = SessionLimits { room: Arc::new(IntakeBudget::of(4 << 20)), ..limits() };
    let places = places(100);
    let line = format!("{}\r\n", "x".repeat(98));
    let begun = format!("LHLO x\r\n{MAIL}RCPT TO:<help@desk.test>\r\nBDAT 100000\r\n{}", line.repeat(1_000));
    let from = |peer: &str| connected_from(Some(peer.parse().unwrap()), &places, limits.clone(), &begun, 5);
    let mut slow = Vec::new();
    for _ in 0..46 {
        slow.push(from("127.0.0.1").await);
    }
    let taken = slow.iter().filter(|client| codes(&client.heard).last() == Some(&"250")).count();
    assert_eq!(taken, 2, "half of the room");
    assert_eq!(codes(&from("127.0.0.2").await.heard).last(), Some(&"250"));
}
