//! Fetching from a Maildir on this machine: the account's `host` is the folder.

use super::error::FetchError;
use super::files::maildir_files;
use super::intake::Intake;
use super::refusal::TurnedAway;
use crate::commlog::Priority;
use crate::config::{AfterFetch, Oversize};
use crate::spool::{Known, SourceKey};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

const KEY: &str = "transport.maildir";
/// So many messages become durable with one commit.
const BATCH: usize = 128;
/// About so many bytes are in memory at once.
const BATCH_BYTES: u64 = 4 << 20;

/// A message file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mail {
    path: PathBuf,
    size: u64,
}

/// Takes in what is new in `new` and `cur`, then removes, moves or marks the files.
pub async fn fetch(intake: &mut Intake) -> Result<(), FetchError> {
    let folder = PathBuf::from(&intake.account.host);
    let (mails, gone) = blocking({
        let folder = folder.clone();
        move || list(&folder)
    })
    .await?;
    intake.report.seen = mails.len() as u64;
    intake.report.gone = gone;
    intake.note(Priority::Debug, KEY, format!("{} has {} messages.", folder.display(), mails.len()));
    let (fits, too_large): (Vec<Mail>, Vec<Mail>) = mails.into_iter().partition(|mail| mail.size <= intake.rules().greatest);
    let keys: Vec<SourceKey> = fits.iter().map(|mail| key(&mail.path)).collect();
    let known = intake.spool().known(&intake.account.name, &keys).await?;
    let wish = intake.account.after_fetch.clone();
    let is_left = |mail: &Mail| match wish {
        AfterFetch::Keep => true,
        AfterFetch::Seen => seen_path(&folder, &mail.path).is_none(),
        AfterFetch::Delete | AfterFetch::Move(_) => false,
    };
    // A name alone proves nothing: what is to be removed is read again, and compared by its bytes.
    let is_done = |mail: &Mail, known: &Known| is_left(mail) && u64::try_from(known.size) == Ok(mail.size);
    let all = fits.into_iter().zip(known);
    let mut new: Vec<Mail> =
        all.filter(|(mail, known)| !known.as_ref().is_some_and(|known| is_done(mail, known))).map(|(mail, _)| mail).collect();
    while !new.is_empty() && !intake.is_stopped() {
        let mut sum = 0;
        let fitting = new.iter().take(BATCH).take_while(|mail| {
            sum += mail.size;
            sum <= BATCH_BYTES
        });
        let count = fitting.count().max(1);
        let rest = new.split_off(count.min(new.len()));
        take_in(intake, &folder, std::mem::replace(&mut new, rest)).await?;
        intake.show_progress().await;
    }
    oversize(intake, too_large).await
}

async fn take_in(intake: &mut Intake, folder: &Path, batch: Vec<Mail>) -> Result<(), FetchError> {
    let read = blocking(move || Ok(batch.into_iter().map(|mail| (std::fs::read(&mail.path), mail)).collect::<Vec<_>>())).await?;
    let (mut mails, mut arrivals) = (Vec::new(), Vec::new());
    for (raw, mail) in read {
        match raw {
            Ok(raw) => {
                intake.report.fetched += 1;
                intake.report.bytes += raw.len() as u64;
                arrivals.push(intake.arrival(key(&mail.path), mail.path.display().to_string(), raw));
                mails.push(mail);
            }
            // A mail program renamed or removed it: the next run sees it under its new name.
            Err(error) if error.kind() == io::ErrorKind::NotFound => intake.report.gone += 1,
            Err(error) => {
                intake.report.unreadable += 1;
                intake.note(Priority::Error, KEY, format!("{} cannot be read and is left: {error}", mail.path.display()));
            }
        }
    }
    if arrivals.is_empty() {
        return Ok(());
    }
    let taken = intake.spool().take_in(arrivals).await?;
    intake.count(&taken);
    tell(intake, folder, mails).await
}

/// Removes, moves or marks files whose messages are durable.
async fn tell(intake: &mut Intake, folder: &Path, mails: Vec<Mail>) -> Result<(), FetchError> {
    let wish = intake.account.after_fetch.clone();
    if wish == AfterFetch::Keep || mails.is_empty() {
        return Ok(());
    }
    let folder = folder.to_owned();
    intake.report.told +=
        blocking(move || mails.iter().try_fold(0, |told, mail| Ok(told + u64::from(tell_one(&folder, mail, &wish)?)))).await?;
    Ok(())
}

