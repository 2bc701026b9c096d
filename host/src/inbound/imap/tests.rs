//! Fetching from a server that behaves badly with some of its messages.

use crate::inbound::{AccountMemory, FetchReport, Intake, IntakeRules, fetch};
use crate::oauth2::Tokens;
use crate::secret_key::SecretKey;
use crate::spool::{MessageFilter, Spool};
use crate::store::communications::{self, LogFilter};
use crate::store::{Location, Store};
use postigo_model::communication::{CommunicationKind, CommunicationStatus, Priority};
use postigo_model::configured::{Account, AfterFetch, Oversize, Protocol};
use postigo_model::spool::SpoolStatus;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// What the server does when a message's bytes are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Gives,
    /// NO to the whole command.
    Refuses,
    /// Closes the connection.
    HangsUp,
    /// Sends what is no IMAP in place of its bytes.
    Babbles,
    /// Gives it, and says this before every answer.
    Says(&'static [u8]),
    /// Gives nothing for it: it was expunged meanwhile, and is not listed again.
    Lacks,
    /// Gives nothing for it, and lists it whenever it is asked.
    Withholds,
    /// Lists so many bytes, has so many MiB, and says NIL after them.
    HasMore(usize, usize),
    /// The same as [`Self::HasMore`], and says each range twice.
    RepeatsRanges(usize, usize),
    /// Lists so many bytes, gives so many MiB, and then says NIL to everything: another client removed it meanwhile.
    Vanishes(usize, usize),
    /// Lists it without a date.
    Undated,
    /// Counts it, and does not list it.
    Hides,
    /// Lists it without its size, and hangs up where it is asked for more than a range.
    Unsized,
    /// The same, and says NIL.
    SizeNil,
    /// It was expunged by another client, and the server says so with the next NOOP alone: until then it gives nothing
    /// for it and lists it.
    Lapses,
    /// The same, and says NO where it is asked for.
    LapsesWithNo,
    /// The same, and counts it, though it does not list it.
    LapsesUnlisted,
}

impl Manner {
    fn is_removed(self) -> bool {
        matches!(self, Self::Lacks | Self::Vanishes(..))
    }

    fn lapses(self) -> bool {
        matches!(self, Self::Lapses | Self::LapsesWithNo | Self::LapsesUnlisted)
    }
}

/// Commands as they came.
type Commands = Arc<std::sync::Mutex<Vec<String>>>;

/// Serves a folder of messages, UID 1 and up; `told` hears of every STORE and EXPUNGE, `asked` of what asks for
/// messages.
async fn serve(listener: TcpListener, manners: Vec<Manner>, told: Commands, asked: Commands) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        // A client that went away ends only its own connection.
        let _ = converse(stream, &manners, &told, &asked).await;
    }
}

