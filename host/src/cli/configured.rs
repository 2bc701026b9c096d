//! What all configured things (queues, accounts, templates, …) have in common on the command line: they are listed,
//! shown, set key by key and deleted, read and written by the same code as the configuration file and REST
//! ([`postigo_model::configured::form`]).

use super::key_values::{Changes, KeyValue};
use super::output::{lines, printable, word};
use super::rows::FoundRows;
use super::{CommandError, Context, sign_in};
use crate::oauth2::Owner;
use crate::service::ServiceError;
use crate::service::configured::{self, Object, SIGN_IN, WARNINGS, kept_name};
use crate::service::customer_users;
use crate::service::probing::ProbeResult;
use crate::service::versions::Attributed;
use postigo_model::configured::form::{self, ConfiguredKind, LoadedKind};
use postigo_model::configured::keys::keys;
use postigo_model::configured::{Breach, Configuration, CustomerUser};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// `list`
#[derive(Debug, clap::Args)]
pub struct ThingList {
    /// At most so many
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Only those with this text somewhere in them, case ignored
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
}

/// A thing that is there.
#[derive(Debug, clap::Args)]
pub struct NamedThing {
    /// Its name
    pub name: String,
}

/// `set`
#[derive(Debug, clap::Args)]
pub struct ThingSet {
    #[command(flatten)]
    pub thing: NamedThing,
    /// A key of the configuration file and its value; `KEY=` sets the default
    #[arg(value_name = "KEY=VALUE")]
    pub keys: Vec<KeyValue>,
    /// A key and the file that its text or secret stands in; `-`: standard input
    #[arg(long = "file", value_name = "KEY=PATH")]
    pub files: Vec<KeyValue>,
}

impl ThingList {
    /// Lists the things of a kind in byte order of their names; a last column tells how sign-ins by OAuth2 stand.
    pub async fn run<K: LoadedKind>(&self, context: &Context) -> Result<(), CommandError> {
        let configuration = context.configuration().await?;
        let mut things = Vec::new();
        let found = FoundRows::of(configured::list::<K>(&configuration, self.search.as_deref()), self.limit);
        let attributed = Attributed::of(context.store().await?, K::KIND, None).await?;
        for (name, object) in &found.rows {
            let mut object = object.clone();
            attributed.add_to(name, &mut object);
            things.push(with_sign_in::<K>(&configuration, name, object, context).await?);
        }
        let signs_in = Owner::of_kind(K::KIND, "").is_some();
        let columns = K::ABOUT.columns;
        let headings: Vec<&str> =
            columns.iter().map(|(heading, _)| *heading).chain(signs_in.then_some("OAUTH2")).collect();
        context.output().list(&headings, &things, |thing| {
            let words = columns.iter().map(|(_, key)| word(thing, key));
            words.chain(signs_in.then(|| sign_in::word(thing))).collect()
        });
        found.tell_more(context);
        Ok(())
    }

    /// Lists customer users in the order of their logins.
    pub async fn customers(&self, context: &Context) -> Result<(), CommandError> {
        let most = self.limit.map_or(usize::MAX, |limit| limit.saturating_add(1));
        let found = customer_users::search(context.store().await?, self.search.as_deref(), "", most).await?;
        let found = FoundRows::of(found, self.limit);
        let logins: Vec<&str> = found.rows.iter().map(|customer| customer.login.as_str()).collect();
        let attributed = Attributed::of(context.store().await?, CustomerUser::KIND, Some(&logins)).await?;
        let shown = |customer: &CustomerUser| {
            let mut object = form::write(customer);
            attributed.add_to(&customer.login, &mut object);
            Value::Object(object)
        };
        let things: Vec<Value> = found.rows.iter().map(shown).collect();
        let columns = CustomerUser::ABOUT.columns;
        let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
        context.output().list(&headings, &things, |thing| columns.iter().map(|(_, key)| word(thing, key)).collect());
        found.tell_more(context);
        Ok(())
    }
}

impl NamedThing {
    /// Shows a thing with all its keys but its secrets, and who made and changed it.
    pub async fn show<K: LoadedKind>(&self, context: &Context) -> Result<(), CommandError> {
        let configuration = context.configuration().await?;
        let thing: &K = configured::find(&configuration, &self.name).map_err(told::<K>)?;
        let mut object = form::write(thing);
        let kept = kept_name::<K>(&self.name);
        Attributed::of(context.store().await?, K::KIND, Some(&[&kept])).await?.add_to(&kept, &mut object);
        print(&with_sign_in::<K>(&configuration, &self.name, object, context).await?, context);
        Ok(())
    }

    /// Changes a thing, or makes it where there is none of this name; what is there afterwards is printed.
    pub async fn set<K: LoadedKind>(&self, changes: &Changes, context: &Context) -> Result<(), CommandError> {
        let give = |there: &K| changes.onto(&form::write(there), K::NAME, &self.name);
        let saved = configured::set::<K>(context.editor().await?, &self.name, give).await?;
        let mut object = saved.object::<K>(&self.name);
        let kept = kept_name::<K>(&self.name);
        Attributed::of(context.store().await?, K::KIND, Some(&[&kept])).await?.add_to(&kept, &mut object);
        let thing = Value::Object(object);
        context.output().document(&with_warnings(thing.clone(), &saved.warnings), || text(&thing));
        self.tell_set::<K>(saved.value, context);
        tell_warnings(&saved.warnings, context);
        Ok(())
    }

    /// Tells people whether a thing was made; for programs the thing stands alone.
    fn tell_set<K: ConfiguredKind>(&self, is_new: bool, context: &Context) {
        let done = if is_new { "is new" } else { "was there and is as given now" };
        context.output().aside(&format!("The {} {:?} {done}.", configured::what::<K>(), self.name));
    }

