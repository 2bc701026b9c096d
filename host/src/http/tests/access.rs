//! Tokens, roles, and what everybody gets to see.

use super::harness::{Api, request};
use crate::http::BASE;
use crate::http::role::{RULES, Role, as_markdown};
use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A path of a route: parameters that are ids or names get one that does not exist.
fn concrete(path: &str) -> String {
    path.replace("{id}", "999999")
        .replace("{name}", "no-such-thing")
        .replace("{login}", "nobody")
        .replace("{number}", "1")
        .replace("{digest}", "none")
}

#[tokio::test]
async fn every_cell_of_the_table_is_enforced() {
    let api = Api::start().await;
    for rule in RULES.iter() {
        let path = format!("{BASE}{}", concrete(&rule.path));
        let without = api.raw(request(rule.method.clone(), &path, &[], Vec::new())).await;
        without.problem(401);
        assert!(without.header(header::WWW_AUTHENTICATE).starts_with("Bearer"), "{} {path}", rule.method);
        for role in Role::ALL {
            let authorization = format!("Bearer {}", api.token(role));
            let answer =
                api.raw(request(rule.method.clone(), &path, &[("authorization", &authorization)], Vec::new())).await;
            let refused = answer.status == StatusCode::FORBIDDEN;
            assert_eq!(refused, !rule.roles.contains(&role), "{} {path} as {role}: {}", rule.method, answer.status);
            assert_ne!(answer.status, StatusCode::UNAUTHORIZED);
        }
    }
}

#[tokio::test]
async fn the_table_and_the_openapi_document_have_the_same_routes() {
    let api = Api::start().await;
    let mut documented = BTreeSet::new();
    for (path, item) in api.document()["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            documented.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let table: BTreeSet<String> = RULES.iter().map(|rule| format!("{} {BASE}{}", rule.method, rule.path)).collect();
    assert_eq!(documented, table);
    assert_eq!(table.len(), RULES.len(), "a route stands in the table twice");
}

/// Every `$ref` of a value.
fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// The first row of a reader's map: what there is at all.
#[test]
fn the_page_for_clients_names_every_noun() {
    let page = include_str!("../../../../docs/api.md");
    let nouns: BTreeSet<&str> = RULES.iter().filter_map(|rule| rule.path.split('/').nth(1)).collect();
    let unnamed: Vec<&str> = nouns
        .into_iter()
        .filter(|noun| !page.contains(&format!("`{noun}`")) && !page.contains(&format!("`{noun}/")))
        .collect();
    assert_eq!(unnamed, Vec::<&str>::new(), "docs/api.md, \"What there is\", has no row for these");
}

#[tokio::test]
async fn the_openapi_document_is_whole() {
    let api = Api::start().await;
    let document = api.document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut found = Vec::new();
    references(document, &mut found);
    assert!(found.len() > 100);
    for reference in found {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
    }
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{method} {path} has another's id");
            assert!(
                operation["summary"].is_string() && operation["tags"][0].is_string(),
                "{method} {path} is not described"
            );
            assert!(operation["responses"]["default"].is_object());
            let body = operation.get("requestBody");
            assert!(
                body.is_none_or(|body| body["required"] == json!(true)),
                "{method} {path}: its body can be left out"
            );
        }
    }
    let filter = &document["components"]["schemas"]["FilterInput"];
    assert_eq!(filter["required"], json!(["name", "component"]), "{filter:#}");
    let account = &document["components"]["schemas"]["Account"]["properties"];
    assert!(account["password"].is_null(), "what is shown has no password");
    assert!(document["components"]["schemas"]["AccountInput"]["properties"]["password"].is_object());
}

#[test]
fn the_page_of_roles_is_the_table() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/api-roles.md");
    if std::env::var_os("POSTIGO_BLESS").is_some() {
        std::fs::write(&page, as_markdown()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(page).unwrap(), as_markdown(), "write it anew with POSTIGO_BLESS=1");
}

#[tokio::test]
async fn a_token_is_shown_once_and_ends_when_it_is_deleted() {
    let api = Api::start().await;
    let created =
        api.post(Role::Admin, "/tokens", &json!({ "name": "monitoring", "role": "reader" })).await.expect(201);
    let token = created["token"].as_str().unwrap().to_owned();
    let authorization = format!("Bearer {token}");
    let whoami = || request(Method::GET, "/api/v1/whoami", &[("authorization", &authorization)], Vec::new());
    assert_eq!(
        api.raw(whoami()).await.expect(200),
        json!({ "id": created["id"], "name": "monitoring", "role": "reader" })
    );

    let listed = api.get(Role::Admin, "/tokens").await;
    assert!(!String::from_utf8_lossy(&listed.body).contains(&token));
    let row =
        listed.json()["items"].as_array().unwrap().iter().find(|row| row["name"] == "monitoring").cloned().unwrap();
    assert!(row["last_used_at"].is_string(), "its use was noted: {row}");

    api.delete(Role::Admin, &format!("/tokens/{}", created["id"])).await.expect(204);
    api.raw(whoami()).await.problem(401);
    api.delete(Role::Admin, &format!("/tokens/{}", created["id"])).await.problem(404);
}