async fn converse(stream: TcpStream, manners: &[Manner], told: &Commands, asked: &Commands) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"* OK ready\r\n").await?;
    let mut have_lapsed = false;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let command = line.trim_end().to_owned();
        line.clear();
        let (tag, command) = command.split_once(' ').unwrap_or_default();
        for manner in manners {
            if let Manner::Says(words) = manner {
                stream.write_all(words).await?;
            }
        }
        let mut answer = String::new();
        let mut end = "OK done";
        match command.split(' ').next().unwrap_or_default() {
            "CAPABILITY" => answer.push_str("* CAPABILITY IMAP4rev1 UIDPLUS IDLE\r\n"),
            "SELECT" => answer = format!("* {} EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n", manners.len()),
            "UID" if command.contains("RFC822.SIZE") => {
                let set = command.split(' ').nth(2).unwrap_or_default();
                for (place, manner) in manners.iter().enumerate() {
                    if !set.ends_with('*') && (!uids(set).contains(&(place + 1)) || manner.is_removed()) {
                        continue;
                    }
                    answer += &match manner {
                        Manner::Hides | Manner::LapsesUnlisted => String::new(),
                        _ if have_lapsed && manner.lapses() => String::new(),
                        Manner::HasMore(size, _) | Manner::RepeatsRanges(size, _) | Manner::Vanishes(size, _) => {
                            listed(place + 1, *size)
                        }
                        Manner::Undated => {
                            listed(place + 1, body(place + 1).len()).replace("\" 1-Nov-2026 10:00:00 +0000\"", "NIL")
                        }
                        Manner::Unsized => listed(place + 1, 1).replace("RFC822.SIZE 1 ", ""),
                        Manner::SizeNil => listed(place + 1, 1).replace("SIZE 1 ", "SIZE NIL "),
                        _ => listed(place + 1, body(place + 1).len()),
                    };
                }
            }
            "UID" if command.contains("BODY.PEEK[HEADER]") => {
                let uid = uids(command.split(' ').nth(2).unwrap_or_default())[0];
                let header = format!("From: jane@example.com\r\nSubject: {uid}\r\n\r\n");
                answer = format!("* {uid} FETCH (UID {uid} BODY[HEADER]<0> {{{}}}\r\n{header})\r\n", header.len());
            }
            "UID" if command.contains("BODY.PEEK[]") => {
                asked.lock().unwrap().push(command.to_owned());
                let set = command.split(' ').nth(2).unwrap_or_default();
                for uid in uids(set) {
                    match manners[uid - 1] {
                        Manner::Unsized | Manner::SizeNil if !command.contains("]<") => return Ok(()),
                        Manner::Gives | Manner::Undated | Manner::Unsized | Manner::SizeNil | Manner::Says(_) => {
                            answer += &given(uid, command, &body(uid));
                        }
                        Manner::Refuses => end = "NO internal error",
                        Manner::LapsesWithNo => end = "NO [EXPUNGEISSUED] some are there no more",
                        Manner::HangsUp => return Ok(()),
                        Manner::Babbles => {
                            answer += &babbled(uid);
                        }
                        Manner::Lacks | Manner::Withholds | Manner::Hides | Manner::Lapses | Manner::LapsesUnlisted => {
                        }
                        Manner::Vanishes(_, mebibytes) => {
                            let is_there =
                                (0..mebibytes).any(|range| command.contains(&format!("<{}.1048576>", range << 20)));
                            let bytes = if is_there { mebibytes << 20 } else { 0 };
                            answer += &given(uid, command, &"x".repeat(bytes));
                        }
                        Manner::HasMore(_, mebibytes) => {
                            answer += &given(uid, command, &"x".repeat(mebibytes << 20));
                        }
                        Manner::RepeatsRanges(_, mebibytes) => {
                            answer += &given(uid, command, &"x".repeat(mebibytes << 20)).repeat(2);
                        }
                    }
                }
            }
            "NOOP" if !have_lapsed => {
                // From the last on, since each EXPUNGE gives those after it other numbers.
                let lapsed = manners.iter().enumerate().rev().filter(|(_, manner)| manner.lapses());
                answer = lapsed.map(|(place, _)| format!("* {} EXPUNGE\r\n", place + 1)).collect::<Vec<_>>().concat();
                have_lapsed = true;
            }
            "IDLE" => {
                stream.write_all(b"+ idling\r\n").await?;
                // From here on it is silent, whatever is said.
                while stream.read_line(&mut line).await? > 0 {}
                return Ok(());
            }
            "UID" => told.lock().unwrap().push(command.to_owned()),
            _ => {}
        }
        stream.write_all(format!("{answer}{tag} {end}\r\n").as_bytes()).await?;
    }
    Ok(())
}

fn uids(set: &str) -> Vec<usize> {
    set.split(',')
        .flat_map(|range| {
            let (first, last) = range.split_once(':').unwrap_or((range, range));
            first.parse().unwrap()..=last.parse::<usize>().unwrap()
        })
        .collect()
}

fn listed(uid: usize, size: usize) -> String {
    format!("* {uid} FETCH (UID {uid} RFC822.SIZE {size} INTERNALDATE \" 1-Nov-2026 10:00:00 +0000\" FLAGS ())\r\n")
}

