//! REST over a real socket: components, filters and mail, with the sandbox at work.

use postigo_skipped::skipped;
use postigo_tests::gate::{Daemon, Gate, http_client};
use postigo_tests::postgres::Postgres;
use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};
use std::time::Duration;

/// The first use of a component compiles it, which takes its time where tests run side by side.
const PATIENCE: Duration = Duration::from_mins(2);

/// A client with a token.
#[derive(Clone)]
pub struct Rest {
    pub url: String,
    pub token: String,
    pub client: Client,
}

impl Rest {
    /// With a token of this role.
    pub fn new(gate: &Gate, daemon: &Daemon, role: &str) -> Self {
        let token = gate.json(&["token", "create", "--role", role])[0]["token"].as_str().unwrap().to_owned();
        Self { url: format!("{}/api/v1", daemon.url), token, client: http_client(PATIENCE) }
    }

    /// Sends a body of a media type.
    pub fn send(&self, method: &str, path: &str, media_type: &str, body: impl Into<Vec<u8>>) -> Response {
        let request =
            self.client.request(method.parse().unwrap(), format!("{}{path}", self.url)).bearer_auth(&self.token);
        request.header("content-type", media_type).body(body.into()).send().unwrap()
    }

    /// Sends JSON and expects a status.
    pub fn json(&self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        expect(self.send(method, path, "application/json", body.to_string()), status)
    }

    /// Gets JSON.
    pub fn get(&self, path: &str) -> Value {
        self.json("GET", path, &Value::Null, 200)
    }

    /// Hands a mail in and gives its result.
    pub fn submit(&self, subject: &str) -> Value {
        let mail = format!(
            "Message-ID: <{subject}@example.org>\r\nFrom: jane@example.com\r\nSubject: {subject}\r\n\r\nHello.\r\n"
        );
        expect(self.send("POST", "/messages", "message/rfc822", mail), 201)
    }
}

/// Expects a status, and gives the JSON; null where there is none.
pub fn expect(response: Response, status: u16) -> Value {
    let got = response.status();
    let text = response.text().unwrap();
    assert_eq!(got.as_u16(), status, "{text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// A filter that sends mail with this subject to Junk.
pub fn to_junk(name: &str, subject: &str) -> Value {
    json!({ "name": name, "component": "match", "settings": {
        "when": [{ "header": "Subject", "matches": subject }],
        "set": [{ "header": "X-OTOBO-Queue", "value": "Junk" }]
    } })
}

#[test]
fn a_filter_is_written_tried_put_to_work_and_taken_away() {
    let postgres = Postgres::start();
    let gates = std::iter::once(Gate::new())
        .chain(postgres.iter().map(|postgres| Gate::on_postgres(&postgres.database(), None)));
    gates.for_each(|gate| filter_from_beginning_to_end(&gate));
}

fn filter_from_beginning_to_end(gate: &Gate) {
    let daemon = gate.serve("warn");
    let rest = Rest::new(gate, &daemon, "admin");
    assert_eq!(rest.get("/whoami")["role"], "admin");
    assert!(rest.get("/tokens")["items"][0]["last_used_at"].is_string());
    if !rest.get("/components")["items"].as_array().unwrap().iter().any(|component| component["name"] == "match") {
        skipped("the shipped filters are not built (make guests)");
        return;
    }
    rest.json("POST", "/filters", &to_junk("10 Spam", "^spam"), 201);
    assert_eq!(rest.submit("spam 1")["queue"], "Junk", "a save that answers 201 is in force");
    assert_eq!(rest.submit("ham 1")["queue"], "Raw");

    // Every mistake of the settings has its place.
    let mut wrong = to_junk("20 Wrong", "(unclosed");
    wrong["settings"]["when"][0]["colour"] = json!("red");
    let problem = rest.json("POST", "/filters", &wrong, 422);
    let pointers: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().filter_map(|error| error["pointer"].as_str()).collect();
    assert!(pointers.iter().any(|pointer| pointer.starts_with("/settings/when/0")), "{problem:#}");
    let missing = rest.json("POST", "/filters", &json!({ "name": "20", "component": "none" }), 422);
    assert_eq!(missing["errors"][0]["pointer"], "/component", "{missing:#}");

    // Off it can still be tried, and does nothing else.
    rest.json("POST", "/filters/10%20Spam/disable", &Value::Null, 200);
    assert_eq!(rest.submit("spam 2")["queue"], "Raw");
    let tried = expect(rest.send("POST", "/filters/10%20Spam/test", "message/rfc822", "Subject: spam 3\r\n\r\n"), 200);
    assert_eq!((&tried["filters"][0]["outcome"], &tried["queue"]), (&json!("matched"), &json!("Junk")), "{tried:#}");
    rest.json("POST", "/filters/10%20Spam/enable", &Value::Null, 200);
    let chain = rest.get("/chain");
    assert_eq!((&chain["filters"][0]["name"], &chain["filters"][0]["state"]), (&json!("10 Spam"), &json!("ready")));
    assert_eq!(rest.get("/filters?search=%5Espam")["items"].as_array().unwrap().len(), 1);

    let metrics = rest.client.get(format!("{}/metrics", daemon.url)).send().unwrap().text().unwrap();
    for line in [
        "postigo_filter_outcomes_total{filter=\"10 Spam\",outcome=\"matched\"} 1",
        "postigo_messages_total{status=\"filed\"} 3",
    ] {
        assert!(metrics.contains(line), "{line} is missing in:\n{metrics}");
    }
    rest.json("DELETE", "/filters/10%20Spam", &Value::Null, 204);
    assert_eq!(rest.submit("spam 4")["queue"], "Raw");
    assert_eq!(gate.titles(), ["ham 1", "spam 1", "spam 2", "spam 4"], "dry runs filed nothing");
}
