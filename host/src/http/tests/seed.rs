//! Messages in the spool and tickets in the store, put there as the worker does.

use super::harness::Api;
use crate::commlog::Communication;
use crate::filing::{self, FiledMessage, FilingInput};
use crate::spool::leases;
use crate::spool::{Host, MessageEnding};
use postigo_model::communication::{CommunicationKind, Priority};
use postigo_model::configured::{AutoResponseType, NumberGenerator};
use postigo_model::result::{MessageResult, MessageStatus};
use postigo_model::spool::{Arrival, ClaimedMessage, SourceKey, SpoolStatus};
use postigo_model::ticket::{Filing, FilingKind, NewArticle, SenderType, Ticket};

/// A mail with this subject.
pub fn mail(subject: &str) -> String {
    format!("Message-ID: <{subject}@example.org>\r\nFrom: jane@example.com\r\nSubject: {subject}\r\n\r\nHello.\r\n")
}

impl Api {
    /// Takes a mail in and claims it.
    async fn claim(&self, subject: &str) -> ClaimedMessage {
        self.take_in(&mail(subject)).await;
        let leases = leases::acquire(&self.state.store, &Host::new("test"), &["local".to_owned()]).await.unwrap();
        self.state.spool.claim(&leases[0], 10).await.unwrap().remove(0)
    }

    /// Takes a mail in; gives its id.
    pub async fn take_in(&self, text: &str) -> i64 {
        let arrival = Arrival {
            account: "local".into(),
            key: SourceKey::Digest,
            source: "test".into(),
            received_at: 1_795_521_600_000,
            recipients: Vec::new(),
            communication: None,
            raw: text.as_bytes().to_vec().into(),
        };
        self.state.spool.take_in(vec![arrival]).await.unwrap()[0].id()
    }

    /// Files a mail as a new ticket in the queue Raw.
    pub async fn file(&self, subject: &str) -> FiledMessage {
        let claimed = self.claim(subject).await;
        let mut communication =
            Communication::start(CommunicationKind::Message, "local", "rest").about(claimed.claim.id);
        communication.entry(Priority::Debug, "chain", "No filter matched.");
        communication.entry(Priority::Warning, "filing", "The header X-OTOBO-Queue names no queue.");
        communication.searchable(subject);
        let ticket = Ticket {
            title: subject.into(),
            queue: "Raw".into(),
            state: "new".into(),
            priority: "3 normal".into(),
            r#type: "Unclassified".into(),
            lock: "unlock".into(),
            ..Ticket::default()
        };
        let article = NewArticle {
            sender_type: SenderType::Customer,
            visible_for_customer: true,
            from: "jane@example.com".into(),
            subject: subject.into(),
            body: "Hello.\n".into(),
            date: Some(1_795_521_600_000),
            ..NewArticle::default()
        };
        let input = FilingInput {
            claim: claimed.claim,
            mail: Some(self.state.spool.raw(claimed.claim.id).await.unwrap().into()),
            filing: Filing {
                kind: FilingKind::NewTicket { linked_to: None },
                ticket,
                article,
                queue_by: "default".into(),
                warnings: Vec::new(),
                occasion: AutoResponseType::Reply,
                auto_response: None,
            },
            result: MessageResult { source: claimed.source, ..MessageResult::default() },
            communication: communication.finish(false),
            report: None,
            number_generator: NumberGenerator::default(),
            auto_responses_per_day: 40,
            now: 1_795_521_600_000,
        };
        self.state.store.write(input, |input, connection| Box::pin(filing::file(connection, input))).await.unwrap()
    }

    /// Leaves a mail in the spool, held; gives its id.
    pub async fn hold(&self, subject: &str) -> i64 {
        let claimed = self.claim(subject).await;
        let result = MessageResult { status: MessageStatus::Held, ..MessageResult::default() };
        let reason = "The filter \"10 Invoices\" failed.".to_owned();
        let ending = MessageEnding::new(claimed.claim, SpoolStatus::Held, Some(reason), &result, None).unwrap();
        let communication = Communication::start(CommunicationKind::Message, "local", "rest").finish(true);
        self.state.spool.end(ending, communication).await.unwrap();
        claimed.claim.id
    }
}
