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
