//! Sign-in by OAuth2 with a real provider over TLS, and a real Dovecot that asks it about every token.

use postigo_tests::dovecot::{Dovecot, PASSWORD};
use postigo_tests::gate::{Daemon, Gate, PATIENCE, until};
use postigo_tests::mails::{mail, subject};
use postigo_tests::postgres::Postgres;
use postigo_tests::provider::{Provider, leaking_files, leaks};
use reqwest::blocking::Client;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;

const PROTOCOLS: [&str; 6] = ["imap", "imaps", "imap+starttls", "pop3", "pop3s", "pop3+starttls"];
/// Where nobody listens: what the browser was sent to is pasted.
const NOWHERE: &str = "http://localhost:9/oauth2/callback";

/// An account of the server that signs in by the provider.
fn account(name: &str, protocol: &str, server: &Dovecot, ca: &Path, oauth2: &str) -> String {
    let port = match protocol {
        "imaps" => server.imaps,
        "pop3" | "pop3+starttls" => server.pop3,
        "pop3s" => server.pop3s,
        _ => server.imap,
    };
    account_at(name, protocol, port, ca, oauth2)
}

fn account_at(name: &str, protocol: &str, port: u16, ca: &Path, oauth2: &str) -> String {
    format!(
        "[[account]]\nname = \"{name}\"\nprotocol = \"{protocol}\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{name}\"\ninterval = \"1s\"\n\
         tls = {{ ca = \"{}\" }}\n{oauth2}\n",
        ca.display()
    )
}

/// A sign-in by command that has said where to go.
struct SignIn {
    child: Child,
    said: Value,
    out: BufReader<std::process::ChildStdout>,
}

