//! Rows from before addresses had one form ([`Mailbox`], [`Person`]): their keys are made anew, once, so that nobody is
//! counted twice or found under one spelling alone.

use super::StoreError;
use super::indexed::indexed;
use super::sql::Sql;
use postigo_model::mailbox::{Mailbox, Person};
use sqlx::{AnyConnection, AnyPool, Row};

/// So many customer users are read at once.
const PAGE: i64 = 1_000;

/// Makes the keys anew if that was not done yet: all of them or none. Of several processes one does it, and the others
/// wait.
pub async fn carry_out(pool: &AnyPool) -> Result<(), StoreError> {
    if Sql::new("SELECT what FROM respelling").optional(&mut *pool.acquire().await?).await?.is_none() {
        return Ok(());
    }
    let mut transaction = pool.begin().await?;
    if Sql::new("DELETE FROM respelling").execute(&mut transaction).await? > 0 {
        customer_users(&mut transaction).await?;
        counts(&mut transaction).await?;
        system_addresses(&mut transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

async fn customer_users(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let mut last = String::new();
    loop {
        let mut sql = Sql::new("SELECT login, email, email_folded FROM customer_user WHERE login > ");
        let rows = sql.bind(&last).push(" ORDER BY login LIMIT ").bind(PAGE).all(connection).await?;
        for row in &rows {
            last = row.try_get(0)?;
            let mailbox = Mailbox::of(row.try_get(1)?);
            if mailbox.as_str() != row.try_get::<&str, _>(2)? {
                let mut sql = Sql::new("UPDATE customer_user SET email_folded = ");
                sql.bind(mailbox.as_str()).push(" WHERE login = ").bind(&last).execute(connection).await?;
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
    }
}

/// Of the spellings of one person the automatic answers are added up.
async fn counts(connection: &mut AnyConnection) -> Result<(), StoreError> {
    for row in Sql::new("SELECT address, day, answers FROM auto_response_count").all(connection).await? {
        let (address, day): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
        let person = Person::of(address);
        let person = indexed(person.as_str());
        if person == address {
            continue;
        }
        let mut sql = Sql::new("DELETE FROM auto_response_count WHERE address = ");
        sql.bind(address).push(" AND day = ").bind(day).execute(connection).await?;
        let mut sql = Sql::new("INSERT INTO auto_response_count (address, day, answers) VALUES ");
        sql.tuple([person.into(), day.into(), row.try_get::<i64, _>(2)?.into()]);
        sql.push(" ON CONFLICT (address, day) DO UPDATE SET answers = auto_response_count.answers + excluded.answers");
        sql.execute(connection).await?;
    }
    Ok(())
}

async fn system_addresses(connection: &mut AnyConnection) -> Result<(), StoreError> {
    for row in
        Sql::new("SELECT name FROM configured WHERE kind = 'system_address' ORDER BY name").all(connection).await?
    {
        let name: &str = row.try_get(0)?;
        let mailbox = Mailbox::of(name);
        if mailbox.as_str() == name {
            continue;
        }
        let mut sql = Sql::new("UPDATE configured SET name = ");
        sql.bind(mailbox.as_str()).push(" WHERE kind = 'system_address' AND name = ").bind(name);
        // What was there in two spellings is there once.
        sql.push(
            " AND NOT EXISTS (SELECT 1 FROM configured other WHERE other.kind = 'system_address' AND other.name = ",
        );
        if sql.bind(mailbox.as_str()).push(")").execute(connection).await? == 0 {
            let mut sql = Sql::new("DELETE FROM configured WHERE kind = 'system_address' AND name = ");
            sql.bind(name).execute(connection).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Location, Store, customers, outgoing};

    #[tokio::test]
    async fn rows_of_old_spellings_are_found_and_counted_under_the_one_form() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Folder(folder.path().to_owned());
        let store = Store::open(&location).await.unwrap();
        for statement in [
            "INSERT INTO customer_user (login, email, email_folded, customer_number) VALUES \
                 ('jane', '\"Jane\"@X.example.', '\"jane\"@x.example.', ''), ('joe', 'joe@x.example', 'joe@x.example', '')",
            "INSERT INTO auto_response_count (address, day, answers) VALUES \
                 ('victim@x.example', '0', 1), ('\"victim\"@x.example', '0', 2), ('victim+a@x.example', '0', 4), ('victim@x.example', '1', 8)",
            "INSERT INTO configured (kind, name, body, secrets) VALUES \
                 ('system_address', 'a@x.example.', '{}', '{}'), ('system_address', 'a@x.example', '{}', '{}'), \
                 ('system_address', 'b@x.example.', '{}', '{}'), ('queue', 'c@x.example.', '{}', '{}')",
            "INSERT INTO respelling (what) VALUES ('addresses')",
        ] {
            store.execute(statement).await;
        }
        for _ in 0..2 {
            let again = Store::open(&location).await.unwrap();
            let mut connection = again.read().await.unwrap();
            let mailboxes = vec![Mailbox::of("jane@x.example"), Mailbox::of("joe@x.example")];
            assert_eq!(customers::with_emails(&mut connection, mailboxes).await.unwrap().len(), 2);
            let names = Sql::new("SELECT name FROM configured WHERE name LIKE '%@%' ORDER BY kind, name")
                .all(&mut connection)
                .await
                .unwrap();
            let names: Vec<String> = names.iter().map(|row| row.get(0)).collect();
            assert_eq!(names, ["c@x.example.", "a@x.example", "b@x.example"]);
        }
        let below = store.write(7, |per_day, connection| {
            Box::pin(async move { outgoing::count_one(connection, "Victim+b@x.example", *per_day, 0).await })
        });
        assert!(!below.await.unwrap(), "seven were answered on that day, in three spellings");
    }
}
