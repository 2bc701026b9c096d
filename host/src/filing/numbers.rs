//! Numbers for new tickets: none is given twice, however many hosts ask, and one that is taken already is passed over.

use super::number;
use crate::store::tickets::{NumberedTicket, insert_numbered};
use crate::store::{Store, StoreError, counters};
use postigo_model::configured::NumberGenerator;
use postigo_model::ticket::Ticket;
use sqlx::AnyConnection;
use time::OffsetDateTime;

/// Numbers that are taken already are passed over so often.
const MOST_TRIES: usize = 1_000;

/// The next `count` ticket numbers by this generator. `now` is milliseconds since the epoch; days are UTC.
async fn take(
    connection: &mut AnyConnection,
    generator: NumberGenerator,
    now: i64,
    count: usize,
) -> Result<Vec<String>, StoreError> {
    let date = OffsetDateTime::from_unix_timestamp(now.div_euclid(1_000)).unwrap_or(OffsetDateTime::UNIX_EPOCH).date();
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    let sources: Vec<u64> = match number::counter(generator, date) {
        Some(scope) => {
            let last = counters::advance(connection, &scope, count).await?;
            (last.saturating_sub(count) + 1..=last).collect()
        }
        None => (0..count).map(|_| counters::random()).collect::<Result<_, _>>()?,
    };
    Ok(sources.into_iter().map(|source| number::ticket_number(generator, date, source)).collect())
}

/// A ticket number that nobody else gets. One that is not used leaves a gap.
pub async fn reserve_number(store: &Store, generator: NumberGenerator, now: i64) -> Result<String, StoreError> {
    let taken = store
        .write((generator, now), |(generator, now), connection| Box::pin(take(connection, *generator, *now, 1)))
        .await?;
    taken.into_iter().next().ok_or(StoreError::Stopped)
}

/// A ticket that needs a number.
pub(super) struct NumberlessTicket<'t> {
    /// How its number is made.
    pub generator: NumberGenerator,
    /// What it is.
    pub ticket: &'t Ticket,
    /// Milliseconds since the epoch.
    pub now: i64,
}

/// Inserts tickets under the next free numbers; gives row id and number of each.
pub(super) async fn insert(
    connection: &mut AnyConnection,
    tickets: &[NumberlessTicket<'_>],
) -> Result<Vec<(i64, String)>, StoreError> {
    let mut made: Vec<Option<(i64, String)>> = vec![None; tickets.len()];
    // A number can be taken already where another generator was in use before, or by chance: then the next one is
    // tried.
    for _ in 0..MOST_TRIES {
        let open: Vec<usize> = (0..made.len()).filter(|place| made[*place].is_none()).collect();
        let Some(first) = open.first().and_then(|place| tickets.get(*place)) else {
            return Ok(made.into_iter().flatten().collect());
        };
        let numbers = take(connection, first.generator, first.now, open.len()).await?;
        let numbered: Vec<(usize, String)> = open.into_iter().zip(numbers).collect();
        let new: Vec<NumberedTicket<'_>> = numbered
            .iter()
            .map(|(place, number)| NumberedTicket { number, ticket: tickets[*place].ticket, now: tickets[*place].now })
            .collect();
        let mut ids = insert_numbered(connection, &new).await?;
        for (place, number) in numbered {
            made[place] = ids.remove(&number).map(|id| (id, number));
        }
    }
    Err(StoreError::Conflict("No free ticket number was found in 1,000 tries: choose another number generator.".into()))
}
