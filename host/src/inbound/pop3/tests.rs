//! Fetching from a server that behaves badly, at each command.

use crate::inbound::{AccountMemory, FetchReport, Intake, IntakeRules, fetch};
use crate::oauth2::Tokens;
use crate::secret_key::SecretKey;
use crate::spool::{MessageFilter, Spool};
use crate::store::communications::{self, LogFilter};
use crate::store::{Location, Store, outgoing};
use postigo_model::communication::Priority;
use postigo_model::configured::{Account, Oversize, Protocol};
use postigo_model::spool::SpoolStatus;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const SECRET: &str = "hunter2";

/// What the server does instead of answering a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Refuses,
    HangsUp,
    IsSilent,
    /// Sends what is no POP3.
    Babbles,
    /// Sends a line without an end.
    GoesOn,
    /// Does it, and hangs up before it says so.
    DoesAndHangsUp,
}

/// Unique-id and bytes of a message on the server.
type Stored = (String, Vec<u8>);

/// A mailbox and its server's manners.
#[derive(Debug, Default)]
struct Server {
    /// Unique-id and bytes.
    mails: Vec<(String, Vec<u8>)>,
    capabilities: &'static str,
    has_no_uidl: bool,
    /// Lines that belong to no message, in every list.
    odd: &'static [u8],
    /// What comes with the answer to STLS.
    injected: &'static str,
    /// Commands that begin so, and how often.
    harm: Option<(String, Manner, usize)>,
    /// What it was told.
    said: Vec<String>,
}

impl Server {
    /// How it answers a command by its manners.
    fn manner(&mut self, command: &str) -> Option<Manner> {
        self.said.push(command.to_owned());
        let (start, manner, times) = self.harm.as_mut()?;
        if *times == 0 || !(command == *start || command.starts_with(&format!("{start} "))) {
            return None;
        }
        *times -= 1;
        Some(*manner)
    }

    fn answer(&mut self, command: &str, there: &[(String, Vec<u8>)], deleted: &mut BTreeSet<usize>) -> Vec<u8> {
        let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
        let number = rest.split(' ').next().and_then(|number| number.parse::<usize>().ok()).unwrap_or(0);
        let mail = there.get(number.wrapping_sub(1)).filter(|_| !deleted.contains(&number));
        let list = |what: &dyn Fn(&Stored) -> String| {
            let lines = there.iter().enumerate().filter(|(place, _)| !deleted.contains(&(place + 1)));
            let lines: String = lines.map(|(place, mail)| format!("{} {}\r\n", place + 1, what(mail))).collect();
            [b"+OK\r\n", self.odd, lines.as_bytes(), b".\r\n"].concat()
        };
        match (verb, mail) {
            ("CAPA", _) if self.capabilities.is_empty() => b"-ERR what?\r\n".to_vec(),
            ("CAPA", _) => {
                [b"+OK\r\n", self.odd, self.capabilities.replace(' ', "\r\n").as_bytes(), b"\r\n.\r\n"].concat()
            }
            ("STLS", _) => format!("+OK begin\r\n{}", self.injected).into_bytes(),
            ("STAT", _) => format!("+OK {} 1\r\n", there.len()).into_bytes(),
            ("LIST", _) => list(&|(_, raw)| raw.len().to_string()),
            ("UIDL", _) if self.has_no_uidl => b"-ERR what?\r\n".to_vec(),
            ("UIDL", _) => list(&|(uidl, _)| uidl.clone()),
            ("TOP", Some((_, raw))) => [b"+OK\r\n", header_of(raw), b".\r\n"].concat(),
            ("RETR", Some((_, raw))) => [b"+OK\r\n".as_slice(), raw, b".\r\n"].concat(),
            ("DELE", Some(_)) => {
                deleted.insert(number);
                b"+OK\r\n".to_vec()
            }
            ("QUIT", _) => {
                let kept = there.iter().enumerate().filter(|(place, _)| !deleted.contains(&(place + 1)));
                self.mails = kept.map(|(_, mail)| mail.clone()).collect();
                b"+OK bye\r\n".to_vec()
            }
            ("USER" | "PASS", _) => b"+OK\r\n".to_vec(),
            _ => b"-ERR what?\r\n".to_vec(),
        }
    }
}

/// What TOP gives of a mail.
fn header_of(raw: &[u8]) -> &[u8] {
    let end = raw.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    &raw[..end + 4]
}

async fn serve(listener: TcpListener, server: Arc<Mutex<Server>>) {
    while let Ok((stream, _)) = listener.accept().await {
        // A client that went away ends only its own connection.
        tokio::spawn(converse(stream, Arc::clone(&server)));
    }
}

