//! `settings`: the general settings, and their versions. They are changed by the configuration file or over REST.

use super::output::lines;
use super::versions::{self, ComparedNumbers, ForgottenVersions, RestoreOptions, VersionError, VersionList};
use super::{CommandError, Context};
use crate::service::settings;
use crate::service::versions::VersionedThing;
use serde_json::Value;

/// `settings …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show them, or as a version has them
    #[command(disable_version_flag = true)]
    Show {
        /// As this version has them; `versions` lists them
        #[arg(long, value_name = "N")]
        version: Option<i64>,
    },
    /// List their versions: when, who, by which way, and what changed
    Versions(VersionList),
    /// Show what differs between two versions
    Compare(ComparedNumbers),
    /// Make them what they were by a version; the rules hold
    Restore(RestoreOptions),
    /// Have versions forget what they were; who changed them, and when, stays
    ForgetVersions(ForgottenVersions),
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let done = match self {
            Self::Show { version: None } => return show(context).await,
            Self::Show { version: Some(number) } => versions::show(&VersionedThing::settings(), number, context).await,
            Self::Versions(list) => list.run(&VersionedThing::settings(), context).await,
            Self::Compare(numbers) => numbers.run(&VersionedThing::settings(), context).await,
            Self::ForgetVersions(forgotten) => forgotten.run(&VersionedThing::settings(), context).await,
            Self::Restore(restore) => return restore.of_settings(context).await,
        };
        done.map_err(|error| match error {
            VersionError::Refused(refused) => refused.into(),
            VersionError::Failed(failed) => failed,
        })
    }
}

async fn show(context: &Context) -> Result<(), CommandError> {
    let shown = Value::Object(settings::show(&context.configuration().await?));
    context.output().document(&shown, || lines(&shown));
    Ok(())
}
