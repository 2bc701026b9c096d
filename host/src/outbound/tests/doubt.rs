//! Mail that may have arrived: it goes again, but not at once, and not for ever.

use super::*;

#[tokio::test]
async fn an_agents_mail_in_doubt_is_sent_again_after_a_pause_and_not_for_ever() {
    let post = Post::new().await;
    let id = post.queue(OutgoingKind::Reply, &["a@x.example"], RAW).await;
    let chosen = vec![(id, "t".to_owned())];
    assert_eq!(post.claim(chosen).await.len(), 1);
    assert_eq!(post.recover(Some("here"), 60_000).await, 1);
    assert!(post.claim(Vec::new()).await.is_empty(), "it waits for the pause");
    post.store.execute("UPDATE outgoing SET next_try_at = 0").await;
    for (begins, expected) in [
        (false, (OutgoingStatus::Waiting, 1)),
        (true, (OutgoingStatus::Waiting, 2)),
        (false, (OutgoingStatus::Waiting, 2)),
        (true, (OutgoingStatus::Uncertain, 3)),
    ] {
        let claimed = post.claim(Vec::new()).await.remove(0);
        assert_eq!(claimed.recipients, ["a@x.example"]);
        if begins {
            post.store
                .write(claimed.claim, |claim, connection| Box::pin(outgoing::begin_data(connection, claim)))
                .await
                .unwrap();
        }
        assert_eq!(post.recover(Some("here"), 0).await, 1);
        let (mail, _) = post.show(id).await;
        assert_eq!((mail.status, mail.uncertain_tries), expected, "content had begun: {begins}");
    }
    let notes = tickets::articles(&mut post.store.read().await.unwrap(), 7).await.unwrap();
    assert!(
        notes.len() == 1 && notes[0].content.body.contains("a@x.example: The program ended while"),
        "agents are told, once"
    );
}

#[tokio::test]
async fn who_may_have_a_mail_is_not_sent_it_for_ever_while_another_waits() {
    let acts = [("RCPT TO:<later@", Act::Say("451 4.7.1 greylisted")), (".", Act::Cut)];
    let (post, server) = (Post::new().await, Server::start(&acts).await);
    let id = post.queue(OutgoingKind::Reply, &["a@x.example", "later@x.example"], RAW).await;
    for _ in 0..5 {
        post.attempt(&to(&server), id).await;
    }
    assert_eq!(server.commands("RCPT TO:<a@").len(), 3);
    assert_eq!(server.commands("RCPT TO:<later@").len(), 5);
    assert_eq!(
        post.statuses(id).await,
        (OutgoingStatus::Waiting, vec![DeliveryStatus::Uncertain, DeliveryStatus::Delayed])
    );
    let notes = tickets::articles(&mut post.store.read().await.unwrap(), 7).await.unwrap();
    assert!(notes.len() == 1 && notes[0].content.body.contains("may have arrived"), "agents are told, once");
    let back = Server::start(&[]).await;
    post.attempt(&to(&back), id).await;
    assert_eq!(
        post.statuses(id).await,
        (OutgoingStatus::Uncertain, vec![DeliveryStatus::Uncertain, DeliveryStatus::Sent])
    );
}

#[tokio::test]
async fn what_the_database_refuses_puts_a_mail_off() {
    let (post, server) = (Post::new().await, Server::start(&[]).await);
    let id = post.queue(OutgoingKind::AutoResponse, &["a@x.example"], RAW).await;
    let trigger = "CREATE TRIGGER cursed BEFORE UPDATE ON outgoing WHEN NEW.data_begun = 1 BEGIN SELECT RAISE(ABORT, 'cursed'); END";
    post.store.execute(trigger).await;
    post.attempt(&to(&server), id).await;
    assert_eq!(post.statuses(id).await, (OutgoingStatus::Waiting, vec![DeliveryStatus::Delayed]));
    post.store.execute("DROP TRIGGER cursed").await;
    post.attempt(&to(&server), id).await;
    assert_eq!(post.statuses(id).await, (OutgoingStatus::Sent, vec![DeliveryStatus::Sent]));
}
