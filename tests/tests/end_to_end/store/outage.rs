//! What happens when the database or the disk is gone, and when a host is.

use super::database::{Databases, arrival, mail};
use super::filing::new_ticket;
use postigo::commlog::Communication;
use postigo::spool::leases;
use postigo::spool::{Host, Spool};
use postigo::store::{Location, Store, StoreError, communications};
use postigo_model::actor::Actor;
use postigo_model::communication::{CommunicationKind, CommunicationStatus};
use postigo_model::spool::{SourceKey, TakenIn};
use postigo_skipped::skipped;
use std::process::Command;

#[tokio::test]
async fn intake_stops_while_postgresql_is_gone_and_resumes_by_itself() {
    let databases = Databases::start();
    let Some(postgres) = &databases.postgres else { return };
    let Some(database) = databases.each().await.pop() else { return };
    let take_in = |name: &str| database.spool.take_in(vec![arrival("main", SourceKey::Digest, mail(name))]);
    let before = take_in("before").await.unwrap();
    let refused = database.spool.release(vec![before[0].id()], &Actor::Daemon).await.unwrap_err();
    assert!(!refused.is_temporary(), "{refused}");
    postgres.stop();
    let gone = take_in("lost").await.unwrap_err();
    assert!(gone.is_temporary(), "{gone}");
    assert!(!gone.to_string().contains("postgres://"), "{gone}");
    postgres.resume();
    let again = take_in("lost").await.unwrap();
    assert!(matches!(again[..], [TakenIn::New(_)]), "{again:?}");
    assert_eq!(database.spool.raw(before[0].id()).await.unwrap(), mail("before").as_bytes());
}

/// A file system of four megabytes; none, and the reason printed, where this user may not mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(folder.path()).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            skipped("this user may not mount a small file system");
            return None;
        }
        Some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn intake_stops_while_the_disk_is_full_and_resumes_by_itself() {
    let Some(disk) = SmallDisk::mount() else { return };
    let data = disk.0.path().join("data");
    let filler = disk.0.path().join("filler");
    let spool = Spool::open(Store::open(&Location::Folder(data.clone())).await.unwrap(), &data).unwrap();
    spool.take_in(vec![arrival("main", SourceKey::Digest, mail("before"))]).await.unwrap();
    // Writes until nothing more goes in.
    let _ = std::fs::write(&filler, vec![b'x'; 8 << 20]);
    let large = |size: usize| {
        let mut raw = mail("large").into_bytes();
        raw.resize(size, b'x');
        vec![arrival("main", SourceKey::Digest, raw)]
    };
    for size in [200 << 10, 300 << 10] {
        let full = spool.take_in(large(size)).await.unwrap_err();
        assert!(full.is_temporary(), "{size}: {full}");
    }
    std::fs::remove_file(&filler).unwrap();
    for size in [200 << 10, 300 << 10] {
        let taken = spool.take_in(large(size)).await.unwrap();
        assert!(matches!(taken[..], [TakenIn::New(_)]), "{taken:?}");
        assert_eq!(spool.raw(taken[0].id()).await.unwrap().len(), size);
    }
}

#[tokio::test]
async fn a_host_that_comes_back_late_files_nothing() {
    for database in Databases::start().each().await {
        let claimed = database.claimed("main", 2).await;
        let running = Communication::start(CommunicationKind::Connection, "main", "imap").so_far();
        let id = running.id.clone();
        database
            .store()
            .write(running, |record, connection| Box::pin(communications::save(connection, record)))
            .await
            .unwrap();

        let there = Host::new("there");
        assert!(
            leases::acquire(database.store(), &there, &["main".into()]).await.unwrap().is_empty(),
            "the lease is in force"
        );
        database.expire_leases().await;
        let lease = leases::acquire(database.store(), &there, &["main".into()]).await.unwrap().remove(0);
        let taken_over = database.spool.claim(&lease, 10).await.unwrap();
        assert_eq!(
            taken_over.iter().map(|message| (message.claim.id, message.tries)).collect::<Vec<_>>(),
            [(claimed[0].claim.id, 2)]
        );

        let late = database.file(new_ticket(&claimed[0])).await.unwrap_err();
        assert!(matches!(late, StoreError::Fenced), "{late}");
        database.file(new_ticket(&taken_over[0])).await.unwrap();
        let late = database.file(new_ticket(&claimed[0])).await.unwrap_err();
        assert!(matches!(late, StoreError::Fenced), "{late}");

        let mut connection = database.store().read().await.unwrap();
        let shown = communications::show(&mut connection, &id, postigo_model::communication::Priority::Error)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(shown.communication.status, CommunicationStatus::Failed, "what the host was doing is over");
        assert_eq!(shown.communication.entries.len(), 1);
    }
}

impl super::database::Database {
    /// As if 30 seconds had passed without a renewal.
    async fn expire_leases(&self) {
        self.execute("UPDATE lease SET expires_at = expires_at - 30001").await;
    }
}
