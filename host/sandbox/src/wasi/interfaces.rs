//! Which interfaces of WASI there are here. A fixed list: what a later WASI adds is refused by name, not answered by
//! what its types look like.

/// The packages, with their interfaces: all that compilers, adapters and interpreters of today import.
const PACKAGES: [(&str, &[&str]); 7] = [
    (
        "wasi:cli",
        &[
            "environment",
            "exit",
            "stdin",
            "stdout",
            "stderr",
            "terminal-input",
            "terminal-output",
            "terminal-stdin",
            "terminal-stdout",
            "terminal-stderr",
        ],
    ),
    ("wasi:clocks", &["monotonic-clock", "wall-clock"]),
    ("wasi:filesystem", &["preopens", "types"]),
    ("wasi:http", &["outgoing-handler", "types"]),
    ("wasi:io", &["error", "poll", "streams"]),
    ("wasi:random", &["random", "insecure", "insecure-seed"]),
    (
        "wasi:sockets",
        &["instance-network", "ip-name-lookup", "network", "tcp", "tcp-create-socket", "udp", "udp-create-socket"],
    ),
];

/// Whether an import (`wasi:io/poll@0.2.6`) is there; a sentence that names what is, where not. The package and
/// interface are given apart, with the version that is wanted.
pub(crate) fn check(package: &str, interface: &str, version: Option<&str>) -> Result<(), String> {
    let said = version.unwrap_or("no version");
    let Some((_, interfaces)) = PACKAGES.iter().find(|(here, _)| *here == package) else {
        let packages = PACKAGES.map(|(package, _)| package).join(", ");
        return Err(format!(
            "this Postigo has no package {package}; of WASI it offers version 0.2 of {packages} only, with nothing behind them: build the \
             component without {package}"
        ));
    };
    if !interfaces.contains(&interface) {
        return Err(format!(
            "there is no interface `{interface}` (wanted: {said}) in this Postigo's {package}, version 0.2; it has {}",
            interfaces.join(", ")
        ));
    }
    let is_0_2 = |version: semver::Version| (version.major, version.minor) == (0, 2) && version.pre.is_empty();
    if version.and_then(|version| semver::Version::parse(version).ok()).is_some_and(is_0_2) {
        return Ok(());
    }
    Err(format!(
        "it wants version {said}; this Postigo has {package}/{interface} of WASI 0.2, build the component for that"
    ))
}
