//! The daemon's loop that composes automatic answers soon after filing has decided them.
//!
//! Any number of hosts may run it: a row that is due becomes one that waits within the transaction that writes its
//! article, and only one of them can do that.

use super::auto_response::{AnswerMaterial, NotSent, languages};
use super::compose::ComposedMail;
use crate::commlog::Communication;
use crate::filing::gets_no_answers;
use crate::spool::Spool;
use crate::store::outgoing::{self, DueRow};
use crate::store::{StoreError, communications, customers, tickets};
use crate::worker::{Live, LiveConfiguration};
use futures_util::StreamExt as _;
use postigo_mail::{Envelope, Message, OpenedMessage, Vocabulary, failed_authentication, why_loops, why_unanswered};
use postigo_model::communication::{CommunicationKind, MailFate, MailHeading, Priority};
use postigo_model::configured::Configuration;
use postigo_model::mailbox::Mailbox;
use postigo_model::outgoing::OutgoingKind;
use postigo_model::timestamp::now;
use postigo_model::timestamp::rfc3339;
use postigo_supervision::{SupervisedTask, WorkKind, caught};
use sqlx::AnyConnection;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// So many rows are looked for at once.
const AT_ONCE: u32 = 64;
/// So many are composed side by side: their writes share commits.
const SIDE_BY_SIDE: usize = 8;
/// Other processes decide answers too: it is looked for them at least this often.
const LOOKED_INTO: Duration = Duration::from_millis(500);
/// The pause while the database is away.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest pause after a round that panicked.
const LONGEST_REST: Duration = Duration::from_secs(15);

