//! The transport for trials: each mail becomes a file in a folder.

use super::content::Parts;
use super::reply::{Replies, Reply, Unsent, all};
use crate::config::Transport;
use std::io;
use std::path::Path;
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt as _;

/// Writes the mail as `ID.eml`; the same mail again is the same file again.
pub async fn send(transport: &Transport, id: i64, recipients: &[String], mut parts: Parts) -> Result<Replies, Unsent> {
    let folder = Path::new(&transport.host);
    let failed = |error: io::Error| Unsent::Unreachable(format!("The folder {} cannot be written to: {error}.", folder.display()));
    fs::create_dir_all(folder).await.map_err(failed)?;
    let unfinished = folder.join(format!(".{id}.part"));
    let mut file = File::create(&unfinished).await.map_err(failed)?;
    while let Some(part) = parts.next().await? {
        file.write_all(&part).await.map_err(failed)?;
    }
    file.sync_all().await.map_err(failed)?;
    fs::rename(&unfinished, folder.join(format!("{id}.eml"))).await.map_err(failed)?;
    File::open(folder).await.map_err(failed)?.sync_all().await.map_err(failed)?;
    Ok(all(recipients, &Reply::Accepted(format!("Written to {}/{id}.eml.", folder.display()))))
}

/// What there is to say of the folder.
pub fn probe(transport: &Transport) -> Result<Vec<(&'static str, String)>, String> {
    let folder = Path::new(&transport.host);
    std::fs::create_dir_all(folder).map_err(|error| format!("The folder {} cannot be made: {error}.", folder.display()))?;
    let trial = folder.join(".postigo-test.part");
    std::fs::File::create(&trial)
        .and_then(|_| std::fs::remove_file(&trial))
        .map_err(|error| format!("The folder {} cannot be written to: {error}.", folder.display()))?;
    Ok(vec![("folder", format!("{} can be written to", folder.display()))])
}
