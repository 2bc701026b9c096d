//! For tests: a database that nothing was done to.

use super::{Location, Store};
use crate::secret_key::SecretKey;

/// An empty database in a folder of its own, and the key that seals secrets in it.
pub async fn fresh() -> (tempfile::TempDir, Store, SecretKey) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
    let key = SecretKey::at(folder.path().join("key"));
    (folder, store, key)
}
