//! The transport for trials: each mail becomes a file in a folder.

use super::content::ContentParts;
use super::reply::{RecipientReply, Replies, Unsent, all};
use postigo_files::given_folder::GivenFolder;
use postigo_supervision as supervision;
use postigo_supervision::WorkKind;
use std::ffi::OsStr;
use std::io;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

/// Writes the mail as `ID.eml`; the same mail again is the same file again. Nothing is written through a link that lies
/// in the folder, or on the way to it from the one that the daemon was given.
pub async fn send(
    place: &GivenFolder,
    id: i64,
    recipients: &[String],
    mut parts: ContentParts,
) -> Result<Replies, Unsent> {
    let path = place.path();
    let failed = |error: io::Error| Unsent::Unreachable(cannot_be_written_to(place, &error));
    let (unfinished, finished) = (format!(".{id}.part"), format!("{id}.eml"));
    let (folder, file) = blocking({
        let (place, name) = (place.clone(), unfinished.clone());
        move || {
            let folder = place.make()?;
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
    Ok(all(recipients, &RecipientReply::Accepted(format!("Written to {}/{id}.eml.", path.display()))))
}

/// Works with files off the threads that serve connections.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    supervision::blocking(WorkKind::Files, "", work).await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
}

/// What there is to say of the folder.
pub fn probe(place: &GivenFolder) -> Result<Vec<(&'static str, String)>, String> {
    let trial = OsStr::new(".postigo-test.part");
    place
        .make()
        .and_then(|folder| folder.replace(trial).and_then(|_| folder.remove(trial)))
        .map_err(|error| cannot_be_written_to(place, &error))?;
    Ok(vec![("folder", format!("{} can be written to", place.path().display()))])
}

fn cannot_be_written_to(place: &GivenFolder, error: &io::Error) -> String {
    format!("The folder {} cannot be written to: {error}.", place.path().display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[tokio::test]
    async fn a_link_on_the_way_to_the_folder_is_named_and_nothing_is_written_on_the_other_side() {
        let (given, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(elsewhere.path().join("there")).unwrap();
        symlink(elsewhere.path(), given.path().join("away")).unwrap();
        for below in ["away", "away/there", "away/new"] {
            let place = GivenFolder::by_way_of(given.path(), &given.path().join(below)).unwrap();
            let (_queue, parts) = ContentParts::queued(b"Subject: x\r\n\r\n").await;
            let Err(Unsent::Unreachable(sent)) = send(&place, 1, &["a@x.test".to_owned()], parts).await else {
                panic!("{below}: it was sent")
            };
            for why in [sent, probe(&place).unwrap_err()] {
                let link = format!("{}: it is a link, not a folder.", given.path().join("away").display());
                let itself = format!(
                    "{} cannot be written to: it is a link, not a folder.",
                    given.path().join("away").display()
                );
                assert!(why.ends_with(&link) || why.ends_with(&itself), "{why}");
            }
        }
        let names = |path: &std::path::Path| {
            std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
        };
        assert_eq!(
            (names(elsewhere.path()), names(&elsewhere.path().join("there"))),
            (vec!["there".into()], Vec::new())
        );

        let place = GivenFolder::by_way_of(given.path(), &given.path().join("new/deeper")).unwrap();
        let (_queue, parts) = ContentParts::queued(b"Subject: x\r\n\r\n").await;
        assert!(send(&place, 1, &["a@x.test".to_owned()], parts).await.is_ok());
        assert_eq!(std::fs::read(given.path().join("new/deeper/1.eml")).unwrap(), b"Subject: x\r\n\r\n");
    }
}