fn babbled(uid: usize) -> String {
    format!("* {uid} FETCH (UID {uid} BODY[] \u{1}\u{2} gr\u{fc}n)\r\n")
}

/// What is asked for of a message: all of it, or a range. Where that has nothing, it is NIL.
fn given(uid: usize, command: &str, raw: &str) -> String {
    let Some((offset, length)) = command.split(['<', '>']).nth(1).and_then(|range| range.split_once('.')) else {
        return format!("* {uid} FETCH (UID {uid} BODY[] {{{}}}\r\n{raw})\r\n", raw.len());
    };
    let from = offset.parse::<usize>().unwrap().min(raw.len());
    let to = (from + length.parse::<usize>().unwrap()).min(raw.len());
    let bytes = if from == to { "NIL".to_owned() } else { format!("{{{}}}\r\n{}", to - from, &raw[from..to]) };
    format!("* {uid} FETCH (UID {uid} BODY[]<{offset}> {bytes})\r\n")
}

fn body(uid: usize) -> String {
    format!("Message-ID: <{uid}@x>\r\nSubject: {uid}\r\n\r\nbody\r\n")
}

struct Trial {
    spool: Spool,
    account: Arc<Account>,
    rules: IntakeRules,
    memory: AccountMemory,
    told: Commands,
    asked: Commands,
    _folder: tempfile::TempDir,
}

impl Trial {
    async fn against(manners: Vec<Manner>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (told, asked) = (Commands::default(), Commands::default());
        tokio::spawn(serve(listener, manners, Arc::clone(&told), Arc::clone(&asked)));
        let account = Account {
            name: "main".into(),
            protocol: Protocol::Imap,
            host: "127.0.0.1".into(),
            port: Some(port),
            user: "main".into(),
            after_fetch: AfterFetch::Delete,
            timeout: 5,
            ..Account::default()
        };
        let spool = Spool::open(store, folder.path()).unwrap();
        let rules = IntakeRules { greatest: 1 << 20, ..IntakeRules::default() };
        Self {
            spool,
            account: Arc::new(account),
            rules,
            memory: AccountMemory::default(),
            told,
            asked,
            _folder: folder,
        }
    }

    async fn fetch(&mut self) -> FetchReport {
        let rules = self.rules.clone();
        let tokens = Tokens::new(self.spool.store().clone(), SecretKey::at("key"));
        let intake =
            Intake::begin(Arc::clone(&self.account), rules, self.spool.clone(), tokens, CancellationToken::new());
        fetch(intake, &mut self.memory).await
    }

    /// The UIDs that were taken in, in order of arrival.
    async fn taken_in(&self) -> Vec<String> {
        let filter = MessageFilter { status: vec![SpoolStatus::Waiting], account: None, after: None, limit: 1_000 };
        let mut sources: Vec<String> =
            self.spool.list(&filter).await.unwrap().into_iter().map(|message| message.source).collect();
        sources.sort();
        sources
    }
}

#[tokio::test]
async fn a_message_that_the_server_refuses_or_lacks_keeps_none_of_the_others() {
    use Manner::{Gives, Lacks, Refuses};
    let mut trial = Trial::against(vec![Gives, Refuses, Gives, Lacks, Gives]).await;
    let report = trial.fetch().await;
    assert_eq!((report.error.as_deref(), report.new, report.unreadable, report.gone), (None, 3, 1, 1));
    assert_eq!(trial.taken_in().await, ["INBOX/1", "INBOX/3", "INBOX/5"]);
    let told = trial.told.lock().unwrap().clone();
    assert_eq!(told, ["UID STORE 1,3,5 +FLAGS.SILENT (\\Deleted)", "UID EXPUNGE 1,3,5"]);
}

