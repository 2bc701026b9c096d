//! Whether a component fits this host: which world it is of, and whether what it imports is there. Where not, a
//! sentence names what is wanted, in which version, and what this host has.

use super::bindings::OFFERED;
use super::component::Outside;
use super::refusal::UploadRefusal;
use super::wasi;
use super::world::{World, Worlds};

/// Interfaces whose names are kept for later versions of the contract.
const RESERVED: [&str; 2] = ["http", "state"];

/// The world that a component is of; refused where it is of none, or imports what this host does not have.
pub(super) fn world_of(outside: &Outside, worlds: Worlds) -> Result<&'static dyn World, UploadRefusal> {
    let told: Vec<_> = worlds.iter().copied().filter(|world| has(&outside.exports, telling(*world))).collect();
    if let [one, other, ..] = told[..] {
        return Err(UploadRefusal::Export(of_two_worlds(one, other)));
    }
    let offered = offered_by(if told.is_empty() { worlds } else { &told });
    for import in &outside.imports {
        check_import(import, &offered).map_err(|reason| UploadRefusal::Import { import: import.clone(), reason })?;
    }
    let Some(world) = told.first().copied() else {
        return Err(UploadRefusal::Export(of_no_world(&outside.exports, worlds)));
    };
    check_exports(&outside.exports, world).map_err(UploadRefusal::Export)?;
    match world.exports().iter().find(|wanted| !has(&outside.exports, wanted)) {
        None => Ok(world),
        Some(missing) => Err(UploadRefusal::Export(format!(
            "the component exports {}, as one of the world {} does, but not {missing}, which it must as well",
            telling(world),
            world.name()
        ))),
    }
}

/// What is exported must be known: a later host may know it, and the component would be another one there.
fn check_exports(exports: &[String], world: &dyn World) -> Result<(), String> {
    let known: Vec<_> = world.exports().iter().chain(world.optional_exports()).copied().collect();
    let exported = exports.iter().filter_map(|export| Some((export, Interface::read(export)?)));
    for (export, wanted) in exported.filter(|(_, exported)| exported.package.starts_with("postigo:")) {
        let same = |here: &&str| {
            Interface::read(here).is_some_and(|here| (here.package, here.name) == (wanted.package, wanted.name))
        };
        let here = known.iter().copied().find(|here| fits(export, here));
        let Some(here) = here else {
            let version = wanted.version.unwrap_or("no version");
            return Err(match known.iter().copied().find(same) {
                Some(here) => format!("the component exports {export}, version {version}; this Postigo has {here}"),
                None => format!(
                    "the component exports {export}, which this Postigo does not know; of the world {} it knows {}, build the component \
                     without the other",
                    world.name(),
                    listed(&known)
                ),
            });
        };
        if let Some(again) = exports.iter().find(|other| *other != export && fits(other, here)) {
            return Err(format!(
                "the component exports {export} and {again}, one interface in two versions; leave one out"
            ));
        }
    }
    Ok(())
}

fn of_two_worlds(one: &dyn World, other: &dyn World) -> String {
    let mut told = [one, other].map(|world| format!("{} (world {})", telling(world), world.name()));
    told.sort();
    format!("the component exports {}; it may be of one world only, build one component for each", told.join(" and "))
}

/// What this host has of an import, for sentences: the interface with its version here, or all there is for a component
/// of the world.
pub(super) fn here(import: &str, world: &dyn World) -> String {
    if import.starts_with("wasi:") {
        return "WASI 0.2".into();
    }
    let offered = offered_by(&[world]);
    offered.iter().find(|here| fits(import, here)).map_or_else(|| listed(&offered), |here| (*here).to_owned())
}

/// The worlds to build against, for sentences.
pub(super) fn names(worlds: Worlds) -> String {
    listed(&worlds.iter().filter(|world| !world.is_old()).map(|world| world.name()).collect::<Vec<_>>())
}

/// The interface by whose export a component of a world is told.
fn telling(world: &dyn World) -> &'static str {
    world.exports().first().copied().unwrap_or_default()
}

fn has(exports: &[String], wanted: &str) -> bool {
    exports.iter().any(|export| fits(export, wanted))
}

fn offered_by(worlds: &[&dyn World]) -> Vec<&'static str> {
    let mut offered = OFFERED.to_vec();
    for interface in worlds.iter().flat_map(|world| world.imports()) {
        if !offered.contains(interface) {
            offered.push(interface);
        }
    }
    offered
}

