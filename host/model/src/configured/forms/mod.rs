//! The keys of what is configured, each listed once: name, help and how its values are written. Reading, writing,
//! schemas, the command line and the reference page are all made of these lists.

mod access;
mod answers;
mod desk;
mod filter;
mod settings;

/// Gives a kind its map in the configuration.
macro_rules! kept_in {
    ($map:ident) => {
        fn all(configuration: &Configuration) -> &BTreeMap<String, Self> {
            &configuration.$map
        }

        fn all_mut(configuration: &mut Configuration) -> &mut BTreeMap<String, Self> {
            &mut configuration.$map
        }
    };
}

use kept_in;
