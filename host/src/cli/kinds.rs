//! `queue …`, `response …`: the commands of a kind of configured things, the same for every kind that has no further
//! ones.

use super::configured::NamedThing;
use super::former_options::FormerOptions;
use super::key_values::Changes;
use super::kind_commands::Common;
use super::{CommandError, Context};
use crate::service::configured;
use clap::error::ErrorKind;
use clap::{ArgMatches, FromArgMatches, Subcommand};
use futures_util::future::LocalBoxFuture;
use postigo_model::configured::form::{ConfiguredKind, LoadedKind};
use postigo_model::configured::keys::{ConfigurationKey, KeyContent, keys};
use postigo_model::configured::{Account, Filter, KindVisitor, Transport, visit_kinds};
use std::fmt::Write as _;

/// The kinds that have further commands, and so a file of their own.
const EXTENDED: [&str; 3] = [Account::ABOUT.command, Transport::ABOUT.command, Filter::ABOUT.command];

/// A command of a kind.
#[derive(Debug)]
pub struct OfKind {
    /// The kind's own word.
    kind: String,
    action: KindAction,
    options: Option<FormerOptions>,
}

/// What a kind's commands are.
#[derive(Debug, Subcommand)]
enum KindAction {
    #[command(flatten)]
    Common(Common),
    /// Delete one
    Delete(NamedThing),
}

impl OfKind {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let Self { kind, action, options } = self;
        let mut run = KindRun { kind, asked: Some((action, options)), context, begun: None };
        visit_kinds(&mut run);
        match run.begun {
            Some(begun) => begun.await,
            None => Ok(()),
        }
    }
}

/// Finds the kind of a command, and begins it.
struct KindRun<'c> {
    kind: String,
    asked: Option<(KindAction, Option<FormerOptions>)>,
    context: &'c Context,
    begun: Option<LocalBoxFuture<'c, Result<(), CommandError>>>,
}

impl KindVisitor for KindRun<'_> {
    fn loaded<K: LoadedKind>(&mut self) {
        if K::ABOUT.command == self.kind
            && let Some((action, options)) = self.asked.take()
        {
            self.begun = Some(Box::pin(run::<K>(action, options, self.context)));
        }
    }

    /// They have a command of their own.
    fn looked_up<K: ConfiguredKind>(&mut self) {}
}

async fn run<K: LoadedKind>(
    action: KindAction,
    options: Option<FormerOptions>,
    context: &Context,
) -> Result<(), CommandError> {
    match action {
        KindAction::Common(Common::Set(set)) => {
            let keys = keys::<K>();
            let changes = Changes::read(&keys, &set.keys, &set.files);
            let changes = match options {
                Some(options) => options.add_to(changes)?,
                None => changes,
            };
            set.thing.set::<K>(&changes, context).await
        }
        KindAction::Common(command) => command.run::<K>(context).await,
        KindAction::Delete(NamedThing { name }) if !K::ABOUT.is_deletable => {
            let (what, command) = (configured::what::<K>(), K::ABOUT.command);
            let instead =
                format!("a {what} is never deleted, only made invalid: postigo {command} set {name:?} valid=false");
            Err(CommandError::because(format!("Nothing was deleted: {instead}")))
        }
        KindAction::Delete(thing) => thing.delete::<K>(context).await,
    }
}

impl Subcommand for OfKind {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        let mut adding = KindCommands(command);
        visit_kinds(&mut adding);
        adding.0
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        let mut found = KnownKind { name, is_known: false };
        visit_kinds(&mut found);
        found.is_known
    }
}

impl FromArgMatches for OfKind {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing = || clap::Error::raw(ErrorKind::MissingSubcommand, "a command is missing\n");
        let (kind, matches) = matches.subcommand().ok_or_else(missing)?;
        let action = KindAction::from_arg_matches(matches)?;
        let mut options = None;
        if let (KindAction::Common(Common::Set(set)), Some(("set", matches))) = (&action, matches.subcommand()) {
            options = FormerOptions::of(kind, matches)?;
            if set.keys.is_empty() && set.files.is_empty() && options.as_ref().is_some_and(FormerOptions::is_empty) {
                return Err(clap::Error::raw(
                    ErrorKind::MissingRequiredArgument,
                    "there is nothing to set: write KEY=VALUE\n",
                ));
            }
        }
        Ok(Self { kind: kind.to_owned(), action, options })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Adds the commands of the kinds that have no file of their own.
struct KindCommands(clap::Command);

impl KindVisitor for KindCommands {
    fn loaded<K: LoadedKind>(&mut self) {
        let about = K::ABOUT;
        if EXTENDED.contains(&about.command) {
            return;
        }
        let mut command = clap::Command::new(about.command)
            .about(about.heading)
            .subcommand_required(true)
            .arg_required_else_help(true);
        if let Some(other) = about.other_command {
            command = command.visible_alias(other);
        }
        command = KindAction::augment_subcommands(command);
        if !about.is_deletable {
            command = command.mut_subcommand("delete", |delete| delete.hide(true));
        }
        command = command.mut_subcommand("set", |set| FormerOptions::augment(about.command, set));
        self.0 = std::mem::take(&mut self.0).subcommand(command);
    }

    /// They have a command of their own.
    fn looked_up<K: ConfiguredKind>(&mut self) {}
}

struct KnownKind<'n> {
    name: &'n str,
    is_known: bool,
}

impl KindVisitor for KnownKind<'_> {
    fn loaded<K: LoadedKind>(&mut self) {
        self.is_known |= K::ABOUT.command == self.name && !EXTENDED.contains(&self.name);
    }

    /// They have a command of their own.
    fn looked_up<K: ConfiguredKind>(&mut self) {}
}

/// The same command, with the keys of each kind in the help of its `set`.
pub fn with_keys(command: clap::Command) -> clap::Command {
    let mut telling = KindHelp(command);
    visit_kinds(&mut telling);
    telling.0
}

struct KindHelp(clap::Command);

impl KindVisitor for KindHelp {
    fn loaded<K: LoadedKind>(&mut self) {
        self.looked_up::<K>();
    }

    fn looked_up<K: ConfiguredKind>(&mut self) {
        let mut text = format!("{HOW}\n\nKeys:\n");
        tell(&mut text, "", &keys::<K>());
        let command = std::mem::take(&mut self.0);
        self.0 =
            command.mut_subcommand(K::ABOUT.command, |kind| kind.mut_subcommand("set", |set| set.after_help(text)));
    }
}

/// How values are written.
const HOW: &str = "Values are written as in the configuration file, without quotes: 10m, 32 MiB, true, a text. KEY= sets the default.\n\
                   Lists: a,b or '[\"a\", \"b\"]', or the key several times. Tables: tls.verify=false or tls='{ verify = false }'.\n\
                   A text of a file: --file KEY=PATH (- is standard input). A secret may be named, too: '{ file = \"PATH\" }' or \
                   '{ env = \"VARIABLE\" }', so that no history of a shell keeps it.";

fn tell(text: &mut String, table: &str, keys: &[ConfigurationKey]) {
    for ConfigurationKey { name, help, content } in keys {
        match content {
            KeyContent::Table { keys, .. } => tell(text, &format!("{table}{name}."), keys),
            KeyContent::Tables { keys, .. } => {
                let _ = writeln!(text, "  {table}{name}='[{{ … }}, …]'\n          {help}");
                tell(text, &format!("{table}{name}: "), keys);
            }
            _ => {
                // Writing to a string does not fail.
                let _ = writeln!(text, "  {table}{name}\n          {help}");
            }
        }
    }
}
