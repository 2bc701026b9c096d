//! Taking in, claiming, leases.

use super::database::{Databases, arrival, mail};
use postigo::spool::leases;
use postigo::spool::{Host, MessageFailure, MessageFilter, Spool};
use postigo::store::{Engine, StoreError};
use postigo_model::actor::Actor;
use postigo_model::spool::{Arrival, SourceKey, SpoolStatus, TakenIn};

fn imap(mailbox: i64, uid_validity: u32, uid: u32) -> SourceKey {
    SourceKey::Imap { mailbox, uid_validity, uid, internal_date: 7 }
}

#[tokio::test]
async fn a_message_is_known_by_its_sources_key() {
    for database in Databases::start().each().await {
        let spool = &database.spool;
        let mailbox = spool.mailbox("main", "Mail.Example.org", "support", "INBOX").await.unwrap();
        assert_eq!(spool.mailbox("main", "mail.example.org", "support", "INBOX").await.unwrap(), mailbox);
        assert_ne!(spool.mailbox("main", "mail.example.org", "support", "Sent").await.unwrap(), mailbox);

        let first = spool
            .take_in(vec![
                arrival("main", imap(mailbox, 1, 1), mail("a")),
                arrival("main", imap(mailbox, 1, 2), mail("b")),
            ])
            .await
            .unwrap();
        let [TakenIn::New(a), TakenIn::New(b)] = first[..] else { panic!("{first:?}") };
        assert!(a < b);
        // Not filed yet: adopted, whatever the bytes.
        let again = spool.take_in(vec![arrival("main", imap(mailbox, 1, 1), mail("a"))]).await.unwrap();
        assert_eq!(again, [TakenIn::Adopted(a)]);
        // The same bytes under the same UID are the same message, whatever their date is by now.
        let dated = |internal_date| SourceKey::Imap { mailbox, uid_validity: 1, uid: 1, internal_date };
        for date in [8, 9] {
            let again = spool.take_in(vec![arrival("main", dated(date), mail("a"))]).await.unwrap();
            assert_eq!(again, [TakenIn::Adopted(a)]);
        }
        // Equal bytes under another UID of the same mailbox are another message.
        let copy = spool.take_in(vec![arrival("main", imap(mailbox, 1, 3), mail("a"))]).await.unwrap();
        assert!(matches!(copy[..], [TakenIn::New(_)]), "{copy:?}");
        // A UID that stands for other bytes than before is another message.
        let other = spool.take_in(vec![arrival("main", imap(mailbox, 1, 2), mail("longer than b"))]).await.unwrap();
        assert!(matches!(other[..], [TakenIn::New(_)]), "{other:?}");
        let other_again =
            spool.take_in(vec![arrival("main", imap(mailbox, 1, 2), mail("longer than b"))]).await.unwrap();
        assert_eq!(other_again, [TakenIn::Adopted(other[0].id())]);
        // After the UIDVALIDITY changed, the bytes decide.
        let moved = spool
            .take_in(vec![
                arrival("main", imap(mailbox, 2, 90), mail("b")),
                arrival("main", imap(mailbox, 2, 91), mail("new")),
            ])
            .await
            .unwrap();
        assert!(matches!(moved[..], [TakenIn::Adopted(id), TakenIn::New(_)] if id == b), "{moved:?}");
        // Another account's message is its own.
        let elsewhere = spool.take_in(vec![arrival("other", imap(99, 2, 90), mail("b"))]).await.unwrap();
        assert!(matches!(elsewhere[..], [TakenIn::New(_)]), "{elsewhere:?}");

        let known = spool.known("main", &[imap(mailbox, 1, 1), imap(mailbox, 1, 77)]).await.unwrap();
        assert_eq!(known[0].as_ref().map(|known| (known.id, known.internal_date)), Some((a, Some(7))));
        assert_eq!(known[1], None);
    }
}

#[tokio::test]
async fn a_client_that_lost_some_answers_may_deliver_to_those_recipients_again() {
    for database in Databases::start().each().await {
        let spool = &database.spool;
        let delivered = |trace: &str, recipients: &[&str]| Arrival {
            recipients: recipients.iter().map(|recipient| (*recipient).to_owned()).collect(),
            ..arrival("lmtp", SourceKey::DigestAfter(trace.len()), format!("{trace}{}", mail("a")).into_bytes())
        };
        let first = spool.take_in(vec![delivered("Received: 1\n", &["a@x.test", "b@x.test"])]).await.unwrap();
        let [TakenIn::New(id)] = first[..] else { panic!("{first:?}") };
        for again in [&["a@x.test", "b@x.test"][..], &["b@x.test", "a@x.test"], &["b@x.test"]] {
            let taken = spool.take_in(vec![delivered("Received: at another time\n", again)]).await.unwrap();
            assert_eq!(taken, [TakenIn::Adopted(id)], "{again:?}");
        }
        // For somebody else it is another delivery.
        let other = spool.take_in(vec![delivered("Received: 2\n", &["c@x.test"])]).await.unwrap();
        assert!(matches!(other[..], [TakenIn::New(_)]), "{other:?}");
    }
}

