//! What admins configure: the types, and the one form that the configuration file, the REST API and the database share.

mod access;
mod apply;
mod change;
mod codecs;
mod configuration;
mod destination;
mod difference;
mod draft;
mod export;
mod file;
pub mod form;
mod granting;
mod kinds;
mod listener;
mod machine;
mod model;
mod provider;
mod reference;
mod review;
pub mod rules;
pub mod units;
mod upgrade;

#[cfg(test)]
mod guide;
#[cfg(test)]
mod tests;

pub use access::*;
pub use apply::{Applied, ApplyError, Place, apply};
pub use change::change;
pub use configuration::*;
pub use destination::{Destination, Secret};
pub use difference::{Difference, How, differences};
pub use draft::{Draft, keep_secrets};
pub use export::export;
pub use file::File;
pub use granting::widened;
pub use listener::{Endpoint, Network};
pub use machine::{Machine, Named};
pub use model::*;
pub use provider::{Flow, Provider, Purpose, is_loopback};
pub use review::{MOST_VALUES, review};
pub use upgrade::{Declared, Differs, Mistaken, SchemaDiffers, Upgrade, UpgradeError, Upgraded, Way, Wish, upgrade};
