//! Functions of a component that were compiled before: a snapshot differs from the last one in its data alone, so that
//! its code need not be compiled again.

use super::cache_folder::{note_use, read_checked, write_checked};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use wasmtime::CacheStore;

/// Bytes kept of one component: an interpreter of 32 MiB has about 100.
const KEPT: usize = 128 << 20;

/// The functions of one component, in a file of their own.
#[derive(Debug)]
pub(super) struct Functions {
    path: PathBuf,
    known: Mutex<KnownFunctions>,
}

#[derive(Debug, Default)]
struct KnownFunctions {
    functions: HashMap<Vec<u8>, Vec<u8>>,
    bytes: usize,
    changed: bool,
}

impl Functions {
    /// Reads the file; without one, nothing is known yet.
    pub(super) fn read(path: &Path) -> Self {
        let known = read_checked(path).and_then(|bytes| parse(&bytes)).unwrap_or_default();
        Self { path: path.to_owned(), known: Mutex::new(known) }
    }

    /// Writes what is new. Failing costs time at the next snapshot, no more.
    pub(super) fn write(&self) -> std::io::Result<()> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.changed {
            note_use(&self.path);
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(known.bytes);
        for part in known.functions.iter().flat_map(|(key, value)| [key, value]) {
            bytes.extend_from_slice(&u32::try_from(part.len()).map_err(std::io::Error::other)?.to_le_bytes());
            bytes.extend_from_slice(part);
        }
        write_checked(&self.path, &bytes)
    }
}

impl CacheStore for Functions {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .functions
            .get(key)
            .map(|value| Cow::Owned(value.clone()))
    }

    fn insert(&self, key: &[u8], value: Vec<u8>) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = key.len() + value.len() + 8;
        if known.bytes + bytes > KEPT {
            return false;
        }
        known.bytes += bytes;
        known.changed = true;
        known.functions.insert(key.to_vec(), value);
        true
    }
}

fn parse(mut bytes: &[u8]) -> Option<KnownFunctions> {
    let mut known = KnownFunctions { bytes: bytes.len(), ..KnownFunctions::default() };
    while !bytes.is_empty() {
        let key = part(&mut bytes)?;
        let value = part(&mut bytes)?;
        known.functions.insert(key, value);
    }
    Some(known)
}

fn part(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *bytes = rest;
    Some(part.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_compiled_is_known_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("functions");
        let first = Functions::read(&path);
        assert!(first.insert(b"key", b"code".to_vec()));
        first.write().unwrap();
        let second = Functions::read(&path);
        assert_eq!(second.get(b"key").as_deref(), Some(b"code".as_slice()));
        assert_eq!(second.get(b"other"), None);
    }
}
