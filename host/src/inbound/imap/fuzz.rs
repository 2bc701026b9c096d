//! Mutated server sessions: the client must come to an end without a panic, whatever it is told, and lines that nobody
//! needs change nothing of what it learns. `POSTIGO_FUZZ_CASES` sets how many.

use super::body::{self, Bodies};
use super::connection::Connection;
use super::error::ImapError;
use super::folder;
use super::listing::{ListedMessage, list};
use super::odd::Oddities;
use super::sign_in;
use crate::inbound::mutation::{self, Dice};
use postigo_model::configured::{Account, Protocol, Secret, Server};
use postigo_net::Stream;
use postigo_net::credentials::Credentials;
use std::io::Cursor;

const SEED: u64 = 0x0123_4567_89ab_cdef;

/// What a server says in a whole session, answer by answer.
const ANSWERS: [&[u8]; 22] = [
    b"* OK [CAPABILITY IMAP4rev1 SASL-IR] ready\r\n",
    b"* CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 IDLE\r\n",
    b"CAP OK done\r\n",
    b"A0001 OK [CAPABILITY IMAP4rev1 UIDPLUS] signed in\r\n",
    b"* CAPABILITY IMAP4rev1 UIDPLUS MOVE SPECIAL-USE LIST-EXTENDED\r\n",
    b"A0002 OK done\r\n",
    b"* FLAGS (\\Answered \\Seen $Label)\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] limited\r\n",
    b"* 3 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 7] ok\r\n",
    b"A0003 OK [READ-WRITE] open\r\n",
    b"* 1 FETCH (UID 4 RFC822.SIZE 20 INTERNALDATE \" 1-Nov-2026 10:00:00 +0000\" FLAGS ())\r\n",
    b"* 2 FETCH (FLAGS (\\Seen \\Deleted) UID 5 RFC822.SIZE 30 INTERNALDATE \"11-Nov-2026 10:00:00 +0000\")\r\n",
    b"* 3 FETCH (UID 9 RFC822.SIZE 4 INTERNALDATE \"11-Nov-2026 10:00:00 +0000\" FLAGS ($Label))\r\n",
    b"A0004 OK done\r\n",
    b"* 1 FETCH (UID 4 BODY[] {21}\r\nSubject: a\r\n\r\n* 1 )\r\n FLAGS (\\Seen))\r\n",
    b"* 3 FETCH (BODY[] {4}\r\n\xff\x00\r\n UID 9)\r\n",
    b"A0005 OK done\r\n",
    b"* 1 FETCH (UID 4 BODY[HEADER]<0> {14}\r\nSubject: a\r\n\r\n)\r\n",
    b"A0006 OK done\r\n",
    b"* LIST (\\HasNoChildren \\Trash) \"/\" {5}\r\nTrash\r\n",
    b"* LIST (\\HasNoChildren) \"/\" \"a b\"\r\n",
    b"A0007 OK done\r\n",
    b"* BYE see you\r\n",
];

/// What is put where it does not belong.
const ODDITIES: [&[u8]; 17] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"  ",
    b"{5}\r\n",
    b"{5+}\r\n",
    b"~{5}\n",
    b" {0}\r\n",
    b"{99999999999999999999}\r\n",
    b"\"",
    b"(",
    b"* OK [ALERT]\xc3\xbc\r\n",
    b"* 2 FETCH (INTERNALDATE NIL)\r\n",
    b"* METADATA \"INBOX\" (/private/comment \"\xff\")\r\n",
    b"A0004 NO no\r\n",
    b"+ \r\n",
    b"\x00\xff",
];

/// Answers that nobody needs, before their line ends.
const NEEDLESS: [&[u8]; 10] = [
    b"* FLAGS (\\Seen \"two words\" Gr\xfcn)",
    b"* FLAGS NIL",
    b"* METADATA \"INBOX\" (/private/comment \"\xff\")",
    b"* OK [ALERT]\xc3\xbcber",
    b"* X-VENDOR ",
    b"* LIST (",
    b"* STATUS INBOX (MESSAGES many) ",
    b"* 2 FETCH (FLAGS ",
    b"* ID (",
    b"",
];

