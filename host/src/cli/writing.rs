//! `ticket new|reply|mail|note`, `article forward|bounce`: what agents write, on the command line.

use super::output::lines;
use super::{CommandError, Context, command_error::of_options};
use crate::answer::{AgentText, AttachedFile, ForwardAs, MOST_BYTES, NewTicketFields, WritingKind};
use crate::filing::correspondence::{Receipt, RequestIdentity};
use crate::service::{ServiceError, correspondence};
use postigo_files::regular_file::read_at_most;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Whose names those of requests on the command line are.
const SCOPE: &str = "command line";

/// A mail that is written.
#[derive(Debug, clap::Args)]
pub struct MailOptions {
    /// The system address that it goes out from, one that the queue allows [default: the queue's own]
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// To whom; several times for several [default in a reply: who wrote the customer's last mail]
    #[arg(long, value_name = "ADDRESS")]
    to: Vec<String>,
    /// A copy
    #[arg(long, value_name = "ADDRESS")]
    cc: Vec<String>,
    /// A copy that no header names
    #[arg(long, value_name = "ADDRESS")]
    bcc: Vec<String>,
    /// The subject; the ticket's number is put before it
    #[arg(long)]
    subject: Option<String>,
    /// The text, a file; `-`: standard input
    #[arg(long, value_name = "FILE")]
    body_file: Option<PathBuf>,
    /// The same as HTML
    #[arg(long, value_name = "FILE")]
    html_file: Option<PathBuf>,
    /// A file that goes along
    #[arg(long, value_name = "FILE")]
    attach: Vec<PathBuf>,
    /// A configured template, whose text comes before the body
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// The login of the agent who writes
    #[arg(long, value_name = "LOGIN")]
    agent: Option<String>,
    /// The ticket's state from now on
    #[arg(long)]
    state: Option<String>,
    #[command(flatten)]
    once: RequestName,
}

/// What is written to a ticket.
#[derive(Debug, clap::Args)]
pub struct ToTicket {
    /// The ticket's number
    number: String,
    /// The article that is answered [default in a reply: the customer's last mail]
    #[arg(long, value_name = "ID")]
    article: Option<i64>,
    /// Quote the text of what is answered
    #[arg(long)]
    quote: bool,
    #[command(flatten)]
    mail: MailOptions,
}

/// A request that has a name.
#[derive(Debug, clap::Args)]
pub struct RequestName {
    /// Names what is asked, so that asked again, within a week, it has no further effect
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

impl RequestName {
    /// The name of the request that this command makes with what was written.
    fn once(self, command: &str, writing: &AgentText) -> Result<Option<RequestIdentity>, CommandError> {
        let Some(name) = self.idempotency_key else { return Ok(None) };
        let once = RequestIdentity::new(SCOPE.to_owned(), &name, |asked| {
            asked.bytes(command.as_bytes());
            asked.value(writing);
            for file in &writing.files {
                asked.bytes(file.name.as_bytes());
                asked.bytes(&file.content);
            }
        });
        once.map(Some).map_err(|sentence| CommandError::because(format!("--idempotency-key: {sentence}")))
    }
}

impl MailOptions {
    /// What was written, named as a request of this command, with `more` that the command says of it.
    fn writing(self, command: &str, more: impl FnOnce(AgentText) -> AgentText) -> Result<AgentText, CommandError> {
        if [&self.body_file, &self.html_file].iter().all(|path| path.as_deref() == Some(Path::new("-"))) {
            return Err(CommandError::because("--html-file: Standard input is the body already; name a file."));
        }
        let read = |path: Option<PathBuf>| path.map(|path| text(&path)).transpose();
        let files = self.attach.iter().map(|path| file(path)).collect::<Result<Vec<_>, _>>()?;
        let writing = more(AgentText {
            from: self.from,
            to: (!self.to.is_empty()).then_some(self.to),
            cc: self.cc,
            bcc: self.bcc,
            subject: self.subject,
            body: read(self.body_file)?.unwrap_or_default(),
            html: read(self.html_file)?,
            files,
            template: self.template,
            agent: self.agent,
            state: self.state,
            ..AgentText::default()
        });
        Ok(AgentText { once: self.once.once(command, &writing)?, ..writing })
    }
}

impl ToTicket {
    /// Writes a reply, another mail or a note.
    pub async fn write(self, kind: WritingKind, context: &Context) -> Result<(), CommandError> {
        let Self { number, article, quote, mail } = self;
        let writing = mail.writing(&format!("ticket {kind:?} {number}"), |writing| AgentText {
            article_id: article,
            quote,
            ..writing
        })?;
        show(
            correspondence::write(context.spool().await?, context.key(), &number, kind, writing, context.actor()).await,
            context,
        )
    }
}

/// Opens a ticket by a mail.
pub async fn open(opening: NewTicketFields, mail: MailOptions, context: &Context) -> Result<(), CommandError> {
    let writing = mail.writing(&format!("ticket new {}", serde_json::to_string(&opening)?), |writing| writing)?;
    show(correspondence::open(context.spool().await?, context.key(), opening, writing, context.actor()).await, context)
}

/// Passes an article on.
pub async fn forward(id: i64, how: ForwardAs, mail: MailOptions, context: &Context) -> Result<(), CommandError> {
    let writing = mail.writing(&format!("article forward {id} {how:?}"), |writing| writing)?;
    show(
        correspondence::forward(context.spool().await?, context.key(), id, how, writing, context.actor()).await,
        context,
    )
}

/// Sends an article's mail on unchanged.
pub async fn bounce(id: i64, to: Vec<String>, named: RequestName, context: &Context) -> Result<(), CommandError> {
    let writing = AgentText { to: Some(to), ..AgentText::default() };
    let writing = AgentText { once: named.once(&format!("article bounce {id}"), &writing)?, ..writing };
    show(correspondence::bounce(context.spool().await?, context.key(), id, writing, context.actor()).await, context)
}

/// The option that gives a key of a mail.
fn option(key: &str) -> String {
    match key {
        "attachments" => "attach".to_owned(),
        "article_id" => "article".to_owned(),
        "as" => "as-message".to_owned(),
        text @ ("body" | "html") => format!("{text}-file"),
        other => other.replace('_', "-"),
    }
}

fn show(sent: Result<Receipt, ServiceError>, context: &Context) -> Result<(), CommandError> {
    let receipt = sent.map_err(|refused| of_options(refused, option))?;
    let document = serde_json::to_value(&receipt)?;
    context.output().document(&document, || lines(&document));
    Ok(())
}

/// The text in a file; `-`: in standard input.
pub(super) fn text(path: &Path) -> Result<String, CommandError> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        bytes
    } else {
        bytes(path)?
    };
    String::from_utf8(bytes).map_err(|_| CommandError::because(format!("{} is no text in UTF-8.", path.display())))
}

fn file(path: &Path) -> Result<AttachedFile, CommandError> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(AttachedFile { name, media_type: String::new(), content: bytes(path)? })
}

fn bytes(path: &Path) -> Result<Vec<u8>, CommandError> {
    let read = std::fs::File::open(path).and_then(|file| read_at_most(file, MOST_BYTES as u64));
    read.map_err(|error| CommandError::because(format!("The file {} cannot be read: {error}.", path.display())))
}
