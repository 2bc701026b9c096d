//! `ticket reply`, `ticket note`, `article forward`, `article bounce`: what agents write, on the command line.

use super::output::lines;
use super::{Context, Failed};
use crate::answer::{Desk, DeskError, File, ForwardAs, Writing, WritingKind};
use crate::store::correspondence::Receipt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// A mail that is written.
#[derive(Debug, clap::Args)]
pub struct Mail {
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
}

impl Mail {
    fn writing(self) -> Result<Writing, Failed> {
        let read = |path: Option<PathBuf>| path.map(|path| text(&path)).transpose();
        let files = self.attach.iter().map(|path| file(path)).collect::<Result<Vec<_>, _>>()?;
        Ok(Writing {
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
            ..Writing::default()
        })
    }
}

/// Writes a reply or a note to a ticket.
pub async fn write(number: &str, kind: WritingKind, mail: Mail, context: &Context) -> Result<(), Failed> {
    let (writing, configuration) = (mail.writing()?, context.configuration().await?);
    let desk = Desk { spool: context.spool().await?, configuration: &configuration };
    show(desk.write(number, kind, writing).await, context)
}

/// Passes an article on.
pub async fn forward(id: i64, how: ForwardAs, mail: Mail, context: &Context) -> Result<(), Failed> {
    let (writing, configuration) = (mail.writing()?, context.configuration().await?);
    let desk = Desk { spool: context.spool().await?, configuration: &configuration };
    show(desk.forward(id, writing, how).await, context)
}

/// Sends an article's mail on unchanged.
pub async fn bounce(id: i64, to: Vec<String>, context: &Context) -> Result<(), Failed> {
    let configuration = context.configuration().await?;
    let desk = Desk { spool: context.spool().await?, configuration: &configuration };
    show(desk.resend(id, Writing { to: Some(to), ..Writing::default() }).await, context)
}

fn show(sent: Result<Receipt, DeskError>, context: &Context) -> Result<(), Failed> {
    let receipt = match sent {
        Ok(receipt) => receipt,
        Err(DeskError::Mistakes(mistakes)) => {
            let option =
                |key: &str| key.split('/').next().unwrap_or_default().replace("attachments", "attach").replace("body", "body-file");
            return Err(Failed::lines(mistakes.into_iter().map(|(key, sentence)| format!("--{}: {sentence}", option(&key))).collect()));
        }
        Err(DeskError::Store(error)) => return Err(error.into()),
        Err(error) => return Err(Failed::because(error.to_string())),
    };
    let document = serde_json::to_value(&receipt)?;
    context.output().document(&document, || lines(&document));
    Ok(())
}

fn text(path: &Path) -> Result<String, Failed> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        bytes
    } else {
        bytes(path)?
    };
    String::from_utf8(bytes).map_err(|_| Failed::because(format!("{} is no text in UTF-8.", path.display())))
}

fn file(path: &Path) -> Result<File, Failed> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(File { name, media_type: String::new(), content: bytes(path)? })
}

fn bytes(path: &Path) -> Result<Vec<u8>, Failed> {
    std::fs::read(path).map_err(|error| Failed::because(format!("The file {} cannot be read: {error}.", path.display())))
}
