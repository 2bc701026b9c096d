//! Automatic answers between filing and the outgoing queue.

use super::database::Databases;
use super::filing::new_ticket;
use postigo::answer::compose_due;
use postigo::store::communications::{self, LogFilter};
use postigo::store::outgoing::{self, OutgoingFilter};
use postigo_model::communication::{Direction, Priority};
use postigo_model::configured::{AutoResponse, AutoResponseType, Configuration, Queue, SystemAddress};
use postigo_model::outgoing::OutgoingStatus;
use postigo_model::ticket::AutoResponsePlan;
use postigo_model::timestamp::now;

#[tokio::test]
async fn an_answer_that_nobody_could_write_for_days_is_not_sent_any_more() {
    let address = SystemAddress { address: "help@desk.test".into(), queue: "Raw".into(), ..SystemAddress::default() };
    let receipt = AutoResponse {
        name: "Receipt".into(),
        queue: "Raw".into(),
        subject: "We have it".into(),
        ..AutoResponse::default()
    };
    let mut configuration = Configuration::default();
    configuration.queues.insert("Raw".into(), Queue { name: "Raw".into(), ..Queue::default() });
    configuration.system_addresses.insert(address.address.clone(), address);
    configuration.auto_responses.insert(receipt.name.clone(), receipt);
    for database in Databases::start().each().await {
        for (claimed, days) in database.claimed("main", 3).await.iter().zip([3, 1, 3]) {
            let mut input = new_ticket(claimed);
            let jane = vec!["jane@example.com".to_owned()];
            let plan = AutoResponsePlan {
                occasion: AutoResponseType::Reply,
                name: "Receipt".into(),
                to: jane.clone(),
                counted: jane,
                suppressed: None,
            };
            input.filing.auto_response = Some(plan);
            input.now = now() - days * 86_400_000;
            database.file(input).await.unwrap();
        }
        assert_eq!(compose_due(&database.spool, &configuration).await.unwrap(), 3);
        let mut connection = database.store().read().await.unwrap();
        let (cancelled, waiting) = (OutgoingStatus::Cancelled, OutgoingStatus::Waiting);
        let all = OutgoingFilter { status: vec![cancelled, waiting], limit: 10, ..OutgoingFilter::default() };
        let mails = outgoing::list(&mut connection, &all).await.unwrap();
        assert_eq!(
            mails.iter().map(|mail| mail.status).collect::<Vec<_>>(),
            [cancelled, waiting, cancelled],
            "{mails:?}"
        );
        let told = LogFilter { direction: Some(Direction::Outgoing), limit: 10, ..LogFilter::default() };
        let told = communications::list(&mut connection, &told).await.unwrap();
        assert_eq!(told.len(), 2);
        let told = communications::show(&mut connection, &told[0].id, Priority::Debug).await.unwrap().unwrap();
        assert!(told.communication.entries[0].value.contains("longer than auto_responses_max_age"), "{told:?}");
    }
}
