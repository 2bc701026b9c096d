//! `log`: the communication log.

use super::job::Following;
use super::moment::TimeSpan;
use super::output::{lines, printable, word};
use super::{CommandError, Context, TextTable, command_error, rows};
use crate::service::ServiceError;
use crate::service::communications::{self, CommunicationSummary};
use crate::service::jobs;
use crate::store::communications::{LogFilter, LogSort};
use postigo_model::communication::{CommunicationKind, CommunicationStatus, Direction, Priority};
use postigo_model::job::LogExportOrder;
use postigo_model::timestamp::rfc3339;
use serde_json::Value;
use std::io::IsTerminal;
use std::time::Duration;

/// So many characters of a sender or subject are listed; `--json` has more.
const WIDEST: usize = 40;

/// A person who waits is told after this time, and again and again, how far the log was searched.
const TOLD_AFTER: Duration = Duration::from_secs(2);

/// `log …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Status of accounts and transports, of communications, what is active, mean processing time
    Overview(TimeSpan),
    /// List communications
    List(LogList),
    /// Write communications as JSON lines into a file of the data folder's `exports`
    Export(LogExport),
    /// Show a communication with its objects and entries
    Show {
        /// Its id
        id: String,
        /// Only entries of this priority and above: debug, info, notice, warning, error
        #[arg(long, default_value = "debug")]
        priority: Priority,
    },
}

/// `log export`
#[derive(Debug, clap::Args)]
pub struct LogExport {
    #[command(flatten)]
    span: TimeSpan,
    /// Only of the account, or going out the transport, of this name
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// With their entries
    #[arg(long)]
    entries: bool,
    #[command(flatten)]
    following: Following,
}

impl LogExport {
    async fn run(self, context: &Context) -> Result<(), CommandError> {
        let (since, until) = self.span.read()?;
        let order = LogExportOrder {
            since: since.map(rfc3339),
            until: until.map(rfc3339),
            account: self.account,
            entries: self.entries,
        };
        let asked = jobs::export_log(context.store().await?, context.key(), order, context.actor()).await;
        let id = asked.map_err(|refused| command_error::of_options(refused, str::to_owned))?;
        self.following.run(id, context).await
    }
}

/// `log list`
#[derive(Debug, clap::Args)]
pub struct LogList {
    #[command(flatten)]
    span: TimeSpan,
    /// Only of the account, or going out the transport, of this name
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// incoming or outgoing
    #[arg(long)]
    direction: Option<Direction>,
    /// connection or message
    #[arg(long)]
    kind: Option<CommunicationKind>,
    /// Only of the mails of the ticket with this number, and of answers to them
    #[arg(long, value_name = "NUMBER")]
    ticket: Option<String>,
    /// Only of the mails that this filter matched, or failed on
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// Only of the messages that the connection with this id brought
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
    /// processing, successful, warning or failed
    #[arg(long)]
    status: Option<CommunicationStatus>,
    /// Only with entries of this priority and above
    #[arg(long)]
    priority: Option<Priority>,
    /// Only with this text in addresses, subject, Message-ID or account
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// newest, oldest, duration, account, status or priority
    #[arg(long, default_value = "newest")]
    sort: LogSort,
    /// In the opposite order
    #[arg(long)]
    reverse: bool,
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::Overview(span) => overview(&span, context).await,
            Self::List(list) => list.run(context).await,
            Self::Export(export) => export.run(context).await,
            Self::Show { id, priority } => show(&id, priority, context).await,
        }
    }
}

impl LogList {
    async fn run(self, context: &Context) -> Result<(), CommandError> {
        let (since, until) = self.span.read()?;
        let mut filter = LogFilter {
            since,
            until,
            account: self.account,
            direction: self.direction,
            kind: self.kind,
            ticket: self.ticket,
            filter: self.filter,
            parent: self.parent,
            status: self.status,
            priority: self.priority,
            search: self.search,
            sort: self.sort,
            reverse: self.reverse,
            ..LogFilter::default()
        };
        let store = context.store().await?;
        let found = rows::read(self.limit, async |limit, _: &[CommunicationSummary]| {
            let mut page = Vec::new();
            loop {
                filter.limit = limit - page.len() as i64;
                let found = communications::list(store, context.key(), filter.clone(), TOLD_AFTER).await?;
                if let Some((place, _)) = found.rows.last() {
                    filter.past = Some(place.clone());
                }
                page.extend(found.rows.into_iter().map(|(_, row)| row));
                let Some(place) = found.searched_to else { return Ok(page) };
                if std::io::stderr().is_terminal() {
                    let until = rfc3339(place.started_at());
                    context.output().aside(&format!("Searched as far as {until}, going on …"));
                }
                filter.past = Some(place);
            }
        });
        let found = found.await?.documents()?;
        context.output().list(
            &[
                "COMMUNICATION",
                "STARTED",
                "KIND",
                "DIRECTION",
                "ACCOUNT",
                "STATUS",
                "PRIORITY",
                "FATE",
                "TICKET",
                "SENDER",
                "SUBJECT",
            ],
            &found.rows,
            |record| {
                let mut row =
                    ["id", "started_at", "kind", "direction", "account", "status", "priority", "fate", "ticket_number"]
                        .map(|key| word(record, key))
                        .to_vec();
                row.push(short(&word(record, "sender")));
                row.push(match record["fetches"].as_i64() {
                    Some(count @ 2..) => {
                        format!("{count} fetches that brought nothing, the last {}", word(record, "last_at"))
                    }
                    _ => short(&word(record, "subject")),
                });
                row
            },
        );
        found.tell_more(context);
        Ok(())
    }
}

