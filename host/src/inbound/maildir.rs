//! Fetching from a Maildir on this machine: the account's `host` is the folder.

use super::error::FetchError;
use super::intake::Intake;
use super::maildir_folder::{Maildir, MessageFile};
use super::refusal::{TurnedAway, heading};
use crate::spool::KnownMessage;
use postigo_model::communication::{MailFate, Priority};
use postigo_model::configured::{AfterFetch, Oversize};
use postigo_model::spool::SourceKey;
use postigo_supervision as supervision;
use postigo_supervision::WorkKind;
use std::io;
use std::path::Path;
use std::sync::Arc;

const KEY: &str = "transport.maildir";
/// So many messages become durable with one commit.
const BATCH: usize = 128;
/// About so many bytes are in memory at once.
const BATCH_BYTES: u64 = 4 << 20;

/// So much of a message surely has its header.
const BEGINNING: u64 = 64 << 10;

/// Takes in what is new in `new` and `cur`, then removes, moves or marks the files.
pub async fn fetch(intake: &mut Intake, path: &Path) -> Result<(), FetchError> {
    let folder = intake.machine().maildir(path);
    let (maildir, listing) = blocking(move || {
        let maildir = Maildir::open(&folder)?;
        let listing = maildir.list()?;
        Ok((Arc::new(maildir), listing))
    })
    .await?;
    intake.report.seen = (listing.messages.len() + listing.special.len()) as u64;
    intake.report.gone = listing.gone;
    intake.note(Priority::Debug, KEY, format!("{} has {} messages.", path.display(), listing.messages.len()));
    for (path, what) in listing.special {
        intake.report.unreadable += 1;
        let sentence =
            format!("{} is {what}, not a regular file; it is left there, and nothing is read from it.", path.display());
        intake.note(Priority::Warning, KEY, sentence);
    }
    let (fits, too_large): (Vec<MessageFile>, Vec<MessageFile>) =
        listing.messages.into_iter().partition(|mail| mail.size <= intake.rules().greatest);
    let keys: Vec<SourceKey> = fits.iter().map(key).collect();
    let known = intake.spool().known(&intake.account.name, &keys).await?;
    let wish = intake.account.after_fetch.clone();
    let is_left = |mail: &MessageFile| match wish {
        AfterFetch::Keep => true,
        AfterFetch::Seen => mail.is_seen(),
        AfterFetch::Delete | AfterFetch::Move(_) => false,
    };
    // A name alone proves nothing: what is to be removed is read again, and compared by its bytes.
    let is_done =
        |mail: &MessageFile, known: &KnownMessage| is_left(mail) && u64::try_from(known.size) == Ok(mail.size);
    let all = fits.into_iter().zip(known);
    let mut new: Vec<MessageFile> = all
        .filter(|(mail, known)| !known.as_ref().is_some_and(|known| is_done(mail, known)))
        .map(|(mail, _)| mail)
        .collect();
    while !new.is_empty() && !intake.is_stopped() {
        let mut sum = 0;
        let fitting = new.iter().take(BATCH).take_while(|mail| {
            sum += mail.size;
            sum <= BATCH_BYTES
        });
        let count = fitting.count().max(1);
        let rest = new.split_off(count.min(new.len()));
        take_in(intake, &maildir, std::mem::replace(&mut new, rest)).await?;
        intake.show_progress().await;
    }
    oversize(intake, &maildir, too_large).await
}

async fn take_in(intake: &mut Intake, maildir: &Arc<Maildir>, batch: Vec<MessageFile>) -> Result<(), FetchError> {
    let (reader, most) = (Arc::clone(maildir), intake.rules().greatest);
    let read = blocking(move || Ok(batch.into_iter().map(|mail| (reader.read(&mail, most), mail)).collect::<Vec<_>>()))
        .await?;
    let (mut mails, mut arrivals) = (Vec::new(), Vec::new());
    for (raw, mail) in read {
        match raw {
            Ok(raw) => {
                intake.report.fetched += 1;
                intake.report.bytes += raw.len() as u64;
                arrivals.push(intake.arrival(key(&mail), maildir.path_of(&mail).display().to_string(), raw));
                mails.push(mail);
            }
            // A mail program renamed or removed it: the next run sees it under its new name.
            Err(error) if error.kind() == io::ErrorKind::NotFound => intake.report.gone += 1,
            Err(error) => {
                intake.report.unreadable += 1;
                intake.note(
                    Priority::Error,
                    KEY,
                    format!("{} cannot be read and is left: {error}.", maildir.path_of(&mail).display()),
                );
            }
        }
    }
    if arrivals.is_empty() {
        return Ok(());
    }
    let taken = intake.spool().take_in(arrivals).await?;
    intake.count(&taken);
    tell(intake, maildir, mails).await
}

/// Removes, moves or marks files whose messages are durable.
async fn tell(intake: &mut Intake, maildir: &Arc<Maildir>, mails: Vec<MessageFile>) -> Result<(), FetchError> {
    let wish = intake.account.after_fetch.clone();
    if wish == AfterFetch::Keep || mails.is_empty() {
        return Ok(());
    }
    let maildir = Arc::clone(maildir);
    intake.report.told +=
        blocking(move || mails.iter().try_fold(0, |told, mail| Ok(told + u64::from(tell_one(&maildir, mail, &wish)?))))
            .await?;
    Ok(())
}