fn tell_one(folder: &Path, mail: &Mail, wish: &AfterFetch) -> Result<bool, FetchError> {
    let (doing, result) = match wish {
        AfterFetch::Keep => return Ok(false),
        AfterFetch::Delete => ("removed", std::fs::remove_file(&mail.path)),
        AfterFetch::Seen => match seen_path(folder, &mail.path) {
            None => return Ok(false),
            Some(to) => ("marked as seen", std::fs::rename(&mail.path, to)),
        },
        AfterFetch::Move(name) => ("moved", move_to(&folder.join(name), &mail.path)),
    };
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !mail.path.exists() => Ok(false),
        Err(reason) => Err(FetchError::Told { path: mail.path.clone(), doing, reason }),
    }
}

fn move_to(maildir: &Path, path: &Path) -> io::Result<()> {
    for part in ["tmp", "new", "cur"] {
        std::fs::create_dir_all(maildir.join(part))?;
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    std::fs::rename(path, maildir.join("cur").join(name))
}

/// Where a message goes when it is marked as seen (flag `S`, the flags in ASCII order); nowhere if it is already.
fn seen_path(folder: &Path, path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_string_lossy();
    let (base, flags) = name.split_once(":2,").unwrap_or((&name, ""));
    if flags.contains('S') {
        return None;
    }
    let mut flags: Vec<char> = flags.chars().chain(['S']).collect();
    flags.sort_unstable();
    Some(folder.join("cur").join(format!("{base}:2,{}", flags.into_iter().collect::<String>())))
}

/// A message keeps the name before its flags wherever it goes in the Maildir.
fn key(path: &Path) -> SourceKey {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    SourceKey::File(name.split(":2,").next().unwrap_or_default().to_owned())
}

async fn oversize(intake: &mut Intake, mails: Vec<Mail>) -> Result<(), FetchError> {
    intake.report.oversize = mails.len() as u64;
    for mail in mails {
        let what = format!(
            "{} has {} bytes; at most {} are taken in (max_message_size).",
            mail.path.display(),
            mail.size,
            intake.rules().greatest
        );
        if intake.rules().oversize == Oversize::Leave {
            intake.note(Priority::Warning, KEY, format!("{what} It is left there."));
            continue;
        }
        let path = mail.path.clone();
        let Some(start) = blocking(move || Ok(start_of(&path).ok())).await? else {
            intake.note(Priority::Error, KEY, format!("{what} It cannot be read, so that nobody can be told; it is left there."));
            continue;
        };
        match intake.turn_away(&start, mail.size).await? {
            TurnedAway::ToBeRemoved(about) => intake.note(Priority::Warning, KEY, format!("{what} It is to be removed. {about}")),
            TurnedAway::Stays(about) => {
                intake.note(Priority::Warning, KEY, format!("{what} It is left there. {about}"));
                continue;
            }
        }
        let path = mail.path.clone();
        blocking(move || std::fs::remove_file(&path).map_err(|reason| FetchError::Told { path, doing: "removed", reason })).await?;
    }
    Ok(())
}

/// Enough of a file to have its header.
fn start_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    std::fs::File::open(path)?.take(64 << 10).read_to_end(&mut start)?;
    Ok(start)
}

/// The messages, and how many vanished while they were listed.
fn list(folder: &Path) -> Result<(Vec<Mail>, u64), FetchError> {
    let (mut mails, mut gone) = (Vec::new(), 0);
    for path in maildir_files(folder)? {
        match std::fs::metadata(&path) {
            Ok(metadata) => mails.push(Mail { path, size: metadata.len() }),
            Err(_) => gone += 1,
        }
    }
    Ok((mails, gone))
}

/// Files are read and renamed off the threads that serve connections.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, FetchError> + Send + 'static) -> Result<T, FetchError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_keeps_its_key_when_its_flags_change() {
        let folder = Path::new("/mail");
        assert_eq!(key(Path::new("/mail/new/1.a.host")), key(Path::new("/mail/cur/1.a.host:2,FS")));
        assert_eq!(seen_path(folder, Path::new("/mail/new/1.a.host")), Some("/mail/cur/1.a.host:2,S".into()));
        assert_eq!(seen_path(folder, Path::new("/mail/cur/1.a.host:2,FT")), Some("/mail/cur/1.a.host:2,FST".into()));
        assert_eq!(seen_path(folder, Path::new("/mail/cur/1.a.host:2,S")), None);
    }

    #[test]
    fn a_moved_message_lies_in_the_other_maildir() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("new")).unwrap();
        let path = folder.path().join("new/1.a.host");
        std::fs::write(&path, "x").unwrap();
        let mail = Mail { path: path.clone(), size: 1 };
        assert!(tell_one(folder.path(), &mail, &AfterFetch::Move("done".into())).unwrap());
        assert!(folder.path().join("done/cur/1.a.host").exists() && !path.exists());
        assert!(!tell_one(folder.path(), &mail, &AfterFetch::Delete).unwrap(), "gone already is no failure");
    }
}