async fn converse(stream: TcpStream, server: Arc<Mutex<Server>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"+OK ready\r\n").await?;
    let there = server.lock().unwrap().mails.clone();
    let mut deleted = BTreeSet::new();
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let command = line.trim_end().to_owned();
        line.clear();
        let (manner, answer) = {
            let mut server = server.lock().unwrap();
            let manner = server.manner(&command);
            let does = matches!(manner, None | Some(Manner::DoesAndHangsUp));
            (manner, if does { server.answer(&command, &there, &mut deleted) } else { Vec::new() })
        };
        match manner {
            None => stream.write_all(&answer).await?,
            Some(Manner::Refuses) => stream.write_all(format!("-ERR not now, {SECRET}\r\n").as_bytes()).await?,
            Some(Manner::HangsUp | Manner::DoesAndHangsUp) => return Ok(()),
            Some(Manner::IsSilent) => {
                // The client goes away in the end.
                stream.read_line(&mut line).await?;
                return Ok(());
            }
            Some(Manner::Babbles) => stream.write_all(b"* OK [ALERT] \x01\x02\r\n").await?,
            Some(Manner::GoesOn) => stream.write_all(&vec![b'x'; 20_000]).await?,
        }
        if command == "QUIT" {
            return Ok(());
        }
    }
    Ok(())
}

struct Trial {
    server: Arc<Mutex<Server>>,
    spool: Spool,
    account: Account,
    rules: IntakeRules,
    memory: AccountMemory,
    _folder: tempfile::TempDir,
}

impl Trial {
    async fn against(server: Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Arc::new(Mutex::new(server));
        tokio::spawn(serve(listener, Arc::clone(&server)));
        let account = Account {
            name: "main".into(),
            protocol: Protocol::Pop3,
            host: "127.0.0.1".into(),
            port: Some(port),
            user: "main".into(),
            password: Some(postigo_model::configured::Secret::new(SECRET)),
            timeout: 1,
            ..Account::default()
        };
        let spool = Spool::open(store, folder.path()).unwrap();
        let rules = IntakeRules { greatest: 1 << 20, ..IntakeRules::default() };
        Self { server, spool, account, rules, memory: AccountMemory::default(), _folder: folder }
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap()
    }

    /// Commands that begin so are treated badly so often.
    fn harm(&self, command: &str, manner: Manner, times: usize) {
        self.server().harm = Some((command.to_owned(), manner, times));
    }

    async fn fetch(&mut self) -> FetchReport {
        let rules = self.rules.clone();
        let tokens = Tokens::new(self.spool.store().clone(), SecretKey::at("key"));
        let intake =
            Intake::begin(Arc::new(self.account.clone()), rules, self.spool.clone(), tokens, CancellationToken::new());
        fetch(intake, &mut self.memory).await
    }

    /// Fetches without error, so that all is here and nothing there.
    async fn fetch_the_rest(&mut self) {
        let report = self.fetch().await;
        assert_eq!(report.error, None, "{report:?}");
        assert!(self.server().mails.is_empty(), "{report:?}");
    }

    /// How many senders were told that their mail is too large.
    async fn told(&self) -> usize {
        outgoing::due(&mut self.spool.store().read().await.unwrap(), 10).await.unwrap().len()
    }

    /// What was taken in, in any order.
    async fn taken_in(&self) -> Vec<Vec<u8>> {
        let filter = MessageFilter { status: vec![SpoolStatus::Waiting], account: None, after: None, limit: 1_000 };
        let mut all = Vec::new();
        for message in self.spool.list(&filter).await.unwrap() {
            all.push(self.spool.raw(message.id).await.unwrap());
        }
        all.sort();
        all
    }
}

fn mail(number: usize) -> Vec<u8> {
    format!("Message-ID: <{number}@x>\r\nSubject: {number}\r\n\r\nbody\r\n").into_bytes()
}

fn mails(count: usize) -> Vec<(String, Vec<u8>)> {
    (1..=count).map(|number| (format!("id-{number}"), mail(number))).collect()
}

fn bytes(mails: &[(String, Vec<u8>)]) -> Vec<Vec<u8>> {
    mails.iter().map(|(_, raw)| raw.clone()).collect()
}

/// With and without PIPELINING, with and without CAPA.
const CAPABILITIES: [&str; 3] = ["", "USER UIDL TOP", "USER UIDL TOP PIPELINING"];

