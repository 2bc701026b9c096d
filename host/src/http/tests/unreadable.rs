//! Rows that somebody changed in the database by hand, so that they cannot be read: what does not need them goes on,
//! and they are named.

use super::harness::{Api, request};
use crate::http::role::Role;
use crate::own_process;
use crate::store::components::{self, NewComponent};
use crate::store::{StoreError, configuration};
use axum::http::Method;
use postigo_model::configured::{Filter, Queue};
use postigo_sandbox::{ComponentDescription, WorldDescription};
use serde_json::{Value, json};

async fn readiness(api: &Api, status: u16) -> Value {
    api.raw(request(Method::GET, "/readyz", &[], Vec::new())).await.expect(status)
}

/// What `/readyz` says of rows, one sentence each, while everything else goes on.
async fn told(api: &Api) -> Vec<String> {
    let report = readiness(api, 200).await;
    let told: Vec<String> = serde_json::from_value(report["unreadable"].clone()).unwrap_or_default();
    let word = if told.is_empty() { "ok" } else { "failed" };
    assert_eq!(
        (&report["ready"], &report["degraded"], &report["checks"]["rows"]),
        (&json!(true), &json!(!told.is_empty()), &json!(word))
    );
    told
}

fn uploaded(digest: &str, version: &str) -> NewComponent {
    let description = ComponentDescription {
        digest: digest.repeat(64),
        name: "urgent".into(),
        version: version.into(),
        summary: "Finds what is urgent.".into(),
        settings_schema: json!({}),
        grants: Vec::new(),
        of_world: WorldDescription::default(),
    };
    NewComponent { description, bytes: vec![0], source: None, by: "a test".into(), at: 1 }
}

