//! Lists to their ends, by the links that each page has.

use super::harness::Api;
use crate::http::BASE;
use crate::http::role::Role;
use axum::http::header;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The addresses in a Link header by their relations, below `/api/v1`.
fn links(header: &str) -> BTreeMap<String, String> {
    let one = |link: &str| {
        let (address, relation) = link.trim().strip_prefix('<').unwrap().split_once(">; rel=").unwrap();
        (relation.trim_matches('"').to_owned(), address.strip_prefix(BASE).unwrap().to_owned())
    };
    header.split(", ").map(one).collect()
}

impl Api {
    /// The rows of a list, one a page, by its links.
    async fn follow(&self, list: &str) -> Vec<Value> {
        let mark = if list.contains('?') { '&' } else { '?' };
        let first = format!("{list}{mark}limit=1");
        let (mut next, mut rows) = (Some(first.clone()), Vec::new());
        while let Some(path) = next {
            let page = self.get(Role::Admin, &path).await;
            let shown = page.expect(200);
            let mut links = links(page.header(header::LINK));
            assert_eq!(links.remove("first").as_ref(), Some(&first), "{path}");
            next = links.remove("next");
            assert_eq!(next.is_some(), shown["next_cursor"].is_string(), "{path}: {shown}");
            rows.extend(shown["items"].as_array().unwrap().iter().cloned());
            assert!(rows.len() < 100, "{list} has no end");
        }
        rows
    }

    /// Two at least of whatever can be listed without a sandbox.
    async fn fill(&self) {
        self.patch(Role::Admin, "/settings", &json!({ "ticket_hook": "Case#" })).await.expect(200);
        self.patch(Role::Admin, "/queues/Raw", &json!({ "comment": "changed" })).await.expect(200);
        for (name, occasion) in [("one", "reply"), ("two", "reject")] {
            let admin = Role::Admin;
            let address = json!({ "address": format!("{name}@desk.test"), "queue": "Raw" });
            self.post(admin, "/system-addresses", &address).await.expect(201);
            self.post(admin, "/accounts", &json!({ "name": name, "protocol": "local" })).await.expect(201);
            self.post(admin, "/dynamic-fields", &json!({ "name": name })).await.expect(201);
            let answer = json!({ "name": name, "type": occasion, "queue": "Raw", "body": "We read it." });
            self.post(admin, "/auto-responses", &answer).await.expect(201);
            self.post(admin, "/templates", &json!({ "name": name })).await.expect(201);
            let transport =
                json!({ "name": name, "kind": "smtp", "host": "mail.desk.test", "for": [format!("{name}@desk.test")] });
            self.post(admin, "/transports", &transport).await.expect(201);
            let customer = json!({ "login": name, "email": format!("{name}@example.com") });
            self.post(admin, "/customer-users", &customer).await.expect(201);
            self.post(admin, "/chain/replay", &json!({ "limit": 5 })).await.expect(202);
            let said = json!({ "message_id": format!("{name}@x.test"), "question": "queue", "label": "Misc" });
            self.post(admin, "/feedback", &said).await.expect(200);
            let filed = self.file(name).await;
            self.hold(&format!("{name} held")).await;
            let mail = json!({ "body": "Hello.", "to": ["jane@example.com"] });
            self.post(admin, &format!("/tickets/{}/articles", filed.number), &mail).await.expect(201);
        }
    }
}

