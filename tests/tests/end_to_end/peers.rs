//! What other desks know is brought over: the statements of docs/training.md, against tables as OTOBO and Znuny have them.

use postigo_tests::gate::Gate;
use postigo_tests::mariadb::MariaDb;
use postigo_tests::postgres::Postgres;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// The columns that the statements read, of the types that they have there in words that both databases know.
const TABLES: &str = "
    CREATE TABLE queue (id INTEGER PRIMARY KEY, name VARCHAR(200) NOT NULL, valid_id SMALLINT NOT NULL);
    CREATE TABLE ticket_priority (id SMALLINT PRIMARY KEY, name VARCHAR(200) NOT NULL, valid_id SMALLINT NOT NULL);
    CREATE TABLE ticket_state_type (id SMALLINT PRIMARY KEY, name VARCHAR(200) NOT NULL);
    CREATE TABLE ticket_state (id SMALLINT PRIMARY KEY, name VARCHAR(200) NOT NULL, type_id SMALLINT NOT NULL);
    CREATE TABLE ticket (id BIGINT PRIMARY KEY, tn VARCHAR(50) NOT NULL, title VARCHAR(255), queue_id INTEGER NOT NULL,
        ticket_priority_id SMALLINT NOT NULL, ticket_state_id SMALLINT NOT NULL);
    CREATE TABLE ticket_history_type (id SMALLINT PRIMARY KEY, name VARCHAR(200) NOT NULL);
    CREATE TABLE ticket_history (id BIGINT PRIMARY KEY, name VARCHAR(200) NOT NULL, history_type_id SMALLINT NOT NULL, ticket_id BIGINT NOT NULL,
        queue_id INTEGER NOT NULL, create_by INTEGER NOT NULL);
    CREATE TABLE article_sender_type (id SMALLINT PRIMARY KEY, name VARCHAR(200) NOT NULL);
    CREATE TABLE article (id BIGINT PRIMARY KEY, ticket_id BIGINT NOT NULL, article_sender_type_id SMALLINT NOT NULL);
    CREATE TABLE article_data_mime (id BIGINT PRIMARY KEY, article_id BIGINT NOT NULL, a_subject VARCHAR(3800), a_message_id VARCHAR(3800), a_body {text});
    INSERT INTO queue VALUES (1, 'Postmaster', 1), (2, 'Raw', 1), (3, 'Junk', 1), (5, 'Billing', 1);
    INSERT INTO ticket_priority VALUES (3, '3 normal', 1), (5, '5 very high', 1);
    INSERT INTO ticket_state_type VALUES (1, 'new'), (2, 'open'), (6, 'removed'), (7, 'merged');
    INSERT INTO ticket_state VALUES (1, 'new', 1), (4, 'open', 2), (6, 'removed', 6), (9, 'merged', 7);
    INSERT INTO ticket_history_type VALUES (1, 'NewTicket'), (16, 'Move');
    INSERT INTO article_sender_type VALUES (1, 'agent'), (2, 'system'), (3, 'customer');
    INSERT INTO ticket VALUES (1, '1', 'a', 5, 3, 4), (2, '2', 'b', 5, 5, 1), (3, '3', 'c', 3, 3, 1), (4, '4', 'd', 5, 3, 9),
        (5, '5', 'e', 5, 3, 4), (6, '6', 'f', 5, 3, 6), (7, '7', 'g', 5, 3, 1);
    INSERT INTO ticket_history VALUES (1, 'New', 1, 1, 2, 1), (2, 'Moved', 16, 1, 5, 7), (3, 'Moved', 16, 2, 5, 1), (4, 'Moved', 16, 2, 2, 7);
    INSERT INTO article VALUES (11, 1, 3), (12, 1, 1), (21, 2, 3), (31, 3, 3), (41, 4, 3), (51, 5, 1), (52, 5, 3), (61, 6, 3), (71, 7, 3);
    INSERT INTO article_data_mime VALUES (1, 11, 'Invoice \"42\"', '<1@c.example>', 'Line one
Line two, é 漢 {slash} end'), (2, 12, 'Re: Invoice', '<2@c.example>', 'Paid.'), (3, 21, 'Payment', '<3@c.example>', NULL),
        (4, 31, 'Win', '<4@c.example>', 'Money'), (5, 41, 'Merged', '<5@c.example>', 'x'), (6, 51, 'Call', '<6@c.example>', 'x'),
        (7, 52, 'Re: Call', '<7@c.example>', 'x'), (8, 61, 'Removed', '<8@c.example>', 'x'), (9, 71, '', '<9@c.example>', '  ');
";

/// The statements of the page: for PostgreSQL, and for MySQL and MariaDB.
fn statements() -> [String; 2] {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/training.md")).unwrap();
    let blocks: Vec<String> =
        page.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect();
    blocks.try_into().unwrap()
}

/// Holds what a statement gave to what it should give, and brings it to a desk.
fn check(lines: &str) {
    let mails: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let subjects: Vec<&str> = mails.iter().map(|mail| mail["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["Removed", "Win", "Payment", "Invoice \"42\""], "the newest first: {lines}");
    assert_eq!(mails[3]["text"], "Line one\nLine two, é 漢 \\ end");
    assert_eq!(mails[3]["labels"], json!({ "queue": "Billing", "priority": "3 normal" }));
    assert_eq!(mails[2]["labels"], json!({ "queue": "Billing", "priority": "5 very high" }));
    assert_eq!([&mails[0]["labels"], &mails[1]["labels"]], [&json!({}), &json!({})]);

    let gate = Gate::new();
    gate.configure("[[queue]]\nname = \"Billing\"\n");
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(lines.as_bytes()).unwrap();
    let path = file.path().display().to_string();
    let asked = ["--question", "queue=X-OTOBO-Queue", "--question", "priority=X-OTOBO-Priority"];
    let report = gate.json(&[&["classifier", "examples", "--examples", &path][..], &asked].concat())[0].clone();
    let queue = json!([{ "label": "Billing", "examples": 2, "given": 1 }]);
    assert_eq!(report["questions"][0]["labels"], queue, "who moved it was a person once: {report:#}");
    assert_eq!(report["questions"][1]["labels"].as_array().unwrap().len(), 2, "{report:#}");
    assert_eq!([&report["examples"], &report["outside"]], [2, 2], "{report:#}");

    std::fs::write(file.path(), format!("{lines}nonsense\n{{\"labels\": {{}}}}\n")).unwrap();
    let told = gate.refused(&["classifier", "examples", "--examples", &path]);
    assert!(told.contains("line 5: ") && told.contains("line 6: "), "{told}");
}

#[test]
fn the_statement_of_the_page_reads_an_old_desk_on_postgresql() {
    let Some(server) = Postgres::start() else { return };
    let url = server.database();
    let run = |sql: &str| {
        let mut client = Command::new("psql")
            .args(["-v", "ON_ERROR_STOP=1", "-At", &url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        client.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        let output = client.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    run(&TABLES.replace("{text}", "VARCHAR").replace("{slash}", "\\"));
    let [postgres, _] = statements();
    check(&run(&postgres));
}

#[test]
fn the_statement_of_the_page_reads_an_old_desk_on_mariadb() {
    let Some(server) = MariaDb::start() else { return };
    server.run(&TABLES.replace("{text}", "MEDIUMTEXT").replace("{slash}", "\\\\"));
    let [_, mysql] = statements();
    check(&server.run(&mysql));
}
