//! The rules of filing, one by one.

use super::follow_up::{follow_up_candidates, references};
use super::*;
use crate::store::tickets::internal_mail;
use postigo_mail::{Envelope, Mail, Message, OpenedMessage, SetBy, Vocabulary};
use postigo_model::configured::AutoResponseType;
use postigo_model::configured::{
    Account, AutoResponse, Configuration, CustomerUser, Dispatch, DynamicField, FollowUpCheck, FollowUpOption, Queue,
    Settings, SystemAddress, UnvouchedNumbers, Validity,
};
use postigo_model::mailbox::Mailbox;
use postigo_model::ticket::Filing;
use postigo_model::ticket::FilingKind;
use postigo_model::ticket::FollowUpCandidate;
use postigo_model::ticket::FollowUpSearch;
use postigo_model::ticket::FoundTicket;
use postigo_model::ticket::LARGEST_BODY;
use postigo_model::ticket::SenderType;
use postigo_model::ticket::Ticket;
use postigo_model::ticket::TicketMatch;
use postigo_model::ticket::VouchedBy;
use postigo_model::ticket::WhyFollowUp;

const NOW: i64 = 1_795_000_000_000;

fn configuration() -> Configuration {
    let queue = |name: &str, follow_up, follow_up_lock| Queue {
        name: name.into(),
        follow_up,
        follow_up_lock,
        ..Queue::default()
    };
    let queues = [
        queue("Raw", FollowUpOption::Possible, false),
        queue("Sales", FollowUpOption::Possible, true),
        queue("Press", FollowUpOption::Reject, false),
        queue("Desk", FollowUpOption::NewTicket, false),
    ];
    let address = |address: &str, queue: &str, valid| SystemAddress {
        address: address.into(),
        queue: queue.into(),
        valid,
        ..Default::default()
    };
    let addresses = [
        address("Sales@desk.test", "Sales", Validity::Valid),
        address("press@desk.test", "Press", Validity::Valid),
        address("old@desk.test", "Press", Validity::Invalid),
    ];
    let field = |name: &str, multiple| DynamicField { name: name.into(), multiple };
    let answer = |name: &str, occasion, queue: &str| AutoResponse {
        name: name.into(),
        occasion,
        queue: queue.into(),
        language: String::new(),
        subject: String::new(),
        body: String::new(),
    };
    let answers = [
        answer("receipt", AutoResponseType::Reply, "Raw"),
        answer("more", AutoResponseType::FollowUp, "Raw"),
        answer("no", AutoResponseType::Reject, "Press"),
        answer("again", AutoResponseType::ReplyNewTicket, "Raw"),
    ];
    let fixed = Account { name: "fixed".into(), dispatch: Dispatch::Queue("Press".into()), ..Account::default() };
    Configuration {
        settings: Settings {
            types: vec!["Unclassified".into(), "Bug".into()],
            services: vec!["Network".into()],
            slas: vec!["Gold".into()],
            agents: vec!["anna".into(), "otto".into()],
            external_number_field: "Other".into(),
            authentication_results_from: vec!["mx.desk.test".into()],
            ..Settings::default()
        },
        queues: queues.map(|queue| (queue.name.clone(), queue)).into(),
        system_addresses: addresses.map(|address| (Mailbox::of(&address.address).into(), address)).into(),
        accounts: [(fixed.name.clone(), fixed)].into(),
        dynamic_fields: [
            field("Contract", false),
            field("Product", true),
            field("TicketFreeKey3", false),
            field("Other", false),
        ]
        .map(|field| (field.name.clone(), field))
        .into(),
        auto_responses: answers.map(|answer| (answer.name.clone(), answer)).into(),
        ..Configuration::default()
    }
}

fn vocabulary() -> Vocabulary {
    Vocabulary::new(&configuration().dynamic_fields.into_values().collect::<Vec<_>>())
}

/// A mail of a trusted account: these header lines, and a body.
fn read(message: Message, envelope: Envelope) -> Mail {
    OpenedMessage::as_it_came(message).vet(envelope, &vocabulary()).0.compute()
}

fn mail(header: &str) -> Mail {
    let raw = format!("{header}\n\nGood day.\n");
    let envelope = Envelope { account: "inside".into(), trusted: true, received_at: NOW, recipients: Vec::new() };
    read(Message::parse(raw.into_bytes().into()), envelope)
}

fn decide_as(mail: &Mail, found: &TicketMatch) -> Filing {
    let (configuration, customers) = (configuration(), CustomerLookup::default());
    decide(
        mail,
        &Circumstances { configuration: &configuration, found, customers: &customers, internal_mails: &[], now: NOW },
    )
}