#[tokio::test]
async fn no_trace_of_a_token_lies_in_the_database() {
    let api = Api::start().await;
    let token = api.token(Role::Admin);
    let rows = crate::store::access::list_tokens(&api.state.store, 0, 100).await.unwrap();
    assert!(!rows.is_empty());
    let by_itself = crate::store::access::find_token(&api.state.store, token).await.unwrap();
    assert_eq!(by_itself, None, "the token is not its own key");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let api = Api::start().await;
    let first = api.get(Role::Admin, "/tokens?limit=3").await.expect(200);
    assert_eq!(first["items"].as_array().unwrap().len(), 3);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = api.get(Role::Admin, &format!("/tokens?limit=3&cursor={cursor}")).await.expect(200);
    assert_eq!(second["items"].as_array().unwrap().len(), 1);
    assert!(second["next_cursor"].is_null());
    assert_eq!(api.get(Role::Admin, "/tokens?limit=0").await.problem(400)["errors"][0]["parameter"], "limit");
    assert_eq!(api.get(Role::Admin, "/tokens?cursor=nonsense").await.problem(400)["errors"][0]["parameter"], "cursor");
}

#[tokio::test]
async fn every_error_is_a_problem() {
    let api = Api::start().await;
    let admin = format!("Bearer {}", api.token(Role::Admin));
    let with = [("authorization", admin.as_str()), ("content-type", "application/json")];
    api.raw(request(Method::GET, "/nowhere", &[], Vec::new())).await.problem(404);
    api.raw(request(Method::GET, "/api/v1/nowhere", &with, Vec::new())).await.problem(404);
    let wrong_method = api.raw(request(Method::PUT, "/api/v1/tokens", &with, Vec::new())).await;
    wrong_method.problem(405);
    assert_eq!(wrong_method.header(header::ALLOW), "GET, POST");
    api.raw(request(Method::POST, "/healthz", &[], Vec::new())).await.problem(405);
    api.raw(request(Method::GET, "/api/v1/tokens?limit=many", &with, Vec::new())).await.problem(400);
    api.raw(request(Method::DELETE, "/api/v1/tokens/many", &with, Vec::new())).await.problem(400);
    let authorization = [("authorization", "Bearer postigo_unknown")];
    api.raw(request(Method::GET, "/api/v1/tokens", &authorization, Vec::new())).await.problem(401);
}

#[tokio::test]
async fn hostile_json_is_refused_with_its_place() {
    let api = Api::start().await;
    let post = |body: Vec<u8>| api.send(Role::Admin, Method::POST, "/tokens", "application/json", body);
    let broken = post(b"{\"name\": \"x\",\n \"role\": }".to_vec()).await.problem(400);
    assert!(broken["detail"].as_str().unwrap().contains("line 2, column 10"), "{broken}");
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    post(nested.into_bytes()).await.problem(400);
    post(b"{\"name\": \"\xff\", \"role\": \"reader\"}".to_vec()).await.problem(400);
    post(Vec::new()).await.problem(400);
    post(vec![b' '; 2 << 20]).await.problem(413);

    let wrong = |body| {
        let api = &api;
        async move { api.post(Role::Admin, "/tokens", &body).await.problem(422)["errors"][0].clone() }
    };
    assert_eq!(wrong(json!({ "name": "x", "role": "root" })).await["pointer"], "/role");
    assert_eq!(wrong(json!({ "name": 7, "role": "reader" })).await["pointer"], "/name");
    assert_eq!(wrong(json!({ "name": "", "role": "reader" })).await["pointer"], "/name");
    assert!(
        wrong(json!({ "name": "x", "role": "reader", "expires": 1 })).await["detail"]
            .as_str()
            .unwrap()
            .contains("expires")
    );
    assert!(wrong(json!({ "name": "x" })).await["detail"].as_str().unwrap().contains("role"));
    assert_eq!(wrong(json!([])).await["pointer"], "");

    let form =
        api.send(Role::Admin, Method::POST, "/tokens", "application/x-www-form-urlencoded", "name=x&role=reader").await;
    form.problem(415);
    assert_eq!(api.get(Role::Admin, "/tokens").await.json()["items"].as_array().unwrap().len(), 4, "nothing was made");
}

