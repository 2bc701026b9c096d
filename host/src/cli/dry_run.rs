//! `filter test` and `chain test`: dry runs without any side effect.

use super::output::printable;
use super::{Context, Failed};
use crate::inbound::files::{self, Found};
use crate::worker::{DryRun, Setup, Tried, dry_run, with_filter};
use postigo_model::result::{FilterResult, Outcome};
use postigo_sandbox::Asker;
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

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
    #[arg(long, value_name = "NAME", default_value = "local")]
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
        #[arg(long, value_name = "NAME", default_value = "local")]
        account: String,
    },
}

impl FilterTest {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
        let sandbox = context.sandbox()?.asked_by(Asker::Host);
        let setup = with_filter(context.live().await?, &self.name, self.component.as_deref(), &sandbox).await?;
        let test = Test { context, account: self.account, trusted: self.trusted, filter: Some(self.name) };
        test.run(&self.mails, &setup).await
    }
}

impl ChainCommand {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
        let Self::Test { mails, trusted, account } = self;
        let setup = context.live().await?.current();
        Test { context, account, trusted, filter: None }.run(&mails, &setup).await
    }
}

/// A dry run over mails.
struct Test<'c> {
    context: &'c Context,
    account: String,
    trusted: bool,
    /// Print this one alone.
    filter: Option<String>,
}

impl Test<'_> {
    async fn run(&self, mails: &[String], setup: &Arc<Setup>) -> Result<(), Failed> {
        if !setup.configuration.accounts.contains_key(&self.account) {
            return Err(Failed::because(format!(
                "There is no account \"{}\"; `postigo account list` shows those that exist.",
                self.account
            )));
        }
        let mut unread = Vec::new();
        for path in mails {
            for found in read(path) {
                match found {
                    Ok(found) => self.one(found, setup).await?,
                    Err(error) => unread.push(error),
                }
            }
        }
        if unread.is_empty() { Ok(()) } else { Err(Failed::lines(unread)) }
    }

    async fn one(&self, found: Found, setup: &Arc<Setup>) -> Result<(), Failed> {
        let input =
            DryRun { source: found.source, raw: found.raw.into(), account: self.account.clone(), trusted: self.trusted.then_some(true) };
        let mut tried = dry_run(input, Arc::clone(setup), self.context.live().await?).await?;
        let ended_at = tried.result.filters.iter().find(|filter| filter.stopped).map(|filter| filter.name.clone());
        if let Some(name) = &self.filter {
            tried.result.filters.retain(|filter| filter.name == *name);
            tried.log.retain(|line| line.filter == *name);
        }
        self.context.output().document(&serde_json::json!(tried), || text(&tried, ended_at.as_deref()));
        Ok(())
    }
}

fn read(path: &str) -> Box<dyn Iterator<Item = Result<Found, String>>> {
    if path == "-" {
        let mut raw = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut raw);
        return Box::new(std::iter::once(
            read.map(|_| Found { source: "-".into(), raw }).map_err(|error| format!("Standard input: {error}")),
        ));
    }
    match files::read(Path::new(path)) {
        Ok(messages) => Box::new(messages.map(|message| message.map_err(|error| error.to_string()))),
        Err(error) => Box::new(std::iter::once(Err(error.to_string()))),
    }
}

fn text(tried: &Tried, ended_at: Option<&str>) -> String {
    let result = &tried.result;
    let mut text = format!("{}\n", printable(&result.source));
    for filter in &result.filters {
        filter_lines(&mut text, filter, ended_at);
    }
    for line in &tried.log {
        let _ = writeln!(text, "  log: {} [{}] {}", printable(&line.filter), line.priority, printable(&line.text));
    }
    for note in tried.notes.iter().chain(&result.warnings) {
        let _ = writeln!(text, "  note: {}", printable(note));
    }
    let status = serde_json::json!(result.status);
    let follow_up = result.ticket_number.as_deref().map(|number| format!(", follow-up of {number}")).unwrap_or_default();
    let queue = match (&result.queue, &result.queue_by) {
        (Some(queue), Some(by)) => format!(", queue {queue} ({by})"),
        _ => String::new(),
    };
    let _ = writeln!(text, "  would be {}{follow_up}{}", status.as_str().unwrap_or_default(), printable(&queue));
    text
}

fn filter_lines(text: &mut String, filter: &FilterResult, ended_at: Option<&str>) {
    let outcome = serde_json::json!(filter.outcome);
    let component = filter.component.as_ref().map(|component| format!(" ({})", printable(component))).unwrap_or_default();
    let _ = write!(text, "  {}{component}: {}", printable(&filter.name), outcome.as_str().unwrap_or_default());
    match filter.outcome {
        Outcome::NotRun => {
            let _ = writeln!(text, ", the chain ended at {}", printable(ended_at.unwrap_or_default()));
        }
        _ => {
            let _ = writeln!(text, ", {} µs{}", filter.micros, if filter.stopped { ", the chain ends here" } else { "" });
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
