//! Whether an automatic answer is due, and to whom. What a day allows is counted by the store.

use postigo_mail::{Address, Mail, SetBy, failed_authentication, feeds_loop, why_loops, why_unanswered};
use postigo_model::configured::{AutoResponseType, Configuration};
use postigo_model::mailbox::{Mailbox, Person};
use postigo_model::ticket::StateType;
use postigo_model::ticket::VouchedBy;
use postigo_model::ticket::{AutoResponsePlan, NewArticle, SenderType, Ticket};
use std::collections::HashSet;

/// A mail that names more addresses to answer to gets no automatic answer: it would have us write to strangers.
const MOST_ADDRESSES: usize = 10;

/// The automatic answer of an occasion to a mail that somebody vouched for; none where the ticket's queue has none.
pub fn plan(
    configuration: &Configuration,
    mail: &Mail,
    ticket: &Ticket,
    occasion: AutoResponseType,
    vouched: VouchedBy,
) -> Option<AutoResponsePlan> {
    let answer = configuration.auto_response(&ticket.queue, occasion)?;
    let from = mail.addresses("From");
    let asked = asked_for(mail.addresses("Reply-To"), &from, |address| configuration.is_own(address));
    let addresses = if vouched == VouchedBy::ByAddress { senders_among(asked, from) } else { asked };
    let (counted, too_many) = different(addresses);
    let to: Vec<String> = counted.iter().filter(|address| !is_refused(address, configuration)).cloned().collect();
    let done = StateType::of(&ticket.state).is_some_and(StateType::is_done);
    let suppressed = if let Some(why) = why_loops(mail) {
        Some(why)
    } else if let Some(why) = why_unanswered(mail.message()).filter(|_| !is_allowed_by_filter(mail)) {
        Some(why)
    } else if occasion == AutoResponseType::Reply && done {
        Some(format!("the ticket is {}", ticket.state))
    } else if let Some(failed) =
        failed_authentication(mail.message(), &configuration.settings.authentication_results_from)
    {
        Some(failed)
    } else if too_many {
        Some(asks_for_too_many())
    } else if counted.is_empty() {
        Some("the mail has no address to answer to (Reply-To, From)".to_owned())
    } else if to.is_empty() {
        let is_own = |mailbox: &Mailbox| configuration.system_addresses.contains_key(mailbox.as_str());
        let why = |address: &String| why_refused(address, &configuration.settings.auto_responses_refused, is_own);
        Some(counted.iter().filter_map(why).collect::<Vec<_>>().join("; "))
    } else {
        None
    };
    Some(AutoResponsePlan { occasion, name: answer.name.clone(), to, counted, suppressed })
}

fn asks_for_too_many() -> String {
    format!("the mail asks for answers to more than {MOST_ADDRESSES} addresses")
}

/// The addresses, one of each person; no more than the most, and whether there are more.
fn different(addresses: Vec<Address>) -> (Vec<String>, bool) {
    let mut seen = HashSet::new();
    let mut different =
        addresses.into_iter().map(|address| address.address).filter(|address| seen.insert(Person::of(address)));
    let kept = different.by_ref().take(MOST_ADDRESSES).collect();
    (kept, different.next().is_some())
}

/// Whether a filter has said that this is no loop, against what the headers say.
fn is_allowed_by_filter(mail: &Mail) -> bool {
    mail.in_force("X-OTOBO-Loop").is_some_and(|header| matches!(header.by, SetBy::Filter(_))) && !feeds_loop(mail)
}

/// The answer to the last mail of a customer when their ticket is removed; none where the queue has none.
pub fn plan_removal(configuration: &Configuration, ticket: &Ticket, last: &NewArticle) -> Option<AutoResponsePlan> {
    let answer = configuration.auto_response(&ticket.queue, AutoResponseType::Remove)?;
    let (counted, too_many) = different(addresses_to_answer(last, configuration));
    let to: Vec<String> = counted.iter().filter(|address| !is_refused(address, configuration)).cloned().collect();
    let suppressed = if too_many {
        Some(asks_for_too_many())
    } else {
        to.is_empty().then(|| "the customer's last mail has no address to answer to (Reply-To, From)".to_owned())
    };
    Some(AutoResponsePlan { occasion: AutoResponseType::Remove, name: answer.name.clone(), to, counted, suppressed })
}

/// Whether a mail is one that its customer wrote and may read, so that it is they who are written to: no bounce, no
/// answer to what they were not shown, and no mail for which nobody vouched.
pub fn is_of_customer(article: &NewArticle, configuration: &Configuration) -> bool {
    let is_answered = |address: &Address| !is_refused(&address.address, configuration);
    article.sender_type == SenderType::Customer
        && article.visible_for_customer
        && !article.unvouched
        && addresses_to_answer(article, configuration).iter().any(is_answered)
}

