//! Mails that a hostile sender would write to make reading them dear: one kind for each reader and its worst input, of
//! any size; and all that reading a mail means. The guest `worst-mails` has this file too, so that what reading costs
//! can be counted instruction by instruction.

use postigo_mail::{
    Envelope, Message, OpenedMessage, Vocabulary, delivery_report, feeds_loop, message_ids, why_unanswered,
};

/// Makes the mail of a kind that has about so many bytes.
type Make = fn(usize) -> Vec<u8>;

/// Every kind, by its name.
pub const KINDS: &[(&str, Make)] = &[
    // The header as a whole.
    ("a body that is one line", |size| body("", b"a", size)),
    ("a body of empty lines", |size| body("", b"\n", size)),
    ("a body of NUL", |size| body("", b"\0", size)),
    ("lines that end with CR alone", |size| filled(b"Subject: x\r\r", b"line\r", size)),
    ("fields of names of their own", |size| numbered(size, "\n", |number| format!("{number:x}:\n"))),
    ("fields of one name", |size| filled(b"", b"a:\n", size)),
    ("fields with long names", |size| numbered(size, "\n", |number| format!("{}{number}:\n", "n".repeat(5_000)))),
    ("lines that are no fields", |size| filled(b"a:\n", b"b\na:\n", size)),
    ("lines that may be fields", |size| filled(b"", b"a b:\n", size)),
    ("folded lines without end", |size| filled(b"Subject: x\n", b" \n", size)),
    ("a field without a colon", |size| filled(b"Subject: x\n", b"a", size)),
    ("headers for the host", |size| numbered(size, "\n", |number| format!("X-OTOBO-{number:x}:\n"))),
    ("as many fields, addresses and parts as there may be", |size| {
        let addresses = "a@b,".repeat((size / 20).min(40_000));
        let fields: String = (0..(size / 40).min(4_900)).map(|number| format!("{number:x}:\n")).collect();
        let listed = ["From", "To", "Cc", "Reply-To"].map(|name| format!("{name}: {addresses}\n")).concat();
        filled(format!("{listed}{fields}{MIXED}").as_bytes(), b"--b\n\n", size)
    }),
    // Texts of fields.
    ("a subject of words", |size| field("Subject", b"word ", size)),
    ("a subject of one word", |size| field("Subject", b"a", size)),
    ("a subject of blanks", |size| field("Subject", b" ", size)),
    ("encoded words", |size| field("Subject", b"=?utf-8?q?a?= ", size)),
    ("encoded words of nothing", |size| field("Subject", b"=?a?q??=", size)),
    ("encoded words that never end", |size| field("Subject", b"=?a?q?", size)),
    ("encoded words of no encoding", |size| field("Subject", b"=?a?x? ", size)),
    ("encoded words that may begin anywhere", |size| field("Subject", b"=?", size)),
    ("encoded words in two charsets", |size| field("Subject", b"=?koi8-r?q?=E1?= =?utf-8?q?=C3?= ", size)),
    ("encoded words that are cut in characters", |size| field("Subject", b"=?utf-8?b?w6?= ", size)),
    ("encoded words that are cut in escapes", |size| field("Subject", b"=?utf-8?q?=C?= ", size)),
    ("encoded words in iso-2022-jp", |size| field("Subject", b"=?iso-2022-jp?b?GyRCQEE1YT1xGyhC?= ", size)),
    ("a subject in a charset with a long name", |size| {
        let label = "l".repeat(size / 2);
        filled(format!("Content-Type: text/plain; charset={label}\nSubject: ").as_bytes(), b"\xe4=?a?q?b?=", size)
    }),
    ("a date without end", |size| field("Date", b"Mon, 23 Nov 2026 09:15:00 +0000 ", size)),
    ("references", |size| field("References", b"<a@b>", size)),
    ("references that only open", |size| field("References", b"<", size)),
    ("references that only close", |size| field("References", b">", size)),
    ("a message id without end", |size| field("Message-ID", b"<a", size)),
    ("lists of returned recipients", |size| field("X-Failed-Recipients", b"a@b ", size)),
    // Addresses.
    ("addresses", |size| field("From", b"a@b,", size)),
    ("addresses in many fields", |size| filled(b"", b"To: a@b\n", size)),
    ("addresses in angle brackets", |size| field("From", b"<a@b>", size)),
    ("angle brackets that never close", |size| field("From", b"<a@b,", size)),
    ("names of words", |size| field("From", b"a ", size)),
    ("names of quotes", |size| field("From", b"\"\"", size)),
    ("names of encoded words", |size| field("From", b"=?utf-8?q?a?= <a@b>,", size)),
    ("quotes that never close", |size| field("From", b"\"\\", size)),
    ("comments in comments", |size| field("From", b"(", size)),
    ("comments", |size| field("From", b"()", size)),
    ("comments of nothing beside addresses", |size| field("To", b"()a@b,", size)),
    ("groups", |size| field("To", b"a:b@c;", size)),
    ("routes", |size| field("To", b"<@a:b@c>,", size)),
    ("angle brackets that only open", |size| field("From", b"<", size)),
    ("angle brackets in angle brackets", |size| field("To", b"<a <a@b>,", size)),
    ("angle brackets that are forgotten", |size| field("To", b"<\"a@b\",", size)),
    ("addresses in apostrophes", |size| field("To", b"'a@b',", size)),
    ("addresses in quotes of all kinds", |size| field("To", "<‘“'mailto:smtp:mailto:a@b'”’>,".as_bytes(), size)),
    ("an address of schemes", |size| field("To", format!("<{}a@b>,", "mailto:".repeat(280)).as_bytes(), size)),
    ("names in iso-2022-jp as it is", |size| field("To", b"\x1b$B@A\x1b(B <a@b>,", size)),
    ("names in iso-2022-jp that never end", |size| field("To", b"\x1b$B@A\x1b$B,", size)),
    ("an address without end", |size| field("From", b"a@", size)),
    // Parameters.
    ("names in pieces", |size| {
        numbered_after("Content-Disposition: attachment", size, |number| format!("; filename*{number}*=x"))
    }),
    ("names in pieces, last piece first", |size| {
        numbered_after("Content-Disposition: attachment", size, |number| format!("; filename*{}=x", 9_999_999 - number))
    }),
    ("names in pieces of one number", |size| field("Content-Disposition", b"a; filename*1*=%41", size)),
    ("names in pieces, of many parts", |size| {
        let pieces: String = (0..2_000).map(|number| format!("; filename*{number}*=x")).collect();
        parts(&format!("Content-Disposition: attachment{pieces}\n\n"), size)
    }),
    ("parameters", |size| numbered_after("Content-Type: text/plain", size, |number| format!("; a{number}=x"))),
    ("parameters of one name", |size| field("Content-Type", b";name=x", size)),
    ("parameters of encoded words that never end", |size| field("Content-Type", b"a/b; name==?a?q?x ", size)),
    ("parameters of encoded words", |size| field("Content-Type", b"a/b; name==?a?q?x?= ", size)),
    ("parameters of quotes", |size| field("Content-Type", b"a/b; name=\"\\\"", size)),
    ("parameters of comments", |size| field("Content-Type", b"a/b; (", size)),
    ("parameters with languages", |size| field("Content-Type", b"a/b; name*=''", size)),
    // Parts.
    ("parts of nothing", |size| parts("\n", size)),
    ("parts without a header", |size| parts("", size)),
    ("parts with a long header", |size| parts(&format!("{}\n", "Content-ID: <x>\n".repeat(3_000)), size)),
    ("parts that are files", |size| parts("Content-Disposition: attachment; filename=x\n\nx\n", size)),
    ("parts that say nothing", |size| parts("\n\u{a0}\u{200b}\n", size)),
    ("parts of HTML that says nothing", |size| parts("Content-Type: text/html\n\n<p>&nbsp;\n", size)),
    ("two texts that say nothing", |size| {
        let blank = " ".repeat(size / 2);
        filled(format!("{MIXED}--b\n\n{blank}\n--b\nContent-Type: text/html\n\n").as_bytes(), b"<p>&nbsp;", size)
    }),
    ("alternatives in alternatives", |size| {
        let open = |number: usize| {
            format!("Content-Type: multipart/alternative; boundary=b{number}\n\n--b{number}\n\n \n--b{number}\n")
        };
        let opened: String = (0..90).map(open).collect();
        filled(opened.as_bytes(), b"Content-Type: text/html\n\na\n--b89\n", size)
    }),
    ("parts that are files without a charset", |size| {
        parts("Content-Disposition: attachment; filename=\"ü.pdf\"\n\nx\n", size)
    }),
    ("parts that are texts in another charset", |size| {
        parts("Content-Type: text/plain; charset=windows-1252\n\n\x7f\n", size)
    }),
    ("parts that are mails", |size| parts("Content-Type: message/rfc822\n\nSubject: x\n\nx\n", size)),
    ("parts in parts", |size| {
        numbered(size, "", |number| format!("Content-Type: multipart/mixed; boundary={number}\n\n--{number}\n"))
    }),
    ("parts in parts of one boundary", |size| filled(b"", b"Content-Type: multipart/mixed; boundary=b\n\n--b\n", size)),
    ("boundaries that begin others", |size| {
        let open =
            |length: usize| format!("Content-Type: multipart/mixed; boundary={0}\n\n--{0}\n", "b".repeat(length));
        let opened: String = (1..90).map(open).collect();
        filled(opened.as_bytes(), format!("\n--{}x", "b".repeat(90)).as_bytes(), size)
    }),
    ("a boundary without end", |size| {
        let boundary = "b".repeat(size / 4);
        filled(
            format!("Content-Type: multipart/mixed; boundary={boundary}\n\n").as_bytes(),
            format!("--{boundary}\n").as_bytes(),
            size,
        )
    }),
    ("lines that may be boundaries", |size| filled(MIXED.as_bytes(), b"--\n", size)),
    ("lines that are nearly boundaries", |size| {
        filled(MIXED.as_bytes(), format!("--b{}x\n", " ".repeat(900)).as_bytes(), size)
    }),
    // What parts hold.
    ("base64", |size| body("Content-Transfer-Encoding: base64\n", b"QUJDRA\n", size)),
    ("base64 that ends again and again", |size| body("Content-Transfer-Encoding: base64\n", b"QQ==", size)),
    ("base64 of rubbish", |size| body("Content-Transfer-Encoding: base64\n", b"%", size)),
    ("quoted-printable", |size| body("Content-Transfer-Encoding: quoted-printable\n", b"=E4", size)),
    ("quoted-printable of signs", |size| body("Content-Transfer-Encoding: quoted-printable\n", b"=", size)),
    ("quoted-printable of soft breaks", |size| body("Content-Transfer-Encoding: quoted-printable\n", b"=\n", size)),
    ("quoted-printable of blanks", |size| body("Content-Transfer-Encoding: quoted-printable\n", b" ", size)),
    ("text that grows in UTF-8", |size| body("Content-Type: text/plain; charset=windows-1252\n", b"\x80", size)),
    ("text that is not UTF-8", |size| body("Content-Type: text/plain; charset=utf-8\n", b"\xff", size)),
    ("iso-2022-jp", |size| body("Content-Type: text/plain; charset=iso-2022-jp\n", b"\x1b$B@A\x1b(B", size)),
    ("iso-2022-jp of escapes", |size| body("Content-Type: text/plain; charset=iso-2022-jp\n", b"\x1b(B", size)),
    ("iso-2022-jp without a label", |size| body("", b"\x1b$B@A\x1b(B", size)),
    ("escapes without a label", |size| body("", b"\x1b$B\x1b$)", size)),
    ("iso-2022-jp that is something else", |size| {
        body("Content-Type: text/plain; charset=iso-2022-jp\n", b"\x1b$B@A\x1b(B\xff", size)
    }),
    ("iso-2022-kr", |size| body("Content-Type: text/plain; charset=iso-2022-kr\n", b"\x0eGQ\x0f", size)),
    ("hz", |size| body("Content-Type: text/plain; charset=hz-gb-2312\n", b"~{VP~}", size)),
    ("a code page of DOS", |size| body("Content-Type: text/plain; charset=cp437\n", b"\xdb", size)),
    ("text that is UTF-8 here and there", |size| {
        body("Content-Type: text/plain; charset=utf-8\n", b"\xc3\xa4\xe6\x97a", size)
    }),
    ("a byte order mark", |size| filled(b"Subject: x\n\n\xef\xbb\xbf", b"\xff", size)),
    ("a byte order mark of UTF-16", |size| filled(b"Subject: x\n\n\xff\xfe", b"\x20\x20", size)),
    ("utf-7", |size| body("Content-Type: text/plain; charset=utf-7\n", b"+AOQ-", size)),
    ("utf-7 that never ends", |size| body("Content-Type: text/plain; charset=utf-7\n+", b"AOQA", size)),
    ("utf-16", |size| body("Content-Type: text/plain; charset=utf-16\n", b"\x20\x20", size)),
    ("gb18030", |size| body("Content-Type: text/plain; charset=gb18030\n", b"\x81\x30\x81\x30", size)),
    ("CR and LF", |size| body("", b"\r\n\r", size)),
    // HTML.
    (PLAIN_HTML, |size| {
        let paragraph = "<p class=\"text\">Good morning,<br>\n<b>the invoice</b> of last week &amp; <a href=\"https://shop.test/o?id=7\">my order</a> do not \
                         fit together; would you please look at it and tell me what is to be paid?</p>\n";
        html(paragraph, size)
    }),
    ("HTML of openings", |size| html("<", size)),
    ("HTML of openings and blanks", |size| html("< ", size)),
    ("HTML of openings that are never closed", |size| html("<a", size)),
    ("HTML of closings", |size| html("</", size)),
    ("HTML of elements", |size| html("<div>", size)),
    ("HTML of short elements", |size| html("<p>", size)),
    ("HTML of declarations", |size| html("<!>", size)),
    ("HTML of line breaks", |size| html("<br>", size)),
    ("HTML of cells", |size| html("<td>a", size)),
    ("HTML of ampersands", |size| html("&", size)),
    ("HTML of ampersands and signs", |size| html("&#", size)),
    ("HTML of ampersands and blanks", |size| html("& ", size)),
    ("HTML of entities", |size| html("&nbsp;&euro;", size)),
    ("HTML of short entities", |size| html("&lt;", size)),
    ("HTML of entities of no name", |size| html("&;", size)),
    ("HTML of entities of no meaning", |size| html("&a;", size)),
    ("HTML of numbers", |size| html("&#9;", size)),
    ("HTML of entities that never end", |size| html("&aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", size)),
    ("HTML of attributes", |size| html("<a b=\"", size)),
    ("HTML of attributes in either quotes", |size| html("<a b='x\" ", size)),
    ("HTML of one tag of blanks", |size| body("Content-Type: text/html\n\n<a", b" ", size)),
    ("HTML of one tag of equals signs", |size| body("Content-Type: text/html\n\n<a", b"= \"", size)),
    ("HTML of one tag of quotes", |size| body("Content-Type: text/html\n\n<a", b"=''", size)),
    ("HTML of styles", |size| html("<style>", size)),
    ("HTML of styles that end", |size| html("<style></style>", size)),
    ("HTML of closings in a style", |size| body("Content-Type: text/html\n\n<style>", b"</", size)),
    ("HTML of comments", |size| html("<!--", size)),
    ("HTML of comments that end", |size| html("<!---->", size)),
    ("HTML of one comment of ends", |size| body("Content-Type: text/html\n\n<!--", b"->", size)),
    ("HTML of blanks", |size| html(" ", size)),
    ("HTML of words of one letter", |size| html("a ", size)),
    ("HTML of links", |size| html("<a href=x:>a", size)),
    ("HTML of links that say where they lead", |size| html("<a href='http://a.test/'>a.test</a>", size)),
    ("HTML of links without text", |size| html("<a href=x:></a>", size)),
    ("HTML of links to one place behind line ends", |size| {
        let begun = [b"Content-Type: text/html\n\n<a href=x:></a>".as_slice(), &b"<br>".repeat(size / 8)].concat();
        body(std::str::from_utf8(&begun).unwrap_or_default(), b"<a href=x:>", size)
    }),
    ("HTML of one link of entities", |size| body("Content-Type: text/html\n\n<a href='", b"&lt;", size)),
    ("HTML of links of entities", |size| html("<a href=x:&lt;&lt;&lt;>", size)),
    ("HTML of preformatted elements", |size| html("<pre>", size)),
    ("HTML of preformatted lines", |size| body("Content-Type: text/html\n\n<pre>", b"a\r\n", size)),
    ("HTML of preformatted entities", |size| body("Content-Type: text/html\n\n<pre>", b"&lt;", size)),
    ("HTML of preformatted ampersands", |size| body("Content-Type: text/html\n\n<pre>", b"&\0", size)),
    ("HTML of elements that keep lines", |size| html("<p style=white-space:pre>", size)),
    ("HTML of elements that nearly keep lines", |size| html("<p style=white-space:no>", size)),
    ("HTML that grows in UTF-8", |size| body("Content-Type: text/html; charset=windows-1252\n", b"\x80", size)),
    ("HTML of images that are never named", |size| {
        let numbered: String = (0..size / 16).map(|number| format!("cid:{number:x}")).collect();
        let image = "--b\nContent-Type: image/png\nContent-ID: <x>\nContent-Disposition: inline\n\n";
        filled(format!("{MIXED}{image}--b\nContent-Type: text/html\n\n{numbered}").as_bytes(), b"cid:", size)
    }),
    // Reports.
    ("reports on recipients", |size| report(b"Final-Recipient: rfc822; a@b\nAction: failed\n\n", size)),
    ("reports of empty lines", |size| report(b"\n", size)),
    ("reports of fields", |size| report(b"a:\n", size)),
    ("reports of groups", |size| report(b"a:\n\n", size)),
    ("reports of no fields", |size| report(b"a\n", size)),
    ("reports of escapes", |size| report(b"\\x{", size)),
    ("reports of escapes in one address", |size| {
        let escapes = b"\\x{".repeat(300_000);
        report(&[b"Final-Recipient: utf-8; ", escapes.as_slice(), b"}\n\n"].concat(), size)
    }),
    ("reports with mails that came back", |size| {
        let status = "--b\nContent-Type: message/delivery-status\n\nAction: failed\n\n";
        filled(format!("{MIXED}{status}").as_bytes(), b"--b\nContent-Type: message/rfc822\n\nSubject: x\n\n", size)
    }),
    ("a report of old", |size| filled(b"Subject: x\n\nHi. This is the\n\n", b"<a@b>:\nx (#5.1.1)\n\n", size)),
    ("a report of old on one recipient", |size| filled(b"Subject: x\n\nHi. This is the\n\n<a@b>:\n", b"a\n", size)),
];

