//! What was changed by command line is in force when the command ends: no mail is worked on, and none goes out, by what
//! was configured before. Two hosts share a database and are under load; the commands do not even wait for them.
//!
//! In full by `make proof` (`POSTIGO_PROOF=full`), else a sample of it.

use crate::rest::{Rest, expect};
use postigo_tests::gate::{Daemon, Gate, PATIENCE, is_full, until_or};
use postigo_tests::postgres::Postgres;
use postigo_tests::sink::Sink;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Accounts that mails are handed in for: each host holds some of them.
const ACCOUNTS: [&str; 4] = ["a", "b", "c", "d"];
/// Mails after each change.
const MAILS: usize = 8;

fn rounds() -> usize {
    if is_full() { 100 } else { 4 }
}

/// Hands a mail in and gives its result.
fn submit(rest: &Rest, account: &str, from: &str, id: &str) -> Value {
    let mail = format!(
        "Message-ID: <{id}@customer.example>\r\nFrom: {from}@customer.example\r\nTo: desk@example.org\r\nSubject: {id}\r\n\r\nHello.\r\n"
    );
    let path = format!("/messages?account={account}");
    expect(rest.send("POST", &path, "message/rfc822", mail), 201)
}

/// What the filter set, if it ran.
fn marked(result: &Value) -> Option<String> {
    let filters = result["filters"].as_array()?;
    let filter = filters.iter().find(|filter| filter["name"] == "mark")?;
    Some(filter["changes"][0]["value"].as_str().unwrap_or_default().to_owned())
}

fn configuration(port: u16) -> String {
    let accounts = ACCOUNTS.map(|name| format!("[[account]]\nname = \"{name}\"\nprotocol = \"local\"\n"));
    format!(
        "[settings]\nauto_responses_per_hour = 100000\n\
         [[queue]]\nname = \"Raw\"\naddress = \"desk@example.org\"\n\
         [[system_address]]\naddress = \"desk@example.org\"\nqueue = \"Raw\"\n\
         [[auto_response]]\nname = \"Receipt\"\ntype = \"reply\"\nqueue = \"Raw\"\nsubject = \"Receipt\"\nbody = \"We have it.\"\n\
         [[dynamic_field]]\nname = \"Mark\"\n{}{}{}",
        transport(port),
        filter("start"),
        accounts.concat()
    )
}

fn transport(port: u16) -> String {
    format!("[[transport]]\nname = \"relay\"\nkind = \"smtp\"\nhost = \"127.0.0.1\"\nport = {port}\n")
}

fn filter(mark: &str) -> String {
    format!(
        "[[filter]]\nname = \"mark\"\ncomponent = \"match\"\n[filter.settings]\nwhen = [{{ header = \"Subject\", matches = \".\" }}]\n\
         set = [{{ header = \"X-OTOBO-DynamicField-Mark\", value = \"{mark}\" }}]\n"
    )
}

/// Starts both daemons, and waits until each holds some of the accounts.
fn start(gates: [&Gate; 2]) -> [Daemon; 2] {
    let first = gates[0].serve("info");
    first.wait_for("took accounts");
    let second = gates[1].serve("info");
    second.wait_for("took accounts");
    [first, second]
}

#[test]
fn no_mail_meets_what_was_in_force_before_a_command_on_two_hosts_under_load() {
    let Some(postgres) = Postgres::start() else { return };
    let first = Gate::on_postgres(&postgres.database(), None);
    let url = first.command().get_args().nth(3).and_then(|url| url.to_str()).unwrap().to_owned();
    let second = Gate::on_postgres(&url, Some(&first));
    let (gates, sinks) = ([&first, &second], [Sink::start(), Sink::start()]);
    first.configure(&configuration(sinks[0].port));
    let daemons = start(gates);
    let rests = daemons.each_ref().map(|daemon| Rest::new(&first, daemon, "admin"));
    let ended = AtomicBool::new(false);
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for (number, account) in ACCOUNTS.iter().enumerate() {
            let (rest, ended) = (&rests[number % 2], &ended);
            scope.spawn(move || {
                for mail in 0.. {
                    if ended.load(Ordering::Relaxed) {
                        return;
                    }
                    submit(rest, account, "load", &format!("load-{account}-{mail}"));
                }
            });
        }
        // However the rounds end.
        let _ends = Ends(&ended);
        for round in 0..rounds() {
            one_round(round, gates, &rests, &sinks, folder.path());
        }
    });
    daemons.into_iter().for_each(Daemon::stop);
}

