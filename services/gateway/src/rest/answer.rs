//! Answers: JSON, or a problem (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use interfaces::Problem;
use serde::Serialize;

/// What a handler gives back.
pub(crate) type Answer<T> = Result<Json<T>, Refusal>;

/// A problem on its way to the caller.
#[derive(Debug)]
pub(crate) struct Refusal {
    problem: Problem,
    retry_after_seconds: Option<u64>,
}

impl Refusal {
    /// A problem after which the caller should wait.
    pub(crate) fn later(problem: Problem, seconds: u64) -> Refusal {
        Refusal {
            problem,
            retry_after_seconds: Some(seconds),
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Refusal {
        let retry_after_seconds = (problem.status == 503).then_some(1);
        Refusal {
            problem,
            retry_after_seconds,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.problem).unwrap_or_default();
        let mut response = (
            status,
            [(header::CONTENT_TYPE, "application/problem+json")],
            body,
        )
            .into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// 200 with JSON.
pub(crate) fn ok<T: Serialize>(value: T) -> Answer<T> {
    Ok(Json(value))
}

/// 413, naming the limit.
pub(crate) fn too_large(limit: usize) -> Problem {
    Problem::new(
        413,
        "too-large",
        "Too large",
        format!("the body has more than {limit} bytes"),
    )
}

/// 504: nothing came of it in time.
pub(crate) fn too_slow() -> Problem {
    Problem::new(
        504,
        "timeout",
        "No answer in time",
        "the request took too long; it may or may not have taken effect",
    )
}

/// 503: as many event streams are open as this gateway serves.
pub(crate) fn too_many_streams() -> Problem {
    Problem::busy(
        "as many event streams are open as this gateway serves; close one, or come back later",
    )
}

pub(crate) async fn no_such_path(uri: Uri) -> Refusal {
    let detail = match uri.path().starts_with("/v1") {
        true => "there is no such path; /v1/openapi.json lists them all",
        false => "every path begins with /v1; /v1/openapi.json lists them all",
    };
    Problem::new(404, "no-such-path", "Not found", detail).into()
}

pub(crate) async fn no_such_method(method: Method) -> Refusal {
    let detail = format!(
        "this path does not answer {}; /v1/openapi.json lists what it answers",
        known(&method)
    );
    Problem::new(405, "no-such-method", "Method not allowed", detail).into()
}

/// Methods are the caller's own words: only those of HTTP are repeated.
fn known(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::POST
        | Method::PUT
        | Method::DELETE
        | Method::PATCH
        | Method::HEAD
        | Method::OPTIONS => method.as_str(),
        _ => "this method",
    }
}
