//! What was uploaded acts once an admin lets it, and what a filter runs changes by an admin's upgrade alone.

use super::rest::{Rest, expect};
use postigo_tests::component::Component;
use postigo_tests::gate::{Gate, PATIENCE, on_both, until};
use serde_json::{Value, json};
use std::path::PathBuf;

/// A version of the component that most tests use.
fn urgent(version: &str) -> Component {
    Component::new("urgent", version).sets("X-OTOBO-Queue", "Junk")
}

/// The same, and mail is dropped.
fn dropping(version: &str) -> Component {
    urgent(version).sets("X-OTOBO-Ignore", "yes")
}

/// Uploads a component over REST; how it is referred to.
fn upload(rest: &Rest, component: &Component) -> String {
    let uploaded = expect(rest.send("POST", "/components", "application/wasm", component.bytes()), 201);
    assert_eq!(uploaded["component"]["activated"], json!(false), "{uploaded}");
    uploaded["component"]["reference"].as_str().unwrap().to_owned()
}

fn activate(rest: &Rest, reference: &str) {
    assert_eq!(rest.json("POST", &format!("/components/{reference}/activate"), &Value::Null, 200)["new"], json!(true));
}

fn filter(name: &str, component: &str) -> Value {
    json!({ "name": name, "component": component })
}

/// What a filter is made of, as it is shown.
fn made_of(rest: &Rest, filter: &str) -> String {
    rest.get(&format!("/filters/{filter}"))["component"].as_str().unwrap().to_owned()
}

/// Writes a component to a file beside the gate's data.
fn file(gate: &Gate, name: &str, component: &Component) -> String {
    write(gate, &format!("{name}.wasm"), &component.bytes())
}

