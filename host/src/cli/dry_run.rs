//! `filter test` and `chain test`: dry runs without any side effect.

use super::configured::told;
use super::output::printable;
use super::{CommandError, Context};
use crate::inbound::files::{self, FileMessage};
use crate::service::dry_runs::PreparedDryRun;
use crate::worker::{DryRun, DryRunResult};
use postigo_model::answer_result::EvidencePiece;
use postigo_model::configured::{Account, Filter};
use postigo_model::result::{FilterOutcome, FilterResult};
use postigo_sandbox::Asker;
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

/// `filter test`
#[derive(Debug, clap::Args)]
pub struct FilterTest {
    /// The filter's name; it runs in its place in the chain, even if it is off
    name: String,
    /// Raw messages, mbox files, Maildirs, or `-`
    #[arg(required = true, value_name = "MAIL")]
    mails: Vec<String>,
    /// As if the filter were made of this component: NAME@VERSION or sha256:DIGEST, activated or not
    #[arg(long, value_name = "COMPONENT")]
    component: Option<String>,
    /// As if a trusted account had brought them
    #[arg(long)]
    trusted: bool,
    /// As if this account had brought them
    #[arg(long, value_name = "NAME", default_value = Account::LOCAL)]
    account: String,
}

/// `chain …`
#[derive(Debug, clap::Subcommand)]
pub enum ChainCommand {
    /// Run the whole chain over mails and print every filter's outcome, changes and time
    Test {
        /// Raw messages, mbox files, Maildirs, or `-`
        #[arg(required = true, value_name = "MAIL")]
        mails: Vec<String>,
        /// As if a trusted account had brought them
        #[arg(long)]
        trusted: bool,
        /// As if this account had brought them
        #[arg(long, value_name = "NAME", default_value = Account::LOCAL)]
        account: String,
    },
}

impl FilterTest {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let sandbox = context.sandbox()?.asked_by(Asker::Host);
        let trial =
            PreparedDryRun::of_filter(context.live().await?, &self.name, self.component.as_deref(), &sandbox).await;
        let test = DryRunOptions {
            context,
            account: self.account,
            trusted: self.trusted,
            trial: trial.map_err(told::<Filter>)?,
        };
        test.run(&self.mails).await
    }
}

impl ChainCommand {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let Self::Test { mails, trusted, account } = self;
        let trial = PreparedDryRun::of_chain(context.live().await?).await?;
        DryRunOptions { context, account, trusted, trial }.run(&mails).await
    }
}

/// A dry run over mails.
struct DryRunOptions<'c> {
    context: &'c Context,
    account: String,
    trusted: bool,
    trial: PreparedDryRun<'c>,
}

impl DryRunOptions<'_> {
    async fn run(&self, mails: &[String]) -> Result<(), CommandError> {
        self.trial.check_account(&self.account).map_err(told::<Account>)?;
        let mut unread = Vec::new();
        for path in mails {
            for found in read(path) {
                match found {
                    Ok(found) => self.one(found).await?,
                    Err(error) => unread.push(error),
                }
            }
        }
        if unread.is_empty() { Ok(()) } else { Err(CommandError::lines(unread)) }
    }

    async fn one(&self, found: FileMessage) -> Result<(), CommandError> {
        let trusted = self.trusted.then_some(true);
        let mail = DryRun {
            source: found.source,
            raw: found.raw.into(),
            account: self.account.clone(),
            trusted,
            recipients: Vec::new(),
            received_at: None,
        };
        let tried = self.trial.run(mail).await?;
        self.context.output().document(&serde_json::json!(tried), || text(&tried));
        Ok(())
    }
}

fn read(path: &str) -> Box<dyn Iterator<Item = Result<FileMessage, String>>> {
    if path == "-" {
        let mut raw = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut raw);
        return Box::new(std::iter::once(
            read.map(|_| FileMessage { source: "-".into(), raw }).map_err(|error| format!("Standard input: {error}")),
        ));
    }
    match files::read(Path::new(path)) {
        Ok(messages) => Box::new(messages.map(|message| message.map_err(|error| error.to_string()))),
        Err(error) => Box::new(std::iter::once(Err(error.to_string()))),
    }
}

fn text(tried: &DryRunResult) -> String {
    let result = &tried.result;
    let mut text = format!("{}\n", printable(&result.source));
    for filter in &result.filters {
        filter_lines(&mut text, filter, tried.ended_by.as_deref());
    }
    for line in &tried.log {
        let _ = writeln!(text, "  log: {} [{}] {}", printable(&line.filter), line.priority, printable(&line.text));
    }
    for note in tried.notes.iter().chain(&result.warnings) {
        let _ = writeln!(text, "  note: {}", printable(note));
    }
    let status = serde_json::json!(result.status);
    let follow_up =
        result.ticket_number.as_deref().map(|number| format!(", follow-up of {number}")).unwrap_or_default();
    let queue = match (&result.queue, &result.queue_by) {
        (Some(queue), Some(by)) => format!(", queue {queue} ({by})"),
        _ => String::new(),
    };
    let _ = writeln!(text, "  would be {}{follow_up}{}", status.as_str().unwrap_or_default(), printable(&queue));
    text
}

fn filter_lines(text: &mut String, filter: &FilterResult, ended_by: Option<&str>) {
    let outcome = serde_json::json!(filter.outcome);
    let component =
        filter.component.as_ref().map(|component| format!(" ({})", printable(component))).unwrap_or_default();
    let _ = write!(text, "  {}{component}: {}", printable(&filter.name), outcome.as_str().unwrap_or_default());
    if filter.outcome == FilterOutcome::NotRun {
        let _ = writeln!(text, ", the chain ended at {}", printable(ended_by.unwrap_or_default()));
    } else {
        let micros = filter.micros.unwrap_or_default();
        let _ = writeln!(text, ", {micros} µs{}", if filter.stopped { ", the chain ends here" } else { "" });
    }
    for said in filter.reason.iter().flat_map(|reason| reason.split("; ")) {
        let _ = writeln!(text, "    because {}", printable(said));
    }
    for answer in &filter.answers {
        let _ = writeln!(text, "    {}", printable(&answer.sentences()));
        for EvidencePiece { text: piece, weight } in &answer.evidence {
            let _ = writeln!(text, "      {weight:+.3} {}", printable(piece));
        }
    }
    for change in &filter.changes {
        let _ = writeln!(text, "    {}: {}", change.header, printable(&change.value));
    }
    if let Some(error) = &filter.error {
        let kind = serde_json::json!(error.kind);
        let _ = writeln!(text, "    {}: {}", kind.as_str().unwrap_or_default(), printable(&error.message));
    }
}
