//! `component`: what filters are made of; uploaded, activated, shown, deleted.

use super::output::{lines, word};
use super::rows::FoundRows;
use super::{CommandError, Context};
use crate::catalogue::Catalogue;
use crate::service::ServiceError;
use crate::service::components::{self, CatalogueComponent, ComponentDocument, Shelf};
use crate::store::components::{ComponentRow, description};
use bytes::Bytes;
use postigo_model::guest::Grant;
use postigo_sandbox::{Asker, ComponentDescription};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read as _;
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
    Show(NamedComponent),
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
    Activate(NamedComponent),
    /// Write the bytes that were uploaded to a file, or to standard output
    Download {
        #[command(flatten)]
        component: NamedComponent,
        /// The file; must not be there
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Delete an uploaded component that no filter uses or would go back to
    Delete(NamedComponent),
}

/// A component that is named.
#[derive(Debug, clap::Args)]
pub struct NamedComponent {
    /// NAME, NAME@VERSION or sha256:DIGEST
    #[arg(value_name = "NAME")]
    reference: String,
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::List { limit } => list(limit, context).await,
            Self::Show(named) => show(&named.reference, context).await,
            Self::Inspect { file } => inspect(&file, context).await,
            Self::Upload { file } => upload(&file, context).await,
            Self::Activate(named) => activate(&named.reference, context).await,
            Self::Download { component, output } => download(&component.reference, output.as_deref(), context).await,
            Self::Delete(named) => delete(&named.reference, context).await,
        }
    }
}

/// The components as they are now.
async fn shelf(context: &Context) -> Result<Shelf<'_>, CommandError> {
    Ok(Shelf::of(context.store().await?, context.key(), context.sandbox()?).await?)
}

/// A component with the schema of its filters' settings, as far as that can be read.
fn with_schema(component: CatalogueComponent) -> Value {
    let schema = component.settings_schema().cloned();
    let mut document = json!(ComponentDocument::from(component));
    if let Some(schema) = schema {
        document["settings_schema"] = schema;
    }
    document
}

/// Lists the components, at most `limit`.
pub async fn list(limit: Option<usize>, context: &Context) -> Result<(), CommandError> {
    let shelf = shelf(context).await?;
    let most = limit.map_or(usize::MAX, |limit| limit.saturating_add(1));
    let mut found: Vec<Value> =
        shelf.shipped(None, most).await.into_iter().map(|shipped| json!(ComponentDocument::from(shipped))).collect();
    let left = u32::try_from(most.saturating_sub(found.len())).unwrap_or(u32::MAX);
    found.extend(shelf.uploaded(None, left).await?.into_iter().map(|stored| json!(ComponentDocument::from(stored))));
    let found = FoundRows::of(found, limit);
    context.output().list(
        &["COMPONENT", "VERSION", "SHIPPED", "ACTIVATED", "GRANTS", "USED BY", "DIGEST", "SUMMARY"],
        &found.rows,
        |component| {
            let known = ["name", "version", "shipped", "activated", "grants", "used_by", "digest"]
                .map(|key| word(component, key));
            let summary = match component["unreadable"].as_str() {
                Some(why) => format!("Cannot be read: {why}."),
                None => word(component, "summary"),
            };
            known.into_iter().chain([summary]).collect()
        },
    );
    found.tell_more(context);
    Ok(())
}

async fn show(reference: &str, context: &Context) -> Result<(), CommandError> {
    let document = with_schema(shelf(context).await?.find(reference).await?);
    context.output().document(&document, || lines(&document));
    Ok(())
}

/// Reads a component, unless it is larger than it may be.
async fn read(file: &Path, context: &Context) -> Result<Bytes, CommandError> {
    let most = components::largest(context.store().await?, context.key()).await?;
    let read = || {
        let mut bytes = Vec::new();
        let opened = File::open(file)?;
        let size = opened.metadata()?.len();
        if size <= most {
            // What is no plain file says its size by being read.
            opened.take(most + 1).read_to_end(&mut bytes)?;
        }
        Ok((size.max(bytes.len() as u64), bytes))
    };
    let (size, bytes) = read().map_err(|error: std::io::Error| {
        CommandError::because(format!("The file {} cannot be read: {error}.", file.display()))
    })?;
    components::check_size(size, most).map_err(|error| of_file(file, error))?;
    Ok(bytes.into())
}

