//! Received messages too large for a row of SQLite, whose every write goes through one file twice: written and synced
//! before the row that names them.

use super::StoreError;
use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Name;
use object_store::{ObjectStore, ObjectStoreExt};
use postigo_files::data_folder;
use std::path::Path;
use std::sync::Arc;

/// Messages up to this size, in bytes, lie in the database, so that taking them in is one commit.
pub const LARGEST_IN_ROW: usize = 256 << 10;

/// A folder of large messages, each under the digest of its bytes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    folder: Arc<Path>,
    place: String,
}

impl Objects {
    /// Opens the folder `objects` of the data folder, makes it on first use.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let folder = data.join("objects");
        let place = folder.display().to_string();
        let failed =
            |error: &dyn std::fmt::Display| StoreError::Open { place: place.clone(), reason: error.to_string() };
        data_folder::make_private(&folder).map_err(|error| failed(&error))?;
        let store = LocalFileSystem::new_with_prefix(&folder).map_err(|error| failed(&error))?.with_fsync(true);
        Ok(Self { store: Arc::new(store), folder: folder.into(), place })
    }

    /// Whether bytes can be written into the folder. `has_others` says whether rows name some that lie in it: then one
    /// that is empty is the place of another, which what is written now would lie under when it comes back.
    ///
    /// # Errors
    /// [`StoreError::ObjectsAway`], if it is not as it was left.
    pub async fn check(&self, has_others: impl Future<Output = Result<bool, StoreError>>) -> Result<(), StoreError> {
        if !self.is_there().await? && has_others.await? {
            return Err(self.away("it is empty".into()));
        }
        Ok(())
    }

    /// Writes the bytes under their digest, and gives the name. When this returns, file and folder are synced.
    /// `has_others` as in [`Self::check`].
    pub async fn put(
        &self,
        digest: &str,
        bytes: Bytes,
        has_others: impl Future<Output = Result<bool, StoreError>>,
    ) -> Result<String, StoreError> {
        let name = format!("{}/{digest}", digest.get(..2).unwrap_or_default());
        // The store would make it anew, in the place of one that comes back.
        self.check(has_others).await?;
        self.store
            .put(&Name::from(name.as_str()), bytes.into())
            .await
            .map_err(|source| self.failed("be written to", source))?;
        let path = self.folder.join(&name);
        path.parent().into_iter().chain([path.as_path()]).for_each(data_folder::give_to_owner);
        Ok(name)
    }

    /// Reads the bytes of that name.
    pub async fn get(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let read = async { self.store.get(&Name::from(name)).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(bytes.into()),
            Err(source) => Err(self.unread(name, source).await),
        }
    }

    /// Reads the first so many bytes of that name, which has more than [`LARGEST_IN_ROW`].
    pub async fn beginning(&self, name: &str, most: usize) -> Result<Vec<u8>, StoreError> {
        match self.store.get_range(&Name::from(name), 0..most as u64).await {
            Ok(bytes) => Ok(bytes.into()),
            Err(source) => Err(self.unread(name, source).await),
        }
    }

    /// Removes the bytes of that name; that they are gone already is no error.
    pub async fn delete(&self, name: &str) -> Result<(), StoreError> {
        match self.store.delete(&Name::from(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(self.failed("be removed from", source)),
        }
    }

    /// Why bytes could not be read that were written once: those that are gone from a folder which is there do not come
    /// back by waiting.
    async fn unread(&self, name: &str, source: object_store::Error) -> StoreError {
        if !matches!(source, object_store::Error::NotFound { .. }) {
            return self.failed("be read from", source);
        }
        match self.is_there().await {
            Err(away) => away,
            // Folders that have had files in them stay when the last one goes: this is the place of another.
            Ok(false) => self.away("it is empty".into()),
            Ok(true) => StoreError::ObjectMissing { name: name.to_owned() },
        }
    }

    /// Whether anything was ever written into the folder; [`StoreError::ObjectsAway`] if there is none, or it cannot be
    /// looked into.
    async fn is_there(&self) -> Result<bool, StoreError> {
        let looked = async { tokio::fs::read_dir(&*self.folder).await?.next_entry().await };
        let first = looked.await.map_err(|error: std::io::Error| self.away(error.to_string()))?;
        Ok(first.is_some())
    }

    fn away(&self, reason: String) -> StoreError {
        StoreError::ObjectsAway { place: self.place.clone(), reason }
    }

    fn failed(&self, doing: &'static str, source: object_store::Error) -> StoreError {
        StoreError::Object { doing, place: self.place.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether rows name bytes in the folder.
    fn others(are_there: bool) -> std::future::Ready<Result<bool, StoreError>> {
        std::future::ready(Ok(are_there))
    }

    #[tokio::test]
    async fn bytes_come_back_and_a_second_removal_is_no_error() {
        let data = tempfile::tempdir().unwrap();
        let objects = Objects::open(data.path()).unwrap();
        let name = objects.put("abcdef", Bytes::from_static(b"\0\r\nbytes"), others(false)).await.unwrap();
        assert_eq!(objects.get(&name).await.unwrap(), b"\0\r\nbytes");
        objects.delete(&name).await.unwrap();
        objects.delete(&name).await.unwrap();
    }

    #[tokio::test]
    async fn bytes_that_are_gone_are_told_from_a_folder_that_is_away() {
        let data = tempfile::tempdir().unwrap();
        let objects = Objects::open(data.path()).unwrap();
        let name = objects.put("abcdef", Bytes::from_static(b"bytes"), others(false)).await.unwrap();
        let (folder, aside) = (data.path().join("objects"), data.path().join("aside"));
        std::fs::rename(&folder, &aside).unwrap();
        let away = |error: StoreError, why: &str| {
            let sentence = error.to_string();
            assert!(matches!(error, StoreError::ObjectsAway { .. }) && error.is_temporary(), "{sentence}");
            assert!(sentence.contains(why), "{sentence}");
        };
        away(objects.get(&name).await.unwrap_err(), "No such file");
        away(objects.beginning(&name, 2).await.unwrap_err(), "No such file");
        let more = async || objects.put("abcxyz", Bytes::from_static(b"more"), others(true)).await;
        away(more().await.unwrap_err(), "No such file");
        assert!(!folder.exists(), "no other folder takes the place of the one that is away");
        // The place where a file system is mounted, without it.
        std::fs::create_dir(&folder).unwrap();
        away(objects.get(&name).await.unwrap_err(), "it is empty");
        away(more().await.unwrap_err(), "it is empty");
        away(objects.get(&name).await.unwrap_err(), "it is empty");
        std::fs::remove_dir(&folder).unwrap();
        std::fs::write(&folder, "no folder").unwrap();
        assert!(objects.get(&name).await.unwrap_err().is_temporary());
        std::fs::remove_file(&folder).unwrap();
        std::fs::rename(&aside, &folder).unwrap();
        assert_eq!(objects.get(&name).await.unwrap(), b"bytes");
        assert_eq!(objects.beginning(&name, 2).await.unwrap(), b"by");
        std::fs::remove_file(folder.join(&name)).unwrap();
        for error in [objects.get(&name).await.unwrap_err(), objects.beginning(&name, 2).await.unwrap_err()] {
            assert!(matches!(&error, StoreError::ObjectMissing { name: gone } if *gone == name), "{error}");
            assert!(!error.is_temporary(), "{error}");
        }
    }
}
