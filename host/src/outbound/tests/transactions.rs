//! Mail for more recipients than a server takes at once, while processes end and databases are away.

use super::*;

/// A server that takes one recipient at a time, and is silent at the second transaction.
async fn silent_between() -> Server {
    Server::start(&[("RCPT", Act::AtMost(1, "452 4.5.3 too many")), ("MAIL", Act::HangAfter(1))]).await
}

#[tokio::test]
async fn who_has_a_mail_gets_it_once_though_the_process_ends_between_two_transactions() {
    for (kind, other) in
        [(OutgoingKind::Reply, DeliveryStatus::Uncertain), (OutgoingKind::AutoResponse, DeliveryStatus::Waiting)]
    {
        let (post, server) = (Post::new().await, silent_between().await);
        let id = post.queue(kind, &["a@x.example", "b@x.example"], RAW).await;
        let claimed = post.claim(vec![(id, "t".into())]).await.remove(0);
        let trying = tokio::spawn(attempt(post.means.clone(), to(&server), Retries::default(), claimed));
        server.hears("MAIL", 2).await;
        trying.abort();
        assert!(trying.await.is_err_and(|ended| ended.is_cancelled()), "{kind}");
        assert_eq!(
            post.statuses(id).await,
            (OutgoingStatus::Sending, vec![DeliveryStatus::Sent, DeliveryStatus::Waiting])
        );
        assert_eq!(post.recover(Some("here"), 0).await, 1, "{kind}");
        assert_eq!(post.statuses(id).await, (OutgoingStatus::Waiting, vec![DeliveryStatus::Sent, other]), "{kind}");
        let back = Server::start(&[]).await;
        post.attempt(&to(&back), id).await;
        assert_eq!(back.commands("RCPT"), ["RCPT TO:<b@x.example>"], "{kind}");
        assert_eq!(post.statuses(id).await, (OutgoingStatus::Sent, vec![DeliveryStatus::Sent; 2]), "{kind}");
    }
}

#[tokio::test]
async fn whoever_was_taken_over_from_between_two_transactions_sends_to_nobody_else() {
    let (post, server) = (Post::new().await, Server::start(&[("RCPT", Act::AtMost(1, "452 4.5.3 too many"))]).await);
    let id = post.queue(OutgoingKind::Reply, &["a@x.example", "b@x.example"], RAW).await;
    let claimed = post.claim(vec![(id, "t".into())]).await.remove(0);
    post.store.execute("UPDATE outgoing SET claim = '1'").await;
    let tried = attempt(post.means.clone(), to(&server), Retries::default(), claimed).await;
    assert_eq!(server.contents().len(), 1, "the first transaction is before the first look at the claim");
    let settled =
        post.store.write(tried.outcome, |outcome, connection| Box::pin(outgoing::settle(connection, outcome))).await;
    assert!(matches!(settled, Err(StoreError::Fenced)), "{settled:?}");
}

#[tokio::test]
async fn what_a_report_said_of_a_recipient_meanwhile_stays() {
    let (post, server) = (Post::new().await, silent_between().await);
    let id = post.queue(OutgoingKind::Reply, &["a@x.example", "b@x.example"], RAW).await;
    let claimed = post.claim(vec![(id, "t".into())]).await.remove(0);
    let transport = Transport { timeout: 1, ..to(&server) };
    let trying = tokio::spawn(attempt(post.means.clone(), transport, Retries::default(), claimed));
    server.hears("MAIL", 2).await;
    post.store.execute("UPDATE delivery SET status = 'failed' WHERE recipient = 'a@x.example'").await;
    let tried = trying.await.unwrap();
    post.store
        .write(tried.outcome, |outcome, connection| Box::pin(outgoing::settle(connection, outcome)))
        .await
        .unwrap();
    let expected = vec![DeliveryStatus::Failed, DeliveryStatus::Delayed];
    assert_eq!(post.statuses(id).await, (OutgoingStatus::Waiting, expected));
}
