//! From uploaded bytes to a component that may be run: what it is, what it imports, what it exports. Nothing is compiled here.

use super::contract::HOST_VERSION;
use super::refusal::Refused;
use wasmparser::{Encoding, Parser, Payload};

/// The major version of the contract that this host speaks: every `1.x` component runs on every later `1.x` host.
const MAJOR: &str = "1";
const PACKAGE: &str = "postigo:filter";
/// Interfaces whose names are kept for later versions.
const RESERVED: [&str; 3] = ["state", "http", "assets"];

/// A component of either a component or a core module that says which component it is.
pub(super) fn component_of(bytes: &[u8]) -> Result<Vec<u8>, Refused> {
    let encoding = encoding(bytes)?;
    // The tools behind this take valid bytes for granted.
    wasmparser::Validator::new().validate_all(bytes).map_err(|error| Refused::NotWasm(error.to_string()))?;
    match encoding {
        Encoding::Component => Ok(bytes.to_vec()),
        Encoding::Module => wit_component::ComponentEncoder::default()
            .validate(true)
            .module(bytes)
            .and_then(|mut encoder| encoder.encode())
            .map_err(|error| Refused::NoComponentType(format!("{error:#}"))),
    }
}

fn encoding(bytes: &[u8]) -> Result<Encoding, Refused> {
    match Parser::new(0).parse_all(bytes).next() {
        Some(Ok(Payload::Version { encoding, .. })) => Ok(encoding),
        Some(Err(error)) => Err(Refused::NotWasm(error.message().to_owned())),
        _ => Err(Refused::NotWasm("it does not begin as WebAssembly does".into())),
    }
}

/// What a component has on its outside.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outside {
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
}

