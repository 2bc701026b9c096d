//! How a changed configuration is saved: its rows, with a version of each thing that changes and what filters are made of,
//! all or nothing.

use super::{lock, number, read_version, secret_place, stamp, touch};
use crate::secret_key::SecretKey;
use crate::store::configured_versions::{self, Change, ChangeAct, SETTINGS, ThingChange};
use crate::store::filter_components::{self, FilterMakeup, Move};
use crate::store::{Store, StoreError, customers, models_in_force};
use futures_util::future::BoxFuture;
use postigo_model::actor::Actor;
use postigo_model::configured::form::{ConfiguredKind, HasKeys, LoadedKind, write};
use postigo_model::configured::key_difference::{KeyDifference, key_differences};
use postigo_model::configured::secret_keys::SecretNames;
use postigo_model::configured::{
    Configuration, ConfigurationVersion, CustomerUser, Filter, KindVisitor, Queue, Settings, visit_kinds,
};
use serde_json::{Map, Value};
use sqlx::AnyConnection;
use std::collections::BTreeMap;

/// Makes `after` out of `before`, all or nothing, and gives the new version; that of `before` when nothing differs.
/// `customers` are created or updated beside it. `actor` is who made the change; it is noted with every thing that
/// changes, as a version of it, and with the components that filters run. [`StoreError::Conflict`] when the configuration is no longer at the version of `before`.
pub async fn save(
    store: &Store,
    key: &SecretKey,
    before: &Configuration,
    after: &Configuration,
    customers: Vec<CustomerUser>,
    actor: &Actor,
) -> Result<ConfigurationVersion, StoreError> {
    let mut change = SaveChange {
        expected: before.version,
        stamp: stamp()?,
        put: Vec::new(),
        remove: Vec::new(),
        customers,
        moves: Vec::new(),
        noted: Vec::new(),
        actor: actor.clone(),
        at: postigo_model::timestamp::now(),
        kept_versions: after.settings.kept_versions,
    };
    if before.settings != after.settings {
        let (earlier, mut written) = (write(&before.settings), write(&after.settings));
        let keys = key_differences(&earlier, &written);
        leave_out_later::<Settings>(SETTINGS, &mut written);
        change.put((SETTINGS, ""), ChangeAct::Changed, keys, written, Map::new(), SecretNames::default());
    }
    let mut writing = ChangeWriter { change, before, after, key, result: Ok(()) };
    visit_kinds(&mut writing);
    let ChangeWriter { mut change, result, .. } = writing;
    result?;
    change.components(before, after);
    if change.put.is_empty() && change.remove.is_empty() && change.customers.is_empty() {
        return Ok(before.version);
    }
    store.write(change, carry_out).await
}

/// Keys that a host of an earlier version that still runs does not know, of which it reads no row that has one: a row has
/// them where they say something.
const LATER_KEYS: [(&str, &str); 7] = [
    (SETTINGS, "kept_versions"),
    (Queue::KIND, "description"),
    (Queue::KIND, "keywords"),
    (Filter::KIND, "mode"),
    (Filter::KIND, "follow_ups"),
    (Filter::KIND, "evidence"),
    (Filter::KIND, "answer"),
];

/// Leaves out such keys where they say nothing.
fn leave_out_later<D: HasKeys + Default>(kind: &str, written: &mut Map<String, Value>) {
    let mut later = LATER_KEYS.iter().filter(|(of, _)| *of == kind).peekable();
    if later.peek().is_none() {
        return;
    }
    let usual = write(&D::default());
    for (_, key) in later {
        if written.get(*key) == usual.get(*key) {
            written.shift_remove(*key);
        }
    }
}

/// What a save does.
struct SaveChange {
    expected: ConfigurationVersion,
    /// Of the version that it makes.
    stamp: i64,
    put: Vec<PutRow>,
    remove: Vec<(&'static str, String)>,
    customers: Vec<CustomerUser>,
    /// Filters whose component becomes another.
    moves: Vec<Move>,
    /// What becomes of things, customer users aside, for their versions.
    noted: Vec<ThingChange>,
    actor: Actor,
    at: i64,
    /// So many versions of each thing are kept.
    kept_versions: u32,
}

/// Notes what differs, kind by kind.
struct ChangeWriter<'w> {
    change: SaveChange,
    before: &'w Configuration,
    after: &'w Configuration,
    key: &'w SecretKey,
    result: Result<(), StoreError>,
}

