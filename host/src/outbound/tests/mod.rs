//! One try after another against a server that answers as it is told, over a real store.

mod doubt;
mod server;
mod transactions;

use super::attempt::{Means, TransportHealth, attempt};
use crate::oauth2::Tokens;
use crate::secret_key::SecretKey;
use crate::store::outgoing::{
    self, ClaimedMail, Delivery, ForTransport, MailClaimQuery, MailClaims, NewOutgoing, OutgoingMail, RecoverQuery,
    SendableMail,
};
use crate::store::{Location, Store, StoreError, configuration, tickets};
use postigo_model::actor::Actor;
use postigo_model::configured::{ConfigurationVersion, Retries, Transport, TransportKind};
use postigo_model::outgoing::{DeliveryStatus, OutgoingKind, OutgoingStatus};
use postigo_model::timestamp::now;
use server::{Act, Server};

const RAW: &[u8] = b"Subject: x\r\n\r\n.\r\n..two\r\nlast\r\n";

struct Post {
    store: Store,
    means: Means,
    _folder: tempfile::TempDir,
}

impl Post {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let tokens = Tokens::new(store.clone(), SecretKey::at(folder.path().join("key")));
        Self { means: Means::new(store.clone(), tokens, std::sync::Arc::default()), store, _folder: folder }
    }

    async fn queue(&self, kind: OutgoingKind, recipients: &[&str], raw: &[u8]) -> i64 {
        let composed = SendableMail {
            sender: "support@desk.example".into(),
            queue: "Support".into(),
            recipients: recipients.iter().map(|recipient| (*recipient).to_owned()).collect(),
            message_id: "<1@desk.example>".into(),
            raw: vec![raw.to_vec().into()],
            ..SendableMail::default()
        };
        let new = NewOutgoing { kind, ticket_id: 7, article_id: 0, composed, now: now() };
        self.store.write(new, |new, connection| Box::pin(outgoing::queue(connection, new))).await.unwrap()
    }

    async fn claim(&self, chosen: Vec<(i64, String)>) -> Vec<ClaimedMail> {
        let transports = vec![ForTransport { name: "t".into(), limit: 10 }];
        let version = configuration::version(&self.store).await.unwrap();
        match self.claim_by(version, chosen, transports).await {
            MailClaims::Mails(claimed) => claimed,
            behind @ MailClaims::Behind(_) => panic!("{behind:?}"),
        }
    }

    async fn claim_by(
        &self,
        configuration: ConfigurationVersion,
        chosen: Vec<(i64, String)>,
        transports: Vec<ForTransport>,
    ) -> MailClaims {
        let (engine, host) = (self.store.engine(), "here".into());
        let claiming = MailClaimQuery { engine, host, configuration, chosen, transports };
        self.store
            .write(claiming, |claiming, connection| Box::pin(outgoing::claim(connection, claiming)))
            .await
            .unwrap()
    }

    /// Claims a mail, tries once, and settles; gives why the transport could not be used, if so.
    async fn attempt(&self, transport: &Transport, id: i64) -> Option<String> {
        let claimed = self.claim(vec![(id, "t".into())]).await.remove(0);
        let tried = attempt(
            self.means.clone(),
            transport.clone(),
            Retries { retry_increment: 0, ..Retries::default() },
            claimed,
        )
        .await;
        self.store
            .write(tried.outcome, |outcome, connection| Box::pin(outgoing::settle(connection, outcome)))
            .await
            .unwrap();
        match tried.transport {
            TransportHealth::Unreachable(why) => Some(why),
            TransportHealth::Works | TransportHealth::Unknown => None,
        }
    }

    /// Takes claims back, as a process does that begins on this data folder, or on another (none).
    async fn recover(&self, host: Option<&str>, pause: i64) -> u64 {
        let recovering = RecoverQuery { engine: self.store.engine(), host: host.map(str::to_owned), pause, now: now() };
        self.store
            .write(recovering, |recovering, connection| Box::pin(outgoing::recover(connection, recovering)))
            .await
            .unwrap()
    }

    async fn show(&self, id: i64) -> (OutgoingMail, Vec<Delivery>) {
        outgoing::show(&mut self.store.read().await.unwrap(), id).await.unwrap().unwrap()
    }

    async fn statuses(&self, id: i64) -> (OutgoingStatus, Vec<DeliveryStatus>) {
        let (mail, deliveries) = self.show(id).await;
        (mail.status, deliveries.into_iter().map(|delivery| delivery.status).collect())
    }
}