/// The kind of HTML that others are compared with: what mail programs write.
pub const PLAIN_HTML: &str = "HTML as it is written";

const MIXED: &str = "Content-Type: multipart/mixed; boundary=b\n\n";

/// A beginning, and a unit as often as there is room.
fn filled(beginning: &[u8], unit: &[u8], size: usize) -> Vec<u8> {
    let mut mail = Vec::with_capacity(size + unit.len());
    mail.extend_from_slice(beginning);
    while mail.len() < size {
        mail.extend_from_slice(unit);
    }
    mail
}

/// As [`filled`], the units made from numbers, and an end.
fn numbered(size: usize, end: &str, unit: fn(usize) -> String) -> Vec<u8> {
    let mut mail = Vec::with_capacity(size + 8_000);
    for number in 0.. {
        if mail.len() >= size {
            break;
        }
        mail.extend_from_slice(unit(number).as_bytes());
    }
    mail.extend_from_slice(end.as_bytes());
    mail
}

fn numbered_after(beginning: &str, size: usize, unit: fn(usize) -> String) -> Vec<u8> {
    let mut mail = beginning.as_bytes().to_vec();
    mail.extend(numbered(size, "\n\n", unit));
    mail
}

/// A mail whose header has one field, again and again as long as fields are read, with an end that may close what is
/// open.
fn field(name: &str, unit: &[u8], size: usize) -> Vec<u8> {
    let mut mail = Vec::with_capacity(size + 200);
    while mail.len() < size {
        let rest = (size - mail.len()).min(1_040_000);
        let begun = mail.len();
        mail.extend_from_slice(name.as_bytes());
        mail.extend_from_slice(b": ");
        while mail.len() - begun < rest {
            mail.extend_from_slice(unit);
        }
        mail.extend_from_slice(b"?=\n");
    }
    mail.push(b'\n');
    mail
}

