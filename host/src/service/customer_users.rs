//! Who writes to the helpdesk. There may be many, so that they are no part of the configuration that is held in memory:
//! each is looked up, and saved by itself.

use super::Refused;
use super::configured::{Given, Object, mentions, unreadable};
use crate::secret_key::SecretKey;
use crate::store::{Store, configuration, customers};
use postigo_model::configured::CustomerUser;
use postigo_model::configured::form::{self, Kind as _};

/// So many are read at once.
const PAGE: i64 = 1_000;
/// What one is called.
const WHAT: &str = "customer user";

/// At most `limit` customer users, in the order of their logins, after this one.
pub async fn list(store: &Store, after: &str, limit: i64) -> Result<Vec<CustomerUser>, Refused> {
    Ok(customers::list(store, after, limit).await?)
}

/// The customer users with a text somewhere in them, case ignored, in the order of their logins; all where none is
/// searched, at most `limit`.
pub async fn search(store: &Store, text: Option<&str>, limit: usize) -> Result<Vec<Object>, Refused> {
    let text = text.map(str::to_lowercase);
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = list(store, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after.clone_from(&last.login);
        let objects = page.iter().map(form::write);
        found.extend(
            objects
                .filter(|object| text.as_ref().is_none_or(|text| object.values().any(|value| mentions(value, text)))),
        );
        if found.len() >= limit {
            found.truncate(limit);
            return Ok(found);
        }
    }
}

/// The customer user of a login.
pub async fn show(store: &Store, login: &str) -> Result<CustomerUser, Refused> {
    find(store, login).await?.ok_or_else(|| missing(login))
}

/// Adds a customer user; there must be none of its login.
pub async fn create(store: &Store, key: &SecretKey, fields: &Object) -> Result<CustomerUser, Refused> {
    let customer = read(CustomerUser::default(), fields)?;
    if find(store, &customer.login).await?.is_some() {
        return Err(Refused::Taken { what: WHAT.to_owned(), name: customer.login });
    }
    save(store, key, customer).await
}

/// Puts a whole customer user in the place of this login, or adds it; gives whether there was none before, too.
pub async fn replace(
    store: &Store,
    key: &SecretKey,
    login: &str,
    fields: &Object,
) -> Result<(CustomerUser, bool), Refused> {
    let customer = read(CustomerUser::default(), fields)?;
    let new = find(store, login).await?.is_none();
    Ok((save(store, key, customer).await?, new))
}

/// Changes the keys of a customer user that `fields` name; what they leave out stays.
pub async fn alter(
    store: &Store,
    key: &SecretKey,
    customer: CustomerUser,
    fields: &Object,
) -> Result<CustomerUser, Refused> {
    save(store, key, read(customer, fields)?).await
}

/// Changes the keys of a customer user that are given, or makes one where there is none of this login; gives what there
/// is afterwards.
pub async fn set(
    store: &Store,
    key: &SecretKey,
    login: &str,
    give: impl FnOnce(&CustomerUser) -> Given,
) -> Result<CustomerUser, Refused> {
    let mut customer = find(store, login).await?.unwrap_or_default();
    let Given { fields, mut problems } = give(&customer);
    problems.extend(form::read_fields(&mut customer, &fields, "", &form::in_clear));
    if problems.is_empty() {
        save(store, key, customer).await
    } else {
        Err(unreadable(CustomerUser::KIND, login, problems))
    }
}

/// Deletes a customer user; tickets keep its login.
pub async fn delete(store: &Store, login: &str) -> Result<(), Refused> {
    if customers::delete(store, login).await? { Ok(()) } else { Err(missing(login)) }
}

fn missing(login: &str) -> Refused {
    Refused::Missing { what: WHAT.to_owned(), name: login.to_owned() }
}

async fn find(store: &Store, login: &str) -> Result<Option<CustomerUser>, Refused> {
    Ok(customers::by_login(&mut *store.read().await?, login).await?)
}

fn read(mut customer: CustomerUser, fields: &Object) -> Result<CustomerUser, Refused> {
    let problems = form::read_fields(&mut customer, fields, "", &form::in_clear);
    if problems.is_empty() { Ok(customer) } else { Err(unreadable(CustomerUser::KIND, &customer.login, problems)) }
}

async fn save(store: &Store, key: &SecretKey, customer: CustomerUser) -> Result<CustomerUser, Refused> {
    let configuration = configuration::load(store, key).await?;
    configuration::save(store, key, &configuration, &configuration, vec![customer.clone()], "").await?;
    Ok(customer)
}
