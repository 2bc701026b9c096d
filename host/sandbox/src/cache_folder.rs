//! What is kept on disk between starts: snapshots, and functions that were compiled before. Nothing here is needed:
//! what is missing or damaged is made anew.

use super::contract::{GroupSpec, GroupStart};
use postigo_model::guest::Grant;
use postigo_model::hexadecimal::hexadecimal;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// Changes when a snapshot made before would not be right any more: with this format, wasmtime or wizer.
const GENERATION: &str = "postigo 1, wasmtime 48, wizer 48";
/// Bytes of all snapshots kept; the ones that were not used for the longest time go first. A snapshot of an interpreter
/// of 32 MiB has twice that.
const SNAPSHOTS: u64 = 1 << 30;
/// Bytes of the functions kept of all components, in the same way.
const FUNCTIONS: u64 = 512 << 20;
/// Bytes of the compiled code that wasmtime keeps, and tidies by itself now and then. An interpreter of 32 MiB has about
/// 100 MiB of it, in three files: as it is, its snapshot, and that again by the name that the daemon looks for.
pub(super) const CODE: u64 = 2 << 30;
const DIGEST: usize = 32;

/// The folder of the caches.
#[derive(Debug, Clone)]
pub(super) struct CacheFolder {
    folder: PathBuf,
}

impl CacheFolder {
    /// Opens the folder, and makes it for its owner alone where it is missing.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        for folder in [folder, &folder.join("code"), &folder.join("snapshots"), &folder.join("functions")] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A kept snapshot.
    pub(super) fn snapshot(&self, key: &str) -> Option<(GroupStart, Vec<u8>)> {
        let path = self.snapshot_path(key);
        let bytes = read_checked(&path)?;
        let (header, snapshot) = split(&bytes)?;
        let made = serde_json::from_slice(header).ok()?;
        note_use(&path);
        Some((made, snapshot.to_vec()))
    }

    /// Keeps a snapshot. Failing costs time at the next start, no more.
    pub(super) fn keep_snapshot(&self, key: &str, made: &GroupStart, snapshot: &[u8]) -> io::Result<()> {
        let header = serde_json::to_vec(made)?;
        let mut bytes = u32::try_from(header.len()).map_err(io::Error::other)?.to_le_bytes().to_vec();
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(snapshot);
        write_checked(&self.snapshot_path(key), &bytes)?;
        forget_old(&self.folder.join("snapshots"), SNAPSHOTS)
    }

    /// Where compiled functions of a component are kept.
    pub(super) fn functions_path(&self, digest: &str) -> PathBuf {
        self.folder.join("functions").join(file_name(digest))
    }

    /// After functions were written: forgets those of the components that were not compiled for the longest time.
    pub(super) fn forget_old_functions(&self) -> io::Result<()> {
        forget_old(&self.folder.join("functions"), FUNCTIONS)
    }

    /// Forgets the functions of a component that is refused after all.
    pub(super) fn forget_functions(&self, digest: &str) {
        // What stays goes when it is the oldest.
        fs::remove_file(self.functions_path(digest)).ok();
    }

    pub(super) fn snapshot_path(&self, key: &str) -> PathBuf {
        self.folder.join("snapshots").join(file_name(key))
    }
}

/// Deletes the files of a folder that were not used for the longest time, until the others have `most` bytes.
fn forget_old(folder: &Path, most: u64) -> io::Result<()> {
    let mut files = fs::read_dir(folder)?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let metadata = entry.metadata().ok()?;
            Some((metadata.modified().ok()?, metadata.len(), entry.path()))
        })
        .collect::<Vec<_>>();
    files.sort_unstable();
    let mut kept: u64 = files.iter().map(|(_, length, _)| length).sum();
    for (_, length, path) in &files {
        if kept <= most {
            break;
        }
        fs::remove_file(path)?;
        kept -= length;
    }
    Ok(())
}

/// Notes that a file is used now. Where that fails, it merely goes earlier.
pub(super) fn note_use(path: &Path) {
    File::options().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now())).ok();
}

