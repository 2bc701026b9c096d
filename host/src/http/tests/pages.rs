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
    for list in lists {
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
    assert!(counts.len() >= 15, "{counts:?}");
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
