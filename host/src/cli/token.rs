//! `token`: tokens for the REST API.

use super::{Context, Failed};
use crate::http::{self, Role};
use serde_json::json;

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
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
        let Self::Create { role, name } = self;
        let (id, token) = http::create_token(context.store().await?, &name, role).await?;
        context.output().document(&json!({ "id": id, "name": name, "role": role, "token": token }), || format!("{token}\n"));
        Ok(())
    }
}
