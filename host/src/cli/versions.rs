//! `… versions`, `… show --version`, `… compare`, `… restore`: what was configured before, who changed it, and back to it.

use super::configured::{NamedThing, tell_warnings, text, told, with_warnings};
use super::key_values::{Changes, KeyValue};
use super::output::{lines, printable, word};
use super::rows::FoundRows;
use super::{CommandError, Context};
use crate::service::ServiceError;
use crate::service::configured::{self, Editor, Object};
use crate::service::customer_users::CustomerPlace;
use crate::service::versions::{self, Comparison, Restoration, VersionDocument, VersionWithThing, VersionedThing};
use postigo_model::configured::form::{self, ConfiguredKind, LoadedKind};
use postigo_model::configured::key_difference::KeyDifference;
use postigo_model::configured::keys::keys;
use postigo_model::configured::{Breach, CustomerUser};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// `show`
#[derive(Debug, clap::Args)]
pub struct ThingShow {
    #[command(flatten)]
    pub thing: NamedThing,
    /// As this version has it; `versions` lists them
    #[arg(long, value_name = "N")]
    pub version: Option<i64>,
}

/// The commands about the versions of a thing.
#[derive(Debug, clap::Subcommand)]
pub enum VersionCommand {
    /// List the versions of one: when, who, by which way, and what changed
    Versions {
        #[command(flatten)]
        thing: NamedThing,
        #[command(flatten)]
        wish: VersionList,
    },
    /// Show what differs between two versions of one
    Compare {
        #[command(flatten)]
        thing: NamedThing,
        #[command(flatten)]
        numbers: ComparedNumbers,
    },
    /// Make one what it was by a version; the rules hold, and secrets stay as they are now
    Restore {
        #[command(flatten)]
        thing: NamedThing,
        #[command(flatten)]
        wish: RestoreOptions,
        /// A key that is to be otherwise than in the version, such as a secret
        #[arg(value_name = "KEY=VALUE")]
        keys: Vec<KeyValue>,
    },
    /// Have versions of one forget what it was, such as a password that somebody wrote where none belongs; who changed it,
    /// and when, stays
    ForgetVersions {
        #[command(flatten)]
        thing: NamedThing,
        #[command(flatten)]
        wish: ForgottenVersions,
    },
}

/// Which versions are to forget what a thing was.
#[derive(Debug, clap::Args)]
pub struct ForgottenVersions {
    /// The version [default: all by which it was otherwise than it is now]
    #[arg(value_name = "N")]
    number: Option<i64>,
}

/// How many versions are listed.
#[derive(Debug, clap::Args)]
pub struct VersionList {
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// Which versions are compared.
#[derive(Debug, clap::Args)]
pub struct ComparedNumbers {
    /// The one version
    #[arg(value_name = "N")]
    from: i64,
    /// The other [default: the latest]
    #[arg(value_name = "M")]
    to: Option<i64>,
}

/// What is restored, and how.
#[derive(Debug, clap::Args)]
pub struct RestoreOptions {
    /// The version
    #[arg(value_name = "N")]
    number: i64,
    /// Show what would change and hold it to the rules; change nothing
    #[arg(long)]
    check: bool,
}

impl ThingShow {
    /// Shows a thing, or a version of it.
    pub async fn run<K: LoadedKind>(&self, context: &Context) -> Result<(), CommandError> {
        match self.version {
            None => self.thing.show::<K>(context).await,
            Some(number) => {
                show(&VersionedThing::of::<K>(&self.thing.name), number, context).await.map_err(told_of::<K>)
            }
        }
    }

    /// Shows a customer user, or a version of one.
    pub async fn customer(&self, context: &Context) -> Result<(), CommandError> {
        match self.version {
            None => self.thing.show_customer(context).await,
            Some(number) => {
                let thing = VersionedThing::of::<CustomerUser>(&self.thing.name);
                show(&thing, number, context).await.map_err(told_of::<CustomerUser>)
            }
        }
    }
}

impl VersionCommand {
    /// Carries it out for a kind.
    pub async fn run<K: LoadedKind>(self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::Versions { thing, wish } => wish.run(&VersionedThing::of::<K>(&thing.name), context).await,
            Self::Compare { thing, numbers } => numbers.run(&VersionedThing::of::<K>(&thing.name), context).await,
            Self::Restore { thing, wish, keys } => return wish.of_thing::<K>(&thing.name, &keys, context).await,
            Self::ForgetVersions { thing, wish } => wish.run(&VersionedThing::of::<K>(&thing.name), context).await,
        }
        .map_err(told_of::<K>)
    }

