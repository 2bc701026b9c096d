//! Jobs as users have them: a replay says what stored mails would become, in the foreground, by a daemon and over REST;
//! it is cancelled, taken over, and done once, and mail goes on meanwhile.

use crate::rest::{Rest, expect, to_junk};
use postigo_tests::component::Component;
use postigo_tests::gate::{Daemon, Gate, PATIENCE, until, until_or};
use postigo_tests::postgres::Postgres;
use serde_json::{Value, json};
use sqlx::Connection as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

/// A gate on each engine.
fn gates(postgres: Option<&Postgres>) -> impl Iterator<Item = Gate> {
    std::iter::once(Gate::new()).chain(postgres.map(|postgres| Gate::on_postgres(&postgres.database(), None)))
}

/// Changes rows by hand.
fn execute(gate: &Gate, statement: &'static str) {
    let url = match database(gate) {
        Some(url) => url,
        None => format!("sqlite://{}/postigo.db", gate.folder().display()),
    };
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio.block_on(async {
        sqlx::any::install_default_drivers();
        let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    });
}

/// The address of a gate's PostgreSQL database.
fn database(gate: &Gate) -> Option<String> {
    let command = gate.command();
    let mut arguments = command.get_args().skip_while(|argument| *argument != "--database");
    arguments.nth(1).map(|url| url.to_str().unwrap().to_owned())
}

/// Files mails with these subjects.
fn file(gate: &Gate, subjects: &[&str]) {
    let mails: String = subjects
        .iter()
        .enumerate()
        .map(|(number, subject)| {
            format!(
                "From jane Thu Jan  1 00:00:00 2026\nFrom: jane{number}@customer.example\nTo: desk@example.org\n\
                 Message-ID: <{number}.{subject}@customer.example>\nSubject: {subject}\n\nHello.\n\n"
            )
        })
        .collect();
    let mut mbox = tempfile::NamedTempFile::new().unwrap();
    mbox.write_all(mails.as_bytes()).unwrap();
    gate.run(&["ingest", &mbox.path().display().to_string()]);
}

/// A filter that never ends by itself, so that each mail takes as long as it may.
fn slow_filter(gate: &Gate) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("component.wasm");
    std::fs::write(&path, Component::new("endless", "1.0.0").that_loops().bytes()).unwrap();
    gate.run(&["component", "upload", &path.display().to_string()]);
    gate.run(&["component", "activate", "endless"]);
    gate.configure(
        "[[filter]]\nname = \"endless\"\ncomponent = \"endless\"\nvalid = false\nlimits = { time = \"200ms\" }\n",
    );
}

fn job(gate: &Gate, id: &str) -> Value {
    gate.json(&["job", "show", id])[0].clone()
}

/// Asks for a replay that takes long: the slow filter alone; gives the job's id.
fn slow_replay(gate: &Gate) -> String {
    gate.json(&["replay", "--only", "endless", "--background"])[0]["id"].to_string()
}

/// Waits until a job runs, and has tried some mails.
fn until_under_way(gate: &Gate, id: &str) -> Value {
    let mut seen = Value::Null;
    until("the job is under way", PATIENCE, || {
        seen = job(gate, id);
        // More than the one step that a job begun anew would have when it is looked at first.
        seen["status"] == "running" && seen["done"].as_i64() > Some(2)
    });
    seen
}

/// Waits until a job has ended that was taken over when so many of its steps were done: it never falls back.
fn until_taken_over_and_ended(gate: &Gate, id: &str, done: i64) -> Value {
    let seen = std::cell::RefCell::new(Value::Null);
    let ended = || {
        *seen.borrow_mut() = job(gate, id);
        assert!(seen.borrow()["done"].as_i64() >= Some(done), "it had {done}: {:#}", seen.borrow());
        !["waiting", "running"].contains(&seen.borrow()["status"].as_str().unwrap())
    };
    until_or(PATIENCE, ended, || format!("the job ends: {}", seen.borrow()));
    seen.into_inner()
}

fn until_ended(gate: &Gate, id: &str) -> Value {
    let seen = std::cell::RefCell::new(Value::Null);
    let ended = || {
        *seen.borrow_mut() = job(gate, id);
        !["waiting", "running"].contains(&seen.borrow()["status"].as_str().unwrap())
    };
    until_or(PATIENCE, ended, || format!("the job ends: {}", seen.borrow()));
    seen.into_inner()
}

