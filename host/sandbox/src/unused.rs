//! What of the cache nobody used for long: each change of a filter leaves the snapshot and the code that it had before.

use super::cache_folder::note_use;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What was not used for so long goes. Whoever goes back to it within that time finds it.
pub(super) const UNUSED: Duration = Duration::from_hours(7 * 24);

/// The files of the cache that a group was loaded from.
#[derive(Debug, Clone)]
pub(super) struct GroupFiles {
    pub(super) snapshot: PathBuf,
    pub(super) functions: PathBuf,
    /// The name that its code has in the folder of each of wasmtime's versions.
    pub(super) code: String,
}

impl GroupFiles {
    /// Notes that they are in use.
    pub(super) fn note_use(&self, folder: &Path) {
        let code = folders(&folder.join("code/modules")).into_iter().map(|version| version.join(&self.code));
        for path in code.chain([self.snapshot.clone(), self.functions.clone()]) {
            note_use(&path);
        }
    }
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// Deletes what was not used for so long; gives its bytes.
pub(super) fn forget(folder: &Path, unused: Duration) -> io::Result<u64> {
    let Some(before) = SystemTime::now().checked_sub(unused) else { return Ok(0) };
    let kept = [folder.join("snapshots"), folder.join("functions")];
    let mut forgotten = 0;
    for folder in kept.into_iter().chain(folders(&folder.join("code/modules"))) {
        forgotten += forget_in(&folder, before)?;
    }
    Ok(forgotten)
}

/// wasmtime notes beside each file of code, in another one of its name and `.stats`, when it was used.
fn forget_in(folder: &Path, before: SystemTime) -> io::Result<u64> {
    let mut used: HashMap<String, (SystemTime, u64, Vec<PathBuf>)> = HashMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (Ok(metadata), Ok(name)) = (entry.metadata(), entry.file_name().into_string()) else { continue };
        // Those with a dot before them are wasmtime's own.
        if !metadata.is_file() || name.starts_with('.') {
            continue;
        }
        let at = metadata.modified()?;
        let name = name.strip_suffix(".stats").unwrap_or(&name).to_owned();
        let (last, bytes, paths) = used.entry(name).or_insert((at, 0, Vec::new()));
        *last = at.max(*last);
        *bytes += metadata.len();
        paths.push(entry.path());
    }
    let mut forgotten = 0;
    for (last, bytes, paths) in used.into_values() {
        if last < before {
            forgotten += bytes;
            for path in paths {
                match fs::remove_file(path) {
                    // Somebody else removed it, wasmtime perhaps.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    removed => removed?,
                }
            }
        }
    }
    Ok(forgotten)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache_folder::CacheFolder;
    use std::fs::File;

    #[test]
    fn what_is_in_use_stays_and_what_nobody_used_for_long_goes() {
        let folder = tempfile::tempdir().unwrap();
        CacheFolder::open(folder.path()).unwrap();
        fs::create_dir_all(folder.path().join("code/modules/wasmtime-48")).unwrap();
        let make = |name: &str, days: u64| {
            let path = folder.path().join(name);
            let file = File::create(&path).unwrap();
            file.set_len(100).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_hours(24 * days)).unwrap();
            path
        };
        let code = "code/modules/wasmtime-48";
        let (snapshot, functions) = (make("snapshots/used", 30), make("functions/used", 30));
        let used = make(&format!("{code}/used"), 30);
        let noted = make(&format!("{code}/noted"), 30);
        make(&format!("{code}/noted.stats"), 1);
        let new = make("snapshots/new", 6);
        let gone = [
            make("snapshots/old", 8),
            make("functions/old", 8),
            make(&format!("{code}/old"), 9),
            make(&format!("{code}/old.stats"), 8),
        ];
        let group = GroupFiles { snapshot: snapshot.clone(), functions: functions.clone(), code: "used".into() };
        group.note_use(folder.path());
        assert_eq!(forget(folder.path(), UNUSED).unwrap(), 400);
        assert!([&snapshot, &functions, &used, &noted, &new].iter().all(|path| path.exists()));
        assert!(gone.iter().all(|path| !path.exists()));
    }
}
