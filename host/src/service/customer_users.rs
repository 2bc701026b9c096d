//! Who writes to the helpdesk. There may be many, so that they are no part of the configuration that is held in memory: each is looked up, and
//! saved by itself.

use super::Refused;
use super::configured::{Object, unreadable};
use crate::secret_key::SecretKey;
use crate::store::{Store, configuration, customers};
use postigo_model::configured::{CustomerUser, form};

/// What one is called.
const WHAT: &str = "customer user";

/// At most `limit` customer users, in the order of their logins, after this one.
pub async fn list(store: &Store, after: &str, limit: i64) -> Result<Vec<CustomerUser>, Refused> {
    Ok(customers::list(store, after, limit).await?)
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
pub async fn replace(store: &Store, key: &SecretKey, login: &str, fields: &Object) -> Result<(CustomerUser, bool), Refused> {
    let customer = read(CustomerUser::default(), fields)?;
    let new = find(store, login).await?.is_none();
    Ok((save(store, key, customer).await?, new))
}

/// Changes the keys of a customer user that `fields` name; what they leave out stays.
pub async fn alter(store: &Store, key: &SecretKey, customer: CustomerUser, fields: &Object) -> Result<CustomerUser, Refused> {
    save(store, key, read(customer, fields)?).await
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
    let problems = form::read_fields(fields, "", &form::in_clear, |reader| customer.describe(reader));
    if problems.is_empty() { Ok(customer) } else { Err(unreadable("customer_user", &customer.login, problems)) }
}

async fn save(store: &Store, key: &SecretKey, customer: CustomerUser) -> Result<CustomerUser, Refused> {
    let configuration = configuration::load(store, key).await?;
    configuration::save(store, key, &configuration, &configuration, vec![customer.clone()], "").await?;
    Ok(customer)
}
