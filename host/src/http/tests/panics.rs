//! A handler that panics.

use super::harness::Api;
use crate::http::layered;
use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Asks over an open connection; gives the whole answer.
async fn ask(stream: &mut TcpStream, path: &str) -> String {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    loop {
        if let Some((head, body)) = answer.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return answer;
            }
        }
        let mut buffer = [0; 4_096];
        let count = stream.read(&mut buffer).await.unwrap();
        assert_ne!(count, 0, "the connection lives: {answer}");
        answer.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
}

#[tokio::test]
async fn a_handler_that_panics_is_a_problem_and_the_next_request_is_answered() {
    let api = Api::start().await;
    let word = "s3cret";
    let breaks = move || async move {
        assert!(word.is_empty(), "it must not be told: {word}");
        "never"
    };
    let routes = layered(Router::new().route("/breaks", get(breaks)).route("/works", get(async || "fine")))
        .with_state(api.state.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let answer = ask(&mut stream, "/breaks").await;
    assert!(
        answer.starts_with("HTTP/1.1 500 ") && answer.contains("content-type: application/problem+json"),
        "{answer}"
    );
    assert!(answer.contains("urn:postigo:problem:internal") && !answer.contains(word), "{answer}");
    assert!(answer.contains("x-content-type-options: nosniff"), "as every answer has: {answer}");
    let answer = ask(&mut stream, "/works").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("fine"), "on the same connection: {answer}");
    let told = postigo_supervision::broken()
        .into_iter()
        .find(|broken| broken.work == postigo_supervision::WorkKind::Request)
        .unwrap();
    assert!(told.why.contains("host/src/http/tests/panics.rs:") && !told.why.contains(word), "{}", told.why);
}