#[tokio::test]
async fn a_message_that_is_listed_and_never_given_is_named_by_a_warning_each_time() {
    use Manner::{Gives, Lacks, Withholds};
    let mut trial = Trial::against(vec![Gives, Withholds, Lacks, Withholds]).await;
    for _ in 0..2 {
        let report = trial.fetch().await;
        assert_eq!((report.error.as_deref(), report.unreadable, report.gone), (None, 2, 1), "{report:?}");
        let told = trial.told_by(&report, Priority::Warning).await;
        assert!(told[0].contains("lists messages in INBOX and does not give them, by their UIDs: 2,4."), "{told:?}");
        assert_eq!(told.len(), 1);
        let id = report.communication.unwrap();
        let mut connection = trial.spool.store().read().await.unwrap();
        let shown = communications::show(&mut connection, &id, Priority::Debug).await.unwrap().unwrap();
        assert_eq!(shown.communication.status, CommunicationStatus::Warning);
    }
}

#[tokio::test]
async fn a_message_whose_removal_by_another_client_is_told_late_is_gone_and_nobody_is_warned_of_it() {
    use Manner::{Gives, Lapses, LapsesUnlisted, LapsesWithNo, Refuses, Withholds};
    for lapses in [vec![Lapses], vec![LapsesWithNo], vec![LapsesUnlisted], vec![Lapses, LapsesWithNo, LapsesUnlisted]] {
        let mut trial = Trial::against([vec![Gives], lapses.clone(), vec![Gives]].concat()).await;
        let report = trial.fetch().await;
        assert_eq!((report.error.as_deref(), report.new, report.unreadable), (None, 2, 0), "{lapses:?}: {report:?}");
        let told = trial.told_by(&report, Priority::Notice).await;
        assert!(told.is_empty(), "{lapses:?}: {told:?}");
    }
    let mut trial = Trial::against(vec![Lapses, Refuses, LapsesWithNo, Withholds]).await;
    let report = trial.fetch().await;
    assert_eq!((report.error.as_deref(), report.new, report.unreadable, report.gone), (None, 0, 2, 2), "{report:?}");
    let told = trial.told_by(&report, Priority::Warning).await;
    let about = |words: &str| told.iter().filter(|told| told.contains(words)).count();
    assert_eq!((about("by their UIDs: 4."), about("Message 2 of INBOX cannot"), told.len()), (1, 1, 2), "{told:?}");
}

#[tokio::test]
async fn messages_that_are_counted_and_not_listed_are_told_of() {
    use Manner::{Gives, Hides};
    let mut trial = Trial::against(vec![Gives, Hides, Gives]).await;
    let report = trial.fetch().await;
    assert_eq!((report.error.as_deref(), report.seen, report.new, report.unreadable), (None, 3, 2, 1));
    let told = trial.told_by(&report, Priority::Warning).await;
    assert!(told[0].contains("has 3 messages in INBOX, and it lists 2 of them"), "{told:?}");
}

#[tokio::test]
async fn a_message_that_is_larger_than_it_was_listed_is_taken_whole_or_is_too_large() {
    use Manner::{Gives, HasMore};
    // What is listed with more than 2 MiB is asked for alone, in ranges of 1 MiB.
    let in_ranges = (2 << 20) + 1;
    let mut trial = Trial::against(vec![Gives, HasMore(in_ranges, 4), HasMore(in_ranges, 3), HasMore(9, 4)]).await;
    trial.rules.greatest = 3 << 20;
    let report = trial.fetch().await;
    assert_eq!((report.error.as_deref(), report.new, report.oversize, report.gone), (None, 2, 2, 0), "{report:?}");
    assert_eq!(trial.taken_in().await, ["INBOX/1", "INBOX/3"]);
    assert_eq!(report.bytes, (body(1).len() + (3 << 20)) as u64, "nothing is missing where it ends with a range");
    let found = trial.found("jane@example.com").await;
    assert_eq!(found.len(), 2, "who looks for one that stays on the server finds it: {found:?}");
    let said = "It stays on the server. From: jane@example.com; Subject: ";
    assert!(found.iter().all(|told| told.contains(said)), "{found:?}");
    trial.fetch().await;
    assert_eq!(trial.found("jane@example.com").await, found, "it is told once");
    trial.rules.oversize = Oversize::DeleteAndLog;
    let report = trial.fetch().await;
    assert_eq!((report.error.as_deref(), report.oversize), (None, 2), "{report:?}");
    let told = trial.told.lock().unwrap().clone();
    assert!(told.contains(&"UID EXPUNGE 2".to_owned()) && told.contains(&"UID EXPUNGE 4".to_owned()), "{told:?}");
    let removed = trial.found("jane@example.com").await;
    assert_eq!(removed.iter().filter(|told| told.contains("It is removed from the server.")).count(), 2, "{removed:?}");
}

