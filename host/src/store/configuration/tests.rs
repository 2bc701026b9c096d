//! What is saved is what is loaded, and secrets lie nowhere in clear.

use super::*;
use crate::store::fresh_store::fresh;
use postigo_model::actor::Actor;
use postigo_model::configured::Account;
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;

#[tokio::test]
async fn a_fresh_store_has_the_four_queues_and_the_local_account() {
    let (folder, store, key) = fresh().await;
    let configuration = load(&store, &key).await.unwrap();
    assert_eq!(configuration.queues.keys().collect::<Vec<_>>(), ["Junk", "Misc", "Postmaster", "Raw"]);
    assert_eq!(configuration.accounts.keys().collect::<Vec<_>>(), ["local"]);
    assert_eq!(configuration.settings, Settings::default());
    assert!(crate::config::rules::check(&configuration).is_empty());
    assert!(!folder.path().join("key").exists(), "no secret, no key");
}

#[tokio::test]
async fn what_was_saved_is_loaded_and_secrets_are_not_in_clear() {
    let (folder, store, key) = fresh().await;
    let before = load(&store, &key).await.unwrap();
    let mut after = before.clone();
    let account = Account {
        name: "main".into(),
        host: "h".into(),
        password: Some(Secret::new("pa55word")),
        ..Account::default()
    };
    after.accounts.insert("main".into(), account);
    after.queues.remove("Misc");
    after.settings.types.push("Incident".into());
    let version = save(&store, &key, &before, &after, Vec::new(), &Actor::Daemon).await.unwrap();
    assert_eq!(version.number, before.version.number + 1);
    assert_ne!(version.stamp, before.version.stamp);
    after.version = version;
    assert_eq!(load(&store, &key).await.unwrap(), after);
    assert_eq!(
        save(&store, &key, &after, &after, Vec::new(), &Actor::Daemon).await.unwrap(),
        version,
        "nothing differs, nothing is counted"
    );
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"pa55word"));
    }
}

#[tokio::test]
async fn a_change_of_an_old_version_is_refused() {
    let (_folder, store, key) = fresh().await;
    let before = load(&store, &key).await.unwrap();
    let mut after = before.clone();
    after.queues.remove("Misc");
    save(&store, &key, &before, &after, Vec::new(), &Actor::Daemon).await.unwrap();
    let late = save(&store, &key, &before, &after, Vec::new(), &Actor::Daemon).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
}

/// Stores an account with a password, and gives its row's secrets.
async fn with_password(store: &Store, key: &SecretKey) -> String {
    let before = load(store, key).await.unwrap();
    let mut after = before.clone();
    let account = Account {
        name: "main".into(),
        host: "a.example".into(),
        password: Some(Secret::new("pa55word")),
        ..Account::default()
    };
    after.accounts.insert("main".into(), account);
    save(store, key, &before, &after, Vec::new(), &Actor::Daemon).await.unwrap();
    secrets(store).await
}

async fn secrets(store: &Store) -> String {
    let row = sqlx::query("SELECT secrets FROM configured WHERE name = 'main'")
        .fetch_one(&mut *store.read().await.unwrap())
        .await;
    row.unwrap().try_get(0).unwrap()
}

async fn execute(store: &Store, statement: &'static str, value: String) {
    store
        .write((statement, value), |(statement, value), connection| {
            Box::pin(async move {
                sqlx::query(*statement).bind(value.clone()).execute(connection).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_row_that_is_led_elsewhere_by_hand_does_not_open() {
    let (_folder, store, key) = fresh().await;
    with_password(&store, &key).await;
    execute(
        &store,
        "UPDATE configured SET body = REPLACE(body, 'a.example', $1) WHERE name = 'main'",
        "b.example".into(),
    )
    .await;
    let error = load(&store, &key).await.unwrap_err().to_string();
    assert!(
        error.contains("account \"main\", password") && error.contains("changed in the database by hand"),
        "{error}"
    );
}

#[tokio::test]
async fn what_an_earlier_version_sealed_is_taken_over_and_bound_once() {
    let (_folder, store, key) = fresh().await;
    with_password(&store, &key).await;
    let former = json!({ "password": key.seal("account \"main\", password", "pa55word").unwrap() }).to_string();
    execute(&store, "UPDATE configured SET secrets = $1 WHERE name = 'main'", former.clone()).await;
    let before = load(&store, &key).await.unwrap();
    assert_eq!(before.accounts["main"].password.as_ref().unwrap().reveal(), "pa55word");
    bind_secrets(&store, &key).await.unwrap();
    let bound = secrets(&store).await;
    assert!(bound != former && bound.contains("bound:"), "{bound}");
    assert_eq!(load(&store, &key).await.unwrap(), before);
    bind_secrets(&store, &key).await.unwrap();
    assert_eq!(secrets(&store).await, bound, "the second time there is nothing to do");
}

#[tokio::test]
async fn a_wrong_key_is_told_and_names_the_account() {
    let (folder, store, key) = fresh().await;
    let before = load(&store, &key).await.unwrap();
    let mut after = before.clone();
    after
        .accounts
        .insert("main".into(), Account { name: "main".into(), password: Some(Secret::new("x")), ..Account::default() });
    save(&store, &key, &before, &after, Vec::new(), &Actor::Daemon).await.unwrap();
    let other = folder.path().join("other");
    std::fs::write(&other, format!("{}=", "A".repeat(43))).unwrap();
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o600)).unwrap();
    let error = load(&store, &SecretKey::at(other)).await.unwrap_err().to_string();
    assert!(error.contains("account \"main\", password"), "{error}");
}
