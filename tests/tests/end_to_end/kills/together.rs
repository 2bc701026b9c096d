//! Kills while mail comes in by LMTP from Postfix, by IMAP and by POP3 together, and while automatic answers and
//! agents' replies go out.

use super::{TELL_ALL, watch};
use postigo_tests::dovecot::{Dovecot, PASSWORD};
use postigo_tests::draw::Draw;
use postigo_tests::gate::{Daemon, Gate, PATIENCE, http_client, is_full, until};
use postigo_tests::mails::subject;
use postigo_tests::ports::free_port;
use postigo_tests::postfix::{Options, Postfix};
use postigo_tests::postgres::Postgres;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// A kill comes after so many commits and commands at most.
const LATEST: u64 = 40;
/// What is left after the last kill is done by then.
const DONE: Duration = Duration::from_mins(5);
/// Of five mails two come by LMTP and are answered automatically, two by IMAP, and one by POP3.
const PORTION: usize = 5;
/// Where agents' replies go.
const CUSTOMER: &str = "replied";

/// The servers around.
struct Around {
    dovecot: Dovecot,
    postfix: Postfix,
    lmtp: u16,
}

impl Around {
    fn start() -> Option<Self> {
        let dovecot = Dovecot::start()?;
        let lmtp = free_port();
        let (folder, user, group) = dovecot.mailboxes();
        let transports = vec![("example.org".into(), format!("lmtp:inet:127.0.0.1:{lmtp}"))];
        let mailboxes = Some(("customer.example".into(), folder, user, group));
        Some(Self { postfix: Postfix::start(Options { transports, mailboxes, ..Options::default() })?, dovecot, lmtp })
    }

    fn configuration(&self) -> String {
        let fetched = [("imap", self.dovecot.imap), ("pop3", self.dovecot.pop3)].map(|(protocol, port)| {
            format!(
                "[[account]]\nname = \"{protocol}\"\nprotocol = \"{protocol}\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{protocol}\"\n\
                 password = \"{PASSWORD}\"\ninterval = \"1s\"\ndispatch = \"queue:Misc\"\n"
            )
        });
        format!(
            "[settings]\noutbound = {{ retry = \"linear\", retry_increment = \"1s\" }}\n\
             [[queue]]\nname = \"Support\"\naddress = \"support@example.org\"\n\
             [[system_address]]\naddress = \"support@example.org\"\ndisplay_name = \"Support\"\nqueue = \"Support\"\n\
             [[auto_response]]\nname = \"Receipt\"\ntype = \"reply\"\nqueue = \"Support\"\nsubject = \"Receipt\"\nbody = \"We have it.\"\n\
             [[account]]\nname = \"lmtp\"\nprotocol = \"lmtp\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"support@example.org\"\n\
             [[transport]]\nname = \"relay\"\nkind = \"smtp\"\nhost = \"127.0.0.1\"\nport = {}\n{}",
            self.lmtp,
            self.postfix.smtp,
            fetched.concat()
        )
    }

    /// Brings a portion of mails, each to where its number belongs.
    fn deliver(&self, portion: usize) {
        for number in portion * PORTION..(portion + 1) * PORTION {
            let mail = mail(number);
            match number % PORTION {
                0 | 1 => self.postfix.send(&address(number), &["support@example.org"], &mail),
                2 | 3 => self.dovecot.deliver("imap", "INBOX", [mail.as_slice()]),
                _ => self.dovecot.deliver("pop3", "INBOX", [mail.as_slice()]),
            }
        }
    }

    /// What a customer has got.
    fn mails_of(&self, user: &str) -> Vec<String> {
        let folder = self.dovecot.mailboxes().0.join(user).join("new");
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        files.map(|file| String::from_utf8_lossy(&std::fs::read(file.path()).expect("a mail")).into_owned()).collect()
    }

    fn is_done(&self, gate: &Gate) -> bool {
        let fetched = ["imap", "pop3"].iter().all(|user| self.dovecot.messages(user, "INBOX").is_empty());
        fetched
            && self.postfix.queued() == 0
            && gate.on_their_way() == 0
            && unsent(gate) == 0
            && self.postfix.queued() == 0
    }
}