#[tokio::test]
async fn without_a_key_the_bytes_decide_where_they_can() {
    for database in Databases::start().each().await {
        let spool = &database.spool;
        let twice =
            vec![arrival("local", SourceKey::Digest, mail("a")), arrival("local", SourceKey::Digest, mail("a"))];
        let taken = spool.take_in(twice).await.unwrap();
        assert!(matches!(taken[..], [TakenIn::New(new), TakenIn::Known(known)] if new == known), "{taken:?}");
        let form = || vec![arrival("local", SourceKey::Digest, "Subject: form\n\nthe same words\n")];
        let (one, other) = (spool.take_in(form()).await.unwrap(), spool.take_in(form()).await.unwrap());
        assert!(matches!((&one[..], &other[..]), ([TakenIn::New(_)], [TakenIn::New(_)])));
        let mut envelope = arrival("local", SourceKey::Digest, mail("a"));
        envelope.recipients = vec!["support@example.org".into()];
        let taken = spool.take_in(vec![envelope]).await.unwrap();
        assert!(matches!(taken[..], [TakenIn::New(_)]), "another envelope is another message: {taken:?}");
    }
}

#[tokio::test]
async fn a_file_name_that_is_used_again_stands_for_its_bytes() {
    for database in Databases::start().each().await {
        let file = |bytes| vec![arrival("box", SourceKey::File("mail.eml".into()), bytes)];
        let first = database.spool.take_in(file(mail("a"))).await.unwrap();
        let other = database.spool.take_in(file(mail("b"))).await.unwrap();
        assert!(matches!((&first[..], &other[..]), ([TakenIn::New(one)], [TakenIn::New(two)]) if one != two));
        for (bytes, known) in [(mail("a"), &first), (mail("b"), &other)] {
            assert_eq!(database.spool.take_in(file(bytes)).await.unwrap(), [TakenIn::Adopted(known[0].id())]);
        }
    }
}

#[tokio::test]
async fn retired_uidls_may_be_used_again() {
    for database in Databases::start().each().await {
        let spool = &database.spool;
        let key = |name: &str| SourceKey::Uidl(name.into());
        spool.take_in(vec![arrival("pop", key("1_%"), mail("a")), arrival("pop", key("2"), mail("b"))]).await.unwrap();
        assert_eq!(spool.uidls("pop").await.unwrap().len(), 2);
        assert_eq!(spool.retire("pop", &["1_%".into()]).await.unwrap(), 1);
        assert_eq!(spool.uidls("pop").await.unwrap().into_keys().collect::<Vec<_>>(), ["2"]);
        let taken = spool
            .take_in(vec![arrival("pop", key("1_%"), mail("c")), arrival("pop", key("2"), mail("b"))])
            .await
            .unwrap();
        assert!(matches!(taken[..], [TakenIn::New(_), TakenIn::Adopted(_)]), "{taken:?}");
    }
}

#[tokio::test]
async fn a_message_whose_uidl_was_retired_or_is_another_now_is_known_by_its_bytes() {
    for database in Databases::start().each().await {
        let spool = &database.spool;
        let take = async |name: &str, text: &str| {
            let taken = spool.take_in(vec![arrival("pop", SourceKey::Uidl(name.into()), mail(text))]).await.unwrap();
            taken[0]
        };
        let TakenIn::New(first) = take("1", "a").await else { panic!("new") };
        assert!(matches!(take("1", "b").await, TakenIn::New(_)), "the server uses a UIDL for another message");
        assert!(matches!(take("1", "b").await, TakenIn::Adopted(_)));
        assert_eq!(take("7", "a").await, TakenIn::Adopted(first), "the server gave the first one another UIDL");
        assert!(matches!(take("8", "b").await, TakenIn::New(_)), "two messages of one listing may have the same bytes");
    }
}