#[tokio::test]
async fn whatever_breaks_at_whichever_command_is_said_and_nothing_is_lost_or_doubled() {
    use Manner::{Babbles, DoesAndHangsUp, GoesOn, HangsUp, Refuses};
    for command in ["CAPA", "USER", "PASS", "STAT", "LIST", "UIDL", "RETR 2", "DELE 2", "QUIT"] {
        for manner in [Refuses, HangsUp, Babbles, GoesOn, DoesAndHangsUp] {
            let capabilities = CAPABILITIES[(command.len() + manner as usize) % 3];
            let mut trial = Trial::against(Server { mails: mails(3), capabilities, ..Server::default() }).await;
            trial.harm(command, manner, 9);
            let report = trial.fetch().await;
            // A message that ends the session is asked for again, alone and last, and then has another number.
            let harmless = command == "RETR 2" || (manner == Refuses && matches!(command, "CAPA" | "UIDL"));
            let error = report.error.unwrap_or_default();
            assert_eq!(error.is_empty(), harmless, "{command} {manner:?}: {error:?}");
            assert!(command != "PASS" || !error.contains(SECRET), "{manner:?}: {error:?}");
            assert!(report.told < 3 || harmless, "{command} {manner:?}: what was not answered does not count");
            trial.server().harm = None;
            trial.fetch_the_rest().await;
            assert_eq!(trial.taken_in().await, bytes(&mails(3)), "{command} {manner:?}");
        }
    }
}

#[tokio::test]
async fn lines_that_belong_to_no_message_end_no_session_and_are_told() {
    for odd in [
        &b"\r\n"[..],
        b"X\xff \x01\r\n",
        b"* \"quoted\" NIL\r\n",
        b"99999999999 x\r\n",
        b"3 messages (320 octets)\r\n",
        b"320 octets in all\r\n",
    ] {
        let server = Server { mails: mails(3), capabilities: "USER UIDL TOP", odd, ..Server::default() };
        let mut trial = Trial::against(server).await;
        let report = trial.fetch().await;
        assert_eq!((report.error.as_deref(), report.new, report.told), (None, 3, 3), "{odd:?}");
        let id = report.communication.unwrap();
        let mut connection = trial.spool.store().read().await.unwrap();
        let shown = communications::show(&mut connection, &id, Priority::Notice).await.unwrap().unwrap();
        let told = shown.communication.entries.iter().filter(|entry| entry.value.contains("belongs to none")).count();
        assert_eq!(told, 2, "of the sizes and of the unique-ids: {:?}", shown.communication.entries);
    }
}

#[tokio::test]
async fn a_silent_server_is_left_after_the_time_out() {
    for command in ["PASS", "RETR 2", "QUIT"] {
        let mut trial = Trial::against(Server { mails: mails(2), ..Server::default() }).await;
        trial.harm(command, Manner::IsSilent, 1);
        let report = trial.fetch().await;
        let said = report.error.unwrap_or_default();
        // A silent RETR is followed by a session that goes well.
        assert!(command == "RETR 2" || said.contains("silent for 1"), "{command}: {said}");
        trial.fetch_the_rest().await;
        assert_eq!(trial.taken_in().await, bytes(&mails(2)));
    }
}

#[tokio::test]
async fn a_message_that_ends_every_connection_keeps_none_of_the_others() {
    for capabilities in CAPABILITIES {
        let mut trial = Trial::against(Server { mails: mails(4), capabilities, ..Server::default() }).await;
        trial.harm("RETR 3", Manner::HangsUp, 1);
        let report = trial.fetch().await;
        assert_eq!((report.error, report.new, report.told), (None, 4, 4), "a second session brings it");
        assert!(trial.server().mails.is_empty());

        // Its number changes when others are deleted.
        let guilty = ("id-9".to_owned(), mail(9));
        trial.server().mails = [vec![guilty], mails(3)].concat();
        trial.harm("RETR 1", Manner::HangsUp, 99);
        let report = trial.fetch().await;
        assert!(report.error.is_some_and(|error| error.contains("connection was lost")));
        assert_eq!(bytes(&trial.server().mails), [mail(9)], "the others are fetched and deleted");
        for _ in 0..2 {
            trial.fetch().await;
        }
        let report = trial.fetch().await;
        assert_eq!((report.error, report.unreadable), (None, 1), "it is given up for a while, and the run ends well");
    }
}

#[tokio::test]
async fn a_unique_id_that_stands_for_another_message_by_now_deletes_nothing_unread() {
    let mut trial = Trial::against(Server { mails: mails(1), ..Server::default() }).await;
    trial.harm("QUIT", Manner::DoesAndHangsUp, 1);
    assert!(trial.fetch().await.error.is_some());
    trial.server().mails = vec![("id-1".into(), mail(2))];
    trial.fetch_the_rest().await;
    trial.server().mails = vec![("id-1".into(), mail(3))];
    trial.fetch_the_rest().await;
    assert_eq!(trial.taken_in().await, [mail(1), mail(2), mail(3)]);
}

