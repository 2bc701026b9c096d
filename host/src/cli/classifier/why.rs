//! `classifier why`: what classifiers answered about a ticket's mails.

use crate::cli::output::printable;
use crate::cli::{CommandError, Context};
use crate::service::answers::{self, FilterAnswers, MailAnswers, TicketAnswers};
use postigo_model::plan_version::FilterVersion;
use serde_json::json;
use std::fmt::Write as _;

/// `classifier why`
#[derive(Debug, clap::Args)]
pub struct Why {
    /// The ticket's number
    ticket: String,
}

impl Why {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let found = answers::of_ticket(context.spool().await?, &self.ticket).await?;
        context.output().document(&json!(found), || text(&found));
        Ok(())
    }
}

fn text(found: &TicketAnswers) -> String {
    let mut text = String::new();
    for mail in &found.mails {
        let MailAnswers { article_id, received_at, is_kept, filters, .. } = mail;
        // Writing to a string does not fail.
        let _ = writeln!(text, "Article {article_id}, received {received_at}");
        if !is_kept {
            let _ = writeln!(text, "  What was answered about it is not kept any more (setting spool_retention).");
        } else if filters.is_empty() {
            let _ = writeln!(text, "  No classifier answered about it.");
        }
        for filter in filters {
            filter_lines(&mut text, filter);
        }
    }
    if found.mails.is_empty() {
        text.push_str("The ticket has received no mail.\n");
    }
    text
}

fn filter_lines(text: &mut String, filter: &FilterAnswers) {
    let FilterAnswers { name, outcome, version, answers, .. } = filter;
    let outcome = json!(outcome);
    let version = version.as_ref().map_or_else(|| "a version that is not kept".to_owned(), FilterVersion::title);
    let _ = writeln!(text, "  {} ({}): {}", printable(name), printable(&version), outcome.as_str().unwrap_or_default());
    for answer in answers {
        let _ = writeln!(text, "    {}", printable(&answer.sentences()));
        for piece in &answer.evidence {
            let _ = writeln!(text, "      {:+.3} {}", piece.weight, printable(&piece.text));
        }
    }
}
