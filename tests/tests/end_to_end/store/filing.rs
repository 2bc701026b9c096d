//! Filing, finding again, changing.

use super::database::{Database, Databases, arrival, mail};
use postigo::commlog::Communication;
use postigo::filing::{self, TicketUpdate};
use postigo::filing::{Batch, FiledMessage, FilingInput, file};
use postigo::spool::leases;
use postigo::spool::{Host, MessageEnding};
use postigo::store::StoreError;
use postigo::store::outgoing::{self, DeliveryUpdate, NewOutgoing, SendableMail};
use postigo::store::sql::Sql;
use postigo::store::tickets::{self, TicketChange, TicketFilter};
use postigo_mail::{DeliveryReport, RecipientReport};
use postigo_model::actor::Actor;
use postigo_model::claim::Claim;
use postigo_model::communication::{CommunicationKind, Priority};
use postigo_model::configured::{AutoResponseType, Configuration, NumberGenerator, UnvouchedNumbers};
use postigo_model::mailbox::Mailbox;
use postigo_model::outgoing::{DeliveryFailure, DeliveryStatus, OutgoingKind};
use postigo_model::result::{MessageResult, MessageStatus};
use postigo_model::spool::{ClaimedMessage, SourceKey, SpoolStatus};
use postigo_model::ticket::VouchedBy::{ByAddress, ByNobody, ByProof};
use postigo_model::ticket::{
    AutoResponsePlan, AutoResponseStatus, Filing, FilingKind, FollowUpCandidate, NewArticle, SenderType, Ticket,
    WhyFollowUp,
};
use postigo_model::ticket::{FollowUpSearch, FoundTicket, TicketEdit, VouchedBy};
use std::collections::HashSet;

pub const NOON: i64 = 1_795_521_600_000;

impl Database {
    /// Takes in and claims so many messages.
    pub async fn claimed(&self, account: &str, count: usize) -> Vec<ClaimedMessage> {
        let arrivals = (0..count)
            .map(|number| arrival(account, SourceKey::Digest, mail(&format!("{account}-{number}"))))
            .collect();
        self.spool.take_in(arrivals).await.unwrap();
        let lease = leases::acquire(self.store(), &Host::new("here"), &[account.into()]).await.unwrap().remove(0);
        self.spool.claim(&lease, 1_000).await.unwrap()
    }

    pub async fn file(&self, input: FilingInput) -> Result<FiledMessage, StoreError> {
        self.store().write(input, |input, connection| Box::pin(file(connection, input))).await
    }

    async fn find(&self, candidate: FollowUpCandidate) -> Option<(String, WhyFollowUp)> {
        let mut connection = self.store().read().await.unwrap();
        let found = tickets::find_follow_up(&mut connection, &search(candidate)).await.unwrap();
        found.follow_up.map(|found| (found.ticket.number, found.why))
    }
}

fn search(candidate: FollowUpCandidate) -> FollowUpSearch {
    FollowUpSearch { candidates: vec![candidate], ..FollowUpSearch::default() }
}

pub fn new_ticket(claimed: &ClaimedMessage) -> FilingInput {
    let mut communication = Communication::start(CommunicationKind::Message, &claimed.account, "local");
    communication.searchable("jane@example.com");
    communication.entry(Priority::Info, "ticket", "Filed.");
    let ticket = Ticket {
        title: "Broken\0 lamp".into(),
        queue: "Raw".into(),
        state: "new".into(),
        priority: "3 normal".into(),
        r#type: "Unclassified".into(),
        lock: "unlock".into(),
        dynamic_fields: [("Contract".to_owned(), vec!["42".to_owned(), "43".to_owned()])].into(),
        ..Ticket::default()
    };
    let article = NewArticle {
        sender_type: SenderType::Customer,
        visible_for_customer: true,
        message_id: format!("<{}@example.org>", claimed.claim.id),
        body: "A NUL \0 in it".into(),
        ..NewArticle::default()
    };
    FilingInput {
        claim: claimed.claim,
        mail: None,
        filing: Filing {
            kind: FilingKind::NewTicket { linked_to: None },
            ticket,
            article,
            queue_by: "default".into(),
            warnings: Vec::new(),
            occasion: AutoResponseType::Reply,
            auto_response: None,
        },
        result: MessageResult { source: claimed.source.clone(), ..MessageResult::default() },
        communication: communication.finish(false),
        report: None,
        number_generator: NumberGenerator::DateChecksum,
        auto_responses_per_day: 2,
        now: NOON,
    }
}

