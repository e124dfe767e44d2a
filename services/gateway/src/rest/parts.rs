//! A request taken apart: path, query, session token and body, each within bounds.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use futures::StreamExt;
use interfaces::Problem;

use super::answer::too_large;
use super::input::unsupported;

/// What a body says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentType {
    Json,
    Fhir,
    Bytes,
    Other,
}

impl ContentType {
    /// Reads the header; without one, JSON is assumed.
    pub(crate) fn of(headers: &HeaderMap) -> ContentType {
        let Some(value) = headers.get(header::CONTENT_TYPE) else {
            return ContentType::Json;
        };
        let text = value.to_str().unwrap_or_default();
        match text
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
            .as_str()
        {
            "application/json" => ContentType::Json,
            "application/fhir+json" => ContentType::Fhir,
            "application/octet-stream" => ContentType::Bytes,
            _ => ContentType::Other,
        }
    }
}

/// A request taken apart.
#[derive(Debug)]
pub(crate) struct RequestParts {
    pub(crate) path: BTreeMap<String, String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) content_type: ContentType,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Bytes,
}

impl RequestParts {
    /// Reads the body and the rest.
    pub(crate) async fn read(
        parts: &mut Parts,
        body: Body,
        limit: usize,
        within: Duration,
    ) -> Result<RequestParts, Problem> {
        Ok(RequestParts {
            path: path_of(parts).await?,
            query: query_of(parts)?,
            content_type: ContentType::of(&parts.headers),
            authorization: bearer(&parts.headers)?,
            body: read_body(&parts.headers, body, limit, within).await?,
        })
    }
}

impl RequestParts {
    /// Refuses a body that is no JSON (415).
    pub(crate) fn require_json(&self) -> Result<(), Problem> {
        if self.content_type == ContentType::Json {
            Ok(())
        } else {
            Err(unsupported("application/json"))
        }
    }
}

/// The path's parameters.
async fn path_of(parts: &mut Parts) -> Result<BTreeMap<String, String>, Problem> {
    use axum::extract::{FromRequestParts, Path};
    let malformed = |_| Problem::bad_input("", "the path is not UTF-8");
    Path::<BTreeMap<String, String>>::from_request_parts(parts, &())
        .await
        .map(|Path(path)| path)
        .map_err(malformed)
}

/// The query's parameters, in order.
fn query_of(parts: &Parts) -> Result<Vec<(String, String)>, Problem> {
    let malformed = |_| Problem::bad_input("", "the query can't be read");
    axum::extract::Query::try_from_uri(&parts.uri)
        .map(|axum::extract::Query(query)| query)
        .map_err(malformed)
}

/// The session token, if one came.
fn bearer(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let malformed = || {
        Problem::unauthenticated("the Authorization header must be `Bearer` and the session token")
    };
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or_else(malformed)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(malformed());
    }
    Ok(Some(token.to_owned()))
}

/// Reads a body of at most `limit` bytes within a time.
async fn read_body(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    within: Duration,
) -> Result<Bytes, Problem> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > limit) {
        return Err(too_large(limit));
    }
    let read = async {
        let mut chunks = body.into_data_stream();
        let mut whole = Vec::with_capacity(announced.unwrap_or_default());
        while let Some(chunk) = chunks.next().await {
            let chunk =
                chunk.map_err(|_| Problem::bad_input("", "the body ended before it was whole"))?;
            if whole.len() + chunk.len() > limit {
                return Err(too_large(limit));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(Bytes::from(whole))
    };
    let slow = || {
        Problem::new(
            408,
            "slow-body",
            "Request timeout",
            "the body did not arrive in time",
        )
    };
    tokio::time::timeout(within, read)
        .await
        .unwrap_or_else(|_| Err(slow()))
}