/// Whether a mail asks for answers to others than those in its From.
pub fn asks_for_others(mail: &Mail, configuration: &Configuration) -> bool {
    let from = mail.addresses("From");
    let senders: HashSet<Mailbox> = from.iter().map(mailbox).collect();
    let asked = asked_for(mail.addresses("Reply-To"), &from, |address| configuration.is_own(address));
    asked.iter().any(|address| !senders.contains(&mailbox(address)))
}

/// Whom an answer to a mail goes to: Reply-To, else From (RFC 5322 section 3.6.2). Where the address of its sender
/// alone vouched for it, nobody but those in From: whoever forges a From would get the ticket's mail.
pub fn addresses_to_answer(article: &NewArticle, configuration: &Configuration) -> Vec<Address> {
    let asked = addresses_asked_for(article, configuration);
    if article.vouched_by_address { senders_among(asked, Address::parse_all(&article.from)) } else { asked }
}

/// Whom a mail asks to answer to, whoever vouches for it.
pub fn addresses_asked_for(article: &NewArticle, configuration: &Configuration) -> Vec<Address> {
    let from = Address::parse_all(&article.from);
    asked_for(Address::parse_all(&article.reply_to), &from, |address| configuration.is_own(address))
}

/// Those of Reply-To whom mail can be sent to and who are not we ourselves; where there is none, all in From: web forms
/// and programs write words into Reply-To that are no address, and the address that they write to.
pub fn asked_for(reply_to: Vec<Address>, from: &[Address], is_own: impl Fn(&str) -> bool) -> Vec<Address> {
    let can_be_used = |address: &Address| address.can_be_written_to() && !is_own(&address.address);
    let usable: Vec<Address> = reply_to.into_iter().filter(can_be_used).collect();
    if usable.is_empty() { from.to_vec() } else { usable }
}

/// Those of Reply-To who are in From; where none is, all in From.
fn senders_among(reply_to: Vec<Address>, from: Vec<Address>) -> Vec<Address> {
    let senders: HashSet<Mailbox> = from.iter().map(mailbox).collect();
    let known: Vec<Address> = reply_to.into_iter().filter(|address| senders.contains(&mailbox(address))).collect();
    if known.is_empty() { from } else { known }
}

fn mailbox(address: &Address) -> Mailbox {
    Mailbox::of(&address.address)
}

/// Addresses of the setting are not answered, nor are we ourselves.
pub fn is_refused(address: &str, configuration: &Configuration) -> bool {
    let is_own = |mailbox: &Mailbox| configuration.system_addresses.contains_key(mailbox.as_str());
    is_refused_by(address, &configuration.settings.auto_responses_refused, is_own)
}

/// By which rule an address is not answered, if it is not: by its patterns, or because it is ours. A sentence's second
/// half.
pub fn why_refused(address: &str, patterns: &[String], is_own: impl Fn(&Mailbox) -> bool) -> Option<String> {
    if is_refused_by(address, &[], is_own) {
        return Some(format!("{address} is an address of the desk"));
    }
    let pattern = patterns.iter().find(|pattern| is_refused_by(address, std::slice::from_ref(*pattern), |_| false))?;
    Some(format!("{address} gets no automatic answers (the setting auto_responses_refused: {pattern:?})"))
}

/// [`is_refused`] where the configuration is not at hand: by its patterns, and by what says of a mailbox whether it is
/// ours. A detail behind a plus sign makes no other person.
pub fn is_refused_by(address: &str, patterns: &[String], is_own: impl Fn(&Mailbox) -> bool) -> bool {
    let mailbox = Mailbox::of(address);
    let forms: Vec<Mailbox> = mailbox.without_detail().into_iter().chain([mailbox]).collect();
    let patterns: Vec<Mailbox> = patterns.iter().map(|pattern| Mailbox::of(pattern)).collect();
    forms.iter().any(|form| is_own(form) || patterns.iter().any(|pattern| fits(form.as_str(), pattern.as_str())))
}