/// As much of a text as a column shows.
fn short(text: &str) -> String {
    let cut: String = text.chars().take(WIDEST).collect();
    if cut.len() < text.len() { cut + "…" } else { cut }
}

async fn overview(span: &TimeSpan, context: &Context) -> Result<(), CommandError> {
    let (since, until) = span.read()?;
    let document = serde_json::to_value(communications::overview(context.store().await?, since, until).await?)?;
    context.output().document(&document, || {
        let (accounts, transports) =
            (places("ACCOUNT", &document["accounts"]), places("TRANSPORT", &document["transports"]));
        let mut statuses = TextTable::new(&["STATUS", "COMMUNICATIONS"]);
        for (status, count) in document.get("statuses").and_then(Value::as_object).into_iter().flatten() {
            statuses.row(vec![status.clone(), count.to_string()]);
        }
        let mean = document
            .get("mean_milliseconds")
            .and_then(Value::as_f64)
            .map_or_else(|| "-".to_owned(), |mean| format!("{mean:.1} ms"));
        let broken = broken_tasks(&document["broken_tasks"]);
        format!(
            "{broken}{accounts}\n{transports}\n{statuses}\nactive                {}\nmean processing time  {mean}\n",
            word(&document, "active")
        )
    });
    Ok(())
}

/// The tasks that are broken, where there are any.
fn broken_tasks(all: &Value) -> String {
    let all = all.as_array().map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        return String::new();
    }
    let mut table = TextTable::new(&["BROKEN TASK", "OF", "TIMES", "LAST", "AGAIN", "WHY"]);
    for task in all {
        table.row(["task", "of", "times", "at", "again_at", "why"].map(|key| word(task, key)).to_vec());
    }
    format!("{table}\n")
}

/// How accounts or transports do.
fn places(heading: &'static str, all: &Value) -> TextTable {
    let mut table = TextTable::new(&[heading, "STATUS", "LAST", "COMMUNICATIONS", "FAILED"]);
    for (name, place) in all.as_object().into_iter().flatten() {
        let mut row = vec![name.clone()];
        row.extend(["status", "last", "communications", "failed"].map(|key| word(place, key)));
        table.row(row);
    }
    table
}

async fn show(id: &str, priority: Priority, context: &Context) -> Result<(), CommandError> {
    let shown = communications::show(context.store().await?, id, priority).await.map_err(|refused| match refused {
        ServiceError::Missing { .. } => CommandError::because(format!("There is no communication {id:?} in the log.")),
        other => other.into(),
    })?;
    let document = serde_json::to_value(shown)?;
    context.output().document(&document, || {
        let mut text = communication(&document) + &answers(&document);
        for related in document.get("related").and_then(Value::as_array).into_iter().flatten() {
            text += "\n";
            text += &communication(related);
        }
        text + &unshown(id, &document)
    });
    Ok(())
}

/// The automatic answers to a mail, a line each.
fn answers(document: &Value) -> String {
    let answers = document.get("answers").and_then(Value::as_array).into_iter().flatten();
    answers.fold(String::new(), |text, answer| {
        let [id, occasion, response, status, error] =
            ["outgoing_id", "occasion", "response", "status", "error"].map(|key| printable(&word(answer, key)));
        let to = answer["recipients"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let to = printable(&to.collect::<Vec<_>>().join(", "));
        let named = if answer["response"].is_null() { String::new() } else { format!(" \"{response}\"") };
        let why = if answer["error"].is_null() { String::new() } else { format!(": {error}") };
        text + &format!("  automatic answer{named} ({occasion}) to {to}: outgoing mail {id} is {status}{why}\n")
    })
}

/// What is not shown of what belongs to a communication.
fn unshown(id: &str, document: &Value) -> String {
    let shown = document["related"].as_array().map_or(0, Vec::len);
    match document["related_count"].as_u64() {
        Some(all) if all > shown as u64 => format!(
            "\nOf the {all} messages that this connection brought, the first {shown} are shown. All are listed by\n  postigo log list --parent {id} --sort oldest\n"
        ),
        _ => String::new(),
    }
}

/// A communication's fields, and its entries a line each.
fn communication(document: &Value) -> String {
    let mut head = document.clone();
    if let Some(fields) = head.as_object_mut() {
        fields.retain(|key, _| !["entries", "related", "related_count", "answers"].contains(&key.as_str()));
        // The others stand for themselves alone.
        if document["last_at"].is_null() {
            fields.remove("fetches");
        }
    }
    let entries = document.get("entries").and_then(Value::as_array).into_iter().flatten();
    entries.fold(lines(&head), |text, entry| {
        let [at, priority, key, value] = ["at", "priority", "key", "value"].map(|field| printable(&word(entry, field)));
        text + &format!("  {at}  {priority:<7}  {key}: {value}\n")
    })
}
