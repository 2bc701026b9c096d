//! What is taken out of a server's words, and what stays.

use super::*;
use ::base64::Engine as _;
use ::base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

fn redacted(secret: &str, text: &str) -> String {
    Redactor::of([("password", secret)]).redact(text)
}

/// As in a quoted string of IMAP, in JSON and in Rust's debug form.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn of_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

fn of_json(text: &str) -> String {
    let units = |letter: char| letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect();
    text.chars().map(|letter| if letter.is_ascii() { escaped(&letter.to_string()) } else { units(letter) }).collect()
}

/// As in a form's body (`plus`: a space is `+`), or in an address.
fn percent_encoded(text: &str, plus: bool) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte) || byte == if plus { b'*' } else { b'~' };
    let encoded = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(|byte| if plus && byte == b' ' { "+".to_owned() } else { encoded(byte) }).collect()
}

#[test]
fn the_servers_words_stay_readable_around_the_secret() {
    assert_eq!(
        redacted("hunter2!", "LOGIN jane hunter2! failed, 2 tries left"),
        "LOGIN jane [the password] failed, 2 tries left"
    );
    assert_eq!(redacted("hunter2!", "Invalid password for jane"), "Invalid password for jane");
    assert_eq!(redacted("", "nothing to hide"), "nothing to hide");
}

#[test]
fn a_secret_is_found_in_every_form_in_which_it_goes_out_or_comes_back() {
    for secret in [
        "pa55wörd",
        "hunter\"2\\secret",
        "s p a c e d",
        "r&d<x>'y'",
        "a\\nb\\rc\\tdef",
        "пароль!",
        "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg",
        "k-_-e-_-y",
    ] {
        let plain = format!("\0jane@example.org\0{secret}");
        let bearer = format!("user=jane@example.org\u{1}auth=Bearer {secret}\u{1}\u{1}");
        let bytes = |text: &str| format!("{:?}", text.as_bytes());
        let split = |text: &str| text.chars().flat_map(|letter| [letter, '\n']).collect::<String>();
        let said: Vec<String> = vec![
            secret.to_owned(),
            secret.to_uppercase(),
            escaped(secret),
            format!("{secret:?}"),
            format!("{:?}", escaped(secret)),
            format!("{{{}}}\r\n{secret}", secret.len()),
            bytes(secret),
            bytes(&plain),
            serde_json::to_string(secret).unwrap(),
            of_json(secret),
            STANDARD.encode(secret),
            STANDARD.encode(&plain),
            STANDARD.encode(format!("client:{}", percent_encoded(secret, true))),
            STANDARD.encode(&bearer),
            STANDARD.encode(&bearer).to_uppercase(),
            URL_SAFE_NO_PAD.encode(&bearer),
            split(&STANDARD.encode(&plain)),
            percent_encoded(secret, true).to_uppercase(),
            percent_encoded(secret, false),
            of_html(secret),
            split(secret),
            secret.bytes().map(char::from).collect(),
        ];
        for said in said {
            let words = redacted(secret, &format!("(I was told) {said} (and say so)"));
            assert!(words.contains("[the password]"), "{said:?} of {secret:?} became {words:?}");
            assert!(!words.contains(&said), "{said:?} of {secret:?} became {words:?}");
            assert!(words.starts_with("(I was told) ") && words.ends_with(" (and say so)"), "{words:?}");
        }
    }
}

#[test]
fn the_whole_word_in_base64_goes_so_that_no_bits_are_left() {
    let blob = STANDARD.encode("\0jane\0hunter2!");
    assert_eq!(redacted("hunter2!", &format!("535 {blob} is wrong")), "535 [the password] is wrong");
    let (first, second) = blob.split_at(12);
    let words = redacted("hunter2!", &format!("535 {first} 5.7.8 {second} is wrong"));
    assert!(words.contains("5.7.8 [the password] is wrong"), "a piece is enough: {words}");
}

#[test]
fn a_short_secret_takes_no_other_words_letters() {
    assert_eq!(
        redacted("no", "no, I know no such \"no\""),
        "[the password], I know [the password] such \"[the password]\""
    );
    assert_eq!(redacted("12", "212 of 12"), "212 of [the password]");
}

#[test]
fn a_line_is_cut_after_the_secret_is_gone() {
    let redactor = Redactor::of([("access token", "t0kent0kent0ken")]);
    assert_eq!(redactor.line("a\r\nt0kent0kent0ken", 6), "a  [th…");
    assert_eq!(redactor.line(&"ä".repeat(1_000), 300).chars().count(), 301);
}

#[test]
fn nothing_shows_the_secrets() {
    assert_eq!(format!("{:?}", Redactor::of([("password", "hunter2!")])), "Redactor(1 secrets)");
}