fn check_import(import: &str, offered: &[&str]) -> Result<(), String> {
    if offered.iter().any(|here| fits(import, here)) {
        return Ok(());
    }
    if let Some(wanted) = Interface::read(import).filter(|wanted| wanted.package.starts_with("wasi:")) {
        return wasi::check(wanted.package, wanted.name, wanted.version);
    }
    let Some(wanted) = Interface::read(import) else {
        return Err(format!(
            "this Postigo offers interfaces only, {}; build the component against these",
            listed(offered)
        ));
    };
    let version = wanted.version.unwrap_or("no version");
    let here: Vec<_> = offered
        .iter()
        .filter(|here| Interface::read(here).is_some_and(|here| here.package == wanted.package))
        .collect();
    if let Some(here) = here.iter().find(|here| Interface::read(here).is_some_and(|here| here.name == wanted.name)) {
        return Err(format!(
            "it wants version {version}; this Postigo has {here}, and runs every component of the same major version that needs no more"
        ));
    }
    if wanted.package.starts_with("postigo:") && RESERVED.contains(&wanted.name) {
        return Err(format!(
            "the interface `{}` (wanted: {version}) is kept free, reserved for a later version of Postigo; this one has {}",
            wanted.name,
            listed(offered)
        ));
    }
    if here.is_empty() {
        return Err(format!(
            "this Postigo has no package {}; it offers {} only, build the component against these",
            wanted.package,
            listed(offered)
        ));
    }
    Err(format!(
        "there is no interface `{}` (wanted: {version}) in this Postigo's {}; it has {}",
        wanted.name,
        wanted.package,
        listed(offered)
    ))
}

/// Why exports are of no world.
fn of_no_world(exports: &[String], worlds: Worlds) -> String {
    let wanted = || {
        let told = worlds
            .iter()
            .filter(|world| !world.is_old())
            .map(|world| format!("{} (world {})", telling(*world), world.name()));
        told.collect::<Vec<_>>().join(" or ")
    };
    let other_version = exports.iter().find_map(|export| {
        let exported = Interface::read(export)?;
        let same = |here: &Interface<'_>| here.package == exported.package && here.name == exported.name;
        let here = worlds
            .iter()
            .map(|world| telling(*world))
            .find(|here| Interface::read(here).is_some_and(|here| same(&here)))?;
        Some((export, exported.version.unwrap_or("none"), here))
    });
    match other_version {
        Some((export, version, here)) => {
            format!(
                "the component exports {export}, version {version}; this Postigo has {here}: build it against {}",
                wanted()
            )
        }
        None if exports.is_empty() => {
            format!("the component exports nothing; Postigo knows one by its export {}", wanted())
        }
        None => format!(
            "the component exports {}; Postigo knows one by its export {}, which is not there",
            exports.join(", "),
            wanted()
        ),
    }
}

fn listed(names: &[&str]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => names.concat(),
    }
}

/// An interface as imports and exports name it: `postigo:message/message@1.0.0`.
struct Interface<'a> {
    package: &'a str,
    name: &'a str,
    version: Option<&'a str>,
}

impl<'a> Interface<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (package, rest) = text.split_once('/')?;
        let (name, version) = rest.split_once('@').map_or((rest, None), |(name, version)| (name, Some(version)));
        Some(Self { package, name, version })
    }
}

