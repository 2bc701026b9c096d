//! `ticket`: what was filed.

use super::command_error::of_options;
use super::output::{lines, word};
use super::{CommandError, Context, TextTable, moment, rows, writing};
use crate::answer::{NewTicketFields, WritingKind};
use crate::service::ServiceError;
use crate::service::tickets::{self, TicketDocument};
use crate::store::tickets::TicketFilter;
use postigo_model::ticket::TicketEdit;
use postigo_model::timestamp;

/// `ticket …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List tickets, the newest first
    List(TicketList),
    /// Show a ticket and its articles
    Show {
        /// The ticket's number
        number: String,
    },
    /// Change a ticket
    Update(Update),
    /// Open a ticket by a mail to somebody, from the address of its queue
    New(Box<New>),
    /// Answer the customer's last mail, from the address of the ticket's queue
    Reply(Box<writing::ToTicket>),
    /// Write to anybody in a ticket, from the address of its queue
    Mail(Box<writing::ToTicket>),
    /// Add a note that only agents see; nothing is sent
    Note(Box<writing::ToTicket>),
}

/// `ticket new`
#[derive(Debug, clap::Args)]
pub struct New {
    /// Its queue, whose address the mail goes out from
    #[arg(long)]
    queue: String,
    /// The customer's login or address [default: who has the first recipient's address, else that address]
    #[arg(long, value_name = "LOGIN")]
    customer_user: Option<String>,
    /// The customer's number [default: the customer user's]
    #[arg(long, value_name = "NUMBER")]
    customer_number: Option<String>,
    /// Its priority [default: 3 normal]
    #[arg(long)]
    priority: Option<String>,
    /// Its type [default: the first of the setting `types`]
    #[arg(long)]
    r#type: Option<String>,
    /// Its owner
    #[arg(long, value_name = "LOGIN")]
    owner: Option<String>,
    #[command(flatten)]
    mail: writing::MailOptions,
}

/// `ticket list`
#[derive(Debug, clap::Args)]
pub struct TicketList {
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Only of this queue
    #[arg(long)]
    queue: Option<String>,
    /// Only in this state
    #[arg(long)]
    state: Option<String>,
    /// Only of this owner
    #[arg(long, value_name = "LOGIN")]
    owner: Option<String>,
    /// Only with this text in number or title
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only those changed from this time on, in the order of their changes: `2026-11-29 10:44`, a date, RFC 3339, or how
    /// long ago (`24h`)
    #[arg(long, value_name = "TIME")]
    changed_since: Option<String>,
}

/// `ticket update`
#[derive(Debug, clap::Args)]
pub struct Update {
    /// The ticket's number
    number: String,
    #[command(flatten)]
    edit: Edit,
}

/// What is to be changed.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub struct Edit {
    /// Its new state
    #[arg(long)]
    state: Option<String>,
    /// Its new queue
    #[arg(long)]
    queue: Option<String>,
    /// Its new owner, a login; empty: nobody
    #[arg(long, value_name = "LOGIN")]
    owner: Option<String>,
    /// lock, unlock or tmp_lock
    #[arg(long)]
    lock: Option<String>,
    /// Merge it into this ticket
    #[arg(long, value_name = "NUMBER")]
    merge_into: Option<String>,
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::List(list) => list.run(context).await,
            Self::Show { number } => show(&number, context).await,
            Self::Update(update) => update.run(context).await,
            Self::New(new) => new.run(context).await,
            Self::Reply(reply) => reply.write(WritingKind::Reply, context).await,
            Self::Mail(mail) => mail.write(WritingKind::Mail, context).await,
            Self::Note(note) => note.write(WritingKind::Note, context).await,
        }
    }
}

impl New {
    async fn run(self, context: &Context) -> Result<(), CommandError> {
        let Self { queue, customer_user, customer_number, priority, r#type, owner, mail } = self;
        writing::open(NewTicketFields { queue, customer_user, customer_number, priority, r#type, owner }, mail, context)
            .await
    }
}

impl TicketList {
    async fn run(self, context: &Context) -> Result<(), CommandError> {
        let mut filter = TicketFilter {
            queue: self.queue,
            state: self.state,
            owner: self.owner,
            search: self.search,
            changed_since: self.changed_since.map(|text| moment::read("changed-since", &text)).transpose()?,
            ..TicketFilter::default()
        };
        let store = context.store().await?;
        let found = rows::read(self.limit, async |limit, found: &[TicketDocument]| {
            filter.limit = limit;
            match found.last() {
                Some(last) if filter.changed_since.is_some() => {
                    filter.past = timestamp::parse(&last.changed_at).map(|at| (at, last.ticket_number.clone()));
                }
                last => filter.before = last.map(|ticket| ticket.ticket_id),
            }
            Ok(tickets::list(store, context.key(), filter.clone()).await?)
        });
        let found = found.await?.documents()?;
        context.output().list(
            &["TICKET", "QUEUE", "STATE", "PRIORITY", "OWNER", "CUSTOMER", "TITLE"],
            &found.rows,
            |ticket| {
                ["ticket_number", "queue", "state", "priority", "owner", "customer_user", "title"]
                    .map(|key| word(ticket, key))
                    .to_vec()
            },
        );
        found.tell_more(context);
        Ok(())
    }
}

async fn show(number: &str, context: &Context) -> Result<(), CommandError> {
    let found = tickets::show(context.store().await?, number).await.map_err(|refused| match refused {
        ServiceError::Missing { .. } => {
            CommandError::because(format!("There is no ticket {number}; give its number without the hook."))
        }
        other => other.into(),
    })?;
    let document = serde_json::to_value(found)?;
    context.output().document(&document, || {
        let mut ticket = document.clone();
        let mut part = |key: &str| ticket.as_object_mut().and_then(|fields| fields.remove(key)).unwrap_or_default();
        let (articles, changes) = (part("articles"), part("changes"));
        let mut table =
            TextTable::new(&["ARTICLE", "DATE", "FROM", "SUBJECT", "SENDER", "VISIBLE", "UNVOUCHED", "COMMUNICATION"]);
        for article in articles.as_array().into_iter().flatten() {
            let mut row = ["id", "date", "from", "subject", "sender_type", "visible_for_customer", "unvouched"]
                .map(|key| word(article, key))
                .to_vec();
            let communications = article["communications"].as_array().into_iter().flatten();
            row.push(communications.filter_map(serde_json::Value::as_str).collect::<Vec<_>>().join(" "));
            table.row(row);
        }
        format!("{}\n{table}{}", lines(&ticket), changed(&changes))
    });
    Ok(())
}

/// What people changed, behind an empty line; nothing where nobody did.
fn changed(changes: &serde_json::Value) -> String {
    let Some(changes) = changes.as_array().filter(|changes| !changes.is_empty()) else { return String::new() };
    let mut table = TextTable::new(&["CHANGED", "BY", "FIELD", "FROM", "TO"]);
    for change in changes {
        table.row(["at", "actor", "field", "earlier", "later"].map(|key| word(change, key)).to_vec());
    }
    format!("\n{table}")
}

impl Update {
    async fn run(self, context: &Context) -> Result<(), CommandError> {
        let Edit { state, queue, owner, lock, merge_into } = self.edit;
        let edit = TicketEdit { state, queue, owner, lock, merge_into };
        let edited = tickets::edit(context.store().await?, context.key(), self.number, edit, context.actor()).await;
        let document = serde_json::to_value(edited.map_err(|refused| of_options(refused, str::to_owned))?)?;
        context.output().document(&document, || lines(&document));
        Ok(())
    }
}
