//! `filter`: the chain's filters and their components.

use super::configured::{Named, missing};
use super::output::{lines, word};
use super::{Context, Failed, dry_run};
use crate::commlog::now;
use crate::config::form::write;
use crate::config::{Filter, Validity, change};
use crate::result::Outcome;
use crate::runtime::{Asker, Description, shipped};
use crate::store::{components, spool};
use crate::supervision::{Work, blocking};
use crate::timestamp::rfc3339;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// So many messages are looked at to say what a filter did lately.
const LATEST: i64 = 500;

/// `filter …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the filters in the order in which they run, with how many of the last 500 messages each matched
    List {
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Show a filter
    Show {
        /// Its name
        name: String,
    },
    /// Let a filter run
    Enable {
        /// Its name
        name: String,
    },
    /// Keep a filter but do not run it
    Disable {
        /// Its name
        name: String,
    },
    /// Upload a component: a core module or a component of the filter world
    Upload {
        /// The `.wasm` file
        file: PathBuf,
    },
    /// List the components that filters can be made of
    Components {
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Delete a filter
    Delete(Named),
    /// Run one filter over mails without any side effect
    Test(dry_run::FilterTest),
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
        match self {
            Self::List { limit } => list(limit.unwrap_or(usize::MAX), context).await,
            Self::Show { name } => show(&name, context).await,
            Self::Enable { name } => set_validity(&name, Validity::Valid, context).await,
            Self::Disable { name } => set_validity(&name, Validity::Invalid, context).await,
            Self::Upload { file } => upload(&file, context).await,
            Self::Components { limit } => list_components(limit.unwrap_or(usize::MAX), context).await,
            Self::Delete(filter) => filter.delete::<Filter>(context).await,
            Self::Test(test) => test.run(context).await,
        }
    }
}

async fn list(limit: usize, context: &Context) -> Result<(), Failed> {
    let configuration = context.configuration().await?;
    let matches = latest_matches(context).await?;
    let filters = configuration.filters.values().take(limit).zip(1..);
    let filters: Vec<Value> = filters.map(|(filter, place)| document(filter, place, &matches)).collect();
    context.output().list(
        &["#", "FILTER", "COMPONENT", "STOP", "ON FAILURE", "VALID", "MATCHED", "LAST MATCH", "COMMENT"],
        &filters,
        |filter| {
            let keys = ["order", "name", "component", "stop_after_match", "on_failure", "valid", "matched", "last_match", "comment"];
            keys.map(|key| word(filter, key)).to_vec()
        },
    );
    Ok(())
}

/// By filter, how many of the latest messages it matched, and when it did last.
async fn latest_matches(context: &Context) -> Result<HashMap<String, (usize, i64)>, Failed> {
    let mut matches: HashMap<String, (usize, i64)> = HashMap::new();
    let messages = spool::latest(&mut *context.store().await?.read().await?, LATEST).await?;
    for message in messages {
        let at = message.ended_at.unwrap_or(message.received_at);
        let filters = message.result.into_iter().flat_map(|result| result.filters);
        for filter in filters.filter(|filter| filter.outcome == Outcome::Matched) {
            let (count, last) = matches.entry(filter.name).or_default();
            *count += 1;
            *last = at.max(*last);
        }
    }
    Ok(matches)
}

/// A filter with its place in the order of names, and what it did lately.
fn document(filter: &Filter, place: usize, matches: &HashMap<String, (usize, i64)>) -> Value {
    let matched = matches.get(&filter.name);
    let mut fields = write(filter);
    fields.insert("order".to_owned(), place.into());
    fields.insert("matched".to_owned(), matched.map_or(0, |(count, _)| *count).into());
    fields.insert("last_match".to_owned(), matched.map_or(Value::Null, |(_, at)| Value::String(rfc3339(*at))));
    Value::Object(fields)
}

async fn show(name: &str, context: &Context) -> Result<(), Failed> {
    let configuration = context.configuration().await?;
    let found = configuration.filters.values().zip(1..).find(|(filter, _)| filter.name == name);
    let (filter, place) = found.ok_or_else(|| Failed::because(missing::<Filter>(name)))?;
    let filter = document(filter, place, &latest_matches(context).await?);
    context.output().document(&filter, || lines(&filter));
    Ok(())
}

async fn set_validity(name: &str, valid: Validity, context: &Context) -> Result<(), Failed> {
    change(context.place().await?, |configuration| {
        let filter = configuration.filters.get_mut(name).ok_or_else(|| vec![missing::<Filter>(name)])?;
        filter.valid = valid;
        Ok(())
    })
    .await?;
    let word = if valid.is_valid() { "enabled" } else { "disabled" };
    context.output().document(&json!({ "name": name, "valid": valid.is_valid() }), || format!("The filter {name:?} is {word}.\n"));
    Ok(())
}

async fn upload(file: &Path, context: &Context) -> Result<(), Failed> {
    let bytes = std::fs::read(file).map_err(|error| Failed::because(format!("The file {} cannot be read: {error}.", file.display())))?;
    let sandbox = Arc::clone(context.sandbox()?);
    let inspected = blocking(Work::Preparation, "", move || match sandbox.runtime() {
        Ok(runtime) => runtime.inspect(&bytes, Asker::Host).map_err(|refused| refused.to_string()),
        Err(reason) => Err(reason.to_owned()),
    })
    .await?
    .map_err(|reason| Failed::because(format!("{} is not taken: {reason}", file.display())))?;
    let description = inspected.description.clone();
    let new = components::upload_component(context.store().await?, inspected.description, inspected.component, now()).await?;
    let document = json!({ "component": listed(description.clone(), false), "new": new, "snapshot": inspected.unsnapshotable.is_none() });
    context.output().document(&document, || {
        let said = if new { "is uploaded" } else { "was uploaded before" };
        let mut text = format!("The component {} {} {said}: {}\n", description.name, description.version, description.digest);
        if shipped::components().iter().any(|(name, _)| *name == description.name) {
            text += "A shipped component has this name; filters reach the uploaded one by its digest.\n";
        }
        if let Some(reason) = inspected.unsnapshotable {
            text = format!("{text}It cannot be snapshotted, so that each mail costs more: {reason}\n");
        }
        text
    });
    Ok(())
}

/// A component as it is listed: without its settings schema.
fn listed(description: Description, is_shipped: bool) -> Value {
    let mut document = json!(description);
    if let Some(fields) = document.as_object_mut() {
        fields.remove("settings_schema");
        fields.insert("shipped".to_owned(), is_shipped.into());
    }
    document
}

async fn list_components(limit: usize, context: &Context) -> Result<(), Failed> {
    let mut found = Vec::new();
    for (name, _) in shipped::components() {
        if let Some(component) = crate::chain::shipped_component(name, context.sandbox()?).await {
            found.push(listed(component.description.as_ref().clone(), true));
        }
    }
    // All that there may be.
    let uploaded = components::list(context.store().await?, None, u32::MAX).await?;
    found.extend(uploaded.into_iter().map(|component| {
        let components::Listed { digest, name, version, said, .. } = component;
        let components::Said { summary, grants, headers, screens } = said;
        json!({ "digest": digest, "name": name, "version": version, "summary": summary, "grants": grants, "headers": headers,
            "screens": screens, "shipped": false })
    }));
    found.truncate(limit);
    context.output().list(&["COMPONENT", "VERSION", "SHIPPED", "GRANTS", "DIGEST", "SUMMARY"], &found, |component| {
        ["name", "version", "shipped", "grants", "digest", "summary"].map(|key| word(component, key)).to_vec()
    });
    Ok(())
}