impl KindVisitor for ChangeWriter<'_> {
    fn loaded<K: LoadedKind>(&mut self) {
        if self.result.is_ok() {
            self.result = self.change.kind::<K>(self.before, self.after, self.key);
        }
    }

    /// They have a table of their own.
    fn looked_up<K: ConfiguredKind>(&mut self) {}
}

/// A row that is written.
struct PutRow {
    kind: &'static str,
    name: String,
    body: String,
    secrets: String,
    digest: String,
}

impl SaveChange {
    /// Has a thing written, and that noted: what it is from now on, and the keys that are otherwise than before.
    fn put(
        &mut self,
        (kind, name): (&'static str, &str),
        act: ChangeAct,
        differences: Vec<KeyDifference>,
        body: Map<String, Value>,
        sealed: Map<String, Value>,
        secrets: SecretNames,
    ) {
        let (name, body) = (name.to_owned(), Value::Object(body).to_string());
        let keys = differences.into_iter().map(|found| found.key).collect();
        self.noted.push(ThingChange {
            kind,
            name: name.clone(),
            act,
            body: Some(body.clone()),
            sealed: sealed.clone(),
            keys,
            secrets,
        });
        let secrets = Value::Object(sealed).to_string();
        self.put.push(PutRow { kind, name, body, secrets, digest: String::new() });
    }

    /// Has a thing removed, and that noted.
    fn remove<K: LoadedKind>(&mut self, name: &str, gone: &K) {
        self.noted.push(ThingChange {
            kind: K::KIND,
            name: name.to_owned(),
            act: ChangeAct::Deleted,
            body: None,
            sealed: Map::new(),
            keys: Vec::new(),
            secrets: SecretNames::of(Some(gone), None),
        });
        self.remove.push((K::KIND, name.to_owned()));
    }

    /// What the filters that are written are made of: their rows keep the digest, and what is another than before is
    /// noted.
    fn components(&mut self, before: &Configuration, after: &Configuration) {
        let made =
            |filter: &Filter| FilterMakeup { component: filter.component.clone(), digest: filter.digest.clone() };
        for put in self.put.iter_mut().filter(|put| put.kind == Filter::KIND) {
            let Some(filter) = after.filters.get(&put.name) else { continue };
            put.digest = filter.digest.clone().unwrap_or_default();
            let before = before.filters.get(&put.name).map(made);
            if before.as_ref() != Some(&made(filter)) {
                self.moves.push(Move { filter: put.name.clone(), before, after: made(filter) });
            }
        }
    }

    fn kind<K: LoadedKind>(
        &mut self,
        before: &Configuration,
        after: &Configuration,
        key: &SecretKey,
    ) -> Result<(), StoreError> {
        let (before, after): (&BTreeMap<String, K>, &BTreeMap<String, K>) = (K::all(before), K::all(after));
        for (name, thing) in after.iter().filter(|(name, thing)| before.get(*name) != Some(*thing)) {
            let mut sealed = Map::new();
            for (field, secret) in thing.clone().secrets() {
                if let Some(secret) = secret {
                    let text = key.seal_for(
                        &secret_place::<K>(name, field),
                        &thing.destination(field).text(),
                        secret.reveal(),
                    )?;
                    sealed.insert(field.to_owned(), Value::String(text));
                }
            }
            let (earlier, mut written) = (before.get(name), write(thing));
            let act = if earlier.is_none() { ChangeAct::Created } else { ChangeAct::Changed };
            // Of what is new the keys are told that say more than their defaults.
            let from = earlier.map_or_else(|| write(&K::default()), write);
            let (keys, secrets) = (key_differences(&from, &written), SecretNames::of(earlier, Some(thing)));
            leave_out_later::<K>(K::KIND, &mut written);
            self.put((K::KIND, name), act, keys, written, sealed, secrets);
        }
        for (name, gone) in before.iter().filter(|(name, _)| !after.contains_key(*name)) {
            self.remove(name, gone);
        }
        Ok(())
    }
}

fn carry_out<'c>(
    change: &'c SaveChange,
    connection: &'c mut AnyConnection,
) -> BoxFuture<'c, Result<ConfigurationVersion, StoreError>> {
    Box::pin(async move {
        let version: Option<ConfigurationVersion> = sqlx::query(
            "UPDATE config_version SET version = version + 1, stamp = $1 WHERE id = 1 AND version = $2 AND stamp = $3 RETURNING version, stamp",
        )
        .bind(change.stamp)
        .bind(change.expected.number)
        .bind(change.expected.stamp)
        .fetch_optional(&mut *connection)
        .await?
        .map(|row| read_version(&row, 0))
        .transpose()?;
        let version = version.ok_or_else(|| {
            StoreError::Conflict("The configuration was changed by somebody else meanwhile; nothing was saved.".into())
        })?;
        let mut noted = change.noted.clone();
        noted.extend(changed_customers(connection, &change.customers).await?);
        let made =
            Change { actor: &change.actor, at: change.at, configuration: version.number, kept: change.kept_versions };
        configured_versions::note(connection, &noted, made).await?;
        let actor = change.actor.to_string();
        for (kind, name) in &change.remove {
            sqlx::query("DELETE FROM configured WHERE kind = $1 AND name = $2")
                .bind(*kind)
                .bind(name)
                .execute(&mut *connection)
                .await?;
            if *kind == Filter::KIND {
                filter_components::forget(connection, name).await?;
                models_in_force::forget(connection, name).await?;
            }
        }
        for PutRow { kind, name, body, secrets, digest } in &change.put {
            sqlx::query(
                "INSERT INTO configured (kind, name, body, secrets, digest, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7) \
                 ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body, secrets = excluded.secrets, digest = excluded.digest",
            )
            .bind(*kind)
            .bind(name)
            .bind(body)
            .bind(secrets)
            .bind(digest)
            .bind(change.at)
            .bind(&actor)
            .execute(&mut *connection)
            .await?;
        }
        for moved in &change.moves {
            filter_components::note(connection, moved, &actor, change.at).await?;
        }
        for customer in &change.customers {
            sqlx::query(
                "INSERT INTO customer_user (login, email, email_folded, customer_number, first_name, last_name, language, created_at, created_by) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
                 ON CONFLICT (login) DO UPDATE SET email = excluded.email, email_folded = excluded.email_folded, \
                 customer_number = excluded.customer_number, first_name = excluded.first_name, last_name = excluded.last_name, \
                 language = excluded.language",
            )
            .bind(&customer.login)
            .bind(&customer.email)
            .bind(postigo_model::mailbox::Mailbox::of(&customer.email).as_str())
            .bind(&customer.customer_number)
            .bind(&customer.first_name)
            .bind(&customer.last_name)
            .bind(&customer.language)
            .bind(change.at)
            .bind(&actor)
            .execute(&mut *connection)
            .await?;
        }
        Ok(version)
    })
}

