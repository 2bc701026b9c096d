//! Clients that hold connections and bring nothing, or bring it slowly: they stop neither requests nor mail.

use postigo_tests::flood::{Flood, Speech};
use postigo_tests::gate::{Daemon, Gate, PATIENCE, http_client, until};
use postigo_tests::mails::{mail, subject};
use postigo_tests::ports::free_port;
use postigo_tests::speaker::Speaker;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// So many files the process may open; half of them are kept back.
const FILES: usize = 600;
/// So many clients of a listener may be on their way out, or be told that there is no place, beyond those it has.
const LEAVING: usize = 32;

fn desk(lmtp: u16, smtp: u16) -> String {
    format!(
        "[[queue]]\nname = \"Support\"\n[[system_address]]\naddress = \"support@example.org\"\nqueue = \"Support\"\n\
         [[account]]\nname = \"a\"\nprotocol = \"lmtp\"\nport = {lmtp}\n[[account]]\nname = \"b\"\nprotocol = \"smtp\"\nport = {smtp}\n"
    )
}

fn deliver(port: u16, greeting: &str, number: usize) {
    let (mut client, hello) = Speaker::connect(port);
    assert!(hello.starts_with("220"), "{hello}");
    for (said, code) in [
        (greeting, "250"),
        ("MAIL FROM:<jane@example.com>", "250"),
        ("RCPT TO:<support@example.org>", "250"),
        ("DATA", "354"),
    ] {
        let answer = client.say(said);
        assert!(answer.starts_with(code), "{said}: {answer}");
    }
    client.send(&mail(number));
    client.send(b".\r\n");
    assert!(client.hear().starts_with("250"));
}

fn metrics(daemon: &Daemon) -> String {
    http_client(PATIENCE).get(format!("{}/metrics", daemon.url)).send().unwrap().text().unwrap()
}

#[test]
fn crowds_of_silent_and_dripping_clients_stop_neither_requests_nor_mail() {
    let (gate, lmtp, smtp) = (Gate::new(), free_port(), free_port());
    gate.configure(&desk(lmtp, smtp));
    let daemon = gate.serve_within(FILES, "postigo=info", &[]);
    (0..2).for_each(|_| drop(daemon.wait_for("listens")));
    let own = daemon.descriptors();
    let floods = [(daemon.port(), Speech::Http), (lmtp, Speech::Lmtp), (smtp, Speech::Smtp)]
        .map(|(port, speech)| Flood::start(port, speech, 200, 50));
    until("all have come", PATIENCE, || floods.iter().all(|flood| flood.came() >= 250));
    let mut most = 0;
    for number in 0..20 {
        // A connection of its own for each.
        let answer = http_client(PATIENCE).get(format!("{}/healthz", daemon.url)).send().unwrap();
        assert_eq!(answer.status(), 200);
        deliver(lmtp, "LHLO mx.example.net", 2 * number);
        deliver(smtp, "EHLO mx.example.net", 2 * number + 1);
        most = most.max(daemon.descriptors());
    }
    let mut expected: Vec<String> = (0..40).map(subject).collect();
    expected.sort();
    until("all mail is filed", PATIENCE, || gate.titles() == expected);
    assert!(most <= own + FILES / 2 + 3 * LEAVING, "{most} descriptors, of them {own} without clients");
    let figures = metrics(&daemon);
    for line in ["postigo_descriptors{kind=\"all\"} 600", "postigo_descriptors{kind=\"kept-back\"} 300"] {
        assert!(figures.contains(line), "{line} is missing in:\n{figures}");
    }
    assert!(figures.contains("postigo_connections_refused_total{listener=\"rest\",reason=\"displaced\"}"), "{figures}");
    drop(floods);
    let is_empty = |text: &str| {
        text.contains("postigo_connections{listener=\"rest\"} 1\n") && text.contains(&format!("{lmtp}\"}} 0\n"))
    };
    until("every place is given back", PATIENCE, || is_empty(&metrics(&daemon)));
    let said: Vec<String> =
        daemon.lines.try_iter().filter(|line| line.contains("had to leave") || line.contains("turned away")).collect();
    assert!((1..=9).contains(&said.len()), "said once in a while, not a line each: {said:#?}");
    daemon.stop();
}