/// The key of a group's snapshot: everything that it depends on.
pub(super) fn snapshot_key(spec: &GroupSpec) -> String {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    add(GENERATION.as_bytes());
    add(&Sha256::digest(&spec.component));
    add(&spec.limits.memory.to_le_bytes());
    add(Grant::list(&spec.grants).as_bytes());
    for member in &spec.members {
        add(member.name.as_bytes());
        add(member.settings.to_string().as_bytes());
        add(&(member.assets.len() as u64).to_le_bytes());
        for asset in &member.assets {
            add(asset.name.as_bytes());
            add(asset.digest.as_bytes());
            add(asset.format.as_bytes());
        }
    }
    hexadecimal(&hash.finalize())
}

/// A name without a path in it, whatever the digest is said to be.
fn file_name(digest: &str) -> String {
    digest.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}

/// Reads a file that [`write_checked`] wrote; none where it is missing or damaged.
pub(super) fn read_checked(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = fs::read(path).ok()?;
    let content = bytes.len().checked_sub(DIGEST)?;
    let digest = bytes.split_off(content);
    if Sha256::digest(&bytes).as_slice() == digest {
        return Some(bytes);
    }
    tracing::warn!("{} is damaged and will be made anew", path.display());
    None
}

/// Writes a file whole or not at all, with its digest at its end.
pub(super) fn write_checked(path: &Path, bytes: &[u8]) -> io::Result<()> {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let temporary =
        path.with_extension(format!("{}-{}.new", std::process::id(), WRITTEN.fetch_add(1, Ordering::Relaxed)));
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.write_all(&Sha256::digest(bytes))
    });
    written.and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| {
        fs::remove_file(&temporary).ok();
    })
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Asset, GroupMember, WorldDescription};
    use postigo_model::guest::GuestLimits;
    use std::sync::Arc;

    #[test]
    fn a_damaged_snapshot_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let kept = CacheFolder::open(folder.path()).unwrap();
        let made = GroupStart { memory: 7, unsnapshotable: None, of_world: WorldDescription::default() };
        kept.keep_snapshot("ab", &made, b"snapshot").unwrap();
        assert_eq!(kept.snapshot("ab"), Some((made, b"snapshot".to_vec())));
        let path = folder.path().join("snapshots/ab");
        let mut bytes = fs::read(&path).unwrap();
        bytes[6] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(kept.snapshot("ab"), None);
    }

    #[test]
    fn what_was_not_used_for_the_longest_time_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        for (age, name) in [(3, "old"), (2, "older-but-used"), (1, "new")] {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_len(100).unwrap();
            file.set_modified(SystemTime::now() - std::time::Duration::from_secs(100 * age)).unwrap();
        }
        note_use(&folder.path().join("older-but-used"));
        let left = || fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        forget_old(folder.path(), 300).unwrap();
        assert_eq!(left().len(), 3);
        forget_old(folder.path(), 250).unwrap();
        assert!(left().len() == 2 && !left().contains(&"old".into()), "{:?}", left());
        forget_old(folder.path(), 100).unwrap();
        assert_eq!(left(), ["older-but-used"]);
    }

    #[test]
    fn the_key_changes_with_everything_that_matters() {
        let member = |name: &str, settings: &str, asset: &[u8]| GroupMember {
            assets: vec![Asset::new("model", "acme/1", asset)],
            ..GroupMember::new(name, serde_json::json!({ "a": settings }))
        };
        let spec = |component: &[u8], name: &str, settings: &str, grant: Grant, memory: u64, asset: &[u8]| {
            snapshot_key(&GroupSpec {
                component: Arc::from(component),
                digest: String::new(),
                members: vec![member(name, settings, asset)],
                grants: vec![grant],
                limits: GuestLimits { memory, ..GuestLimits::default() },
            })
        };
        let keys = [
            spec(b"c", "n", "s", Grant::Body, 1, b"a"),
            spec(b"d", "n", "s", Grant::Body, 1, b"a"),
            spec(b"c", "m", "s", Grant::Body, 1, b"a"),
            spec(b"c", "n", "t", Grant::Body, 1, b"a"),
            spec(b"c", "n", "s", Grant::Raw, 1, b"a"),
            spec(b"c", "n", "s", Grant::Body, 2, b"a"),
            spec(b"c", "n", "s", Grant::Body, 1, b"b"),
        ];
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }
}