#[tokio::test]
async fn a_message_is_filed_whole_or_not_at_all() {
    for database in Databases::start().each().await {
        let claimed = database.claimed("main", 2).await;
        let filed = database.file(new_ticket(&claimed[0])).await.unwrap();
        assert_eq!(filed.result.status, MessageStatus::Filed);
        assert_eq!(filed.number.len(), 14, "date, counter, check digit: {}", filed.number);
        assert!(filed.number.starts_with("2026112400001"));

        let twice = database.file(new_ticket(&claimed[0])).await.unwrap_err();
        assert!(matches!(twice, StoreError::Fenced), "{twice}");
        let late = FilingInput {
            claim: Claim { token: claimed[1].claim.token + 1, ..claimed[1].claim },
            ..new_ticket(&claimed[1])
        };
        assert!(matches!(database.file(late).await.unwrap_err(), StoreError::Fenced));

        let mut connection = database.store().read().await.unwrap();
        let all = tickets::list(&mut connection, &TicketFilter { limit: 10, ..TicketFilter::default() }).await.unwrap();
        assert_eq!(all.iter().map(|ticket| &ticket.number).collect::<Vec<_>>(), [&filed.number]);
        assert_eq!(all[0].title, "Broken\u{fffd} lamp");
        let articles = tickets::articles(&mut connection, filed.ticket_id).await.unwrap();
        assert_eq!(
            (articles.len(), articles[0].id, articles[0].content.body.as_str()),
            (1, filed.article_id, "A NUL \0 in it")
        );
        assert_eq!(database.spool.raw(articles[0].spool_id).await.unwrap(), mail("main-0").as_bytes());
        let message = database.spool.show(claimed[0].claim.id).await.unwrap().unwrap();
        assert_eq!((message.status, message.result), (SpoolStatus::Filed, Some(filed.result)));
    }
}

#[tokio::test]
async fn an_article_is_kept_over_its_mail_and_says_the_same_after_the_mails_bytes_are_gone() {
    for database in Databases::start().each().await {
        let claimed = database.claimed("main", 40).await;
        let mut said = Vec::new();
        for (number, claimed) in claimed.iter().enumerate() {
            let mut input = new_ticket(claimed);
            let raw = database.spool.raw(claimed.claim.id).await.unwrap();
            input.filing.article.body = String::from_utf8(raw.clone()).unwrap().replace("\r\n", "\n");
            input.mail = Some(raw.into());
            if number == 39 {
                // Its bytes lie in no row: nothing may need them.
                database.execute("DELETE FROM spool_raw WHERE spool_id = (SELECT MAX(id) FROM spool)").await;
            }
            let article = input.filing.article.clone();
            said.push((database.file(input).await.unwrap().ticket_id, article));
        }
        let kept = "SELECT CAST(COUNT(*) AS TEXT) FROM article WHERE over_mail = 1 AND octet_length(packed) < 100";
        assert_eq!(database.texts(kept).await, ["39"]);
        for is_gone in [false, true] {
            if is_gone {
                assert_eq!(database.spool.forget_raw(i64::MAX).await.unwrap(), 39);
                let left = "SELECT 'left' FROM article WHERE over_mail = 1 UNION ALL SELECT 'raw' FROM spool_raw";
                assert_eq!(database.texts(left).await, Vec::<String>::new());
            }
            let mut connection = database.store().read().await.unwrap();
            for (ticket, article) in &said {
                let articles = tickets::articles(&mut connection, *ticket).await.unwrap();
                assert_eq!(&articles[0].content, article);
                assert_eq!(tickets::article_heads(&mut connection, *ticket).await.unwrap()[0].id, articles[0].id);
            }
        }
    }
}

