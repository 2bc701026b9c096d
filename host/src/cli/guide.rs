//! The commands that the documentation shows are commands that there are.

use super::Arguments;
use clap::Parser as _;
use clap::error::ErrorKind;
use std::path::Path;

/// Whether a command only lacks what is given to it.
fn is_unfinished(kind: ErrorKind) -> bool {
    use ErrorKind::{DisplayHelpOnMissingArgumentOrSubcommand, InvalidValue, MissingRequiredArgument};
    matches!(kind, DisplayHelpOnMissingArgumentOrSubcommand | InvalidValue | MissingRequiredArgument)
}

/// The words of a line for a shell, without its comment, pipes and redirections.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut is_quoted) = (vec![String::new()], false);
    for character in line.chars() {
        match character {
            '"' | '\'' => is_quoted = !is_quoted,
            '#' | '>' | '|' if !is_quoted && words.last().is_some_and(String::is_empty) => break,
            ' ' if !is_quoted => words.push(String::new()),
            other => words.last_mut().unwrap().push(other),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn every_command_of_the_documentation_is_taken() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let pages = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .chain([root.join("README.md")]);
    let (mut seen, mut wrong) = (0, Vec::new());
    let mut check = |page: &Path, command: &str, is_whole: bool| {
        seen += 1;
        match Arguments::try_parse_from(words(command)) {
            Ok(_) => {}
            Err(error) if !is_whole && is_unfinished(error.kind()) => {}
            Err(error) => wrong.push(format!("{}: {command}: {}", page.display(), error.kind())),
        }
    };
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        // Odd ones are code.
        for (place, part) in text.split("```").enumerate() {
            if place % 2 == 0 {
                let spans = part.split('`').skip(1).step_by(2).filter(|span| span.starts_with("postigo "));
                spans.for_each(|span| check(&page, &span.replace('\n', " "), false));
                continue;
            }
            // A line may go on after a backslash.
            let whole = part.replace("\\\n", " ");
            for line in whole.lines().skip(1).map(|line| line.trim_start().trim_start_matches("$ ")) {
                let commands =
                    line.split(" | ").filter(|command| command.starts_with("postigo ") && !command.contains(" unix "));
                commands.for_each(|command| check(&page, command, true));
            }
        }
    }
    assert!(seen > 30 && wrong.is_empty(), "{seen} commands: {wrong:#?}");
}
