//! Running a filter natively: build a mail, run the filter, assert the verdict. No Wasm is needed.
//!
//! ```
//! use postigo_filter::testing::{Mail, run};
//! # use postigo_filter::{Description, Filter, Grants, Mail as Lent, Problem, Verdict};
//! # struct Greeting;
//! # impl Filter for Greeting {
//! #     type Settings = serde::de::IgnoredAny;
//! #     fn describe() -> Description { Description::new("greeting", "1.0.0", "Says hello.").sets("X-OTOBO-Title") }
//! #     fn new(_: Self::Settings, _: &Grants) -> Result<Self, Vec<Problem>> { Ok(Self) }
//! #     fn evaluate(&self, _: &Lent<'_>) -> Result<Verdict, String> { Ok(Verdict::matched().set("X-OTOBO-Title", "Hello")) }
//! # }
//! let mail = Mail::new().with("From", "Jane Roe <jane@example.com>").with("Subject", "Good day");
//! let verdict = run::<Greeting>("{}", &mail).unwrap();
//! assert!(verdict.matched);
//! ```

mod classifying;

pub use classifying::{LabelledMail, classifier, classify, train};

use crate::{
    Address, Arrival, Attachment, Description, Each, Filter, FilterSettings, Grants, Group, Refusal, Ticket, Verdict,
};
use crate::{Problem, Screening, log::Level};
use std::cell::RefCell;

/// A mail that a test builds. Header values are taken as they are, unfolded and decoded.
#[derive(Debug, Clone, Default)]
pub struct Mail {
    headers: Vec<(String, String)>,
    arrival: Arrival,
    recipients: Vec<String>,
    ticket: Option<Ticket>,
    text: String,
    html: Option<String>,
    attachments: Vec<(Attachment, Vec<u8>)>,
    /// What may be read; none means all.
    grants: Option<Grants>,
}

impl Mail {
    /// A mail without headers and with an empty body.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header; a name may be added several times.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        text.clone_into(&mut self.text);
        self
    }

    /// Sets the HTML body.
    #[must_use]
    pub fn with_html(mut self, html: &str) -> Self {
        self.html = Some(html.to_owned());
        self
    }

    /// Adds an attachment that stands beside the mail.
    #[must_use]
    pub fn with_attachment(self, name: &str, media_type: &str, bytes: &[u8]) -> Self {
        let (name, media_type) = (name.to_owned(), media_type.to_owned());
        self.with_attached(Attachment { name, media_type, ..Attachment::default() }, bytes)
    }

    /// Adds an attachment of which more is said. Its size is that of the bytes.
    #[must_use]
    pub fn with_attached(mut self, attachment: Attachment, bytes: &[u8]) -> Self {
        self.attachments.push((Attachment { size: bytes.len() as u64, ..attachment }, bytes.to_owned()));
        self
    }

    /// Says how the mail came. Its size is that of the mail.
    #[must_use]
    pub fn with_arrival(mut self, arrival: Arrival) -> Self {
        self.arrival = arrival;
        self
    }

    /// Adds a recipient of the envelope.
    #[must_use]
    pub fn with_recipient(mut self, address: &str) -> Self {
        self.recipients.push(address.to_owned());
        self
    }

    /// Makes the mail follow up a ticket.
    #[must_use]
    pub fn with_ticket(mut self, ticket: Ticket) -> Self {
        self.ticket = Some(ticket);
        self
    }

    fn granted(&self, grant: &str) -> Result<(), Refusal> {
        let granted = self.grants.as_ref().is_none_or(|grants| grants.has(grant));
        if granted { Ok(()) } else { Err(Refusal::Denied) }
    }

    fn granting(&self, grants: &Grants) -> Self {
        Self { grants: Some(grants.clone()), ..self.clone() }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut raw = String::new();
        for (name, value) in &self.headers {
            raw.extend([name, ": ", value, "\r\n"]);
        }
        raw.push_str("\r\n");
        raw.push_str(&self.text.replace('\n', "\r\n"));
        raw.into_bytes()
    }
}

