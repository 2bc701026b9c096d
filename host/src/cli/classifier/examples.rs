//! `classifier examples`: what there is to learn from, counted, or as labelled mails.

use super::question;
use crate::cli::command_error::of_options;
use crate::cli::output::word;
use crate::cli::{CommandError, Context, TextTable, moment};
use crate::service::configured;
use crate::service::examples::{
    self, ExampleCollection, ExampleReport, ExampleSet, ExampleSource, ExampleWish, LabelledMail, MOST_EXAMPLES,
    USUAL_EXAMPLES,
};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// `classifier examples`
#[derive(Debug, clap::Args)]
pub struct Examples {
    /// A question, and the header that an answer to it sets: what a ticket has in that field today is its label; may be
    /// given again
    #[arg(long = "question", value_name = "NAME=HEADER", default_value = "queue=X-OTOBO-Queue", value_parser = question::read)]
    questions: Vec<(String, String)>,
    /// Only of tickets made from this time on: `2026-11-29 10:44`, a date, RFC 3339, or how long ago (`90d`)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// At most so many examples: of each label the newest, as many of one as of another where there are enough
    #[arg(long, value_name = "N", default_value_t = USUAL_EXAMPLES, value_parser = most)]
    limit: usize,
    /// What this filter decided teaches nothing until somebody confirmed it; may be given again
    #[arg(long, value_name = "FILTER")]
    not_by: Vec<String>,
    /// Labelled mails besides, a JSON object a line: {"subject": "…", "text": "…", "labels": {"queue": "Support"}}; `-`: from
    /// standard input
    #[arg(long = "examples", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Write them as labelled mails into this new file, which only its owner may read: a JSON object a line
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn most(text: &str) -> Result<usize, String> {
    let number = text.parse::<usize>().ok().filter(|number| (1..=MOST_EXAMPLES).contains(number));
    number.ok_or_else(|| format!("it must be 1 to {MOST_EXAMPLES}"))
}

impl Examples {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let store = context.store().await?;
        let wish = ExampleWish {
            questions: self.questions,
            since: self.since.as_deref().map(|text| moment::read("since", text)).transpose()?,
            most: self.limit,
            deciders: self.not_by,
        };
        let configuration = configured::load(store, context.key()).await?;
        let order = examples::order(store, &configuration, wish).await;
        let order = order.map_err(|refused| of_options(refused, |key| key.replace('_', "-")))?;
        // Before the tickets are looked at: that takes long.
        let file = self.out.as_deref().map(new_file).transpose()?;
        let labelled = self.file.as_deref().map(read).transpose()?.unwrap_or_default();
        let mut collection = ExampleCollection::new(order);
        while collection.step(store).await? {}
        collection.add_labelled(&labelled);
        let set = collection.finish();
        if let (Some(file), Some(path)) = (file, &self.out) {
            let without_bytes = write((&set, &labelled), file, path, context).await?;
            if without_bytes > 0 {
                let sentence = format!("{without_bytes} of the mails are not kept any more, and not written.");
                context.output().aside(&sentence);
            }
        }
        let document = serde_json::to_value(ExampleReport::from(&set))?;
        context.output().document(&document, || text(&document));
        Ok(())
    }
}

/// The labelled mails of a file; every line that is wrong is a mistake.
fn read(path: &Path) -> Result<Vec<LabelledMail>, CommandError> {
    let shown = path.display();
    let read = if path == Path::new("-") {
        examples::read_labelled(&mut std::io::stdin().lock())
    } else {
        let file = File::open(path)
            .map_err(|error| CommandError::because(format!("The file {shown} cannot be read: {error}.")))?;
        examples::read_labelled(&mut BufReader::new(file))
    };
    let placed = |mistake: String| format!("{shown}: {mistake}");
    read.map_err(|mistakes| CommandError::lines(mistakes.into_iter().map(placed).collect()))
}

fn new_file(path: &Path) -> Result<File, CommandError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map_err(|error| {
        CommandError::because(format!("--out: The file {} cannot be made: {error}.", path.display())).with_status(1)
    })
}

/// Writes the mails, the oldest first; gives how many are not kept any more.
async fn write(
    (set, given): (&ExampleSet, &[LabelledMail]),
    file: File,
    path: &Path,
    context: &Context,
) -> Result<usize, CommandError> {
    let unwritten = |error: std::io::Error| {
        CommandError::because(format!("--out: The file {} cannot be written: {error}.", path.display()))
    };
    let (spool, mut file, mut without_bytes) = (context.spool().await?, BufWriter::new(file), 0);
    let outside = set.outside.iter().rev().map(|source| (*source, BTreeMap::new(), false));
    let labelled = set.examples.iter().rev().map(|example| {
        let labels = set.questions.iter().zip(&example.labels).filter_map(|(question, label)| {
            let label = question.labels.get(usize::try_from((*label)?).ok()?)?;
            Some((question.name.clone(), label.label.clone()))
        });
        (example.source, labels.collect(), example.given)
    });
    for (source, labels, is_given) in labelled.chain(outside) {
        let mail = match source {
            ExampleSource::Stored(id) => examples::labelled_mail(spool, id, labels, is_given).await?,
            ExampleSource::Labelled(place) => given.get(place).map(|mail| LabelledMail { labels, ..mail.clone() }),
        };
        match mail {
            Some(mail) => {
                let line = serde_json::to_string(&mail)?;
                writeln!(file, "{line}").map_err(unwritten)?;
            }
            None => without_bytes += 1,
        }
    }
    file.flush().map_err(unwritten)?;
    Ok(without_bytes)
}

fn text(report: &serde_json::Value) -> String {
    let mut text = String::new();
    for question in report["questions"].as_array().into_iter().flatten() {
        let name = word(question, "question").to_uppercase();
        let mut table = TextTable::new(&["LABEL", "EXAMPLES", "GIVEN BY SOMEBODY"]);
        for label in question["labels"].as_array().into_iter().flatten() {
            table.row(["label", "examples", "given"].map(|key| word(label, key)).to_vec());
        }
        let _ = write!(text, "{name}\n{table}\n");
    }
    let count = |key: &str| word(report, key);
    let _ = writeln!(text, "{:>8}  tickets were looked at", count("looked_at"));
    let _ = writeln!(text, "{:>8}  mails are examples", count("examples"));
    let _ = writeln!(text, "{:>8}  mails belong to no label", count("outside"));
    if report["passed_over"].as_u64().is_some_and(|left| left > 0) {
        let _ = writeln!(text, "{:>8}  are left out, since there are enough of their labels", count("passed_over"));
    }
    if report["without_bytes"].as_u64().is_some_and(|count| count > 0) {
        let _ = writeln!(text, "{:>8}  have first mails that are not kept any more", count("without_bytes"));
    }
    if report["labelled_without_lesson"].as_u64().is_some_and(|count| count > 0) {
        let _ = writeln!(
            text,
            "{:>8}  of the file have labels that lead nowhere today, or of other questions",
            count("labelled_without_lesson")
        );
    }
    for reason in report["without_lesson"].as_array().into_iter().flatten() {
        let _ = writeln!(text, "{:>8}  {}", word(reason, "tickets"), word(reason, "reason"));
    }
    if report["bound_reached"] == true {
        text.push_str("Older tickets were not looked at, since there are too many.\n");
    }
    text
}