/// A ticket that somebody vouches for.
fn found(ticket: &Ticket, why: WhyFollowUp) -> TicketMatch {
    TicketMatch {
        follow_up: Some(FoundTicket { ticket: ticket.clone(), why, vouched: VouchedBy::ByProof }),
        passed_over: Vec::new(),
    }
}

fn new_ticket(header: &str) -> Filing {
    decide_as(&mail(header), &TicketMatch::default())
}

fn ticket(queue: &str, state: &str) -> Ticket {
    Ticket {
        id: 7,
        number: "2026112400001".into(),
        title: "Old matter".into(),
        queue: queue.into(),
        state: state.into(),
        priority: "2 low".into(),
        r#type: "Unclassified".into(),
        lock: "unlock".into(),
        customer_user: Some("jane@x.test".into()),
        ..Ticket::default()
    }
}

fn follow_up(header: &str, ticket: &Ticket) -> Filing {
    decide_as(&mail(header), &found(ticket, WhyFollowUp::Subject))
}

#[test]
fn a_mail_that_is_not_read_whole_is_filed_with_what_fits_and_a_warning() {
    let addresses: Vec<_> = (0..10_001).map(|number| format!("a{number}@x.test")).collect();
    let header = format!("Subject: {}\nTo: {}", "word ".repeat(300_000), addresses.join(", "));
    let closed = ticket("Press", "closed successful");
    for filing in [new_ticket(&header), follow_up(&header, &ticket("Raw", "open")), follow_up(&header, &closed)] {
        assert!(filing.article.subject.starts_with("word word"));
        assert!(filing.article.to.ends_with(", a9999@x.test"), "no address is cut");
        let expected = [
            "Subject has 1500001 bytes: its first 1048575 are read.",
            "To names more than 10000 addresses: the others are not read.",
        ];
        assert_eq!(filing.warnings, expected, "{:?}", filing.kind);
    }
    assert_eq!(new_ticket("Subject: x").warnings, [""; 0]);
}

#[test]
fn an_article_has_the_beginning_of_a_text_that_is_no_letter_any_more() {
    for (text, cut) in [
        ("a".repeat(LARGEST_BODY), false),
        ("ä".repeat(LARGEST_BODY / 2) + "b", true),
        ("a".to_owned() + &"ä".repeat(LARGEST_BODY), true),
    ] {
        let raw = format!("Subject: x\n\n{text}");
        let message = Message::parse(raw.into_bytes().into());
        let article = decide_as(&read(message, Envelope::default()), &TicketMatch::default()).article;
        assert!(
            text.starts_with(&article.body)
                && article.body.len() > LARGEST_BODY - 2
                && article.body.len() <= LARGEST_BODY
        );
        assert_eq!(article.body_truncated, cut);
    }
}

#[test]
fn new_tickets_are_dispatched_by_the_first_system_address() {
    for (header, queue, by) in [
        ("To: nobody@x.test, SALES@desk.test, press@desk.test", "Sales", "address:Sales@desk.test"),
        ("To: \"press@desk.test\" <x@x.test>", "Raw", "default"),
        ("To: old@desk.test", "Raw", "default"),
        ("To: \"sa\\les\"@desk.test.", "Sales", "address:Sales@desk.test"),
        ("Bcc: sales@desk.test\nX-Envelope-To: sales@desk.test", "Raw", "default"),
        ("X-Original-To: sales@desk.test\nCc: press@desk.test", "Press", "address:press@desk.test"),
        ("To: press@desk.test\nEnvelope-To: sales@desk.test", "Sales", "address:Sales@desk.test"),
        ("Envelope-To: press@desk.test\nResent-To: sales@desk.test", "Sales", "address:Sales@desk.test"),
    ] {
        let filing = new_ticket(header);
        assert_eq!((filing.ticket.queue.as_str(), filing.queue_by.as_str()), (queue, by), "{header}");
    }
}

#[test]
fn recipients_of_the_envelope_are_the_first_envelope_to() {
    let mut mail = mail("To: press@desk.test\nEnvelope-To: press@desk.test");
    mail.envelope.recipients = vec!["x@x.test".into(), "sales@DESK.test".into()];
    assert_eq!(decide_as(&mail, &TicketMatch::default()).ticket.queue, "Sales");
    mail.envelope.recipients = vec!["sales+17@desk.test".into()];
    assert_eq!(
        decide_as(&mail, &TicketMatch::default()).ticket.queue,
        "Sales",
        "a detail after a plus sign does not count"
    );
}

