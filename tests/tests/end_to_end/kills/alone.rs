//! Kills while messages are worked on alone, in processes of their own: whatever the daemon dies of, no message is
//! blamed for it. What a process of its own dies of while the daemon lives counts against its message.

use super::account;
use postigo_tests::component::Component;
use postigo_tests::dovecot::{Dovecot, PASSWORD};
use postigo_tests::draw::Draw;
use postigo_tests::gate::{Daemon, Gate, PATIENCE, binary, is_full, until};
use postigo_tests::mails::{mail, subject};
use postigo_tests::ports::free_port;
use postigo_tests::postgres::Postgres;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

/// The daemon says when it claims messages, and when one has a process of its own.
const TELL: &str = "warn,postigo::worker=debug,postigo::daemon::listening=info";
const ALONE: &str = "a message has a process of its own";
const CLAIMED: &str = "messages are claimed";
/// Milliseconds after a message is claimed, or has its process, in which a kill comes: what is a little longer than the
/// slow filter may take, so that most come while it runs, however fast or slow the machine is.
const LATEST_KILL: u64 = 350;
/// What is left after the last kill is done by then.
const DONE: Duration = Duration::from_mins(5);

/// Gives a gate a filter that never ends by itself, so that each message takes as long as the filter may.
fn slow_filter(gate: &Gate, time: &str) {
    upload(gate, "endless", &Component::new("endless", "1.0.0").that_loops());
    gate.configure(&format!(
        "[[filter]]\nname = \"endless\"\ncomponent = \"endless\"\nlimits = {{ time = \"{time}\" }}\n"
    ));
}

fn upload(gate: &Gate, name: &str, component: &Component) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("component.wasm");
    std::fs::write(&path, component.bytes()).expect("a file");
    gate.run(&["component", "upload", &path.display().to_string()]);
    gate.run(&["component", "activate", name]);
}

