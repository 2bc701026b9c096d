//! What classifiers answered about a ticket's mails, from what is kept of that; and what would follow from the answers of
//! one.

use super::ServiceError;
use crate::chain::MappedQuestion;
use crate::spool::{Spool, SpoolMessage};
use crate::store::tickets;
use crate::worker::LiveConfiguration;
use postigo_model::answer_result::AnswerResult;
use postigo_model::configured::form::ConfiguredKind as _;
use postigo_model::configured::{ClassifierMode, Filter};
use postigo_model::plan_version::FilterVersion;
use postigo_model::result::{FilterOutcome, FilterResult, HeaderChange, MessageResult};
use postigo_model::timestamp::rfc3339;
use serde::Serialize;
use utoipa::ToSchema;

/// So many mails of a ticket are looked at, the first ones.
const MOST_MAILS: usize = 100;

/// What classifiers answered about a ticket's mails.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketAnswers {
    /// The ticket's number.
    pub ticket_number: String,
    /// The mails that it received, at most the first 100, in the order in which they came.
    pub mails: Vec<MailAnswers>,
}

/// What classifiers answered about a mail.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailAnswers {
    /// The article that the mail is.
    pub article_id: i64,
    /// The message in the spool.
    pub spool_id: i64,
    /// When it came, RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub received_at: String,
    /// Whether what became of it is kept in full: where it is not, `filters` is empty, whatever classifiers answered.
    pub is_kept: bool,
    /// The classifiers that answered, in the order of the chain.
    pub filters: Vec<FilterAnswers>,
}

/// What a classifier answered about a mail.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilterAnswers {
    /// The filter's name.
    pub name: String,
    /// Whether it matched.
    pub outcome: FilterOutcome,
    /// By which version of its component, with which settings; null where that is not kept.
    #[schema(required)]
    pub version: Option<FilterVersion>,
    /// What it set.
    pub changes: Vec<HeaderChange>,
    /// What it answered, and what followed.
    pub answers: Vec<AnswerResult>,
}

impl From<FilterResult> for FilterAnswers {
    fn from(result: FilterResult) -> Self {
        let FilterResult { name, outcome, version, changes, answers, .. } = result;
        Self { name, outcome, version, changes, answers }
    }
}

/// What classifiers answered about the mails of a ticket.
pub async fn of_ticket(spool: &Spool, number: &str) -> Result<TicketAnswers, ServiceError> {
    let missing = || ServiceError::Missing { what: "ticket".to_owned(), name: number.to_owned() };
    let received = {
        let mut connection = spool.store().read().await?;
        let ticket = tickets::by_number(&mut connection, number).await?.ok_or_else(missing)?;
        tickets::article_heads(&mut connection, ticket.id).await?
    };
    let mut mails = Vec::new();
    for article in received.into_iter().filter(|article| article.spool_id != 0).take(MOST_MAILS) {
        if let Some(message) = spool.show(article.spool_id).await? {
            mails.push(of_mail(article.id, message));
        }
    }
    Ok(TicketAnswers { ticket_number: number.to_owned(), mails })
}

fn of_mail(article_id: i64, message: SpoolMessage) -> MailAnswers {
    let SpoolMessage { id: spool_id, received_at, result, .. } = message;
    let result = result.unwrap_or_default();
    // Of a mail that was filed the ticket's state is there, unless its result was shortened.
    let MessageResult { state, filters, .. } = result;
    let answered = filters.into_iter().filter(|filter| !filter.answers.is_empty());
    MailAnswers {
        article_id,
        spool_id,
        received_at: rfc3339(received_at),
        is_kept: state.is_some(),
        filters: answered.map(FilterAnswers::from).collect(),
    }
}

/// What would follow from a classifier's answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClassifierOutlook {
    /// How far it goes.
    pub mode: ClassifierMode,
    /// Whether it is asked about follow-ups.
    pub follow_ups: bool,
    /// Whether what it sets may end a mail's way: the grant `final`.
    pub may_end: bool,
    /// What each question is mapped to, label by label.
    pub mapped: Vec<MappedQuestion>,
    /// The questions that are mapped to nothing.
    pub unmapped: Vec<String>,
}

/// What would follow from the answers of a filter; none where it is no classifier, or none that runs.
pub fn outlook(setup: &LiveConfiguration, name: &str) -> Result<Option<ClassifierOutlook>, ServiceError> {
    if !setup.configuration.filters.contains_key(name) {
        return Err(ServiceError::Missing { what: Filter::KIND.to_owned(), name: name.to_owned() });
    }
    let Some(planned) = setup.plan.filters().iter().find(|planned| *planned.name == *name) else { return Ok(None) };
    let Some(rules) = &planned.answering else { return Ok(None) };
    let questions = setup.plan.questions(planned);
    let is_mapped = |name: &str| rules.mappings.iter().any(|mapping| mapping.question == name);
    let unmapped = questions.iter().map(|question| &question.name).filter(|name| !is_mapped(name)).cloned();
    Ok(Some(ClassifierOutlook {
        mode: rules.mode,
        follow_ups: rules.follow_ups,
        may_end: rules.may_end,
        mapped: rules.outlook(questions, &setup.vocabulary),
        unmapped: unmapped.collect(),
    }))
}
