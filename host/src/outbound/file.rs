//! The transport for trials: each mail becomes a file in a folder.

use super::content::Parts;
use super::reply::{Replies, Reply, Unsent, all};
use crate::regular_file::Folder;
use crate::supervision::{self, Work};
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

/// Writes the mail as `ID.eml`; the same mail again is the same file again. Nothing is written through a link that lies in the folder.
pub async fn send(place: &Path, id: i64, recipients: &[String], mut parts: Parts) -> Result<Replies, Unsent> {
    let failed = |error: io::Error| Unsent::Unreachable(format!("The folder {} cannot be written to: {error}.", place.display()));
    let (unfinished, finished) = (format!(".{id}.part"), format!("{id}.eml"));
    let (folder, file) = blocking({
        let (place, name) = (place.to_owned(), unfinished.clone());
        move || {
            std::fs::create_dir_all(&place)?;
            let folder = Folder::open(&place)?;
            let file = folder.replace(OsStr::new(&name))?;
            Ok((folder, file))
        }
    })
    .await
    .map_err(failed)?;
    let mut file = File::from_std(file);
    while let Some(part) = parts.next().await? {
        file.write_all(&part).await.map_err(failed)?;
    }
    file.sync_all().await.map_err(failed)?;
    let moved = blocking(move || {
        folder.rename(OsStr::new(&unfinished), &folder, OsStr::new(&finished))?;
        folder.sync()
    });
    moved.await.map_err(failed)?;
    Ok(all(recipients, &Reply::Accepted(format!("Written to {}/{id}.eml.", place.display()))))
}

/// Works with files off the threads that serve connections.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    supervision::blocking(Work::Files, "", work).await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
}

/// What there is to say of the folder.
pub fn probe(folder: &Path) -> Result<Vec<(&'static str, String)>, String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("The folder {} cannot be made: {error}.", folder.display()))?;
    let trial = OsStr::new(".postigo-test.part");
    Folder::open(folder)
        .and_then(|folder| folder.replace(trial).and_then(|_| folder.remove(trial)))
        .map_err(|error| format!("The folder {} cannot be written to: {error}.", folder.display()))?;
    Ok(vec![("folder", format!("{} can be written to", folder.display()))])
}