#[test]
fn a_header_that_names_a_queue_wins_over_account_and_address() {
    let mut mail = mail("To: sales@desk.test");
    mail.envelope.account = "fixed".into();
    let filing = decide_as(&mail, &TicketMatch::default());
    assert_eq!((filing.ticket.queue.as_str(), filing.queue_by.as_str()), ("Press", "account"));
    mail.set("X-OTOBO-Queue", vec!["Desk".into()], &SetBy::Mail);
    assert_eq!(decide_as(&mail, &TicketMatch::default()).queue_by, "header");
    mail.set("X-OTOBO-Queue", vec!["Raw".into()], &SetBy::Filter("a".into()));
    let filing = decide_as(&mail, &TicketMatch::default());
    assert_eq!((filing.ticket.queue.as_str(), filing.queue_by.as_str()), ("Raw", "filter:a"));
    mail.set("X-OTOBO-Queue", vec!["Quarks".into()], &SetBy::Filter("a".into()));
    let filing = decide_as(&mail, &TicketMatch::default());
    assert_eq!((filing.ticket.queue.as_str(), filing.queue_by.as_str()), ("Press", "account"));
    assert!(
        filing.warnings.iter().any(|warning| warning.contains("X-OTOBO-Queue") && warning.contains("Quarks")),
        "{:?}",
        filing.warnings
    );
}

