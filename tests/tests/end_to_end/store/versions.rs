//! Versions of what is configured: whatever happens at the same time, by hand or by an earlier version, each change is a
//! version once, and none is told that was not made.

use super::database::{Database, Databases};
use postigo::secret_key::SecretKey;
use postigo::store::configured_versions::{self, Attribution, ChangeAct, VersionRow};
use postigo::store::{StoreError, configuration};
use postigo_model::actor::Actor;
use postigo_model::configured::{Account, Configuration, CustomerUser, Queue, Secret};

fn anna() -> Actor {
    Actor::CommandLine { user: "anna".into() }
}

/// A database with the key that seals its secrets.
struct Configured {
    database: Database,
    key: SecretKey,
}

impl Configured {
    fn of(database: Database) -> Self {
        let key = SecretKey::at(database.folder.path().join("key"));
        Self { database, key }
    }

    async fn load(&self) -> Configuration {
        configuration::load(self.database.store(), &self.key).await.unwrap()
    }

    /// Makes a change of what is configured.
    async fn change(&self, change: impl Fn(&mut Configuration)) {
        let before = self.load().await;
        let mut after = before.clone();
        change(&mut after);
        configuration::save(self.database.store(), &self.key, &before, &after, Vec::new(), &anna()).await.unwrap();
    }

    async fn comment(&self, comment: &str) {
        self.change(|after| comment.clone_into(&mut after.queues.get_mut("Raw").unwrap().comment)).await;
    }

    async fn versions(&self, kind: &str, name: &str) -> Vec<VersionRow> {
        configured_versions::list(self.database.store(), kind, name, None, 1_000).await.unwrap()
    }

    /// Numbers and what the changes did, the latest first.
    async fn acts(&self, kind: &str, name: &str) -> Vec<(i64, ChangeAct)> {
        self.versions(kind, name).await.into_iter().map(|version| (version.number, version.act)).collect()
    }

    /// The comment that a version of the queue Raw has.
    async fn comment_of(&self, number: i64) -> Option<String> {
        let found = configured_versions::find(self.database.store(), "queue", "Raw", number).await.unwrap()?;
        Some(found.body?["comment"].as_str().unwrap_or_default().to_owned())
    }

    async fn attribution(&self) -> Attribution {
        let found = configured_versions::attributions(self.database.store(), "queue", Some(&["Raw"])).await.unwrap();
        found["Raw"].clone()
    }
}

async fn each() -> (Databases, Vec<Configured>) {
    let databases = Databases::start();
    let each = databases.each().await.into_iter().map(Configured::of).collect();
    (databases, each)
}

#[tokio::test]
async fn of_two_saves_at_once_one_makes_a_version_and_the_other_leaves_none() {
    let (_databases, each) = each().await;
    for configured in each {
        let before = configured.load().await;
        let after = |comment: &str| {
            let mut after = before.clone();
            comment.clone_into(&mut after.queues.get_mut("Raw").unwrap().comment);
            after
        };
        let (one, other) = (after("one"), after("other"));
        let (store, key, anna) = (configured.database.store(), &configured.key, anna());
        let (one, other) = tokio::join!(
            configuration::save(store, key, &before, &one, Vec::new(), &anna),
            configuration::save(store, key, &before, &other, Vec::new(), &anna),
        );
        let refused = [one, other].into_iter().filter_map(Result::err).collect::<Vec<_>>();
        assert!(matches!(refused[..], [StoreError::Conflict(_)]), "{refused:?}");
        assert_eq!(configured.acts("queue", "Raw").await, [(2, ChangeAct::Changed), (1, ChangeAct::Found)]);
        let now = configured.load().await.queues["Raw"].comment.clone();
        assert_eq!(configured.comment_of(2).await, Some(now), "the version is of what was saved");
    }
}

