//! A question of a classifier, as options give it.

/// Reads `NAME=HEADER`: a question's name, and the header that an answer to it sets.
pub fn read(text: &str) -> Result<(String, String), String> {
    let (name, header) = text.split_once('=').ok_or("write NAME=HEADER, such as queue=X-OTOBO-Queue")?;
    if name.trim().is_empty() {
        return Err("the question has no name: write NAME=HEADER, such as queue=X-OTOBO-Queue".to_owned());
    }
    Ok((name.to_owned(), header.to_owned()))
}
