//! Servers that repeat what they were told: no secret in anything that Postigo says, prints or stores in clear, at any
//! level of its log.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use postigo_tests::gate::{Gate, PATIENCE, http_client, until};
use postigo_tests::parrot::{Form, Parrot, Way, generous_provider};
use std::fmt::Write as _;
use std::sync::LazyLock;

const PASSWORD: &str = "hunter\"2\\se;cret-4711/w0rd";
const TOKEN: &str = "ya29.tok3n-Ab~Cd_4711+xyz/0123456789";
const CLIENT_SECRET: &str = "cl1ent\"s3cr&t\\0815-abcdef";
/// Of everything, and of what the IMAP library writes of each command in particular.
const TRACE: &str = "trace,async_imap=trace,async_imap::imap_stream=trace,imap_proto=trace";

const WAYS: [Way; 15] = [
    Way::ImapLogin,
    Way::Imap("PLAIN"),
    Way::Imap("LOGIN"),
    Way::Imap("XOAUTH2"),
    Way::Imap("OAUTHBEARER"),
    Way::Pop3User,
    Way::Pop3("PLAIN"),
    Way::Pop3("LOGIN"),
    Way::Pop3("XOAUTH2"),
    Way::Pop3("OAUTHBEARER"),
    Way::Smtp("PLAIN"),
    Way::Smtp("LOGIN"),
    Way::Smtp("XOAUTH2"),
    Way::Smtp("OAUTHBEARER"),
    Way::Http,
];

fn percent_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Without what servers add: case, white space, quotes and backslashes.
fn bare(text: &str) -> String {
    text.to_lowercase()
        .replace(|letter: char| letter.is_whitespace() || letter.is_control() || "\"\\".contains(letter), "")
}

/// Halves of all that tells of a secret, bare.
fn halves() -> Vec<String> {
    let bytes = |text: &str, format: fn(u8) -> String| text.bytes().map(format).collect::<Vec<_>>();
    // The middle of a text in base64, which no other bytes have a part in, wherever it stands among them.
    let in_base64 = |text: &str| {
        ["", "x", "xx"]
            .map(|before| STANDARD_NO_PAD.encode(format!("{before}{text}")))
            .map(|encoded| encoded[4..encoded.len() - 4].to_owned())
    };
    let mut pieces = Vec::new();
    for secret in [PASSWORD, TOKEN, CLIENT_SECRET] {
        let quoted = secret.replace('\\', "\\\\").replace('"', "\\\"");
        let mut sent = vec![secret.to_owned(), quoted, percent_encoded(secret)];
        sent.extend(in_base64(secret));
        // As HTTP's Basic has it (RFC 6749 section 2.3.1).
        sent.extend(in_base64(&percent_encoded(secret)));
        for sent in sent {
            pieces.extend(in_base64(&sent));
            pieces.push(bytes(&sent, |byte| format!("\\x{byte:02x}")).concat());
            pieces.push(bytes(&sent, |byte| format!("{byte:02x}")).join(":"));
            pieces.push(bytes(&sent, |byte| byte.to_string()).join(","));
            pieces.push(bytes(&sent, |byte| format!("{byte:o}")).concat());
            pieces.push(bytes(&sent, |byte| format!("%{byte:02x}")).concat());
            pieces.push(bytes(&sent, |byte| format!("&#{byte};")).concat());
            pieces.push(sent);
        }
    }
    // Half of a piece is too much as well.
    let pieces = pieces.iter().map(|piece| bare(piece));
    pieces.flat_map(|piece| [piece[..piece.len() / 2].to_owned(), piece[piece.len() / 2..].to_owned()]).collect()
}

/// A piece of a secret in a text.
fn leak(text: &str) -> Option<&'static str> {
    static HALVES: LazyLock<Vec<String>> = LazyLock::new(halves);
    let text = bare(text);
    HALVES.iter().map(String::as_str).find(|half| text.contains(half))
}

/// An account or transport for each way and form, with its name.
fn configure(gate: &Gate) -> Vec<(String, &'static str, Parrot)> {
    let provider = generous_provider(TOKEN);
    let mut toml = "[[queue]]\nname = \"Support\"\n[[system_address]]\naddress = \"support@example.org\"\nqueue = \"Support\"\n\
        [[auto_response]]\nname = \"Receipt\"\ntype = \"reply\"\nqueue = \"Support\"\nsubject = \"We have it\"\nbody = \"Thanks.\"\n"
        .to_owned();
    let mut named = Vec::new();
    for (way, form) in WAYS.into_iter().flat_map(|way| Form::ALL.map(|form| (way, form))) {
        let parrot = Parrot::start(way, form);
        let name = format!("{}-{form:?}", format!("{way:?}").replace(['(', ')', '"'], "-")).to_lowercase();
        let oauth2 = |port: u16| {
            format!(
                "oauth2 = {{ client_id = \"me\", client_secret = '{CLIENT_SECRET}', token_url = \"http://127.0.0.1:{port}/token\", scopes = [\"mail\"], flow = \"client-credentials\" }}"
            )
        };
        let credentials = match way {
            Way::Imap("XOAUTH2" | "OAUTHBEARER")
            | Way::Pop3("XOAUTH2" | "OAUTHBEARER")
            | Way::Smtp("XOAUTH2" | "OAUTHBEARER") => oauth2(provider),
            Way::Http => oauth2(parrot.port),
            _ => format!("password = '{PASSWORD}'"),
        };
        let (table, kind, protocol) = match way {
            Way::Smtp(_) => ("transport", "kind", "smtp"),
            Way::Pop3User | Way::Pop3(_) => ("account", "protocol", "pop3"),
            Way::ImapLogin | Way::Imap(_) | Way::Http => ("account", "protocol", "imap"),
        };
        let port = parrot.port;
        let _ = writeln!(
            toml,
            "[[{table}]]\nname = \"{name}\"\n{kind} = \"{protocol}\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"jane\"\n{credentials}"
        );
        if table == "account" {
            toml.push_str("interval = \"1h\"\n");
        }
        named.push((name, table, parrot));
    }
    // A provider whose client's secret goes into the body.
    for form in Form::ALL {
        let parrot = Parrot::start(Way::Http, form);
        let (name, port) = (format!("http-body-{form:?}").to_lowercase(), parrot.port);
        let _ = writeln!(
            toml,
            "[[account]]\nname = \"{name}\"\nprotocol = \"imap\"\nhost = \"127.0.0.1\"\nport = 9\nuser = \"jane\"\n\
             oauth2 = {{ provider = \"microsoft\", tenant = \"t\", client_id = \"me\", client_secret = '{CLIENT_SECRET}', token_url = \"http://127.0.0.1:{port}/token\", flow = \"client-credentials\" }}"
        );
        named.push((name, "account", parrot));
    }
    gate.configure(&toml);
    named
}