#[tokio::test]
async fn large_messages_come_back_unchanged() {
    for database in Databases::start().each().await {
        let spool = &database.spool;
        let mut large = mail("large").into_bytes();
        large.resize(1 << 20, 0);
        let small = b"\0\xff no mail at all \r".to_vec();
        let taken = spool
            .take_in(vec![
                arrival("local", SourceKey::Digest, large.clone()),
                arrival("local", SourceKey::Digest, small.clone()),
            ])
            .await
            .unwrap();
        assert_eq!(spool.raw(taken[0].id()).await.unwrap(), large);
        assert_eq!(spool.raw(taken[1].id()).await.unwrap(), small);
        assert_eq!(spool.beginning(taken[0].id()).await.unwrap(), large[..256 << 10]);
        assert_eq!(spool.beginning(taken[1].id()).await.unwrap(), small);
        for size in [8 << 20, (16 << 20) + 1] {
            let huge: Vec<u8> = (0..size).map(|number: u32| (number % 251) as u8).collect();
            let taken = spool.take_in(vec![arrival("local", SourceKey::Digest, huge.clone())]).await.unwrap();
            assert!(spool.raw(taken[0].id()).await.unwrap() == huge);
            spool.drop(vec![taken[0].id()], &Actor::Daemon).await.unwrap();
        }
        spool.take_in(vec![arrival("local", SourceKey::Digest, large.clone())]).await.unwrap();
        let kept = usize::from(database.store().engine() == Engine::Sqlite);
        assert_eq!(
            files(&database.folder.path().join("objects")),
            kept,
            "the second copy of a known message is not kept"
        );
        spool.drop(vec![taken[0].id()], &Actor::Daemon).await.unwrap();
        assert_eq!(files(&database.folder.path().join("objects")), 0);
        let gone = spool.raw(taken[0].id()).await.unwrap_err();
        assert!(matches!(gone, StoreError::NotFound(_)), "{gone}");
        let again = spool.take_in(vec![arrival("local", SourceKey::Digest, large.clone())]).await.unwrap();
        assert_eq!(again, [TakenIn::Known(taken[0].id())], "what an admin dropped does not come back");
    }
}

#[tokio::test]
async fn messages_whose_place_is_away_wait_unblamed_and_those_whose_bytes_are_gone_are_held() {
    for database in Databases::start().each().await {
        // With PostgreSQL there is no such place.
        if database.store().engine() != Engine::Sqlite {
            continue;
        }
        let spool = &database.spool;
        let large = |id: &str| format!("{}{}", mail(id), "x".repeat(300 << 10));
        let mut arrivals = Vec::from(["gone", "whole", "cut"].map(|id| arrival("main", SourceKey::Digest, large(id))));
        arrivals.push(arrival("main", SourceKey::Digest, mail("small")));
        let ids: Vec<i64> = spool.take_in(arrivals).await.unwrap().iter().map(TakenIn::id).collect();
        let lease = leases::acquire(spool.store(), &Host::new("here"), &["main".into()]).await.unwrap().remove(0);
        let read = async || -> Vec<i64> {
            database.execute("UPDATE spool SET not_before = 0").await;
            let claimed = spool.claim(&lease, 10).await.unwrap();
            assert!(claimed.iter().all(|message| message.tries <= 3 && !message.suspect), "{claimed:?}");
            spool.read(claimed).await.unwrap().into_iter().map(|(message, _)| message.claim.id).collect()
        };
        let (objects, aside) = (database.folder.path().join("objects"), database.folder.path().join("aside"));
        std::fs::rename(&objects, &aside).unwrap();
        assert_eq!(read().await, ids[3..], "a small one is none of the folder's");
        for _ in 0..4 {
            assert_eq!(read().await, [0; 0]);
        }
        for id in &ids[..3] {
            let waiting = spool.show(*id).await.unwrap().unwrap();
            let reason = waiting.reason.unwrap();
            assert_eq!((waiting.status, waiting.tries), (SpoolStatus::Waiting, 0), "{reason}");
            assert!(reason.contains("folder of large messages") && reason.contains("Put it back"), "{reason}");
            assert!(spool.raw(*id).await.unwrap_err().is_temporary());
        }
        // A command or a start makes the folder that is missing; nothing is written into it, or the messages that come
        // back would seem gone, and this one when they do.
        Spool::open(database.store().clone(), database.folder.path()).unwrap();
        let refused = spool.take_in(vec![arrival("main", SourceKey::Digest, large("new"))]).await;
        assert!(refused.unwrap_err().is_temporary());
        assert_eq!(read().await, [0; 0]);
        assert_eq!(files(&objects), 0);
        assert!(spool.objects_away().await.is_some_and(|away| away.contains("it is empty")));
        std::fs::remove_dir(&objects).unwrap();
        assert!(spool.objects_away().await.is_some_and(|away| away.contains("No such file")));
        std::fs::rename(&aside, &objects).unwrap();
        assert_eq!(spool.objects_away().await, None);

        // What is gone from a folder that is there, or has other bytes, is a failure, and held after three.
        for (file, bytes) in all_files(&objects).into_iter().map(|file| (file.clone(), std::fs::read(file).unwrap())) {
            let text = String::from_utf8(bytes).unwrap();
            if text.contains("<gone@") {
                std::fs::remove_file(&file).unwrap();
            } else if text.contains("<cut@") {
                std::fs::write(&file, &text[..1_000]).unwrap();
            }
        }
        assert_eq!(read().await, ids[1..2]);
        for _ in 0..3 {
            read().await;
        }
        for (id, why) in [(ids[0], "are gone"), (ids[2], "are damaged")] {
            let held = spool.show(id).await.unwrap().unwrap();
            assert_eq!(held.status, SpoolStatus::Held);
            assert!(held.reason.as_ref().is_some_and(|reason| reason.contains(why)), "{:?}", held.reason);
        }
    }
}