/// Whether an address is of a form in which `*` stands for anything; both are in the form of a [`Mailbox`].
fn fits(address: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| address.strip_prefix(first)) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::configured::{AutoResponse, SystemAddress};

    #[test]
    fn who_removes_a_ticket_writes_to_no_strangers() {
        let mut configuration = Configuration::default();
        let answer = AutoResponse {
            name: "Gone".into(),
            occasion: AutoResponseType::Remove,
            queue: "Raw".into(),
            language: String::new(),
            subject: String::new(),
            body: String::new(),
        };
        configuration.auto_responses.insert(answer.name.clone(), answer);
        let ticket = Ticket { queue: "Raw".into(), ..Ticket::default() };
        for (addresses, suppressed) in [(MOST_ADDRESSES, false), (MOST_ADDRESSES + 1, true)] {
            let reply_to = (0..addresses).map(|number| format!("a{number}@x.test")).collect::<Vec<_>>().join(", ");
            let last = NewArticle { from: "jane@x.test".into(), reply_to, ..NewArticle::default() };
            let plan = plan_removal(&configuration, &ticket, &last).unwrap();
            assert_eq!(plan.suppressed.is_some(), suppressed, "{addresses} addresses: {:?}", plan.suppressed);
        }
    }

    #[test]
    fn a_mail_that_an_address_alone_vouches_for_is_answered_to_its_sender() {
        let mut configuration = Configuration::default();
        let own = SystemAddress { address: "desk@desk.test".into(), ..SystemAddress::default() };
        configuration.system_addresses.insert(own.address.clone(), own);
        for (from, reply_to, by_proof, by_address) in [
            ("jane@x.test", "", "jane@x.test", "jane@x.test"),
            ("jane@x.test", "evil@e.test", "evil@e.test", "jane@x.test"),
            ("jane@x.test", "evil@e.test, \"Jane\"@X.test.", "evil@e.test, Jane@x.test", "Jane@x.test"),
            ("jane@x.test, bob@x.test", "bob@x.test", "bob@x.test", "bob@x.test"),
            ("jane@x.test", "nobody", "jane@x.test", "jane@x.test"),
            ("jane@x.test", "nobody@", "jane@x.test", "jane@x.test"),
            ("jane@x.test", "no reply <>", "jane@x.test", "jane@x.test"),
            ("jane@x.test", "Jane <jane@the office>, none@x..test", "jane@x.test", "jane@x.test"),
            ("jane@x.test", "<'bob@x.test'>", "bob@x.test", "jane@x.test"),
            ("jane@x.test", "Desk <desk@desk.test>", "jane@x.test", "jane@x.test"),
            ("jane@x.test", "desk+web@DESK.test, bob@x.test", "bob@x.test", "jane@x.test"),
        ] {
            for (vouched_by_address, expected) in [(false, by_proof), (true, by_address)] {
                let article = NewArticle {
                    from: from.into(),
                    reply_to: reply_to.into(),
                    vouched_by_address,
                    ..NewArticle::default()
                };
                let told: Vec<Mailbox> = addresses_to_answer(&article, &configuration).iter().map(mailbox).collect();
                let expected: Vec<Mailbox> = Address::parse_all(expected).iter().map(mailbox).collect();
                assert_eq!(told, expected, "{from}, {reply_to}, {vouched_by_address}");
            }
        }
    }

    #[test]
    fn a_bounce_and_what_the_customer_was_not_shown_are_none_of_their_mails() {
        let article = |from: &str, sender_type: SenderType, visible_for_customer| NewArticle {
            from: from.to_owned(),
            sender_type,
            visible_for_customer,
            ..NewArticle::default()
        };
        for (article, expected) in [
            (article("Jane <jane@x.test>", SenderType::Customer, true), true),
            (article("Mail Delivery System <MAILER-DAEMON@mx.x.test>", SenderType::Customer, true), false),
            (article("supplier@y.test", SenderType::Customer, false), false),
            (article("kim@desk.test", SenderType::Agent, true), false),
            (article("", SenderType::Customer, true), false),
        ] {
            assert_eq!(is_of_customer(&article, &Configuration::default()), expected, "{}", article.from);
        }
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (address, pattern, expected) in [
            ("Mailer-Daemon@mx.x.test", "*MAILER-DAEMON@*.*", true),
            ("x-mailer-daemon@x.test", "*MAILER-DAEMON@*.*", true),
            ("mailer-daemon@localhost", "*MAILER-DAEMON@*.*", false),
            ("a@x.test", "a@x.test", true),
            ("ba@x.test", "a@x.test", false),
            ("a@x.test.evil", "a@x.test", false),
            ("a@x.test", "*@X.TEST", true),
            ("\"a\"@x.test.", "a@x.test", true),
            ("a@xn--bcher-kva.test", "*@BÜCHER.test", true),
            ("aba", "ab*ba", false),
            ("a@x.test", "*", true),
            ("a@x.test", "", false),
        ] {
            let (address, pattern) = (Mailbox::of(address), Mailbox::of(pattern));
            assert_eq!(fits(address.as_str(), pattern.as_str()), expected, "{address:?} {pattern:?}");
        }
    }
}