/// Whether an interface is, in a released version of the same major number, the one that this host has.
fn fits(name: &str, here: &str) -> bool {
    let (Some(found), Some(here)) = (Interface::read(name), Interface::read(here)) else { return false };
    let major = |version: &str| {
        let version = semver::Version::parse(version).ok()?;
        (version.pre.is_empty() && version.build.is_empty()).then_some(version.major)
    };
    let versions = found.version.and_then(major).zip(here.version.and_then(major));
    found.package == here.package && found.name == here.name && versions.is_some_and(|(found, here)| found == here)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worlds::WORLDS;

    fn outside(imports: &[&str], exports: &[&str]) -> Outside {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Outside { imports: owned(imports), exports: owned(exports) }
    }

    fn taken(imports: &[&str], exports: &[&str]) -> Result<&'static str, String> {
        world_of(&outside(imports, exports), WORLDS).map(World::name).map_err(|refused| refused.to_string())
    }

    fn refused(imports: &[&str], exports: &[&str]) -> String {
        taken(imports, exports).unwrap_err()
    }

    const FILTER: [&str; 2] = ["postigo:filter/filtering@1.1.0", "postigo:plugin/setup@1.1.0"];
    const OLD: &str = "postigo:filter/guest@1.0.0";

    #[test]
    fn every_name_that_this_host_has_stands_in_the_contract_in_that_version() {
        let mut wit = wit_parser::Resolve::default();
        wit.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit")).unwrap();
        let interfaces: Vec<_> = wit.interfaces.iter().filter_map(|(id, _)| wit.id_of(id)).collect();
        let worlds: Vec<_> =
            wit.worlds.iter().map(|(_, world)| wit.id_of_name(world.package.unwrap(), &world.name)).collect();
        let todays = || WORLDS.iter().filter(|world| !world.is_old());
        assert!(todays().all(|world| worlds.contains(&world.name().to_owned())), "{worlds:?}");
        for name in todays().flat_map(|world| world.exports().iter().chain(world.imports())).chain(&OFFERED) {
            assert!(interfaces.contains(&(*name).to_owned()), "{name} is none of {interfaces:?}");
        }
    }

    #[test]
    fn a_world_is_told_by_its_exports() {
        assert_eq!(taken(&OFFERED, &FILTER), Ok("postigo:filter/filter@1.1.0"));
        let classifier = ["postigo:classifier/classifying@1.0.0", FILTER[1], "postigo:classifier/training@1.0.0"];
        assert_eq!(taken(&OFFERED, &classifier), Ok("postigo:classifier/classifier@1.0.0"));
        assert_eq!(taken(&OFFERED, &classifier[..2]), Ok("postigo:classifier/classifier@1.0.0"));
        let both = refused(&[], &[FILTER[0], FILTER[1], classifier[0]]);
        assert!(both.contains("one world only"), "{both}");
        assert_eq!(taken(&["postigo:filter/message@1.0.0"], &[OLD]), Ok("postigo:filter/filter@1.0.0"));
        let half = refused(&[], &FILTER[..1]);
        assert!(half.contains(FILTER[0]) && half.contains("not postigo:plugin/setup@1.1.0"), "{half}");
    }

    #[test]
    fn a_reserved_interface_is_named_with_both_versions() {
        for (import, exports) in [("postigo:plugin/http@1.3.0", &FILTER[..]), ("postigo:filter/http@1.3.0", &[OLD])] {
            let said = refused(&[import], exports);
            for part in [import, "1.3.0", "reserved", "1.0.0"] {
                assert!(said.contains(part), "{part} is missing in: {said}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_named_with_what_is() {
        let foreign = refused(&["acme:database/query@0.1.0"], &FILTER);
        assert!(
            foreign.contains("acme:database/query@0.1.0") && foreign.contains("no package acme:database"),
            "{foreign}"
        );
        assert!(
            foreign.contains("postigo:message/message@1.0.0, postigo:plugin/log@1.1.0 and postigo:plugin/assets@1.1.0"),
            "{foreign}"
        );
        let unknown = refused(&["postigo:message/headers@1.4.0"], &FILTER);
        for part in ["no interface `headers`", "1.4.0", "postigo:message/message@1.0.0"] {
            assert!(unknown.contains(part), "{part} is missing in: {unknown}");
        }
        let of_the_old_package = refused(&["postigo:filter/message@1.0.0"], &FILTER);
        assert!(of_the_old_package.contains("postigo:message/message@1.0.0"), "{of_the_old_package}");
        let function = refused(&["query"], &FILTER);
        assert!(function.contains("`query`") && function.contains("postigo:message/message@1.0.0"), "{function}");
    }

    #[test]
    fn another_major_version_is_refused() {
        let said = refused(&["postigo:message/message@2.0.0"], &FILTER);
        assert!(said.contains("2.0.0") && said.contains("postigo:message/message@1.0.0"), "{said}");
        let said = refused(&["postigo:filter/message@2.0.0"], &[OLD]);
        assert!(said.contains("2.0.0") && said.contains("postigo:filter/message@1.0.0"), "{said}");
        let said = refused(&[], &["postigo:filter/filtering@2.1.0", FILTER[1]]);
        assert!(said.contains("2.1.0") && said.contains("postigo:filter/filtering@1.1.0"), "{said}");
        let said = refused(&["postigo:message/message@1.0.0-rc1"], &FILTER);
        assert!(said.contains("1.0.0-rc1") && said.contains("postigo:message/message@1.0.0,"), "{said}");
    }

    #[test]
    fn a_component_that_is_no_filter_is_refused() {
        assert!(refused(&[], &["wasi:cli/run@0.2.0"]).contains("wasi:cli/run@0.2.0"));
        let empty = refused(&[], &[]);
        assert!(empty.contains("exports nothing") && empty.contains(FILTER[0]) && !empty.contains(OLD), "{empty}");
    }

    #[test]
    fn the_page_for_vendors_shows_these_very_sentences() {
        let page = include_str!("../../../docs/compatibility.md");
        let in_one_line = page.split_whitespace().collect::<Vec<_>>().join(" ");
        for import in ["postigo:message/message@2.0.0", "postigo:plugin/http@1.3.0", "acme:database/query@0.1.0"] {
            let said = refused(&[import], &FILTER);
            assert!(in_one_line.contains(&said), "{said}");
        }
        let half = refused(&[], &FILTER[..1]);
        assert!(in_one_line.contains(&half), "{half}");
        let here = |package: &str| {
            page.contains(&format!("| `{}` | {} |", &package[..package.len() - 6], &package[package.len() - 5..]))
        };
        assert!(
            ["postigo:message@1.0.0", "postigo:plugin@1.1.0", "postigo:filter@1.1.0", "postigo:classifier@1.0.0"]
                .into_iter()
                .all(here)
        );
    }

    #[test]
    fn a_component_is_of_one_world_and_exports_nothing_that_a_later_host_may_know() {
        let both = refused(&[], &[FILTER[0], FILTER[1], OLD]);
        assert!(both.contains(FILTER[0]) && both.contains(OLD) && both.contains("one world only"), "{both}");
        assert_eq!(both, refused(&[], &[OLD, FILTER[1], FILTER[0]]));
        let unknown = refused(&[], &[FILTER[0], FILTER[1], "postigo:tagger/tagging@1.0.0"]);
        for part in ["postigo:tagger/tagging@1.0.0", "does not know", FILTER[0], "postigo:filter/screening@1.1.0"] {
            assert!(unknown.contains(part), "{part} is missing in: {unknown}");
        }
        let screening = refused(&[], &[FILTER[0], FILTER[1], "postigo:filter/screening@2.3.0"]);
        assert!(
            screening.contains("version 2.3.0") && screening.contains("postigo:filter/screening@1.1.0"),
            "{screening}"
        );
        let twice = refused(&[], &[FILTER[0], FILTER[1], "postigo:filter/filtering@1.4.0"]);
        assert!(twice.contains("in two versions") && twice.contains("postigo:filter/filtering@1.4.0"), "{twice}");
        let foreign =
            [FILTER[0], FILTER[1], "postigo:filter/screening@1.1.0", "wasi:cli/run@0.2.0", "acme:own/thing@1.0.0"];
        assert!(taken(&[], &foreign).is_ok());
    }

    #[test]
    fn of_wasi_there_is_what_is_listed_in_version_0_2_and_everything_else_is_refused_by_name() {
        for there in ["wasi:io/poll@0.2.0", "wasi:io/poll@0.2.12", "wasi:http/types@0.2.10", "wasi:sockets/tcp@0.2.4"] {
            assert!(taken(&[there], &FILTER).is_ok(), "{there}");
        }
        let refused_for = |import: &str, parts: &[&str]| {
            let said = refused(&[import], &FILTER);
            assert!(said.contains(import), "{said}");
            for part in parts {
                assert!(said.contains(part), "{part} is missing in: {said}");
            }
        };
        refused_for("wasi:nn/tensor@0.2.0", &["no package wasi:nn", "wasi:cli, wasi:clocks"]);
        refused_for("wasi:io/poll@0.3.0", &["version 0.3.0", "wasi:io/poll of WASI 0.2"]);
        refused_for("wasi:io/poll@0.2.0-rc1", &["version 0.2.0-rc1", "WASI 0.2"]);
        refused_for("wasi:io/poll", &["no version", "WASI 0.2"]);
        refused_for("wasi:cli/tensor@0.2.0", &["no interface `tensor`", "wasi:cli", "environment"]);
        refused_for("wasi:everything", &["offers"]);
    }

    #[test]
    fn wasi_and_later_minor_versions_pass() {
        let later = ["wasi:cli/environment@0.2.0", "postigo:message/message@1.4.0", "postigo:plugin/log@1.1.0"];
        assert_eq!(taken(&later, &["postigo:filter/filtering@1.3.0", FILTER[1]]), Ok("postigo:filter/filter@1.1.0"));
        assert!(outside(&later, &FILTER).wants_wasi());
    }
}