#[tokio::test]
async fn what_was_there_before_and_what_somebody_changes_by_hand_is_a_version_of_nobody() {
    let (_databases, each) = each().await;
    for configured in each {
        // As in a database of before there were versions.
        assert_eq!(configured.acts("queue", "Raw").await, [(1, ChangeAct::Found)]);
        assert_eq!(configured.attribution().await, Attribution::default());
        assert_eq!(configured.versions("queue", "None").await, []);
        configured.comment("noted").await;
        let attribution = configured.attribution().await;
        assert_eq!(attribution.changed_by.as_deref(), Some("command line (anna)"));
        assert_eq!(attribution.created_by, None, "who made it was not noted");

        // As a host of an earlier version does, which knows no versions.
        configured
            .database
            .execute("UPDATE configured SET body = REPLACE(body, 'noted', 'by hand') WHERE name = 'Raw'")
            .await;
        assert_eq!(configured.attribution().await.changed_by, None, "nobody is told of who did not do it");
        let found = [(3, ChangeAct::Found), (2, ChangeAct::Changed), (1, ChangeAct::Found)];
        assert_eq!(configured.acts("queue", "Raw").await, found);
        assert_eq!(configured.comment_of(3).await.as_deref(), Some("by hand"));
        configured.comment("noted again").await;
        assert_eq!(configured.acts("queue", "Raw").await[..2], [(4, ChangeAct::Changed), (3, ChangeAct::Found)]);
        let comments = [configured.comment_of(2).await, configured.comment_of(3).await, configured.comment_of(4).await];
        assert_eq!(comments.map(Option::unwrap), ["noted", "by hand", "noted again"]);
        assert_eq!(configured.versions("queue", "Raw").await[0].keys, ["comment"]);
    }
}

#[tokio::test]
async fn as_many_versions_are_kept_as_are_set_and_the_numbers_go_on() {
    let (_databases, each) = each().await;
    for configured in each {
        configured.change(|after| after.settings.kept_versions = 20).await;
        for number in 0..30 {
            configured.comment(&format!("number {number}")).await;
        }
        let numbers: Vec<i64> =
            configured.versions("queue", "Raw").await.into_iter().map(|version| version.number).collect();
        assert_eq!(numbers, (12..=31).rev().collect::<Vec<_>>());
        let page = configured_versions::list(configured.database.store(), "queue", "Raw", Some(20), 3).await.unwrap();
        assert_eq!(page.iter().map(|version| version.number).collect::<Vec<_>>(), [19, 18, 17]);
        assert_eq!(configured.comment_of(11).await, None);
        assert_eq!(configured.acts("queue", "Junk").await.len(), 1, "of others nothing is taken away");
    }
}

#[tokio::test]
async fn what_is_deleted_and_made_again_goes_on_with_its_history_and_no_secret_is_in_it() {
    let (_databases, each) = each().await;
    for configured in each {
        let account = |password: Option<&str>| Account {
            name: "main".into(),
            host: "mail.example.org".into(),
            password: password.map(Secret::new),
            ..Account::default()
        };
        let put = async |account: Account| {
            configured.change(|after| drop(after.accounts.insert("main".into(), account.clone()))).await;
        };
        put(account(Some("pa55word-of-old"))).await;
        put(account(Some("pa55word-of-new"))).await;
        configured.change(|after| drop(after.accounts.remove("main"))).await;
        put(account(None)).await;
        let versions = configured.versions("account", "main").await;
        let told: Vec<_> = versions
            .iter()
            .map(|version| (version.number, version.act, version.secrets.as_slice(), version.has_secrets.as_slice()))
            .collect();
        let (password, none) = (&["password".to_owned()][..], &[][..]);
        let expected = [
            (4, ChangeAct::Created, none, none),
            (3, ChangeAct::Deleted, password, none),
            (2, ChangeAct::Changed, password, password),
            (1, ChangeAct::Created, password, password),
        ];
        assert_eq!(told, expected);
        assert_eq!(versions[2].keys, Vec::<String>::new(), "a secret is told of as one");
        for version in &versions {
            let found = configured_versions::find(configured.database.store(), "account", "main", version.number)
                .await
                .unwrap();
            let text = format!("{version:?} {found:?}");
            assert!(!text.contains("pa55word") && !text.contains("bound:"), "{text}");
        }
        assert!(versions.iter().all(|version| version.configuration.is_some() && version.at.is_some()));
    }
}