#[test]
fn what_a_header_names_takes_effect() {
    let filing = new_ticket(
        "Subject: plain\nX-OTOBO-State: pending reminder\nX-OTOBO-State-PendingTime: +1h\nX-OTOBO-Priority: 4 high\nX-OTOBO-Type: Bug\n\
         X-OTOBO-Service: Network\nX-OTOBO-SLA: Gold\nX-OTOBO-Lock: lock\nX-OTOBO-Owner: anna\nX-OTOBO-Responsible: otto\nX-OTOBO-Title: Better\n\
         X-OTOBO-SenderType: agent\nX-OTOBO-IsVisibleForCustomer: 0\nX-OTOBO-DynamicField-Contract: c 1\nX-OTOBO-DynamicField-Product: a\n\
         X-OTOBO-DynamicField-Product: b\nX-OTOBO-TicketKey3: rack\nX-OTOBO-FollowUp-Queue: Sales",
    );
    let ticket = filing.ticket;
    assert_eq!(
        [&ticket.state, &ticket.priority, &ticket.r#type, &ticket.lock, &ticket.title, &ticket.queue],
        ["pending reminder", "4 high", "Bug", "lock", "Better", "Raw"]
    );
    assert_eq!(
        [ticket.service, ticket.sla, ticket.owner, ticket.responsible].map(Option::unwrap_or_default),
        ["Network", "Gold", "anna", "otto"]
    );
    assert_eq!(ticket.pending_until, Some(NOW + 3_600_000));
    let fields: Vec<_> = ticket.dynamic_fields.iter().map(|(name, values)| (name.as_str(), values.join("+"))).collect();
    assert_eq!(
        fields,
        [("Contract", "c 1".to_owned()), ("Product", "a+b".to_owned()), ("TicketFreeKey3", "rack".to_owned())]
    );
    assert_eq!((filing.article.sender_type, filing.article.visible_for_customer), (SenderType::Agent, false));
    assert_eq!(filing.article.subject, "plain");
    assert_eq!(filing.warnings, [""; 0]);
}

#[test]
fn unknown_values_give_the_default_and_a_warning() {
    let header = "X-OTOBO-State: Open\nX-OTOBO-Priority: highest\nX-OTOBO-Type: Riddle\nX-OTOBO-Service: Teleport\nX-OTOBO-SLA: Never\n\
                  X-OTOBO-Lock: shut\nX-OTOBO-Owner: ghost\nX-OTOBO-Responsible: nobody\nX-OTOBO-SenderType: alien\n\
                  X-OTOBO-IsVisibleForCustomer: maybe\nX-OTOBO-State-PendingTime: soon\nX-OTOBO-TicketKey4: lost";
    let filing = new_ticket(header);
    let ticket = filing.ticket;
    assert_eq!(
        [&ticket.state, &ticket.priority, &ticket.r#type, &ticket.lock],
        ["new", "3 normal", "Unclassified", "unlock"]
    );
    assert_eq!([ticket.service, ticket.sla, ticket.owner, ticket.responsible], [None, None, None, None]);
    assert_eq!((filing.article.sender_type, filing.article.visible_for_customer), (SenderType::Customer, true));
    for line in header.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        assert!(
            filing.warnings.iter().any(|warning| warning.contains(name) && warning.contains(value)),
            "{line}: {:?}",
            filing.warnings
        );
    }
}

#[test]
fn a_pending_time_counts_in_pending_states_only() {
    assert_eq!(new_ticket("X-OTOBO-State: open\nX-OTOBO-State-PendingTime: +1h").ticket.pending_until, None);
    assert_eq!(new_ticket("X-OTOBO-State: pending auto close+").ticket.pending_until, None);
}

#[test]
fn titles_are_cut() {
    assert_eq!(new_ticket(&format!("Subject: {}", "ü".repeat(300))).ticket.title, "ü".repeat(191));
    assert_eq!(new_ticket("X-Only: this").ticket.title, "");
}

#[test]
fn customers_come_from_headers_or_the_sender() {
    let user = |login: &str, number: &str| {
        Some(CustomerUser { login: login.into(), customer_number: number.into(), ..CustomerUser::default() })
    };
    let customers = CustomerLookup { by_sender: user("jane", "C-1"), by_login: user("mike", "C-2") };
    for (header, customers, customer_user, number) in [
        ("From: a@x.test, Jane <jane@x.test>", &CustomerLookup::default(), Some("jane@x.test"), None),
        ("Subject: x", &CustomerLookup::default(), None, None),
        ("From: jane@x.test", &customers, Some("jane"), Some("C-1")),
        ("From: jane@x.test\nX-OTOBO-CustomerUser: mike", &customers, Some("mike"), Some("C-2")),
        ("From: jane@x.test\nX-OTOBO-CustomerUser: mike\nX-OTOBO-CustomerNo: 9", &customers, Some("mike"), Some("9")),
        ("From: jane@x.test\nX-OTOBO-CustomerNo: 9", &customers, Some("jane"), Some("9")),
        ("From: jane@x.test\nX-OTOBO-CustomerUser: who", &CustomerLookup::default(), Some("who"), None),
    ] {
        let configuration = configuration();
        let circumstances = Circumstances {
            configuration: &configuration,
            found: &TicketMatch::default(),
            customers,
            internal_mails: &[],
            now: NOW,
        };
        let filing = decide(&mail(header), &circumstances);
        assert_eq!(
            (filing.ticket.customer_user.as_deref(), filing.ticket.customer_number.as_deref()),
            (customer_user, number),
            "{header}"
        );
    }
    assert_eq!(
        customer_query(&mail("From: a@x.test, b@x.test\nX-OTOBO-CustomerUser: mike")).login.as_deref(),
        Some("mike")
    );
}

#[test]
fn a_follow_up_changes_what_its_own_headers_say() {
    let old = ticket("Raw", "open");
    let filing = follow_up(
        "X-OTOBO-Queue: Desk\nX-OTOBO-Title: other\nX-OTOBO-SenderType: agent\nX-OTOBO-FollowUp-Queue: Sales\nX-OTOBO-FollowUp-Priority: 9\n\
         X-OTOBO-FollowUp-State: pending reminder\nX-OTOBO-FollowUp-State-PendingTime: -1h\nX-OTOBO-FollowUp-Type: Bug\n\
         X-OTOBO-FollowUp-Title: New title\nX-OTOBO-FollowUp-DynamicField-Contract: 0\nX-OTOBO-FollowUp-SenderType: system\n\
         X-OTOBO-FollowUp-Owner: anna\nX-OTOBO-FollowUp-Lock: lock",
        &old,
    );
    assert_eq!(filing.kind, FilingKind::FollowUp(WhyFollowUp::Subject));
    let changed = filing.ticket;
    assert_eq!(
        [&changed.queue, &changed.priority, &changed.state, &changed.r#type, &changed.title, &changed.lock],
        ["Sales", "2 low", "pending reminder", "Bug", "New title", "lock"]
    );
    assert_eq!((changed.pending_until, changed.owner.as_deref()), (Some(NOW - 3_600_000), Some("anna")));
    assert_eq!(changed.dynamic_fields.get("Contract"), Some(&vec!["0".to_owned()]));
    assert_eq!(filing.article.sender_type, SenderType::System);
    assert_eq!(filing.queue_by, "follow-up");
    assert_eq!(filing.warnings.len(), 1, "{:?}", filing.warnings);
}

#[test]
fn a_follow_up_opens_the_ticket_unless_it_is_new_or_kept() {
    for (state, header, expected) in [
        ("closed successful", "Subject: x", "open"),
        ("new", "Subject: x", "new"),
        ("merged", "Subject: x", "open"),
        (
            "closed successful",
            "X-OTOBO-FollowUp-State-Keep: as it is\nX-OTOBO-FollowUp-State: new",
            "closed successful",
        ),
        ("closed successful", "X-OTOBO-FollowUp-State-Keep: 0", "open"),
        ("closed successful", "X-OTOBO-FollowUp-State: asleep", "closed successful"),
    ] {
        assert_eq!(follow_up(header, &ticket("Raw", state)).ticket.state, expected, "{state}, {header}");
    }
    let pending = Ticket { pending_until: Some(NOW), ..ticket("Raw", "pending reminder") };
    assert_eq!(follow_up("Subject: x", &pending).ticket.pending_until, None);
    assert_eq!(follow_up("X-OTOBO-FollowUp-State-Keep: 1", &pending).ticket.pending_until, Some(NOW));
}

#[test]
fn the_lock_after_a_follow_up_depends_on_owner_queue_and_state() {
    for (owner, queue, state, lock, expected) in [
        (Some("anna"), "Sales", "closed successful", "unlock", "lock"),
        (Some("anna"), "Sales", "open", "unlock", "unlock"),
        (Some("anna"), "Raw", "closed successful", "unlock", "unlock"),
        (Some("anna"), "Raw", "open", "tmp_lock", "tmp_lock"),
        (None, "Sales", "closed successful", "lock", "unlock"),
        (Some("gone"), "Sales", "open", "lock", "unlock"),
    ] {
        let old = Ticket { owner: owner.map(str::to_owned), lock: lock.into(), ..ticket(queue, state) };
        assert_eq!(follow_up("Subject: x", &old).ticket.lock, expected, "{owner:?} {queue} {state} {lock}");
    }
    assert_eq!(follow_up("X-OTOBO-FollowUp-Lock: lock", &ticket("Raw", "open")).ticket.lock, "unlock");
}

#[test]
fn the_queues_option_is_asked_for_closed_tickets() {
    let rejected = |state| {
        matches!(follow_up("Subject: x", &ticket("Press", state)).kind, FilingKind::Rejected(WhyFollowUp::Subject))
    };
    assert_eq!(
        ["closed unsuccessful", "removed", "open", "merged", "pending auto close+"].map(rejected),
        [true, true, false, false, false]
    );
    let old = ticket("Press", "closed successful");
    let filing = follow_up("X-OTOBO-FollowUp-Priority: 5 very high\nX-OTOBO-SenderType: agent", &old);
    assert_eq!(filing.ticket, old);
    assert_eq!(filing.article.sender_type, SenderType::Agent);
    let bounce = decide_as(&mail("Subject: x"), &found(&old, WhyFollowUp::Bounce));
    assert_eq!(bounce.kind, FilingKind::FollowUp(WhyFollowUp::Bounce));
}

#[test]
fn a_follow_up_may_become_a_new_ticket() {
    let old = ticket("Desk", "closed successful");
    let filing =
        follow_up("From: jane@x.test\nSubject: AW: Re: [Ticket#2026112400001] Old matter\nTo: sales@desk.test", &old);
    assert_eq!(filing.kind, FilingKind::NewTicket { linked_to: Some(7) });
    assert_eq!((filing.ticket.title.as_str(), filing.article.subject.as_str()), ("Old matter", "Old matter"));
    assert_eq!((filing.ticket.id, filing.ticket.number.as_str(), filing.ticket.state.as_str()), (0, "", "new"));
    assert_eq!(filing.ticket.queue, "Sales");
}

#[test]
fn answers_to_internal_mails_stay_internal() {
    let internal = [internal_mail("Plumber <plumber@p.test>, x@p.test", "\"Y, Z\" <y@p.test>", "<i@desk.test>".into())];
    let old = ticket("Raw", "open");
    for (header, visible) in [
        ("From: PLUMBER@p.test", false),
        ("From: \"plumber\"@p.test.", false),
        ("From: y@p.test", false),
        ("From: z@p.test\nReply-To: x@p.test", false),
        ("From: z@p.test\nReferences: <i@desk.test> <other@x.test>", false),
        ("From: z@p.test", true),
        ("From: jane@x.test\nIn-Reply-To: <i@desk.test>", true),
        ("From: plumber@p.test\nX-OTOBO-FollowUp-SenderType: agent", true),
    ] {
        let (configuration, customers) = (configuration(), CustomerLookup::default());
        let circumstances = Circumstances {
            configuration: &configuration,
            found: &found(&old, WhyFollowUp::Subject),
            customers: &customers,
            internal_mails: &internal,
            now: NOW,
        };
        assert_eq!(decide(&mail(header), &circumstances).article.visible_for_customer, visible, "{header}");
    }
}

#[test]
fn an_answer_is_due_unless_it_would_do_harm() {
    for (header, name, to, suppressed) in [
        ("From: a@x.test, B <b@x.test>", "receipt", &["a@x.test", "b@x.test"][..], ""),
        ("From: a@x.test\nReply-To: r@x.test, R@X.test", "receipt", &["r@x.test"], ""),
        (
            "From: a@x.test\nPrecedence: bulk",
            "receipt",
            &["a@x.test"],
            "an answer would feed a loop (Precedence: bulk)",
        ),
        (
            "From: a@x.test\nList-Id: <l.x.test>",
            "receipt",
            &["a@x.test"],
            "a mailing list passed it on (List-Id: <l.x.test>)",
        ),
        (
            "From: a@x.test\nX-OTOBO-State: closed successful",
            "receipt",
            &["a@x.test"],
            "the ticket is closed successful",
        ),
        (
            "From: MAILER-Daemon@mx.x.test",
            "receipt",
            &[],
            "(the setting auto_responses_refused: \"*MAILER-DAEMON@*.*\")",
        ),
        ("From: abuse@localhost", "receipt", &["abuse@localhost"], ""),
        ("From: sales@desk.test", "receipt", &[], "sales@desk.test is an address of the desk"),
        ("From: \"sales\"@desk.test.", "receipt", &[], "is an address of the desk"),
        ("From: \"s\\ales+loop\"@DESK.test", "receipt", &[], "is an address of the desk"),
        ("From: \"MAILER-Daemon\"@mx.x.test", "receipt", &[], "auto_responses_refused"),
        ("From: a@x.test\nReply-To: v+1@x.test, \"v+2\"@x.test, v@X.test.", "receipt", &["v+1@x.test"], ""),
        (
            "Authentication-Results: mx.desk.test; dmarc=fail\nFrom: a@x.test",
            "receipt",
            &["a@x.test"],
            "(Authentication-Results)",
        ),
        ("Authentication-Results: mx.else.test; dmarc=fail\nFrom: a@x.test", "receipt", &["a@x.test"], ""),
        ("Subject: x", "receipt", &[], "the mail has no address to answer to (Reply-To, From)"),
    ] {
        let plan = new_ticket(header).auto_response.unwrap();
        assert_eq!(
            (plan.name.as_str(), plan.to.as_slice()),
            (name, to.iter().map(|to| (*to).to_owned()).collect::<Vec<_>>().as_slice()),
            "{header}"
        );
        let told = plan.suppressed.unwrap_or_default();
        assert_eq!(told.is_empty(), suppressed.is_empty(), "{header}: {told}");
        assert!(told.contains(suppressed), "{header}: {told}");
    }
    let mut mail = mail("From: a@x.test\nPrecedence: bulk");
    mail.set("X-OTOBO-Loop", vec!["No".into()], &SetBy::Filter("f".into()));
    assert_eq!(decide_as(&mail, &TicketMatch::default()).auto_response.unwrap().suppressed, None);
}

#[test]
fn an_agent_answers_whom_the_automatic_answer_goes_to_however_the_addresses_are_written() {
    for (header, to) in [
        ("From: a@x.test\nReply-To: =?utf-8?Q?r=40x.test?=", "a@x.test"),
        ("From: a@x.test\nReply-To: =?utf-8?B?PHJAeC50ZXN0Pg==?=", "a@x.test"),
        ("From: a@x.test\nReply-To: =?utf-8?Q?Ruth?= <r@x.test>", "r@x.test"),
        ("From: a@x.test\nReply-To: <r@x.test,s@x.test>", "a@x.test"),
        ("From: =?utf-8?Q?a=40x.test?=\nReply-To: r@x.test", "r@x.test"),
        ("From: =?utf-8?Q?a=40x.test?=", ""),
        ("From: =?utf-8?Q?=22a=40x.test=22?=", ""),
    ] {
        let filing = new_ticket(header);
        let agents: Vec<_> =
            addresses_to_answer(&filing.article, &configuration()).into_iter().map(|address| address.address).collect();
        assert_eq!(
            (filing.auto_response.unwrap().to.join(", "), agents.join(", ")),
            (to.into(), to.into()),
            "{header}"
        );
    }
}

#[test]
fn answers_are_those_of_the_tickets_queue_and_occasion() {
    let name = |filing: Filing| filing.auto_response.map(|plan| plan.name);
    assert_eq!(name(new_ticket("From: a@x.test\nX-OTOBO-Queue: Sales")), None);
    assert_eq!(name(follow_up("From: a@x.test", &ticket("Raw", "closed successful"))).as_deref(), Some("more"));
    assert_eq!(name(follow_up("From: a@x.test", &ticket("Press", "closed successful"))).as_deref(), Some("no"));
    assert_eq!(name(follow_up("From: a@x.test", &ticket("Desk", "closed successful"))).as_deref(), Some("again"));
}

#[test]
fn mails_are_ignored_by_yes_or_true_anywhere() {
    for (value, ignored) in [
        ("yes", true),
        ("YES", true),
        ("TrueType", true),
        ("no, yes", true),
        ("1", false),
        ("y", false),
        ("on", false),
        ("", false),
    ] {
        assert_eq!(is_ignored(&mail(&format!("X-OTOBO-Ignore: {value}"))), ignored, "{value}");
    }
}

#[test]
fn follow_up_checks_run_in_their_order() {
    let raw = "Subject: Re: [Ticket#2026112400001]\nIn-Reply-To: <a@x.test> (x) <b@x.test>\nReferences: <c@x.test> <d@x.test>\n <a@x.test>\n\
               X-OTOBO-DynamicField-Other: INC7";
    let message = |id: &str| FollowUpCandidate::MessageId(WhyFollowUp::References, id.into());
    let expected = [
        FollowUpCandidate::Number(WhyFollowUp::Subject, "2026112400001".into()),
        message("<a@x.test>"),
        message("<d@x.test>"),
        message("<c@x.test>"),
        FollowUpCandidate::ExternalNumber { field: "Other".into(), value: "INC7".into() },
    ];
    assert_eq!(follow_up_candidates(&mail(raw), &configuration().settings), expected);
}

#[test]
fn a_long_thread_is_known_by_its_first_mail_and_ids_without_end_are_not_looked_for() {
    let looked_for = |count: usize| {
        let ids: Vec<String> = (0..count).map(|number| format!("<{number}@x.test>")).collect();
        references(&mail(&format!("References: {}", ids.join("\n "))))
    };
    assert_eq!(looked_for(2_000).last().map(String::as_str), Some("<0@x.test>"));
    let endless = looked_for(20_000);
    assert_eq!(endless.first().map(String::as_str), Some("<19999@x.test>"), "the newest are looked for");
    let bytes: usize = endless.iter().map(String::len).sum();
    assert!((100_000..=128 << 10).contains(&bytes), "{bytes} bytes of ids");
}

#[test]
fn further_follow_up_checks_are_settings() {
    let part = "Content-Disposition: attachment; filename=a.txt\n\nTicket#2026112400003\n";
    let inline = "Content-Disposition: inline; filename=b.txt\n\nTicket#2026112400004\n";
    let raw = format!(
        "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nTicket#2026112400002\n--x\n{inline}--x\n{part}--x--"
    );
    let mail = mail(&raw);
    let mut settings = Settings::default();
    assert_eq!(follow_up_candidates(&mail, &settings), []);
    settings.follow_up_checks = vec![FollowUpCheck::Body, FollowUpCheck::Attachment, FollowUpCheck::Raw];
    let number = |why, number: &str| FollowUpCandidate::Number(why, number.into());
    assert_eq!(
        follow_up_candidates(&mail, &settings),
        [
            number(WhyFollowUp::Body, "2026112400002"),
            number(WhyFollowUp::Attachment, "2026112400003"),
            number(WhyFollowUp::Raw, "2026112400002")
        ]
    );
}

#[test]
fn a_delivery_report_is_asked_first() {
    let raw = "Subject: [Ticket#2026112400001]\nContent-Type: multipart/report; boundary=d\n\n--d\nContent-Type: message/delivery-status\n\n\
               Action: failed\n--d\nContent-Type: message/rfc822\n\nMessage-ID: <orig@desk.test>\n--d--";
    let candidates = follow_up_candidates(&mail(raw), &configuration().settings);
    assert_eq!(candidates.first(), Some(&FollowUpCandidate::MessageId(WhyFollowUp::Bounce, "<orig@desk.test>".into())));
    assert_eq!(candidates.len(), 2);
}

#[test]
fn who_vouches_is_everybody_in_from_unless_it_is_ourselves_or_forged() {
    let senders = |header: &str| {
        follow_up_search(&mail(&format!("Subject: [Ticket#2026112400001]\n{header}")), &configuration()).senders
    };
    assert_eq!(senders("From: \"A\"@x.test, b@X.test."), [Mailbox::of("a@x.test"), Mailbox::of("b@x.test")]);
    let many = (0..11).map(|number| format!("a{number}@x.test")).collect::<Vec<_>>().join(", ");
    for nobody in [
        "From: nobody",
        "From: sales@desk.test",
        "From: jane@x.test, \"sales+x\"@desk.test.",
        "Authentication-Results: mx.desk.test; spf=fail\nFrom: jane@x.test",
        &format!("From: {many}"),
    ] {
        assert_eq!(senders(nobody), [], "{nobody}");
    }
    let authenticated = |header: &str| {
        let search = follow_up_search(&mail(&format!("Subject: [Ticket#2026112400001]\n{header}")), &configuration());
        assert_eq!(search.senders, [Mailbox::of("jane@x.test")], "{header}");
        search.authenticated
    };
    assert!(authenticated("Authentication-Results: mx.desk.test; dmarc=pass header.from=x.test\nFrom: jane@x.test"));
    assert!(!authenticated("Authentication-Results: mx.e.test; dmarc=pass header.from=x.test\nFrom: jane@x.test"));
    assert!(!authenticated("From: jane@x.test"));
    assert_eq!(
        follow_up_search(&mail("From: jane@x.test"), &configuration()),
        FollowUpSearch::default(),
        "there is nothing to vouch for"
    );
}

/// What becomes of a stranger's mail that names this ticket.
fn strangers(setting: UnvouchedNumbers, ticket: &Ticket) -> Filing {
    let mail = mail(
        "From: evil@e.test\nSubject: Re: [Ticket#2026112400001] Old matter\nX-OTOBO-FollowUp-IsVisibleForCustomer: 1",
    );
    let mut configuration = configuration();
    configuration.settings.unvouched_numbers = setting;
    let one = FoundTicket { ticket: ticket.clone(), why: WhyFollowUp::Subject, vouched: VouchedBy::ByNobody };
    let found = match setting {
        UnvouchedNumbers::NewTicket => TicketMatch { follow_up: None, passed_over: vec![one] },
        _ => TicketMatch { follow_up: Some(one), passed_over: Vec::new() },
    };
    let customers = CustomerLookup::default();
    decide(
        &mail,
        &Circumstances {
            configuration: &configuration,
            found: &found,
            customers: &customers,
            internal_mails: &[],
            now: NOW,
        },
    )
}

#[test]
fn a_follow_up_that_nobody_vouches_for_is_marked_and_told_nothing() {
    for (setting, queue, visible, kind) in [
        (UnvouchedNumbers::Mark, "Raw", true, FilingKind::FollowUp(WhyFollowUp::Subject)),
        (UnvouchedNumbers::Internal, "Raw", false, FilingKind::FollowUp(WhyFollowUp::Subject)),
        (UnvouchedNumbers::Mark, "Press", true, FilingKind::Rejected(WhyFollowUp::Subject)),
        (UnvouchedNumbers::Internal, "Press", false, FilingKind::Rejected(WhyFollowUp::Subject)),
    ] {
        let filing = strangers(setting, &ticket(queue, "closed successful"));
        assert_eq!(
            (&filing.kind, filing.article.unvouched, filing.article.visible_for_customer),
            (&kind, true, visible)
        );
        let warnings = filing.warnings.join("\n");
        assert!(
            warnings.contains("ticket 2026112400001, found by subject: nobody vouches for this mail from evil@e.test"),
            "{warnings}"
        );
        let plan = filing.auto_response.unwrap();
        assert_eq!(plan.suppressed.as_deref(), Some("nobody vouches for the ticket being its sender's"));
    }
}

#[test]
fn a_follow_up_that_an_address_alone_vouches_for_is_answered_to_that_address() {
    let decided = |vouched, queue: &str, state: &str, reply_to: &str| {
        let mail =
            mail(&format!("From: jane@x.test\nReply-To: {reply_to}\nSubject: Re: [Ticket#2026112400001] Old matter"));
        let found = FoundTicket { ticket: ticket(queue, state), why: WhyFollowUp::Subject, vouched };
        let filing = decide_as(&mail, &TicketMatch { follow_up: Some(found), passed_over: Vec::new() });
        let plan = filing.auto_response.unwrap();
        assert_eq!((plan.suppressed, filing.article.unvouched), (None, false));
        (filing.article.vouched_by_address, plan.name, plan.to.join(", "))
    };
    for (vouched, by_address) in [(VouchedBy::ByProof, false), (VouchedBy::ByAddress, true)] {
        for (queue, state, name) in [("Raw", "open", "more"), ("Press", "closed successful", "no")] {
            let to = if by_address { "jane@x.test" } else { "evil@e.test" };
            assert_eq!(
                decided(vouched, queue, state, "evil@e.test"),
                (by_address, name.to_owned(), to.to_owned()),
                "{vouched:?}"
            );
        }
        // A new ticket is its sender's own; that there was another, and that it is closed, is told to nobody else.
        let name = if by_address { "receipt" } else { "again" };
        let to = "evil@e.test".to_owned();
        assert_eq!(
            decided(vouched, "Desk", "closed successful", "evil@e.test"),
            (false, name.to_owned(), to),
            "{vouched:?}"
        );
        let to = "Jane@X.test".to_owned();
        assert_eq!(
            decided(vouched, "Desk", "closed successful", "Jane@X.test"),
            (false, "again".to_owned(), to),
            "{vouched:?}"
        );
    }
}

#[test]
fn a_number_that_nobody_vouches_for_can_make_a_new_ticket_that_tells_nothing_of_the_old_one() {
    let (open, closed) = (ticket("Raw", "open"), ticket("Desk", "closed successful"));
    for (setting, old, warned) in [(UnvouchedNumbers::NewTicket, &open, true), (UnvouchedNumbers::Mark, &closed, false)]
    {
        let filing = strangers(setting, old);
        assert_eq!(filing.kind, FilingKind::NewTicket { linked_to: Some(7) });
        assert_eq!((filing.article.subject.as_str(), filing.article.unvouched), ("Old matter", false));
        assert_eq!(
            filing.auto_response.map(|plan| plan.name).as_deref(),
            Some("receipt"),
            "it is no other answer than to any mail"
        );
        assert_eq!(filing.warnings.iter().any(|warning| warning.ends_with("it became a new ticket")), warned);
    }
}