/// What is wrong with a file is told with its name.
fn of_file(file: &Path, refused: ServiceError) -> CommandError {
    match refused {
        ServiceError::NotTaken(reason) | ServiceError::TooLarge(reason) => {
            CommandError::because(format!("{} is not taken: {reason}", file.display()))
        }
        other => other.into(),
    }
}

async fn inspect(file: &Path, context: &Context) -> Result<(), CommandError> {
    let inspected = components::inspect(&context.sandbox()?.asked_by(Asker::Host), read(file, context).await?)
        .await
        .map_err(|error| of_file(file, error))?;
    let mut document = json!(inspected.description);
    document["snapshot"] = inspected.unsnapshotable.is_none().into();
    context.output().document(&document, || {
        lines(&document)
            + &inspected
                .unsnapshotable
                .map(|reason| format!("It cannot be snapshotted: {reason}\n"))
                .unwrap_or_default()
    });
    Ok(())
}

/// Uploads a component.
pub async fn upload(file: &Path, context: &Context) -> Result<(), CommandError> {
    let store = context.store().await?;
    let bytes = read(file, context).await?;
    let uploaded =
        components::upload(store, context.key(), &context.sandbox()?.asked_by(Asker::Host), bytes, context.actor())
            .await
            .map_err(|error| of_file(file, error))?;
    let catalogue = Catalogue::load(store).await?;
    let stored = catalogue.by_digest(&uploaded.description.digest);
    let activated = stored.is_some_and(|component| component.activated_at.is_some());
    let shown = stored.map_or_else(|| uploaded.description.name.clone(), ComponentRow::shown);
    let mut said = json!(uploaded.description);
    said.as_object_mut().and_then(|fields| fields.remove("settings_schema"));
    let document = json!({
        "component": said,
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
fn declared(description: &ComponentDescription) -> String {
    let or_nothing = |list: String| if list.is_empty() { "nothing".to_owned() } else { list };
    let (headers, grants) = (description.filter().headers.join(", "), Grant::list(&description.grants));
    format!("It may set {}, and asks to be granted {}.\n", or_nothing(headers), or_nothing(grants))
}

async fn activate(reference: &str, context: &Context) -> Result<(), CommandError> {
    let store = context.store().await?;
    let (activated, new) = components::activate(store, reference, context.actor()).await?;
    let described = shelf(context).await?.described(&activated).await?;
    let document =
        described.map(|found| with_schema(CatalogueComponent::Uploaded(Box::new(found)))).unwrap_or_default();
    let description = description(store, &activated.digest).await?;
    context.output().document(&json!({ "component": document, "new": new }), || {
        let shown = activated.shown();
        let said = if new { "is activated" } else { "was activated before" };
        let mut text = format!("The component {shown} {said}: sha256:{}\n", activated.digest);
        text += &description.as_ref().map(declared).unwrap_or_default();
        text +=
            "No filter changes by that: new ones that name it are made of it, others by `postigo filter upgrade`.\n";
        text
    });
    Ok(())
}

async fn download(reference: &str, output: Option<&Path>, context: &Context) -> Result<(), CommandError> {
    let bytes = components::download(context.store().await?, reference).await?;
    let Some(path) = output else {
        context.output().bytes(&bytes);
        return Ok(());
    };
    let written = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let written = written.and_then(|mut file| std::io::Write::write_all(&mut file, &bytes));
    written.map_err(|error| CommandError::because(format!("The file {} cannot be written: {error}.", path.display())))
}

async fn delete(reference: &str, context: &Context) -> Result<(), CommandError> {
    let deleted = components::delete(context.store().await?, reference, true, context.actor()).await?;
    let document = json!({ "reference": deleted.shown(), "digest": deleted.digest, "deleted": true });
    context.output().document(&document, || format!("The component {} is deleted.\n", deleted.shown()));
    Ok(())
}