#[tokio::test]
async fn of_a_customer_user_who_is_deleted_only_that_is_kept() {
    let (_databases, each) = each().await;
    for configured in each {
        let (store, key) = (configured.database.store(), &configured.key);
        for first_name in ["Jane", "Joan"] {
            let jane = CustomerUser {
                login: "jane".into(),
                email: "jane@customer.test".into(),
                first_name: first_name.into(),
                ..CustomerUser::default()
            };
            let now = configured.load().await;
            configuration::save(store, key, &now, &now, vec![jane], &anna()).await.unwrap();
        }
        let acts = configured.acts("customer_user", "jane").await;
        assert_eq!(acts, [(2, ChangeAct::Changed), (1, ChangeAct::Created)]);
        assert!(configuration::delete_customer(store, "jane", &anna()).await.unwrap());
        let versions = configured.versions("customer_user", "jane").await;
        assert_eq!(versions.len(), 1, "{versions:?}");
        assert_eq!((versions[0].number, versions[0].act), (3, ChangeAct::Deleted));
        assert_eq!(versions[0].actor.as_deref(), Some("command line (anna)"));
        assert!(configured_versions::find(store, "customer_user", "jane", 1).await.unwrap().is_none());
        assert!(!configuration::delete_customer(store, "jane", &anna()).await.unwrap());
        assert_eq!(configured.versions("customer_user", "jane").await.len(), 1);

        // Whom a host of an earlier version deleted, which knows no versions.
        let joan = CustomerUser { login: "joan".into(), email: "joan@customer.test".into(), ..CustomerUser::default() };
        let now = configured.load().await;
        configuration::save(store, key, &now, &now, vec![joan], &anna()).await.unwrap();
        configured.database.execute("DELETE FROM customer_user WHERE login = 'joan'").await;
        assert!(configuration::delete_customer(store, "joan", &anna()).await.unwrap());
        assert_eq!(configured.versions("customer_user", "joan").await.len(), 1);
        assert!(configured_versions::find(store, "customer_user", "joan", 1).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn many_things_that_change_at_once_have_a_version_each() {
    let (_databases, each) = each().await;
    for configured in each {
        let queue = |number: u32| Queue { name: format!("queue {number}"), ..Queue::default() };
        configured
            .change(|after| after.queues.extend((0..300).map(|number| (queue(number).name, queue(number)))))
            .await;
        configured.change(|after| after.queues.values_mut().for_each(|queue| queue.comment = "all".into())).await;
        for number in [0, 150, 299] {
            let acts = configured.acts("queue", &format!("queue {number}")).await;
            assert_eq!(acts, [(2, ChangeAct::Changed), (1, ChangeAct::Created)]);
        }
        assert_eq!(configured.acts("queue", "Raw").await, [(2, ChangeAct::Changed), (1, ChangeAct::Found)]);
    }
}

#[tokio::test]
async fn a_secret_that_somebody_changes_by_hand_is_credited_to_nobody() {
    let (_databases, each) = each().await;
    for configured in each {
        let account = Account {
            name: "main".into(),
            host: "mail.example.org".into(),
            password: Some(Secret::new("pa55word")),
            ..Account::default()
        };
        configured.change(|after| drop(after.accounts.insert("main".into(), account.clone()))).await;
        let store = configured.database.store();
        let by = async || {
            configured_versions::attributions(store, "account", Some(&["main"])).await.unwrap()["main"].clone()
        };
        assert_eq!(by().await.changed_by.as_deref(), Some("command line (anna)"));
        configured.database.execute("UPDATE configured SET secrets = '{}' WHERE name = 'main'").await;
        assert_eq!(by().await.changed_by, None, "nobody is told of who did not do it");
        let found = &configured.versions("account", "main").await[0];
        assert_eq!(
            (found.number, found.act, found.secrets.as_slice()),
            (2, ChangeAct::Found, &["password".to_owned()][..])
        );
        configured.change(|after| after.accounts.get_mut("main").unwrap().folder = "Other".into()).await;
        let acts = configured.acts("account", "main").await;
        assert_eq!(acts, [(3, ChangeAct::Changed), (2, ChangeAct::Found), (1, ChangeAct::Created)]);
        let changed = configured_versions::changed_secrets(store, "account", "main", (1, 3)).await.unwrap();
        assert_eq!(changed.into_iter().collect::<Vec<_>>(), ["password"]);
    }
}

#[tokio::test]
async fn a_host_of_an_earlier_version_reads_rows_whose_later_keys_say_nothing() {
    let (_databases, each) = each().await;
    for configured in each {
        let settings = "SELECT body FROM configured WHERE kind = 'settings'";
        configured.change(|after| after.settings.ticket_hook = "Case#".into()).await;
        let stored = configured.database.texts(settings).await.concat();
        assert!(stored.contains("Case#") && !stored.contains("kept_versions"), "{stored}");
        assert_eq!(configured.acts("settings", "").await, [(2, ChangeAct::Changed), (1, ChangeAct::Found)]);
        configured.change(|after| after.settings.kept_versions = 20).await;
        assert!(configured.database.texts(settings).await.concat().contains("\"kept_versions\":20"));
        assert_eq!(configured.versions("settings", "").await[0].keys, ["kept_versions"]);
        assert_eq!(configured.load().await.settings.kept_versions, 20);

        let misc = "SELECT body FROM configured WHERE kind = 'queue' AND name = 'Misc'";
        let edit = |description: &'static str, comment: &'static str| {
            move |after: &mut Configuration| {
                let queue = after.queues.get_mut("Misc").unwrap();
                (queue.description, queue.comment) = (description.to_owned(), comment.to_owned());
            }
        };
        configured.change(edit("", "second level")).await;
        let stored = configured.database.texts(misc).await.concat();
        assert!(stored.contains("second level") && !stored.contains("description"), "{stored}");
        configured.change(edit("What else there is.", "second level")).await;
        let stored = configured.database.texts(misc).await.concat();
        assert!(stored.contains("What else there is.") && !stored.contains("keywords"), "{stored}");
        assert_eq!(configured.versions("queue", "Misc").await[0].keys, ["description"]);
        assert_eq!(configured.load().await.queues["Misc"].description, "What else there is.");
    }
}

#[tokio::test]
async fn of_what_was_deleted_long_ago_nothing_is_kept_but_of_what_is_there_again() {
    let (_databases, each) = each().await;
    for configured in each {
        let queue = |name: &str| Queue { name: name.into(), ..Queue::default() };
        let (gone, again) = ("gone", "there again");
        for name in [gone, again] {
            configured.change(|after| drop(after.queues.insert(name.into(), queue(name)))).await;
            configured.change(|after| drop(after.queues.remove(name))).await;
        }
        configured.change(|after| drop(after.queues.insert(again.into(), queue(again)))).await;
        let store = configured.database.store();
        assert_eq!(configured_versions::purge_deleted(store, 1).await.unwrap(), 0, "none is so old");
        assert_eq!(configured.versions("queue", gone).await.len(), 2);
        assert_eq!(configured_versions::purge_deleted(store, i64::MAX).await.unwrap(), 1);
        assert_eq!(configured.versions("queue", gone).await, []);
        assert_eq!(configured.versions("queue", again).await.len(), 3);
    }
}

#[tokio::test]
async fn who_changed_more_things_than_a_statement_has_places_for_is_told() {
    let (_databases, each) = each().await;
    for configured in each {
        let (store, key) = (configured.database.store(), &configured.key);
        let jane = CustomerUser { login: "jane".into(), email: "jane@customer.test".into(), ..CustomerUser::default() };
        let now = configured.load().await;
        configuration::save(store, key, &now, &now, vec![jane], &anna()).await.unwrap();
        // PostgreSQL takes 65,535 values, SQLite 32,766.
        let others: Vec<String> = (0..66_000).map(|number| format!("nobody {number}")).collect();
        let names: Vec<&str> = others.iter().map(String::as_str).chain(["jane"]).collect();
        let found = configured_versions::attributions(store, "customer_user", Some(&names)).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found["jane"].changed_by.as_deref(), Some("command line (anna)"));
    }
}
