//! What a user of a model sees, and what becomes of bytes that are none.

use super::*;
use crate::{LabelToLearn, Purpose, QuestionToLearn, Trainer};

const MAILS: [(&str, usize); 12] = [
    ("My invoice is wrong, the amount was charged twice", 0),
    ("Please send the invoice for October again", 0),
    ("The payment of the invoice failed", 0),
    ("Die Rechnung fehlt, bitte senden Sie sie noch einmal", 0),
    ("I was charged twice for one payment", 0),
    ("A refund of the payment has not arrived", 0),
    ("The printer does not print", 1),
    ("Der Drucker im zweiten Stock ist defekt", 1),
    ("The screen stays black and the keyboard is broken", 1),
    ("My laptop does not start, the screen flickers", 1),
    ("The printer is out of toner and beeps", 1),
    ("The keyboard of my laptop lost a key", 1),
];

fn question(labels: &[(&str, &str)]) -> QuestionToLearn {
    let label = |(name, description): &(&str, &str)| LabelToLearn {
        name: (*name).to_owned(),
        description: (*description).to_owned(),
        keywords: Vec::new(),
    };
    QuestionToLearn { name: "queue".to_owned(), labels: labels.iter().map(label).collect() }
}

fn trained(labels: &[(&str, &str)], mails: &[(&str, usize)]) -> Vec<u8> {
    let mut trainer = Trainer::begin(vec![question(labels)], 7).unwrap();
    for (text, label) in mails {
        trainer.learn(&Excerpt { subject: "", text }, &[Some(*label)], Purpose::Fit, 1.0).unwrap();
    }
    trainer.finish().unwrap().bytes
}

fn model() -> Classifier {
    Classifier::read(&trained(&[("Billing", ""), ("Hardware", ""), ("Team 3", "")], &MAILS)).unwrap()
}

fn classify(classifier: &Classifier, text: &str, guesses: usize, evidence: usize) -> Answer {
    classifier.classify(&Excerpt { subject: "", text }, guesses, evidence).remove(0)
}

#[test]
fn a_mail_gets_the_label_of_those_it_is_like() {
    for (text, label) in [("invoice payment twice", 0), ("Drucker", 1), ("my printer", 1), ("Rechnungen", 0)] {
        let guesses = classify(&model(), text, 2, 0).guesses;
        assert_eq!(guesses[0].label, label, "{text}: {guesses:?}");
        assert!(guesses.iter().all(|guess| (0.0..=1.0).contains(&guess.confidence)), "{guesses:?}");
    }
}

#[test]
fn so_many_guesses_come_as_are_asked_for_and_are_there() {
    for (asked, given) in [(0, 0), (1, 1), (9, 2)] {
        assert_eq!(classify(&model(), "invoice", asked, 0).guesses.len(), given);
    }
}

#[test]
fn what_says_nothing_that_is_known_is_not_guessed_at() {
    for text in ["", "???", "> quoted only\n> and nothing else\n", "漢字"] {
        let answer = classify(&model(), text, 3, 3);
        assert!(answer.guesses.is_empty() || text.starts_with('>'), "{text}: {answer:?}");
    }
}

#[test]
fn evidence_names_words_that_stand_in_the_mail_and_the_weightiest_first() {
    let text = "Dear all, the Invoice of the PAYMENT is wrong!";
    let evidence = classify(&model(), text, 1, 3).evidence;
    assert_eq!(evidence.len(), 3);
    assert!(evidence.iter().all(|piece| text.contains(&piece.text)), "{evidence:?}");
    assert!(evidence[..2].iter().any(|piece| piece.text == "Invoice" && piece.weight > 0.0), "{evidence:?}");
    assert!(evidence.is_sorted_by(|one, other| one.weight.abs() >= other.weight.abs()), "{evidence:?}");
}

#[test]
fn evidence_against_the_first_guess_is_negative() {
    let evidence = classify(&model(), "invoice payment charged printer", 1, 4).evidence;
    let printer = evidence.iter().find(|piece| piece.text == "printer").unwrap();
    assert!(printer.weight < 0.0, "{evidence:?}");
}

/// Pieces that mean something to the readers of mail, put together at random.
fn odd_texts() -> impl Iterator<Item = String> {
    let pieces = [
        "\n",
        "\r\n",
        "\r",
        "> ",
        ">",
        "-- \n",
        "--",
        "On ",
        "wrote:",
        "Am 3. Mai schrieb ",
        "Le a écrit :",
        "\nVon: x\nGesendet: y",
        "-----Original Message-----",
        "This e-mail ",
        "confidential",
        "Mit freundlichen Grüßen",
        "invoice",
        "'",
        "’",
        "İ",
        "ẞ",
        "ﬃ",
        "e\u{301}",
        "漢字",
        "👩‍👩‍👧",
        "\0",
        "\u{feff}",
        "\u{202e}",
        "4711",
        "٤٢",
        " ",
        "_",
        ":",
        "Re: ",
        "\u{10ffff}",
    ];
    let mut state = 1_u64;
    let mut next = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    (0..3_000).map(move |_| (0..next(60)).map(|_| pieces[next(pieces.len())]).collect())
}

#[test]
fn any_text_is_answered_and_evidence_always_stands_in_it() {
    let classifier = model();
    for text in odd_texts() {
        let excerpt = Excerpt { subject: &text, text: &text };
        for answer in classifier.classify(&excerpt, 2, 4) {
            assert!(answer.guesses.iter().all(|guess| (0.0..=1.0).contains(&guess.confidence)), "{text:?}");
            assert!(answer.evidence.iter().all(|piece| text.contains(&piece.text)), "{text:?}: {answer:?}");
        }
    }
}