#[tokio::test]
async fn an_article_whose_mail_is_not_the_one_that_it_was_filed_from_is_told_of_as_damaged() {
    for database in Databases::start().each().await {
        let claimed = database.claimed("main", 2).await;
        let mut filed = Vec::new();
        for claimed in &claimed {
            let mut input = new_ticket(claimed);
            let raw = database.spool.raw(claimed.claim.id).await.unwrap();
            input.filing.article.body = String::from_utf8(raw.clone()).unwrap();
            input.mail = Some(raw.into());
            filed.push(database.file(input).await.unwrap());
        }
        database.execute("DELETE FROM spool_raw WHERE spool_id = (SELECT MIN(id) FROM spool)").await;
        database.execute("UPDATE spool_raw SET raw = (SELECT digest FROM spool WHERE id = spool_id), packed = 0").await;
        for (filed, why) in filed.iter().zip(["those are gone", "cannot be unpacked"]) {
            let read = tickets::article(&mut database.store().read().await.unwrap(), filed.article_id).await;
            let told = read.unwrap_err().to_string();
            assert!(told.contains(why), "{told}");
        }
    }
}

#[tokio::test]
async fn follow_ups_are_found_and_merged_tickets_stand_aside() {
    for database in Databases::start().each().await {
        let claimed = database.claimed("main", 3).await;
        let first = database.file(new_ticket(&claimed[0])).await.unwrap();
        let second = database.file(new_ticket(&claimed[1])).await.unwrap();
        let by_id = |id: i64| FollowUpCandidate::MessageId(WhyFollowUp::References, format!("<{id}@example.org>"));
        let by_number = |number: &str| FollowUpCandidate::Number(WhyFollowUp::Subject, number.into());
        let external =
            |value: &str| FollowUpCandidate::ExternalNumber { field: "Contract".into(), value: value.into() };
        assert_eq!(
            database.find(by_id(claimed[0].claim.id)).await,
            Some((first.number.clone(), WhyFollowUp::References))
        );
        assert_eq!(database.find(by_id(4_711)).await, None);
        assert_eq!(database.find(by_number(&second.number)).await, Some((second.number.clone(), WhyFollowUp::Subject)));
        assert_eq!(database.find(by_number("1")).await, None);
        assert_eq!(database.find(external("43")).await, Some((second.number.clone(), WhyFollowUp::ExternalNumber)));
        assert_eq!(database.find(external("4")).await, None);

        let mut reply = new_ticket(&claimed[2]);
        let mut connection = database.store().read().await.unwrap();
        let ticket = tickets::by_number(&mut connection, &second.number).await.unwrap().unwrap();
        drop(connection);
        reply.filing.ticket = Ticket {
            state: "closed successful".into(),
            dynamic_fields: [("Contract".into(), vec!["7".into()])].into(),
            ..ticket
        };
        reply.filing.kind = FilingKind::FollowUp(WhyFollowUp::Subject);
        let reply = database.file(reply).await.unwrap();
        assert_eq!((reply.ticket_id, reply.number), (second.ticket_id, second.number.clone()));
        assert_eq!(database.find(external("7")).await, None, "the ticket is closed");
        assert_eq!(database.find(external("43")).await, Some((first.number.clone(), WhyFollowUp::ExternalNumber)));

        let actor = Actor::Token { id: 3, name: "anna".into() };
        let change = |edit| TicketUpdate { edit, actor: actor.clone(), configuration: Configuration::default() };
        let merge = |target: &FiledMessage| {
            change(TicketEdit { merge_into: Some(target.number.clone()), ..TicketEdit::default() })
        };
        let merged = filing::edit(database.store(), first.number.clone(), merge(&second)).await.unwrap();
        assert_eq!((merged.state.as_str(), merged.merged_into.as_ref()), ("merged", Some(&second.number)));
        assert_eq!(database.find(by_number(&first.number)).await, Some((second.number.clone(), WhyFollowUp::Subject)));
        assert_eq!(
            database.find(by_id(claimed[0].claim.id)).await,
            Some((second.number.clone(), WhyFollowUp::References))
        );
        let back = filing::edit(database.store(), second.number.clone(), merge(&first)).await.unwrap_err();
        assert!(back.to_string().contains("cannot be merged into itself"), "{back}");

        let edit = TicketEdit { owner: Some("anna".into()), queue: Some("Misc".into()), ..TicketEdit::default() };
        let changed = filing::edit(database.store(), second.number.clone(), change(edit)).await.unwrap();
        assert_eq!(
            (changed.owner.as_deref(), changed.queue.as_str(), changed.state.as_str()),
            (Some("anna"), "Misc", "closed successful")
        );
        let again = TicketEdit { queue: Some("Misc".into()), ..TicketEdit::default() };
        let changed = filing::edit(database.store(), second.number.clone(), change(again)).await.unwrap();
        {
            let mut connection = database.store().read().await.unwrap();
            let noted = tickets::changes(&mut connection, second.ticket_id).await.unwrap();
            assert!(noted.iter().all(|one| one.actor == "token 3 (anna)" && one.at > 0), "{noted:?}");
            let told = |one: &TicketChange| (one.field.clone(), one.earlier.clone(), one.later.clone());
            let told: Vec<_> = noted.iter().map(told).collect();
            let queue = ("queue".to_owned(), Some("Raw".to_owned()), Some("Misc".to_owned()));
            let owner = ("owner".to_owned(), None, Some("anna".to_owned()));
            assert_eq!(told, [queue, owner], "what stays as it is is no change");
            let merged = tickets::changes(&mut connection, first.ticket_id).await.unwrap();
            assert!(merged.iter().any(|one| one.field == "merged_into" && one.later.as_ref() == Some(&second.number)));
        }
        let search = TicketFilter {
            search: Some("LAMP".into()),
            queue: Some("Misc".into()),
            limit: 5,
            ..TicketFilter::default()
        };
        let mut connection = database.store().read().await.unwrap();
        assert_eq!(tickets::list(&mut connection, &search).await.unwrap().len(), 1);
        let nothing = TicketFilter { search: Some("100%".into()), limit: 5, ..TicketFilter::default() };
        assert_eq!(tickets::list(&mut connection, &nothing).await.unwrap(), []);

        // By their last changes, a page each.
        let mut by_change = TicketFilter { changed_since: Some(1), limit: 1, ..TicketFilter::default() };
        let mut listed = Vec::new();
        while let [ticket] = tickets::list(&mut connection, &by_change).await.unwrap().as_slice() {
            let place = (ticket.changed_at, ticket.number.clone());
            by_change.past = Some(place.clone());
            listed.push(place);
        }
        let mut places = vec![(changed.changed_at, second.number.clone()), (merged.changed_at, first.number.clone())];
        places.sort();
        assert_eq!(listed, places);
        by_change = TicketFilter { changed_since: Some(changed.changed_at + 1), ..by_change };
        assert_eq!(tickets::list(&mut connection, &by_change).await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_unique_however_many_file_at_once() {
    for database in Databases::start().each().await {
        let database = std::sync::Arc::new(database);
        let mut running = tokio::task::JoinSet::new();
        for account in 0..6 {
            for claimed in database.claimed(&format!("account {account}"), 8).await {
                let database = std::sync::Arc::clone(&database);
                running.spawn(async move { database.file(new_ticket(&claimed)).await.unwrap().number });
            }
        }
        let numbers: HashSet<String> = running.join_all().await.into_iter().collect();
        assert_eq!(numbers.len(), 48);
        // Counted numbers that exist already, here from another generator's time, are stepped over.
        let claimed = database.claimed("late", 2).await;
        let counted = |claimed: &ClaimedMessage| FilingInput {
            number_generator: NumberGenerator::AutoIncrement,
            ..new_ticket(claimed)
        };
        let mut taken = new_ticket(&claimed[0]);
        taken.number_generator = NumberGenerator::Random;
        assert!(!numbers.contains(&database.file(taken).await.unwrap().number));
        assert_eq!(database.file(counted(&claimed[1])).await.unwrap().number, "00001");
    }
}

#[tokio::test]
async fn automatic_answers_have_a_daily_limit() {
    for database in Databases::start().each().await {
        let plan = |address: &str| AutoResponsePlan {
            occasion: AutoResponseType::Reply,
            name: "Receipt".into(),
            to: vec![address.into()],
            counted: vec![address.into(), address.to_uppercase()],
            suppressed: None,
        };
        let mut answers = Vec::new();
        for claimed in database.claimed("main", 3).await {
            let mut input = new_ticket(&claimed);
            input.filing.auto_response = Some(plan("jane@example.com"));
            answers.push(database.file(input).await.unwrap().result.auto_response);
        }
        assert_eq!(
            answers,
            [AutoResponseStatus::Queued, AutoResponseStatus::Queued, AutoResponseStatus::Suppressed].map(Some)
        );
        let mut next_day = new_ticket(&database.claimed("other", 1).await[0]);
        next_day.filing.auto_response = Some(plan("jane@example.com"));
        next_day.now += 86_400_000;
        assert_eq!(database.file(next_day).await.unwrap().result.auto_response, Some(AutoResponseStatus::Queued));
    }
}

#[tokio::test]
async fn what_is_not_filed_ends_behind_the_same_fence() {
    for database in Databases::start().each().await {
        let claimed = database.claimed("main", 1).await.remove(0);
        let result = MessageResult { status: MessageStatus::Ignored, ..MessageResult::default() };
        let ending =
            MessageEnding::new(claimed.claim, SpoolStatus::Ignored, Some("X-OTOBO-Ignore".into()), &result, None)
                .unwrap();
        let communication = new_ticket(&claimed).communication;
        database.spool.end(ending.clone(), communication.clone()).await.unwrap();
        assert!(matches!(database.spool.end(ending, communication).await.unwrap_err(), StoreError::Fenced));
        assert!(matches!(database.file(new_ticket(&claimed)).await.unwrap_err(), StoreError::Fenced));
        let results = database.spool.results(&[claimed.claim.id]).await.unwrap();
        assert_eq!(
            results[&claimed.claim.id].result.as_ref().map(|result| result.status),
            Some(MessageStatus::Ignored)
        );
        database.spool.release(vec![claimed.claim.id], &Actor::Daemon).await.unwrap();
        assert!(database.spool.results(&[claimed.claim.id]).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_batch_files_as_if_each_message_had_been_filed_before_the_next() {
    for database in Databases::start().each().await {
        let claimed = database.claimed("main", 4).await;
        let filed = database
            .store()
            .write(claimed.clone(), |claimed, connection| {
                Box::pin(async move {
                    let mut batch = Batch::default();
                    batch.push(new_ticket(&claimed[0]));
                    batch.push(new_ticket(&claimed[1]));
                    // The third and the fourth answer the first.
                    let answered = FollowUpCandidate::MessageId(
                        WhyFollowUp::References,
                        format!("<{}@example.org>", claimed[0].claim.id),
                    );
                    for (claimed, title) in claimed.iter().skip(2).zip(["once", "twice"]) {
                        let FoundTicket { ticket, why, .. } =
                            batch.find_follow_up(connection, &search(answered.clone())).await?.follow_up.unwrap();
                        let mut input = new_ticket(claimed);
                        input.filing.kind = FilingKind::FollowUp(why);
                        input.filing.ticket = Ticket { title: format!("{} {title}", ticket.title), ..ticket };
                        batch.push(input);
                    }
                    batch.finish(connection).await
                })
            })
            .await
            .unwrap();
        let numbers: Vec<&str> = filed.iter().map(|filed| filed.number.as_str()).collect();
        assert_eq!(numbers, [numbers[0], numbers[1], numbers[0], numbers[0]]);
        assert!(numbers[0] < numbers[1]);
        let mut connection = database.store().read().await.unwrap();
        let ticket = tickets::by_number(&mut connection, numbers[0]).await.unwrap().unwrap();
        assert_eq!(ticket.title, "Broken\u{fffd} lamp once twice");
        let articles = tickets::articles(&mut connection, ticket.id).await.unwrap();
        assert_eq!(
            articles.iter().map(|article| article.spool_id).collect::<Vec<_>>(),
            [claimed[0].claim.id, claimed[2].claim.id, claimed[3].claim.id]
        );

        // One lost claim, and nothing of the batch is filed.
        let claimed = database.claimed("other", 2).await;
        let lost = (
            new_ticket(&claimed[0]),
            FilingInput { claim: Claim { token: 1, ..claimed[1].claim }, ..new_ticket(&claimed[1]) },
        );
        let fenced = database
            .store()
            .write(lost, |(first, second), connection| {
                Box::pin(async move {
                    let mut batch = Batch::default();
                    batch.push(first.clone());
                    batch.push(second.clone());
                    batch.finish(connection).await
                })
            })
            .await
            .unwrap_err();
        assert!(matches!(fenced, StoreError::Fenced), "{fenced}");
        assert_eq!(database.spool.show(claimed[0].claim.id).await.unwrap().unwrap().status, SpoolStatus::Claimed);
        database.file(new_ticket(&claimed[0])).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn follow_ups_filed_at_once_keep_each_others_changes() {
    for database in Databases::start().each().await {
        let database = std::sync::Arc::new(database);
        let first = database.file(new_ticket(&database.claimed("first", 1).await[0])).await.unwrap();
        let mut running = tokio::task::JoinSet::new();
        for account in 0..6 {
            let reply = new_ticket(&database.claimed(&format!("account {account}"), 1).await[0]);
            let input = (FollowUpCandidate::Number(WhyFollowUp::Subject, first.number.clone()), reply);
            let database = std::sync::Arc::clone(&database);
            running.spawn(async move {
                let follow_up = database.store().write(input, |(candidate, reply), connection| {
                    Box::pin(async move {
                        let mut batch = Batch::default();
                        let FoundTicket { ticket, why, .. } =
                            batch.find_follow_up(connection, &search(candidate.clone())).await?.follow_up.unwrap();
                        let mut reply = reply.clone();
                        reply.filing.kind = FilingKind::FollowUp(why);
                        reply.filing.ticket = Ticket { title: format!("{}!", ticket.title), ..ticket };
                        batch.push(reply);
                        batch.finish(connection).await
                    })
                });
                follow_up.await.unwrap();
            });
        }
        running.join_all().await;
        let mut connection = database.store().read().await.unwrap();
        let ticket = tickets::by_number(&mut connection, &first.number).await.unwrap().unwrap();
        assert_eq!(ticket.title, "Broken\u{fffd} lamp!!!!!!");
        assert_eq!(tickets::articles(&mut connection, ticket.id).await.unwrap().len(), 7);
    }
}

/// A mail that a server has taken for this recipient, under one Message-ID with all others.
async fn sent(database: &Database, ticket_id: i64, recipient: &str) -> i64 {
    let composed = SendableMail {
        sender: "support@desk.test".into(),
        queue: "Raw".into(),
        recipients: vec![recipient.into()],
        message_id: "<sent@desk.test>".into(),
        raw: vec!["Subject: x\r\n\r\nx\r\n".into()],
        not_before: 0,
        subject: "x".into(),
        response: None,
    };
    let new = NewOutgoing { kind: OutgoingKind::Bounce, ticket_id, article_id: 0, composed, now: NOON };
    let taken = DeliveryUpdate {
        recipient: recipient.into(),
        status: DeliveryStatus::Sent,
        failure: None,
        detail: "250".into(),
    };
    let write = database.store().write((new, taken), |(new, taken), connection| {
        Box::pin(async move {
            let id = outgoing::queue(connection, new).await?;
            outgoing::delivered(connection, id, taken, NOON).await?;
            Ok(id)
        })
    });
    write.await.unwrap()
}

#[tokio::test]
async fn a_report_marks_the_mail_that_went_to_its_recipient_and_tells_agents_once() {
    for database in Databases::start().each().await {
        let mut claimed = database.claimed("main", 5).await;
        let ticket = database.file(new_ticket(&claimed.remove(0))).await.unwrap().ticket_id;
        // The same mail was sent on three times; the last two are not what the report is about.
        let first = sent(&database, ticket, "joe+42@x.test").await;
        let others = [sent(&database, ticket, "joeB@x.test").await, sent(&database, ticket, "ann@x.test").await];
        let report = |status: &str| DeliveryReport {
            original: "<sent@desk.test>".into(),
            recipients: vec![RecipientReport {
                addresses: vec!["JOE+42@x.test".into(), "joeB@x.test".into()],
                status: status.into(),
                detail: "550 no such user".into(),
                ..RecipientReport::default()
            }],
        };
        for (claimed, status) in claimed.iter().zip(["4.4.7", "5.1.1", "5.1.1"]) {
            database.file(FilingInput { report: Some(report(status)), ..new_ticket(claimed) }).await.unwrap();
        }
        let mut connection = database.store().read().await.unwrap();
        let delivery = outgoing::deliveries(&mut connection, first).await.unwrap().remove(0);
        assert_eq!(
            (delivery.status, delivery.failure),
            (DeliveryStatus::Failed, Some(DeliveryFailure::Soft)),
            "the first stands: {}",
            delivery.detail
        );
        for other in others {
            assert_eq!(outgoing::deliveries(&mut connection, other).await.unwrap()[0].status, DeliveryStatus::Sent);
        }
        let articles = tickets::articles(&mut connection, ticket).await.unwrap();
        let notes: Vec<_> =
            articles.iter().filter(|article| article.content.subject == "A mail could not be delivered").collect();
        assert_eq!(notes.len(), 1, "whoever knows of a failure is not told again");
        let note = &notes[0].content;
        assert!(
            !note.visible_for_customer
                && note.body.contains("joe+42@x.test: Given up after a temporary failure (4.4.7)"),
            "{}",
            note.body
        );
    }
}

#[tokio::test]
async fn sent_bytes_are_forgotten_by_age() {
    for database in Databases::start().each().await {
        let ids = [sent(&database, 1, "a@x.test").await, sent(&database, 1, "b@x.test").await];
        let change = format!("UPDATE outgoing SET status = 'sent' WHERE id = {}", ids[0]);
        database
            .store()
            .write(change, |sql, connection| Box::pin(async move { Sql::new(sql.clone()).execute(connection).await }))
            .await
            .unwrap();
        for (before, forgotten) in [(NOON, 0), (NOON + 1, 1), (i64::MAX, 0)] {
            let forget = database
                .store()
                .write(before, |before, connection| Box::pin(outgoing::forget_raw(connection, *before)));
            assert_eq!(forget.await.unwrap(), forgotten, "{before}");
        }
        let mut connection = database.store().read().await.unwrap();
        let gone = outgoing::raw(&mut connection, ids[0]).await.unwrap_err();
        assert!(matches!(gone, StoreError::NotFound(_)), "{gone}");
        assert!(outgoing::raw(&mut connection, ids[1]).await.unwrap().is_some(), "it is still to be sent");
    }
}

/// Who vouches for the ticket that a mail names, as filing finds it.
async fn vouched(database: &Database, search: FollowUpSearch) -> Option<VouchedBy> {
    let looked_at = tickets::find_follow_up(&mut database.store().read().await.unwrap(), &search).await.unwrap();
    let filing =
        database.store().write(search, |search, connection| Box::pin(tickets::find_to_follow_up(connection, search)));
    let found = filing.await.unwrap();
    assert_eq!(found, looked_at, "the first check finds what the second does");
    found.follow_up.map(|found| found.vouched)
}

#[tokio::test]
async fn a_ticket_is_vouched_for_by_its_people_and_by_references_but_not_by_a_strangers_own_mail() {
    for database in Databases::start().each().await {
        let claimed = database.claimed("main", 5).await;
        let mut first = new_ticket(&claimed[0]);
        first.filing.article.from = "Jane <jane@x.test>".into();
        first.filing.article.reply_to = "jane.roe@y.test".into();
        first.filing.article.cc = "\"Bob\"@X.test., carol+a@x.test".into();
        first.filing.ticket.customer_user = Some("customer@x.test".into());
        let first = database.file(first).await.unwrap();
        let id = |place: usize| format!("<{}@example.org>", claimed[place].claim.id);
        let by = |from: &str, references: &[String]| FollowUpSearch {
            candidates: vec![FollowUpCandidate::Number(WhyFollowUp::Subject, first.number.clone())],
            senders: from.split(' ').filter(|from| !from.is_empty()).map(Mailbox::of).collect(),
            authenticated: false,
            references: references.to_vec(),
            unvouched: UnvouchedNumbers::Mark,
        };
        // A stranger has written to the ticket before.
        let add = async |place: usize, from: &str, vouched: VouchedBy| {
            let mut input = new_ticket(&claimed[place]);
            input.filing.kind = FilingKind::FollowUp(WhyFollowUp::Subject);
            let mut connection = database.store().read().await.unwrap();
            input.filing.ticket = tickets::by_number(&mut connection, &first.number).await.unwrap().unwrap();
            drop(connection);
            input.filing.article.from = from.into();
            input.filing.article.cc = format!("friend-of-{from}");
            input.filing.article.reply_to = format!("other-{from}");
            input.filing.article.unvouched = vouched == ByNobody;
            input.filing.article.vouched_by_address = vouched == ByAddress;
            database.file(input).await.unwrap();
        };
        add(1, "evil@e.test", ByNobody).await;
        // Somebody has written to it in the name of Jane.
        add(2, "jane@x.test", ByAddress).await;
        // And an automatic answer went to whoever that was.
        let automatic = NewArticle {
            sender_type: SenderType::System,
            to: "answered@e.test".into(),
            message_id: "<automatic@desk.test>".into(),
            ..NewArticle::default()
        };
        let work = (first.ticket_id, automatic);
        let answered = database.store().write(work, |(ticket, answer), connection| {
            Box::pin(async move { tickets::add_article(connection, *ticket, 9, answer, NOON).await })
        });
        answered.await.unwrap();
        for (from, references, expected) in [
            ("jane@x.test", &[][..], ByAddress),
            ("jane.roe@y.test", &[], ByAddress),
            ("bob@x.test", &[], ByAddress),
            ("carol+a@x.test", &[], ByAddress),
            ("customer@x.test", &[], ByAddress),
            ("carol@x.test", &[], ByNobody),
            ("evil@e.test", &[], ByNobody),
            ("friend-of-evil@e.test", &[], ByNobody),
            ("friend-of-jane@x.test", &[], ByNobody),
            ("other-jane@x.test", &[], ByNobody),
            ("answered@e.test", &[], ByNobody),
            ("jane@x.test evil@e.test", &[], ByNobody),
            ("", &[], ByNobody),
            ("evil@e.test", &[id(1)], ByNobody),
            ("evil@e.test", &[id(2)], ByNobody),
            ("jane@x.test", &[id(2)], ByAddress),
            ("evil@e.test", &[id(1), id(0)], ByProof),
            ("jane@x.test", &[id(0)], ByProof),
            ("answered@e.test", &["<automatic@desk.test>".to_owned()], ByProof),
            ("evil@e.test", &["<no@x.test>".to_owned()], ByNobody),
        ] {
            assert_eq!(vouched(&database, by(from, references)).await, Some(expected), "{from} {references:?}");
        }
        let by_id = |place: usize| FollowUpSearch {
            candidates: vec![FollowUpCandidate::MessageId(WhyFollowUp::References, id(place))],
            ..by("evil@e.test", &[])
        };
        assert_eq!(
            (vouched(&database, by_id(0)).await, vouched(&database, by_id(1)).await),
            (Some(ByProof), Some(ByNobody))
        );
        for (from, expected) in [("jane@x.test", ByProof), ("evil@e.test", ByNobody)] {
            let search = FollowUpSearch { authenticated: true, ..by(from, &[]) };
            assert_eq!(vouched(&database, search).await, Some(expected), "a trusted host says that it is {from}");
        }
        let all = FollowUpSearch { unvouched: UnvouchedNumbers::Accept, ..by("evil@e.test", &[]) };
        assert_eq!(vouched(&database, all).await, Some(ByProof));
        // What comes later is read as well, and what a merge brings.
        add(3, "dave@x.test", ByProof).await;
        assert_eq!(vouched(&database, by("dave@x.test", &[])).await, Some(ByAddress));
        let mut other = new_ticket(&claimed[4]);
        other.filing.article.from = "erin@x.test".into();
        let other = database.file(other).await.unwrap();
        assert_eq!(vouched(&database, by("erin@x.test", &[])).await, Some(ByNobody));
        let edit = TicketEdit { merge_into: Some(first.number.clone()), ..TicketEdit::default() };
        let change = TicketUpdate { edit, actor: Actor::Daemon, configuration: Configuration::default() };
        filing::edit(database.store(), other.number.clone(), change).await.unwrap();
        assert_eq!(vouched(&database, by("erin@x.test", &[])).await, Some(ByAddress));
        for stranger in ["evil@e.test", "friend-of-jane@x.test", "answered@e.test"] {
            assert_eq!(vouched(&database, by(stranger, &[])).await, Some(ByNobody), "{stranger}");
        }
        // As if there were no such ticket: the next check is tried.
        let passed = FollowUpSearch { unvouched: UnvouchedNumbers::NewTicket, ..by("evil@e.test", &[]) };
        assert_eq!(vouched(&database, passed).await, None);
    }
}