    /// Carries it out for customer users.
    pub async fn run_of_customer(self, context: &Context) -> Result<(), CommandError> {
        let of = VersionedThing::of::<CustomerUser>;
        match self {
            Self::Versions { thing, wish } => wish.run(&of(&thing.name), context).await,
            Self::Compare { thing, numbers } => numbers.run(&of(&thing.name), context).await,
            Self::Restore { thing, wish, keys } => return wish.of_customer(&thing.name, &keys, context).await,
            Self::ForgetVersions { thing, wish } => wish.run(&of(&thing.name), context).await,
        }
        .map_err(told_of::<CustomerUser>)
    }
}

/// Why a command about versions ended.
pub enum VersionError {
    /// The service refused.
    Refused(ServiceError),
    /// Anything else.
    Failed(CommandError),
}

impl From<ServiceError> for VersionError {
    fn from(refused: ServiceError) -> Self {
        Self::Refused(refused)
    }
}

impl From<CommandError> for VersionError {
    fn from(failed: CommandError) -> Self {
        Self::Failed(failed)
    }
}

/// A thing that never was, with how to find those that are.
fn told_of<K: ConfiguredKind>(error: VersionError) -> CommandError {
    match error {
        VersionError::Refused(refused) => told::<K>(refused),
        VersionError::Failed(failed) => failed,
    }
}

impl VersionList {
    /// Lists the versions of a thing, the latest first.
    pub async fn run(&self, thing: &VersionedThing, context: &Context) -> Result<(), VersionError> {
        let most = self.limit.map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1));
        let listed = versions::list(context.store().await?, thing, None, most).await?;
        let found = FoundRows::of(listed.iter().map(|version| json!(version)), self.limit);
        context.output().list(&["VERSION", "WHEN", "WHO", "WAY", "WHAT"], &found.rows, |version| {
            let [number, at, actor, way] = ["number", "at", "actor", "way"].map(|key| word(version, key));
            vec![number, at, actor, way, what(version)]
        });
        found.tell_more(context);
        Ok(())
    }
}

impl ForgottenVersions {
    /// Has them forget.
    pub async fn run(&self, thing: &VersionedThing, context: &Context) -> Result<(), VersionError> {
        let count = versions::forget(context.store().await?, thing, self.number, context.actor()).await?;
        context.output().document(&json!({ "forgotten": count }), || match count {
            0 => "No version told of it what it is not now.\n".to_owned(),
            1 => "1 version has forgotten what it was.\n".to_owned(),
            count => format!("{count} versions have forgotten what it was.\n"),
        });
        Ok(())
    }
}

/// What a version's change did, in a few words.
fn what(version: &Value) -> String {
    let (keys, secrets) = (word(version, "keys"), word(version, "secrets"));
    let said = match version["act"].as_str().unwrap_or_default() {
        "found" => "as it was found".to_owned(),
        "deleted" => "deleted".to_owned(),
        act => {
            let keys = [keys, secrets].into_iter().filter(|names| !names.is_empty()).collect::<Vec<_>>().join(", ");
            if keys.is_empty() { act.to_owned() } else { format!("{act}: {keys}") }
        }
    };
    if version["forgotten"] == json!(true) { format!("{said} (what it was is forgotten)") } else { said }
}

/// Shows a version of a thing.
pub async fn show(thing: &VersionedThing, number: i64, context: &Context) -> Result<(), VersionError> {
    let shown = versions::show(context.store().await?, thing, number).await?;
    context.output().document(&json!(shown), || {
        let VersionWithThing { version, thing } = shown;
        let head = head(&version);
        match thing {
            Some(thing) => format!("{head}\n{}", text(&Value::Object(thing))),
            None => head,
        }
    });
    Ok(())
}