/// The session with needless lines between its answers, after the greeting.
fn with_needless_lines(dice: &mut Dice) -> Vec<u8> {
    let mut said: Vec<u8> = Vec::new();
    for answer in ANSWERS {
        said.extend_from_slice(answer);
        for _ in 0..dice.below(3) {
            let beginning = NEEDLESS[dice.below(NEEDLESS.len())];
            said.extend_from_slice(beginning);
            if beginning.ends_with(b" ") || beginning.ends_with(b"(") {
                // No brace: it would announce bytes. No capital: no word of IMAP comes about.
                let odd = (0..dice.below(30)).map(|_| dice.below(256) as u8);
                said.extend(odd.filter(|byte| !matches!(byte, b'\n' | b'{' | b'}' | b'A'..=b'Z' | b'a'..=b'z')));
                if dice.below(3) == 0 {
                    said.extend_from_slice(b" {7}\r\nA0004 \xff");
                }
            }
            said.extend_from_slice(b"\r\n");
        }
    }
    said
}

/// What a client learns in a session.
#[derive(Debug, Default, PartialEq, Eq)]
struct Learnt {
    listed: Vec<ListedMessage>,
    bodies: Vec<(u32, Vec<u8>)>,
    header: Option<Vec<u8>>,
    has_trash: bool,
    can_move: bool,
}

/// Everything that a run asks for, one after another, whatever the answers are.
async fn converse(said: Vec<u8>, server: Server<'_>, credentials: &Credentials) -> Result<Learnt, ImapError> {
    let stream = Stream::over(tokio::io::join(Cursor::new(said), tokio::io::sink()));
    let mut facts = Vec::new();
    let session = sign_in::over(stream, server, credentials, &Oddities::default(), &mut facts).await?;
    let mut connection = Connection::after("main", session, facts, server.timeout).await?;
    let mut learnt = Learnt { can_move: connection.has("MOVE"), ..Learnt::default() };
    connection.select("INBOX").await?;
    learnt.listed = list(&mut connection, 1).await?;
    let asked = body::ask_small(&mut connection, &learnt.listed).await?;
    let bodies: Bodies = body::read_small(&mut connection, &asked, 1 << 20).await?;
    learnt.bodies = bodies.into_iter().collect();
    learnt.bodies.sort();
    if let Some(first) = learnt.listed.first() {
        learnt.header = body::header(&mut connection, first).await?;
    }
    learnt.has_trash = folder::special(&mut connection, "\\Trash").await?.is_some();
    Ok(learnt)
}

fn cases() -> usize {
    std::env::var("POSTIGO_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_000)
}

/// What comes of sessions, each by its number.
fn each_session(mut said: impl FnMut(&mut Dice) -> Vec<u8>, mut check: impl FnMut(&[u8], Result<Learnt, ImapError>)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let account = Account { protocol: Protocol::Imap, user: "jane".into(), ..Account::default() };
    let ways = [
        Credentials::Password { user: "jane".into(), password: Secret::new("secret") },
        Credentials::Bearer { user: "jane".into(), token: Secret::new("token") },
    ];
    let mut dice = Dice::new(SEED);
    for case in 0..cases() {
        let said = said(&mut dice);
        let server = account.source().server().unwrap();
        check(&said, runtime.block_on(converse(said.clone(), server, &ways[case % ways.len()])));
    }
}

#[test]
fn fuzzed_sessions_end_without_a_panic() {
    let mut whole = 0;
    let mutated = |dice: &mut Dice| mutation::mutated(dice, &ANSWERS, &ODDITIES, b"x( \"", 16);
    each_session(mutated, |said, learnt| match learnt {
        Ok(_) => whole += 1,
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty() && text.len() < 2_000, "{text}");
            assert!(!matches!(error, ImapError::Unread { .. }), "{error}: {}", String::from_utf8_lossy(said));
            assert!(!text.contains("Error(") && !text.contains(", 32, "), "{text}");
        }
    });
    println!("{whole} sessions went to their end");
    assert!(whole > 0, "no session got to its end: the mutations are too rough");
}

#[test]
fn lines_that_nobody_needs_change_nothing_of_what_is_learnt() {
    let plain = |_: &mut Dice| ANSWERS.concat();
    let mut expected = None;
    each_session(plain, |_, learnt| expected = Some(learnt.unwrap()));
    let expected = expected.unwrap();
    assert_eq!((expected.listed.len(), expected.bodies.len(), expected.has_trash), (3, 2, true), "{expected:?}");
    each_session(with_needless_lines, |said, learnt| {
        let learnt = learnt.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(said)));
        assert_eq!(learnt, expected, "{}", String::from_utf8_lossy(said));
    });
}