/// The daemon's processes for messages.
fn children(daemon: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{daemon}/task")).into_iter().flatten().flatten();
    let of_threads = threads.map(|thread| std::fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    let all: BTreeSet<u32> = of_threads
        .flat_map(|pids| pids.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect();
    let is_for_a_message = |pid: &u32| {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        arguments.split(|byte| *byte == 0).nth(1) == Some(b"message-child".as_slice())
    };
    all.into_iter().filter(is_for_a_message).collect()
}

/// Sends a signal to processes, in this order; those that are gone by then are left out.
fn signal(name: &str, processes: &[u32]) {
    let processes: Vec<String> = processes.iter().map(u32::to_string).collect();
    Command::new("kill").arg(format!("-{name}")).args(processes).output().expect("kill runs");
}

/// The process that the next message has for itself.
fn next_process(daemon: &Daemon) -> u32 {
    let line = daemon.wait_for(ALONE);
    let (_, after) = line.split_once("process=").expect("the process is named");
    after.split_whitespace().next().and_then(|pid| pid.parse().ok()).expect("a process id")
}

/// Kills a daemon that has just begun to work on a mail.
fn end_uncleanly(gate: &Gate, number: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mail.eml");
    std::fs::write(&path, mail(number)).expect("a file");
    let daemon = gate.serve(TELL);
    let mut bringing = gate.command().arg("ingest").arg(&path).spawn().expect("the binary is built");
    daemon.wait_for(CLAIMED);
    daemon.kill();
    // It waits for what becomes of the mail.
    bringing.kill().expect("a child");
    bringing.wait().expect("a child");
}

#[test]
fn a_mail_whose_own_process_dies_three_times_is_held_and_the_daemon_goes_on() {
    let gate = Gate::new();
    slow_filter(&gate, "20s");
    end_uncleanly(&gate, 1);
    let daemon = gate.serve(TELL);
    for _ in 0..3 {
        signal("ABRT", &[next_process(&daemon)]);
    }
    until("the mail is held", PATIENCE, || !gate.json(&["spool", "list", "--status", "held"]).is_empty());
    let held = gate.json(&["spool", "list", "--status", "held"]).remove(0);
    let reason = held["reason"].as_str().expect("a reason");
    assert_eq!(reason, "The process that worked on this message alone died: it aborted (signal 6, SIGABRT).");
    let communication = gate.json(&["log", "list", "--priority", "error"]).remove(0);
    let told = gate.run(&["log", "show", communication["id"].as_str().expect("an id")]);
    assert!(told.contains("held after 3 tries that failed on it") && told.contains(reason), "{told}");
    daemon.stop();
}

#[test]
fn whoever_ends_the_daemon_or_its_processes_with_it_blames_no_mail() {
    let gate = Gate::new();
    slow_filter(&gate, "20s");
    end_uncleanly(&gate, 1);
    let mut daemon = gate.serve(TELL);
    let mut orphans = Vec::new();
    for life in 0..8 {
        let process = next_process(&daemon);
        orphans.push(process);
        match life % 4 {
            // The daemon alone: its processes end with it.
            0 => daemon.kill(),
            // All of them, in either order, as at the end of all memory or of a service's patience.
            1 => signal("KILL", &[process, daemon.id()]),
            2 => signal("KILL", &[daemon.id(), process]),
            // As a service manager stops them.
            _ => {
                signal("TERM", &[process, daemon.id()]);
                daemon.stop();
            }
        }
        // Of one that has ended and that nobody has asked for yet the arguments are gone.
        let lives = |pid: &u32| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| !words.is_empty());
        until("the processes end with the daemon", PATIENCE, || !orphans.iter().any(lives));
        assert!(gate.json(&["spool", "list", "--status", "held"]).is_empty());
        daemon = gate.serve(TELL);
    }
    daemon.wait_for(ALONE);
    let shown = gate.json(&["spool", "list", "--status", "claimed"]).remove(0);
    assert!(shown["tries"].as_u64() >= Some(8), "{shown}");
    daemon.stop();
    gate.run(&["filter", "disable", "endless"]);
    let daemon = gate.serve(TELL);
    until("it is filed", PATIENCE, || gate.titles() == [subject(1)]);
    daemon.stop();
}

#[test]
fn a_daemon_whose_program_was_replaced_goes_on_with_the_one_that_it_is() {
    let gate = Gate::new();
    slow_filter(&gate, "20s");
    end_uncleanly(&gate, 1);
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("postigo");
    // Copied by another process: what other tests start meanwhile would keep the file open.
    let copied = Command::new("cp").arg(binary()).arg(&program).status().expect("cp runs");
    assert!(copied.success());
    let usual = gate.command();
    let mut command = Command::new(&program);
    command.args(usual.get_args()).env("POSTIGO_LOG", TELL);
    command.envs(usual.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let daemon = Daemon::start(&mut command);
    let process = next_process(&daemon);
    // As a package's upgrade does it.
    let later = folder.path().join("postigo.new");
    std::fs::write(&later, "#!/bin/false\n").expect("a file");
    std::fs::rename(&later, &program).expect("a file");
    gate.run(&["filter", "disable", "endless"]);
    signal("ABRT", &[process]);
    next_process(&daemon);
    until("it is filed", PATIENCE, || gate.titles() == [subject(1)]);
    daemon.stop();
}

#[test]
fn without_a_daemon_a_command_has_messages_worked_on_in_processes_of_their_own() {
    let gate = Gate::new();
    slow_filter(&gate, "20s");
    end_uncleanly(&gate, 1);
    gate.run(&["filter", "disable", "endless"]);
    upload(&gate, "junk", &Component::new("junk", "1.0.0").sets("X-OTOBO-Queue", "Junk"));
    gate.configure("[[filter]]\nname = \"junk\"\ncomponent = \"junk\"\n");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mail.eml");
    std::fs::write(&path, mail(2)).expect("a file");
    let ingested = gate.command().env("POSTIGO_LOG", TELL).arg("ingest").arg(&path).output().expect("it runs");
    let log = String::from_utf8_lossy(&ingested.stderr);
    assert!(ingested.status.success() && log.matches(ALONE).count() == 1, "{log}");
    let tickets = gate.json(&["ticket", "list"]);
    let filed: BTreeSet<(&str, &str)> = tickets
        .iter()
        .map(|ticket| (ticket["title"].as_str().unwrap_or_default(), ticket["queue"].as_str().unwrap_or_default()))
        .collect();
    let (first, second) = (subject(1), subject(2));
    assert_eq!(filed, BTreeSet::from([(first.as_str(), "Junk"), (second.as_str(), "Junk")]));
}

/// How mails come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Imap,
    Pop3,
    Lmtp,
}

fn killed_while_messages_run_alone(way: Way, gate: &Gate, seed: u64) {
    let kills = if is_full() { 134 } else { 5 };
    let Some(server) = Dovecot::start() else { return };
    let port = free_port();
    gate.configure(&match way {
        Way::Imap => account("main", &server),
        Way::Pop3 => format!(
            "[[account]]\nname = \"main\"\nprotocol = \"pop3\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"main\"\npassword = \"{PASSWORD}\"\ninterval = \"1s\"\n",
            server.pop3
        ),
        Way::Lmtp => {
            format!("[[account]]\nname = \"main\"\nprotocol = \"lmtp\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"support@example.org\"\n")
        }
    });
    slow_filter(gate, "250ms");
    let mut draw = Draw(seed);
    let (mut brought, mut undelivered) = (0, Vec::new());
    let (mut alone, mut lives) = (0, 0);
    while alone < kills {
        assert!(lives < kills * 4 + 10, "only {alone} of {lives} kills came while a message ran alone");
        lives += 1;
        // One more a life, so that a few are there.
        match way {
            Way::Lmtp => undelivered.push(brought),
            Way::Imap | Way::Pop3 => server.deliver("main", "INBOX", [mail(brought).as_slice()]),
        }
        brought += 1;
        std::thread::scope(|scope| {
            let mut life = Life::begin(gate);
            if way == Way::Lmtp {
                life.hear("listens");
                scope.spawn(|| bring(port, &mut undelivered));
            }
            // The suspects of the life before are the first that are claimed. In most lives the kill comes so long after
            // one has its process, in some so long after it is claimed: before that, perhaps.
            if life.hear(CLAIMED).contains("suspect=true") && draw.below(4) > 0 {
                life.hear(ALONE);
            }
            std::thread::sleep(Duration::from_millis(draw.below(LATEST_KILL)));
            let daemon = life.daemon;
            let processes = children(daemon.id());
            alone += usize::from(!processes.is_empty());
            match draw.below(3) {
                0 => {}
                1 => signal("KILL", &[processes.as_slice(), &[daemon.id()]].concat()),
                _ => signal("KILL", &[&[daemon.id()], processes.as_slice()].concat()),
            }
            daemon.kill();
        });
    }
    let daemon = gate.serve(TELL);
    if way == Way::Lmtp {
        daemon.wait_for("listens");
        bring(port, &mut undelivered);
        assert!(undelivered.is_empty(), "all are taken");
    }
    let fetched = || way == Way::Lmtp || server.messages("main", "INBOX").is_empty();
    until("all are fetched and nothing waits", DONE, || fetched() && gate.on_their_way() == 0);
    daemon.stop();
    assert!(gate.json(&["spool", "list", "--status", "held", "--status", "failed"]).is_empty(), "none is held");
    assert_eq!(gate.titles(), (0..brought).map(subject).collect::<Vec<_>>(), "all are filed, none twice");
    println!("{alone} of {lives} kills came while a message ran alone; {brought} messages filed once each, none held");
}

/// A daemon until it is killed, and all that it has said: nothing is missed, however late it is asked for.
struct Life {
    daemon: Daemon,
    said: Vec<String>,
}

impl Life {
    fn begin(gate: &Gate) -> Self {
        let (daemon, _) = Daemon::spawn(gate.command().env("POSTIGO_LOG", TELL));
        Self { daemon, said: Vec::new() }
    }

    /// The first line that it says, or has said, with this in it.
    fn hear(&mut self, what: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = self.said.iter().find(|line| line.contains(what)) {
                return line.clone();
            }
            match self.daemon.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => self.said.push(line),
                Err(error) => panic!("the daemon never said {what:?} ({error}), but: {}", self.said.join("\n")),
            }
        }
    }
}