    /// Deletes a thing.
    pub async fn delete<K: LoadedKind>(&self, context: &Context) -> Result<(), CommandError> {
        configured::delete::<K>(context.editor().await?, &self.name, |_| Ok(())).await.map_err(told::<K>)?;
        self.tell_deleted::<K>(context);
        Ok(())
    }

    fn tell_deleted<K: ConfiguredKind>(&self, context: &Context) {
        let Self { name } = self;
        let said = || format!("The {} {name:?} is deleted.\n", configured::what::<K>());
        context.output().document(&json!({ "name": name, "deleted": true }), said);
    }

    /// Shows a customer user.
    pub async fn show_customer(&self, context: &Context) -> Result<(), CommandError> {
        let shown = customer_users::show(context.store().await?, &self.name).await.map_err(told::<CustomerUser>)?;
        let (name, mut object) = (self.name.as_str(), form::write(&shown));
        let attributed = Attributed::of(context.store().await?, CustomerUser::KIND, Some(&[name])).await?;
        attributed.add_to(name, &mut object);
        print(&Value::Object(object), context);
        Ok(())
    }

    /// Deletes a customer user.
    pub async fn delete_customer(&self, context: &Context) -> Result<(), CommandError> {
        customer_users::delete(context.store().await?, &self.name, context.actor())
            .await
            .map_err(told::<CustomerUser>)?;
        self.tell_deleted::<CustomerUser>(context);
        Ok(())
    }
}

impl ThingSet {
    /// Changes a thing, or makes it.
    pub async fn run<K: LoadedKind>(&self, context: &Context) -> Result<(), CommandError> {
        self.thing.set::<K>(&Changes::read(&keys::<K>(), &self.keys, &self.files), context).await
    }

    /// Changes a customer user, or makes one.
    pub async fn customer(&self, context: &Context) -> Result<(), CommandError> {
        let changes = Changes::read(&keys::<CustomerUser>(), &self.keys, &self.files);
        let login = &self.thing.name;
        let give = |there: &CustomerUser| changes.onto(&form::write(there), CustomerUser::NAME, login);
        let (saved, is_new) = customer_users::set(context.customer_place().await?, login, give).await?;
        let mut object = form::write(&saved);
        let attributed = Attributed::of(context.store().await?, CustomerUser::KIND, Some(&[login.as_str()])).await?;
        attributed.add_to(login, &mut object);
        print(&Value::Object(object), context);
        self.thing.tell_set::<CustomerUser>(is_new, context);
        Ok(())
    }
}

/// A thing as it is shown: with how its sign-in stands, where it signs in by OAuth2.
async fn with_sign_in<K: LoadedKind>(
    configuration: &Configuration,
    name: &str,
    mut object: Object,
    context: &Context,
) -> Result<Value, CommandError> {
    if let Some(state) = configured::sign_in::<K>(configuration, name, &object, &*context.tokens().await?).await? {
        object.insert(SIGN_IN.to_owned(), serde_json::to_value(state)?);
    }
    Ok(Value::Object(object))
}

/// What the service refuses; a thing that is not there with how to find those that are.
pub fn told<K: ConfiguredKind>(refused: ServiceError) -> CommandError {
    match refused {
        ServiceError::Missing { name, .. } => CommandError::because(missing::<K>(&name)),
        other => other.into(),
    }
}

/// That there is no thing of this name, and how to find those that there are.
pub fn missing<K: ConfiguredKind>(name: &str) -> String {
    format!(
        "There is no {} \"{name}\"; `postigo {} list` shows those that exist.",
        configured::what::<K>(),
        K::ABOUT.command
    )
}

/// Tells whether the server of an account or transport could be signed in to, and what it said of itself.
pub fn tell_probed(owner: &Owner, probed: ProbeResult, context: &Context) -> Result<(), CommandError> {
    let ProbeResult { facts, error } = probed;
    if let Some(sentence) = error {
        return Err(CommandError::because(sentence));
    }
    let mut document = Map::from_iter([(owner.kind().to_owned(), json!(owner.name()))]);
    let mut text = format!("The {} {} works.\n", owner.kind(), owner.name());
    for (key, value) in facts {
        let _ = writeln!(text, "  {key:<13}{}", printable(&value));
        document.insert(key.to_owned(), Value::from(value));
    }
    context.output().document(&Value::Object(document), || text);
    Ok(())
}

/// Prints a thing.
pub fn print(thing: &Value, context: &Context) {
    context.output().document(thing, || text(thing));
}

/// A thing for people: its short keys a line each, then its texts as they are.
pub fn text(thing: &Value) -> String {
    let mut head = thing.clone();
    let body = head.as_object_mut().and_then(|fields| fields.remove("body"));
    let body = body.as_ref().and_then(Value::as_str).unwrap_or_default();
    let body: String = body.lines().map(|line| format!("{}\n", printable(line))).collect();
    if body.is_empty() { lines(&head) } else { format!("{}\n{body}", lines(&head)) }
}

/// A document for programs, with what was saved and is worth a second look, where there is some.
pub fn with_warnings(mut document: Value, warnings: &[Breach]) -> Value {
    if let Some(fields) = document.as_object_mut().filter(|_| !warnings.is_empty()) {
        let told: Vec<String> = warnings.iter().map(Breach::to_string).collect();
        fields.insert(WARNINGS.to_owned(), json!(told));
    }
    document
}

/// The same for people, as `config apply` says it.
pub fn tell_warnings(warnings: &[Breach], context: &Context) {
    for warning in warnings {
        context.output().aside(&format!("warning: {warning}"));
    }
}