/// Each from a customer of its own: nobody gets more automatic answers than a day allows.
fn mail(number: usize) -> Vec<u8> {
    format!(
        "From: <{}>\r\nTo: support@example.org\r\nSubject: {}\r\nMessage-ID: <{number}.kill@customer.example>\r\n\
         Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n\r\nThis is mail number {number}.\r\n",
        address(number),
        subject(number)
    )
    .into_bytes()
}

fn address(number: usize) -> String {
    format!("{}@customer.example", user(number))
}

fn user(number: usize) -> String {
    format!("customer{number}")
}

fn outbound(gate: &Gate) -> Vec<Value> {
    let statuses = ["due", "waiting", "sending", "sent", "failed", "uncertain", "cancelled"]
        .into_iter()
        .flat_map(|status| ["--status", status]);
    gate.json(&[&["outbound", "list", "--limit", "100000"], statuses.collect::<Vec<_>>().as_slice()].concat())
}

fn unsent(gate: &Gate) -> usize {
    outbound(gate)
        .iter()
        .filter(|mail| ["due", "waiting", "sending"].contains(&mail["status"].as_str().unwrap_or_default()))
        .count()
}

#[test]
fn killed_while_mail_comes_in_every_way_and_goes_out_on_sqlite() {
    let Some(around) = Around::start() else { return };
    killed_at_random(&around, &Gate::new(), 3);
}

#[test]
fn killed_while_mail_comes_in_every_way_and_goes_out_on_postgres() {
    let (Some(around), Some(postgres)) = (Around::start(), Postgres::start()) else { return };
    killed_at_random(&around, &Gate::on_postgres(&postgres.database(), None), 4);
}

fn killed_at_random(around: &Around, gate: &Gate, seed: u64) {
    let kills = if is_full() { 200 } else { 6 };
    gate.configure(&around.configuration());
    let number = first_ticket(gate);
    let token = gate.json(&["token", "create", "--role", "agent"])[0]["token"].as_str().expect("a token").to_owned();
    let mut draw = Draw(seed);
    let (mut at_work, mut lives) = (0, 0);
    let mut moments: BTreeMap<String, usize> = BTreeMap::new();
    let mut replies = 0;
    // How many commits and commands there are before all is done depends on the machine: some kills come after it.
    while at_work < kills {
        assert!(lives < kills * 4 + 10, "only {at_work} of {lives} kills came while the daemon worked");
        around.deliver(lives);
        lives += 1;
        let (daemon, said) = Daemon::spawn(gate.command().env("POSTIGO_LOG", TELL_ALL));
        // Every second life an agent writes; what is not answered they write again in a later life.
        let wanted = lives.div_ceil(2);
        let replied = std::thread::scope(|scope| {
            let (number, token) = (&number, &token);
            let agent = scope.spawn(move || reply(&said, number, token, replies..wanted));
            let last = watch(&daemon, draw.below(LATEST));
            std::thread::sleep(Duration::from_micros(draw.below(3_000)));
            daemon.kill();
            at_work += usize::from(last.is_some() && !around.is_done(gate));
            *moments.entry(last.unwrap_or_else(|| "idle".to_owned())).or_default() += 1;
            agent.join().expect("the agent's requests end")
        });
        replies += replied;
    }
    let (daemon, said) = Daemon::spawn(gate.command().env("POSTIGO_LOG", "warn"));
    let wanted = lives.div_ceil(2);
    replies += reply(&said, &number, &token, replies..wanted);
    assert_eq!(replies, wanted, "all replies are taken");
    until("all is fetched, filed and sent", DONE, || around.is_done(gate));
    super::assert_none_is_held(gate);
    daemon.stop();
    let mut expected: Vec<String> = (0..lives * PORTION).map(subject).collect();
    expected.insert(0, "A first mail".to_owned());
    assert_eq!(gate.titles(), expected, "all are filed, none twice");
    let (doubled, missing) = assert_sent(around, gate, lives, replies);
    println!(
        "{lives} kills, {at_work} of them with work in flight; {} mails filed once each; {replies} replies sent, {doubled} of them twice; \
         {} automatic answers, {missing} of them uncertain; after: {moments:#?}",
        lives * PORTION,
        lives * 2,
    );
}

