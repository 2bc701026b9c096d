//! Secrets at rest: sealed under a key that lies outside the database.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use postigo_files::data_folder;
use postigo_files::regular_file;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Bytes of the key.
const KEY: usize = 32;
/// A key file has at most so many bytes.
const LARGEST_FILE: u64 = 4096;
/// Bytes of a nonce; long enough to be drawn at random for every secret.
const NONCE: usize = 24;
/// Before what is sealed for where it goes.
const BOUND: &str = "bound:";

/// A key that cannot be used, or a secret that it does not open.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The key file cannot be read or made.
    #[error("The key file {} cannot be used: {reason}", path.display())]
    KeyFile {
        /// Its path.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// The sealed secret was sealed under another key, for another place, or was damaged.
    #[error(
        "The key in {} does not open the secret of {place}: another key sealed it, or where it goes was changed in the database by hand. \
         Give the key that sealed it (--key FILE), or set the secret again.",
        path.display()
    )]
    Sealed {
        /// The key's path.
        path: PathBuf,
        /// Whose secret: `account main, password`.
        place: String,
    },
}

/// The key that seals secrets. Its file is read, or made, when the first secret needs it; never made where there are
/// secrets already. Cheap to clone.
#[derive(Clone)]
pub struct SecretKey {
    path: Arc<Path>,
    cipher: Arc<OnceLock<XChaCha20Poly1305>>,
    /// Whether there are secrets that it sealed.
    is_needed: Arc<AtomicBool>,
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SecretKey({})", self.path.display())
    }
}

