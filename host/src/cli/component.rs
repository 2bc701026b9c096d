//! `component`: what filters are made of; uploaded, activated, shown, deleted.

use super::context::ACTOR;
use super::output::{lines, word};
use super::{Context, Failed};
use crate::catalogue::{self, Catalogue, Found, UploadError};
use crate::chain::shipped_component;
use crate::store::StoreError;
use crate::store::components::{self, Listed, Uploaded};
use bytes::Bytes;
use postigo_model::configured::Filter;
use postigo_model::timestamp::rfc3339;
use postigo_sandbox as runtime;
use postigo_sandbox::{Asker, Description};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// `component …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the components: those that ship with Postigo, then uploaded ones
    List {
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Show what a component says of itself, who uploaded and activated it, and which filters use it
    Show(Named),
    /// Say what a `.wasm` file is; nothing is stored
    Inspect {
        /// The `.wasm` file
        file: PathBuf,
    },
    /// Upload a component: a core module or a component of the filter world; nothing that is in force changes
    Upload {
        /// The `.wasm` file
        file: PathBuf,
    },
    /// Let filters be made of an uploaded component; a name is enough where one version of it waits
    Activate(Named),
    /// Write the bytes that were uploaded to a file, or to standard output
    Download {
        #[command(flatten)]
        component: Named,
        /// The file; must not be there
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Delete an uploaded component that no filter uses or would go back to
    Delete(Named),
}

/// A component that is named.
#[derive(Debug, clap::Args)]
pub struct Named {
    /// NAME, NAME@VERSION or sha256:DIGEST
    #[arg(value_name = "NAME")]
    reference: String,
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
        match self {
            Self::List { limit } => list(limit.unwrap_or(usize::MAX), context).await,
            Self::Show(named) => show(&named.reference, context).await,
            Self::Inspect { file } => inspect(&file, context).await,
            Self::Upload { file } => upload(&file, context).await,
            Self::Activate(named) => activate(&named.reference, context).await,
            Self::Download { component, output } => download(&component.reference, output.as_deref(), context).await,
            Self::Delete(named) => delete(&named.reference, context).await,
        }
    }
}

/// What is shown of a shipped component.
async fn shipped(name: &str, context: &Context) -> Result<Option<Value>, Failed> {
    let Some(component) = shipped_component(name, context.sandbox()?).await else { return Ok(None) };
    let filters = context.configuration().await?.filters;
    let users = filters.values().filter(|filter| filter.component == name && filter.digest.is_none()).map(|filter| &filter.name);
    let mut document = json!(component.description.as_ref());
    document["shipped"] = true.into();
    document["reference"] = name.into();
    document["activated"] = true.into();
    document["used_by"] = users.cloned().collect::<Vec<_>>().into();
    Ok(Some(document))
}

/// What is shown of an uploaded component; none where it was deleted meanwhile.
async fn uploaded(uploaded: &Uploaded, context: &Context) -> Result<Option<Value>, Failed> {
    let mut document = match components::description(context.store().await?, &uploaded.digest).await {
        Ok(None) => return Ok(None),
        Ok(Some(description)) => json!(description),
        Err(StoreError::Corrupt { reason, .. }) => unreadable(uploaded, &reason),
        Err(error) => return Err(error.into()),
    };
    add(&mut document, uploaded, &context.configuration().await?.filters);
    Ok(Some(document))
}

/// What is shown of a component of which more cannot be read.
fn unreadable(uploaded: &Uploaded, why: &str) -> Value {
    json!({ "digest": uploaded.digest, "name": uploaded.name, "version": uploaded.version, "unreadable": why,
        "summary": format!("Cannot be read: {why}.") })
}

/// Adds what is known of an uploaded component beside what it says of itself.
fn add(document: &mut Value, uploaded: &Uploaded, filters: &BTreeMap<String, Filter>) {
    let users = filters.values().filter(|filter| filter.digest.as_ref() == Some(&uploaded.digest)).map(|filter| &filter.name);
    document["shipped"] = false.into();
    document["reference"] = uploaded.shown().into();
    document["activated"] = uploaded.activated_at.is_some().into();
    document["activated_at"] = uploaded.activated_at.map(rfc3339).into();
    document["activated_by"] = uploaded.activated_by.clone().into();
    document["uploaded_at"] = rfc3339(uploaded.uploaded_at).into();
    document["uploaded_by"] = uploaded.uploaded_by.clone().into();
    document["used_by"] = users.cloned().collect::<Vec<_>>().into();
}

/// A schema may be large: `component show` has it.
fn without_schema(mut document: Value) -> Value {
    if let Some(fields) = document.as_object_mut() {
        fields.remove("settings_schema");
    }
    document
}

/// Lists the components, at most `limit`.
pub async fn list(limit: usize, context: &Context) -> Result<(), Failed> {
    let catalogue = Catalogue::load(context.store().await?).await?;
    let mut found = Vec::new();
    for name in catalogue.shipped().iter().take(limit) {
        found.extend(shipped(name, context).await?.map(without_schema));
    }
    let limit = u32::try_from(limit.saturating_sub(found.len())).unwrap_or(u32::MAX);
    let filters = context.configuration().await?.filters;
    for Listed { uploaded, said } in components::list(context.store().await?, None, limit).await? {
        let mut document = match said {
            Ok(said) => json!({ "digest": uploaded.digest, "name": uploaded.name, "version": uploaded.version, "summary": said.summary,
                "grants": said.grants, "headers": said.headers, "screens": said.screens }),
            Err(why) => unreadable(&uploaded, &why),
        };
        add(&mut document, &uploaded, &filters);
        found.push(document);
    }
    context.output().list(
        &["COMPONENT", "VERSION", "SHIPPED", "ACTIVATED", "GRANTS", "USED BY", "DIGEST", "SUMMARY"],
        &found,
        |component| {
            ["name", "version", "shipped", "activated", "grants", "used_by", "digest", "summary"].map(|key| word(component, key)).to_vec()
        },
    );
    Ok(())
}

