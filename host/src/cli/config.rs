//! `config`: the configuration file.

use super::{Context, Failed};
use crate::config::{Applied, ApplyError, Difference, apply, export};
use crate::store::customers;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Customer users are exported in pages of so many.
const PAGE: i64 = 1_000;

/// `config …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Name every mistake of a file, change nothing
    Check {
        /// The file; `-`: standard input
        file: PathBuf,
        /// As `apply --prune` would
        #[arg(long)]
        prune: bool,
    },
    /// Create and update what a file names, all or nothing
    Apply {
        /// The file; `-`: standard input
        file: PathBuf,
        /// Also remove filters, and make addresses and accounts invalid, that the file does not name
        #[arg(long)]
        prune: bool,
    },
    /// Print the configuration as a file, without its secrets
    Export,
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
        match self {
            Self::Check { file, prune } => run(&file, prune, true, context).await,
            Self::Apply { file, prune } => run(&file, prune, false, context).await,
            Self::Export => print(context).await,
        }
    }
}

async fn run(file: &Path, prune: bool, check: bool, context: &Context) -> Result<(), Failed> {
    let applied = apply(file, prune, check, context.place().await?).await.map_err(|error| match error {
        ApplyError::Mistakes(lines) => Failed::lines(lines),
        other => other.into(),
    })?;
    let document = serde_json::to_value(&applied)?;
    context.output().document(&document, || tell(&applied, check));
    Ok(())
}

fn tell(applied: &Applied, check: bool) -> String {
    let mut text = String::new();
    for (what, differences) in [("created", &applied.created), ("changed", &applied.changed), ("removed", &applied.removed)] {
        for difference in differences {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{what}  {}", name(difference));
        }
    }
    let counts = [applied.created.len(), applied.changed.len(), applied.removed.len(), applied.unchanged];
    let [created, changed, removed, unchanged] = counts;
    let _ = match (check, created + changed + removed) {
        (true, _) => writeln!(text, "No mistakes. It would create {created}, change {changed}, remove {removed}; {unchanged} unchanged."),
        (false, 0) => writeln!(text, "Nothing to change; {unchanged} unchanged."),
        (false, _) => writeln!(text, "{created} created, {changed} changed, {removed} removed, {unchanged} unchanged."),
    };
    text
}

fn name(difference: &Difference) -> String {
    match difference.name.as_str() {
        "" => difference.kind.to_owned(),
        name => format!("{} {name:?}", difference.kind.replace('_', " ")),
    }
}

async fn print(context: &Context) -> Result<(), Failed> {
    let configuration = context.configuration().await?;
    let store = context.store().await?;
    let mut users = Vec::new();
    loop {
        let after = users.last().map(|user: &postigo_model::configured::CustomerUser| user.login.clone()).unwrap_or_default();
        let page = customers::list(store, &after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        users.extend(page);
    }
    let text = export(&configuration, &users);
    if context.json() {
        let document: Value = json!({ "version": configuration.version, "toml": text });
        context.output().document(&document, String::new);
    } else {
        // As it is: what is written here is read again.
        context.output().bytes(text.as_bytes());
    }
    Ok(())
}
