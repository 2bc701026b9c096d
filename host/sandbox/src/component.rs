//! From uploaded bytes to a component that may be run: what it is, what it imports, what it exports. Nothing is
//! compiled here.

use super::refusal::UploadRefusal;
use wasmparser::{Encoding, Parser, Payload};

/// The module that programs import the first WASI from.
const PREVIEW_1: &str = "wasi_snapshot_preview1";

/// A component of either a component or a core module that says which component it is; `worlds` names those that it may
/// be built against.
pub(super) fn component_of(bytes: &[u8], worlds: &str) -> Result<Vec<u8>, UploadRefusal> {
    let encoding = encoding(bytes)?;
    // The tools behind this take valid bytes for granted.
    wasmparser::Validator::new().validate_all(bytes).map_err(|error| UploadRefusal::NotWasm(error.to_string()))?;
    match encoding {
        Encoding::Component => Ok(bytes.to_vec()),
        Encoding::Module => wit_component::ComponentEncoder::default()
            .validate(true)
            .module(bytes)
            .and_then(|mut encoder| encoder.encode())
            .map_err(|error| UploadRefusal::NoComponentType {
                reason: why_no_component(&format!("{error:#}")),
                worlds: worlds.to_owned(),
            }),
    }
}

/// What the tools say, and what to do where that is known.
fn why_no_component(said: &str) -> String {
    if said.contains(PREVIEW_1) {
        return format!(
            "it imports `{PREVIEW_1}`, WASI preview 1, which a component lacks; make a component of it by `wasm-tools component new --adapt` \
             with wasmtime's reactor adapter, which leads it to WASI 0.2: {said}"
        );
    }
    said.to_owned()
}

fn encoding(bytes: &[u8]) -> Result<Encoding, UploadRefusal> {
    match Parser::new(0).parse_all(bytes).next() {
        Some(Ok(Payload::Version { encoding, .. })) => Ok(encoding),
        Some(Err(error)) => Err(UploadRefusal::NotWasm(error.message().to_owned())),
        _ => Err(UploadRefusal::NotWasm("it does not begin as WebAssembly does".into())),
    }
}

/// Bytes of the code in a module, or in all modules of a component, as far as it can be read. Unchecked.
pub(super) fn code_bytes(bytes: &[u8]) -> usize {
    let sections = Parser::new(0).parse_all(bytes).map_while(Result::ok);
    let code = sections.map(|payload| match payload {
        Payload::CodeSectionEntry(body) => body.range().len(),
        _ => 0,
    });
    code.sum()
}

/// What a component has on its outside.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outside {
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
}

impl Outside {
    /// Reads the names of imports and exports of the component itself, not of those inside it.
    pub(super) fn read(component: &[u8]) -> Result<Self, UploadRefusal> {
        let broken = |error: wasmparser::BinaryReaderError| UploadRefusal::NotWasm(error.to_string());
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

    /// Whether it imports anything of WASI.
    pub(super) fn wants_wasi(&self) -> bool {
        self.imports.iter().any(|import| import.starts_with("wasi:"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::world_of;
    use crate::world::World;
    use crate::worlds::WORLDS;

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

        #[test]
        fn no_bytes_break_the_reading(mut bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400), magic: Option<bool>) {
            if let Some(component) = magic {
                let beginning = if component { b"\0asm\x0d\0\x01\0" } else { b"\0asm\x01\0\0\0" };
                bytes.splice(0..0, beginning.iter().copied());
            }
            // Taken or refused: both are fine.
            let _ = component_of(&bytes, "");
            let _ = Outside::read(&bytes).map(|outside| world_of(&outside, WORLDS).map(World::name));
        }
    }

    #[test]
    fn a_module_of_wasi_preview_1_is_told_what_it_lacks() {
        let text =
            r#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32))))"#;
        let said = component_of(&wat::parse_str(text).unwrap(), "worlds").unwrap_err().to_string();
        assert!(said.contains("WASI preview 1") && said.contains("--adapt"), "{said}");
    }

    #[test]
    fn bytes_that_are_no_wasm_are_said_to_be_none() {
        assert!(matches!(component_of(b"", ""), Err(UploadRefusal::NotWasm(_))));
        assert!(matches!(component_of(b"PK\x03\x04 a zip file", ""), Err(UploadRefusal::NotWasm(_))));
        let empty = component_of(b"\0asm\x01\0\0\0", "");
        assert!(matches!(empty, Err(UploadRefusal::NoComponentType { .. } | UploadRefusal::Export(_)) | Ok(_)));
    }
}
