//! Who writes to the helpdesk. There may be many, so that they are no part of the configuration that is held in memory:
//! each is looked up, and saved by itself.

use super::ServiceError;
use super::configured::{GivenKeys, Object, mentions, unreadable};
use super::saving::Tries;
use crate::secret_key::SecretKey;
use crate::store::{Store, configuration, customers};
use postigo_model::actor::Actor;
use postigo_model::configured::CustomerUser;
use postigo_model::configured::form::{self, ConfiguredKind as _};

/// So many are read at once.
const PAGE: i64 = 1_000;
/// What one is called.
const WHAT: &str = "customer user";

/// Where customer users are kept, and who changes them.
#[derive(Clone, Copy)]
pub struct CustomerPlace<'p> {
    /// The store.
    pub store: &'p Store,
    /// The key that secrets are sealed with.
    pub key: &'p SecretKey,
    /// Who makes the change.
    pub actor: &'p Actor,
    /// Whether the change is only tried: nothing is saved.
    pub is_trial: bool,
}

/// The customer users with a text somewhere in them, case ignored, in the order of their logins, after this one; all
/// where none is searched, at most `limit`.
pub async fn search(
    store: &Store,
    text: Option<&str>,
    after: &str,
    limit: usize,
) -> Result<Vec<CustomerUser>, ServiceError> {
    let text = text.map(str::to_lowercase);
    let (mut found, mut after) = (Vec::new(), after.to_owned());
    let is_found = |customer: &CustomerUser| {
        text.as_ref().is_none_or(|text| form::write(customer).values().any(|value| mentions(value, text)))
    };
    loop {
        let rows = if text.is_none() { PAGE.min(i64::try_from(limit).unwrap_or(PAGE)) } else { PAGE };
        let page = customers::list(store, &after, rows).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after.clone_from(&last.login);
        found.extend(page.into_iter().filter(is_found));
        if found.len() >= limit {
            found.truncate(limit);
            return Ok(found);
        }
    }
}

/// The customer user of a login.
pub async fn show(store: &Store, login: &str) -> Result<CustomerUser, ServiceError> {
    find(store, login).await?.ok_or_else(|| missing(login))
}

/// Adds a customer user; there must be none of its login.
pub async fn create(place: CustomerPlace<'_>, fields: &Object) -> Result<CustomerUser, ServiceError> {
    let customer = read(CustomerUser::default(), fields)?;
    let login = customer.login.clone();
    let edit = |earlier: Option<&CustomerUser>| match earlier {
        Some(_) => Err(ServiceError::Taken { what: WHAT.to_owned(), name: customer.login.clone() }),
        None => Ok(customer.clone()),
    };
    Ok(change(place, &login, edit).await?.0)
}

/// Puts a whole customer user in the place of this login, or adds it; gives whether there was none before, too.
pub async fn replace(
    place: CustomerPlace<'_>,
    login: &str,
    fields: &Object,
) -> Result<(CustomerUser, bool), ServiceError> {
    change(place, login, |_| read(CustomerUser::default(), fields)).await
}

/// Changes the keys of a customer user that `fields` name; what they leave out stays.
pub async fn alter(place: CustomerPlace<'_>, login: &str, fields: &Object) -> Result<CustomerUser, ServiceError> {
    let edit = |earlier: Option<&CustomerUser>| read(earlier.ok_or_else(|| missing(login))?.clone(), fields);
    Ok(change(place, login, edit).await?.0)
}

/// Changes the keys of a customer user that are given, or makes one where there is none of this login; gives what there
/// is afterwards, and whether there was none before.
pub async fn set(
    place: CustomerPlace<'_>,
    login: &str,
    give: impl Fn(&CustomerUser) -> GivenKeys,
) -> Result<(CustomerUser, bool), ServiceError> {
    let edit = |earlier: Option<&CustomerUser>| {
        let mut customer = earlier.cloned().unwrap_or_default();
        let GivenKeys { fields, mut problems } = give(&customer);
        problems.extend(form::read_fields(&mut customer, &fields, "", &form::in_clear));
        if problems.is_empty() { Ok(customer) } else { Err(unreadable(CustomerUser::KIND, login, problems)) }
    };
    change(place, login, edit).await
}

/// Deletes a customer user; tickets keep its login.
pub async fn delete(store: &Store, login: &str, actor: &Actor) -> Result<(), ServiceError> {
    if configuration::delete_customer(store, login, actor).await? { Ok(()) } else { Err(missing(login)) }
}