#[tokio::test]
async fn messages_that_are_all_larger_than_listed_are_not_all_taken_at_once() {
    let mut trial = Trial::against(vec![Manner::HasMore(9, 2); 7]).await;
    trial.rules.greatest = 3 << 20;
    let report = trial.fetch().await;
    assert_eq!((report.error.as_deref(), report.new, report.told), (None, 7, 7), "{report:?}");
    let asked = trial.asked.lock().unwrap().clone();
    let asked: Vec<&str> = asked.iter().filter(|line| line.contains("]<0.1048576>")).map(|line| &line[..11]).collect();
    assert_eq!(asked, ["UID FETCH 3", "UID FETCH 4", "UID FETCH 5", "UID FETCH 6", "UID FETCH 7"], "in ranges, alone");
}

#[tokio::test]
async fn a_message_without_a_size_is_taken_whole_or_is_too_large_or_gone() {
    use Manner::{Gives, HasMore, Unsized, Vanishes};
    let mut trial = Trial::against(vec![Gives, HasMore(0, 4), HasMore(0, 3), Unsized, Vanishes(0, 1), Gives]).await;
    trial.rules.greatest = 3 << 20;
    let report = trial.fetch().await;
    assert_eq!((report.error.as_deref(), report.new, report.oversize, report.gone), (None, 4, 1, 1), "{report:?}");
    assert_eq!(trial.taken_in().await, ["INBOX/1", "INBOX/3", "INBOX/4", "INBOX/6"]);
    let whole = body(1).len() + (3 << 20) + body(4).len() + body(6).len();
    assert_eq!(report.bytes, whole as u64, "nothing is missing and nothing there twice where ranges meet");
    trial.rules.oversize = Oversize::DeleteAndLog;
    trial.asked.lock().unwrap().clear();
    assert_eq!(trial.fetch().await.oversize, 1);
    let asked = trial.asked.lock().unwrap().clone();
    assert!(!asked.iter().any(|command| command.contains("UID FETCH 2 ")), "it is known to be too large: {asked:?}");
}

#[tokio::test]
async fn a_message_that_is_removed_while_it_comes_in_ranges_is_not_filed_cut() {
    use Manner::{Gives, HasMore, RepeatsRanges, Vanishes};
    let in_ranges = (3 << 20) - 5;
    let twice = RepeatsRanges(in_ranges, 2);
    let mut trial =
        Trial::against(vec![Vanishes(in_ranges, 1), HasMore(in_ranges, 2), Gives, Vanishes((1 << 20) + 9, 2), twice])
            .await;
    trial.rules.greatest = 4 << 20;
    let report = trial.fetch().await;
    assert_eq!((report.error.as_deref(), report.new, report.gone), (None, 3, 2), "{report:?}");
    let taken_in = trial.taken_in().await;
    assert_eq!(taken_in, ["INBOX/2", "INBOX/3", "INBOX/5"], "one that is smaller than it was listed is whole");
    assert_eq!(report.bytes, (4 << 20) + body(3).len() as u64, "a range that is said twice is taken once");
}