/// The ticket that agents reply in.
fn first_ticket(gate: &Gate) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("first.eml");
    let mail = format!(
        "From: <{CUSTOMER}@customer.example>\r\nTo: support@example.org\r\nSubject: A first mail\r\nMessage-ID: <first@x.test>\r\nX-OTOBO-Loop: yes\r\n\r\nHello.\r\n"
    );
    std::fs::write(&path, mail).expect("a file");
    let filed = gate.json(&["ingest", &path.display().to_string()]);
    filed[0]["ticket_number"].as_str().expect("it is filed").to_owned()
}

/// Writes these replies by REST once the daemon serves, until one is not answered; how many were. A repeated request is
/// no second reply: its key is the same.
fn reply(said: &Receiver<String>, ticket: &str, token: &str, numbers: std::ops::Range<usize>) -> usize {
    let Some(url) =
        said.iter().find_map(|line| Some(line.split_once("http://")?.1.split([' ', '"']).next()?.to_owned()))
    else {
        return 0;
    };
    let client = http_client(PATIENCE);
    let answered = numbers.take_while(|number| {
        let request = client.post(format!("http://{url}/api/v1/tickets/{ticket}/articles")).bearer_auth(token);
        let body = json!({ "kind": "reply", "body": format!("This is reply number {number}.") });
        let Ok(response) = request.header("Idempotency-Key", format!("reply-{number}")).json(&body).send() else {
            return false;
        };
        assert!(response.status().is_success() || response.status().is_server_error(), "{response:?}");
        response.status().is_success()
    });
    answered.count()
}

/// Replies came to the customer, more than once only where the queue says that an answer was lost; automatic answers
/// came once, or are uncertain. How many replies came twice, and how many automatic answers are uncertain.
fn assert_sent(around: &Around, gate: &Gate, lives: usize, replies: usize) -> (usize, usize) {
    let outbound = outbound(gate);
    let bodies = around.mails_of(CUSTOMER);
    let lost_answers =
        |mail: &Value| if mail["kind"] == "reply" { mail["uncertain_tries"].as_u64().unwrap_or(0) as usize } else { 0 };
    let may_double: usize = outbound.iter().map(lost_answers).sum();
    // One whose answer was lost three times is not sent once more; agents are told.
    let given_up =
        |mail: &&Value| mail["kind"] == "reply" && mail["status"] == "uncertain" && mail["uncertain_tries"] == 3;
    let unsure = outbound.iter().filter(given_up).count();
    let (mut doubled, mut missing) = (0, 0);
    for number in 0..replies {
        match bodies.iter().filter(|body| body.contains(&format!("This is reply number {number}."))).count() {
            0 => missing += 1,
            times => doubled += times - 1,
        }
    }
    assert!(missing <= unsure, "{missing} replies are lost, {unsure} are uncertain");
    assert!(doubled <= may_double, "{doubled} more replies came than were written, {may_double} answers were lost");
    let is_sent = |mail: &&Value| mail["status"] == "sent" || given_up(mail);
    assert!(outbound.iter().filter(|mail| mail["kind"] == "reply").all(|mail| is_sent(&mail)), "{outbound:#?}");
    let mut uncertain = 0;
    for number in (0..lives * PORTION).filter(|number| number % PORTION < 2) {
        let times = around.dovecot.messages(&user(number), "INBOX").len();
        let to = |mail: &&Value| mail["recipients"].to_string().contains(&address(number));
        let row: Vec<&Value> = outbound.iter().filter(to).collect();
        assert_eq!(row.len(), 1, "one automatic answer to {}: {row:#?}", address(number));
        match row[0]["status"].as_str().unwrap_or_default() {
            "sent" => assert_eq!(times, 1, "{}", row[0]),
            "uncertain" => {
                uncertain += 1;
                assert!(times <= 1, "{}", row[0]);
            }
            _ => panic!("it is neither sent nor uncertain: {}", row[0]),
        }
    }
    (doubled, uncertain)
}