fn missing(login: &str) -> ServiceError {
    ServiceError::Missing { what: WHAT.to_owned(), name: login.to_owned() }
}

pub(super) async fn find(store: &Store, login: &str) -> Result<Option<CustomerUser>, ServiceError> {
    Ok(customers::by_login(&mut *store.read().await?, login).await?)
}

pub(super) fn read(mut customer: CustomerUser, fields: &Object) -> Result<CustomerUser, ServiceError> {
    let problems = form::read_fields(&mut customer, fields, "", &form::in_clear);
    if problems.is_empty() { Ok(customer) } else { Err(unreadable(CustomerUser::KIND, &customer.login, problems)) }
}

/// Makes of the customer user of a login what `edit` makes of it, anew where somebody else changed something meanwhile;
/// gives it, and whether there was none before. What is as it was is not saved.
pub(super) async fn change(
    place: CustomerPlace<'_>,
    login: &str,
    edit: impl Fn(Option<&CustomerUser>) -> Result<CustomerUser, ServiceError>,
) -> Result<(CustomerUser, bool), ServiceError> {
    let CustomerPlace { store, key, actor, is_trial } = place;
    let mut tries = Tries::default();
    loop {
        // The version first: whoever changes the customer user after that counts it.
        let configuration = configuration::load(store, key).await?;
        let earlier = find(store, login).await?;
        let customer = edit(earlier.as_ref())?;
        if is_trial || earlier.as_ref() == Some(&customer) {
            return Ok((customer, earlier.is_none()));
        }
        let saved =
            configuration::save(store, key, &configuration, &configuration, vec![customer.clone()], actor).await;
        if tries.end(saved)?.is_some() {
            return Ok((customer, earlier.is_none()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fresh_store::fresh;
    use serde_json::{Value, json};
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::runtime::Handle;
    use tokio::task::block_in_place;

    fn giving(fields: &Value) -> GivenKeys {
        GivenKeys { fields: fields.as_object().unwrap().clone(), problems: Vec::new() }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_sets_another_key_meanwhile_loses_nothing_and_what_changes_nothing_is_not_counted() {
        let (_folder, store, key) = fresh().await;
        let place = CustomerPlace { store: &store, key: &key, actor: &Actor::Daemon, is_trial: false };
        let fields = json!({ "login": "jane", "email": "jane@customer.test" });
        let (_, is_new) = set(place, "jane", |_| giving(&fields)).await.unwrap();
        assert!(is_new);
        let is_overtaken = AtomicBool::new(false);
        let give = |_: &CustomerUser| {
            if !is_overtaken.swap(true, Ordering::SeqCst) {
                let meanwhile = set(place, "jane", |_| giving(&json!({ "first_name": "Jane" })));
                block_in_place(|| Handle::current().block_on(meanwhile)).unwrap();
            }
            giving(&json!({ "last_name": "Roe" }))
        };
        let (jane, is_new) = set(place, "jane", give).await.unwrap();
        assert_eq!((jane.first_name.as_str(), jane.last_name.as_str(), is_new), ("Jane", "Roe", false));
        assert_eq!(show(&store, "jane").await.unwrap(), jane);

        let version = configuration::load(&store, &key).await.unwrap().version;
        let same = json!({ "last_name": "Roe" });
        set(place, "jane", |_| giving(&same)).await.unwrap();
        alter(place, "jane", same.as_object().unwrap()).await.unwrap();
        replace(place, "jane", &form::write(&jane)).await.unwrap();
        assert_eq!(configuration::load(&store, &key).await.unwrap().version, version);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_is_deleted_meanwhile_is_not_there_again_by_a_change() {
        let (_folder, store, key) = fresh().await;
        let place = CustomerPlace { store: &store, key: &key, actor: &Actor::Daemon, is_trial: false };
        set(place, "jane", |_| giving(&json!({ "login": "jane", "email": "jane@customer.test" }))).await.unwrap();
        let is_overtaken = AtomicBool::new(false);
        let edit = |earlier: Option<&CustomerUser>| {
            let jane = earlier.ok_or_else(|| missing("jane"))?.clone();
            if !is_overtaken.swap(true, Ordering::SeqCst) {
                let meanwhile = delete(&store, "jane", &Actor::Daemon);
                block_in_place(|| Handle::current().block_on(meanwhile))?;
            }
            Ok(CustomerUser { first_name: "Jane".into(), ..jane })
        };
        assert!(matches!(change(place, "jane", edit).await, Err(ServiceError::Missing { .. })));
        assert!(find(&store, "jane").await.unwrap().is_none());
    }
}
