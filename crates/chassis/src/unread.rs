//! Bodies that nobody reads to their end: a request is often refused by its head alone, or by what was read of it so far.
//!
//! A connection that is closed with bytes of the caller's still on their way is reset, and the reset can overtake the answer:
//! the caller learns that something broke, and not why. So the rest of such a body is taken in and thrown away, up to a bound,
//! while the answer goes out. Whoever announced to wait for it (`Expect: 100-continue`) and was not told to go on sends nothing,
//! and nothing is taken in.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header;
use http_body::{Frame, SizeHint};

/// Bytes that are taken in of a body that nobody reads: more than any body may have that is read.
const TAKEN_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How long that may take.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);

/// The request, of whose body whatever nobody reads is taken in. Must be called within a tokio runtime.
pub fn take_in(request: Request) -> Request {
    let waits = request.headers().contains_key(header::EXPECT);
    request.map(|body| match body.is_end_stream() {
        true => body,
        false => Body::new(TakenIn {
            body,
            comes: !waits,
        }),
    })
}

/// A body whose rest is taken in when it is dropped.
struct TakenIn {
    body: Body,
    /// Whether the caller sends it: at once, or because it was asked for.
    comes: bool,
}

impl HttpBody for TakenIn {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let next = Pin::new(&mut self.body).poll_frame(context);
        // Asked for its body, a caller who waits for that sends it; after the end nothing more comes.
        self.comes = !matches!(next, Poll::Ready(None | Some(Err(_))));
        next
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TakenIn {
    fn drop(&mut self) {
        if self.comes && !self.body.is_end_stream() {
            let rest = std::mem::take(&mut self.body);
            tokio::spawn(tokio::time::timeout(TAKEN_WITHIN, throw_away(rest)));
        }
    }
}

async fn throw_away(mut rest: Body) {
    let mut taken = 0;
    while taken < TAKEN_BYTES_MAX {
        let next = std::future::poll_fn(|context| Pin::new(&mut rest).poll_frame(context)).await;
        match next {
            Some(Ok(frame)) => taken += frame.data_ref().map_or(0, Bytes::len),
            Some(Err(_)) | None => return,
        }
    }
}