#[test]
fn a_secret_is_found_however_it_is_encoded_and_the_rest_stays() {
    let bytes =
        |format: fn(u8) -> String, between: &str| "hunter2!".bytes().map(format).collect::<Vec<_>>().join(between);
    let said = [
        bytes(|byte| format!("\\x{byte:02x}"), ""),
        bytes(|byte| format!("\\{byte:o}"), ""),
        bytes(|byte| format!("\\u{byte:04x}"), ""),
        bytes(|byte| format!("\\u{{{byte:x}}}"), ""),
        bytes(|byte| byte.to_string(), " "),
        bytes(|byte| byte.to_string(), ","),
        bytes(|byte| format!("{byte:o}"), " "),
        bytes(|byte| format!("{byte:08b}"), " "),
        bytes(|byte| byte.to_string(), "\\"),
        bytes(|byte| format!("{byte:02x}"), ":"),
        bytes(|byte| format!("{byte:02X}"), " "),
        bytes(|byte| format!("0x{byte:02x}"), ", "),
        bytes(|byte| format!("U+{byte:04X}"), " "),
        bytes(|byte| format!("{byte:02x}00"), ""),
        bytes(|byte| format!("00{byte:02x}"), " "),
        bytes(|byte| format!("%{byte:02X}"), ""),
        bytes(|byte| format!("%25{byte:02X}"), ""),
        bytes(|byte| format!("={byte:02X}"), ""),
        bytes(|byte| format!("&#{byte};"), ""),
        bytes(|byte| format!("&#x{byte:x};"), ""),
        "h\\x75%6e=74&#101;\\162\\u0032&excl;".to_owned(),
        "!2retnuh".to_owned(),
        STANDARD.encode("!2retnuh"),
        "6875\r\n535-6e74 6572 3221".replace("535-", ""),
    ];
    for said in said {
        assert_eq!(redacted("hunter2!", &format!("535 {said} is wrong")), "535 [the password] is wrong", "{said}");
        let encoded = STANDARD.encode(format!("\0jane\0{said}"));
        let words = redacted("hunter2!", &format!("you said {encoded} to me"));
        assert_eq!(words, "you said [the password] to me", "{said} in {encoded}");
    }
    let thrice = (0..3).fold("\0jane\0hunter2!".to_owned(), |text, _| STANDARD.encode(text));
    assert_eq!(redacted("hunter2!", &format!("you said {thrice} to me")), "you said [the password] to me");
}

#[test]
fn half_of_a_secret_is_found_on_both_sides_of_a_letter_of_another_script() {
    for half in ["correct-h", "ttery-sta", "\\x74tery-sta", "ö0123456", "0123456", STANDARD.encode("ö0123456").as_str()]
    {
        for secret in ["correct-höttery-sta", "abcdefö0123456"]
            .into_iter()
            .filter(|secret| secret.contains("0123") == half.contains(['3', 'M']))
        {
            let words = redacted(secret, &format!("you said <{half}> to me"));
            assert_eq!(words, "you said <[the password]> to me", "{half} of {secret}");
        }
    }
}

#[test]
fn what_servers_say_usually_stays_as_it_is() {
    let said = [
        "535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6",
        "535-5.7.8 Username and Password not accepted. For more information, go to\n535 5.7.8  https://support.google.com/mail/?p=BadCredentials ffacd0b85a97d-43b8a1c0d2asm1234567f8f.12 - gsmtp",
        "421 4.7.0 [TSS04] Messages from 192.0.2.17 temporarily deferred due to user complaints - 4.16.55.1; see https://postmaster.example.com/error-codes",
        "* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ STARTTLS AUTH=PLAIN AUTH=XOAUTH2] Dovecot (Ubuntu) ready.",
        "-ERR [AUTH] Invalid login or password. 0x80070005 %USERNAME% &nbsp; 100% =E4= \\o/",
        "550 5.1.1 <jane@example.org>: Recipient address rejected: User unknown; trace 00000000: 4142 4344 4546 (1, 2, 3, 104, 117)",
        "AADSTS7000215: Invalid client secret provided. Trace ID: 5d4f2c3a-1b2c-4d5e-8f90-a1b2c3d4e5f6 Correlation ID: 0f1e2d3c Timestamp: 2024-01-01 00:00:00Z",
    ];
    for secret in [
        "hunter2!",
        "hunt",
        "x9Kq",
        "correct horse",
        "пароль!",
        "pa55wörd",
        "ya29.tok3n-Ab~Cd_4711+xyz/0123456789",
        "77",
        "e\"f",
    ] {
        for said in said {
            assert_eq!(redacted(secret, said), said, "{secret}");
        }
    }
}
