//! `customer`: who writes to the helpdesk. They are looked up in the database, not in the configuration.

use super::configured::{NamedThing, ThingList, ThingSet};
use super::{CommandError, Context};

/// `customer …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List them
    List(ThingList),
    /// Show one with all its keys
    Show(NamedThing),
    /// Change keys of one, or make a new one: email=jane@example.com, first_name=Jane
    Set(ThingSet),
    /// Delete one; tickets keep the login
    Delete(NamedThing),
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::List(list) => list.customers(context).await,
            Self::Show(customer) => customer.show_customer(context).await,
            Self::Set(set) => set.customer(context).await,
            Self::Delete(customer) => customer.delete_customer(context).await,
        }
    }
}
