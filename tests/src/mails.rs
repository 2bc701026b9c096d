//! Mails for tests.

/// A plain mail with a subject and a Message-ID of its own.
pub fn mail(number: usize) -> Vec<u8> {
    format!(
        "Return-Path: <jane@example.com>\r\nReceived: from a.example.com by b.example.org; Tue, 24 Nov 2026 10:00:00 +0000\r\n\
         From: Jane <jane@example.com>\r\nTo: support@example.org\r\nSubject: {}\r\nMessage-ID: <{number}.test@example.com>\r\n\
         Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n\r\nThis is mail number {number}.\r\n",
        subject(number)
    )
    .into_bytes()
}

/// The subject of that mail.
pub fn subject(number: usize) -> String {
    format!("Mail {number:05}")
}

/// Mails with these numbers.
pub fn mails(numbers: std::ops::Range<usize>) -> Vec<Vec<u8>> {
    numbers.map(mail).collect()
}

/// A mail of about this many bytes.
pub fn large_mail(number: usize, bytes: usize) -> Vec<u8> {
    let mut mail = mail(number);
    while mail.len() < bytes {
        mail.extend_from_slice(b"All work and no play makes a mail rather long, line after line after line.\r\n");
    }
    mail
}

/// A mail of about this many bytes, nearly all of them an attachment.
pub fn mail_with_large_file(number: usize, bytes: usize) -> Vec<u8> {
    const PARTS: &str = "\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=part\r\n\r\n--part\r\n\r\n";
    const FILE: &str = "--part\r\nContent-Type: application/octet-stream; name=large.bin\r\n\
                        Content-Disposition: attachment; filename=large.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    let mut mail = String::from_utf8_lossy(&mail(number)).replacen("\r\n\r\n", PARTS, 1) + FILE;
    while mail.len() < bytes {
        mail.push_str("TWFpbCB0aGF0IGlzIGEgZmlsZSwgd2hpY2ggbm9ib2R5IHJlYWRzIGxpbmUgYnkgbGluZSwg\r\n");
    }
    (mail + "--part--\r\n").into_bytes()
}
