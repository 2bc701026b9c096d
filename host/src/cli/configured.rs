//! What all configured things (queues, accounts, templates, …) have in common on the command line: they are listed, shown, set key by
//! key and deleted, read and written by the same code as the configuration file and REST ([`postigo_model::configured::form`]).

use super::output::{lines, printable, word};
use super::{Context, Failed, sign_in};
use crate::oauth2::Owner;
use crate::service::Refused;
use crate::service::configured::{self, Object, SIGN_IN};
use postigo_model::configured::Configuration;
use postigo_model::configured::form;
use postigo_model::configured::form::Kind;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// `list`
#[derive(Debug, clap::Args)]
pub struct List {
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// A thing that is there.
#[derive(Debug, clap::Args)]
pub struct Named {
    /// Its name
    pub name: String,
}

/// The keys that `set` takes for a kind of thing.
pub trait Keys: clap::Args {
    /// The kind.
    type Thing: Kind;
    /// What `list` shows.
    const COLUMNS: &'static [Column];

    /// What was given.
    fn change(self) -> Result<Change, Failed>;
}

/// `template …`, `auto-response …`
#[derive(Debug, clap::Subcommand)]
pub enum Command<K: Keys> {
    /// List them
    List(List),
    /// Show one with all its keys
    Show(Named),
    /// Change one, or make a new one
    Set(Set<K>),
    /// Delete one
    Delete(Named),
}

/// `set`
#[derive(Debug, clap::Args)]
pub struct Set<K: Keys> {
    #[command(flatten)]
    thing: Named,
    #[command(flatten)]
    keys: K,
}

impl<K: Keys> Command<K> {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
        match self {
            Self::List(list) => list.run::<K::Thing>(K::COLUMNS, context).await,
            Self::Show(thing) => thing.show::<K::Thing>(context).await,
            Self::Set(Set { thing, keys }) => thing.set::<K::Thing>(keys.change()?, context).await,
            Self::Delete(thing) => thing.delete::<K::Thing>(context).await,
        }
    }
}

/// What `set` changes; what is none stays as it was, and of a new thing has its default.
#[derive(Debug, Default)]
pub struct Change(Map<String, Value>);

impl Change {
    /// Sets a key, where there is a value for it.
    #[must_use]
    pub fn key(mut self, key: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.insert(key.to_owned(), value.into());
        }
        self
    }
}

/// Reads the value of `--valid`.
pub fn validity(text: &str) -> Result<Value, String> {
    match text {
        "true" => Ok(Value::Bool(true)),
        "false" => Ok(Value::Bool(false)),
        "temporarily-invalid" => Ok(text.into()),
        _ => Err("it is true, false or temporarily-invalid".to_owned()),
    }
}

/// A column of a list: its heading and the key.
pub type Column = (&'static str, &'static str);

impl List {
    /// Lists the things of a kind in byte order of their names; a last column tells how sign-ins by OAuth2 stand.
    pub async fn run<K: Kind>(&self, columns: &[Column], context: &Context) -> Result<(), Failed> {
        let configuration = context.configuration().await?;
        let mut things = Vec::new();
        for (name, object) in configured::list::<K>(&configuration, None).take(self.limit.unwrap_or(usize::MAX)) {
            things.push(with_sign_in::<K>(&configuration, &name, object, context).await?);
        }
        let signs_in = Owner::of_kind(K::KIND, "").is_some();
        let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).chain(signs_in.then_some("OAUTH2")).collect();
        context.output().list(&headings, &things, |thing| {
            let words = columns.iter().map(|(_, key)| word(thing, key));
            words.chain(signs_in.then(|| sign_in::word(thing))).collect()
        });
        Ok(())
    }
}

impl Named {
    /// Shows a thing with all its keys but its secrets.
    pub async fn show<K: Kind>(&self, context: &Context) -> Result<(), Failed> {
        let configuration = context.configuration().await?;
        let thing: &K = configured::find(&configuration, &self.name).map_err(told::<K>)?;
        print(&with_sign_in::<K>(&configuration, &self.name, form::write(thing), context).await?, context);
        Ok(())
    }

    /// Changes a thing, or makes it where there is none of this name; what is there afterwards is printed.
    pub async fn set<K: Kind>(&self, change_to: Change, context: &Context) -> Result<(), Failed> {
        let Change(mut fields) = change_to;
        fields.insert(K::NAME.to_owned(), Value::String(self.name.clone()));
        let saved = configured::set::<K>(context.editor().await?, &self.name, &Value::Object(fields)).await?;
        print(&Value::Object(saved.object::<K>(&self.name)), context);
        Ok(())
    }

    /// Deletes a thing.
    pub async fn delete<K: Kind>(&self, context: &Context) -> Result<(), Failed> {
        let Self { name } = self;
        configured::delete::<K>(context.editor().await?, name, |_| Ok(())).await.map_err(told::<K>)?;
        let said = || format!("The {} {name:?} is deleted.\n", configured::what::<K>());
        context.output().document(&json!({ "name": name, "deleted": true }), said);
        Ok(())
    }
}

/// A thing as it is shown: with how its sign-in stands, where it signs in by OAuth2.
async fn with_sign_in<K: Kind>(configuration: &Configuration, name: &str, mut object: Object, context: &Context) -> Result<Value, Failed> {
    if let Some(state) = configured::sign_in::<K>(configuration, name, &object, &*context.tokens().await?).await? {
        object.insert(SIGN_IN.to_owned(), serde_json::to_value(state)?);
    }
    Ok(Value::Object(object))
}

/// What the service refuses; a thing that is not there with how to find those that are.
pub fn told<K: Kind>(refused: Refused) -> Failed {
    match refused {
        Refused::Missing { name, .. } => Failed::because(missing::<K>(&name)),
        other => other.into(),
    }
}

/// That there is no thing of this name, and how to find those that there are.
pub fn missing<K: Kind>(name: &str) -> String {
    format!("There is no {} \"{name}\"; `postigo {} list` shows those that exist.", configured::what::<K>(), K::KIND.replace('_', "-"))
}

/// Tells that the server of an account or transport could be signed in to, and what it said of itself.
pub fn works(owner: &Owner, facts: Vec<(&'static str, String)>, context: &Context) {
    let mut document = Map::from_iter([(owner.kind().to_owned(), json!(owner.name()))]);
    let mut text = format!("The {} {} works.\n", owner.kind(), owner.name());
    for (key, value) in facts {
        let _ = writeln!(text, "  {key:<13}{}", printable(&value));
        document.insert(key.to_owned(), Value::from(value));
    }
    context.output().document(&Value::Object(document), || text);
}

/// A thing for people: its short keys a line each, then its texts as they are.
fn print(thing: &Value, context: &Context) {
    context.output().document(thing, || {
        let mut head = thing.clone();
        let body = head.as_object_mut().and_then(|fields| fields.remove("body"));
        let body = body.as_ref().and_then(Value::as_str).unwrap_or_default();
        let body: String = body.lines().map(|line| format!("{}\n", printable(line))).collect();
        if body.is_empty() { lines(&head) } else { format!("{}\n{body}", lines(&head)) }
    });
}