struct Ends<'e>(&'e AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Another transport and another state of the filter, by a command that does not wait; then mails at once.
fn one_round(round: usize, gates: [&Gate; 2], rests: &[Rest; 2], sinks: &[Sink; 2], folder: &Path) {
    let (gate, to) = (gates[round % 2], (round + 1) % 2);
    let port = sinks[to].port;
    let mark = format!("round {round}");
    let set = || {
        gate.run(&["--no-wait", "transport", "set", "relay", &format!("port={port}")]);
    };
    let expected = match round % 4 {
        0 => {
            set();
            gate.run(&["--no-wait", "filter", "disable", "mark"]);
            None
        }
        1 => {
            set();
            gate.run(&["--no-wait", "filter", "enable", "mark"]);
            Some(if round == 1 { "start".to_owned() } else { format!("round {}", round - 2) })
        }
        2 => {
            set();
            let change = json!([{ "header": "X-OTOBO-DynamicField-Mark", "value": mark }]);
            gate.run(&["--no-wait", "filter", "set", "mark", &format!("settings.set={change}")]);
            Some(mark)
        }
        _ => {
            let file = folder.join("change.toml");
            std::fs::write(&file, transport(port) + &filter(&mark)).unwrap();
            gate.run(&["--no-wait", "config", "apply", file.to_str().unwrap()]);
            Some(mark)
        }
    };
    let customer = |mail: usize| format!("c{round}-{mail}");
    std::thread::scope(|scope| {
        for mail in 0..MAILS {
            let (expected, customer) = (&expected, customer(mail));
            scope.spawn(move || {
                let result = submit(&rests[mail % 2], ACCOUNTS[mail / 2 % 4], &customer, &customer);
                assert_eq!(marked(&result), *expected, "round {round}: {result:#}");
            });
        }
    });
    let got = |sink: &Sink| {
        let address = |mail| format!("{}@customer.example", customer(mail));
        (0..MAILS).filter(|mail| sink.received(&address(*mail)) > 0).count()
    };
    let tell = || {
        format!("round {round}: {} of {MAILS} answers, {} by the old transport", got(&sinks[to]), got(&sinks[1 - to]))
    };
    until_or(PATIENCE, || got(&sinks[to]) + got(&sinks[1 - to]) == MAILS, tell);
    assert_eq!(got(&sinks[1 - to]), 0, "{}", tell());
}