/// What is told of a version before the thing.
fn head(version: &VersionDocument) -> String {
    let document = json!(version);
    let mut told = json!({ "version": version.number, "at": version.at, "who": version.actor, "way": version.way });
    told["what"] = what(&document).into();
    told["secrets"] = json!(version.has_secrets);
    lines(&told)
}

impl ComparedNumbers {
    /// Shows what differs.
    pub async fn run(&self, thing: &VersionedThing, context: &Context) -> Result<(), VersionError> {
        let compared = versions::compare(context.store().await?, thing, self.from, self.to).await?;
        context.output().document(&json!(compared), || {
            let Comparison { from, to, differences, secrets } = &compared;
            if differences.is_empty() && secrets.is_empty() {
                return format!("Between version {from} and version {to} nothing differs.\n");
            }
            format!("From version {from} to version {to}:\n{}", told_differences(differences, secrets))
        });
        Ok(())
    }
}

/// The keys that differ, a line each.
fn told_differences(differences: &[KeyDifference], secrets: &[String]) -> String {
    let mut text = String::new();
    for KeyDifference { key, before, after } in differences {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {}: {} -> {}", printable(key), shown(before), shown(after));
    }
    for secret in secrets {
        let _ = writeln!(text, "  {}: a secret that was set, changed or taken away", printable(secret));
    }
    text
}

fn shown(value: &Value) -> String {
    if value.is_null() { "nothing".to_owned() } else { printable(&value.to_string()) }
}

impl RestoreOptions {
    /// Restores a version of a thing, with keys that are to be otherwise.
    async fn of_thing<K: LoadedKind>(
        &self,
        name: &str,
        given: &[KeyValue],
        context: &Context,
    ) -> Result<(), CommandError> {
        let changes = Changes::read(&keys::<K>(), given, &[]);
        let give = |there: &K| changes.onto(&form::write(there), K::NAME, name);
        let editor = Editor { is_trial: self.check, ..context.editor().await? };
        let saved = versions::restore::<K>(editor, name, self.number, give, |_| Ok(())).await.map_err(told::<K>)?;
        let title = format!("The {} {name:?}", configured::what::<K>());
        self.tell(&title, !given.is_empty(), &saved.value, &saved.warnings, context);
        Ok(())
    }

    /// Restores a version of a customer user, with keys that are to be otherwise.
    async fn of_customer(&self, login: &str, given: &[KeyValue], context: &Context) -> Result<(), CommandError> {
        let changes = Changes::read(&keys::<CustomerUser>(), given, &[]);
        let give = |there: &CustomerUser| changes.onto(&form::write(there), CustomerUser::NAME, login);
        let place = CustomerPlace { is_trial: self.check, ..context.customer_place().await? };
        let restored = versions::restore_customer(place, login, self.number, give).await;
        let (_, restoration) = restored.map_err(told::<CustomerUser>)?;
        self.tell(&format!("The customer user {login:?}"), !given.is_empty(), &restoration, &[], context);
        Ok(())
    }

    /// Restores a version of the general settings.
    pub async fn of_settings(&self, context: &Context) -> Result<(), CommandError> {
        let editor = Editor { is_trial: self.check, ..context.editor().await? };
        let saved = versions::restore_settings(editor, self.number, &Object::new()).await?;
        self.tell("What is set", false, &saved.value, &saved.warnings, context);
        Ok(())
    }

    /// Tells what a restoration changed, or would change; `gave` tells whether keys were to be otherwise.
    fn tell(&self, title: &str, gave: bool, restoration: &Restoration, warnings: &[Breach], context: &Context) {
        let Self { number, check } = self;
        let Restoration { is_new, differences, secrets } = restoration;
        let document = json!({
            "restored": number, "checked": check, "new": is_new, "differences": differences, "secrets": secrets
        });
        context.output().document(&with_warnings(document, warnings), || {
            let given = if gave { ", but for what was given" } else { "" };
            let said = match (restoration.is_change(), check) {
                (false, _) if gave => format!("{title} is as in version {number} with what was given already.\n"),
                (false, _) => format!("{title} is as in version {number} already.\n"),
                (true, true) => format!("Only checked. {title} would be as in version {number}{given}:\n"),
                (true, false) => format!("{title} is as in version {number} again{given}:\n"),
            };
            said + &told_differences(differences, secrets)
        });
        tell_warnings(warnings, context);
    }
}