async fn show(reference: &str, context: &Context) -> Result<(), Failed> {
    let catalogue = Catalogue::load(context.store().await?).await?;
    let found = match catalogue.find(reference)? {
        Found::Shipped(name) => shipped(name, context).await?,
        Found::Uploaded(found) => uploaded(found, context).await?,
    };
    let document = found.ok_or_else(|| Failed::because(format!("There is no component \"{reference}\".")))?;
    context.output().document(&document, || lines(&document));
    Ok(())
}

fn read(file: &Path) -> Result<Bytes, Failed> {
    std::fs::read(file).map(Bytes::from).map_err(|error| Failed::because(format!("The file {} cannot be read: {error}.", file.display())))
}

/// What is wrong with a file is told with its name.
fn of_file(file: &Path, error: UploadError) -> Failed {
    match error {
        UploadError::Refused(reason) => Failed::because(format!("{} is not taken: {reason}", file.display())),
        other => other.into(),
    }
}

async fn inspect(file: &Path, context: &Context) -> Result<(), Failed> {
    let inspected =
        catalogue::inspect(&context.sandbox()?.asked_by(Asker::Host), read(file)?).await.map_err(|error| of_file(file, error))?;
    let mut document = json!(inspected.description);
    document["snapshot"] = inspected.unsnapshotable.is_none().into();
    context.output().document(&document, || {
        lines(&document) + &inspected.unsnapshotable.map(|reason| format!("It cannot be snapshotted: {reason}\n")).unwrap_or_default()
    });
    Ok(())
}

/// Uploads a component.
pub async fn upload(file: &Path, context: &Context) -> Result<(), Failed> {
    let store = context.store().await?;
    let uploaded = catalogue::upload(store, &context.sandbox()?.asked_by(Asker::Host), read(file)?, ACTOR)
        .await
        .map_err(|error| of_file(file, error))?;
    let catalogue = Catalogue::load(store).await?;
    let stored = catalogue.by_digest(&uploaded.description.digest);
    let activated = stored.is_some_and(|component| component.activated_at.is_some());
    let shown = stored.map_or_else(|| uploaded.description.name.clone(), Uploaded::shown);
    let document = json!({
        "component": without_schema(json!(uploaded.description)),
        "reference": shown,
        "new": uploaded.new,
        "activated": activated,
        "snapshot": uploaded.unsnapshotable.is_none()
    });
    context.output().document(&document, || {
        let said = if uploaded.new { "is uploaded" } else { "was uploaded before" };
        let mut text = format!("The component {shown} {said}: sha256:{}\n", uploaded.description.digest);
        text += &declared(&uploaded.description);
        if !activated {
            text = format!("{text}Nothing that is in force changes: `postigo component activate {shown}` lets filters be made of it.\n");
        }
        if let Some(reason) = uploaded.unsnapshotable {
            text = format!("{text}It cannot be snapshotted, so that each mail costs more: {reason}\n");
        }
        text
    });
    Ok(())
}

/// What an admin decides by.
fn declared(description: &Description) -> String {
    let list = |items: &[String]| if items.is_empty() { "nothing".to_owned() } else { items.join(", ") };
    format!("It may set {}, and asks to be granted {}.\n", list(&description.headers), list(&description.grants))
}

async fn activate(reference: &str, context: &Context) -> Result<(), Failed> {
    let store = context.store().await?;
    let (activated, new) = catalogue::activate(store, reference, ACTOR).await?;
    let document = uploaded(&activated, context).await?.unwrap_or_default();
    let description = components::description(store, &activated.digest).await?;
    context.output().document(&json!({ "component": document, "new": new }), || {
        let shown = activated.shown();
        let said = if new { "is activated" } else { "was activated before" };
        let mut text = format!("The component {shown} {said}: sha256:{}\n", activated.digest);
        text += &description.as_ref().map(declared).unwrap_or_default();
        text += "No filter changes by that: new ones that name it are made of it, others by `postigo filter upgrade`.\n";
        text
    });
    Ok(())
}

async fn download(reference: &str, output: Option<&Path>, context: &Context) -> Result<(), Failed> {
    let store = context.store().await?;
    let catalogue = Catalogue::load(store).await?;
    let bytes = match catalogue.find(reference)? {
        Found::Shipped(name) => runtime::shipped::bytes(name).map(<[u8]>::to_vec),
        Found::Uploaded(found) => components::source(store, &found.digest).await?,
    };
    let bytes = bytes.ok_or_else(|| Failed::because(format!("There is no component \"{reference}\".")))?;
    let Some(path) = output else {
        context.output().bytes(&bytes);
        return Ok(());
    };
    let written = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let written = written.and_then(|mut file| std::io::Write::write_all(&mut file, &bytes));
    written.map_err(|error| Failed::because(format!("The file {} cannot be written: {error}.", path.display())))
}

async fn delete(reference: &str, context: &Context) -> Result<(), Failed> {
    let deleted = catalogue::delete(context.store().await?, reference, true).await?;
    let document = json!({ "reference": deleted.shown(), "digest": deleted.digest, "deleted": true });
    context.output().document(&document, || format!("The component {} is deleted.\n", deleted.shown()));
    Ok(())
}