#[test]
fn a_body_of_any_length_costs_no_more_than_its_first_new_characters_and_its_lines() {
    let words = ["word ".repeat(1_000_000), "> old\n".repeat(1_000_000), "w".repeat(5_000_000), "\n".repeat(5_000_000)];
    for text in &words {
        assert!(Excerpt { subject: text, text }.words().characters() <= 3 * crate::reading::CHARACTERS);
    }
}

#[test]
fn a_label_without_examples_and_words_is_never_guessed_and_one_of_words_alone_never_surely() {
    let labels = [("Billing", ""), ("Hardware", ""), ("Team 3", ""), ("Travel", "flights, hotels and trains")];
    let classifier = Classifier::read(&trained(&labels, &MAILS)).unwrap();
    let guesses = classify(&classifier, "flights hotels trains travel", 4, 0).guesses;
    assert_eq!(guesses[0].label, 3, "{guesses:?}");
    assert!(guesses[0].confidence <= 0.5 && guesses.iter().all(|guess| guess.label != 2), "{guesses:?}");
}

#[test]
fn without_any_ticket_names_and_descriptions_are_known() {
    let labels = [("lost_card", ""), ("Team 2", "Invoices, payments and refunds"), ("hardware", "printers")];
    let classifier = Classifier::read(&trained(&labels, &[])).unwrap();
    for (text, label) in [("I lost my card", 0), ("where are my refunds", 1), ("two printers", 2)] {
        let guesses = classify(&classifier, text, 1, 0).guesses;
        assert!(guesses[0].label == label && guesses[0].confidence <= 0.5, "{text}: {guesses:?}");
    }
}

#[test]
fn a_label_that_is_left_out_is_not_guessed_and_one_that_is_renamed_is_the_same() {
    let mut classifier = model();
    classifier.rename(0, 0, "Finance");
    assert_eq!(classifier.questions()[0].labels[0].name, "Finance");
    assert_eq!(classify(&classifier, "invoice", 1, 0), classify(&model(), "invoice", 1, 0));
    classifier.leave_out(0, 0);
    let guesses = classify(&classifier, "invoice", 3, 0).guesses;
    assert_eq!(guesses.iter().map(|guess| guess.label).collect::<Vec<_>>(), [1]);
    classifier.leave_out(9, 9);
    classifier.rename(9, 9, "");
}

#[test]
fn a_model_says_how_many_examples_each_label_had() {
    let classifier = model();
    let counts: Vec<u32> = classifier.questions()[0].labels.iter().map(|label| label.examples).collect();
    assert_eq!(counts, [6, 6, 0]);
}

#[test]
fn what_was_written_is_read_as_it_was() {
    let bytes = trained(&[("Billing", ""), ("Hardware", "")], &MAILS);
    let (weighing, questions) = format::read(&bytes).unwrap();
    assert_eq!(write(&weighing, &questions), bytes);
}

/// A model small enough to be damaged everywhere.
fn small() -> Vec<u8> {
    let weighing = Weighing::by_frequency(3, 5, &[2; 16]);
    let rows = vec![[0.5_f32, -0.25, 0.1, 0.0]; 16];
    let label = |name: &str| KnownLabel { name: name.to_owned(), examples: 5, ground: Ground::Examples };
    let question = KnownQuestion {
        name: "queue".to_owned(),
        labels: vec![label("one"), label("two"), label("three")],
        confidence: Confidence::default(),
        bias: vec![0.1, 0.2, 0.3],
        table: Table::rounded(4, rows.iter().map(<[f32; 4]>::as_slice)),
    };
    write(&weighing, &[question])
}

#[test]
fn a_model_that_was_cut_or_lengthened_anywhere_is_refused() {
    let whole = small();
    assert!(Classifier::read(&whole).is_ok());
    for length in 0..whole.len() {
        assert!(Classifier::read(&whole[..length]).is_err(), "{length} bytes");
    }
    assert!(Classifier::read(&[&whole[..], &[0]].concat()).is_err());
}

#[test]
fn a_model_of_which_any_byte_was_changed_is_refused() {
    let mut bytes = small();
    for place in 0..bytes.len() {
        for change in [1, 0x80, 0xff] {
            bytes[place] ^= change;
            assert!(Classifier::read(&bytes).is_err(), "byte {place}");
            bytes[place] ^= change;
        }
    }
}

/// Makes check sum and length right again, as a forger would.
fn forged(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = bytes.len() as u64;
    bytes[16..24].copy_from_slice(&length.to_le_bytes());
    let sum = format::check_sum(&bytes[32..]);
    bytes[24..32].copy_from_slice(&sum.to_le_bytes());
    bytes
}

#[test]
fn a_forged_model_answers_or_is_refused_and_claims_no_memory() {
    let whole = small();
    for place in 32..whole.len() {
        for value in [0, 1, 3, 0x7f, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[place] = value;
            if let Ok(classifier) = Classifier::read(&forged(bytes)) {
                let answer = classify(&classifier, "one two three", 9, 9);
                assert!(answer.guesses.iter().all(|guess| (0.0..=1.0).contains(&guess.confidence)), "byte {place}");
            }
        }
        assert!(Classifier::read(&forged(whole[..place].to_vec())).is_err(), "{place} bytes");
    }
}

#[test]
fn bytes_that_are_no_model_are_told_with_what_to_do() {
    for (bytes, sentence) in [
        (&b"PK\x03\x04"[..], "not of the format"),
        (b"postigo-linear/2", "not of the format"),
        (b"postigo-linear/1", "cut short"),
    ] {
        let error = Classifier::read(bytes).unwrap_err().to_string();
        assert!(error.contains(sentence) && error.contains("train it anew"), "{error}");
    }
}
