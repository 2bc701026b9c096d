//! From a Rust type to the exports of a component: the bindings made from `wit/`, and the macro that ties a type to
//! them.

#[cfg(target_arch = "wasm32")]
mod classifier;
#[cfg(target_arch = "wasm32")]
mod filter;

use crate::classifier::{Classifiers, Trainable};
use crate::{Description, FilterSettings, Group, GroupProblem};
use std::cell::{OnceCell, RefCell};

/// The bindings of `wit/`: what every component has, and each further interface that one may export. A module that uses
/// several carries the types of each, which `wit-component` merges to the world that they make up together.
#[doc(hidden)]
#[allow(unsafe_code, missing_docs, unused_qualifications, clippy::all, clippy::pedantic)]
pub mod bindings {
    pub mod plugin {
        wit_bindgen::generate!({
            inline: "package postigo:sdk;
                world plugin-alone {
                    import postigo:message/message@1.0.0;
                    import postigo:plugin/log@1.1.0;
                    import postigo:plugin/assets@1.1.0;
                    export postigo:plugin/setup@1.1.0;
                }",
            path: "../wit",
            world: "postigo:sdk/plugin-alone",
            generate_all,
            pub_export_macro: true,
            default_bindings_module: "postigo_filter::bindings::plugin",
        });
    }
    pub mod filtering {
        wit_bindgen::generate!({
            inline: "package postigo:sdk; world filtering-alone { export postigo:filter/filtering@1.1.0; }",
            path: "../wit",
            world: "postigo:sdk/filtering-alone",
            pub_export_macro: true,
            default_bindings_module: "postigo_filter::bindings::filtering",
            with: { "postigo:message/message@1.0.0": crate::bindings::plugin::postigo::message::message },
        });
    }
    pub mod screening {
        wit_bindgen::generate!({
            inline: "package postigo:sdk; world screening-alone { export postigo:filter/screening@1.1.0; }",
            path: "../wit",
            world: "postigo:sdk/screening-alone",
            pub_export_macro: true,
            default_bindings_module: "postigo_filter::bindings::screening",
            with: { "postigo:message/message@1.0.0": crate::bindings::plugin::postigo::message::message },
        });
    }
    pub mod classifying {
        wit_bindgen::generate!({
            inline: "package postigo:sdk; world classifying-alone { export postigo:classifier/classifying@1.0.0; }",
            path: "../wit",
            world: "postigo:sdk/classifying-alone",
            pub_export_macro: true,
            default_bindings_module: "postigo_filter::bindings::classifying",
            with: { "postigo:message/message@1.0.0": crate::bindings::plugin::postigo::message::message },
        });
    }
    pub mod training {
        wit_bindgen::generate!({
            inline: "package postigo:sdk; world training-alone { export postigo:classifier/training@1.0.0; }",
            path: "../wit",
            world: "postigo:sdk/training-alone",
            pub_export_macro: true,
            default_bindings_module: "postigo_filter::bindings::training",
            with: { "postigo:message/message@1.0.0": crate::bindings::plugin::postigo::message::message },
        });
    }
}

/// All filters of a component that were configured together, whatever they do.
#[doc(hidden)]
pub trait ConfiguredFilters: Sized + 'static {
    fn describe() -> Description;
    fn configure(filters: Vec<FilterSettings>) -> Result<Self, Vec<GroupProblem>>;
}

impl<G: Group> ConfiguredFilters for G {
    fn describe() -> Description {
        <G as Group>::describe()
    }

    fn configure(filters: Vec<FilterSettings>) -> Result<Self, Vec<GroupProblem>> {
        <G as Group>::configure(filters)
    }
}

/// A type that [`export!`](crate::export!) made: it knows where its filters lie.
#[doc(hidden)]
pub trait Exported {
    type Filters: ConfiguredFilters;
    fn with<R>(use_filters: impl FnOnce(&OnceCell<Self::Filters>) -> R) -> R;
}

/// The same of a classifier that can be trained: it knows where its training lies, too.
#[doc(hidden)]
pub trait ExportedTrainable: Exported<Filters = Classifiers<Self::Classifier>> {
    type Classifier: Trainable;
    fn with_training<R>(
        use_training: impl FnOnce(&RefCell<Option<<Self::Classifier as Trainable>::Training>>) -> R,
    ) -> R;
}