#[test]
fn a_replay_says_which_mails_would_go_elsewhere_and_changes_nothing() {
    let postgres = Postgres::start();
    for gate in gates(postgres.as_ref()) {
        gate.configure(
            "[[queue]]\nname = \"Sales\"\n[[filter]]\nname = \"10 Spam\"\ncomponent = \"match\"\n[filter.settings]\n\
             when = [{ header = \"Subject\", matches = \"^spam\" }]\nset = [{ header = \"X-OTOBO-Queue\", value = \"Junk\" }]\n",
        );
        file(&gate, &["spam 1", "offer 1", "offer 2", "hello 1"]);
        let before = (gate.json(&["ticket", "list"]), gate.run(&["config", "export"]));

        // With the chain as it is, all would become the same.
        let done = gate.json(&["replay"])[0].clone();
        assert_eq!(done["status"], "done", "{done:#}");
        assert!(done["asked_by"].as_str().unwrap().starts_with("command line ("), "{done:#}");
        let result = &done["result"];
        assert_eq!([&result["tried"], &result["same"], &result["differ"]], [4, 4, 0], "{result:#}");
        assert_eq!(result["by_filter"]["10 Spam"]["matched_then"], 1, "{result:#}");

        // With another filter for one of the same name, and one more.
        let mut filters = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        filters
            .write_all(
                b"[[filter]]\nname = \"10 Spam\"\ncomponent = \"match\"\n[filter.settings]\nwhen = [{ header = \"Subject\", matches = \"^nothing\" }]\n\
                  set = [{ header = \"X-OTOBO-Queue\", value = \"Junk\" }]\n[[filter]]\nname = \"20 Offers\"\ncomponent = \"match\"\n[filter.settings]\n\
                  when = [{ header = \"Subject\", matches = \"^offer\" }]\nset = [{ header = \"X-OTOBO-Queue\", value = \"Sales\" }]\n",
            )
            .unwrap();
        let path = filters.path().display().to_string();
        let done = gate.json(&["replay", "--filter", &path])[0].clone();
        let result = &done["result"];
        assert_eq!([&result["tried"], &result["same"], &result["differ"]], [4, 1, 3], "{result:#}");
        assert_eq!(result["by_field"], json!({ "queue": 3 }));
        assert_eq!([&result["by_filter"]["10 Spam"]["lost"], &result["by_filter"]["20 Offers"]["gained"]], [1, 2]);
        let moves: Vec<(&str, &str, &str)> = result["mails"]
            .as_array()
            .unwrap()
            .iter()
            .map(|mail| {
                let difference = &mail["differences"][0];
                let text = |value: &'static str| difference[value].as_str().unwrap();
                (mail["title"].as_str().unwrap(), text("then"), text("now"))
            })
            .collect();
        assert_eq!(
            moves,
            [("offer 2", "Raw", "Sales"), ("offer 1", "Raw", "Sales"), ("spam 1", "Junk", "Raw")],
            "the latest first"
        );
        let shown = gate.run(&["job", "show", &done["id"].to_string()]);
        assert!(shown.contains("queue: Raw → Sales") && shown.contains("3  would become something else"), "{shown}");
        let bounded = gate.json(&["replay", "--filter", &path, "--limit", "2"])[0].clone();
        assert_eq!(bounded["result"]["tried"], 2);
        // The limit is for mails that are tried: the only one of its queue came first of all.
        let bounded = gate.json(&["replay", "--queue", "Junk", "--limit", "1"])[0].clone();
        let counts = ["tried", "passed_over", "looked_at"].map(|key| bounded["result"][key].as_i64());
        assert_eq!(counts, [1, 3, 4].map(Some), "{bounded:#}");
        assert_eq!([&bounded["done"], &bounded["total"]], [4, 4], "{bounded:#}");

        // Over REST, by the daemon.
        let daemon = gate.serve("warn");
        let (author, admin) = (Rest::new(&gate, &daemon, "author"), Rest::new(&gate, &daemon, "admin"));
        let asked = json!({ "account": "local", "queue": "Junk", "filters": [to_junk("20 Offers", "^offer")] });
        let answer = author.send("POST", "/chain/replay", "application/json", asked.to_string());
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let asked = expect(answer, 202);
        let id = asked["id"].to_string();
        assert_eq!((location, &asked["status"]), (format!("/api/v1/jobs/{id}"), &json!("waiting")));
        until_ended(&gate, &id);
        let done = author.get(&format!("/jobs/{id}"));
        assert_eq!([&done["result"]["tried"], &done["result"]["passed_over"]], [1, 3], "{done:#}");
        assert!(done["host_name"].is_string() && done["error"].is_null());
        let listed = author.get("/jobs?limit=2");
        assert_eq!((&listed["items"][0]["id"], &listed["items"][0]["result"]), (&done["id"], &Value::Null));
        let next = author.get(&format!("/jobs?limit=2&cursor={}", listed["next_cursor"].as_str().unwrap()));
        assert_eq!(next["items"].as_array().unwrap().len(), 2);
        admin.json("POST", &format!("/jobs/{id}/cancel"), &Value::Null, 409);
        admin.json("GET", "/jobs/4711", &Value::Null, 404);
        let wrong = json!({ "account": "nobody", "limit": 0, "only": ["none"], "since": "2026-11-24T12:00:00Z", "until": "2026-11-24T11:00:00Z" });
        let problem = author.json("POST", "/chain/replay", &wrong, 422);
        let pointers: Vec<&str> =
            problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointers, ["/until", "/limit", "/account", "/only/0"], "{problem:#}");
        let wrong = json!({ "filters": [{ "name": "x", "component": "match", "settings": { "when": 1 } }] });
        let problem = author.json("POST", "/chain/replay", &wrong, 422);
        let pointer = problem["errors"][0]["pointer"].as_str().unwrap();
        assert!(pointer.starts_with("/filters/0/settings/when"), "{problem:#}");
        drop(daemon);

        assert_eq!((gate.json(&["ticket", "list"]), gate.run(&["config", "export"])), before);
    }
}

