//! The transport for trials: each mail becomes a file in a folder.

use super::reply::{Replies, Reply, all};
use crate::config::Transport;
use std::io::{self, Write as _};
use std::path::Path;

/// Writes the mail as `ID.eml`; the same mail again is the same file again. The error says why the folder cannot be written to.
pub async fn send(transport: &Transport, id: i64, recipients: &[String], raw: Vec<u8>) -> Result<Replies, String> {
    let folder = std::path::PathBuf::from(&transport.host);
    let shown = folder.display().to_string();
    let written = tokio::task::spawn_blocking(move || write(&folder, id, &raw)).await.map_err(io::Error::other).flatten();
    match written {
        Ok(()) => Ok(all(recipients, &Reply::Accepted(format!("Written to {shown}/{id}.eml.")))),
        Err(error) => Err(format!("The folder {shown} cannot be written to: {error}.")),
    }
}

fn write(folder: &Path, id: i64, raw: &[u8]) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let part = folder.join(format!(".{id}.part"));
    let mut file = std::fs::File::create(&part)?;
    file.write_all(raw)?;
    file.sync_all()?;
    std::fs::rename(&part, folder.join(format!("{id}.eml")))?;
    std::fs::File::open(folder)?.sync_all()
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
