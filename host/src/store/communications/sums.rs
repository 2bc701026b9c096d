//! Communications counted by hour and by day, and how it is known which of these sums hold.
//!
//! The sums have all communications that started before `summed_to`, but for the hours that `communication_change`
//! names: those are counted row by row until [`super::summing`] has summed them up again. Who writes communications
//! says so there, in the same transaction, of each that started before `summing_to`, which is never less than
//! `summed_to`. So at any instant what [`between`] gives is what a count over the rows gives.

use super::figures::{self, Figures, GROUP, Group};
use super::time_span::started;
use crate::store::StoreError;
use crate::store::sql::{Sql, Value, pieces};
use sqlx::{AnyConnection, Row};
use std::collections::BTreeSet;

/// In milliseconds.
pub const HOUR: i64 = 3_600_000;
/// In milliseconds.
pub const DAY: i64 = 24 * HOUR;

/// When the hour or day of this time begins.
pub fn beginning(at: i64, span: i64) -> i64 {
    at.div_euclid(span) * span
}

/// How far sums go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Who changes a communication from before says so. Milliseconds since the epoch.
    pub summing_to: i64,
    /// The sums have those from before. Milliseconds since the epoch.
    pub summed_to: i64,
    /// Goes up with each change of a sum.
    pub step: i64,
}

/// How far sums go.
pub async fn progress(connection: &mut AnyConnection) -> Result<Progress, StoreError> {
    let mut sql = Sql::new("SELECT summing_to, summed_to, step FROM communication_summing WHERE id = 1");
    let row = sql.one(connection).await?;
    Ok(Progress { summing_to: row.try_get(0)?, summed_to: row.try_get(1)?, step: row.try_get(2)? })
}

/// Looks up the time before which who changes a communication that started says so by [`mark`].
pub const SUMMING_TO: &str = "SELECT summing_to FROM communication_summing WHERE id = 1";

/// Says of communications that were written or removed in this transaction that the sums with them no longer hold.
/// `summing_to` was read after they had been written: see [`super::summing`].
pub async fn mark<'i>(
    connection: &mut AnyConnection,
    ids: impl Iterator<Item = &'i str>,
    summing_to: i64,
) -> Result<(), StoreError> {
    let times = ids.map(started).filter(|at| *at < summing_to);
    let hours: BTreeSet<i64> = times.map(|at| beginning(at, HOUR)).collect();
    let hours: Vec<i64> = hours.into_iter().collect();
    for piece in pieces(&hours) {
        let mut sql = Sql::new("INSERT INTO communication_change (hour) VALUES ");
        sql.tuples(piece.iter().map(|hour| -> [Value; 1] { [(*hour).into()] })).execute(connection).await?;
    }
    Ok(())
}

/// A span of time, milliseconds since the epoch; without an end where `until` is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    since: i64,
    until: Option<i64>,
}

/// Which spans are summed up by days and by hours, and which are counted row by row.
#[derive(Debug, Default, PartialEq, Eq)]
struct Cut {
    days: Vec<(i64, i64)>,
    hours: Vec<(i64, i64)>,
    rows: Vec<Span>,
}

impl Cut {
    /// Cuts a span of time, where sums go so far and those of these hours do not hold.
    fn of(span: Span, summed_to: i64, changed: &BTreeSet<i64>) -> Self {
        let first = beginning(span.since.saturating_add(HOUR - 1), HOUR);
        let end = match span.until {
            Some(until) if until < summed_to => beginning(until, HOUR),
            _ => summed_to,
        };
        let mut cut = Self::default();
        if first >= end {
            cut.rows.push(span);
            return cut;
        }
        cut.row(span.since, Some(first));
        let mut from = first;
        while from < end {
            let day = beginning(from, DAY);
            let holds = changed.range(day..day.saturating_add(DAY)).next().is_none();
            if from == day && day + DAY <= end && holds {
                extend(&mut cut.days, day, day + DAY);
                from = day + DAY;
                // A long span without a change is one piece.
                let next = changed.range(from..).next().map_or(end, |hour| beginning(*hour, DAY));
                let days = beginning(next.min(end), DAY);
                if days > from {
                    extend(&mut cut.days, from, days);
                    from = days;
                }
                continue;
            }
            let to = (from + HOUR).min(end);
            if changed.contains(&from) {
                cut.row(from, Some(to));
            } else {
                extend(&mut cut.hours, from, to);
            }
            from += HOUR;
        }
        cut.row(end, span.until);
        cut
    }

    fn row(&mut self, since: i64, until: Option<i64>) {
        if until.is_some_and(|until| until <= since) {
            return;
        }
        match self.rows.last_mut() {
            Some(last) if last.until == Some(since) => last.until = until,
            _ => self.rows.push(Span { since, until }),
        }
    }
}