impl Outside {
    /// Reads the names of imports and exports of the component itself, not of those inside it.
    pub(super) fn read(component: &[u8]) -> Result<Self, Refused> {
        let broken = |error: wasmparser::BinaryReaderError| Refused::NotWasm(error.to_string());
        let mut outside = Self::default();
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(component) {
            match payload.map_err(broken)? {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        outside.imports.push(import.map_err(broken)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        outside.exports.push(export.map_err(broken)?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(outside)
    }

    /// Refuses what this host does not offer, and what is no filter.
    pub(super) fn check(&self) -> Result<(), Refused> {
        self.imports
            .iter()
            .try_for_each(|import| check_import(import).map_err(|reason| Refused::Import { import: import.clone(), reason }))?;
        check_export(&self.exports)
    }

    /// Whether it imports anything of WASI.
    pub(super) fn wants_wasi(&self) -> bool {
        self.imports.iter().any(|import| import.starts_with("wasi:"))
    }

    /// The name of the export `screening`, where there is one that fits.
    pub(super) fn screening(&self) -> Option<&str> {
        self.exports.iter().find(|export| fits(export, "screening")).map(String::as_str)
    }
}

fn check_import(import: &str) -> Result<(), String> {
    if import.starts_with("wasi:") {
        return Ok(());
    }
    let offered = format!("{PACKAGE}/message@{HOST_VERSION} and {PACKAGE}/log@{HOST_VERSION}");
    let Some((interface, version)) = of_package(import) else {
        return Err(format!("this Postigo offers {offered} only; build the filter against these"));
    };
    let wanted = version.unwrap_or("no version");
    if RESERVED.contains(&interface) {
        return Err(format!(
            "the interface `{interface}` (wanted: {wanted}) is reserved for a later version of Postigo; this one speaks \
             {PACKAGE}@{HOST_VERSION}, which offers {offered}"
        ));
    }
    if !["message", "log"].contains(&interface) {
        return Err(format!("there is no interface `{interface}` (wanted: {wanted}) in {PACKAGE}@{HOST_VERSION}; it offers {offered}"));
    }
    if version.is_some_and(is_ours) {
        return Ok(());
    }
    Err(format!("it wants version {wanted}; this Postigo speaks {HOST_VERSION} and runs every {MAJOR}.x component that needs no more"))
}

fn check_export(exports: &[String]) -> Result<(), Refused> {
    if exports.iter().any(|export| fits(export, "guest")) {
        return Ok(());
    }
    let other = exports.iter().find_map(|export| of_package(export).filter(|(interface, _)| *interface == "guest"));
    let reason = match other {
        Some((_, version)) => format!(
            "the component exports {PACKAGE}/guest in version {}; this Postigo speaks {HOST_VERSION}: build it against that",
            version.unwrap_or("none")
        ),
        None if exports.is_empty() => format!("the component exports nothing; a filter exports {PACKAGE}/guest@{HOST_VERSION}"),
        None => format!("the component exports {}, but not {PACKAGE}/guest@{HOST_VERSION}, as a filter must", exports.join(", ")),
    };
    Err(Refused::Export(reason))
}

/// Interface and version of a name in our package.
fn of_package(name: &str) -> Option<(&str, Option<&str>)> {
    let rest = name.strip_prefix(PACKAGE)?.strip_prefix('/')?;
    Some(match rest.split_once('@') {
        Some((interface, version)) => (interface, Some(version)),
        None => (rest, None),
    })
}

fn fits(name: &str, wanted: &str) -> bool {
    of_package(name).is_some_and(|(interface, version)| interface == wanted && version.is_some_and(is_ours))
}

/// A released version of our major number: `1.2.3`, not `1.2.3-rc1`.
fn is_ours(version: &str) -> bool {
    let mut numbers = version.split('.');
    numbers.next() == Some(MAJOR) && version.split('.').count() == 3 && numbers.all(|number| number.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(imports: &[&str], exports: &[&str]) -> String {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Outside { imports: owned(imports), exports: owned(exports) }.check().map_err(|error| error.to_string()).unwrap_err()
    }

    const GUEST: &str = "postigo:filter/guest@1.0.0";

    #[test]
    fn a_reserved_interface_is_named_with_both_versions() {
        let said = refused(&["postigo:filter/http@1.3.0"], &[GUEST]);
        for part in ["postigo:filter/http@1.3.0", "1.3.0", "reserved", "1.0.0"] {
            assert!(said.contains(part), "{part} is missing in: {said}");
        }
    }

    #[test]
    fn a_foreign_import_is_named() {
        let said = refused(&["acme:database/query@0.1.0"], &[GUEST]);
        assert!(said.contains("acme:database/query@0.1.0") && said.contains("postigo:filter/message@1.0.0"), "{said}");
    }

    #[test]
    fn another_major_version_is_refused() {
        let said = refused(&["postigo:filter/message@2.0.0"], &[GUEST]);
        assert!(said.contains("2.0.0") && said.contains("1.0.0"), "{said}");
        let said = refused(&[], &["postigo:filter/guest@2.1.0"]);
        assert!(said.contains("2.1.0") && said.contains("1.0.0"), "{said}");
    }

    #[test]
    fn a_component_that_is_no_filter_is_refused() {
        assert!(refused(&[], &["wasi:cli/run@0.2.0"]).contains("wasi:cli/run@0.2.0"));
        assert!(refused(&[], &[]).contains("exports nothing"));
    }

    #[test]
    fn wasi_and_later_minor_versions_pass() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let outside = Outside {
            imports: names(&["wasi:cli/environment@0.2.0", "postigo:filter/message@1.4.0", "postigo:filter/log@1.0.0"]),
            exports: names(&[GUEST]),
        };
        assert_eq!(outside.check(), Ok(()));
        assert!(outside.wants_wasi());
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

        #[test]
        fn no_bytes_break_the_reading(mut bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400), magic: Option<bool>) {
            if let Some(component) = magic {
                let beginning = if component { b"\0asm\x0d\0\x01\0" } else { b"\0asm\x01\0\0\0" };
                bytes.splice(0..0, beginning.iter().copied());
            }
            // Taken or refused: both are fine.
            let _ = component_of(&bytes);
            let _ = Outside::read(&bytes).map(|outside| outside.check());
        }
    }

    #[test]
    fn bytes_that_are_no_wasm_are_said_to_be_none() {
        assert!(matches!(component_of(b""), Err(Refused::NotWasm(_))));
        assert!(matches!(component_of(b"PK\x03\x04 a zip file"), Err(Refused::NotWasm(_))));
        assert!(matches!(component_of(b"\0asm\x01\0\0\0"), Err(Refused::NoComponentType(_) | Refused::Export(_)) | Ok(_)));
    }
}