#[test]
fn a_command_waits_for_all_hosts_and_names_one_that_does_not_come() {
    let Some(postgres) = Postgres::start() else { return };
    let first = Gate::on_postgres(&postgres.database(), None);
    let url = first.command().get_args().nth(3).and_then(|url| url.to_str()).unwrap().to_owned();
    let second = Gate::on_postgres(&url, Some(&first));
    let daemons = [first.serve("warn"), second.serve("warn")];
    let rest = Rest::new(&first, &daemons[0], "admin");
    let set = |comment: &str, more: &[&str]| {
        let comment = format!("comment={comment}");
        let output = first.try_run([&["queue", "set", "Raw", &comment], more].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    // Both are there as soon as they serve, or a moment later.
    let is_alone = || rest.json("PATCH", "/queues/Raw", &json!({ "comment": "" }), 200).get("behind").is_none();
    assert!(is_alone());
    assert!(!set("both work by it", &[]).contains("not in force"), "nobody is missing");
    let id = std::fs::read_to_string(second.folder().join("worker.lock")).unwrap().lines().next().unwrap().to_owned();
    until_or(PATIENCE, || daemons.iter().all(is_ready), || "both are ready".to_owned());
    daemons[1].signal("STOP");
    let quick = Instant::now();
    assert_eq!(set("without waiting", &["--no-wait"]).lines().count(), 1, "only what was done is told");
    assert!(quick.elapsed() < Duration::from_secs(5), "--no-wait waits for nobody");
    let answer = rest.json("PATCH", "/queues/Raw", &json!({ "comment": "by REST" }), 202);
    assert_eq!((&answer["behind"][0]["id"], &answer["comment"]), (&json!(id), &json!("by REST")), "{answer:#}");
    assert_eq!(answer["behind"].as_array().map(Vec::len), Some(1), "the other one works by it: {answer:#}");
    let said = set("by a command", &[]);
    daemons[1].signal("CONT");
    assert!(said.contains("not in force everywhere yet") && said.contains(&id), "{said}");
    assert!(!set("both again", &[]).contains("not in force"));
    daemons.into_iter().for_each(Daemon::stop);
    let alone = set("nobody is there", &[]);
    assert!(!alone.contains("not in force"), "{alone}");
}

#[test]
fn a_command_whose_change_is_saved_ends_well_though_the_database_goes_away_while_it_waits() {
    let Some(postgres) = Postgres::start() else { return };
    let first = Gate::on_postgres(&postgres.database(), None);
    let url = first.command().get_args().nth(3).and_then(|url| url.to_str()).unwrap().to_owned();
    let second = Gate::on_postgres(&url, Some(&first));
    let daemon = second.serve("warn");
    until_or(PATIENCE, || is_ready(&daemon), || "it is ready".to_owned());
    daemon.signal("STOP");
    let mut command = first.command();
    command.args(["queue", "set", "Raw", "comment=saved"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    // What was done is told once it is saved.
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    postgres.stop();
    said.read_to_string(&mut line).unwrap();
    assert!(child.wait().unwrap().success(), "{line}");
    assert!(line.contains("is saved") && line.contains("could not be asked"), "{line}");
    postgres.resume();
    daemon.signal("CONT");
    let queues = first.json(&["queue", "list"]);
    assert!(queues.iter().any(|queue| queue["name"] == "Raw" && queue["comment"] == "saved"), "{queues:?}");
}

#[test]
fn two_daemons_with_the_id_of_one_data_folder_say_so() {
    let Some(postgres) = Postgres::start() else { return };
    let first = Gate::on_postgres(&postgres.database(), None);
    let url = first.command().get_args().nth(3).and_then(|url| url.to_str()).unwrap().to_owned();
    let second = Gate::on_postgres(&url, Some(&first));
    let daemon = first.serve("warn");
    let id = std::fs::read_to_string(first.folder().join("worker.lock")).unwrap().lines().next().unwrap().to_owned();
    // As on a disk that was cloned whole, where the copy cannot be told.
    std::fs::write(second.folder().join("worker.lock"), format!("{id}\ncommand 1\n")).unwrap();
    let clone = second.serve("warn");
    for daemon in [&daemon, &clone] {
        let told = daemon.wait_for("Another daemon works with the id of this data folder");
        assert!(told.contains(&id) && told.contains("worker.lock"), "{told}");
        let report: Value = postigo_tests::gate::http_client(PATIENCE)
            .get(format!("{}/readyz", daemon.url))
            .send()
            .and_then(reqwest::blocking::Response::json)
            .unwrap();
        assert_eq!(report["degraded"], json!(true), "{report:#}");
        assert!(report["hints"].to_string().contains("Another daemon works with the id"), "{report:#}");
    }
    [daemon, clone].into_iter().for_each(Daemon::stop);
}

fn is_ready(daemon: &Daemon) -> bool {
    postigo_tests::gate::http_client(PATIENCE)
        .get(format!("{}/readyz", daemon.url))
        .send()
        .is_ok_and(|answer| answer.status().is_success())
}
