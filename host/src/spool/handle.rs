//! The spool as transports, workers and commands hold it.

use super::key::{as_received, comparable, content_digest, digest, epoch, stored_key, uidl_prefix};
use super::telling::tell_held;
use super::{KnownMessage, Lease, MessageFailure, MessageFilter, SpoolMessage};
use crate::store::objects::{LARGEST_IN_ROW, Objects};
use crate::store::packing::{pack_mail, unpack_mail};
use crate::store::spool::{self as rows, MessageClaims, MessageEnding, NewRow, RawPlace, SuspectRule};
use crate::store::{Engine, Store, StoreError};
use crate::store::{claims, leases};
use bytes::Bytes;
use postigo_files::data_folder;
use postigo_model::actor::Actor;
use postigo_model::claim::Claim;
use postigo_model::communication::CommunicationRecord;
use postigo_model::hexadecimal::hexadecimal;
use postigo_model::spool::{Arrival, ClaimedMessage, SourceKey, SpoolStatus, TakenIn};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

/// So many bytes of a row are read at once.
const PIECE: usize = 8 << 20;
/// Milliseconds until bytes are read again whose place is away.
const PLACE_AWAY: i64 = 5_000;
/// Milliseconds until bytes are looked for again that are gone.
const BYTES_GONE: i64 = 60_000;

/// The spool. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Spool {
    store: Store,
    objects: Objects,
    data: Arc<Path>,
    changed: Arc<watch::Sender<u64>>,
}

impl Spool {
    /// The spool in this database; with SQLite, large messages are in the data folder.
    pub fn open(store: Store, data: &Path) -> Result<Self, StoreError> {
        Ok(Self { store, objects: Objects::open(data)?, data: data.into(), changed: Arc::new(watch::Sender::new(0)) })
    }

    /// The database below.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// What of the data folder this process cannot read and write, sentences.
    pub fn unusable_files(&self) -> Vec<String> {
        data_folder::unusable(&self.data)
    }

    /// What keeps large messages from being taken in and worked on now, a sentence.
    pub async fn objects_away(&self) -> Option<String> {
        // With PostgreSQL nothing lies there.
        if self.store.engine() != Engine::Sqlite {
            return None;
        }
        // Where there is no database nothing can be said.
        self.objects
            .check(self.names_objects())
            .await
            .err()
            .filter(|error| matches!(error, StoreError::ObjectsAway { .. }))
            .map(|away| away.to_string())
    }

    /// Whether the bytes of any message lie in the folder of large ones.
    async fn names_objects(&self) -> Result<bool, StoreError> {
        rows::names_objects(&mut *self.store.read().await?).await
    }

