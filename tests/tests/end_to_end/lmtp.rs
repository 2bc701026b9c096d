//! LMTP: mail that Postfix delivers.

use postigo_tests::postfix::{Options, Postfix};

#[test]
fn postfix_runs() {
    let options = Options { transports: vec![("example.org".into(), "lmtp:inet:127.0.0.1:9".into())], ..Options::default() };
    let Some(postfix) = Postfix::start(options) else { return };
    postfix.send("jane@example.com", &["support@example.org"], b"Subject: a\r\n\r\nb\r\n");
    assert_eq!(postfix.queued(), 1);
    println!("{}", postfix.log());
}
