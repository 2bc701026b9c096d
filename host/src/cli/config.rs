//! `config`: the configuration file.

use super::{CommandError, Context};
use crate::config::{Difference, as_markdown, key_rows};
use crate::service::configuration_file::{self, AppliedFile, ExportedFile};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;

/// `config …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Name every mistake of a file, change nothing
    Check {
        /// The files, which count as one; `-`: standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// As `apply --prune` would
        #[arg(long)]
        prune: bool,
    },
    /// Create and update what a file names, all or nothing
    Apply {
        /// The files, which count as one; `-`: standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Also remove filters, and make addresses and accounts invalid, that the files do not name
        #[arg(long)]
        prune: bool,
    },
    /// Print the configuration as a file, without its secrets
    Export,
    /// Print every key that a file may have: what it is for, its values, its default
    Keys {
        /// Only those of this table: settings, queue, …
        table: Option<String>,
        /// As the tables of docs/configuration.md
        #[arg(long)]
        markdown: bool,
    },
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::Check { files, prune } => run(&files, prune, true, context).await,
            Self::Apply { files, prune } => run(&files, prune, false, context).await,
            Self::Export => print(context).await,
            Self::Keys { table, markdown } => print_keys(table.as_deref(), markdown, context),
        }
    }
}

async fn run(files: &[PathBuf], prune: bool, check: bool, context: &Context) -> Result<(), CommandError> {
    let applied = configuration_file::apply(files, prune, check, context.place().await?).await?;
    let document = serde_json::to_value(&applied)?;
    context.output().document(&document, || tell(&applied, check));
    for warning in &applied.warnings {
        context.output().aside(&format!("warning: {warning}"));
    }
    Ok(())
}

fn tell(applied: &AppliedFile, check: bool) -> String {
    let mut text = String::new();
    for (what, differences) in
        [("created", &applied.created), ("changed", &applied.changed), ("removed", &applied.removed)]
    {
        for difference in differences {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{what}  {}", name(difference));
        }
    }
    let counts = [applied.created.len(), applied.changed.len(), applied.removed.len(), applied.unchanged];
    let [created, changed, removed, unchanged] = counts;
    let _ = match (check, created + changed + removed) {
        (true, _) => writeln!(
            text,
            "No mistakes. It would create {created}, change {changed}, remove {removed}; {unchanged} unchanged."
        ),
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

fn print_keys(table: Option<&str>, markdown: bool, context: &Context) -> Result<(), CommandError> {
    let (rows, others): (Vec<_>, Vec<_>) =
        key_rows().into_iter().partition(|row| table.is_none_or(|table| row.kind == table));
    if let Some(table) = table.filter(|_| rows.is_empty()) {
        let mut tables: Vec<&str> = others.iter().map(|row| row.kind).collect();
        tables.dedup();
        return Err(CommandError::because(format!("There is no table {table}; the tables are {}.", tables.join(", "))));
    }
    if markdown {
        context.output().text(&as_markdown(&rows));
        return Ok(());
    }
    let documents = rows.iter().map(serde_json::to_value).collect::<Result<Vec<Value>, _>>()?;
    if context.json() {
        context.output().list(&[], &documents, |_| Vec::new());
        return Ok(());
    }
    let mut text = String::new();
    for row in &rows {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}.{}\n    {}\n    {}", row.kind, row.key, row.help, row.values.replace('`', ""));
        let default = row.default_text();
        if !default.is_empty() {
            let _ = writeln!(text, "    {}{default}", if row.required { "" } else { "default: " });
        }
    }
    context.output().text(&text);
    Ok(())
}

async fn print(context: &Context) -> Result<(), CommandError> {
    let ExportedFile { version, toml } = configuration_file::export(context.store().await?, context.key()).await?;
    if context.json() {
        context.output().document(&json!({ "version": version, "toml": toml }), String::new);
    } else {
        // As it is: what is written here is read again.
        context.output().bytes(toml.as_bytes());
    }
    Ok(())
}
