//! A filter that reads all that a mail says and tells it in its verdict, so that the tests see whether every function
//! of the contract gives the same through every version of it. The files in `tests/kept` were built from this one: what
//! it tells stays as it is, and what earlier versions did not know is told apart.

use postigo_filter::{
    Description, FilterSettings, Grants, Group, GroupProblem, Mail, Problem, Screening, Verdict, log,
};

/// All filters, each of which matches mails whose Subject has its word.
pub struct Readers(Vec<Reader>);

struct Reader {
    word: String,
    grants: Grants,
}

impl Group for Readers {
    fn describe() -> Description {
        Description::new("reader", "1.0.0", "Tells all that a mail says.")
            .settings_schema(r#"{"type":"object","properties":{"word":{"type":"string"}},"required":["word"]}"#)
            .wants("body")
            .wants("attachments")
            .wants("raw")
            .sets("X-OTOBO-Title")
            .sets("X-OTOBO-DynamicField-*")
    }

    /// Takes the word without reading JSON, which would be most of the file that is kept.
    fn configure(filters: Vec<FilterSettings>) -> Result<Self, Vec<GroupProblem>> {
        let read = filters.into_iter().enumerate().map(|(filter, one)| match one.settings.split('"').nth(3) {
            Some(word) if !word.is_empty() => Ok(Reader { word: word.to_owned(), grants: one.grants }),
            _ => Err(vec![GroupProblem { filter, problem: Problem::new("/word", "The word is empty; give one.") }]),
        });
        read.collect::<Result<_, _>>().map(Self)
    }

    fn evaluate(&self, filter: usize, mail: &Mail<'_>) -> Result<Verdict, String> {
        self.0.get(filter).ok_or("There is no such filter.")?.evaluate(mail)
    }
}

impl Screening for Readers {
    fn screen(&self, mail: &Mail<'_>) -> Vec<u32> {
        let subject = mail.header("Subject").unwrap_or_default();
        (0..).zip(&self.0).filter(|(_, one)| subject.contains(&one.word)).map(|(index, _)| index).collect()
    }
}

impl Reader {
    fn evaluate(&self, mail: &Mail<'_>) -> Result<Verdict, String> {
        let subject = mail.header("Subject").ok_or("There is no Subject.")?;
        log::info(&subject);
        log::warning(&mail.header_names().join(" "));
        if !subject.contains(&self.word) {
            return Ok(Verdict::not_matched());
        }
        let (mut told, mut later) = (mail.headers("Received"), Vec::new());
        told.extend(mail.addresses("To").into_iter().flat_map(|one| [one.display_name, one.address]));
        let arrival = mail.arrival();
        told.extend([
            arrival.account,
            arrival.trusted.to_string(),
            arrival.size.to_string(),
            arrival.received_at.to_string(),
        ]);
        told.extend(mail.recipients());
        if let Some(ticket) = mail.ticket() {
            told.extend([ticket.number, ticket.title, ticket.queue, ticket.state]);
            told.extend([ticket.state_type, ticket.priority, ticket.owner, ticket.customer_user]);
            later.extend([ticket.type_, ticket.service, ticket.sla, ticket.lock, ticket.responsible]);
            later.extend([ticket.customer_number, ticket.created_at.to_string()]);
        }
        told.push(mail.generation().to_string());
        let mut verdict = Verdict::matched().set("X-OTOBO-Title", told.join("|"));
        if self.grants.has("body") {
            let body = [mail.text()?, mail.html()?.unwrap_or_default()];
            verdict = verdict.set("X-OTOBO-DynamicField-Body", body.join("|"));
        }
        if self.grants.has("attachments") {
            for (index, one) in (0..).zip(mail.attachments()?) {
                let bytes = mail.attachment_bytes(index, 1, 4)?;
                let told =
                    [one.name, one.media_type, one.size.to_string(), String::from_utf8_lossy(&bytes).into_owned()];
                verdict = verdict.set("X-OTOBO-DynamicField-Attachment", told.join("|"));
                later.extend([one.inline.to_string(), one.content_id]);
            }
            if mail.attachment_bytes(1000, 0, 1).is_ok() {
                return Err("There is no attachment of this index.".to_owned());
            }
        }
        // What version 1.0.0 of the contract did not know stands apart.
        verdict = verdict.set("X-OTOBO-DynamicField-Later", later.join("|"));
        let raw = mail.raw(0, 5).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok(verdict
            .set("X-OTOBO-DynamicField-Raw", raw.unwrap_or_else(|refusal| refusal.to_string()))
            .because("it has the word"))
    }
}

postigo_filter::export!(screened group Readers);