    /// Changes whenever this process has taken messages in, released some, or ended some. Other processes' work is seen
    /// by asking again now and then.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Says that something changed: callers of [`Self::changed`] look again.
    pub fn tell_change(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The identity of a mailbox for [`SourceKey::Imap`]; a new one whenever host, user or folder of an account is
    /// changed.
    pub async fn mailbox(&self, account: &str, host: &str, user: &str, folder: &str) -> Result<i64, StoreError> {
        let input = [account, host, user, folder].map(str::to_owned);
        self.store
            .write(input, |[account, host, user, folder], connection| {
                Box::pin(rows::mailbox(connection, account, host, user, folder))
            })
            .await
    }

    /// What is known under these keys, in their order. Before a source acts on a known IMAP key it compares size and
    /// INTERNALDATE: only if both are equal, the message on the server is this one.
    pub async fn known(&self, account: &str, keys: &[SourceKey]) -> Result<Vec<Option<KnownMessage>>, StoreError> {
        let keys: Vec<String> = keys.iter().map(|key| stored_key(account, key, &[], false)).collect();
        let mut connection = self.store.read().await?;
        let known = rows::known(&mut connection, keys.iter().map(String::as_str)).await?;
        Ok(keys.iter().map(|key| known.get(key).cloned()).collect())
    }

    /// The UIDLs of an account that messages are known by, with the messages' sizes in bytes.
    pub async fn uidls(&self, account: &str) -> Result<HashMap<String, u64>, StoreError> {
        let prefix = uidl_prefix(account);
        let stored = rows::uidls(&mut *self.store.read().await?, account).await?;
        let uidls = stored
            .into_iter()
            .filter_map(|(key, size)| Some((key.strip_prefix(&prefix)?.to_owned(), u64::try_from(size).ok()?)));
        Ok(uidls.collect())
    }

    /// Forgets UIDLs of an account whose messages are gone from the server, which may use them again (RFC 1939, section
    /// 7). The messages are known by their bytes from now on.
    pub async fn retire(&self, account: &str, uidls: &[String]) -> Result<u64, StoreError> {
        if uidls.is_empty() {
            return Ok(0);
        }
        let prefix = uidl_prefix(account);
        let keys: Vec<String> = uidls.iter().map(|uidl| format!("{prefix}{uidl}")).collect();
        self.store.write(keys, |keys, connection| Box::pin(rows::retire(connection, keys))).await
    }

    /// Stores messages. When this returns, all of them are durable, and their sources may be told; on an error none of
    /// them may.
    pub async fn take_in(&self, arrivals: Vec<Arrival>) -> Result<Vec<TakenIn>, StoreError> {
        let mut new = Vec::with_capacity(arrivals.len());
        let mut objects = Vec::with_capacity(arrivals.len());
        for arrival in &arrivals {
            match self.new_row(arrival).await {
                Ok(row) => {
                    objects.push(match &row.raw {
                        RawPlace::Object(name) => Some(name.clone()),
                        _ => None,
                    });
                    new.push(row);
                }
                Err(error) => {
                    self.forget_objects(&objects).await;
                    return Err(error);
                }
            }
        }
        let taken = match self.store.write(new, |new, connection| Box::pin(rows::insert(connection, new))).await {
            Ok(taken) => taken,
            Err(error) => {
                // Of a commit that failed it is not known whether it was done after all.
                if !matches!(error, StoreError::Commit { .. } | StoreError::Stopped) {
                    self.forget_objects(&objects).await;
                }
                return Err(error);
            }
        };
        for (taken, object) in taken.iter().zip(objects) {
            if let (TakenIn::Adopted(_) | TakenIn::Known(_), Some(name)) = (taken, object) {
                self.objects.delete(&name).await?;
            }
        }
        self.tell_change();
        Ok(taken)
    }

    /// Removes the bytes of messages that were not stored: a disk that is full must not be filled further by each new
    /// try.
    async fn forget_objects(&self, objects: &[Option<String>]) {
        for name in objects.iter().flatten() {
            if let Err(error) = self.objects.delete(name).await {
                tracing::warn!(name, %error, "the bytes of a message that was not stored could not be removed");
            }
        }
    }

    async fn new_row(&self, arrival: &Arrival) -> Result<NewRow, StoreError> {
        let digest = digest(arrival);
        let comparable = comparable(as_received(arrival));
        // Hosts that share a PostgreSQL do not share a folder: what one takes in another may have to file.
        let in_folder = self.store.engine() == Engine::Sqlite && arrival.raw.len() > LARGEST_IN_ROW;
        let raw = if in_folder {
            // A name of its own for each, so that dropping one message never takes another's bytes.
            let name = format!("{}-{}", hexadecimal(&digest), uuid::Uuid::now_v7());
            RawPlace::Object(self.objects.put(&name, arrival.raw.clone(), self.names_objects()).await?)
        } else {
            self.in_row(&arrival.raw).await?
        };
        let internal_date = match arrival.key {
            SourceKey::Imap { internal_date, .. } => Some(internal_date),
            _ => None,
        };
        Ok(NewRow {
            account: arrival.account.clone(),
            key: stored_key(&arrival.account, &arrival.key, &digest, comparable),
            epoch: epoch(&arrival.key),
            digest,
            comparable,
            content: (comparable && matches!(arrival.key, SourceKey::DigestAfter(_))).then(|| content_digest(arrival)),
            source: arrival.source.clone(),
            communication: arrival.communication.clone(),
            received_at: arrival.received_at,
            internal_date,
            recipients: serde_json::Value::from(arrival.recipients.clone()).to_string(),
            size: i64::try_from(arrival.raw.len()).unwrap_or(i64::MAX),
            raw,
        })
    }

    /// The bytes as their row has them.
    async fn in_row(&self, raw: &Bytes) -> Result<RawPlace, StoreError> {
        if self.store.all_read_packed().await?
            && let Some(packed) = pack_mail(raw)?
        {
            return Ok(RawPlace::Packed(packed));
        }
        Ok(RawPlace::Row(raw.to_vec()))
    }

    /// The accounts under a lease, anybody's, for which messages wait whose time has come.
    pub async fn accounts_with_work(&self) -> Result<Vec<String>, StoreError> {
        rows::accounts_with_work(&mut *self.store.read().await?, postigo_model::timestamp::now()).await
    }

    /// Claims the oldest waiting messages of the lease's account, in their order; a suspect first, and alone. Nothing
    /// where the lease is lost.
    pub async fn claim(&self, lease: &Lease, limit: u32) -> Result<Vec<ClaimedMessage>, StoreError> {
        Ok(self.claim_by(lease, limit, SuspectRule::First).await?.messages)
    }

    /// The same by another rule for suspects.
    pub async fn claim_by(
        &self,
        lease: &Lease,
        limit: u32,
        suspects: SuspectRule,
    ) -> Result<MessageClaims, StoreError> {
        let claiming = rows::MessageClaimQuery {
            engine: self.store.engine(),
            account: lease.account.clone(),
            run: lease.host.run.clone(),
            token: claims::token()?,
            limit: limit.into(),
            now: postigo_model::timestamp::now(),
            suspects,
        };
        self.store.write(claiming, |claiming, connection| Box::pin(rows::claim(connection, claiming))).await
    }

    /// Claimed messages with their bytes. One whose bytes cannot be read is left out, and must not keep the others: it
    /// waits, not blamed, while their place is away; where they are gone or damaged, that is a failure of its own.
    pub async fn read(&self, claimed: Vec<ClaimedMessage>) -> Result<Vec<(ClaimedMessage, Bytes)>, StoreError> {
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<i64> = claimed.iter().map(|message| message.claim.id).collect();
        let mut places = rows::raw_places(&mut *self.store.read().await?, &ids).await?;
        let mut messages = Vec::with_capacity(claimed.len());
        for message in claimed {
            let id = message.claim.id;
            let place = places.remove(&id).unwrap_or(RawPlace::Gone);
            match self.received(id, place, message.size).await {
                Ok(raw) => messages.push((message, raw.into())),
                Err(error) => match self.unread(&message, error).await {
                    Ok(()) | Err(StoreError::Fenced) => {}
                    Err(error) => return Err(error),
                },
            }
        }
        Ok(messages)
    }

    /// The bytes of a message, which has so many.
    async fn received(&self, id: i64, place: RawPlace, size: u64) -> Result<Vec<u8>, StoreError> {
        let object = if let RawPlace::Object(name) = &place { Some(name.clone()) } else { None };
        let raw = self.bytes(id, place).await?;
        match object {
            Some(name) if raw.len() as u64 != size => {
                Err(StoreError::ObjectDamaged { name, found: raw.len() as u64, received: size })
            }
            _ => Ok(raw),
        }
    }

    /// A claimed message's bytes could not be read: it waits.
    async fn unread(&self, message: &ClaimedMessage, error: StoreError) -> Result<(), StoreError> {
        let (id, claim, reason) = (message.claim.id, message.claim, error.to_string());
        let now = postigo_model::timestamp::now();
        if error.is_temporary() {
            tracing::warn!(message = id, %error, "a message's bytes cannot be read now; it waits");
            return self.set_aside(claim, now + PLACE_AWAY, reason).await;
        }
        tracing::error!(message = id, %error, "a message's bytes cannot be read");
        let failure = MessageFailure { claim, not_before: now + BYTES_GONE, reason, suspect: message.suspect };
        self.failed(failure).await.map(|_| ())
    }

    async fn bytes(&self, id: i64, place: RawPlace) -> Result<Vec<u8>, StoreError> {
        match place {
            RawPlace::Row(raw) => Ok(raw),
            RawPlace::Packed(packed) => unpack_mail(&packed),
            RawPlace::Object(name) => self.objects.get(&name).await,
            RawPlace::Gone => {
                Err(StoreError::NotFound(format!("The received bytes of message {id} are not kept any more.")))
            }
        }
    }

    /// The received bytes of a message, unchanged.
    pub async fn raw(&self, id: i64) -> Result<Vec<u8>, StoreError> {
        let mut connection = self.store.read().await?;
        let mut raw = match rows::beginning_place(&mut connection, id, PIECE).await? {
            RawPlace::Row(raw) => raw,
            place => return self.bytes(id, place).await,
        };
        // Piece by piece: the driver has what it reads in memory twice.
        while !raw.is_empty() && raw.len() % PIECE == 0 {
            match rows::raw_piece(&mut connection, id, raw.len(), PIECE).await? {
                Some(piece) if piece.is_empty() => break,
                Some(piece) => raw.extend(piece),
                None => return self.bytes(id, RawPlace::Gone).await,
            }
        }
        Ok(raw)
    }

    /// The first 256 KiB of a message's received bytes, where its header is.
    pub async fn beginning(&self, id: i64) -> Result<Vec<u8>, StoreError> {
        match rows::beginning_place(&mut *self.store.read().await?, id, LARGEST_IN_ROW).await? {
            // Smaller ones lie in rows.
            RawPlace::Object(name) => self.objects.beginning(&name, LARGEST_IN_ROW).await,
            place => self.bytes(id, place).await,
        }
    }

    /// Ends a claimed message that is not filed: ignored, held or failed. [`StoreError::Fenced`] if the claim is lost.
    pub async fn end(&self, ending: MessageEnding, communication: CommunicationRecord) -> Result<(), StoreError> {
        let input = (ending, communication);
        self.store
            .write(input, |(ending, communication), connection| Box::pin(rows::end(connection, ending, communication)))
            .await?;
        self.tell_change();
        Ok(())
    }

    /// Lets what is still claimed under a lease wait again, its tries not counted: for a worker that begins anew after
    /// an error. Nothing where the lease is lost.
    pub async fn give_back(&self, lease: &Lease) -> Result<(), StoreError> {
        let given_back = self
            .store
            .write(lease.clone(), |lease, connection| {
                Box::pin(async move {
                    if leases::is_held(connection, lease).await? {
                        rows::unclaim(connection, &lease.account).await
                    } else {
                        Ok(0)
                    }
                })
            })
            .await?;
        if given_back > 0 {
            self.tell_change();
        }
        Ok(())
    }

    /// Lets a message that a try failed on wait for the next one; it is held after so many. Says which.
    pub async fn failed(&self, failure: MessageFailure) -> Result<SpoolStatus, StoreError> {
        let status = self
            .store
            .write(failure, |failure, connection| {
                Box::pin(async move {
                    let held = rows::failed(connection, failure).await?;
                    let status = if held.is_some() { SpoolStatus::Held } else { SpoolStatus::Waiting };
                    tell_held(connection, held.into_iter().collect()).await?;
                    Ok(status)
                })
            })
            .await?;
        self.tell_change();
        Ok(status)
    }

    /// Lets a message wait until `not_before` (milliseconds since the epoch), with the reason: it could not be tried.
    pub async fn set_aside(&self, claim: Claim, not_before: i64, reason: String) -> Result<(), StoreError> {
        self.store
            .write((claim, not_before, reason), |(claim, not_before, reason), connection| {
                Box::pin(rows::set_aside(connection, *claim, *not_before, reason))
            })
            .await?;
        self.tell_change();
        Ok(())
    }

    /// Puts a claimed message off until there is time for it, `not_before` (milliseconds since the epoch); its tries
    /// are not counted. [`StoreError::Fenced`] if the claim is lost.
    pub async fn put_off(
        &self,
        claim: Claim,
        not_before: i64,
        reason: String,
        communication: CommunicationRecord,
    ) -> Result<(), StoreError> {
        let input = (claim, not_before, reason, communication);
        self.store
            .write(input, |(claim, not_before, reason, communication), connection| {
                Box::pin(rows::put_off(connection, *claim, *not_before, reason, communication))
            })
            .await?;
        self.tell_change();
        Ok(())
    }

    /// Messages in the order of their arrival.
    pub async fn list(&self, filter: &MessageFilter) -> Result<Vec<SpoolMessage>, StoreError> {
        rows::list(&mut *self.store.read().await?, filter).await
    }

    /// One message, with what became of it.
    pub async fn show(&self, id: i64) -> Result<Option<SpoolMessage>, StoreError> {
        rows::show(&mut *self.store.read().await?, id).await
    }

    /// Those of these messages that are no longer on their way, by id.
    pub async fn results(&self, ids: &[i64]) -> Result<HashMap<i64, SpoolMessage>, StoreError> {
        rows::results(&mut *self.store.read().await?, ids).await
    }

    /// Of messages that have come to their end and were taken in like this, the ids of those whose end the caller is to
    /// be told of. To whom one was known before, or who shared the wait for it with somebody else that was told, it
    /// is a duplicate.
    pub async fn told_here(&self, taken: &[TakenIn]) -> Result<HashSet<i64>, StoreError> {
        let waited = taken.iter().filter(|taken| !matches!(taken, TakenIn::Known(_))).map(TakenIn::id);
        let mut told: HashSet<i64> = waited.collect();
        let ids: Vec<i64> = told.iter().copied().collect();
        for id in rows::adopted(&mut *self.store.read().await?, &ids).await? {
            if !self.store.write(id, |id, connection| Box::pin(rows::take_answer(connection, *id))).await? {
                told.remove(&id);
            }
        }
        Ok(told)
    }

    /// Sends held, failed and ignored messages the whole way again; all or none.
    pub async fn release(&self, ids: Vec<i64>, by: &Actor) -> Result<(), StoreError> {
        let input = (ids, by.clone());
        self.store.write(input, |(ids, by), connection| Box::pin(rows::release(connection, ids, by))).await?;
        self.tell_change();
        Ok(())
    }

    /// Drops waiting, held, failed and ignored messages with their bytes; all or none. A source that names one again is
    /// still told that it is known.
    pub async fn drop(&self, ids: Vec<i64>, by: &Actor) -> Result<(), StoreError> {
        let input = (ids, by.clone());
        let objects =
            self.store.write(input, |(ids, by), connection| Box::pin(rows::remove(connection, ids, by))).await?;
        for name in objects {
            self.objects.delete(&name).await?;
        }
        self.tell_change();
        Ok(())
    }

    /// Removes the received bytes of messages that were filed, rejected or ignored before this time (milliseconds since
    /// the epoch); gives the number of messages.
    pub async fn forget_raw(&self, before: i64) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        loop {
            let (count, objects) =
                self.store.write(before, |before, connection| Box::pin(rows::forget_raw(connection, *before))).await?;
            for name in objects {
                self.objects.delete(&name).await?;
            }
            forgotten += count;
            if count < rows::FORGOTTEN_AT_ONCE {
                return Ok(forgotten);
            }
        }
    }

    /// Keeps of what became of messages that were filed, rejected, ignored or dropped before this time (milliseconds since
    /// the epoch) the status and the ticket; gives the number of messages.
    pub async fn shorten_results(&self, before: i64) -> Result<usize, StoreError> {
        let mut shortened = 0;
        loop {
            let count = self
                .store
                .write(before, |before, connection| Box::pin(rows::shorten_results(connection, *before)))
                .await?;
            shortened += count;
            if count < rows::FORGOTTEN_AT_ONCE {
                return Ok(shortened);
            }
        }
    }

    /// How many messages wait, are worked on, are held, failed, were ignored.
    pub async fn depths(&self) -> Result<BTreeMap<SpoolStatus, i64>, StoreError> {
        rows::depths(&mut *self.store.read().await?).await
    }
}