fn tell_one(maildir: &Maildir, mail: &MessageFile, wish: &AfterFetch) -> Result<bool, FetchError> {
    let (doing, result) = match wish {
        AfterFetch::Keep => return Ok(false),
        AfterFetch::Delete => ("removed", maildir.remove(mail).map(|()| true)),
        AfterFetch::Seen => ("marked as seen", maildir.mark_seen(mail)),
        AfterFetch::Move(name) => ("moved", maildir.move_below(mail, Path::new(name)).map(|()| true)),
    };
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound && maildir.is_gone(mail) => Ok(false),
        result => result.map_err(|reason| FetchError::Told { path: maildir.path_of(mail), doing, reason }),
    }
}

/// A message keeps the name before its flags wherever it goes in the Maildir.
fn key(mail: &MessageFile) -> SourceKey {
    SourceKey::File(mail.unique_name())
}

async fn oversize(intake: &mut Intake, maildir: &Arc<Maildir>, mails: Vec<MessageFile>) -> Result<(), FetchError> {
    intake.report.oversize = mails.len() as u64;
    for mail in mails {
        let what = format!(
            "{} has {} bytes; at most {} are taken in (max_message_size).",
            maildir.path_of(&mail).display(),
            mail.size,
            intake.rules().greatest
        );
        let (reader, asked) = (Arc::clone(maildir), mail.clone());
        let Some(start) = blocking(move || Ok(reader.beginning(&asked, BEGINNING).ok())).await? else {
            intake.note(
                Priority::Error,
                KEY,
                format!("{what} It cannot be read, so that nobody can be told; it is left there."),
            );
            continue;
        };
        let heading = heading(&start);
        if intake.rules().oversize == Oversize::Leave {
            // Each fetch finds it again: it has no communication of its own.
            intake.note(Priority::Warning, KEY, format!("{what} It is left there. {heading}"));
            intake.searchable(&heading);
            continue;
        }
        match intake.turn_away(&start, mail.size).await? {
            TurnedAway::ToBeRemoved(about) => {
                let sentence = format!("{what} It is to be removed. {about}");
                intake.tell_too_large(KEY, sentence, Some(&heading), MailFate::Refused).await;
            }
            TurnedAway::Stays(about) => {
                intake.note(Priority::Warning, KEY, format!("{what} It is left there. {about}"));
                intake.searchable(&heading);
                continue;
            }
        }
        let maildir = Arc::clone(maildir);
        blocking(move || tell_one(&maildir, &mail, &AfterFetch::Delete)).await?;
    }
    Ok(())
}

/// Files are read and renamed off the threads that serve connections.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FetchError> + Send + 'static,
) -> Result<T, FetchError> {
    supervision::blocking(WorkKind::Files, "", work).await.unwrap_or_else(|panic| Err(FetchError::Panicked(panic)))
}

#[cfg(test)]
mod tests {
    use crate::inbound::{AccountMemory, FetchReport, Intake, IntakeRules, fetch, probe};
    use crate::machine::Machine;
    use crate::oauth2::Tokens;
    use crate::secret_key::SecretKey;
    use crate::spool::Spool;
    use crate::store::{Location, Store};
    use postigo_model::configured::{Account, AfterFetch, Protocol};
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::sync::Arc;
    use tokio_util::sync::CancellationToken;

    /// Probes and fetches from the Maildir, as a daemon that was given the folder.
    async fn fetched(given: &Path, maildir: &Path) -> (Result<(), String>, FetchReport) {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(data.path().to_owned())).await.unwrap();
        let tokens = Tokens::new(store.clone(), SecretKey::at("key"));
        let host = maildir.display().to_string();
        let account = Account {
            name: "box".into(),
            protocol: Protocol::Maildir,
            host,
            after_fetch: AfterFetch::Delete,
            ..Account::default()
        };
        let machine = Machine::new(Vec::new(), vec![format!("given={}", given.display()).parse().unwrap()]);
        let probed = probe(&account, &tokens, &machine).await.map(drop).map_err(|error| error.to_string());
        let rules = IntakeRules { greatest: 1 << 20, ..IntakeRules::default() };
        let spool = Spool::open(store, data.path()).unwrap();
        let intake =
            Intake::begin(Arc::new(account), rules, spool, tokens, CancellationToken::new()).on(Arc::new(machine));
        (probed, fetch(intake, &mut AccountMemory::default()).await)
    }

    #[tokio::test]
    async fn a_link_on_the_way_to_a_maildir_is_named_and_nothing_is_taken_from_the_other_side() {
        let (given, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let boss = elsewhere.path().join("boss");
        for maildir in [boss.clone(), given.path().join("mine")] {
            std::fs::create_dir_all(maildir.join("new")).unwrap();
            std::fs::write(maildir.join("new/1.a.host"), "Message-ID: <1@x>\n\nx\n").unwrap();
        }
        symlink(elsewhere.path(), given.path().join("away")).unwrap();
        symlink(&boss, given.path().join("boss")).unwrap();
        for below in ["away/boss", "boss"] {
            let (probed, report) = fetched(given.path(), &given.path().join(below)).await;
            let link = given.path().join(below.strip_suffix("/boss").unwrap_or(below)).display().to_string();
            for why in [probed.unwrap_err(), report.error.clone().unwrap()] {
                assert!(why.contains(&link) && why.contains("it is a link, not a folder"), "{why}");
            }
            assert_eq!((report.seen, report.fetched), (0, 0), "{below}");
        }
        assert!(boss.join("new/1.a.host").exists());

        let (probed, report) = fetched(given.path(), &given.path().join("mine")).await;
        assert_eq!((probed, report.error, report.new, report.told), (Ok(()), None, 1, 1));
        // Of a Maildir that lies in no folder which was given somebody with a shell wrote the path, links and all.
        let (_, report) = fetched(&given.path().join("mine"), &given.path().join("away/boss")).await;
        assert_eq!((report.error, report.new), (None, 1));
    }
}