/// Brings mails by LMTP until one is not taken: then the daemon is gone, and they come again in a later life.
fn bring(port: u16, undelivered: &mut Vec<usize>) {
    while let Some(number) = undelivered.first() {
        if deliver(port, *number).is_none() {
            return;
        }
        undelivered.remove(0);
    }
}

/// Delivers one mail by LMTP; none where its 250 did not come.
fn deliver(port: u16, number: usize) -> Option<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut answers = BufReader::new(stream.try_clone().ok()?);
    let mut heard = move || -> Option<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut line = String::new();
        while Instant::now() < deadline {
            line.clear();
            (answers.read_line(&mut line).ok()? > 0).then_some(())?;
            if line.as_bytes().get(3) == Some(&b' ') {
                return matches!(line.as_bytes().first(), Some(b'2' | b'3')).then_some(());
            }
        }
        None
    };
    heard()?;
    let body = String::from_utf8(mail(number)).ok()?;
    let words = [
        "LHLO a.example.com",
        "MAIL FROM:<jane@example.com>",
        "RCPT TO:<support@example.org>",
        "DATA",
        &format!("{body}."),
    ];
    for word in words {
        stream.write_all(format!("{word}\r\n").as_bytes()).ok()?;
        heard()?;
    }
    Some(())
}

fn on_postgres(way: Way, seed: u64) {
    let Some(postgres) = Postgres::start() else { return };
    killed_while_messages_run_alone(way, &Gate::on_postgres(&postgres.database(), None), seed);
}

#[test]
fn imap_on_sqlite() {
    killed_while_messages_run_alone(Way::Imap, &Gate::new(), 11);
}

#[test]
fn imap_on_postgres() {
    on_postgres(Way::Imap, 12);
}

#[test]
fn pop3_on_sqlite() {
    killed_while_messages_run_alone(Way::Pop3, &Gate::new(), 13);
}

#[test]
fn pop3_on_postgres() {
    on_postgres(Way::Pop3, 14);
}

#[test]
fn lmtp_on_sqlite() {
    killed_while_messages_run_alone(Way::Lmtp, &Gate::new(), 15);
}

#[test]
fn lmtp_on_postgres() {
    on_postgres(Way::Lmtp, 16);
}
