//! The commands that every kind of configured things has.

use super::configured::{ThingList, ThingSet};
use super::versions::{ThingShow, VersionCommand};
use super::{CommandError, Context};
use postigo_model::configured::form::LoadedKind;

/// The commands that every kind has.
#[derive(Debug, clap::Subcommand)]
pub enum Common {
    /// List them
    List(ThingList),
    /// Show one with all its keys but its secrets, or as a version of it has it
    #[command(disable_version_flag = true)]
    Show(ThingShow),
    /// Change keys of one, or make a new one: tls.verify=false, queues=a,b, --file body=text.txt, password='{ env =
    /// "VARIABLE" }'
    Set(ThingSet),
    #[command(flatten)]
    Version(VersionCommand),
}

impl Common {
    /// Carries it out for a kind.
    pub async fn run<K: LoadedKind>(self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::List(list) => list.run::<K>(context).await,
            Self::Show(show) => show.run::<K>(context).await,
            Self::Set(set) => set.run::<K>(context).await,
            Self::Version(command) => command.run::<K>(context).await,
        }
    }
}
