//! What an article says, as its row has it: packed over the bytes of its mail, packed by itself, or JSON as earlier versions
//! wrote it.

use crate::store::packing::{pack_article, pack_article_over, unpack_article, unpack_article_over, unpack_mail};
use crate::store::sql::{Sql, Value, pieces};
use crate::store::{Engine, StoreError, json};
use postigo_model::ticket::NewArticle;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// The columns that [`read_content`] reads.
pub(super) const CONTENT: &str = "article.detail, article.packed, article.over_mail, spool_raw.raw, spool_raw.packed";
/// Articles, with the bytes of the mails that they are packed over.
pub(super) const ARTICLES: &str =
    "article LEFT JOIN spool_raw ON article.over_mail = 1 AND spool_raw.spool_id = article.spool_id";
/// So many articles are packed by themselves at once: their mails are in memory.
const AT_ONCE: usize = 32;

/// From the columns [`CONTENT`], of which this is the first.
pub(super) fn read_content(row: &AnyRow, first: usize) -> Result<NewArticle, StoreError> {
    let packed = match row.try_get::<Option<Vec<u8>>, _>(first + 1)? {
        Some(packed) if !packed.is_empty() => packed,
        _ => return read_written(row.try_get(first)?),
    };
    if row.try_get::<i64, _>(first + 2)? == 0 {
        return unpack_article(&packed);
    }
    let Some(raw) = row.try_get::<Option<Vec<u8>>, _>(first + 3)? else {
        let reason = "it is packed over the bytes of its mail, and those are gone.".to_owned();
        return Err(StoreError::Corrupt { what: "article", reason });
    };
    let is_packed = row.try_get::<Option<i64>, _>(first + 4)? == Some(1);
    unpack_article_over(&packed, &if is_packed { unpack_mail(&raw)? } else { raw })
}

/// Reads an article as it was written before articles were packed.
pub(in crate::store) fn read_written(detail: &str) -> Result<NewArticle, StoreError> {
    serde_json::from_str(detail).map_err(|error| StoreError::Corrupt { what: "article", reason: error.to_string() })
}

/// For the columns `detail`, `packed` and `over_mail`; one of the first two is empty. `is_packed`: everybody reads packed
/// articles. `mail`: the bytes that lie beside it in `spool_raw`.
pub(super) fn content_values(
    article: &NewArticle,
    is_packed: bool,
    mail: Option<&[u8]>,
) -> Result<[Value; 3], StoreError> {
    let over_mail = match mail {
        Some(mail) if is_packed => pack_article_over(article, mail)?,
        _ => None,
    };
    if let Some(packed) = over_mail {
        return Ok(["".into(), packed.into(), true.into()]);
    }
    let packed = if is_packed { pack_article(article)? } else { None };
    Ok(match packed {
        Some(packed) => ["".into(), packed.into(), false.into()],
        None => [json("article", article)?.into(), Vec::<u8>::new().into(), false.into()],
    })
}

/// Packs the articles of these messages of the spool by themselves: the bytes of their mails are about to go.
pub(in crate::store) async fn need_no_mails(connection: &mut AnyConnection, spool: &[i64]) -> Result<(), StoreError> {
    let mut articles: Vec<i64> = Vec::new();
    for piece in pieces(spool) {
        let mut sql = Sql::new("SELECT id FROM article WHERE over_mail = 1 AND spool_id IN ");
        sql.list(piece.iter().copied());
        // Another host may be at it.
        sql.push(if Engine::of(connection) == Engine::Postgres { " FOR UPDATE" } else { "" });
        for row in sql.all(connection).await? {
            articles.push(row.try_get(0)?);
        }
    }
    for ids in articles.chunks(AT_ONCE) {
        let mut sql =
            Sql::new(format!("SELECT article.id, {CONTENT} FROM {ARTICLES} WHERE over_mail = 1 AND article.id IN "));
        let rows = sql.list(ids.iter().copied()).all(connection).await?;
        let mut apart: Vec<[Value; 3]> = Vec::with_capacity(rows.len());
        for row in &rows {
            let id: i64 = row.try_get(0)?;
            match read_content(row, 1) {
                Ok(article) => {
                    let [detail, packed, _] = content_values(&article, true, None)?;
                    apart.push([id.into(), detail, packed]);
                }
                // Its mail's bytes do not help it any more, and are to go all the same.
                Err(error @ StoreError::Corrupt { .. }) => {
                    tracing::error!(article = id, %error, "an article cannot be read; the bytes of its mail are removed as `raw_retention` says");
                }
                Err(error) => return Err(error),
            }
        }
        for piece in pieces(&apart) {
            let mut sql = Sql::new(
                "UPDATE article SET over_mail = 0, detail = apart.column2, packed = apart.column3 FROM (VALUES ",
            );
            sql.tuples(piece.iter().cloned())
                .push(") AS apart WHERE article.id = apart.column1")
                .execute(connection)
                .await?;
        }
    }
    Ok(())
}