#[tokio::test]
async fn a_message_without_a_date_is_told_of_and_fetched_once_like_the_others() {
    use Manner::{Gives, Undated};
    let mut trial = Trial::against(vec![Gives, Undated, Gives, Undated, Undated]).await;
    trial.account = Arc::new(Account { after_fetch: AfterFetch::Keep, ..(*trial.account).clone() });
    for new in [5, 0] {
        let report = trial.fetch().await;
        assert_eq!((report.error.as_deref(), report.new), (None, new), "{report:?}");
        let (id, mut connection) = (report.communication.unwrap(), trial.spool.store().read().await.unwrap());
        let entries =
            communications::show(&mut connection, &id, Priority::Warning).await.unwrap().unwrap().communication.entries;
        let told =
            entries.iter().filter(|entry| entry.value.contains("of the messages with these UIDs: 2,4:5.")).count();
        assert_eq!(told, usize::from(new > 0), "{entries:?}");
    }
    assert_eq!(trial.taken_in().await.len(), 5);
}

#[tokio::test]
async fn a_message_that_ends_every_connection_keeps_none_of_the_others() {
    use Manner::{Babbles, Gives, HangsUp};
    for (bad, shown) in
        [(HangsUp, "the connection was lost"), (Babbles, "no IMAP that can be read: * 3 FETCH (UID 3 BODY[]")]
    {
        let mut trial = Trial::against(vec![Gives, Gives, bad, Gives]).await;
        let error = trial.fetch().await.error.expect("the first run sees the connection end");
        assert!(error.to_lowercase().contains(&shown.to_lowercase()), "{error}");
        for _ in 0..6 {
            trial.fetch().await;
        }
        assert_eq!(trial.taken_in().await, ["INBOX/1", "INBOX/2", "INBOX/4"], "{bad:?}");
        let report = trial.fetch().await;
        assert_eq!((report.error, report.unreadable), (None, 1), "{bad:?}: it is given up, and the run ends well");
    }
}

impl Trial {
    /// What the communications of messages tell that a search finds.
    async fn found(&self, text: &str) -> Vec<String> {
        let filter = LogFilter { search: Some(text.into()), limit: 100, ..LogFilter::default() };
        let mut connection = self.spool.store().read().await.unwrap();
        let mut told = Vec::new();
        for found in communications::list(&mut connection, &filter).await.unwrap() {
            assert_eq!(found.kind, CommunicationKind::Message);
            let shown = communications::show(&mut connection, &found.id, Priority::Warning).await.unwrap().unwrap();
            told.push(shown.communication.entries[0].value.clone());
        }
        told
    }

    /// What a fetch's communication tells, from this priority on.
    async fn told_by(&self, report: &FetchReport, priority: Priority) -> Vec<String> {
        let id = report.communication.as_deref().unwrap();
        let mut connection = self.spool.store().read().await.unwrap();
        let shown = communications::show(&mut connection, id, priority).await.unwrap().unwrap().communication;
        shown.entries.into_iter().map(|entry| entry.value).collect()
    }
}