fn body(header: &str, unit: &[u8], size: usize) -> Vec<u8> {
    let begin = if header.contains("\n\n") || header.ends_with('+') {
        header.replace("\n+", "\n\n+")
    } else {
        format!("{header}\n")
    };
    let begin = if begin == "\n" { "Subject: x\n\n".to_owned() } else { begin };
    filled(begin.as_bytes(), unit, size)
}

fn html(unit: &str, size: usize) -> Vec<u8> {
    body("Content-Type: text/html\n", unit.as_bytes(), size)
}

fn parts(part: &str, size: usize) -> Vec<u8> {
    filled(MIXED.as_bytes(), format!("--b\n{part}").as_bytes(), size)
}

fn report(unit: &[u8], size: usize) -> Vec<u8> {
    let begin = format!("{MIXED}--b\nContent-Type: message/delivery-status\n\n");
    let mut mail = filled(begin.as_bytes(), unit, size);
    mail.extend_from_slice(b"\n--b\nContent-Type: message/rfc822\n\nMessage-ID: <a@b>\n\n--b--\n");
    mail
}

/// Reads all of a mail that filters, follow-up checks and filing ask for; gives a number that depends on it.
pub fn read(raw: Vec<u8>) -> usize {
    let envelope = Envelope { trusted: true, ..Envelope::default() };
    let (vetted, dropped) = OpenedMessage::as_it_came(Message::parse(raw.into())).vet(envelope, &Vocabulary::new(&[]));
    let mail = vetted.compute();
    let mut seen = dropped.len() + usize::from(feeds_loop(&mail));
    for name in ["From", "To", "Cc", "Reply-To"] {
        // Each is asked for by several, dispatching, answering and filters among them.
        for _ in 0..3 {
            seen += mail.addresses(name).len() + mail.headers(name).len();
        }
    }
    for name in mail.header_names() {
        seen += mail.header(name).map_or(0, str::len);
    }
    for name in ["In-Reply-To", "References"] {
        seen += message_ids(mail.header(name).unwrap_or_default()).rev().count();
    }
    seen += mail.message().message_id().map_or(0, |id| id.len());
    seen += usize::from(mail.message().date().is_some());
    seen += usize::from(why_unanswered(mail.message()).is_some());
    seen += mail.text().len() + mail.html().map_or(0, str::len);
    seen += mail.message().files().len();
    for index in 0..mail.attachments().len() {
        seen += mail.attachment_bytes(index).map_or(0, <[u8]>::len);
    }
    seen + delivery_report(mail.message()).map_or(0, |report| report.recipients.len()) + mail.message().cuts().len()
}
