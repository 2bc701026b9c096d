//! A server's words, made fit for sentences and the log.

/// One line of at most 300 characters: errors may carry whole mails.
pub fn short(text: &str) -> String {
    let line = text.trim().replace(|letter: char| letter.is_control(), " ");
    match line.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