#[tokio::test]
async fn without_unique_ids_equal_forms_are_two_messages_and_none_is_filed_twice() {
    let form = b"Subject: form\r\n\r\nNo Message-ID, no Received.\r\n".to_vec();
    let same = |uidl: &str| (uidl.to_owned(), form.clone());
    // No UIDL; one id for all; ids that are none.
    for (uidls, has_no_uidl) in [(["a", "b", "c"], true), (["a", "a", "a"], false), (["a", "", "c"], false)] {
        let there = vec![same(uidls[0]), same(uidls[1]), (uidls[2].to_owned(), mail(1))];
        let mut trial = Trial::against(Server { mails: there.clone(), has_no_uidl, ..Server::default() }).await;
        trial.harm("QUIT", Manner::HangsUp, 1);
        assert!(trial.fetch().await.error.is_some());
        trial.fetch_the_rest().await;
        let mut expected = bytes(&there);
        expected.sort();
        assert_eq!(trial.taken_in().await, expected, "{uidls:?}");
        trial.server().mails = vec![same("d")];
        trial.fetch_the_rest().await;
        assert_eq!(trial.taken_in().await.len(), 4, "the form was sent once more");
    }
}

#[tokio::test]
async fn without_unique_ids_a_message_that_is_not_given_for_once_is_not_filed_again() {
    let form = b"Subject: form\r\n\r\nNo Message-ID, no Received.\r\n".to_vec();
    let there = vec![("a".to_owned(), form), ("b".to_owned(), mail(1))];
    let mut trial = Trial::against(Server { mails: there, has_no_uidl: true, ..Server::default() }).await;
    trial.account.after_fetch = postigo_model::configured::AfterFetch::Keep;
    for times in [0, 1, 0] {
        trial.harm("RETR 1", Manner::Refuses, times);
        assert_eq!(trial.fetch().await.error, None);
    }
    assert_eq!(trial.taken_in().await.len(), 2);
}

#[tokio::test]
async fn what_was_taken_in_is_not_refused_when_less_is_taken_later() {
    let mut trial = Trial::against(Server { mails: mails(1), ..Server::default() }).await;
    trial.account.after_fetch = postigo_model::configured::AfterFetch::Keep;
    assert_eq!(trial.fetch().await.new, 1);
    trial.account.after_fetch = postigo_model::configured::AfterFetch::Delete;
    trial.rules = IntakeRules { greatest: 5, oversize: Oversize::Refuse, ..IntakeRules::default() };
    let report = trial.fetch().await;
    assert_eq!((report.oversize, report.earlier, trial.server().mails.len()), (0, 1, 1), "{report:?}");
}

#[tokio::test]
async fn a_server_that_forgets_unique_ids_for_a_while_has_nothing_filed_twice() {
    let mut trial = Trial::against(Server { mails: mails(3), ..Server::default() }).await;
    trial.account.after_fetch = postigo_model::configured::AfterFetch::Keep;
    for has_no_uidl in [false, true, false, false] {
        trial.server().has_no_uidl = has_no_uidl;
        assert_eq!(trial.fetch().await.error, None);
    }
    assert_eq!(trial.taken_in().await, bytes(&mails(3)));
    assert_eq!(trial.fetch().await.fetched, 0, "they are known by their unique-ids again");
    assert_eq!(trial.server().mails.len(), 3);
}

#[tokio::test]
async fn unique_ids_that_cannot_be_used_for_once_are_forgotten_by_nobody() {
    // Without a Message-ID nobody can tell it from another like it.
    let mail = ("a".to_owned(), b"Subject: a form\r\n\r\nHello.\r\n".to_vec());
    let mut trial = Trial::against(Server { mails: vec![mail], ..Server::default() }).await;
    trial.account.after_fetch = postigo_model::configured::AfterFetch::Keep;
    let mut fetched = Vec::new();
    // The second says two things of it.
    for odd in [&b""[..], b"1 messages\r\n", b""] {
        trial.server().odd = odd;
        let report = trial.fetch().await;
        assert_eq!(report.error, None);
        fetched.push(report.fetched);
    }
    assert_eq!(fetched, [1, 1, 0], "the last knows what the first has taken in");
}

