//! `customer`: who writes to the helpdesk. They are looked up in the database, not in the configuration.

use super::configured::{NamedThing, ThingList, ThingSet};
use super::versions::{ThingShow, VersionCommand};
use super::{CommandError, Context};

/// `customer …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List them
    List(ThingList),
    /// Show one with all its keys, or as a version of it has it
    #[command(disable_version_flag = true)]
    Show(ThingShow),
    /// Change keys of one, or make a new one: email=jane@example.com, first_name=Jane
    Set(ThingSet),
    /// Delete one, and what versions say of them; tickets keep the login
    Delete(NamedThing),
    #[command(flatten)]
    Version(VersionCommand),
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::List(list) => list.customers(context).await,
            Self::Show(show) => show.customer(context).await,
            Self::Set(set) => set.customer(context).await,
            Self::Delete(customer) => customer.delete_customer(context).await,
            Self::Version(command) => command.run_of_customer(context).await,
        }
    }
}
