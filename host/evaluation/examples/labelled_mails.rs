//! Makes files of labelled mails, one JSON object a line, of public collections:
//!
//! ```text
//! cargo run --release -p postigo-evaluation --example labelled_mails -- clinc150 data_full.json OUT
//! cargo run --release -p postigo-evaluation --example labelled_mails -- banking77 FOLDER OUT
//! cargo run --release -p postigo-evaluation --example labelled_mails -- tickets tickets.jsonl OUT [SEED [SIMILARITY]]
//! ```
//!
//! `OUT` is a folder, and gets `train.jsonl` and `test.jsonl`, of CLINC150 `validation.jsonl` and `outside.jsonl`
//! besides. Tickets are parted so that no near-duplicate of a ticket to learn from is asked about: a fifth of them by
//! `SEED`, near-duplicates by `SIMILARITY` (0 to 1, default 0.5).

#![allow(clippy::print_stdout, reason = "a program")]

use postigo_evaluation::{near_duplicates, split};
use serde_json::{Value, json};
use std::error::Error;
use std::fs;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match texts[..] {
        ["clinc150", file, out] => clinc150(file, Path::new(out)),
        ["banking77", folder, out] => banking77(Path::new(folder), Path::new(out)),
        ["tickets", file, out, ref more @ ..] => {
            let seed = more.first().map_or(Ok(1), |seed| seed.parse())?;
            let similarity = more.get(1).map_or(Ok(0.5), |similarity| similarity.parse())?;
            tickets(file, Path::new(out), seed, similarity)
        }
        _ => Err("usage: clinc150 FILE OUT | banking77 FOLDER OUT | tickets FILE OUT [SEED [SIMILARITY]]".into()),
    }
}

fn clinc150(file: &str, out: &Path) -> Result<(), Box<dyn Error>> {
    let data: Value = serde_json::from_str(&fs::read_to_string(file)?)?;
    for (part, name) in [("train", "train"), ("val", "validation"), ("test", "test"), ("oos_test", "outside")] {
        let rows = data[part].as_array().ok_or_else(|| format!("{file} has no list {part}"))?;
        let line = |row: &Value| match name {
            "outside" => json!({"subject": "", "text": row[0], "labels": {}}),
            _ => json!({"subject": "", "text": row[0], "labels": {"queue": row[1]}}),
        };
        write(out, name, rows.iter().map(line))?;
    }
    Ok(())
}

fn banking77(folder: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    for name in ["train", "test"] {
        let text = fs::read_to_string(folder.join(name).with_extension("csv"))?;
        let line = |row: &Vec<String>| {
            let [text, label] = &row[..] else { return json!({}) };
            json!({"subject": "", "text": text, "labels": {"queue": label}})
        };
        write(out, name, rows_of(&text).iter().skip(1).filter(|row| row.len() == 2).map(line))?;
    }
    Ok(())
}

/// The rows of a text in CSV (RFC 4180).
fn rows_of(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => field.extend(letters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !quoted => {}
            _ => field.push(letter),
        }
    }
    if !field.is_empty() || !row.is_empty() {
        row.push(field);
        rows.push(row);
    }
    rows
}

fn tickets(file: &str, out: &Path, seed: u64, similarity: f64) -> Result<(), Box<dyn Error>> {
    let text = fs::read_to_string(file)?;
    let tickets: Vec<Value> =
        text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str).collect::<Result<_, _>>()?;
    let word = |ticket: &Value, key: &str| ticket[key].as_str().unwrap_or_default().to_owned();
    let texts: Vec<String> =
        tickets.iter().map(|ticket| word(ticket, "subject") + "\n" + &word(ticket, "text")).collect();
    let split = split::by_group(&near_duplicates(&texts, similarity), 0.2, seed);
    write(out, "train", split.train.iter().map(|ticket| tickets[*ticket].clone()))?;
    write(out, "test", split.test.iter().map(|ticket| tickets[*ticket].clone()))
}

fn write(out: &Path, name: &str, lines: impl Iterator<Item = Value>) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(out)?;
    let lines: Vec<String> = lines.map(|line| line.to_string() + "\n").collect();
    fs::write(out.join(name).with_extension("jsonl"), lines.concat())?;
    println!("{name}: {} mails", lines.len());
    Ok(())
}