impl SecretKey {
    /// The key in this file; nothing is read yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into().into(), cipher: Arc::default(), is_needed: Arc::default() }
    }

    /// There are secrets that the key sealed: another in its place would not open them, so none is made.
    pub fn need(&self) {
        self.is_needed.store(true, Ordering::Relaxed);
    }

    /// Reads the key's file, and makes it (mode 600) where there is none and no secret needs it.
    pub fn check(&self) -> Result<(), SecretError> {
        self.cipher()?;
        // It may have gone, or been given to somebody else, since it was read.
        self.read()?.map(|_| ()).ok_or_else(|| self.missing())
    }

    /// Seals a secret for `place`: opened for any other, it fails.
    pub fn seal(&self, place: &str, clear: &str) -> Result<String, SecretError> {
        self.seal_with(place, place.as_bytes(), clear)
    }

    /// Opens what [`SecretKey::seal`] gave for the same place.
    pub fn open(&self, place: &str, sealed: &str) -> Result<String, SecretError> {
        self.open_with(place, place.as_bytes(), sealed)
    }

    /// Seals bytes for `place`: opened for any other, they fail.
    pub fn seal_bytes(&self, place: &str, clear: &[u8]) -> Result<Vec<u8>, SecretError> {
        self.encrypt(place, place.as_bytes(), clear)
    }

    /// Opens what [`SecretKey::seal_bytes`] gave for the same place.
    pub fn open_bytes(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, SecretError> {
        self.need();
        self.decrypt(place, place.as_bytes(), sealed)
    }

    /// Seals a secret for `place` and for where it goes: with another destination beside it, it does not open.
    pub fn seal_for(&self, place: &str, destination: &str, clear: &str) -> Result<String, SecretError> {
        Ok(format!("{BOUND}{}", self.seal_with(place, &both(place, destination), clear)?))
    }

    /// Opens what [`SecretKey::seal_for`] gave for the same place and destination.
    pub fn open_for(&self, place: &str, destination: &str, sealed: &str) -> Result<String, SecretError> {
        let sealed = sealed.strip_prefix(BOUND).ok_or_else(|| self.does_not_open(place))?;
        self.open_with(place, &both(place, destination), sealed)
    }

    /// Whether a sealed secret is sealed for where it goes; earlier versions sealed for a place alone.
    pub fn is_bound(sealed: &str) -> bool {
        sealed.starts_with(BOUND)
    }

    fn seal_with(&self, place: &str, aad: &[u8], clear: &str) -> Result<String, SecretError> {
        Ok(STANDARD.encode(self.encrypt(place, aad, clear.as_bytes())?))
    }

    fn encrypt(&self, place: &str, aad: &[u8], clear: &[u8]) -> Result<Vec<u8>, SecretError> {
        let cipher = self.cipher()?;
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce)
            .map_err(|error| self.unusable(format!("the system gives no random bytes ({error}).")))?;
        let sealed = cipher
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: clear, aad })
            .map_err(|_| self.does_not_open(place))?;
        Ok([&nonce[..], &sealed].concat())
    }

    fn open_with(&self, place: &str, aad: &[u8], sealed: &str) -> Result<String, SecretError> {
        self.need();
        let bytes = STANDARD.decode(sealed).map_err(|_| self.does_not_open(place))?;
        String::from_utf8(self.decrypt(place, aad, &bytes)?).map_err(|_| self.does_not_open(place))
    }

    fn decrypt(&self, place: &str, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SecretError> {
        let cipher = self.cipher()?;
        let (nonce, sealed) = sealed.split_at_checked(NONCE).ok_or_else(|| self.does_not_open(place))?;
        let opened = cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad });
        opened.map_err(|_| self.does_not_open(place))
    }

    fn cipher(&self) -> Result<&XChaCha20Poly1305, SecretError> {
        if let Some(cipher) = self.cipher.get() {
            return Ok(cipher);
        }
        let key = match self.read()? {
            Some(key) => key,
            None if self.is_needed.load(Ordering::Relaxed) => return Err(self.missing()),
            None => self.make()?,
        };
        Ok(self.cipher.get_or_init(|| XChaCha20Poly1305::new((&key).into())))
    }

    /// None where there is no file yet.
    fn read(&self) -> Result<Option<[u8; KEY]>, SecretError> {
        let file = match regular_file::open_named(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.unusable(format!("{error}."))),
        };
        let mode = file.metadata().map_err(|error| self.unusable(format!("{error}.")))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(self.unusable(format!(
                "others may read it (mode {:03o}); run: chmod 600 {}",
                mode & 0o777,
                self.path.display()
            )));
        }
        let text =
            regular_file::read_at_most(file, LARGEST_FILE).map_err(|error| self.unusable(format!("{error}.")))?;
        let key = STANDARD.decode(text.trim_ascii()).ok().and_then(|key| key.try_into().ok());
        key.map(Some).ok_or_else(|| self.unusable(format!("it does not hold {KEY} bytes in base64.")))
    }

    /// Writes a new key beside its place and links it there, so that two programs that start at once end up with one
    /// key.
    fn make(&self) -> Result<[u8; KEY], SecretError> {
        let mut key = [0; KEY];
        getrandom::fill(&mut key)
            .map_err(|error| self.unusable(format!("the system gives no random bytes ({error}).")))?;
        let draft = self.path.with_extension(format!("new-{}", std::process::id()));
        let written = self.write(&draft, &key);
        let linked = written.and_then(|()| std::fs::hard_link(&draft, &self.path));
        // A draft that stays behind harms nobody.
        let _ = std::fs::remove_file(&draft);
        match linked {
            Ok(()) => Ok(key),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                self.read()?.ok_or_else(|| self.unusable("it came and went while it was read.".into()))
            }
            Err(error) => Err(self.unusable(format!("it could not be made: {error}."))),
        }
    }

    fn write(&self, draft: &Path, key: &[u8; KEY]) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            data_folder::make(folder)?;
        }
        // A draft that a process of the same id left goes; nothing is written through a link.
        let _ = std::fs::remove_file(draft);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
        writeln!(file, "{}", STANDARD.encode(key))?;
        file.sync_all()?;
        // Before it has its name: a daemon that is another user must be able to read it.
        data_folder::give_to_owner(draft);
        Ok(())
    }

    fn missing(&self) -> SecretError {
        let path = self.path.display();
        self.unusable(format!(
            "it is missing, and secrets in the database were sealed with it. Put it back from a backup, or name it with --key FILE. \
             If it is lost for good, make another (head -c {KEY} /dev/urandom | base64 > {path}; chmod 600 {path}) and set each secret again."
        ))
    }

    fn unusable(&self, reason: String) -> SecretError {
        SecretError::KeyFile { path: self.path.to_path_buf(), reason }
    }

    fn does_not_open(&self, place: &str) -> SecretError {
        SecretError::Sealed { path: self.path.to_path_buf(), place: place.to_owned() }
    }
}

