//! Which tickets a mail may follow up, in the fixed order of OTOBO's follow-up checks, and who vouches for it being
//! that ticket.

use super::number;
use postigo_mail::{Mail, authenticated_sender, failed_authentication, message_ids};
use postigo_model::configured::{Configuration, FollowUpCheck, Settings};
use postigo_model::mailbox::Mailbox;
use postigo_model::ticket::{FollowUpCandidate, FollowUpSearch, WhyFollowUp};
use std::collections::HashSet;

/// So many bytes of ids are looked for, of References from the last on: those of threads of two thousand mails. Mails
/// with more of them are made to keep a server busy.
const REFERENCE_BYTES: usize = 128 << 10;
/// A mail from more addresses is from none that vouches for anything.
const MOST_SENDERS: usize = 10;

/// What the ticket of a mail is looked for by. Asked before the chain and again after it, since filters set the number
/// of another system.
pub fn follow_up_search(mail: &Mail, configuration: &Configuration) -> FollowUpSearch {
    let settings = &configuration.settings;
    let candidates = follow_up_candidates(mail, settings);
    if candidates.is_empty() {
        return FollowUpSearch::default();
    }
    let senders = senders(mail, configuration);
    let written_by = authenticated_sender(mail.message(), &settings.authentication_results_from);
    let authenticated = written_by.is_some_and(|sender| senders == [sender]);
    FollowUpSearch {
        candidates,
        senders,
        authenticated,
        references: references(mail),
        unvouched: settings.unvouched_numbers,
    }
}

/// What to look for, in order.
pub(super) fn follow_up_candidates(mail: &Mail, settings: &Settings) -> Vec<FollowUpCandidate> {
    let mut candidates = Vec::new();
    let order = [
        FollowUpCheck::Bounce,
        FollowUpCheck::Subject,
        FollowUpCheck::References,
        FollowUpCheck::Body,
        FollowUpCheck::Attachment,
        FollowUpCheck::Raw,
    ];
    for check in order.into_iter().filter(|check| settings.follow_up_checks.contains(check)) {
        let number_in =
            |text: &str, why| number::find(text, settings).map(|number| FollowUpCandidate::Number(why, number));
        match check {
            FollowUpCheck::Bounce => {
                let original = mail.header("X-OTOBO-Bounce-OriginalMessageID");
                candidates.extend(original.map(|id| FollowUpCandidate::MessageId(WhyFollowUp::Bounce, id.to_owned())));
            }
            FollowUpCheck::Subject => {
                candidates.extend(number_in(mail.header("Subject").unwrap_or_default(), WhyFollowUp::Subject));
            }
            FollowUpCheck::References => {
                candidates.extend(
                    references(mail).into_iter().map(|id| FollowUpCandidate::MessageId(WhyFollowUp::References, id)),
                );
            }
            FollowUpCheck::Body => candidates.extend(number_in(mail.text(), WhyFollowUp::Body)),
            FollowUpCheck::Attachment => {
                let attached = mail.attachments().iter().enumerate().filter(|(_, attachment)| !attachment.inline);
                let contents = attached.filter_map(|(index, _)| mail.attachment_bytes(index));
                candidates.extend(
                    contents.filter_map(|bytes| number_in(&String::from_utf8_lossy(bytes), WhyFollowUp::Attachment)),
                );
            }
            // Comes last, whether it is named or not.
            FollowUpCheck::ExternalNumber => {}
            FollowUpCheck::Raw => {
                candidates.extend(number_in(&String::from_utf8_lossy(mail.message().raw()), WhyFollowUp::Raw));
            }
        }
    }
    candidates.extend(external_number(mail, &settings.external_number_field));
    candidates
}

/// Who vouches for a ticket of theirs. Our own addresses are in every ticket.
fn senders(mail: &Mail, configuration: &Configuration) -> Vec<Mailbox> {
    let from = mail.addresses("From");
    let believed = from.len() <= MOST_SENDERS
        && !from.iter().any(|address| configuration.is_own(&address.address))
        && failed_authentication(mail.message(), &configuration.settings.authentication_results_from).is_none();
    if believed { from.iter().map(|address| Mailbox::of(&address.address)).collect() } else { Vec::new() }
}

/// The number of another system, which a filter has put into the field of the setting.
fn external_number(mail: &Mail, field: &str) -> Option<FollowUpCandidate> {
    if field.is_empty() {
        return None;
    }
    let names = [format!("X-OTOBO-DynamicField-{field}"), format!("X-OTOBO-FollowUp-DynamicField-{field}")];
    let value = names.iter().filter_map(|name| mail.header(name)).find(|value| !value.is_empty())?;
    Some(FollowUpCandidate::ExternalNumber { field: field.to_owned(), value: value.to_owned() })
}

/// The first id of In-Reply-To, then those of References from the last to the first, each once.
pub fn references(mail: &Mail) -> Vec<String> {
    let reply = message_ids(mail.header("In-Reply-To").unwrap_or_default()).take(1);
    let references = message_ids(mail.header("References").unwrap_or_default()).rev();
    let mut seen = HashSet::new();
    let mut bytes = 0;
    let ids = reply.chain(references).filter(|id| seen.insert(*id)).take_while(|id| {
        bytes += id.len();
        bytes <= REFERENCE_BYTES
    });
    ids.map(str::to_owned).collect()
}