#[tokio::test]
async fn a_line_that_nobody_needs_ends_no_session_and_is_told_once() {
    use Manner::{Gives, Says};
    for (said, told) in [
        (&b"* CAPABILITY  IMAP4rev1  UIDPLUS IDLE\r\n"[..], "* CAPABILITY  IMAP4rev1  UIDPLUS IDLE"),
        (b"* CAPABILITY IMAP4 UIDPLUS\r\n", "* CAPABILITY IMAP4 UIDPLUS"),
        (b"* FLAGS (\\Seen a\x01b)\r\n", "* FLAGS (\\Seen a b)"),
        (b"* FLAGS (\\Seen Gr\xfcn)\r\n", "* FLAGS (\\Seen Gr\u{fffd}n)"),
        (b"* FLAGS (\\Seen \"two words\")\r\n", "* FLAGS (\\Seen \"two words\")"),
        (b"* FLAGS NIL\r\n", "* FLAGS NIL"),
        (b"* LIST (\\Odd \"x\r\n", "* LIST (\\Odd \"x"),
        (b"* METADATA \"INBOX\" (/private/comment \"\xff\")\r\n", "* METADATA \"INBOX\""),
        (b"* X {11}\r\nA1 BAD x\r\n\xff\r\n", "left out: * X {\u{2026}}"),
        (b"* \x01\x02 what\r\n", "left out: *"),
        (b"* NO [X]\xc3\xbcber\0\r\n", "* NO [X]\u{fc}ber"),
        (b"* 1 FETCH (FLAGS (\\Seen Gr\xfcn))\r\n", "* 1 FETCH (FLAGS (\\Seen Gr\u{fffd}n))"),
        (b"\r\n", "an empty line"),
    ] {
        let mut trial = Trial::against(vec![Gives, Says(said), Gives]).await;
        let report = trial.fetch().await;
        let shown = String::from_utf8_lossy(said);
        assert_eq!((report.error.as_deref(), report.new, report.told), (None, 3, 3), "{shown}");
        let notices = trial.told_by(&report, Priority::Notice).await;
        assert_eq!(notices.iter().filter(|sentence| sentence.contains(told)).count(), 1, "{shown}: {notices:?}");
        assert_eq!(notices.len(), 1, "{shown}: {notices:?}");
    }
}

#[tokio::test]
async fn a_message_that_is_listed_without_its_size_is_fetched_once_like_the_others_and_told_of() {
    use Manner::{Gives, SizeNil, Unsized};
    let mut trial = Trial::against(vec![Unsized, Gives, SizeNil]).await;
    trial.account = Arc::new(Account { after_fetch: AfterFetch::Keep, ..(*trial.account).clone() });
    for (new, earlier) in [(3, 0), (0, 3)] {
        let report = trial.fetch().await;
        assert_eq!((report.error.as_deref(), report.seen, report.new, report.earlier), (None, 3, new, earlier));
        let told = trial.told_by(&report, Priority::Warning).await;
        let told =
            told.iter().filter(|told| told.contains("no size (RFC822.SIZE) of the messages with these UIDs: 1,3"));
        assert_eq!(told.count(), usize::from(new > 0));
    }
}

#[tokio::test]
async fn a_held_message_whose_size_the_server_does_not_tell_is_moved_like_the_others_and_no_copy_of_it_made() {
    let mut trial = Trial::against(vec![Manner::Unsized, Manner::Gives]).await;
    trial.account = Arc::new(Account { after_fetch: AfterFetch::Keep, ..(*trial.account).clone() });
    assert_eq!(trial.fetch().await.new, 2);
    trial.spool.store().execute("UPDATE spool SET status = 'held'").await;
    trial.account = Arc::new(Account { failed_folder: "Failed".into(), ..(*trial.account).clone() });
    assert_eq!(trial.fetch().await.error, None);
    let mut told = trial.told.lock().unwrap().clone();
    told.retain(|command| command.starts_with("UID COPY"));
    assert_eq!(told, ["UID COPY 1 \"Failed\"", "UID COPY 2 \"Failed\""]);
}

#[tokio::test]
async fn flags_that_cannot_be_read_keep_no_message_from_being_fetched() {
    use Manner::{Gives, Says};
    // Flags stand in the listing of their message, too; what is told twice of a message counts once.
    let listing = b"* 2 FETCH (UID 2 FLAGS (\\Seen \"Gr\xfcn \x02\" NIL) RFC822.SIZE 47 INTERNALDATE \" 1-Nov-2026 10:00:00 +0000\")\r\n";
    let mut trial = Trial::against(vec![Gives, Says(listing), Gives]).await;
    let report = trial.fetch().await;
    assert_eq!((report.error.as_deref(), report.new, report.seen), (None, 3, 3));
}