#[tokio::test]
async fn received_bytes_are_forgotten_by_age() {
    for database in Databases::start().each().await {
        let mut large = arrival("main", SourceKey::Digest, mail("large"));
        large.raw = large.raw.iter().copied().chain(std::iter::repeat_n(0, 300 << 10)).collect();
        database.spool.take_in(vec![large]).await.unwrap();
        for claimed in database.claimed("main", 2).await {
            database.file(super::filing::new_ticket(&claimed)).await.unwrap();
        }
        let waiting = database.spool.take_in(vec![arrival("main", SourceKey::Digest, mail("waiting"))]).await.unwrap();
        assert_eq!(database.spool.forget_raw(0).await.unwrap(), 0);
        assert_eq!(database.spool.forget_raw(i64::MAX).await.unwrap(), 3);
        assert_eq!(files(&database.folder.path().join("objects")), 0);
        assert_eq!(database.spool.raw(waiting[0].id()).await.unwrap(), mail("waiting").as_bytes());
        assert!(database.spool.raw(waiting[0].id() - 1).await.is_err());
    }
}

fn files(folder: &std::path::Path) -> usize {
    all_files(folder).len()
}

fn all_files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn claims_follow_the_lease_and_the_order_of_arrival() {
    for database in Databases::start().each().await {
        let spool = &database.spool;
        let arrivals = (0..5).map(|number| arrival("main", SourceKey::Digest, mail(&number.to_string()))).collect();
        let ids: Vec<i64> = spool.take_in(arrivals).await.unwrap().iter().map(TakenIn::id).collect();
        let (here, there) = (Host::new("here"), Host::new("there"));
        let lease = leases::acquire(spool.store(), &here, &["main".into()]).await.unwrap().remove(0);
        assert!(leases::acquire(spool.store(), &there, &["main".into()]).await.unwrap().is_empty());
        assert_eq!(leases::holder(spool.store(), "main").await.unwrap().as_deref(), Some("here"));

        let claimed = spool.claim(&lease, 3).await.unwrap();
        assert_eq!(claimed.iter().map(|message| message.claim.id).collect::<Vec<_>>(), ids[..3]);
        assert_eq!(&spool.read(claimed).await.unwrap()[1].1[..], mail("1").as_bytes());
        let foreign = leases::acquire(spool.store(), &there, &["other".into()]).await.unwrap().remove(0);
        let stolen = postigo::spool::Lease { account: "main".into(), ..foreign };
        assert!(spool.claim(&stolen, 3).await.unwrap().is_empty(), "without the lease nothing is claimed");

        // Taking the lease again in the same process leaves its claims alone.
        leases::acquire(spool.store(), &here, &["main".into()]).await.unwrap();
        assert_eq!(
            spool.claim(&lease, 10).await.unwrap().iter().map(|message| message.claim.id).collect::<Vec<_>>(),
            ids[3..]
        );

        // An orderly end counts no try.
        leases::release(spool.store(), &here, &[]).await.unwrap();
        let lease = leases::acquire(spool.store(), &there, &["main".into()]).await.unwrap().remove(0);
        let claimed = spool.claim(&lease, 10).await.unwrap();
        assert_eq!(
            claimed.iter().map(|message| (message.claim.id, message.tries)).collect::<Vec<_>>(),
            ids.iter().map(|id| (*id, 1)).collect::<Vec<_>>()
        );
    }
}