fn to(server: &Server) -> Transport {
    let port = Some(server.port);
    Transport {
        name: "t".into(),
        kind: TransportKind::Smtp,
        host: "127.0.0.1".into(),
        port,
        timeout: 5,
        ..Transport::default()
    }
}

#[tokio::test]
async fn a_mail_arrives_as_it_is() {
    let (post, server) = (Post::new().await, Server::start(&[]).await);
    let id = post.queue(OutgoingKind::Reply, &["a@bücher.example", "b@x.example"], RAW).await;
    assert_eq!(post.attempt(&to(&server), id).await, None);
    assert_eq!(post.statuses(id).await, (OutgoingStatus::Sent, vec![DeliveryStatus::Sent; 2]));
    assert_eq!(server.commands("MAIL"), ["MAIL FROM:<support@desk.example> SIZE=30"]);
    assert_eq!(server.commands("RCPT"), ["RCPT TO:<a@xn--bcher-kva.example>", "RCPT TO:<b@x.example>"]);
    assert_eq!(server.contents(), ["Subject: x\r\n\r\n..\r\n...two\r\nlast\r\n.\r\n"]);
}

#[tokio::test]
async fn a_refusal_at_any_step_is_told_from_a_delay() {
    for step in ["MAIL", "RCPT", "DATA", "."] {
        for (answer, expected) in
            [("450 4.2.0 later", DeliveryStatus::Delayed), ("550 5.1.1 never", DeliveryStatus::Failed)]
        {
            let (post, server) = (Post::new().await, Server::start(&[(step, Act::Say(answer))]).await);
            let id = post.queue(OutgoingKind::Reply, &["a@x.example"], RAW).await;
            assert_eq!(post.attempt(&to(&server), id).await, None);
            let (mail, deliveries) = post.show(id).await;
            let status =
                if expected == DeliveryStatus::Failed { OutgoingStatus::Failed } else { OutgoingStatus::Waiting };
            assert_eq!((mail.status, mail.uncertain_tries), (status, 0), "{step} {answer}");
            assert_eq!((deliveries[0].status, deliveries[0].detail.as_str()), (expected, answer), "{step}");
            let notes = tickets::articles(&mut post.store.read().await.unwrap(), 7).await.unwrap();
            assert_eq!(
                notes.len(),
                usize::from(expected == DeliveryStatus::Failed),
                "agents are told of what is lost, and of that alone"
            );
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_doubt_only_after_the_whole_content() {
    for step in ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "."] {
        for kind in [OutgoingKind::Reply, OutgoingKind::AutoResponse] {
            let (post, server) = (Post::new().await, Server::start(&[(step, Act::Cut)]).await);
            let id = post.queue(kind, &["a@x.example"], RAW).await;
            let unreachable = post.attempt(&to(&server), id).await;
            assert_eq!(unreachable.is_some(), matches!(step, "GREETING" | "EHLO"), "{step}: {unreachable:?}");
            let (mail, deliveries) = post.show(id).await;
            let doubt = step == ".";
            assert_eq!(mail.uncertain_tries, i64::from(doubt), "{step}");
            let expected =
                if doubt && kind.is_automatic() { OutgoingStatus::Uncertain } else { OutgoingStatus::Waiting };
            assert_eq!(mail.status, expected, "{step} {kind}");
            assert_eq!(deliveries[0].status == DeliveryStatus::Uncertain, doubt, "{step} {kind}");
            // A server that is back gets what may be sent again, under the same Message-ID.
            let back = Server::start(&[]).await;
            if mail.status == OutgoingStatus::Waiting {
                post.attempt(&to(&back), id).await;
                assert_eq!(
                    post.statuses(id).await,
                    (OutgoingStatus::Sent, vec![DeliveryStatus::Sent]),
                    "{step} {kind}"
                );
            }
        }
    }
}

#[tokio::test]
async fn each_recipient_has_an_answer_of_its_own() {
    let acts = [("RCPT TO:<no@", Act::Say("550 5.1.1 unknown")), ("RCPT TO:<later@", Act::Say("451 4.7.1 greylisted"))];
    let (post, server) = (Post::new().await, Server::start(&acts).await);
    let id = post.queue(OutgoingKind::Reply, &["later@x.example", "no@x.example", "yes@x.example"], RAW).await;
    post.attempt(&to(&server), id).await;
    let expected = vec![DeliveryStatus::Delayed, DeliveryStatus::Failed, DeliveryStatus::Sent];
    assert_eq!(post.statuses(id).await, (OutgoingStatus::Waiting, expected));
    let notes = tickets::articles(&mut post.store.read().await.unwrap(), 7).await.unwrap();
    let note = &notes[0].content;
    assert!(!note.visible_for_customer && note.body.contains("no@x.example: 550 5.1.1 unknown"), "{}", note.body);
    let back = Server::start(&[]).await;
    post.attempt(&to(&back), id).await;
    assert_eq!(back.commands("RCPT"), ["RCPT TO:<later@x.example>"], "who has it does not get it twice");
    let expected = vec![DeliveryStatus::Sent, DeliveryStatus::Failed, DeliveryStatus::Sent];
    assert_eq!(post.statuses(id).await, (OutgoingStatus::Failed, expected));
}

#[tokio::test]
async fn recipients_beyond_what_a_server_takes_at_once_follow_in_further_transactions() {
    for answer in ["452 4.5.3 too many recipients", "552 too many recipients", "552 5.5.3 too many"] {
        let (post, server) = (Post::new().await, Server::start(&[("RCPT", Act::AtMost(2, answer))]).await);
        let people: Vec<String> = (1..=5).map(|number| format!("{number}@x.example")).collect();
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        let id = post.queue(OutgoingKind::AutoResponse, &people, RAW).await;
        post.attempt(&to(&server), id).await;
        assert_eq!(post.statuses(id).await, (OutgoingStatus::Sent, vec![DeliveryStatus::Sent; 5]), "{answer}");
        assert_eq!((server.contents().len(), server.seen.lock().unwrap().connections), (3, 1), "{answer}");
        let mut taken = server.commands("");
        taken.retain(|command| command.starts_with("RCPT") || command == ".");
        assert_eq!(
            taken.join(" ").replace("RCPT TO:", "").replace("@x.example", ""),
            "<1> <2> <3> . <3> <4> <5> . <5> .",
            "{answer}"
        );
    }
    // Where not even one is taken, it is that recipient's own answer.
    for (answer, expected) in
        [("552 5.2.2 mailbox full", DeliveryStatus::Failed), ("452 4.2.2 mailbox full", DeliveryStatus::Delayed)]
    {
        let (post, server) = (Post::new().await, Server::start(&[("RCPT TO:<full@", Act::Say(answer))]).await);
        let id = post.queue(OutgoingKind::Reply, &["a@x.example", "full@x.example", "b@x.example"], RAW).await;
        post.attempt(&to(&server), id).await;
        let (_, deliveries) = post.show(id).await;
        for delivery in deliveries {
            let due = if delivery.recipient.starts_with("full") { expected } else { DeliveryStatus::Sent };
            assert_eq!(delivery.status, due, "{answer}: {}", delivery.recipient);
        }
        assert_eq!(server.contents().len(), 1, "{answer}");
    }
    // A limit of the whole connection is no refusal of those behind it either.
    for answer in ["452 4.5.3 too many recipients", "552 5.5.3 too many"] {
        let (post, server) = (Post::new().await, Server::start(&[("RCPT", Act::AtMostInAll(2, answer))]).await);
        let id = post.queue(OutgoingKind::Reply, &["a@x.example", "b@x.example", "c@x.example"], RAW).await;
        post.attempt(&to(&server), id).await;
        let expected = vec![DeliveryStatus::Sent, DeliveryStatus::Sent, DeliveryStatus::Delayed];
        assert_eq!(post.statuses(id).await, (OutgoingStatus::Waiting, expected), "{answer}");
    }
    let (post, server) = (Post::new().await, Server::start(&[("RCPT", Act::AtMost(0, "552 no"))]).await);
    let id = post.queue(OutgoingKind::Reply, &["a@x.example"], RAW).await;
    post.attempt(&to(&server), id).await;
    assert_eq!(post.statuses(id).await.1, [DeliveryStatus::Failed]);
}

#[tokio::test]
async fn a_connection_that_ends_between_two_transactions_sends_nobody_the_mail_twice() {
    for act in [Act::CutAfter(1), Act::SayAfter(1, "421 one mail a connection")] {
        let acts = [("RCPT", Act::AtMost(1, "452 4.5.3 too many")), ("MAIL", act)];
        let (post, server) = (Post::new().await, Server::start(&acts).await);
        let id = post.queue(OutgoingKind::Reply, &["a@x.example", "b@x.example"], RAW).await;
        post.attempt(&to(&server), id).await;
        let expected = vec![DeliveryStatus::Sent, DeliveryStatus::Delayed];
        assert_eq!(post.statuses(id).await, (OutgoingStatus::Waiting, expected));
        post.attempt(&to(&server), id).await;
        assert_eq!(post.statuses(id).await, (OutgoingStatus::Sent, vec![DeliveryStatus::Sent; 2]));
        assert_eq!(server.contents().len(), 2);
    }
}

#[tokio::test]
async fn a_server_without_ehlo_is_greeted_by_helo() {
    for refusal in ["500 what?", "502 5.5.1 not implemented", "504 no", "550 no EHLO here"] {
        let (post, server) = (Post::new().await, Server::start(&[("EHLO", Act::Say(refusal))]).await);
        let id = post.queue(OutgoingKind::Reply, &["a@x.example"], RAW).await;
        assert_eq!(post.attempt(&to(&server), id).await, None, "{refusal}");
        assert_eq!(post.statuses(id).await.0, OutgoingStatus::Sent, "{refusal}");
        assert_eq!(server.commands("HELO").len(), 1, "{refusal}");
        assert_eq!(server.commands("MAIL"), ["MAIL FROM:<support@desk.example>"], "it offers nothing");
    }
    // "Not now" is no reason to try another greeting, and who refuses both is believed.
    for (acts, helos) in [
        (vec![("EHLO", Act::Say("421 4.3.2 busy"))], 0),
        (vec![("EHLO", Act::Say("550 5.7.1 blocked")), ("HELO", Act::Say("550 no"))], 1),
    ] {
        let (post, server) = (Post::new().await, Server::start(&acts).await);
        let id = post.queue(OutgoingKind::Reply, &["a@x.example"], RAW).await;
        let unreachable = post.attempt(&to(&server), id).await.unwrap();
        let Act::Say(words) = acts[0].1 else { unreachable!() };
        assert!(unreachable.contains("did not answer EHLO") && unreachable.contains(words), "{unreachable}");
        assert_eq!(server.commands("HELO").len(), helos);
    }
}

#[tokio::test]
async fn odd_words_of_a_server_change_nothing() {
    let acts = [
        ("GREETING", Act::SayBytes(b"220-wel\x01come\r\n to\xff us\r\n\r\n220 ready")),
        (
            "EHLO",
            Act::SayBytes(b"250-mx \xfc\r\n250-X\x02 \xff\r\n250-\r\n  SMTPUTF8\r\n250-\"quoted\"\r\n250 SIZE 1000"),
        ),
        ("MAIL", Act::SayBytes(b"250-2.1.0\r\nfine\r\n250 \xe4")),
    ];
    let (post, server) = (Post::new().await, Server::start(&acts).await);
    let id = post.queue(OutgoingKind::Reply, &["a@x.example"], RAW).await;
    assert_eq!(post.attempt(&to(&server), id).await, None);
    assert_eq!(post.statuses(id).await.0, OutgoingStatus::Sent);
    assert_eq!(server.commands("MAIL"), ["MAIL FROM:<support@desk.example> SIZE=30"]);
}

#[tokio::test]
async fn what_a_server_cannot_take_is_not_sent_to_it() {
    let (post, server) = (Post::new().await, Server::start(&[]).await);
    let long = [RAW, &vec![b'x'; 5_000_000]].concat();
    for (recipient, raw, why) in [
        ("jürgen@x.example", RAW, "SMTPUTF8"),
        ("a@x.example", &long, "5000000 at most"),
        ("a@x y", RAW, "is no address"),
    ] {
        let id = post.queue(OutgoingKind::Reply, &[recipient], raw).await;
        post.attempt(&to(&server), id).await;
        let (mail, _) = post.show(id).await;
        assert!(mail.status == OutgoingStatus::Failed && mail.error.contains(why), "{recipient}: {}", mail.error);
    }
    assert!(server.commands("MAIL").is_empty());
}

#[tokio::test]
async fn a_transport_that_cannot_be_used_costs_a_mail_no_try() {
    let (post, server) = (Post::new().await, Server::start(&[("AUTH", Act::Say("535 5.7.8 wrong"))]).await);
    let id = post.queue(OutgoingKind::Reply, &["a@x.example"], RAW).await;
    let stripped = Transport { kind: TransportKind::SmtpStartTls, ..to(&server) };
    let remote = Transport {
        user: "u".into(),
        password: Some(postigo_model::configured::Secret::new("secret-word")),
        ..to(&server)
    };
    for (transport, why) in
        [(stripped, "offers no STARTTLS"), (remote, "refuses the sign-in of \"u\": 535 5.7.8 wrong")]
    {
        let unreachable = post.attempt(&transport, id).await.unwrap();
        assert!(unreachable.contains(why) && !unreachable.contains("secret-word"), "{unreachable}");
        let (mail, _) = post.show(id).await;
        assert_eq!((mail.status, mail.tries, mail.error.as_str()), (OutgoingStatus::Waiting, 0, unreachable.as_str()));
    }
    assert!(server.commands("MAIL").is_empty());
}

#[tokio::test]
async fn a_connection_carries_many_mails_and_a_dead_one_is_replaced() {
    let (post, server) = (Post::new().await, Server::start(&[]).await);
    for _ in 0..3 {
        let id = post.queue(OutgoingKind::Reply, &["a@x.example"], RAW).await;
        post.attempt(&to(&server), id).await;
        assert_eq!(post.statuses(id).await.0, OutgoingStatus::Sent);
    }
    assert_eq!(server.seen.lock().unwrap().connections, 1);
    assert_eq!(server.contents().len(), 3);
}

#[tokio::test]
async fn a_server_that_ends_the_connection_after_a_mail_costs_the_next_no_try() {
    for act in [Act::CutAfter(1), Act::SayAfter(1, "421 4.4.2 one mail a connection")] {
        let (post, server) = (Post::new().await, Server::start(&[("MAIL", act.clone())]).await);
        for _ in 0..3 {
            let id = post.queue(OutgoingKind::Reply, &["a@x.example"], RAW).await;
            post.attempt(&to(&server), id).await;
            assert_eq!(
                (post.show(id).await.0.status, post.show(id).await.0.tries),
                (OutgoingStatus::Sent, 1),
                "{act:?}"
            );
        }
        assert_eq!(server.seen.lock().unwrap().connections, 3, "{act:?}");
        assert_eq!(server.contents().len(), 3, "{act:?}");
    }
    // On a new connection it is the server's answer to this mail.
    let (post, server) = (Post::new().await, Server::start(&[("MAIL", Act::SayAfter(0, "421 4.3.2 not now"))]).await);
    let id = post.queue(OutgoingKind::Reply, &["a@x.example"], RAW).await;
    post.attempt(&to(&server), id).await;
    assert_eq!(post.statuses(id).await, (OutgoingStatus::Waiting, vec![DeliveryStatus::Delayed]));
    assert_eq!(server.seen.lock().unwrap().connections, 1);
}

#[tokio::test]
async fn an_answer_that_is_no_utf8_is_an_answer() {
    let server = Server::start(&[(".", Act::SayBytes(b"250 2.0.0 \xfcbernommen"))]).await;
    let post = Post::new().await;
    let id = post.queue(OutgoingKind::AutoResponse, &["a@x.example"], RAW).await;
    post.attempt(&to(&server), id).await;
    let (mail, deliveries) = post.show(id).await;
    assert_eq!(mail.status, OutgoingStatus::Sent);
    assert_eq!(deliveries[0].detail, "250 2.0.0 \u{fffd}bernommen");
}

#[tokio::test]
async fn an_answer_counts_by_its_first_digit_whatever_the_others_are() {
    for (step, answer, expected) in [
        ("RCPT TO:<a@", "571 5.7.1 no", DeliveryStatus::Failed),
        ("RCPT TO:<a@", "250", DeliveryStatus::Sent),
        ("RCPT TO:<a@", "354 what", DeliveryStatus::Delayed),
        (".", "250", DeliveryStatus::Sent),
        (".", "299 taken", DeliveryStatus::Sent),
        (".", "571", DeliveryStatus::Failed),
        (".", "354 go on", DeliveryStatus::Uncertain),
    ] {
        let (post, server) = (Post::new().await, Server::start(&[(step, Act::Say(answer))]).await);
        let id = post.queue(OutgoingKind::Reply, &["a@x.example"], RAW).await;
        post.attempt(&to(&server), id).await;
        assert_eq!(post.statuses(id).await.1, [expected], "{step} {answer}");
    }
    // One recipient's answer is nothing to the others.
    let (post, server) = (Post::new().await, Server::start(&[("RCPT TO:<a@", Act::Say("571 5.7.1 no"))]).await);
    let id = post.queue(OutgoingKind::Reply, &["a@x.example", "b@x.example"], RAW).await;
    post.attempt(&to(&server), id).await;
    assert_eq!(post.statuses(id).await.1, [DeliveryStatus::Failed, DeliveryStatus::Sent]);
}

#[tokio::test]
async fn a_server_that_refuses_a_mail_while_it_comes_and_hangs_up_is_not_sent_it_again() {
    let text = format!("Subject: x\r\n\r\n{}", "abc\r\n".repeat(900_000));
    for (answer, expected) in
        [("552 5.3.4 too large", DeliveryStatus::Failed), ("452 4.3.1 full", DeliveryStatus::Delayed)]
    {
        let (post, server) = (Post::new().await, Server::start(&[("CONTENT", Act::Say(answer))]).await);
        let id = post.queue(OutgoingKind::Reply, &["a@x.example"], text.as_bytes()).await;
        post.attempt(&to(&server), id).await;
        let (mail, deliveries) = post.show(id).await;
        assert_eq!((deliveries[0].status, deliveries[0].detail.as_str(), mail.uncertain_tries), (expected, answer, 0));
    }
}

#[tokio::test]
async fn a_mail_of_many_parts_arrives_as_it_is_and_says_whether_it_has_eight_bits() {
    let (post, server) = (Post::new().await, Server::start(&[]).await);
    for (line, body) in [("abc.\r\n", ""), ("ab\u{fc}\r\n", " BODY=8BITMIME")] {
        let text = format!("Subject: x\r\n\r\n{}", line.repeat(500_000));
        let id = post.queue(OutgoingKind::Reply, &["a@x.example"], text.as_bytes()).await;
        post.attempt(&to(&server), id).await;
        assert_eq!(post.statuses(id).await.0, OutgoingStatus::Sent);
        assert!(server.contents().pop().unwrap() == format!("{text}.\r\n"));
        assert_eq!(
            server.commands("MAIL").pop().unwrap(),
            format!("MAIL FROM:<support@desk.example> SIZE={}{body}", text.len())
        );
    }
}

#[tokio::test]
async fn a_mail_whose_bytes_are_gone_is_not_sent_in_part() {
    let (post, server) = (Post::new().await, Server::start(&[]).await);
    let id = post.queue(OutgoingKind::Reply, &["a@x.example"], &vec![b'x'; 3_000_000]).await;
    post.store.execute(format!("DELETE FROM outgoing_raw WHERE part = 2 AND outgoing_id = {id}")).await;
    post.attempt(&to(&server), id).await;
    let (mail, _) = post.show(id).await;
    assert!(mail.status == OutgoingStatus::Failed && mail.error.contains("has not the bytes"), "{}", mail.error);
    assert!(server.contents().is_empty());
    let raw = outgoing::raw(&mut post.store.read().await.unwrap(), id).await;
    assert!(
        matches!(&raw, Err(StoreError::NotFound(why)) if why.contains("2097152 of 3000000")),
        "{:?}",
        raw.map(|_| ())
    );
    // Those of a mail that follows go over another connection.
    let next = post.queue(OutgoingKind::Reply, &["a@x.example"], RAW).await;
    post.attempt(&to(&server), next).await;
    assert_eq!(post.statuses(next).await.0, OutgoingStatus::Sent);
    // None of it is there: it is said at once.
    post.store.execute(format!("DELETE FROM outgoing_raw WHERE outgoing_id = {id}")).await;
    let retried = post
        .store
        .write((vec![id], now()), |(ids, now), connection| {
            Box::pin(outgoing::retry(connection, ids, &Actor::Daemon, *now))
        })
        .await
        .unwrap_err();
    assert!(retried.to_string().contains("not kept any more"), "{retried}");
    assert_eq!(post.show(id).await.0.status, OutgoingStatus::Failed);
}

#[tokio::test]
async fn a_mail_of_which_nothing_can_be_written_ends_as_uncertain() {
    let (post, server) = (Post::new().await, Server::start(&[(".", Act::Say("250 2.0.0 cursed"))]).await);
    let id = post.queue(OutgoingKind::Reply, &["a@x.example"], RAW).await;
    let trigger = "CREATE TRIGGER cursed BEFORE UPDATE ON delivery WHEN NEW.detail LIKE '250%cursed' BEGIN SELECT RAISE(ABORT, 'cursed'); END";
    post.store.execute(trigger).await;
    let claimed = post.claim(vec![(id, "t".into())]).await.remove(0);
    let tried = attempt(post.means.clone(), to(&server), Retries::default(), claimed).await;
    super::settle::settle(&post.store, &tried.outcome, &crate::metrics::Metrics::default()).await;
    let (mail, deliveries) = post.show(id).await;
    assert_eq!((mail.status, deliveries[0].status), (OutgoingStatus::Uncertain, DeliveryStatus::Uncertain));
    assert!(mail.error.contains("could not be written") && mail.error.contains("cursed"), "{}", mail.error);
}

#[tokio::test]
async fn who_is_behind_the_configuration_chooses_and_claims_nothing() {
    let post = Post::new().await;
    let id = post.queue(OutgoingKind::Reply, &["a@x.example"], RAW).await;
    let now = configuration::version(&post.store).await.unwrap();
    let wanted = || vec![ForTransport { name: "t".into(), limit: 10 }];
    let earlier = ConfigurationVersion { number: now.number - 1, ..now };
    // Of a database that was put back and changed anew.
    let other = ConfigurationVersion { stamp: now.stamp + 1, ..now };
    for before in [earlier, other] {
        let behind = post.claim_by(before, vec![(id, "t".into())], wanted()).await;
        assert_eq!(behind, MailClaims::Behind(now));
    }
    let open = outgoing::unassigned(&mut post.store.read().await.unwrap(), 10).await.unwrap();
    assert_eq!(open.len(), 1, "the way that was chosen by what is no longer in force is not written");
    let claimed = post.claim_by(now, vec![(id, "t".into())], wanted()).await;
    assert!(matches!(&claimed, MailClaims::Mails(mails) if mails.len() == 1), "{claimed:?}");
}

#[tokio::test]
async fn no_two_processes_get_the_same_mail_and_a_dead_ones_is_taken_up() {
    let post = Post::new().await;
    let people = post.queue(OutgoingKind::Reply, &["a@x.example"], RAW).await;
    let begun = post.queue(OutgoingKind::AutoResponse, &["a@x.example"], RAW).await;
    let not_begun = post.queue(OutgoingKind::AutoResponse, &["a@x.example"], RAW).await;
    let all = [people, begun, not_begun];
    let claimed = post.claim(all.map(|id| (id, "t".to_owned())).to_vec()).await;
    assert_eq!(claimed.len(), 3);
    assert!(post.claim(Vec::new()).await.is_empty());
    let mark = |claim| post.store.write(claim, |claim, connection| Box::pin(outgoing::begin_data(connection, claim)));
    let claim = claimed.iter().find(|claimed| claimed.claim.id == begun).unwrap().claim;
    mark(claim).await.unwrap();
    assert_eq!(post.recover(None, 0).await, 0, "their claims are in force");
    assert_eq!(post.recover(Some("here"), 0).await, 3);
    let statuses = [post.show(people).await.0, post.show(begun).await.0, post.show(not_begun).await.0]
        .map(|mail| (mail.status, mail.uncertain_tries));
    assert_eq!(statuses, [(OutgoingStatus::Waiting, 1), (OutgoingStatus::Uncertain, 1), (OutgoingStatus::Waiting, 0)]);
    assert!(matches!(mark(claim).await, Err(StoreError::Fenced)), "who comes back late sends nothing");
    assert_eq!(post.claim(Vec::new()).await.len(), 2);
}

#[tokio::test]
async fn a_mail_that_was_given_up_can_be_tried_again_and_one_that_waits_cancelled() {
    let (post, server) = (Post::new().await, Server::start(&[("RCPT", Act::Say("550 no"))]).await);
    let (id, other) = (
        post.queue(OutgoingKind::Reply, &["a@x.example"], RAW).await,
        post.queue(OutgoingKind::Reply, &["b@x.example"], RAW).await,
    );
    post.attempt(&to(&server), id).await;
    let change = async |ids: &[i64], retry: bool| {
        let input = (ids.to_vec(), now(), retry);
        post.store
            .write(input, |(ids, now, retry), connection| {
                Box::pin(async move {
                    if *retry {
                        outgoing::retry(connection, ids, &Actor::Daemon, *now).await
                    } else {
                        outgoing::cancel(connection, ids, &Actor::Daemon, *now).await
                    }
                })
            })
            .await
    };
    assert!(change(&[other, id], false).await.is_err(), "a mail that failed is not cancelled");
    assert_eq!(post.show(other).await.0.status, OutgoingStatus::Waiting, "then none is");
    change(&[other], false).await.unwrap();
    assert_eq!(post.show(other).await.0.status, OutgoingStatus::Cancelled);
    change(&[id, other], true).await.unwrap();
    assert!(change(&[99], true).await.unwrap_err().to_string().contains("no outgoing mail 99"));
    let back = Server::start(&[]).await;
    post.attempt(&to(&back), id).await;
    assert_eq!(post.statuses(id).await, (OutgoingStatus::Sent, vec![DeliveryStatus::Sent]));
    assert!(change(&[id], true).await.unwrap_err().to_string().contains("is sent"));
}