#[tokio::test]
async fn nothing_is_said_in_clear_where_tls_is_wanted() {
    for (injected, words) in [("+OK in clear\r\n", "may be an attack"), ("-ERR\r\n", "may be an attack")] {
        let mut trial = Trial::against(Server { mails: mails(1), injected, ..Server::default() }).await;
        trial.account.protocol = Protocol::Pop3StartTls;
        let said = trial.fetch().await.error.unwrap_or_default();
        assert!(said.contains(words), "{said}");
        trial.harm("STLS", Manner::Refuses, 1);
        let said = trial.fetch().await.error.unwrap_or_default();
        assert!(said.contains("does not start TLS"), "{said}");
        assert!(
            trial.server().said.iter().all(|command| command == "CAPA" || command == "STLS"),
            "{:?}",
            trial.server().said
        );
    }
}

#[tokio::test]
async fn a_server_that_wants_tls_before_a_password_gets_none() {
    let mut trial = Trial::against(Server { mails: mails(1), capabilities: "STLS UIDL", ..Server::default() }).await;
    let said = trial.fetch().await.error.unwrap_or_default();
    assert!(said.contains("pop3+starttls"), "{said}");
    assert_eq!(trial.server().said, ["CAPA"]);
}

#[tokio::test]
async fn the_sender_of_a_mail_that_stays_although_it_is_too_large_is_told_once() {
    let large = |number: usize| {
        let raw = format!("From: jane@example.com\r\nSubject: {number}\r\n\r\n{}", "far too long\r\n".repeat(100));
        (format!("id-{number}"), raw.into_bytes())
    };
    let mut trial = Trial::against(Server { mails: vec![large(1)], ..Server::default() }).await;
    trial.rules =
        IntakeRules { greatest: 500, oversize: Oversize::Refuse, answers_per_day: 40, ..IntakeRules::default() };
    let mut told = Vec::new();
    for (command, times) in [("TOP", 1), ("DELE", 1), ("QUIT", 1), ("none", 0)] {
        trial.harm(command, Manner::Refuses, times);
        let report = trial.fetch().await;
        assert_eq!(
            (report.oversize, report.new, report.error.is_some()),
            (1, 0, command == "DELE" || command == "QUIT"),
            "{report:?}"
        );
        told.push(trial.told().await);
    }
    assert_eq!(told, [0, 1, 1, 1], "first its header is not given, then it is not removed twice");
    assert!(trial.server().mails.is_empty());
    trial.server().mails = vec![large(2)];
    trial.fetch_the_rest().await;
    assert_eq!(trial.told().await, 2, "another mail");
}

#[tokio::test]
async fn a_mail_that_is_too_large_is_found_by_whose_it_is_whether_it_stays_or_not() {
    let raw = format!("From: jane@example.com\r\nSubject: large\r\n\r\n{}", "far too long\r\n".repeat(100));
    let mut trial =
        Trial::against(Server { mails: vec![("id".to_owned(), raw.into_bytes())], ..Server::default() }).await;
    trial.rules = IntakeRules { greatest: 500, oversize: Oversize::Leave, ..IntakeRules::default() };
    for (oversize, found) in [(Oversize::Leave, 1), (Oversize::Leave, 1), (Oversize::DeleteAndLog, 2)] {
        trial.rules.oversize = oversize;
        assert_eq!(trial.fetch().await.oversize, 1);
        let filter = LogFilter { search: Some("jane@example.com".into()), limit: 100, ..LogFilter::default() };
        let mut connection = trial.spool.store().read().await.unwrap();
        let listed = communications::list(&mut connection, &filter).await.unwrap();
        assert_eq!(listed.len(), found, "{oversize:?}: {listed:?}");
        let shown = communications::show(&mut connection, &listed[0].id, Priority::Warning).await.unwrap().unwrap();
        let told = &shown.communication.entries[0].value;
        assert!(told.contains("From: jane@example.com; Subject: large"), "{told}");
    }
    assert!(trial.server().mails.is_empty());
}

#[tokio::test]
async fn a_mail_that_is_too_large_stays_while_its_sender_cannot_be_told() {
    let raw = format!("From: jane@example.com\r\nSubject: large\r\n\r\n{}", "far too long\r\n".repeat(100));
    let mut trial =
        Trial::against(Server { mails: vec![("id".to_owned(), raw.into_bytes())], ..Server::default() }).await;
    trial.rules =
        IntakeRules { greatest: 500, oversize: Oversize::Refuse, answers_per_day: 0, ..IntakeRules::default() };
    assert_eq!(trial.fetch().await.oversize, 1);
    assert_eq!((trial.told().await, trial.server().mails.len()), (0, 1), "nobody was told");
    trial.rules.answers_per_day = 40;
    assert_eq!(trial.fetch().await.oversize, 1);
    assert_eq!((trial.told().await, trial.server().mails.len()), (1, 0));
}