/// Exports a filter as a component. One line a crate:
///
/// - `export!(TYPE);` for a [`Filter`](crate::Filter),
/// - `export!(screened TYPE);` where it implements [`Screen`](crate::Screen) too,
/// - `export!(group TYPE);` for a [`Group`](crate::Group),
/// - `export!(screened group TYPE);` where it implements [`Screening`](crate::Screening) too,
/// - `export!(classifier TYPE);` for a [`Classifier`](crate::classifier::Classifier),
/// - `export!(trainable TYPE);` where it implements [`Trainable`] too.
///
/// Natively it exports nothing, so that filters can be linked into tests and programs.
#[macro_export]
macro_rules! export {
    (screened group $group:ty) => { $crate::export!(@ $group; filtering screening); };
    (screened $filter:ty) => { $crate::export!(@ $crate::Each<$filter>; filtering screening); };
    (group $group:ty) => { $crate::export!(@ $group; filtering); };
    (classifier $classifier:ty) => { $crate::export!(@ $crate::classifier::Classifiers<$classifier>; classifying); };
    (trainable $classifier:ty) => {
        $crate::export!(@ $crate::classifier::Classifiers<$classifier>; classifying training; $classifier);
    };
    (@ $filters:ty; $($interface:ident)+ $(; $trainable:ty)?) => {
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() -> $crate::Description = <$filters as $crate::ConfiguredFilters>::describe;
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, missing_docs)]
        const _: () = {
            struct Component;
            impl $crate::Exported for Component {
                type Filters = $filters;
                fn with<R>(use_filters: impl FnOnce(&::std::cell::OnceCell<$filters>) -> R) -> R {
                    ::std::thread_local! {
                        static FILTERS: ::std::cell::OnceCell<$filters> = const { ::std::cell::OnceCell::new() };
                    }
                    FILTERS.with(use_filters)
                }
            }
            $(
                type Training = <$trainable as $crate::classifier::Trainable>::Training;
                impl $crate::ExportedTrainable for Component {
                    type Classifier = $trainable;
                    fn with_training<R>(
                        use_training: impl FnOnce(&::std::cell::RefCell<::std::option::Option<Training>>) -> R,
                    ) -> R {
                        ::std::thread_local! {
                            static TRAINING: ::std::cell::RefCell<::std::option::Option<Training>> =
                                const { ::std::cell::RefCell::new(::std::option::Option::None) };
                        }
                        TRAINING.with(use_training)
                    }
                }
            )?
            $crate::bindings::plugin::export!(Component with_types_in $crate::bindings::plugin);
            $( $crate::bindings::$interface::export!(Component with_types_in $crate::bindings::$interface); )+
        };
    };
    ($filter:ty) => { $crate::export!(@ $crate::Each<$filter>; filtering); };
}

/// What every component is asked outside any mail; only in a component, since elsewhere there is no host.
#[cfg(target_arch = "wasm32")]
mod setup {
    use super::bindings::plugin::exports::postigo::plugin::setup;
    use crate::{ConfiguredFilters, Exported, FilterSettings, Grants, GroupProblem, Problem};

    impl<E: Exported> setup::Guest for E {
        fn describe() -> setup::Description {
            let described = E::Filters::describe();
            setup::Description {
                name: described.name,
                version: described.version,
                summary: described.summary,
                settings_schema: described.settings_schema,
                grants: described.grants,
            }
        }

        fn configure(filters: Vec<setup::FilterSettings>) -> Result<(), Vec<setup::Problem>> {
            let given = |one: setup::FilterSettings| FilterSettings {
                name: one.name,
                settings: one.settings,
                grants: Grants::new(one.grants),
            };
            let configured = E::Filters::configure(filters.into_iter().map(given).collect()).and_then(keep::<E>);
            configured.map_err(|problems| problems.into_iter().map(told).collect())
        }
    }

    fn told(GroupProblem { filter, problem: Problem { place, reason } }: GroupProblem) -> setup::Problem {
        setup::Problem { filter: u32::try_from(filter).unwrap_or(u32::MAX), place, reason }
    }

    /// Keeps configured filters for the mails to come.
    fn keep<E: Exported>(filters: E::Filters) -> Result<(), Vec<GroupProblem>> {
        let twice = Problem::new("", "The component was configured twice; start it anew.");
        E::with(|place| place.set(filters)).map_err(|_| vec![GroupProblem { filter: 0, problem: twice }])
    }
}