impl SignIn {
    fn begin(gate: &Gate, name: &str, flow: &str) -> Self {
        let mut command = gate.command();
        command.args(["account", "sign-in", name, "--flow", flow, "--json"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let said = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}{}", rest(&mut child)));
        Self { child, said, out }
    }

    fn paste(&mut self, answer: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{answer}").unwrap();
    }

    /// Waits for the end; whether it is signed in, and what was said.
    fn end(mut self) -> (bool, String) {
        let status = self.child.wait().unwrap();
        let mut said = String::new();
        std::io::Read::read_to_string(&mut self.out, &mut said).unwrap();
        said.push_str(&rest(&mut self.child));
        assert!(!leaks(&said), "{said}");
        (status.success(), said)
    }
}

fn rest(child: &mut Child) -> String {
    std::io::read_to_string(child.stderr.take().unwrap()).unwrap()
}

/// Signs an account in as its user, by a browser whose last address is pasted.
fn sign_in(gate: &Gate, provider: &Provider, name: &str) {
    let mut sign_in = SignIn::begin(gate, name, "code");
    let back = provider.browse(sign_in.said["authorize_url"].as_str().unwrap(), name);
    sign_in.paste(&back);
    let (done, said) = sign_in.end();
    assert!(done, "{said}");
}

fn state(gate: &Gate, name: &str) -> Value {
    gate.json(&["account", "show", name]).remove(0)["sign_in"].take()
}

fn fetch(gate: &Gate, name: &str) -> Value {
    gate.json(&["fetch", "--account", name]).pop().unwrap()
}

fn deliver(server: &Dovecot, user: &str, number: usize) {
    server.deliver(user, "INBOX", [mail(number).as_slice()]);
}

#[test]
fn every_way_in_takes_access_tokens_by_both_mechanisms() {
    let Some(provider) = Provider::start() else { return };
    let gate = Gate::new();
    let mut filed = Vec::new();
    for mechanism in ["xoauth2", "oauthbearer"] {
        let Some(server) = Dovecot::with(provider.dovecot(mechanism)) else { return };
        let ca = provider.authorities(&[server.ca()]);
        let names = PROTOCOLS.map(|protocol| format!("{mechanism}-{}", protocol.replace('+', "-")));
        let accounts = names.iter().zip(PROTOCOLS);
        let table = provider.table("code", NOWHERE);
        let configuration: String =
            accounts.map(|(name, protocol)| account(name, protocol, &server, &ca, &table)).collect();
        gate.configure(&configuration);
        for name in &names {
            let refused = gate.try_run(["account", "test", name.as_str()]);
            let refused = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(refused.contains(&format!("account sign-in {name}")), "{refused}");
            sign_in(&gate, &provider, name);
            deliver(&server, name, filed.len());
            let report = fetch(&gate, name);
            assert_eq!(
                (&report["new"], &report["error"]),
                (&json!(1), &Value::Null),
                "{name}: {report} {}",
                server.log()
            );
            filed.push(subject(filed.len()));
        }
    }
    filed.sort();
    assert_eq!(gate.titles(), filed);
    assert_eq!(provider.count("refresh_token"), 0, "what the sign-in gave was used");
    assert_eq!(leaking_files(gate.folder()), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_program_signs_in_as_itself_without_a_person() {
    let Some(provider) = Provider::start() else { return };
    let Some(server) = Dovecot::with(provider.dovecot("xoauth2")) else { return };
    let gate = Gate::new();
    let ca = provider.authorities(&[server.ca()]);
    gate.configure(&account("app", "imaps", &server, &ca, &provider.table("client-credentials", NOWHERE)));
    assert_eq!(state(&gate, "app")["signed_in"], false, "its provider was never asked");
    assert!(gate.run(&["account", "list"]).contains("not asked yet"));
    deliver(&server, "app", 0);
    assert_eq!(fetch(&gate, "app")["new"], 1);
    assert_eq!(fetch(&gate, "app")["error"], Value::Null);
    assert_eq!(provider.count("client_credentials"), 1, "the token was kept");
    assert_eq!(state(&gate, "app")["signed_in"], true);
    // Whatever is wished for: a person's tokens would not be used.
    for wish in [&[][..], &["--flow", "code"], &["--flow", "device"]] {
        let refused = gate.try_run([&["account", "sign-in", "app"], wish].concat());
        assert!(String::from_utf8_lossy(&refused.stderr).contains("nobody to sign in"), "{wish:?}: {refused:?}");
    }
}

/// REST as an admin.
struct Rest(Client, String, String);

impl Rest {
    fn new(gate: &Gate, daemon: &Daemon) -> Self {
        let token = gate.json(&["token", "create", "--role", "admin"])[0]["token"].as_str().unwrap().to_owned();
        // The daemon is spoken to in clear; the client wants to know how it would encrypt all the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self(Client::new(), format!("{}/api/v1", daemon.url), token)
    }

    fn send(&self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        let request = self.0.request(method.parse().unwrap(), format!("{}{path}", self.1)).bearer_auth(&self.2);
        let answer = request.header("content-type", "application/json").body(body.to_string()).send().unwrap();
        let (got, text) = (answer.status(), answer.text().unwrap());
        assert_eq!(got, status, "{text}");
        assert!(!leaks(&text), "{text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// What a page says to a browser.
    fn page(&self, url: &str) -> String {
        let page = self.0.get(url).send().unwrap().text().unwrap();
        assert!(!leaks(&page), "{page}");
        page
    }
}

#[test]
fn a_browser_comes_back_to_the_daemon_once_and_with_its_own_state() {
    let Some(provider) = Provider::start() else { return };
    let Some(server) = Dovecot::with(provider.dovecot("xoauth2")) else { return };
    let gate = Gate::new();
    let ca = provider.authorities(&[server.ca()]);
    let daemon = gate.serve("info");
    let table = provider.table("code", &format!("{}/oauth2/callback", daemon.url));
    gate.configure(&account("main", "imaps", &server, &ca, &table));
    let rest = Rest::new(&gate, &daemon);

    let begun = rest.send("POST", "/accounts/main/sign-in", &json!({}), 200);
    let back = provider.browse(begun["authorize_url"].as_str().unwrap(), "main");
    let (before, state) = back.split_once("state=").unwrap();
    let wrong = rest.page(&format!("{before}state={}x", &state[1..]));
    assert!(wrong.contains("No sign-in waits for this answer"), "{wrong}");
    assert_eq!(provider.count("authorization_code"), 0, "a foreign code is not even tried");
    assert_eq!(rest.send("GET", "/accounts/main/sign-in", &Value::Null, 200)["under_way"]["status"], "waiting");
    assert!(rest.page(&back).contains("is signed in"));
    assert!(rest.page(&back).contains("No sign-in waits for this answer"), "an answer counts once");

    deliver(&server, "main", 0);
    until("the mail is filed", PATIENCE, || gate.titles() == [subject(0)]);
    let shown = rest.send("GET", "/accounts/main", &Value::Null, 200);
    assert_eq!((&shown["sign_in"]["signed_in"], &shown["sign_in"]["error"]), (&json!(true), &Value::Null));
    // What was read can be written: how the sign-in stands is passed over.
    rest.send("PUT", "/accounts/main", &shown, 200);
    assert_eq!(
        rest.send("GET", "/accounts/main/sign-in", &Value::Null, 200)["signed_in"],
        true,
        "a change of nothing signs nobody out"
    );

    rest.send("POST", "/accounts/local/sign-in", &json!({}), 409);
    rest.send("POST", "/accounts/nobody/sign-in", &json!({}), 404);
    rest.send("DELETE", "/accounts/main/sign-in", &Value::Null, 204);
    assert_eq!(rest.send("GET", "/accounts/main/sign-in", &Value::Null, 200)["signed_in"], false);
    let log = gate.run(&["log", "list", "--json"]);
    assert!(log.contains("oauth2") && !leaks(&log), "{log}");
    let said: Vec<String> = daemon.lines.try_iter().collect();
    assert!(!leaks(&said.join("\n")), "{said:?}");
}

#[test]
fn a_person_who_refuses_or_is_late_is_told() {
    let Some(provider) = Provider::start() else { return };
    let gate = Gate::new();
    gate.configure(&account_at("main", "imaps", 9, &provider.ca(), &provider.table("code", NOWHERE)));
    let mut denied = SignIn::begin(&gate, "main", "code");
    let back = provider.browse(denied.said["authorize_url"].as_str().unwrap(), "main");
    let state = back.split_once("state=").unwrap().1;
    denied.paste(&format!("{NOWHERE}?error=access_denied&error_description=AADSTS65004%3A+declined&state={state}"));
    let (done, said) = denied.end();
    assert!(!done && said.contains("access_denied") && said.contains("AADSTS65004"), "{said}");
    assert_eq!(self::state(&gate, "main")["under_way"]["error_code"], "access_denied");

    // A second begin makes the first void.
    let mut first = SignIn::begin(&gate, "main", "code");
    let back = provider.browse(first.said["authorize_url"].as_str().unwrap(), "main");
    sign_in(&gate, &provider, "main");
    first.paste(&back);
    let (done, said) = first.end();
    assert!(!done, "{said}");
    assert_eq!(self::state(&gate, "main")["signed_in"], true);
}

#[test]
fn a_code_is_typed_at_another_device() {
    let Some(provider) = Provider::start() else { return };
    let Some(server) = Dovecot::with(provider.dovecot("xoauth2")) else { return };
    let gate = Gate::new();
    let ca = provider.authorities(&[server.ca()]);
    gate.configure(&account("main", "pop3s", &server, &ca, &provider.table("code", NOWHERE)));
    provider.slow_down(1);
    let sign_in = SignIn::begin(&gate, "main", "device");
    assert_eq!(sign_in.said["verification_uri"], "https://localhost/activate");
    assert_eq!(state(&gate, "main")["under_way"]["user_code"], sign_in.said["user_code"]);
    provider.type_code(sign_in.said["user_code"].as_str().unwrap(), "main");
    let (done, said) = sign_in.end();
    assert!(done, "{said}");
    assert_eq!(provider.count("device_code"), 2, "told to slow down once, then answered");
    deliver(&server, "main", 0);
    assert_eq!(fetch(&gate, "main")["new"], 1);
}

#[test]
fn a_refusal_shows_its_code_and_age_and_is_not_asked_for_at_each_poll() {
    let Some(provider) = Provider::start() else { return };
    let Some(server) = Dovecot::with(provider.dovecot("xoauth2")) else { return };
    let gate = Gate::new();
    let ca = provider.authorities(&[server.ca()]);
    // Polled: a connection that waits by IDLE needs no other token for as long as it lasts.
    let table = format!("{}\nidle = false", provider.table("code", NOWHERE));
    let configuration = account("main", "imaps", &server, &ca, &table);
    let other = account("other", "imaps", &server, &ca, &format!("password = \"{PASSWORD}\""));
    gate.configure(&(configuration.clone() + &other));
    provider.access_tokens_last(1);
    sign_in(&gate, &provider, "main");
    provider.fail("invalid_client", "AADSTS7000222: The provided client secret keys are expired.");
    let daemon = gate.serve("info");
    until("the refusal is shown", PATIENCE, || state(&gate, "main")["error"].is_object());
    let failures = || gate.json(&["log", "list", "--account", "main", "--limit", "1000"]).len();
    let before = failures();
    until("it was polled again", PATIENCE, || failures() >= before + 2);
    assert_eq!(provider.count("refresh_token"), 1, "a refusal is followed by a pause, not by a request a poll");
    let error = state(&gate, "main")["error"].take();
    assert_eq!(error["code"], "invalid_client");
    assert!(error["text"].as_str().unwrap().contains("AADSTS7000222") && error["since"].is_string(), "{error}");
    assert_eq!(error["sign_in_again"], false);
    // Other accounts go on, and this one stays editable.
    deliver(&server, "other", 0);
    until("the other account's mail is filed", PATIENCE, || gate.titles() == [subject(0)]);
    let rest = Rest::new(&gate, &daemon);
    assert_eq!(rest.send("PATCH", "/accounts/main", &json!({ "comment": "broken" }), 200)["comment"], "broken");
    let metrics = rest.page(&format!("{}/metrics", daemon.url));
    assert!(metrics.contains("postigo_oauth2_refused_seconds{kind=\"account\",name=\"main\"}"), "{metrics}");

    provider.recover();
    provider.access_tokens_last(3_600);
    gate.run(&["account", "test", "main"]);
    assert_eq!(state(&gate, "main")["error"], Value::Null, "a test asks at once");
    deliver(&server, "main", 1);
    until("its mail is filed", PATIENCE, || gate.titles().len() == 2);
    assert_eq!(provider.count("refresh_token"), 2);
    let said: Vec<String> = daemon.lines.try_iter().collect();
    assert!(!leaks(&said.join("\n")) && said.iter().any(|line| line.contains("invalid_client")), "{said:?}");
}

#[test]
fn a_grant_that_was_taken_back_asks_for_a_new_sign_in() {
    let Some(provider) = Provider::start() else { return };
    let Some(server) = Dovecot::with(provider.dovecot("xoauth2")) else { return };
    let gate = Gate::new();
    let ca = provider.authorities(&[server.ca()]);
    gate.configure(&account("main", "imaps", &server, &ca, &provider.table("code", NOWHERE)));
    provider.access_tokens_last(1);
    sign_in(&gate, &provider, "main");
    provider.fail("invalid_grant", "AADSTS700082: The refresh token has expired due to inactivity.");
    // It may last a moment yet.
    until("it is refused", PATIENCE, || !gate.try_run(["fetch", "--account", "main"]).status.success());
    let said = fetch_error(&gate);
    assert!(said.contains("invalid_grant") && said.contains("Sign in again: postigo account sign-in main"), "{said}");
    assert_eq!(provider.count("refresh_token"), 1, "nothing is asked that only a person can answer");
    let shown = state(&gate, "main");
    assert_eq!((&shown["signed_in"], &shown["error"]["sign_in_again"]), (&json!(false), &json!(true)), "{shown}");
    let listed = gate.run(&["account", "list"]);
    assert!(listed.contains("invalid_grant since") && !leaks(&listed), "{listed}");
    provider.recover();
    provider.access_tokens_last(3_600);
    sign_in(&gate, &provider, "main");
    deliver(&server, "main", 0);
    assert_eq!(fetch(&gate, "main")["new"], 1);
    // Another client: its tokens are not the other's.
    let other = provider.table("code", NOWHERE).replace("postigo-client", "another-client");
    gate.configure(&account("main", "imaps", &server, &ca, &other));
    assert!(fetch_error(&gate).contains("is not signed in"));
}

fn fetch_error(gate: &Gate) -> String {
    let output = gate.try_run(["fetch", "--account", "main"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!leaks(&said), "{said}");
    said
}

#[test]
fn a_rotated_refresh_token_survives_a_kill_before_its_first_use() {
    let Some(provider) = Provider::start() else { return };
    let Some(server) = Dovecot::with(provider.dovecot("xoauth2")) else { return };
    let gate = Gate::new();
    let ca = provider.authorities(&[server.ca()]);
    let table = provider.table("code", NOWHERE);
    // Takes connections and says nothing: the token that was renewed for it is never used.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    gate.configure(&account_at("main", "imap", silent.local_addr().unwrap().port(), &ca, &table));
    provider.access_tokens_last(1);
    sign_in(&gate, &provider, "main");
    let daemon = gate.serve("info");
    // The first connection may still come with the sign-in's own token; each fetch hangs, so a new daemon makes the
    // next.
    drop(silent.accept().unwrap());
    until("a token was renewed", PATIENCE, || provider.count("refresh_token") > 0);
    let _held = silent.accept().unwrap();
    daemon.kill();
    let renewed = provider.count("refresh_token");
    relay(silent, server.imap);
    provider.access_tokens_last(3_600);
    deliver(&server, "main", 0);
    // Its access token has ended or ends now; the refresh token before it was used up.
    until("the mail is filed", PATIENCE, || fetch_error(&gate).is_empty() && gate.titles() == [subject(0)]);
    assert!(provider.count("refresh_token") >= renewed);
    assert_eq!(state(&gate, "main")["error"], Value::Null);
}

/// From now on who connects there speaks with the server at this port: tokens go to no other place than they were got
/// for.
fn relay(listener: TcpListener, server: u16) {
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { return };
            let ways = [(client.try_clone(), server.try_clone()), (server.try_clone(), client.try_clone())];
            for (from, to) in ways {
                let (mut from, mut to) = (from.unwrap(), to.unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
}

#[test]
fn tokens_go_to_the_server_that_they_were_got_for_alone() {
    let Some(provider) = Provider::start() else { return };
    let Some(server) = Dovecot::with(provider.dovecot("xoauth2")) else { return };
    let gate = Gate::new();
    let (ca, table) = (provider.authorities(&[server.ca()]), provider.table("code", NOWHERE));
    gate.configure(&account("main", "imap", &server, &ca, &table));
    sign_in(&gate, &provider, "main");
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let port = elsewhere.local_addr().unwrap().port();
    // Whoever does not know the client's secret cannot lead it elsewhere.
    let unknown = table.replace(&format!("client_secret = \"{}\", ", postigo_tests::provider::CLIENT_SECRET), "");
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "{}", account_at("main", "imap", port, &ca, &unknown)).unwrap();
    let output = gate.try_run(["config", "apply", &file.path().display().to_string()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("client_secret") && said.contains("must be given again: it was given for port = "), "{said}");
    // Whoever knows it has to sign in anew.
    gate.configure(&account_at("main", "imap", port, &ca, &table));
    assert!(fetch_error(&gate).contains("is not signed in"));
    assert!(elsewhere.accept().is_err(), "nothing went there");
    gate.configure(&account("main", "imap", &server, &ca, &table));
    deliver(&server, "main", 0);
    assert_eq!(fetch(&gate, "main")["new"], 1, "there they are good");
}

/// Signs in by tokens that end at once, so that the next use renews them.
fn sign_in_for_a_moment(gate: &Gate, provider: &Provider) {
    provider.access_tokens_last(1);
    sign_in(gate, provider, "main");
    provider.access_tokens_last(3_600);
    until("the first token has ended", PATIENCE, || {
        state(gate, "main")["expires_at"].as_str().unwrap() < rfc3339_now().as_str()
    });
}

#[test]
fn a_rotated_refresh_token_survives_a_database_that_is_away_when_it_comes() {
    let (Some(provider), Some(postgres)) = (Provider::start(), Postgres::start().map(Arc::new)) else { return };
    let Some(server) = Dovecot::with(provider.dovecot("xoauth2")) else { return };
    let gate = Gate::on_postgres(&postgres.database(), None);
    let ca = provider.authorities(&[server.ca()]);
    gate.configure(&account("main", "imaps", &server, &ca, &provider.table("code", NOWHERE)));
    sign_in_for_a_moment(&gate, &provider);
    provider.access_tokens_last(1);
    let (stopped, is_stopped) = channel();
    let stopping = Arc::clone(&postgres);
    provider.before_answer(move || {
        stopping.stop();
        stopped.send(()).unwrap();
    });
    let mut testing =
        gate.command().args(["account", "test", "main"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    is_stopped.recv_timeout(PATIENCE).unwrap();
    let mut said = BufReader::new(testing.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(said.any(|line| line.contains("renewed tokens could not be written")), "the write is tried again");
    postgres.resume();
    // The access token may have ended before it could be used; what counts is the refresh token that came with it.
    testing.wait().unwrap();
    provider.access_tokens_last(3_600);
    until("the access token has ended", PATIENCE, || {
        state(&gate, "main")["expires_at"].as_str().unwrap() < rfc3339_now().as_str()
    });
    deliver(&server, "main", 0);
    gate.run(&["fetch"]);
    assert_eq!(gate.titles(), [subject(0)]);
    assert_eq!(provider.count("refresh_token"), 2);
}

#[test]
fn a_rotated_refresh_token_survives_the_client_who_caused_its_renewal() {
    let Some(provider) = Provider::start() else { return };
    let Some(server) = Dovecot::with(provider.dovecot("xoauth2")) else { return };
    let gate = Gate::new();
    let ca = provider.authorities(&[server.ca()]);
    let paused = account("main", "imaps", &server, &ca, &provider.table("code", NOWHERE))
        .replace("interval = \"1s\"", "interval = \"1h\"");
    gate.configure(&format!("{paused}valid = false\n"));
    sign_in_for_a_moment(&gate, &provider);
    let daemon = gate.serve("info");
    let rest = Rest::new(&gate, &daemon);
    let (asked, is_asked) = channel();
    let (left, has_left) = channel();
    provider.before_answer(move || {
        asked.send(()).unwrap();
        has_left.recv_timeout(PATIENCE).unwrap();
    });
    let mut client = TcpStream::connect(daemon.url.trim_start_matches("http://")).unwrap();
    write!(
        client,
        "POST /api/v1/accounts/main/test HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 0\r\n\r\n",
        rest.2
    )
    .unwrap();
    is_asked.recv_timeout(PATIENCE).unwrap();
    drop(client);
    // The daemon notices it while it ends what is under way.
    let stopping = std::thread::spawn(move || daemon.stop());
    left.send(()).unwrap();
    stopping.join().unwrap();
    assert_eq!(provider.count("refresh_token"), 1);
    gate.run(&["account", "test", "main"]);
    assert_eq!(provider.count("refresh_token"), 1, "what came was kept");
}

#[test]
fn hosts_that_share_a_database_renew_a_token_once() {
    let Some(postgres) = Postgres::start() else { return };
    let Some(provider) = Provider::start() else { return };
    let Some(server) = Dovecot::with(provider.dovecot("xoauth2")) else { return };
    let url = postgres.database();
    let first = Gate::on_postgres(&url, None);
    let ca = provider.authorities(&[server.ca()]);
    first.configure(&account("main", "imaps", &server, &ca, &provider.table("code", NOWHERE)));
    let second = Gate::on_postgres(&url, Some(&first));
    sign_in_for_a_moment(&first, &provider);
    provider.revoke_access();
    let both: Vec<_> = [&first, &second]
        .map(|gate| gate.command().args(["account", "test", "main"]).stdout(Stdio::null()).spawn().unwrap())
        .into();
    for mut child in both {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(provider.count("refresh_token"), 1);
}

fn rfc3339_now() -> String {
    postigo_model::timestamp::rfc3339(postigo_model::timestamp::now())
}