fn write(gate: &Gate, name: &str, bytes: &[u8]) -> String {
    let path: PathBuf = gate.folder().join(name);
    std::fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

#[test]
fn an_upload_under_the_name_of_one_in_use_changes_nothing_that_is_in_force() {
    on_both(|gate| {
        let daemon = gate.serve("warn");
        let (admin, author) = (Rest::new(gate, &daemon, "admin"), Rest::new(gate, &daemon, "author"));
        let first = upload(&author, &urgent("1.0.0"));
        activate(&admin, &first);
        admin.json("POST", "/filters", &filter("10", "urgent"), 201);
        assert_eq!(admin.submit("before")["queue"], "Junk");

        let later = upload(&author, &dropping("1.1.0"));
        let mail = admin.submit("after the upload");
        assert_eq!((&mail["status"], &mail["queue"]), (&json!("filed"), &json!("Junk")), "{mail}");
        activate(&admin, &later);
        let mail = admin.submit("after its activation");
        assert_eq!((&mail["status"], &mail["queue"]), (&json!("filed"), &json!("Junk")), "{mail}");
        assert_eq!(made_of(&admin, "10"), "urgent@1.0.0");
        // Written again, by whatever name, it stays; a new one has the newest.
        for written in ["urgent", "urgent@1.0.0"] {
            admin.json("PUT", "/filters/10", &filter("10", written), 200);
            assert_eq!(made_of(&admin, "10"), "urgent@1.0.0", "{written}");
        }
        admin.json("POST", "/filters", &filter("20", "urgent"), 201);
        assert_eq!(made_of(&admin, "20"), "urgent@1.1.0");
        assert_eq!(admin.submit("with a new filter")["status"], "ignored");
    });
}

#[test]
fn an_author_uploads_and_tests_and_an_admin_lets_act() {
    let gate = Gate::new();
    let daemon = gate.serve("warn");
    let (admin, author) = (Rest::new(&gate, &daemon, "admin"), Rest::new(&gate, &daemon, "author"));
    let reference = upload(&author, &urgent("1.0.0"));
    author.json("POST", &format!("/components/{reference}/activate"), &Value::Null, 403);
    for rest in [&author, &admin] {
        for component in ["urgent", "urgent@1.0.0"] {
            let told = rest.json("POST", "/filters", &filter("10", component), 422);
            assert_eq!(told["errors"][0]["pointer"], "/component", "{told}");
            assert!(told["detail"].as_str().unwrap().contains("postigo component activate urgent@1.0.0"), "{told}");
        }
    }
    // Off, it can be tried; it cannot be let run.
    let mut off = filter("10", &reference);
    off["valid"] = json!(false);
    author.json("POST", "/filters", &off, 201);
    let tried =
        |query: &str| author.send("POST", &format!("/filters/10/test{query}"), "message/rfc822", "Subject: x\r\n\r\n");
    let found = expect(tried(""), 200);
    assert_eq!(
        (&found["filters"][0]["outcome"], &found["filters"][0]["component"]),
        (&json!("matched"), &json!("urgent@1.0.0")),
        "{found}"
    );
    author.json("POST", "/filters/10/enable", &Value::Null, 422);
    author.json("PATCH", "/filters/10", &json!({ "valid": true }), 422);
    author.json("POST", "/filters/10/upgrade", &json!({}), 403);
    author.json("POST", "/filters/10/rollback", &json!({}), 403);
    assert_eq!(admin.submit("untouched")["queue"], "Raw");

    activate(&admin, &reference);
    author.json("POST", "/filters/10/enable", &Value::Null, 200);
    assert_eq!(admin.submit("let act")["queue"], "Junk");

    // A later version is tried in the place of the one that runs.
    upload(&author, &dropping("2.0.0"));
    let found = expect(tried("?component=urgent@2.0.0"), 200);
    assert_eq!(
        (&found["status"], &found["filters"][0]["component"]),
        (&json!("ignored"), &json!("urgent@2.0.0")),
        "{found}"
    );
    assert_eq!(expect(tried("?component=urgent@3.0.0"), 400)["errors"][0]["parameter"], "component");
    assert_eq!(author.get("/filters/10/upgrade?to=2.0.0")["headers"]["added"], json!(["X-OTOBO-Ignore"]));
    let said = gate.run(&[
        "filter",
        "test",
        "10",
        "--component",
        "urgent@2.0.0",
        &write(&gate, "m.eml", b"Subject: x\r\n\r\n"),
    ]);
    assert!(said.contains("10 (urgent@2.0.0): matched") && said.contains("would be ignored"), "{said}");
    assert_eq!(admin.submit("after the trials")["status"], "filed");
    // Of what an admin activated, an author takes nothing away.
    author.json("DELETE", "/components/urgent@2.0.0", &Value::Null, 204);
    author.json("DELETE", "/components/urgent@1.0.0", &Value::Null, 403);
}

#[test]
fn nobody_gives_a_filter_grants_that_its_role_may_not_give() {
    let gate = Gate::new();
    let daemon = gate.serve("warn");
    let (admin, author) = (Rest::new(&gate, &daemon, "admin"), Rest::new(&gate, &daemon, "author"));
    for version in ["1.0.0", "1.1.0"] {
        activate(&admin, &upload(&author, &urgent(version).wants("body")));
    }
    let granted = |name: &str, grants: Value| json!({ "name": name, "component": "urgent@1.0.0", "grants": grants });
    let told = author.json("POST", "/filters", &granted("10", json!(["body"])), 403);
    assert_eq!(told["errors"][0]["pointer"], "/grants", "{told}");
    author.json("POST", "/filters", &granted("10", json!([])), 201);
    author.json("PATCH", "/filters/10", &json!({ "grants": ["raw"] }), 403);
    author.json("PUT", "/filters/10", &granted("10", json!(["body"])), 403);

    // What an admin gave stays while the component does, and goes no further.
    admin.json("PATCH", "/filters/10", &json!({ "grants": ["body"] }), 200);
    author.json("PATCH", "/filters/10", &json!({ "comment": "written by an author" }), 200);
    author.json("PATCH", "/filters/10", &json!({ "grants": ["body", "raw"] }), 403);
    author.json("PATCH", "/filters/10", &json!({ "component": "urgent@1.1.0" }), 403);
    author.json("PATCH", "/filters/10", &json!({ "component": "urgent@1.1.0", "grants": [] }), 200);
    author.json("PATCH", "/filters/10", &json!({ "component": "urgent@1.0.0", "grants": ["body"] }), 403);
    assert_eq!(admin.get("/filters/10")["grants"], json!([]));
    // A shipped component has what it asks for from anybody, and no more.
    let settings = json!({ "when": [{ "header": "Subject", "matches": "x" }], "set": [{ "header": "X-OTOBO-Queue", "value": "Misc" }] });
    let shipped = |grants: Value| json!({ "name": "20", "component": "match", "grants": grants, "settings": settings });
    author.json("POST", "/filters", &shipped(json!(null)), 201);
    author.json("PUT", "/filters/20", &shipped(json!(["raw"])), 403);
}

#[test]
fn a_version_means_the_same_bytes_for_good() {
    on_both(|gate| {
        let daemon = gate.serve("warn");
        let (admin, author) = (Rest::new(gate, &daemon, "admin"), Rest::new(gate, &daemon, "author"));
        let post = |component: &Component| author.send("POST", "/components", "application/wasm", component.bytes());
        let reference = upload(&author, &urgent("1.0.0"));
        assert_eq!(expect(post(&urgent("1.0.0")), 200)["new"], json!(false), "the same bytes are the same component");
        let told = expect(post(&dropping("1.0.0")), 409);
        assert!(told["detail"].as_str().unwrap().contains("another version"), "{told}");
        activate(&admin, &reference);
        admin.json("POST", "/filters", &filter("10", "urgent"), 201);
        // It cannot be taken away to make room for others.
        let told = admin.json("DELETE", "/components/urgent@1.0.0", &Value::Null, 409);
        assert!(told["detail"].as_str().unwrap().contains("\"10\""), "{told}");
        expect(post(&dropping("1.0.0")), 409);

        // Nor is another one taken for it, or for one that ships with Postigo.
        let digest = admin.get("/components/urgent@1.0.0")["digest"].as_str().unwrap().to_owned();
        let look_alikes = [
            digest.as_str(),
            &format!("sha256:{digest}"),
            "Urgent",
            "urgеnt",
            "urgent@1.0.0",
            "urgent ",
            "../urgent",
            "URGENT",
            "",
        ];
        for name in look_alikes {
            let told = expect(post(&Component::new(name, "1.0.0")), 422);
            assert!(told["detail"].as_str().unwrap().contains("name"), "{name}: {told}");
        }
        for version in ["1.0", "v1.0.1", "1.0.0@x", "01.0.0", ""] {
            let told = expect(post(&Component::new("urgent", version)), 422);
            assert!(told["detail"].as_str().unwrap().contains("version"), "{version}: {told}");
        }
        let told = expect(post(&Component::new("match", "9.9.9")), 409);
        assert!(told["detail"].as_str().unwrap().contains("ships with Postigo"), "{told}");
        assert_eq!(admin.submit("as before")["queue"], "Junk");

        // Deleted, activated or not, it comes back as it was, and as nothing else.
        let activated = upload(&author, &urgent("2.0.0"));
        activate(&admin, &activated);
        for reference in [activated, upload(&author, &urgent("3.0.0"))] {
            let version = reference.split_once('@').unwrap().1;
            for _ in 0..2 {
                admin.json("DELETE", &format!("/components/{reference}"), &Value::Null, 204);
                let told = expect(post(&dropping(version)), 409)["detail"].as_str().unwrap().to_owned();
                assert!(
                    told.contains(&reference) && told.contains("deleted") && told.contains("another version"),
                    "{told}"
                );
                assert_eq!(upload(&author, &urgent(version)), reference, "the same bytes come back, not activated");
            }
        }
    });
}

#[test]
fn the_same_file_keeps_the_digest_and_an_export_names_the_version() {
    on_both(|gate| {
        let toml = b"[[filter]]\nname = \"30 Urgent\"\ncomponent = \"urgent\"\n";
        let path = write(gate, "urgent.toml", toml);
        let wasm = file(gate, "urgent", &urgent("1.0.0"));
        assert!(gate.refused(&["config", "apply", &path]).contains("no component \"urgent\""));
        let said = gate.run(&["component", "upload", &wasm]);
        assert!(said.contains("urgent@1.0.0 is uploaded") && said.contains("X-OTOBO-Queue"), "{said}");
        assert!(gate.refused(&["config", "apply", &path]).contains("postigo component activate urgent@1.0.0"));
        gate.run(&["component", "activate", "urgent"]);
        gate.run(&["config", "apply", &path]);

        // `filter upload` is another name of it.
        let later = file(gate, "later", &urgent("1.1.0"));
        assert_eq!(gate.json(&["filter", "upload", &later])[0]["activated"], json!(false));
        gate.run(&["component", "activate", "urgent"]);
        let applied = &gate.json(&["config", "apply", &path])[0];
        assert_eq!(
            (&applied["changed"], &applied["created"]),
            (&json!([]), &json!([])),
            "the same file changes nothing"
        );
        let export = gate.run(&["config", "export"]);
        assert!(export.contains("component = \"urgent@1.0.0\""), "{export}");

        // On another gate it says what is missing, step by step.
        let export = write(gate, "export.toml", export.as_bytes());
        let other = Gate::new();
        assert!(other.refused(&["config", "apply", &export]).contains("no component \"urgent@1.0.0\""));
        other.run(&["component", "upload", &wasm]);
        other.run(&["component", "upload", &later]);
        assert!(other.refused(&["config", "apply", &export]).contains("postigo component activate urgent@1.0.0"));
        assert!(other.refused(&["component", "activate", "urgent"]).contains("say which"), "two versions wait");
        other.run(&["component", "activate", "urgent@1.1.0"]);
        other.run(&["component", "activate", "urgent@1.0.0"]);
        other.run(&["config", "apply", &export]);
        assert_eq!(other.json(&["filter", "show", "30 Urgent"])[0]["component"], "urgent@1.0.0");
        let digest = other.json(&["component", "show", "urgent@1.1.0"])[0]["digest"].as_str().unwrap().to_owned();
        let pinned = format!("[[filter]]\nname = \"30 Urgent\"\ncomponent = \"sha256:{digest}\"\n");
        other.run(&["config", "apply", &write(&other, "pinned.toml", pinned.as_bytes())]);
        assert_eq!(other.json(&["filter", "show", "30 Urgent"])[0]["component"], "urgent@1.1.0");
    });
}

const SCHEMA: &str = r#"{"type":"object","properties":{"word":{"type":"string"},"old":{"type":"boolean"}}}"#;
const LATER_SCHEMA: &str =
    r#"{"type":"object","required":["word"],"properties":{"word":{"type":"string"},"limit":{"type":"integer"}}}"#;

#[test]
fn an_upgrade_shows_what_changes_and_moves_every_filter_or_none_and_a_rollback_goes_back() {
    on_both(|gate| {
        let versions = [
            ("one", urgent("1.0.0").schema(SCHEMA).wants("attachments")),
            (
                "two",
                urgent("2.0.0")
                    .schema(LATER_SCHEMA)
                    .wants("attachments")
                    .wants("body")
                    .sets("X-OTOBO-Priority", "5 very high"),
            ),
            ("three", urgent("3.0.0").schema(SCHEMA).that_traps_in_configure()),
        ];
        for (name, component) in &versions {
            gate.run(&["component", "upload", &file(gate, name, component)]);
        }
        gate.run(&["component", "activate", "urgent@1.0.0"]);
        let filters = |words: [&str; 2]| {
            let both = ["10", "20"].iter().zip(words).map(|(name, word)| {
                format!("[[filter]]\nname = \"{name}\"\ncomponent = \"urgent\"\ngrants = [\"attachments\"]\nsettings = {{ {word} }}\n")
            });
            write(gate, "filters.toml", both.collect::<String>().as_bytes())
        };
        gate.run(&["config", "apply", &filters(["word = \"a\"", "old = true"])]);
        let made = |name: &str| gate.json(&["filter", "show", name])[0]["component"].as_str().unwrap().to_owned();

        // What is not activated is checked, and cannot be let in.
        let checked = gate.try_run(["filter", "upgrade", "10", "--to", "2.0.0", "--check", "--json"]);
        assert_eq!(checked.status.code(), Some(1), "a filter cannot run it");
        let told: Value = serde_json::from_slice(&checked.stdout).unwrap();
        assert_eq!(
            (&told["from"], &told["to"], &told["activated"]),
            (&json!("urgent@1.0.0"), &json!("urgent@2.0.0"), &json!(false))
        );
        assert_eq!(told["headers"], json!({ "added": ["X-OTOBO-Priority"], "removed": [] }));
        assert_eq!(told["grants"], json!({ "before": ["attachments"], "after": ["body", "attachments"] }));
        assert_eq!(
            told["schema"],
            json!({ "added": ["limit"], "removed": ["old"], "required": ["word"], "changed": [] })
        );
        let (ten, twenty) = (&told["filters"][0], &told["filters"][1]);
        assert_eq!(
            (&ten["problems"], &ten["granted"], &ten["not_granted"]),
            (&json!([]), &json!(["attachments"]), &json!(["body"]))
        );
        assert!(twenty["problems"][0]["reason"].as_str().unwrap().contains("`word` is missing"), "{twenty}");
        assert!(
            gate.refused(&["filter", "upgrade", "10", "--to", "2.0.0"])
                .contains("postigo component activate urgent@2.0.0")
        );

        // One that cannot run it keeps all as they are.
        gate.run(&["component", "activate", "urgent@2.0.0"]);
        let said = gate.refused(&["filter", "upgrade", "10"]);
        assert!(said.contains("\"20\"") && said.contains("Nothing was changed"), "{said}");
        assert_eq!((made("10"), made("20")), ("urgent@1.0.0".into(), "urgent@1.0.0".into()));
        gate.run(&["config", "apply", &filters(["word = \"a\"", "word = \"b\""])]);
        let said = gate.run(&["filter", "upgrade", "10"]);
        assert!(said.contains("may also set: X-OTOBO-Priority") && said.contains("In force: urgent@2.0.0"), "{said}");
        assert_eq!((made("10"), made("20")), ("urgent@2.0.0".into(), "urgent@2.0.0".into()));
        assert_eq!(
            gate.json(&["filter", "show", "10"])[0]["grants"],
            json!(["attachments"]),
            "no grant comes with a version"
        );
        assert!(gate.run(&["filter", "upgrade", "10"]).contains("stays so"));

        // One that the component itself refuses.
        gate.run(&["component", "activate", "urgent@3.0.0"]);
        assert!(gate.refused(&["filter", "upgrade", "20"]).contains("Nothing was changed"));
        assert_eq!(made("20"), "urgent@2.0.0");

        // Back, together, and not in a ring.
        assert!(gate.refused(&["component", "delete", "urgent@1.0.0"]).contains("rollback"));
        assert!(gate.run(&["filter", "rollback", "20"]).contains("In force: urgent@1.0.0"));
        assert_eq!((made("10"), made("20")), ("urgent@1.0.0".into(), "urgent@1.0.0".into()));
        assert!(gate.refused(&["filter", "rollback", "10"]).contains("nothing to go back to"));
        gate.run(&["component", "delete", "urgent@2.0.0"]);
        assert!(gate.refused(&["component", "delete", "urgent@1.0.0"]).contains("\"10\", \"20\""));
        let history = &gate.json(&["filter", "show", "10"])[0]["history"];
        let ran: Vec<&str> =
            history.as_array().unwrap().iter().map(|past| past["component"].as_str().unwrap()).collect();
        assert_eq!(ran, ["urgent@1.0.0", "urgent@2.0.0", "urgent@1.0.0"]);
        assert!(history[0]["actor"].as_str().unwrap().starts_with("command line ("), "{history}");
        assert!(history[0]["since"].is_string());
    });
}

#[test]
fn a_running_daemon_takes_up_an_upgrade_and_a_rollback_of_the_command_line() {
    let gate = Gate::new();
    for (name, component) in [("one", urgent("1.0.0")), ("two", dropping("2.0.0"))] {
        gate.run(&["component", "upload", &file(&gate, name, &component)]);
        gate.run(&["component", "activate", "urgent"]);
    }
    gate.configure("[[filter]]\nname = \"10\"\ncomponent = \"urgent@1.0.0\"\n[[filter]]\nname = \"20\"\ncomponent = \"urgent@1.0.0\"\n");
    let daemon = gate.serve("warn");
    let admin = Rest::new(&gate, &daemon, "admin");
    let runs = |component: &str| {
        let what = format!("the daemon runs {component}");
        until(&what, PATIENCE, || admin.get("/chain")["filters"][0]["component"] == component);
    };
    assert_eq!(admin.submit("with the first")["status"], "filed");
    gate.run(&["filter", "upgrade", "10", "--only"]);
    runs("urgent@2.0.0");
    assert_eq!(made_of(&admin, "20"), "urgent@1.0.0", "only the one");
    assert_eq!(admin.submit("with the second")["status"], "ignored");
    gate.run(&["filter", "rollback", "10"]);
    runs("urgent@1.0.0");
    assert_eq!(admin.submit("with the first again")["status"], "filed");

    // The same over REST.
    let check = admin.json("POST", "/filters/10/upgrade", &json!({ "check": true }), 200);
    assert_eq!((&check["changed"], &check["to"]), (&json!(false), &json!("urgent@2.0.0")));
    assert_eq!(made_of(&admin, "10"), "urgent@1.0.0");
    let upgraded = admin.json("POST", "/filters/10/upgrade", &json!({}), 200);
    assert_eq!((&upgraded["changed"], upgraded["filters"].as_array().unwrap().len()), (&json!(true), 2), "{upgraded}");
    assert_eq!(admin.submit("with the second by REST")["status"], "ignored");
    assert_eq!(admin.json("POST", "/filters/20/rollback", &json!({}), 200)["to"], "urgent@1.0.0");
    assert_eq!(admin.submit("with the first by REST")["status"], "filed");
    assert_eq!(admin.get("/filters/10/history")["items"].as_array().unwrap().len(), 5);
    admin.json("POST", "/filters/none/upgrade", &json!({}), 404);
    let log = admin.get("/communications?search=first%20again");
    let id = log["items"][0]["id"].as_str().unwrap().to_owned();
    let entries = admin.get(&format!("/communications/{id}")).to_string();
    assert!(entries.contains("by urgent@1.0.0"), "{entries}");
}

#[test]
fn a_component_is_inspected_shown_listed_and_given_back() {
    let gate = Gate::new();
    let wasm = file(&gate, "urgent", &urgent("1.0.0").wants("body"));
    let inspected = &gate.json(&["component", "inspect", &wasm])[0];
    assert_eq!((&inspected["name"], &inspected["headers"]), (&json!("urgent"), &json!(["X-OTOBO-Queue"])));
    assert!(gate.refused(&["component", "show", "urgent"]).contains("no component"), "to inspect is not to upload");
    let digest = gate.json(&["component", "upload", &wasm])[0]["component"]["digest"].as_str().unwrap().to_owned();
    for reference in ["urgent", "urgent@1.0.0", &format!("sha256:{digest}")] {
        let shown = &gate.json(&["component", "show", reference])[0];
        assert_eq!(
            (&shown["digest"], &shown["activated"], &shown["grants"]),
            (&json!(digest), &json!(false), &json!(["body"]))
        );
    }
    let listed = gate.json(&["component", "list"]);
    assert_eq!(listed.iter().filter(|component| component["shipped"] == json!(false)).count(), 1);
    assert_eq!(gate.json(&["component", "list", "--limit", "1"]).len(), 1);
    let copy = gate.folder().join("copy.wasm").display().to_string();
    gate.run(&["component", "download", "urgent@1.0.0", "--output", &copy]);
    assert_eq!(std::fs::read(&copy).unwrap(), std::fs::read(&wasm).unwrap(), "what was uploaded is given back");
    assert!(
        gate.refused(&["component", "download", "urgent", "-o", &copy]).contains("cannot be written"),
        "nothing is overwritten"
    );
    let daemon = gate.serve("warn");
    let reader = Rest::new(&gate, &daemon, "reader");
    let answer = reader.send("GET", "/components/urgent@1.0.0/download", "application/json", "");
    assert_eq!(answer.headers()["content-type"], "application/wasm");
    assert_eq!(answer.bytes().unwrap(), std::fs::read(&copy).unwrap());
    gate.run(&["component", "delete", "urgent"]);
    assert!(gate.refused(&["component", "delete", "urgent"]).contains("no component"));
    assert!(gate.refused(&["component", "delete", "match"]).contains("ships with Postigo"));
}
