//! How fast the store takes in and files; prints, asserts nothing. Run with `--ignored`.

use super::database::{Databases, arrival};
use super::filing::new_ticket;
use postigo::spool::{Claimed, Host, SourceKey};
use postigo::store::filing::{FilingInput, file_all};
use postigo::store::leases;
use std::time::Instant;

const MESSAGES: usize = 4_000;
const BATCH: usize = 64;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn messages_a_second() {
    for database in Databases::start().each().await {
        let engine = database.store().engine();
        let raw = |number: usize| format!("Message-ID: <{number}@example.org>\r\n\r\n{}", "Lorem ipsum dolor sit amet.\r\n".repeat(170));
        let start = Instant::now();
        for first in (0..MESSAGES).step_by(BATCH) {
            let arrivals = (first..first + BATCH).map(|number| arrival("main", SourceKey::Digest, raw(number))).collect();
            database.spool.take_in(arrivals).await.unwrap();
        }
        println!("{engine:?}: taken in {:.0}/s", MESSAGES as f64 / start.elapsed().as_secs_f64());
        let start = Instant::now();
        let lease = leases::acquire(database.store(), &Host::new("here"), &["main".into()]).await.unwrap().remove(0);
        let mut claimed: Vec<Claimed> = Vec::new();
        loop {
            let batch = database.spool.claim(&lease, BATCH as u32).await.unwrap();
            if batch.is_empty() {
                break;
            }
            claimed.extend(batch);
        }
        println!("{engine:?}: claimed {:.0}/s", MESSAGES as f64 / start.elapsed().as_secs_f64());
        let (alone, together) = claimed.split_at(claimed.len() / 2);
        let inputs = |claimed: &[Claimed]| {
            let mut inputs: Vec<FilingInput> = claimed.iter().map(new_ticket).collect();
            for input in &mut inputs {
                input.filing.article.body = "Lorem ipsum dolor sit amet.\n".repeat(170);
                input.filing.ticket.dynamic_fields.clear();
            }
            inputs
        };
        let (alone, together) = (inputs(alone), inputs(together));
        let start = Instant::now();
        let count = alone.len();
        let mut running = tokio::task::JoinSet::new();
        let database = std::sync::Arc::new(database);
        for input in alone {
            if running.len() >= 256 {
                running.join_next().await;
            }
            let database = std::sync::Arc::clone(&database);
            running.spawn(async move { database.file(input).await.map(drop) });
        }
        while let Some(filed) = running.join_next().await {
            filed.unwrap().unwrap();
        }
        println!("{engine:?}: filed alone {:.0}/s", count as f64 / start.elapsed().as_secs_f64());
        let start = Instant::now();
        for batch in together.chunks(BATCH) {
            let batch = batch.to_vec();
            database
                .store()
                .write(batch, |batch, connection| {
                    Box::pin(async move {
                        file_all(connection, batch).await?;
                        Ok(())
                    })
                })
                .await
                .unwrap();
        }
        println!("{engine:?}: filed in batches {:.0}/s", together.len() as f64 / start.elapsed().as_secs_f64());
    }
}