/// What becomes of customer users, for their versions.
async fn changed_customers(
    connection: &mut AnyConnection,
    customers: &[CustomerUser],
) -> Result<Vec<ThingChange>, StoreError> {
    let logins = customers.iter().map(|customer| customer.login.clone()).collect();
    let before = customers::with_logins(connection, logins).await?;
    let changed = customers.iter().filter(|customer| before.get(&customer.login) != Some(*customer));
    let change = |customer: &CustomerUser| {
        let (earlier, written) = (before.get(&customer.login).map(write), write(customer));
        let from = earlier.clone().unwrap_or_else(|| write(&CustomerUser::default()));
        let keys = key_differences(&from, &written).into_iter().map(|found| found.key).collect();
        ThingChange {
            kind: CustomerUser::KIND,
            name: customer.login.clone(),
            act: if earlier.is_none() { ChangeAct::Created } else { ChangeAct::Changed },
            body: Some(configured_versions::text(customer)),
            sealed: Map::new(),
            keys,
            secrets: SecretNames::default(),
        }
    };
    Ok(changed.map(change).collect())
}

/// Deletes a customer user, with what versions say of them but who deleted them; whether there was one, or versions said
/// anything of one whom a host of an earlier version deleted.
pub async fn delete_customer(store: &Store, login: &str, actor: &Actor) -> Result<bool, StoreError> {
    type Input = (String, Actor);
    fn work<'c>(
        (login, actor): &'c Input,
        connection: &'c mut AnyConnection,
    ) -> BoxFuture<'c, Result<bool, StoreError>> {
        Box::pin(async move {
            lock(connection).await?;
            let is_there = customers::by_login(connection, login).await?.is_some();
            if !is_there && !configured_versions::tells_of_customer(connection, login).await? {
                return Ok(false);
            }
            // Who read them before this saves nothing of what was read, else they were there again.
            touch(connection).await?;
            let at = postigo_model::timestamp::now();
            let made = Change { actor, at, configuration: number(connection).await?, kept: 1 };
            configured_versions::forget_customer(connection, login, made).await?;
            sqlx::query("DELETE FROM customer_user WHERE login = $1").bind(login).execute(connection).await?;
            Ok(true)
        })
    }
    store.write((login.to_owned(), actor.clone()), work).await
}
