//! Models: each is kept under a number of its own, one is in force, and which one is part of the configuration.

use super::database::{Database, Databases};
use postigo::secret_key::SecretKey;
use postigo::store::configured_versions::{self, ChangeAct};
use postigo::store::models::{self, ModelChoice, ModelRow, NewModel};
use postigo::store::{StoreError, configuration};
use postigo_model::actor::Actor;
use postigo_model::configured::{Configuration, Filter};
use serde_json::json;

const FILTER: &str = "50 Sort";

fn anna() -> Actor {
    Actor::CommandLine { user: "anna".into() }
}

/// A database with a filter.
struct Desk {
    database: Database,
    key: SecretKey,
}

impl Desk {
    async fn of(database: Database) -> Self {
        let key = SecretKey::at(database.folder.path().join("key"));
        let desk = Self { database, key };
        desk.change(|after| {
            let filter = Filter { name: FILTER.into(), component: "match".into(), ..Filter::default() };
            after.filters.insert(FILTER.into(), filter);
        })
        .await;
        desk
    }

    async fn load(&self) -> Configuration {
        configuration::load(self.database.store(), &self.key).await.unwrap()
    }

    async fn change(&self, change: impl Fn(&mut Configuration)) {
        let before = self.load().await;
        let mut after = before.clone();
        change(&mut after);
        configuration::save(self.database.store(), &self.key, &before, &after, Vec::new(), &anna()).await.unwrap();
    }

    async fn add(&self, digest: &str, in_force: bool) -> i64 {
        let row = ModelRow {
            filter: FILTER.into(),
            number: 0,
            component: "classifier".into(),
            digest: digest.into(),
            size: 3,
            format: "linear/1".into(),
            summary: "What was learnt.".into(),
            labels: json!({ "queue": { "Billing": { "examples": 2, "given": 1 } } }),
            examples: 2,
            seed: 1,
            trained_at: 1_000,
            trained_by: "token 3 (anna)".into(),
            in_force,
        };
        let new = NewModel { row, sealed: digest.as_bytes().to_vec(), actor: Actor::Daemon, kept_versions: 100 };
        models::add(self.database.store(), new).await.unwrap()
    }

    async fn put_in_force(&self, number: i64) -> Result<(), StoreError> {
        let choice =
            ModelChoice { filter: FILTER.into(), number: Some(number), actor: anna(), kept_versions: 100, at: 2_000 };
        models::put_in_force(self.database.store(), choice).await
    }

    async fn numbers(&self) -> Vec<i64> {
        let mut connection = self.database.store().read().await.unwrap();
        models::list(&mut connection, FILTER).await.unwrap().into_iter().map(|model| model.number).collect()
    }

    async fn in_force(&self) -> Option<i64> {
        self.load().await.models.get(FILTER).map(|model| model.number)
    }
}

#[tokio::test]
async fn the_first_model_is_in_force_and_another_one_is_a_version_of_the_configuration_that_says_who() {
    let databases = Databases::start();
    for database in databases.each().await {
        let desk = Desk::of(database).await;
        let before = desk.load().await.version;
        assert_eq!((desk.add("a", false).await, desk.in_force().await), (1, Some(1)));
        let first = desk.load().await.version;
        assert_eq!(first.number, before.number + 1);
        assert_eq!((desk.add("b", false).await, desk.in_force().await), (2, Some(1)), "it waits to be put in force");
        assert_eq!(desk.load().await.version, first);
        assert_eq!(desk.add("b", false).await, 2, "the very same is not kept twice");

        desk.put_in_force(2).await.unwrap();
        assert_eq!(desk.in_force().await, Some(2));
        let noted = configured_versions::list(desk.database.store(), "filter", FILTER, None, 10).await.unwrap();
        assert_eq!((noted[0].act, noted[0].keys.as_slice()), (ChangeAct::Changed, &["model".to_owned()][..]));
        assert_eq!(noted[0].actor.as_deref(), Some("command line (anna)"));
        let version = desk.load().await.version;
        desk.put_in_force(2).await.unwrap();
        assert_eq!(desk.load().await.version, version, "it is in force already");
        let missing = desk.put_in_force(7).await.unwrap_err();
        assert!(missing.to_string().contains("no model 7"), "{missing}");

        // One command goes back.
        desk.put_in_force(1).await.unwrap();
        assert_eq!(desk.in_force().await, Some(1));
        let refused = models::delete(desk.database.store(), FILTER.into(), 1).await.unwrap_err();
        assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
        models::delete(desk.database.store(), FILTER.into(), 2).await.unwrap();
        assert_eq!(desk.numbers().await, [1]);
        assert_eq!(desk.add("c", true).await, 3, "no number is given twice");
        assert_eq!(desk.in_force().await, Some(3));
    }
}

#[tokio::test]
async fn the_last_three_models_are_kept_and_the_one_in_force_and_all_go_with_their_filter() {
    let databases = Databases::start();
    for database in databases.each().await {
        let desk = Desk::of(database).await;
        for digest in ["a", "b", "c", "d", "e"] {
            desk.add(digest, false).await;
        }
        assert_eq!(desk.numbers().await, [5, 4, 3, 1]);
        let mut connection = desk.database.store().read().await.unwrap();
        assert_eq!(models::sealed(&mut connection, FILTER, 2).await.unwrap(), None);
        assert_eq!(models::sealed(&mut connection, FILTER, 5).await.unwrap().as_deref(), Some(&b"e"[..]));
        drop(connection);
        let left = "SELECT CAST(COUNT(*) AS TEXT) FROM model_bytes";
        assert_eq!(desk.database.texts(left).await, ["4"]);

        // A change of the filter leaves its models as they are.
        desk.change(|after| after.filters.get_mut(FILTER).unwrap().comment = "x".into()).await;
        assert_eq!(desk.in_force().await, Some(1));
        desk.change(|after| drop(after.filters.remove(FILTER))).await;
        assert_eq!((desk.numbers().await, desk.load().await.models.len()), (vec![], 0));
        assert_eq!(desk.database.texts(left).await, ["0"]);
    }
}
