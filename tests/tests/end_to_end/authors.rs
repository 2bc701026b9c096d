//! What an author may do over REST keeps no admin from their work, and nobody's mail from being filed.

use super::rest::{Rest, to_junk};
use postigo_skipped::skipped;
use postigo_tests::gate::{Gate, PATIENCE, binary, http_client, until};
use serde_json::json;
use sqlx::Connection as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

/// How many children of the daemon prepare something now.
fn children(daemon: u32) -> usize {
    let children = std::fs::read_to_string(format!("/proc/{daemon}/task/{daemon}/children")).unwrap_or_default();
    let threads = std::fs::read_dir(format!("/proc/{daemon}/task")).into_iter().flatten().flatten();
    let of_threads = threads.map(|thread| std::fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    let all: String = std::iter::once(children).chain(of_threads).collect::<Vec<_>>().join(" ");
    let mut pids: Vec<&str> = all.split_whitespace().collect();
    pids.sort_unstable();
    pids.dedup();
    pids.len()
}

#[test]
fn an_authors_slow_filters_leave_room_for_an_admins_change() {
    let Ok(hostile) = std::fs::read(guests().join("hostile.wasm")) else {
        skipped("the guests are not built (make guests)");
        return;
    };
    let gate = Gate::new();
    let daemon = gate.serve("warn");
    let (author, admin) = (Rest::new(&gate, &daemon, "author"), Rest::new(&gate, &daemon, "admin"));
    // What both use is compiled before.
    admin.json("POST", "/filters", &to_junk("10 Spam", "^spam"), 201);
    super::rest::expect(author.send("POST", "/components", "application/wasm", hostile), 201);
    gate.run(&["component", "activate", "hostile"]);
    let impatient = Rest { client: http_client(Duration::from_secs(1)), ..author.clone() };
    for number in 0..6 {
        // Each configures for 30 s and does not wait for the answer.
        let slow = json!({ "name": format!("slow {number}"), "component": "hostile", "settings": { "do": "loop-in-configure" } });
        let request = impatient.client.post(format!("{}/filters", impatient.url)).bearer_auth(&impatient.token);
        request.header("content-type", "application/json").body(slow.to_string()).send().unwrap_err();
    }
    until("the author's filters are being prepared", PATIENCE, || children(daemon.id()) > 0);
    admin.json("POST", "/filters", &to_junk("20 Ham", "^ham"), 201);
    assert!(children(daemon.id()) > 0, "the author's are still at work");
    assert_eq!(admin.submit("ham 1")["queue"], "Junk");
}

/// Where the guests are built.
pub fn guests() -> std::path::PathBuf {
    let target = binary().ancestors().nth(2).map(Path::to_owned).unwrap();
    target.join("guests")
}

/// Puts into the database what an earlier version let in.
fn make_schema_hostile(gate: &Gate, schema: &str) {
    let url = format!("sqlite://{}/postigo.db", gate.folder().display());
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio.block_on(async {
        sqlx::any::install_default_drivers();
        let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
        sqlx::query("UPDATE component SET settings_schema = $1")
            .bind(schema.to_owned())
            .execute(&mut connection)
            .await
            .unwrap();
    });
}

#[test]
fn a_hostile_schema_that_is_in_the_database_already_is_refused_and_harms_nothing() {
    let Ok(hostile) = std::fs::read(guests().join("hostile.wasm")) else {
        skipped("the guests are not built (make guests)");
        return;
    };
    let gate = Gate::new();
    let daemon = gate.serve("warn");
    let author = Rest::new(&gate, &daemon, "author");
    super::rest::expect(author.send("POST", "/components", "application/wasm", hostile), 201);
    gate.run(&["component", "activate", "hostile"]);
    let filter = |name: &str| json!({ "name": name, "component": "hostile", "settings": { "do": "behave" } });
    author.json("POST", "/filters", &filter("10 before"), 201);
    let levels: Vec<String> = (0..28)
        .map(|level| {
            format!(r##""n{level}":{{"allOf":[{{"$ref":"#/$defs/n{0}"}},{{"$ref":"#/$defs/n{0}"}}]}}"##, level + 1)
        })
        .collect();
    for schema in [
        r##"{"allOf":[{"$ref":"#"}]}"##.to_owned(),
        format!(r##"{{"$ref":"#/$defs/n0","$defs":{{{},"n28":true}}}}"##, levels.join(",")),
    ] {
        make_schema_hostile(&gate, &schema);
        let refused = author.json("POST", "/filters", &filter("20 after"), 422);
        assert!(refused["errors"][0]["detail"].as_str().unwrap().contains("settings schema"), "{refused:#}");
        assert_eq!(author.get("/components")["items"].as_array().unwrap().last().unwrap()["name"], "hostile");
        assert!(author.get("/components/hostile/schema").is_object());
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "[[filter]]\nname = \"20 after\"\ncomponent = \"hostile\"\nsettings = {{ do = \"behave\" }}")
            .unwrap();
        let checked = gate.try_run(["config", "check", &file.path().display().to_string()]);
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(!checked.status.success() && said.contains("settings schema"), "{said}");
    }
    daemon.stop();
    let daemon = gate.serve("warn");
    let admin = Rest::new(&gate, &daemon, "admin");
    assert_eq!(admin.get("/chain")["filters"][0]["state"], "ready", "the filter that was saved before goes on");
}