#[tokio::test]
async fn answers_tell_browsers_to_keep_out() {
    let api = Api::start().await;
    for path in ["/healthz", "/api/v1/tokens", "/api/v1/openapi.json", "/api/v1/openapi-3.0.json", "/nowhere"] {
        let answer = api.raw(request(Method::GET, path, &[], Vec::new())).await;
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        assert!(answer.header(header::CONTENT_SECURITY_POLICY).contains("default-src 'none'"), "{path}");
    }
}

#[tokio::test]
async fn figures_need_a_token_where_others_reach_the_listener() {
    let api = Api::start().await;
    let get = |path: &str| request(Method::GET, path, &[], Vec::new());
    assert_eq!(api.raw(get("/healthz")).await.status, StatusCode::OK);
    assert_eq!(api.raw(get("/readyz")).await.expect(200)["ready"], json!(true));
    assert_eq!(api.raw(get("/metrics")).await.status, StatusCode::OK);

    let open = crate::http::ApiState { loopback: false, ..api.state.clone() };
    let send = |request| tower::ServiceExt::oneshot(crate::http::router(open.clone()), request);
    assert_eq!(send(get("/metrics")).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(send(get("/healthz")).await.unwrap().status(), StatusCode::OK);
    let authorization = format!("Bearer {}", api.token(Role::Reader));
    let with = request(Method::GET, "/metrics", &[("authorization", &authorization)], Vec::new());
    assert_eq!(send(with).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_page_elsewhere_whose_name_leads_to_this_machine_reads_nothing() {
    let api = Api::start().await;
    let get = |path: &str, headers: &[(&str, &str)]| request(Method::GET, path, headers, Vec::new());
    let open = [
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/v1/openapi.json",
        "/api/v1/openapi-3.0.json",
        "/oauth2/callback",
        "/nowhere",
    ];
    for path in open.into_iter().chain(["/api/v1/tickets"]) {
        for host in ["evil.example:8025", "127.0.0.1.evil.example", "10.0.0.1"] {
            let answer = api.raw(get(path, &[("host", host), ("authorization", "Bearer postigo_guessed")])).await;
            assert!(answer.problem(421)["detail"].as_str().unwrap().contains("--host"), "{path} {host}");
        }
        api.raw(get(&format!("http://evil.example{path}"), &[])).await.problem(421);
    }
    for path in &open[..6] {
        for host in ["localhost:8025", "127.0.0.1:8025", "[::1]:8025"] {
            assert_eq!(api.raw(get(path, &[("host", host)])).await.status, StatusCode::OK, "{path} {host}");
        }
    }
    let admin = format!("Bearer {}", api.token(Role::Admin));
    let with = api.raw(get("/metrics", &[("host", "desk.example.org"), ("authorization", &admin)])).await;
    assert_eq!(with.status, StatusCode::OK, "who has a token is not deceived");

    let redirect =
        json!({ "provider": "google", "client_id": "x", "redirect_url": "https://Back.example.org/oauth2/callback" });
    let account =
        json!({ "name": "main", "protocol": "imaps", "host": "imap.example.org", "user": "x", "oauth2": redirect });
    api.post(Role::Admin, "/accounts", &account).await.expect(201);
    api.state.live.refresh().await.unwrap();
    let back = [("host", "back.example.org")];
    assert_eq!(api.raw(get("/oauth2/callback", &back)).await.status, StatusCode::OK);
    for path in open.into_iter().filter(|path| *path != "/oauth2/callback").chain([
        "/api/v1/tickets",
        "/oauth2/callback/",
        "//oauth2/callback",
    ]) {
        assert!(api.raw(get(path, &back)).await.problem(421)["detail"].as_str().unwrap().contains("--host"), "{path}");
    }

    let send = |state, host: &'static str| {
        let request = get("/healthz", &[("host", host)]);
        async move { tower::ServiceExt::oneshot(crate::http::router(state), request).await.unwrap().status() }
    };
    let named = api.state.clone().named(vec!["Desk.example.org".into()]);
    assert_eq!(send(named, "desk.example.org").await, StatusCode::OK);
    let reached_by_others = crate::http::ApiState { loopback: false, ..api.state.clone() };
    assert_eq!(
        send(reached_by_others, "anything.example.org").await,
        StatusCode::OK,
        "there all are asked for a token alike"
    );
}