#[test]
fn whatever_a_server_repeats_no_secret_is_said_printed_or_stored() {
    let gate = Gate::new();
    let named = configure(&gate);
    let daemon = gate.serve(TRACE);
    let client = http_client(PATIENCE);
    let token = gate.json(&["token", "create", "--role", "admin"])[0]["token"].as_str().unwrap().to_owned();
    let call = |method: &str, path: &str| {
        let request = client.request(method.parse().unwrap(), format!("{}{path}", daemon.url)).bearer_auth(&token);
        request.send().unwrap().text().unwrap()
    };
    // Twice: the second time it greets with what it was told.
    for _ in 0..2 {
        for (name, table, parrot) in &named {
            let answer = call("POST", &format!("/api/v1/{table}s/{name}/test"));
            assert_eq!(leak(&answer), None, "{name}: {answer}");
            assert!(answer.contains("\"works\":false"), "{name}: {answer}");
            let said = parrot.said();
            assert!(said.iter().any(|said| leak(said).is_some()), "{name} repeats nothing: {said:?}");
            if !name.ends_with("garbled") {
                assert!(
                    answer.contains("[the "),
                    "{name} does not show where it was: {answer}, though the server said {said:?}"
                );
            }
        }
    }
    let mail = "From: bob@example.com\r\nTo: support@example.org\r\nSubject: x\r\nMessage-ID: <1@x>\r\n\r\nx\r\n";
    let response = client
        .post(format!("{}/api/v1/messages", daemon.url))
        .bearer_auth(&token)
        .header("content-type", "message/rfc822");
    assert!(response.body(mail).send().unwrap().status().is_success());
    until("the answer waits, and it is said why", PATIENCE, || {
        gate.json(&["outbound", "list"])
            .iter()
            .any(|mail| mail["error"].as_str().is_some_and(|error| error.contains("[the ")))
    });
    for (name, table, _) in &named {
        let mut said = vec![gate.command().env("POSTIGO_LOG", TRACE).args([table, "test", name]).output().unwrap()];
        if *table == "account" {
            said.push(gate.command().env("POSTIGO_LOG", TRACE).args(["fetch", "--account", name]).output().unwrap());
        }
        for output in said {
            let text =
                format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert_eq!(leak(&text), None, "{name}: {text}");
        }
    }
    let communications = gate.json(&["log", "list", "--limit", "10000"]);
    assert!(communications.len() >= named.len(), "{} communications", communications.len());
    for path in [
        "/metrics",
        "/readyz",
        "/api/v1/accounts",
        "/api/v1/transports",
        "/api/v1/outbound",
        "/api/v1/communications?limit=500",
    ] {
        let answer = call("GET", path);
        assert!(answer.len() > 50, "{path}: {answer}");
        assert_eq!(leak(&answer), None, "{path}: {answer}");
    }
    for communication in &communications {
        let id = communication["id"].as_str().unwrap();
        let shown = call("GET", &format!("/api/v1/communications/{id}"));
        assert_eq!(leak(&shown), None, "{shown}");
    }
    for command in [
        &["log", "overview"][..],
        &["outbound", "list", "--json"],
        &["outbound", "show", "1"],
        &["account", "list", "--json"],
    ] {
        let printed = gate.run(command);
        assert_eq!(leak(&printed), None, "{command:?}: {printed}");
    }
    let lines: Vec<String> = daemon.lines.try_iter().collect();
    assert!(lines.len() > 1_000, "at trace much is said: {}", lines.len());
    let leaking: Vec<_> =
        lines.iter().filter_map(|line| leak(line).map(|piece| format!("{piece:?} in {line}"))).collect();
    assert!(leaking.is_empty(), "{}", leaking.join("\n"));
    daemon.stop();
    assert_eq!(
        leak(&STANDARD.encode(format!("\0jane\0{PASSWORD}"))).is_some(),
        leak(PASSWORD).is_some(),
        "the search finds what it looks for"
    );
}
