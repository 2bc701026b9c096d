//! From a Rust type to the exports of a component: the bindings made from `wit/`, and the macro that ties a type to
//! them.

use crate::Group;
use std::cell::OnceCell;

/// The bindings of `wit/`: the world `filter`, and what a filter that screens exports besides it. A module that uses
/// both carries both worlds' types, which `wit-component` merges to `screened-filter`.
#[doc(hidden)]
#[allow(unsafe_code, missing_docs, unused_qualifications, clippy::all, clippy::pedantic)]
pub mod bindings {
    pub mod filter {
        wit_bindgen::generate!({
            path: "../wit",
            world: "filter",
            generate_all,
            pub_export_macro: true,
            default_bindings_module: "postigo_filter::bindings::filter",
        });
    }
    pub mod screening {
        wit_bindgen::generate!({
            inline: "package postigo:sdk; world screening-alone { export postigo:filter/screening@1.1.0; }",
            path: "../wit",
            world: "postigo:sdk/screening-alone",
            pub_export_macro: true,
            default_bindings_module: "postigo_filter::bindings::screening",
            with: { "postigo:message/message@1.0.0": crate::bindings::filter::postigo::message::message },
        });
    }
}

/// A type that [`export!`](crate::export!) made: it knows where its group lies.
#[doc(hidden)]
pub trait Exported {
    type Group: Group;
    fn with<R>(use_group: impl FnOnce(&OnceCell<Self::Group>) -> R) -> R;
}

/// Exports a filter as a component. One line a crate:
///
/// - `export!(TYPE);` for a [`Filter`](crate::Filter),
/// - `export!(screened TYPE);` where it implements [`Screen`](crate::Screen) too,
/// - `export!(group TYPE);` for a [`Group`](crate::Group),
/// - `export!(screened group TYPE);` where it implements [`Screening`](crate::Screening) too.
///
/// Natively it exports nothing, so that filters can be linked into tests and programs.
#[macro_export]
macro_rules! export {
    (screened group $group:ty) => { $crate::export!(@ $group, screening); };
    (screened $filter:ty) => { $crate::export!(@ $crate::Each<$filter>, screening); };
    (group $group:ty) => { $crate::export!(@ $group); };
    (@ $group:ty $(, $screening:ident)?) => {
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() -> $crate::Description = <$group as $crate::Group>::describe;
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, missing_docs)]
        const _: () = {
            struct Component;
            impl $crate::Exported for Component {
                type Group = $group;
                fn with<R>(use_group: impl FnOnce(&::std::cell::OnceCell<$group>) -> R) -> R {
                    ::std::thread_local! {
                        static GROUP: ::std::cell::OnceCell<$group> = const { ::std::cell::OnceCell::new() };
                    }
                    GROUP.with(use_group)
                }
            }
            $crate::bindings::filter::export!(Component with_types_in $crate::bindings::filter);
            $( $crate::bindings::$screening::export!(Component with_types_in $crate::bindings::$screening); )?
        };
    };
    ($filter:ty) => { $crate::export!(@ $crate::Each<$filter>); };
}

/// Ties the exports to a group; only in a component, since elsewhere there is no host that lends mails.
#[cfg(target_arch = "wasm32")]
mod tied {
    use super::bindings::filter::exports::postigo::filter::filtering;
    use super::bindings::filter::exports::postigo::plugin::setup;
    use super::bindings::filter::postigo::message::message::Mail as HostMail;
    use super::bindings::screening::exports::postigo::filter::screening;
    use crate::{Exported, FilterSettings, Grants, Group, GroupProblem, Mail, Problem, Screening};

    impl<E: Exported> setup::Guest for E {
        fn describe() -> setup::Description {
            let described = E::Group::describe();
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
            let configured = E::Group::configure(filters.into_iter().map(given).collect()).and_then(keep::<E>);
            configured.map_err(|problems| problems.into_iter().map(told).collect())
        }
    }

    impl<E: Exported> filtering::Guest for E {
        fn settable_headers() -> Vec<String> {
            E::Group::describe().headers
        }

        fn evaluate(filter: u32, mail: &HostMail) -> Result<filtering::Verdict, String> {
            let verdict = E::with(|group| match group.get() {
                Some(group) => group.evaluate(filter as usize, &Mail::lent(mail)),
                None => Err("The component was not configured.".to_owned()),
            })?;
            let changes =
                verdict.changes.into_iter().map(|one| filtering::Change { header: one.header, value: one.value });
            Ok(filtering::Verdict { matched: verdict.matched, changes: changes.collect(), reason: verdict.reason })
        }
    }

    impl<E: Exported<Group: Screening>> screening::Guest for E {
        fn screen(mail: &HostMail) -> Vec<u32> {
            E::with(|group| group.get().map(|group| group.screen(&Mail::lent(mail))).unwrap_or_default())
        }
    }

    fn told(GroupProblem { filter, problem: Problem { place, reason } }: GroupProblem) -> setup::Problem {
        setup::Problem { filter: u32::try_from(filter).unwrap_or(u32::MAX), place, reason }
    }

    /// Keeps a configured group for the mails to come.
    fn keep<E: Exported>(group: E::Group) -> Result<(), Vec<GroupProblem>> {
        let twice = Problem::new("", "The component was configured twice; start it anew.");
        E::with(|place| place.set(group)).map_err(|_| vec![GroupProblem { filter: 0, problem: twice }])
    }
}