#[test]
fn mail_is_filed_while_a_job_runs_and_the_job_is_cancelled_within_seconds() {
    let postgres = Postgres::start();
    for gate in gates(postgres.as_ref()) {
        file(&gate, &["mail"; 40]);
        slow_filter(&gate);
        let daemon = gate.serve("warn");
        let rest = Rest::new(&gate, &daemon, "admin");
        let id = slow_replay(&gate);
        until_under_way(&gate, &id);
        assert_eq!(rest.submit("beside")["status"], "filed");
        assert_eq!(job(&gate, &id)["status"], "running", "the mail did not wait for its end");
        let ready: Value = rest.client.get(format!("{}/readyz", daemon.url)).send().unwrap().json().unwrap();
        assert_eq!(ready["jobs"], json!({ "waiting": 0, "running": 1, "failed": 0 }), "{ready:#}");
        let metrics = rest.client.get(format!("{}/metrics", daemon.url)).send().unwrap().text().unwrap();
        assert!(metrics.contains("postigo_jobs{status=\"running\"} 1"), "{metrics}");
        // Who did not ask for it and is no admin ends it not.
        let author = Rest::new(&gate, &daemon, "author");
        author.json("POST", &format!("/jobs/{id}/cancel"), &Value::Null, 403);
        rest.json("POST", &format!("/jobs/{id}/cancel"), &Value::Null, 200);
        until("the job is cancelled", PATIENCE, || job(&gate, &id)["status"] == "cancelled");
        let cancelled = job(&gate, &id);
        assert!(cancelled["done"].as_i64() < Some(40) && cancelled["result"].is_null(), "{cancelled:#}");
    }
}

#[test]
fn the_log_is_exported_into_a_file_that_the_host_gives_out_and_that_goes_with_its_job() {
    let postgres = Postgres::start();
    for gate in gates(postgres.as_ref()) {
        file(&gate, &["one", "two", "three"]);
        let listed = gate.json(&["log", "list", "--sort", "oldest"]);
        // In the foreground: the lines are what a list shows, in the order of time.
        let done = gate.json(&["log", "export"])[0].clone();
        assert_eq!((&done["status"], &done["done"]), (&json!("done"), &json!(listed.len())), "{done:#}");
        let path = done["result"]["file"].as_str().unwrap();
        let read =
            |text: &str| -> Vec<Value> { text.lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(read(&text), listed);
        assert_eq!(done["result"]["bytes"], text.len());
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o077, 0, "for its owner alone");
        assert!(gate.run(&["job", "show", &done["id"].to_string()]).contains(path));

        // By the daemon, with the entries that `log show` has.
        let daemon = gate.serve("warn");
        let rest = Rest::new(&gate, &daemon, "admin");
        let asked = rest.json("POST", "/communications/export", &json!({ "entries": true, "account": "local" }), 202);
        let id = asked["id"].to_string();
        until_ended(&gate, &id);
        let given = rest.client.get(format!("{}/jobs/{id}/file", rest.url)).bearer_auth(&rest.token).send().unwrap();
        assert_eq!(given.headers()["content-type"], "application/jsonl");
        let lines = read(&given.text().unwrap());
        let message = lines.iter().find(|line| line["kind"] == "message").unwrap();
        let shown = gate.json(&["log", "show", message["id"].as_str().unwrap()])[0].clone();
        assert_eq!((&message["entries"], lines.len()), (&shown["entries"], listed.len()));
        assert_eq!(rest.json("GET", "/jobs/4711/file", &Value::Null, 404)["status"], 404);
        let replay = gate.json(&["replay", "--limit", "1"])[0]["id"].to_string();
        let problem = rest.json("GET", &format!("/jobs/{replay}/file"), &Value::Null, 409);
        assert!(problem["detail"].as_str().unwrap().contains("makes no file"), "{problem:#}");
        Rest::new(&gate, &daemon, "author").json("POST", "/communications/export", &json!({}), 403);
        rest.json("POST", "/communications/export", &json!({ "account": "nobody" }), 422);
        daemon.stop();

        // One that waits where its file was begun: the file goes with it.
        let waiting = gate.json(&["log", "export", "--background"])[0]["id"].to_string();
        let part = gate.folder().join("exports").join(format!("job-{waiting}.jsonl.part"));
        std::fs::write(&part, "{}").unwrap();
        gate.run(&["job", "cancel", &waiting]);
        assert!(!part.exists());

        // A job's file goes with its row: what the settings do not keep is removed as the daemon starts.
        gate.configure("[settings]\njob_retention = \"1s\"\n");
        execute(&gate, "UPDATE job SET ended_at = 1");
        let _daemon = gate.serve("warn");
        let path = std::path::PathBuf::from(path);
        until("the file is removed", PATIENCE, || !path.exists());
        assert_eq!(gate.json(&["job", "list"]), Vec::<Value>::new());
    }
}

