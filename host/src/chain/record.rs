//! What a chain did with a message in another process, as it is handed back: applied to the same mail here, it is the
//! run that was made there.

use super::plan::ChainPlan;
use super::step::{ChainRun, ChainStep, PutOff};
use postigo_mail::{Mail, SetBy};
use postigo_model::answer_result::AnswerResult;
use postigo_model::communication::Priority;
use postigo_model::result::{FilterOutcome, HeaderChange};
use postigo_sandbox::{CallFailure, LogLine};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A run of a chain without its mail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChainRecord {
    headers: Vec<RecordedHeader>,
    ticket_was_read: bool,
    steps: Vec<RecordedStep>,
    held_by: Option<usize>,
    notes: Vec<String>,
    screening: Duration,
    waited: Duration,
    put_off: Option<(Duration, String)>,
}

/// A header that a filter set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct RecordedHeader {
    name: String,
    values: Vec<String>,
    filter: String,
}

/// A [`ChainStep`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct RecordedStep {
    outcome: FilterOutcome,
    stopped: bool,
    changes: Vec<HeaderChange>,
    took: Duration,
    own: Duration,
    error: Option<CallFailure>,
    reason: String,
    answers: Vec<AnswerResult>,
    /// Priority and line.
    log: Vec<(String, String)>,
}

impl ChainRecord {
    /// What is to be handed back of a run. Its trials are not: breakers are known where the daemon is alone.
    pub fn of(run: &ChainRun) -> Self {
        let set = run.mail.otobo_headers().filter_map(|header| match &header.by {
            SetBy::Filter(filter) => Some(RecordedHeader {
                name: header.name.clone(),
                values: header.values.clone(),
                filter: filter.to_string(),
            }),
            SetBy::Mail | SetBy::Host => None,
        });
        Self {
            headers: set.collect(),
            ticket_was_read: run.mail.ticket_was_read(),
            steps: run.steps.iter().map(RecordedStep::of).collect(),
            held_by: run.held_by,
            notes: run.notes.clone(),
            screening: run.screening,
            waited: run.waited,
            put_off: run.put_off.as_ref().map(|put_off| (put_off.pause, put_off.reason.clone())),
        }
    }

    /// The run as it was, with the mail that it was made of, read anew.
    pub fn apply(self, plan: &ChainPlan, mut mail: Box<Mail>) -> ChainRun {
        for RecordedHeader { name, values, filter } in self.headers {
            let planned = plan.filters().iter().find(|planned| *planned.name == *filter);
            let by = planned.map_or_else(|| SetBy::Filter(filter.as_str().into()), |planned| planned.set_by.clone());
            mail.set(&name, values, &by);
        }
        if self.ticket_was_read {
            // That a filter asked for it is remembered with the mail.
            let _ = mail.ticket();
        }
        ChainRun {
            mail,
            steps: self.steps.into_iter().map(RecordedStep::into_step).collect(),
            held_by: self.held_by,
            notes: self.notes,
            screening: self.screening,
            waited: self.waited,
            put_off: self.put_off.map(|(pause, reason)| PutOff { pause, reason }),
            trials: Vec::new(),
        }
    }
}

impl RecordedStep {
    fn of(step: &ChainStep) -> Self {
        Self {
            outcome: step.outcome,
            stopped: step.stopped,
            changes: step.changes.clone(),
            took: step.took,
            own: step.own,
            error: step.error.clone(),
            reason: step.reason.clone(),
            answers: step.answers.clone(),
            log: step.log.iter().map(|line| (line.priority.to_owned(), line.text.clone())).collect(),
        }
    }

    fn into_step(self) -> ChainStep {
        let line = |(priority, text): (String, String)| LogLine {
            priority: priority.parse::<Priority>().unwrap_or_default().name(),
            text,
        };
        ChainStep {
            outcome: self.outcome,
            stopped: self.stopped,
            changes: self.changes,
            took: self.took,
            own: self.own,
            error: self.error,
            reason: self.reason,
            answers: self.answers,
            log: self.log.into_iter().map(line).collect(),
        }
    }
}
