//! Requests that are refused before their body has come, over real connections.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::map_request;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const MIB: usize = 1024 * 1024;
/// More than both ends of a connection buffer: whoever sends it notices when nobody takes it in.
const BODY: usize = 24 * MIB;

/// Refuses every body at `/` unread.
async fn connected() -> TcpStream {
    let whole = async |request: Request| chassis::unread::take_in(request);
    let router = Router::new()
        .route(
            "/",
            post(async || (StatusCode::PAYLOAD_TOO_LARGE, "too large")),
        )
        .route("/next", get(async || "next"))
        .layer(map_request(whole));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    TcpStream::connect(address).await.unwrap()
}

async fn say(stream: &mut TcpStream, head: &str) {
    let head = format!("{head}\r\nhost: test\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
}

/// Reads until the answer ends with `end`.
async fn answer(stream: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        let some = stream.read_buf(&mut read).await.unwrap();
        let text = String::from_utf8_lossy(&read);
        assert!(some > 0, "the connection ended after: {text}");
    }
    String::from_utf8(read).unwrap()
}

#[tokio::test]
async fn whoever_sends_a_refused_body_to_its_end_reads_the_answer_and_may_go_on() {
    let mut stream = connected().await;
    let head = format!("POST / HTTP/1.1\r\ncontent-length: {BODY}");
    say(&mut stream, &head).await;
    stream.write_all(&vec![b'x'; BODY]).await.unwrap();
    let told = answer(&mut stream, "too large").await;
    assert!(told.starts_with("HTTP/1.1 413"), "{told}");
    say(&mut stream, "GET /next HTTP/1.1").await;
    assert!(
        answer(&mut stream, "next")
            .await
            .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn the_answer_comes_before_the_body_has() {
    let mut stream = connected().await;
    let head = format!("POST / HTTP/1.1\r\ncontent-length: {BODY}");
    say(&mut stream, &head).await;
    answer(&mut stream, "too large").await;
}

#[tokio::test]
async fn of_a_body_without_end_a_bounded_part_is_taken_in() {
    let mut stream = connected().await;
    say(&mut stream, "POST / HTTP/1.1\r\ntransfer-encoding: chunked").await;
    let chunk = [b"100000\r\n".as_slice(), &vec![b'x'; MIB], b"\r\n"].concat();
    let mut sent = 0;
    while stream.write_all(&chunk).await.is_ok() {
        sent += MIB;
        assert!(sent < 256 * MIB, "it is taken in without end");
    }
    assert!(sent > BODY, "{sent}");
}

#[tokio::test]
async fn whoever_waits_to_be_told_to_go_on_is_told_no_and_sends_nothing() {
    let mut stream = connected().await;
    let head = format!("POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: {BODY}");
    say(&mut stream, &head).await;
    let told = answer(&mut stream, "too large").await;
    assert!(told.starts_with("HTTP/1.1 413"), "{told}");
}
