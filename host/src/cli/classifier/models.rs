//! `classifier train`, `models` and `use`: what filters have learnt.

use super::question;
use crate::cli::command_error::of_options;
use crate::cli::job::Following;
use crate::cli::output::{lines, word};
use crate::cli::{CommandError, Context, moment};
use crate::service::examples::{MOST_EXAMPLES, USUAL_EXAMPLES};
use crate::service::{jobs, models};
use postigo_model::job::TrainingOrder;

/// `classifier train`
#[derive(Debug, clap::Args)]
pub struct Train {
    /// The filter that learns
    name: String,
    /// A question, and the header that an answer to it sets: what a ticket has in that field today is its label; may be
    /// given again
    #[arg(long = "question", value_name = "NAME=HEADER", default_value = "queue=X-OTOBO-Queue", value_parser = question::read)]
    questions: Vec<(String, String)>,
    /// Only from tickets made from this time on: `2026-11-29 10:44`, a date, RFC 3339, or how long ago (`90d`)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// From at most so many examples
    #[arg(long, value_name = "N", default_value_t = USUAL_EXAMPLES)]
    limit: usize,
    /// Where all chance comes from: the same tickets and the same seed give the same model
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Put the model in force, also where the filter has one already
    #[arg(long = "use")]
    put_in_force: bool,
    #[command(flatten)]
    following: Following,
}

impl Train {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let order = TrainingOrder {
            filter: self.name,
            questions: self.questions,
            since: moment::read_as_rfc3339("since", self.since.as_deref())?,
            limit: self.limit.min(MOST_EXAMPLES + 1),
            seed: self.seed,
            put_in_force: self.put_in_force,
        };
        let asked = jobs::train(context.store().await?, context.key(), order, context.actor()).await;
        let id = asked.map_err(|refused| of_options(refused, str::to_owned))?;
        self.following.run(id, context).await
    }
}

/// `classifier models`
#[derive(Debug, clap::Args)]
pub struct Models {
    /// The filter
    name: String,
    /// Show this model alone
    number: Option<i64>,
    /// Delete it
    #[arg(long, requires = "number")]
    delete: bool,
}

impl Models {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let Self { name, number, delete } = self;
        let store = context.store().await?;
        let Some(number) = number else {
            let found = models::list(store, context.key(), &name).await?;
            let rows = found.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
            context.output().list(
                &["MODEL", "IN FORCE", "EXAMPLES", "BYTES", "FORMAT", "TRAINED", "BY"],
                &rows,
                |row| {
                    ["number", "in_force", "examples", "size", "format", "trained_at", "trained_by"]
                        .map(|key| word(row, key))
                        .to_vec()
                },
            );
            return Ok(());
        };
        let document = serde_json::to_value(models::show(store, &name, number).await?)?;
        if delete {
            models::delete(store, &name, number).await?;
            context.output().document(&document, || format!("The model {number} is deleted.\n"));
            return Ok(());
        }
        context.output().document(&document, || lines(&document));
        Ok(())
    }
}

/// `classifier use`
#[derive(Debug, clap::Args)]
pub struct Use {
    /// The filter
    name: String,
    /// The number of the model, as `classifier models` lists it
    model: i64,
}

impl Use {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let Self { name, model } = self;
        let used = models::put_in_force(context.store().await?, context.key(), &name, model, context.actor()).await?;
        let document = serde_json::to_value(used)?;
        context.output().document(&document, || format!("The filter {name:?} answers by its model {model} now.\n"));
        Ok(())
    }
}