#[test]
fn a_file_of_a_job_is_asked_for_where_it_is() {
    let Some(postgres) = Postgres::start() else { return };
    let one = Gate::on_postgres(&postgres.database(), None);
    file(&one, &["mail"]);
    let made = one.json(&["log", "export"])[0].clone();
    let url = database(&one).unwrap();
    let two = Gate::on_postgres(&url, Some(&one));
    let daemon = two.serve("warn");
    let rest = Rest::new(&two, &daemon, "reader");
    let problem = rest.json("GET", &format!("/jobs/{}/file", made["id"]), &Value::Null, 404);
    let (detail, host) = (problem["detail"].as_str().unwrap(), made["host"].as_str().unwrap());
    assert!(detail.contains("on another host") && detail.contains(host), "{problem:#}");
}

#[test]
fn a_job_goes_on_where_it_was_after_its_daemon_was_killed() {
    let gate = Gate::new();
    file(&gate, &["mail"; 15]);
    slow_filter(&gate);
    let daemon = gate.serve("warn");
    let id = slow_replay(&gate);
    let under_way = until_under_way(&gate, &id);
    daemon.kill();
    let at_kill = job(&gate, &id)["done"].as_i64().unwrap();
    let daemon = gate.serve("info");
    let line = daemon.wait_for("a job begins");
    assert!(line.contains("left_by"), "{line}");
    let done = until_taken_over_and_ended(&gate, &id, at_kill);
    assert_eq!((&done["status"], &done["result"]["tried"]), (&json!("done"), &json!(15)), "{done:#}");
    assert!(done["begun_at"] == under_way["begun_at"], "{done:#}");
}

#[test]
fn a_job_of_a_killed_host_is_taken_over_by_another_and_each_job_is_done_once() {
    let Some(postgres) = Postgres::start() else { return };
    let one = Gate::on_postgres(&postgres.database(), None);
    file(&one, &["mail"; 15]);
    slow_filter(&one);
    let url = database(&one).unwrap();
    let two = Gate::on_postgres(&url, Some(&one));
    let first = one.serve("info");
    let id = slow_replay(&one);
    let under_way = until_under_way(&one, &id);
    let second = two.serve("info");
    first.kill();
    let at_kill = job(&two, &id)["done"].as_i64().unwrap();
    let line = second.wait_for("a job begins");
    assert!(line.contains("left_by"), "{line}");
    let done = until_taken_over_and_ended(&two, &id, at_kill);
    assert_eq!((&done["status"], &done["result"]["tried"]), (&json!("done"), &json!(15)), "{done:#}");
    assert_ne!(done["host"], under_way["host"]);

    let first = one.serve("info");
    let ids: Vec<String> = (0..6).map(|_| one.json(&["replay", "--background"])[0]["id"].to_string()).collect();
    for id in &ids {
        assert_eq!(until_ended(&two, id)["status"], "done");
    }
    let begun = |daemon: Daemon| {
        daemon.signal("TERM");
        daemon.lines.iter().filter(|line| line.contains("a job begins")).collect::<Vec<_>>()
    };
    let begun = [begun(first), begun(second)].concat();
    for id in &ids {
        let times = begun.iter().filter(|line| line.contains(&format!("job={id} "))).count();
        assert_eq!(times, 1, "job {id}: {begun:#?}");
    }
}
