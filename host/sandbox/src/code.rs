//! Compiled code on disk, on its way from the child, which compiles, to the daemon, which cannot.
//!
//! wasmtime keeps what it compiles in files named after everything that the code depends on, the compiler's settings
//! among them. The daemon's engines have no compiler, so that they look for another name and, where they find nothing,
//! give an error. The child gives what it compiled that other name as well.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::Path;
use wasmtime::Engine;

/// Gives the code of a component that `compiling` compiled the name that `loading`, an engine without compiler, looks
/// for. `folder` is where both keep code.
pub(super) fn offer(folder: &Path, compiling: &Engine, loading: &Engine, component: &[u8]) -> io::Result<()> {
    let (made, wanted) = (name(compiling, component), name(loading, component));
    // wasmtime has a folder for each of its versions.
    for version in fs::read_dir(folder.join("modules"))? {
        let version = version?.path();
        if version.join(&made).exists() {
            // What stands there may be of another processor; a rename takes its place at once.
            let beside = version.join(format!("{wanted}.{}.new", std::process::id()));
            return fs::hard_link(version.join(&made), &beside)
                .and_then(|()| fs::rename(&beside, version.join(&wanted)));
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "what was compiled is not on disk"))
}

/// Deletes the code of a component that `engine` compiled. What stays does no harm: wasmtime deletes what is old.
pub(super) fn forget(folder: &Path, engine: &Engine, component: &[u8]) {
    let name = name(engine, component);
    for version in fs::read_dir(folder.join("modules")).into_iter().flatten().flatten() {
        fs::remove_file(version.path().join(&name)).ok();
    }
}

/// The name of the file that an engine keeps a component's code in, as wasmtime forms it: what the engine depends on,
/// the bytes, no package of debugging information, no unsafe intrinsics.
pub(super) fn name(engine: &Engine, component: &[u8]) -> String {
    let mut hasher = Sha256Hasher(Sha256::new());
    (engine.precompile_compatibility_hash(), component, None::<&[u8]>, None::<&str>).hash(&mut hasher);
    URL_SAFE_NO_PAD.encode(hasher.0.finalize())
}

struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Not what is asked for.
    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::{ChildEngine, Engines};
    use crate::functions::Functions;
    use std::sync::Arc;
    use wasmtime::component::Component;

    #[test]
    fn the_daemons_engines_run_what_a_child_compiled_and_compile_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = wat::parse_str("(component (core module (func (export \"f\") (result i32) i32.const 7)))").unwrap();
        let daemon = Engines::start(folder.path(), &[]).unwrap();
        let engines = || std::iter::once(&daemon.plain).chain(&daemon.fast);
        assert!(engines().all(|loader| Component::new(&loader.engine, &bytes).is_err()), "nothing is compiled here");
        let child = ChildEngine::start(folder.path(), &[], Arc::new(Functions::read(&folder.path().join("functions"))))
            .unwrap();
        Component::new(&child.loader.engine, &bytes).unwrap();
        assert!(
            engines().all(|loader| Component::new(&loader.engine, &bytes).is_err()),
            "what was not offered is not found"
        );
        child.offer(&bytes).unwrap();
        assert!(engines().all(|loader| Component::new(&loader.engine, &bytes).is_ok()));
        // The cache's own thread may still note in it what was used.
        while let Err(error) = std::fs::remove_dir_all(folder.path().join("code")) {
            assert_eq!(error.kind(), std::io::ErrorKind::DirectoryNotEmpty, "{error}");
        }
        assert!(engines().all(|loader| Component::new(&loader.engine, &bytes).is_err()), "nor when the code is gone");
        assert!(child.offer(&bytes).is_err());
    }
}