#[tokio::test]
async fn three_unclean_ends_hold_nothing_and_three_failures_of_a_message_alone_hold_it() {
    for database in Databases::start().each().await {
        let spool = &database.spool;
        let taken = spool
            .take_in((0..2).map(|number| arrival("main", SourceKey::Digest, mail(&number.to_string()))).collect())
            .await
            .unwrap();
        let lease =
            |run: Host| async move { leases::acquire(spool.store(), &run, &["main".into()]).await.unwrap().remove(0) };
        let claimed = spool.claim(&lease(Host::new("here")).await, 10).await.unwrap();
        assert_eq!(claimed.iter().map(|message| message.suspect).collect::<Vec<_>>(), [false; 2]);

        // However often the host ends, each message runs alone, and none is held for it.
        let mut current = lease(Host::new("here")).await;
        for end in 1..=4 {
            let alone = spool.claim(&current, 10).await.unwrap();
            assert_eq!(
                alone.iter().map(|one| (one.claim.id, one.tries, one.failures, one.suspect)).collect::<Vec<_>>(),
                [(taken[0].id(), end + 1, 0, true)]
            );
            assert!(spool.claim(&current, 10).await.unwrap().is_empty(), "nothing runs beside it");
            current = lease(Host::new("here")).await;
            assert_eq!(spool.show(taken[0].id()).await.unwrap().unwrap().status, SpoolStatus::Waiting);
        }

        // What fails on it while the host lives counts, with what came of it.
        let mut late = None;
        for failed in 1..=3 {
            let claim = spool.claim(&current, 10).await.unwrap()[0].claim;
            let failure = MessageFailure { claim, not_before: 0, reason: format!("Failure {failed}."), suspect: true };
            let status = spool.failed(failure).await.unwrap();
            assert_eq!(status, if failed < 3 { SpoolStatus::Waiting } else { SpoolStatus::Held });
            late = Some(claim);
        }
        let (third, late) = (current, late.unwrap());
        let held = spool.show(taken[0].id()).await.unwrap().unwrap();
        assert_eq!((held.status, held.tries, held.reason.as_deref()), (SpoolStatus::Held, 8, Some("Failure 3.")));
        let result = held.result.unwrap();
        assert_eq!((result.status, result.error), (postigo_model::result::MessageStatus::Held, held.reason));
        let mut connection = spool.store().read().await.unwrap();
        let id = result.communication.unwrap();
        let shown =
            postigo::store::communications::show(&mut connection, &id, postigo_model::communication::Priority::Error)
                .await
                .unwrap()
                .unwrap();
        assert_eq!(
            (shown.communication.spool_id, shown.communication.entries.len()),
            (Some(held.id), 1),
            "the log says so"
        );
        drop(connection);
        assert_eq!(spool.claim(&third, 10).await.unwrap()[0].claim.id, taken[1].id());
        // A late host's claim is no longer in force.
        let failure = MessageFailure { claim: late, not_before: 0, reason: String::new(), suspect: true };
        let late = spool.failed(failure).await.unwrap_err();
        assert!(matches!(late, StoreError::Fenced), "{late}");

        let aside = MessageFilter { status: vec![SpoolStatus::Held], limit: 10, ..MessageFilter::default() };
        assert_eq!(spool.list(&aside).await.unwrap().len(), 1);
        assert_eq!(spool.depths().await.unwrap().get(&SpoolStatus::Held), Some(&1));
        let all = |limit| MessageFilter { limit, ..MessageFilter::default() };
        let ids =
            |messages: Vec<postigo::spool::SpoolMessage>| messages.iter().map(|message| message.id).collect::<Vec<_>>();
        assert_eq!(
            ids(spool.list(&all(10)).await.unwrap()),
            [taken[0].id(), taken[1].id()],
            "held and claimed together, in their order"
        );
        assert_eq!(ids(spool.list(&all(1)).await.unwrap()), [taken[0].id()]);
        assert_eq!(
            ids(spool.list(&MessageFilter { after: Some(taken[0].id()), ..all(10) }).await.unwrap()),
            [taken[1].id()]
        );
        spool.release(vec![taken[0].id()], &Actor::Daemon).await.unwrap();
        assert_eq!(spool.list(&aside).await.unwrap().len(), 0);
        let refused = spool.release(vec![taken[1].id()], &Actor::Daemon).await.unwrap_err();
        assert!(
            refused.to_string().contains(&format!("Message {} cannot be released: it is claimed", taken[1].id())),
            "{refused}"
        );
        let missing = spool.drop(vec![taken[0].id(), 4_711], &Actor::Daemon).await.unwrap_err();
        assert!(missing.to_string().contains("no message 4711"), "{missing}");
    }
}