#[tokio::test]
async fn every_list_is_read_to_its_end_by_links() {
    let api = Api::start().await;
    api.fill().await;
    let paths = api.document()["paths"].as_object().unwrap();
    let is_list = |item: &Value| {
        let shape = &item["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
        shape.as_str().is_some_and(|shape| shape.contains("/Page_"))
    };
    let mut counts = BTreeMap::new();
    let lists = paths.iter().filter(|(_, item)| is_list(item)).map(|(path, _)| path.strip_prefix(BASE).unwrap());
    let (lists, of_things): (Vec<&str>, Vec<&str>) = lists.partition(|path| !path.contains('{'));
    // Those of each kind's things are alike.
    assert!(of_things.contains(&"/queues/{name}/versions") && of_things.iter().all(|path| path.ends_with("/versions")));
    let lists = lists.into_iter().chain(["/queues/Raw/versions"]);
    let others = [
        "/tickets?changed_since=2020-01-01T00:00:00Z",
        "/tickets?queue=Raw",
        "/communications?sort=oldest&kind=message",
        "/communications?sort=duration",
        "/communications?sort=account&reverse=true",
        "/communications?sort=status",
        "/communications?sort=priority",
    ];
    for list in lists.chain(others) {
        let mark = if list.contains('?') { '&' } else { '?' };
        let whole = api.get(Role::Admin, &format!("{list}{mark}limit=500")).await.expect(200);
        // Whoever lists tokens uses one meanwhile.
        let plain = |rows: &[Value]| rows.iter().cloned().map(without_use).collect::<Vec<_>>();
        let followed = api.follow(list).await;
        assert_eq!(plain(&followed), plain(whole["items"].as_array().unwrap()), "{list}");
        counts.insert(list, followed.len());
    }
    let short: Vec<_> = counts.iter().filter(|(_, count)| **count < 2).map(|(list, _)| *list).collect();
    // Filters are made of components, and components are inspected in a sandbox, which is not here.
    assert!(short.iter().all(|list| ["/filters", "/components"].contains(list)), "{counts:?}");
    assert!(counts.len() >= 17, "{counts:?}");
}

/// A token's row without when it was used last.
fn without_use(mut row: Value) -> Value {
    row.as_object_mut().unwrap().remove("last_used_at");
    row
}

#[tokio::test]
async fn only_pages_have_links_and_they_keep_what_was_asked_for() {
    let api = Api::start().await;
    let page = api.get(Role::Reader, "/queues?search=j%26k&limit=3").await;
    assert_eq!(page.header(header::LINK), "</api/v1/queues?search=j%26k&limit=3>; rel=\"first\"");
    assert_eq!(api.get(Role::Reader, "/queues/Raw").await.header(header::LINK), "");
    assert_eq!(api.get(Role::Reader, "/queues?limit=0").await.header(header::LINK), "");
}

#[tokio::test]
async fn tickets_are_listed_by_their_last_changes() {
    let api = Api::start().await;
    let mut numbers = Vec::new();
    for subject in ["one", "two", "three"] {
        numbers.push(api.file(subject).await.number);
    }
    let listed = async |query: &str| {
        let page = api.get(Role::Reader, &format!("/tickets?{query}")).await.expect(200);
        let rows = page["items"].as_array().unwrap().clone();
        let titles: Vec<String> = rows.iter().map(|row| row["title"].as_str().unwrap().to_owned()).collect();
        (titles, rows, page["next_cursor"].clone())
    };
    let change = async |number: &str, at: i64| {
        api.state.store.execute(format!("UPDATE ticket SET changed_at = {at} WHERE number = '{number}'")).await;
    };
    let filed_at = 1_795_521_600_000;
    change(&numbers[0], filed_at + 1_001).await;
    // Those that were filed have one time, and go by their numbers; the one that was changed comes last.
    let (all, rows, _) = listed("changed_since=2020-01-01T00:00:00Z").await;
    assert_eq!(all, ["two", "three", "one"]);
    let changed_at = rows[2]["changed_at"].as_str().unwrap();
    assert_eq!(listed(&format!("changed_since={changed_at}")).await.0, ["one"], "that time itself counts");
    assert_eq!(listed("changed_since=2999-01-01T00:00:00Z").await.0, Vec::<String>::new());
    assert_eq!(listed("changed_since=2020-01-01T00:00:00Z&search=TW").await.0, ["two"]);

    // What is changed while somebody pages comes again at the end, and nothing is left out.
    let (first, _, cursor) = listed("changed_since=2020-01-01T00:00:00Z&limit=1").await;
    assert_eq!(first, ["two"]);
    change(&numbers[1], filed_at + 2_000).await;
    let rest = format!("changed_since=2020-01-01T00:00:00Z&cursor={}", cursor.as_str().unwrap());
    assert_eq!(listed(&rest).await.0, ["three", "one", "two"]);

    for (query, parameter) in [
        ("changed_since=yesterday".to_owned(), "changed_since"),
        (format!("cursor={}", cursor.as_str().unwrap()), "cursor"),
        ("changed_since=2020-01-01T00:00:00Z&cursor=MTI".to_owned(), "cursor"),
    ] {
        let problem = api.get(Role::Reader, &format!("/tickets?{query}")).await.problem(400);
        assert_eq!(problem["errors"][0]["parameter"], parameter, "{query}");
    }
}

#[tokio::test]
async fn the_log_is_listed_by_kind() {
    let api = Api::start().await;
    api.file("Printer").await;
    let messages = api.get(Role::Reader, "/communications?kind=message").await.expect(200);
    assert_eq!(messages["items"].as_array().unwrap().len(), 1);
    let connections = api.get(Role::Reader, "/communications?kind=connection").await.expect(200);
    assert_eq!(connections["items"], json!([]));
    let wrong = api.get(Role::Reader, "/communications?kind=mail").await.problem(400);
    assert_eq!(wrong["errors"][0]["parameter"], "kind");
}

/// Cursors of the log counted rows once, and those of one order are nothing in another.
#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    let api = Api::start().await;
    api.fill().await;
    let by_duration = api.get(Role::Admin, "/communications?sort=duration&limit=1").await.expect(200);
    let newest = api.get(Role::Admin, "/communications?limit=1").await.expect(200);
    let (by_duration, newest) = (by_duration["next_cursor"].as_str().unwrap(), newest["next_cursor"].as_str().unwrap());
    let counted = "NTA";
    for (sort, cursor) in [("newest", counted), ("duration", counted), ("newest", by_duration), ("status", newest)] {
        let refused = api.get(Role::Admin, &format!("/communications?sort={sort}&cursor={cursor}")).await.expect(400);
        assert_eq!(refused["errors"][0]["parameter"], "cursor", "{sort} {cursor}: {refused}");
    }
}
