//! What an article says, as its row has it: packed, or JSON as earlier versions wrote it.

use crate::store::packing::{pack_article, unpack_article};
use crate::store::sql::Value;
use crate::store::{StoreError, json};
use postigo_model::ticket::NewArticle;
use sqlx::Row;
use sqlx::any::AnyRow;

/// From the columns `detail` and `packed`, of which this is the first.
pub(super) fn read_content(row: &AnyRow, first: usize) -> Result<NewArticle, StoreError> {
    match row.try_get::<Option<Vec<u8>>, _>(first + 1)? {
        Some(packed) if !packed.is_empty() => unpack_article(&packed),
        _ => read_written(row.try_get(first)?),
    }
}

/// Reads an article as it was written before articles were packed.
pub(in crate::store) fn read_written(detail: &str) -> Result<NewArticle, StoreError> {
    serde_json::from_str(detail).map_err(|error| StoreError::Corrupt { what: "article", reason: error.to_string() })
}

/// For the columns `detail` and `packed`, of which one is empty. `is_packed`: everybody reads packed
/// articles.
pub(super) fn content_values(article: &NewArticle, is_packed: bool) -> Result<[Value; 2], StoreError> {
    let packed = if is_packed { pack_article(article)? } else { None };
    Ok(match packed {
        Some(packed) => ["".into(), packed.into()],
        None => [json("article", article)?.into(), Vec::<u8>::new().into()],
    })
}