#[test]
fn clients_that_say_nothing_whole_in_time_are_let_go() {
    let (gate, lmtp, smtp) = (Gate::new(), free_port(), free_port());
    gate.configure(&desk(lmtp, smtp));
    let daemon = gate.serve_within(FILES, "postigo=info", &["--head-timeout", "1", "--command-timeout", "1"]);
    (0..2).for_each(|_| drop(daemon.wait_for("listens")));
    let connect = |port: u16, said: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(said.as_bytes()).unwrap();
        stream
    };
    let whole = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut requests: Vec<TcpStream> = ["", "GET /healthz HTTP/1.1\r\nHost: loc", whole, &format!("{whole}GET ")]
        .into_iter()
        .map(|said| connect(daemon.port(), said))
        .collect();
    let mut sessions: Vec<TcpStream> =
        [lmtp, smtp].into_iter().flat_map(|port| ["", "NOO"].map(|said| connect(port, said))).collect();
    for (place, stream) in requests.iter_mut().enumerate() {
        let mut heard = String::new();
        stream.read_to_string(&mut heard).expect("it is closed");
        assert_eq!(heard.contains("200 OK"), place >= 2, "{heard}");
    }
    for stream in &mut sessions {
        let mut heard = String::new();
        stream.read_to_string(&mut heard).expect("it is closed");
        assert!(heard.ends_with("421 4.4.2 Silent for too long; goodbye\r\n"), "{heard}");
    }
    let figures = metrics(&daemon);
    assert!(!figures.contains("reason="), "none had to leave for another: {figures}");
    daemon.stop();
}

/// Begins to hand in a mail of 128 MiB, of which no byte comes, and gives the connection.
fn promise(daemon: &Daemon, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", daemon.port())).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST /api/v1/messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: message/rfc822\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        128 << 20
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// The first answer: as much as comes at once.
fn heard(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 2_000];
    let count = stream.read(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

#[test]
fn a_body_is_asked_for_when_its_sender_is_known_and_there_is_room_for_it() {
    let gate = Gate::new();
    let daemon = gate.serve("warn");
    let token = |role| gate.run(&["token", "create", "--role", role]).trim().to_owned();
    let (agent, reader, admin) = (token("agent"), token("reader"), token("admin"));
    assert!(heard(&mut promise(&daemon, "postigo_unknown")).starts_with("HTTP/1.1 401 "));
    assert!(heard(&mut promise(&daemon, &reader)).starts_with("HTTP/1.1 403 "));
    let mut first = promise(&daemon, &agent);
    assert!(heard(&mut first).starts_with("HTTP/1.1 100 "));
    for token in [&agent, &admin, &agent] {
        let refused = heard(&mut promise(&daemon, token));
        assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("retry-after: 5"), "{refused}");
    }
    let url = format!("{}/api/v1/messages", daemon.url);
    let small = || {
        let request = http_client(PATIENCE).post(&url).bearer_auth(&agent).header("content-type", "message/rfc822");
        request.body(mail(0)).send().unwrap().status()
    };
    assert!(small().is_success(), "what is small needs no room");
    drop(first);
    until("the room is given back", PATIENCE, || heard(&mut promise(&daemon, &admin)).starts_with("HTTP/1.1 100 "));
    daemon.stop();
}

#[test]
fn who_finds_no_place_is_told_so_and_comes_in_when_there_is_one() {
    let gate = Gate::new();
    let daemon = gate.serve_within(FILES, "warn", &["--connections", "2"]);
    let token = gate.run(&["token", "create", "--role", "admin"]).trim().to_owned();
    let mut served = promise(&daemon, &token);
    assert!(heard(&mut served).starts_with("HTTP/1.1 100 "));
    // One is being served, one waits and leaves for each that comes.
    let get = || http_client(PATIENCE).get(format!("{}/healthz", daemon.url)).send();
    assert_eq!(get().unwrap().status(), 200);
    let mut other = TcpStream::connect(("127.0.0.1", daemon.port())).unwrap();
    let body = "POST /api/v1/chain/test HTTP/1.1\r\nHost: localhost\r\nContent-Type: message/rfc822\r\nContent-Length: 60000\r\nExpect: 100-continue\r\n";
    other.write_all(format!("{body}Authorization: Bearer {token}\r\n\r\n").as_bytes()).unwrap();
    assert!(heard(&mut other).starts_with("HTTP/1.1 100 "));
    let refused = get().unwrap();
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    assert_eq!(refused.json::<serde_json::Value>().unwrap()["status"], 503);
    drop(served);
    until("there is a place", PATIENCE, || get().is_ok_and(|answer| answer.status() == 200));
    daemon.stop();
}