/// Place and destination, told apart.
fn both(place: &str, destination: &str) -> Vec<u8> {
    [place.as_bytes(), b"\0", destination.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_for_its_own_place_only() {
        let folder = tempfile::tempdir().unwrap();
        let key = SecretKey::at(folder.path().join("key"));
        let sealed = key.seal("account main, password", "pässword").unwrap();
        assert!(!sealed.contains("pässword"));
        assert_eq!(key.open("account main, password", &sealed).unwrap(), "pässword");
        assert!(matches!(key.open("account other, password", &sealed), Err(SecretError::Sealed { .. })));
        assert!(matches!(key.open("account main, password", "AAAA"), Err(SecretError::Sealed { .. })));
    }

    #[test]
    fn a_secret_that_is_bound_opens_for_its_own_destination_only() {
        let folder = tempfile::tempdir().unwrap();
        let key = SecretKey::at(folder.path().join("key"));
        let sealed = key.seal_for("account main", "a.example", "clear").unwrap();
        assert_eq!(key.open_for("account main", "a.example", &sealed).unwrap(), "clear");
        for (place, destination) in
            [("account main", "b.example"), ("account other", "a.example"), ("account main\0a", ".example")]
        {
            let error = key.open_for(place, destination, &sealed).unwrap_err().to_string();
            assert!(error.contains("changed in the database by hand"), "{error}");
        }
        let alone = key.seal("account main", "clear").unwrap();
        assert!(SecretKey::is_bound(&sealed) && !SecretKey::is_bound(&alone));
        assert!(key.open_for("account main", "a.example", &alone).is_err());
        assert!(key.open("account main", &sealed).is_err());
    }

    #[test]
    fn the_key_is_made_once_with_mode_600_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/key");
        let sealed = SecretKey::at(&path).seal("x", "clear").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SecretKey::at(&path).open("x", &sealed).unwrap(), "clear");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft stays behind");
    }

    #[test]
    fn a_lost_key_is_never_replaced_while_a_secret_needs_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = SecretKey::at(&path);
        let sealed = key.seal("x", "clear").unwrap();
        std::fs::rename(&path, folder.path().join("elsewhere")).unwrap();
        let told = |error: SecretError| {
            let error = error.to_string();
            assert!(error.contains("it is missing") && error.contains("--key FILE"), "{error}");
        };
        told(key.check().unwrap_err());
        let later = SecretKey::at(&path);
        told(later.open("x", &sealed).unwrap_err());
        told(later.seal("x", "another").unwrap_err());
        let needed = SecretKey::at(&path);
        needed.need();
        told(needed.seal("x", "another").unwrap_err());
        assert!(!path.exists());
        std::fs::rename(folder.path().join("elsewhere"), &path).unwrap();
        assert_eq!(later.open("x", &sealed).unwrap(), "clear");
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        SecretKey::at(&path).check().unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = SecretKey::at(&path).check().unwrap_err().to_string();
        assert!(error.contains("mode 640") && error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn another_key_does_not_open_it() {
        let folder = tempfile::tempdir().unwrap();
        let sealed = SecretKey::at(folder.path().join("one")).seal("x", "clear").unwrap();
        let error = SecretKey::at(folder.path().join("two")).open("x", &sealed).unwrap_err().to_string();
        assert!(error.contains("--key") && !error.contains("clear"), "{error}");
    }
}