/// Adds a piece; two that meet become one.
fn extend(pieces: &mut Vec<(i64, i64)>, from: i64, to: i64) {
    match pieces.last_mut() {
        Some((_, end)) if *end == from => *end = to,
        _ => pieces.push((from, to)),
    }
}

/// A span that is cut into more pieces than this is counted row by row, in one statement.
const MOST_PIECES: usize = 100;

/// What the communications of a span of time (milliseconds since the epoch) amount to, empty fetches left out; in a
/// [`snapshot`]. A group may come several times.
pub async fn between(
    snapshot: &mut AnyConnection,
    since: Option<i64>,
    until: Option<i64>,
) -> Result<Vec<(Group, Figures)>, StoreError> {
    let summed_to = progress(snapshot).await?.summed_to;
    let rows = Sql::new("SELECT DISTINCT hour FROM communication_change").all(snapshot).await?;
    let changed = rows.iter().map(|row| row.try_get(0)).collect::<Result<BTreeSet<i64>, _>>()?;
    // Before the first communication there is nothing to be cut.
    let span = Span { since: since.unwrap_or_default().max(0), until: until.map(|until| until.max(0)) };
    let cut = Cut::of(span, summed_to, &changed);
    if cut.days.len() + cut.hours.len() + cut.rows.len() > MOST_PIECES {
        return figures::counted(snapshot, span.since, span.until).await;
    }
    let mut found = Vec::new();
    for (span, pieces) in [(DAY, &cut.days), (HOUR, &cut.hours)] {
        for (from, to) in pieces {
            found.extend(summed(snapshot, span, *from, *to).await?);
        }
    }
    for Span { since, until } in cut.rows {
        found.extend(figures::counted(snapshot, since, until).await?);
    }
    Ok(found)
}

/// What the sums of a span of hours or days amount to.
pub async fn summed(
    connection: &mut AnyConnection,
    span: i64,
    from: i64,
    to: i64,
) -> Result<Vec<(Group, Figures)>, StoreError> {
    let mut sql = Sql::new(format!(
        "SELECT {GROUP}, CAST(SUM(communications) AS BIGINT), CAST(SUM(timed) AS BIGINT), \
         CAST(SUM(took) AS BIGINT), MAX(last_id), CAST(0 AS BIGINT) FROM communication_sum WHERE span = "
    ));
    sql.bind(span).push(" AND starts_at >= ").bind(from).push(" AND starts_at < ").bind(to);
    sql.push(" GROUP BY ").push(GROUP).all(connection).await?.iter().map(figures::read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_cut_into_days_hours_and_rows_that_cover_it_once() {
        let summed_to = 5 * DAY + 7 * HOUR + 1_234;
        let changes = [vec![], vec![2 * DAY + 3 * HOUR], vec![0, 3 * DAY - HOUR, 5 * DAY, 5 * DAY + 7 * HOUR]];
        let mut days = 0;
        for changed in changes.map(BTreeSet::from_iter) {
            for since in [0, 1, HOUR, DAY - 1, DAY, 2 * DAY + 3 * HOUR + 5, 5 * DAY, summed_to, 6 * DAY] {
                let ends = [0, 1, HOUR + 1, 2 * DAY, 3 * DAY + 7, summed_to - 1, summed_to, summed_to + 1, 7 * DAY];
                for until in ends.map(Some).into_iter().chain([None]).filter(|until| until.is_none_or(|it| it > since))
                {
                    let cut = Cut::of(Span { since, until }, summed_to, &changed);
                    let spans = cut.days.iter().chain(&cut.hours).map(|(from, to)| (*from, Some(*to)));
                    let mut spans: Vec<_> = spans.chain(cut.rows.iter().map(|row| (row.since, row.until))).collect();
                    spans.sort_unstable();
                    assert_eq!((spans[0].0, spans[spans.len() - 1].1), (since, until), "{cut:?}");
                    assert!(spans.windows(2).all(|pair| pair[0].1 == Some(pair[1].0)), "{since} {until:?}: {cut:?}");
                    for (from, to) in &cut.days {
                        assert!(from % DAY == 0 && to % DAY == 0 && *to <= summed_to);
                        assert!(changed.range(from..to).next().is_none(), "{cut:?}");
                        days += 1;
                    }
                    for (from, to) in &cut.hours {
                        assert!(from % HOUR == 0 && (to % HOUR == 0 || *to == summed_to));
                        assert!(changed.range(from..to).next().is_none(), "{cut:?}");
                    }
                }
            }
        }
        assert!(days > 20);
    }
}