#[tokio::test]
async fn what_is_needed_and_cannot_be_read_is_an_error_that_shows_it() {
    use Manner::{Gives, Says};
    for (said, shown) in [
        (&b"* 99999999999 EXISTS\r\n"[..], "* 99999999999 EXISTS"),
        (b"* 2 FETCH (UID zwei RFC822.SIZE gro\xdf)\r\n", "* 2 FETCH (UID zwei RFC822.SIZE gro\u{fffd})"),
        (b"250 smtp\r\n", "250 smtp"),
    ] {
        let mut trial = Trial::against(vec![Gives, Says(said)]).await;
        let report = trial.fetch().await;
        let error = report.error.unwrap();
        assert!(error.ends_with(&format!("is no IMAP that can be read: {shown}")), "{error}");
        assert_eq!(report.new, 0);
    }
}

#[tokio::test]
async fn a_server_that_says_no_to_a_deletion_is_not_believed_to_have_deleted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut trial = Trial::against(vec![Manner::Gives]).await;
    let port = listener.local_addr().unwrap().port();
    let real = trial.account.port.unwrap();
    // Between client and server: every NO-free answer to STORE becomes a refusal.
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(("127.0.0.1", real)).await.unwrap();
        let (from_client, mut to_client) = client.into_split();
        let (from_server, mut to_server) = server.into_split();
        let (mut commands, mut answers) = (BufReader::new(from_client).lines(), BufReader::new(from_server).lines());
        to_client.write_all(format!("{}\r\n", answers.next_line().await.unwrap().unwrap()).as_bytes()).await.unwrap();
        while let Ok(Some(command)) = commands.next_line().await {
            let tag = command.split(' ').next().unwrap_or_default().to_owned();
            if command.contains("UID STORE") {
                to_client.write_all(format!("{tag} NO read-only\r\n").as_bytes()).await.unwrap();
                continue;
            }
            to_server.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
            while let Ok(Some(answer)) = answers.next_line().await {
                to_client.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
                if answer.starts_with(&format!("{tag} ")) {
                    break;
                }
            }
        }
    });
    trial.account = Arc::new(Account { port: Some(port), ..(*trial.account).clone() });
    let report = trial.fetch().await;
    assert!(report.error.is_some_and(|error| error.contains("read-only")), "the refusal is told");
    assert_eq!((report.new, report.told), (1, 0), "the mail is here, the server was not told");
}

#[tokio::test]
async fn a_connection_that_dies_in_silence_while_it_waits_is_replaced() {
    let mut trial = Trial::against(vec![Manner::Gives]).await;
    trial.account = Arc::new(Account { timeout: 1, after_fetch: AfterFetch::Keep, ..(*trial.account).clone() });
    trial.memory = AccountMemory::lasting();
    assert_eq!(trial.fetch().await.new, 1);
    let waited = tokio::time::timeout(Duration::from_millis(200), trial.memory.wait_for_news()).await;
    assert!(waited.is_err(), "nothing was told");
    let report = trial.fetch().await;
    assert_eq!((report.error, report.seen, report.earlier), (None, 1, 1));
}

#[tokio::test]
async fn a_fetch_that_is_broken_off_ends_its_communication_with_the_reason() {
    let mut trial = Trial::against(vec![Manner::Gives]).await;
    // A server that accepts and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    trial.account = Arc::new(Account { port: Some(port), timeout: 600, ..(*trial.account).clone() });
    let tokens = Tokens::new(trial.spool.store().clone(), SecretKey::at("key"));
    let stop = CancellationToken::new();
    let intake =
        Intake::begin(Arc::clone(&trial.account), trial.rules.clone(), trial.spool.clone(), tokens, stop.clone());
    stop.cancel();
    let report = fetch(intake, &mut trial.memory).await;
    assert!(report.error.as_ref().is_some_and(|error| error.contains("broken off")), "{report:?}");
    let (id, mut connection) = (report.communication.unwrap(), trial.spool.store().read().await.unwrap());
    let shown = communications::show(&mut connection, &id, Priority::Error).await.unwrap().unwrap().communication;
    assert_eq!(shown.status, CommunicationStatus::Failed);
    assert!(shown.ended_at.is_some() && shown.entries[0].value.contains("broken off"), "{shown:?}");
}