/// Composes what is due until `stop`, by what `live` has in force then, and `setup` gives. `composed` is called after each round that put mails into the queue.
pub async fn run(
    spool: Spool,
    live: Arc<Live>,
    setup: impl Fn() -> Arc<LiveConfiguration>,
    composed: impl Fn(),
    stop: CancellationToken,
) {
    let supervised = SupervisedTask::new(WorkKind::Answers, "", stop.clone()).resting_at_most(LONGEST_REST);
    let mut changes = spool.changed();
    while !stop.is_cancelled() {
        changes.mark_unchanged();
        let round = async {
            let rows = due(&spool).await?;
            if !rows.is_empty() {
                // What became due after a change is composed by it.
                live.newest().await?;
            }
            let count = compose_all(&spool, &setup().configuration, rows).await?;
            if count > 0 {
                composed();
            }
            Ok::<usize, StoreError>(count)
        };
        let wait = match supervised.round(round).await {
            Err(_) | Ok(Ok(1..)) => continue,
            Ok(Ok(0)) => LOOKED_INTO,
            Ok(Err(error)) => {
                tracing::warn!(%error, "automatic answers could not be composed; they are tried again");
                PAUSE
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            _ = changes.changed(), if wait == LOOKED_INTO => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// The oldest rows that are due.
async fn due(spool: &Spool) -> Result<Vec<DueRow>, StoreError> {
    outgoing::due(&mut *spool.store().read().await?, AT_ONCE).await
}

/// Composes the oldest rows that are due; gives their number. None is left half done.
pub async fn compose_due(spool: &Spool, configuration: &Configuration) -> Result<usize, StoreError> {
    compose_all(spool, configuration, due(spool).await?).await
}

/// Composes these rows; gives their number. None is left half done.
async fn compose_all(spool: &Spool, configuration: &Configuration, rows: Vec<DueRow>) -> Result<usize, StoreError> {
    let count = rows.len();
    let ended =
        futures_util::stream::iter(rows).map(|row| end_one(spool, configuration, row)).buffer_unordered(SIDE_BY_SIDE);
    // One that cannot be ended keeps none of the others waiting.
    let ended: Vec<Result<(), StoreError>> = ended.collect().await;
    ended.into_iter().collect::<Result<(), _>>()?;
    Ok(count)
}

/// Composes one row, or ends it with the reason why not.
async fn end_one(spool: &Spool, configuration: &Configuration, row: DueRow) -> Result<(), StoreError> {
    let ended = match too_old(&row, configuration) {
        Some(reason) => give_up(spool, row.clone(), &reason).await,
        None => match caught(WorkKind::Answer, &row.queue, compose_one(spool, configuration, row.clone())).await {
            Ok(composed) => composed,
            // It would break each round, and keep the others waiting.
            Err(panic) => give_up(spool, row.clone(), &NotSent::Panicked(panic)).await,
        },
    };
    match ended {
        // Another host was quicker.
        Err(StoreError::Fenced) => Ok(()),
        Err(error) if !error.is_temporary() => give_up(spool, row, &NotSent::Unreadable(error)).await,
        ended => ended,
    }
}

async fn compose_one(spool: &Spool, configuration: &Configuration, row: DueRow) -> Result<(), StoreError> {
    let due = gather(spool, configuration, row).await?;
    match compose(&due, configuration) {
        Ok(answer) => {
            let per_hour = configuration.settings.auto_responses_per_hour;
            let work = (due.row.clone(), answer, per_hour);
            let written = spool
                .store()
                .write(work, |(row, answer, per_hour), connection| Box::pin(write(connection, row, answer, *per_hour)));
            if written.await? { Ok(()) } else { give_up(spool, due.row, &NotSent::TooMany(per_hour)).await }
        }
        Err(reason) => give_up(spool, due.row, &reason).await,
    }
}

/// An answer that comes long after the mail surprises more than it tells. A refusal does not: what it tells of was
/// removed, and only it says so.
fn too_old(row: &DueRow, configuration: &Configuration) -> Option<NotSent> {
    let most = configuration.settings.auto_responses_max_age;
    let age = u64::try_from(now() - row.created_at).unwrap_or_default() / 1_000;
    let told = || format!("It was due since {}, longer than auto_responses_max_age.", rfc3339(row.created_at));
    (row.kind == OutgoingKind::AutoResponse && most > 0 && age >= most).then(|| NotSent::Obsolete(told()))
}

/// An answer, and what it is if nobody gets a copy.
struct DueAnswer {
    mail: ComposedMail,
    /// The address that gets a copy, its daily limit, and the answer without one.
    copy: Option<(String, u32, ComposedMail)>,
}

fn compose(due: &AnswerMaterial, configuration: &Configuration) -> Result<DueAnswer, NotSent> {
    if let Some(why) = &due.unanswered {
        return Err(NotSent::Obsolete(format!("The customer's last mail is not answered: {why}.")));
    }
    let mail = due.compose(configuration, now())?;
    let copy = match &due.copy {
        Some(address) => {
            let without = AnswerMaterial { copy: None, ..due.clone() };
            Some((
                address.clone(),
                configuration.settings.auto_responses_per_day,
                without.compose(configuration, now())?,
            ))
        }
        None => None,
    };
    Ok(DueAnswer { mail, copy })
}

/// Reads what an answer is made from.
async fn gather(spool: &Spool, configuration: &Configuration, row: DueRow) -> Result<AnswerMaterial, StoreError> {
    let mut due = AnswerMaterial {
        row,
        ticket: None,
        answered: None,
        languages: Vec::new(),
        customer: None,
        copy: None,
        unanswered: None,
    };
    if due.row.kind == OutgoingKind::Refusal {
        return Ok(due);
    }
    let mut connection = spool.store().read().await?;
    due.ticket = tickets::by_id(&mut connection, due.row.ticket_id).await?;
    let article = tickets::article(&mut connection, due.row.article_id).await?;
    if let Some(login) = due.ticket.as_ref().and_then(|ticket| ticket.customer_user.as_deref()) {
        due.customer = customers::by_login(&mut connection, login).await?;
    }
    drop(connection);
    if let Some(article) = article {
        // Filing has looked at the mail for every other occasion.
        let is_looked_at = due.row.occasion != "remove";
        if !is_looked_at || configuration.auto_responses.values().any(|response| !response.language.is_empty()) {
            match spool.beginning(article.spool_id).await {
                Ok(beginning) => {
                    let message = Message::parse(beginning.into());
                    due.languages = languages(&message);
                    due.unanswered = if is_looked_at { None } else { why_not(message, configuration) };
                }
                Err(error) if error.is_temporary() => return Err(error),
                // The bytes may be gone by their retention; the article says enough.
                Err(_) if is_looked_at => {}
                Err(_) => {
                    due.unanswered =
                        Some("its bytes are gone, so that nobody knows whether a robot wrote it".to_owned());
                }
            }
        }
        due.answered = Some(article.content);
    }
    due.copy = copy(configuration, &due);
    Ok(due)
}

/// Why a mail is not answered, as filing would decide.
fn why_not(message: Message, configuration: &Configuration) -> Option<String> {
    if let Some(why) = failed_authentication(&message, &configuration.settings.authentication_results_from) {
        return Some(why);
    }
    if let Some(why) = why_unanswered(&message) {
        return Some(why);
    }
    let mail = OpenedMessage::as_it_came(message).vet(Envelope::default(), &Vocabulary::default()).0.compute();
    why_loops(&mail)
}

/// The ticket's customer user gets a copy if they are not answered already (OTOBO does so), and if they may get answers
/// at all.
fn copy(configuration: &Configuration, due: &AnswerMaterial) -> Option<String> {
    let email = due.customer.as_ref().map(|customer| &customer.email).filter(|email| !email.is_empty())?;
    let answered = due.row.recipients.iter().any(|recipient| Mailbox::of(recipient) == Mailbox::of(email));
    (!answered && !gets_no_answers(email, configuration)).then(|| email.clone())
}

/// Counts the answer against the hour's limit and the copy against its person's daily one, and writes the answer; says
/// whether the hour had room for it. What another host has written meanwhile counts nothing here: all is rolled back.
async fn write(
    connection: &mut AnyConnection,
    row: &DueRow,
    answer: &DueAnswer,
    per_hour: u32,
) -> Result<bool, StoreError> {
    let at = now();
    // A refusal was counted when it was decided: the mail that it tells of is removed then.
    if row.kind != OutgoingKind::Refusal && !outgoing::count_in_hour(connection, per_hour, at).await? {
        return Ok(false);
    }
    let mail = match &answer.copy {
        Some((address, per_day, without)) if !outgoing::count_one(connection, address, *per_day, at).await? => without,
        _ => &answer.mail,
    };
    outgoing::composed(connection, row.id, &mail.outgoing, at).await?;
    if row.ticket_id != 0 {
        tickets::add_article(connection, row.ticket_id, row.id, &mail.article, at).await?;
    }
    Ok(true)
}

/// Ends a row that cannot be composed, and says so in the log.
async fn give_up(spool: &Spool, row: DueRow, reason: &NotSent) -> Result<(), StoreError> {
    let reason = reason.to_string();
    tracing::warn!(outgoing = row.id, %reason, "an automatic answer is not sent");
    let mut communication = Communication::start(CommunicationKind::Message, "", row.kind.name()).outgoing();
    communication.entry(Priority::Error, "answer", format!("The automatic mail {} is not sent: {reason}", row.id));
    communication.about_mail(&MailHeading::new("", &row.recipients.join(", "), "", ""));
    communication.came_to(MailFate::Cancelled);
    let mut record = communication.finish(true);
    record.article_id = (row.article_id != 0).then_some(row.article_id);
    spool
        .store()
        .write((row.id, reason, record), |(id, reason, record), connection| {
            Box::pin(async move {
                if outgoing::drop_due(connection, *id, reason, now()).await? {
                    communications::save(connection, record).await?;
                }
                Ok(())
            })
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::outgoing::SendableMail;
    use crate::store::{Location, Store};
    use crate::trapped_log::trap;
    use postigo_model::ticket::NewArticle;
    use postigo_model::ticket::SenderType;
    use postigo_supervision as supervision;

    /// An answer whose copy's address gets two a day.
    fn answer() -> DueAnswer {
        let mail = |recipients: &[&str]| ComposedMail {
            outgoing: SendableMail {
                queue: "Raw".into(),
                recipients: recipients.iter().map(|recipient| (*recipient).to_owned()).collect(),
                message_id: "<a@desk.test>".into(),
                raw: vec!["Subject: x\r\n\r\nx\r\n".into()],
                ..SendableMail::default()
            },
            article: NewArticle { sender_type: SenderType::System, ..NewArticle::default() },
        };
        DueAnswer {
            mail: mail(&["jane@x.test", "copy@x.test"]),
            copy: Some(("copy@x.test".into(), 2, mail(&["jane@x.test"]))),
        }
    }

    #[test]
    fn a_refusal_is_never_too_old_for_nobody_has_its_mail_any_more() {
        let row = |kind| DueRow {
            id: 1,
            kind,
            ticket_id: 0,
            article_id: 0,
            occasion: String::new(),
            response: String::new(),
            recipients: Vec::new(),
            created_at: 0,
            queue: "Raw".into(),
        };
        let configuration = Configuration::default();
        assert!(too_old(&row(OutgoingKind::AutoResponse), &configuration).is_some());
        assert!(too_old(&row(OutgoingKind::Refusal), &configuration).is_none());
    }

    #[tokio::test]
    async fn an_answer_that_can_never_be_composed_ends_and_keeps_no_other_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let spool = Spool::open(store.clone(), folder.path()).unwrap();
        for statement in [
            "INSERT INTO article (id, ticket_id, spool_id, created_at, sender_type, visible_for_customer, message_id, detail) \
                 VALUES (1, 7, 1, 0, 'customer', 1, '', 'no article')"
                .to_owned(),
            format!(
                "INSERT INTO outgoing (kind, status, ticket_id, article_id, occasion, response, recipients, created_at, changed_at) \
                 VALUES ('auto-response', 'due', 7, 1, 'reply', 'x', '[]', {0}, {0}), ('auto-response', 'due', 8, 2, 'reply', 'x', '[]', {0}, {0})",
                now()
            ),
        ] {
            store.execute(statement).await;
        }
        assert_eq!(compose_due(&spool, &Configuration::default()).await.unwrap(), 2);
        let mut connection = store.read().await.unwrap();
        assert!(outgoing::due(&mut connection, 10).await.unwrap().is_empty());
        let (mail, _) = outgoing::show(&mut connection, 1).await.unwrap().unwrap();
        assert!(format!("{mail:?}").contains("A stored article cannot be read"), "{mail:?}");
    }

    #[tokio::test]
    async fn an_answer_whose_composing_panics_ends_and_the_next_is_composed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let spool = Spool::open(store.clone(), folder.path()).unwrap();
        let insert = format!(
            "INSERT INTO outgoing (kind, status, ticket_id, article_id, occasion, response, recipients, created_at, changed_at, queue) \
             VALUES ('auto-response', 'due', 7, 1, 'reply', 'x', '[]', {0}, {0}, 'Raw'), ('auto-response', 'due', 8, 2, 'reply', 'x', '[]', {0}, {0}, 'Raw')",
            now()
        );
        store.execute(insert).await;
        // The ticket is gone: that is said while it is composed.
        trap("an automatic answer is not sent");
        assert_eq!(compose_due(&spool, &Configuration::default()).await.unwrap(), 2);
        let mut connection = store.read().await.unwrap();
        assert!(outgoing::due(&mut connection, 10).await.unwrap().is_empty());
        let mut told = Vec::new();
        for id in [1, 2] {
            told.push(format!("{:?}", outgoing::show(&mut connection, id).await.unwrap().unwrap().0));
        }
        for (reason, times) in [("Composing it panicked: on purpose (", 1), ("The ticket of the answer is gone.", 1)] {
            assert_eq!(told.iter().filter(|mail| mail.contains(reason)).count(), times, "{reason}: {told:?}");
        }
        let broken = supervision::broken();
        assert!(
            broken.iter().any(|task| task.work == WorkKind::Answer && task.of == "Raw" && task.again_at.is_none()),
            "{broken:?}"
        );
    }

    #[tokio::test]
    async fn a_copy_is_counted_once_however_many_hosts_compose_the_answer() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let mut recipients = Vec::new();
        for number in 1..=3 {
            let insert = "INSERT INTO outgoing (kind, status, ticket_id, article_id, occasion, response, recipients, created_at, changed_at) \
                 VALUES ('auto-response', 'due', 7, 1, 'reply', 'Receipt', '[]', 0, 0)";
            store.execute(insert).await;
            let row = outgoing::due(&mut store.read().await.unwrap(), 10).await.unwrap().remove(0);
            let compose = |row: DueRow| {
                store.write((row, answer()), |(row, answer), connection| Box::pin(write(connection, row, answer, 0)))
            };
            compose(row.clone()).await.unwrap();
            for _ in 0..3 {
                let late = compose(row.clone()).await.unwrap_err();
                assert!(matches!(late, StoreError::Fenced), "another host was quicker with {number}: {late}");
            }
            let (mail, _) = outgoing::show(&mut store.read().await.unwrap(), row.id).await.unwrap().unwrap();
            recipients.push(mail.recipients.len());
        }
        assert_eq!(recipients, [2, 2, 1], "two copies a day, and the answer all the same");
    }
}
