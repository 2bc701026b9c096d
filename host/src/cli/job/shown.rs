//! A job as it is printed, and what is said where there is none.

use super::replayed;
use crate::cli::output::lines;
use crate::cli::{CommandError, Context};
use crate::service::ServiceError;
use crate::service::jobs::JobDocument;
use postigo_model::job::ReplayOrder;
use serde_json::Value;

/// Prints a job with what came of it.
pub fn print(job: &JobDocument, context: &Context) -> Result<(), CommandError> {
    let document = serde_json::to_value(job)?;
    context.output().document(&document, || {
        let mut head = document.clone();
        let mut result = Value::Null;
        if let Some(fields) = head.as_object_mut() {
            result = fields.remove("result").unwrap_or_default();
            if let Some(asked) = fields.get_mut("asked") {
                shorten(asked);
            }
        }
        let told = match (job.kind.as_str(), result) {
            (_, Value::Null) => String::new(),
            (ReplayOrder::KIND, result) => format!("\n{}", replayed::text(&result)),
            (_, result) => format!("\n{}", lines(&result)),
        };
        lines(&head) + &told
    });
    Ok(())
}

/// What was asked for on one line: what was left out is, and of filters their names are.
fn shorten(asked: &mut Value) {
    let Some(fields) = asked.as_object_mut() else { return };
    fields.retain(|_, value| !value.is_null() && *value != serde_json::json!([]));
    if let Some(filters) = fields.get_mut("filters").and_then(Value::as_array_mut) {
        for filter in filters {
            *filter = filter.get("name").cloned().unwrap_or_default();
        }
    }
}

/// What the service refuses; a job that is not there in the words of these commands.
pub fn told(refused: ServiceError, id: i64) -> CommandError {
    match refused {
        ServiceError::Missing { .. } => {
            CommandError::because(format!("There is no job {id}; `postigo job list` shows those that are kept."))
        }
        other => other.into(),
    }
}
