//! Models: what classifiers have learnt. They are kept, shown, put in force, and deleted; their bytes leave the database for the
//! sandbox alone.

use super::ServiceError;
use super::examples::ExampleReport;
use crate::secret_key::SecretKey;
use crate::store::models::{self, ModelChoice, ModelRow, NewModel};
use crate::store::{Store, StoreError, configuration};
use postigo_model::actor::Actor;
use postigo_model::configured::Configuration;
use postigo_model::hexadecimal::hexadecimal;
use postigo_model::timestamp::{now, rfc3339};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

/// A model, as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Model)]
pub struct ModelDocument {
    /// The filter that it is of.
    pub filter: String,
    /// Counted for each filter from 1 on.
    pub number: i64,
    /// Whether the filter answers by it.
    pub in_force: bool,
    /// The component that learnt it: a shipped one's name, or `name@version`.
    pub component: String,
    /// SHA-256 of its bytes, hexadecimal: the same examples and seed give the same one.
    pub digest: String,
    /// Its bytes' number.
    pub size: i64,
    /// Of its bytes, in the component's words.
    pub format: String,
    /// What was learnt, in the component's words.
    pub summary: String,
    /// Question → label → `examples`, and of how many of these somebody `given` the label.
    #[schema(value_type = Object)]
    pub labels: Value,
    /// How many mails it was made of, those that belong to no label among them.
    pub examples: i64,
    /// With which chance was drawn.
    pub seed: i64,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub trained_at: String,
    /// Who asked for it.
    pub trained_by: String,
}

impl From<ModelRow> for ModelDocument {
    fn from(row: ModelRow) -> Self {
        Self {
            filter: row.filter,
            number: row.number,
            in_force: row.in_force,
            component: row.component,
            digest: row.digest,
            size: row.size,
            format: row.format,
            summary: row.summary,
            labels: row.labels,
            examples: row.examples,
            seed: row.seed,
            trained_at: rfc3339(row.trained_at),
            trained_by: row.trained_by,
        }
    }
}

/// What came out of a training.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The filter that was trained.
    pub filter: String,
    /// The component that learnt, as it is shown.
    pub component: String,
    /// The model's bytes.
    pub model: Vec<u8>,
    /// Of its bytes.
    pub format: String,
    /// For people.
    pub summary: String,
    /// What it was made of.
    pub report: ExampleReport,
    /// With which chance was drawn.
    pub seed: u64,
    /// Who asked for it.
    pub asked_by: String,
    /// Whether it is put in force; the first one of a filter is in any case.
    pub put_in_force: bool,
}

/// Keeps what was learnt, sealed; the same again is not kept twice. Gives the model.
pub async fn keep(
    store: &Store,
    key: &SecretKey,
    trained: Trained,
    configuration: &Configuration,
) -> Result<ModelDocument, ServiceError> {
    let digest = hexadecimal(&Sha256::digest(&trained.model));
    let sealed = key.seal_bytes(&models::place(&trained.filter, &digest), &trained.model).map_err(StoreError::from)?;
    let labels: Map<String, Value> = trained
        .report
        .questions
        .iter()
        .map(|question| {
            let counts = question.labels.iter();
            let counts: Map<String, Value> = counts
                .map(|label| (label.label.clone(), json!({ "examples": label.examples, "given": label.given })))
                .collect();
            (question.question.clone(), Value::Object(counts))
        })
        .collect();
    let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let row = ModelRow {
        filter: trained.filter.clone(),
        number: 0,
        component: trained.component,
        digest,
        size: whole(trained.model.len()),
        format: trained.format,
        summary: trained.summary,
        labels: Value::Object(labels),
        examples: whole(trained.report.examples + trained.report.outside),
        seed: i64::try_from(trained.seed).unwrap_or(i64::MAX),
        trained_at: now(),
        trained_by: trained.asked_by,
        in_force: trained.put_in_force,
    };
    let kept_versions = configuration.settings.kept_versions;
    let number = models::add(store, NewModel { row, sealed, actor: Actor::Daemon, kept_versions }).await?;
    show(store, &trained.filter, number).await
}

/// The models of a filter, the latest first.
pub async fn list(store: &Store, key: &SecretKey, filter: &str) -> Result<Vec<ModelDocument>, ServiceError> {
    let found = models::list(&mut *store.read().await?, filter).await?;
    if found.is_empty() && !configuration::load(store, key).await?.filters.contains_key(filter) {
        return Err(ServiceError::Missing { what: "filter".to_owned(), name: filter.to_owned() });
    }
    Ok(found.into_iter().map(ModelDocument::from).collect())
}

/// A model.
pub async fn show(store: &Store, filter: &str, number: i64) -> Result<ModelDocument, ServiceError> {
    let found = models::show(&mut *store.read().await?, filter, number).await?;
    let missing = || ServiceError::NotFound(format!("The filter \"{filter}\" has no model {number}."));
    found.map(ModelDocument::from).ok_or_else(missing)
}

/// Puts a model in force: one that is kept, be it an earlier one. All hosts take it up, and mail that comes from then on meets it.
pub async fn put_in_force(
    store: &Store,
    key: &SecretKey,
    filter: &str,
    number: i64,
    actor: &Actor,
) -> Result<ModelDocument, ServiceError> {
    let kept_versions = configuration::load(store, key).await?.settings.kept_versions;
    let choice =
        ModelChoice { filter: filter.to_owned(), number: Some(number), actor: actor.clone(), kept_versions, at: now() };
    models::put_in_force(store, choice).await?;
    show(store, filter, number).await
}

/// Deletes a model that is not in force.
pub async fn delete(store: &Store, filter: &str, number: i64) -> Result<(), ServiceError> {
    Ok(models::delete(store, filter.to_owned(), number).await?)
}