/// The host's side of a mail.
impl Mail {
    pub(crate) fn header_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (name, _) in &self.headers {
            if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                names.push(name.clone());
            }
        }
        names
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values = self.headers(name);
        if values.is_empty() { None } else { Some(values.join(" ")) }
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<String> {
        let named = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.clone()).collect()
    }

    pub(crate) fn addresses(&self, name: &str) -> Vec<Address> {
        self.headers(name).iter().flat_map(|value| addresses(value)).collect()
    }

    pub(crate) fn arrival(&self) -> Arrival {
        Arrival { size: self.bytes().len() as u64, ..self.arrival.clone() }
    }

    pub(crate) fn recipients(&self) -> Vec<String> {
        self.recipients.clone()
    }

    pub(crate) fn ticket(&self) -> Option<Ticket> {
        self.ticket.clone()
    }

    pub(crate) fn text(&self) -> Result<String, Refusal> {
        self.granted("body").map(|()| self.text.clone())
    }

    pub(crate) fn html(&self) -> Result<Option<String>, Refusal> {
        self.granted("body").map(|()| self.html.clone())
    }

    pub(crate) fn attachments(&self) -> Result<Vec<Attachment>, Refusal> {
        self.granted("attachments")
            .map(|()| self.attachments.iter().map(|(attachment, _)| attachment.clone()).collect())
    }

    pub(crate) fn attachment_bytes(&self, index: u32, offset: u64, length: u32) -> Result<Vec<u8>, Refusal> {
        self.granted("attachments")?;
        let (_, bytes) = self.attachments.get(index as usize).ok_or(Refusal::NotFound)?;
        Ok(range(bytes, offset, length))
    }

    pub(crate) fn raw(&self, offset: u64, length: u32) -> Result<Vec<u8>, Refusal> {
        self.granted("raw").map(|()| range(&self.bytes(), offset, length))
    }

    #[allow(clippy::unused_self)]
    pub(crate) fn generation(&self) -> u64 {
        0
    }
}

fn range(bytes: &[u8], offset: u64, length: u32) -> Vec<u8> {
    let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
    bytes.iter().skip(skipped).take(length as usize).copied().collect()
}

/// Splits an address header at its commas, minding quoted strings; a subset of RFC 5322 that does for tests.
fn addresses(value: &str) -> Vec<Address> {
    let mut quoted = false;
    let split = value.split(|character| {
        quoted ^= character == '"';
        character == ',' && !quoted
    });
    split.filter_map(address).collect()
}

fn address(written: &str) -> Option<Address> {
    let written = written.trim();
    let (display_name, address) = match written.rsplit_once('<') {
        Some((name, rest)) => (name.trim().trim_matches('"'), rest.split('>').next().unwrap_or_default().trim()),
        None => ("", written),
    };
    if address.is_empty() {
        None
    } else {
        Some(Address { display_name: display_name.to_owned(), address: address.to_owned() })
    }
}

/// Filters of one component, configured as Postigo configures them.
#[derive(Debug)]
pub struct Configured<G> {
    group: G,
    description: Description,
    grants: Grants,
}

/// Configures a group by the JSON settings of each of its filters, with every grant the component wants.
///
/// # Errors
/// Every problem: the index of the filter, its place and the reason.
pub fn configure<G: Group>(settings: &[&str]) -> Result<Configured<G>, Vec<(usize, Problem)>> {
    let wanted = G::describe().grants;
    configure_granted(settings, &wanted.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Configures a group with these grants and no others.
///
/// # Errors
/// As [`configure`].
pub fn configure_granted<G: Group>(settings: &[&str], grants: &[&str]) -> Result<Configured<G>, Vec<(usize, Problem)>> {
    let grants = Grants::new(grants.iter().map(|name| (*name).to_owned()).collect());
    let filters = (0..).zip(settings).map(|(index, one): (usize, _)| FilterSettings {
        name: format!("{index}"),
        settings: (*one).to_owned(),
        grants: grants.clone(),
    });
    let group = G::configure(filters.collect());
    let group =
        group.map_err(|problems| problems.into_iter().map(|one| (one.filter, one.problem)).collect::<Vec<_>>())?;
    Ok(Configured { group, description: G::describe(), grants })
}

/// Configures one filter, runs it on a mail, and holds the verdict to what the component declared, as Postigo does.
///
/// # Errors
/// What the settings' problems, the filter or the check of the verdict say.
pub fn run<F: Filter>(settings: &str, mail: &Mail) -> Result<Verdict, String> {
    let configured = configure::<Each<F>>(&[settings]);
    let configured = configured.map_err(|problems| {
        let told: Vec<String> =
            problems.iter().map(|(_, problem)| format!("{}: {}", problem.place, problem.reason)).collect();
        told.join("\n")
    })?;
    configured.evaluate(0, mail)
}

impl<G: Group> Configured<G> {
    /// Runs one filter on a mail.
    ///
    /// # Errors
    /// What the filter says, or that it sets a header that it did not declare.
    pub fn evaluate(&self, filter: usize, mail: &Mail) -> Result<Verdict, String> {
        let verdict = self.group.evaluate(filter, &crate::Mail::lent(&mail.granting(&self.grants)))?;
        match verdict.changes.iter().find(|change| !self.description.may_set(&change.header)) {
            Some(change) => Err(format!("{} is set but was not declared by Description::sets.", change.header)),
            None => Ok(verdict),
        }
    }
}

impl<G: Screening> Configured<G> {
    /// The indices of the filters that might match a mail.
    pub fn screen(&self, mail: &Mail) -> Vec<u32> {
        self.group.screen(&crate::Mail::lent(&mail.granting(&self.grants)))
    }
}

thread_local! {
    static LINES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn keep_line(level: Level, line: &str) {
    LINES.with_borrow_mut(|lines| lines.push((level, line.to_owned())));
}

/// The lines that filters of this thread logged since it was last asked.
pub fn logged() -> Vec<(Level, String)> {
    LINES.take()
}