/// Stores a change of the configuration as another host would, which this one has to take up.
async fn change(api: &Api, change: impl FnOnce(&mut postigo_model::configured::Configuration)) {
    let before = configuration::load(&api.state.store, &api.state.key).await.unwrap();
    let mut after = before.clone();
    change(&mut after);
    configuration::save(
        &api.state.store,
        &api.state.key,
        &before,
        &after,
        Vec::new(),
        &postigo_model::actor::Actor::Daemon,
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn a_component_that_cannot_be_read_is_named_and_keeps_neither_others_nor_the_configuration() {
    if !own_process::is_here() {
        return;
    }
    let api = Api::start().await;
    for new in [uploaded("a", "1.0.0"), uploaded("b", "2.0.0")] {
        components::upload(&api.state.store, new).await.unwrap();
    }
    let broken = "a".repeat(64);
    change(&api, |configuration| {
        let filter = Filter {
            name: "10".into(),
            component: "urgent@1.0.0".into(),
            digest: Some(broken.clone()),
            ..Filter::default()
        };
        configuration.filters.insert("10".into(), filter);
    })
    .await;
    api.state.store.execute("UPDATE component SET description = '{\"summary\": 7' WHERE version = '1.0.0'").await;

    // What is configured after it is taken up, and the filter says why it fails.
    api.state.live.refresh().await.unwrap();
    api.put(Role::Admin, "/queues/Later", &json!({})).await.expect(201);
    let setup = api.state.live.current();
    assert!(setup.configuration.queues.contains_key("Later"));
    let failures: Vec<&str> = setup.plan.broken().map(|(_, broken)| broken.failure.message.as_str()).collect();
    assert!(
        matches!(failures.as_slice(), [failure] if failure.contains("urgent@1.0.0") && failure.contains("cannot be read")),
        "{failures:?}"
    );

    // It is listed beside the others, with the reason.
    let listed = api.get(Role::Reader, "/components").await.expect(200);
    let of = |version: &str| {
        listed["items"].as_array().unwrap().iter().find(|item| item["version"] == version).unwrap().clone()
    };
    assert_eq!((&of("2.0.0")["unreadable"], &of("2.0.0")["summary"]), (&Value::Null, &json!("Finds what is urgent.")));
    assert!(of("1.0.0")["unreadable"].is_string() && of("1.0.0")["used_by"] == json!(["10"]), "{listed}");
    assert!(
        api.get(Role::Reader, "/components/urgent@1.0.0").await.expect(200)["unreadable"]
            .as_str()
            .unwrap()
            .contains(&broken)
    );
    let problem = api.get(Role::Reader, "/components/urgent@1.0.0/schema").await.problem(500);
    assert!(problem["detail"].as_str().unwrap().contains(&broken), "{problem}");
    let problem = api.patch(Role::Admin, "/filters/10", &json!({ "settings": { "x": 1 } })).await.problem(422);
    assert!(problem.to_string().contains("cannot be read"), "{problem}");
    let unreadable = told(&api).await;
    assert!(
        matches!(unreadable.as_slice(), [one] if one.contains("urgent@1.0.0") && one.contains("\"10\"")),
        "{unreadable:?}"
    );

    // The same file again mends it, and hosts take that up.
    assert!(!components::upload(&api.state.store, uploaded("a", "1.0.0")).await.unwrap());
    api.state.live.refresh().await.unwrap();
    assert_eq!(told(&api).await, [""; 0]);
    assert_eq!(api.get(Role::Reader, "/components/urgent@1.0.0").await.expect(200)["summary"], "Finds what is urgent.");
}

#[tokio::test]
async fn a_configured_row_that_cannot_be_read_is_named_in_the_answer_and_by_readiness() {
    if !own_process::is_here() {
        return;
    }
    let api = Api::start().await;
    let body = "SELECT body FROM configured WHERE kind = 'queue' AND name = 'Misc'";
    let good: String = {
        let row = sqlx::query(body).fetch_one(&mut *api.state.store.read().await.unwrap()).await.unwrap();
        sqlx::Row::try_get(&row, 0).unwrap()
    };
    for wrong in ["{", "[]", "{\"name\": \"Misc\", \"follow_up\": \"perhaps\"}"] {
        change(&api, |configuration| {
            let number = configuration.queues.len();
            let queue = Queue { name: format!("Queue {number}"), ..Queue::default() };
            configuration.queues.insert(queue.name.clone(), queue);
        })
        .await;
        api.state
            .store
            .execute(format!("UPDATE configured SET body = '{wrong}' WHERE kind = 'queue' AND name = 'Misc'"))
            .await;
        let error = api.state.live.refresh().await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }) && error.to_string().contains("queue \"Misc\""), "{error}");
        // What comes now waits for it: the host is not ready.
        let report = readiness(&api, 503).await;
        let unreadable = report["unreadable"].as_array().unwrap_or_else(|| panic!("{report:#}"));
        assert!(
            matches!(unreadable.as_slice(), [Value::String(one)] if one.contains("queue \"Misc\"") && one.contains("stays in force")),
            "{unreadable:?}"
        );
        assert_eq!(report["checks"]["configuration"], "failed");
        let problem = api.get(Role::Reader, "/queues").await.problem(500);
        assert!(problem["detail"].as_str().unwrap().contains("queue \"Misc\""), "{problem}");
        api.state
            .store
            .execute(format!("UPDATE configured SET body = '{good}' WHERE kind = 'queue' AND name = 'Misc'"))
            .await;
        api.state.live.refresh().await.unwrap();
        assert_eq!(told(&api).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_read_is_named_and_keeps_no_other() {
    let api = Api::start().await;
    for (owner, expires_at) in [("main", "'soon'"), ("other", "7")] {
        let insert = "INSERT INTO oauth2_token (owner_kind, owner, settings, expires_at) VALUES";
        api.state.store.execute(format!("{insert} ('account', '{owner}', 's', {expires_at})")).await;
    }
    let (rows, others) = crate::store::oauth2::all(&api.state.store).await.unwrap();
    assert_eq!((rows.len(), others.len(), rows[0].key.name.as_str()), (1, 1, "other"));
    let unreadable = told(&api).await;
    assert!(matches!(unreadable.as_slice(), [one] if one.contains("account \"main\"")), "{unreadable:?}");
    api.raw(request(Method::GET, "/metrics", &[], Vec::new())).await;
    api.state.tokens.keep_alive().await.unwrap();
    assert!(crate::store::oauth2::all(&api.state.store).await.unwrap().0.is_empty(), "the other was looked after");
}
