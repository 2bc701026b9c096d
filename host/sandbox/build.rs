//! Embeds the shipped filter components: writes the list that `runtime::shipped` includes.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The shipped components, each built by `make guests` as `target/guests/NAME.wasm`.
const SHIPPED: [&str; 4] = ["auto-reply-guard", "classifier", "match", "ticket-number"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let workspace = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../..");
    // A relative CARGO_TARGET_DIR is meant from the workspace, as .ci/build-guests takes it.
    let target =
        workspace.join(std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from));
    let guests = target.join("guests");
    println!("cargo::rerun-if-env-changed=CARGO_TARGET_DIR");
    println!("cargo::rerun-if-changed=build.rs");

    let mut list = String::from("&[\n");
    let mut missing = false;
    for name in SHIPPED {
        let file = guests.join(name).with_extension("wasm");
        if file.is_file() {
            println!("cargo::rerun-if-changed={}", file.display());
            let path = std::path::absolute(&file)?.to_string_lossy().into_owned();
            writeln!(list, "    ({name:?}, include_bytes!({path:?})),")?;
        } else {
            missing = true;
        }
    }
    list.push_str("]\n");
    if missing {
        // The folder is watched until the files are there. It must exist: a watched path that doesn't makes every build
        // a new one.
        std::fs::create_dir_all(&guests)?;
        println!("cargo::rerun-if-changed={}", guests.display());
        println!(
            "cargo::warning=shipped filters are missing from {}: run `make guests` to build them",
            guests.display()
        );
    }
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("shipped.rs"), list)?;
    Ok(())
}
