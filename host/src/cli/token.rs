//! `token`: tokens for the REST API.

use super::command_error::of_options;
use super::{CommandError, Context};
use crate::service::tokens;
use postigo_model::role::Role;

/// `token …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a token and show it, once
    Create {
        /// admin, author, agent or reader
        #[arg(long)]
        role: Role,
        /// What it is for
        #[arg(long, default_value = "made on the command line")]
        name: String,
    },
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let Self::Create { role, name } = self;
        let created = tokens::create(context.store().await?, name, role, context.actor()).await;
        let created = created.map_err(|refused| of_options(refused, str::to_owned))?;
        context.output().document(&serde_json::to_value(&created)?, || format!("{}\n", created.token));
        Ok(())
    }
}
