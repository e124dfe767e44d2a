//! What every request passes: how much is asked, the trace, the headers of every answer.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chassis::metrics::{Counter, Histogram, counter, histogram};
use interfaces::Problem;
use ledger::Height;
use tracing::{Instrument, field};

use super::answer::Refusal;
use super::trace;
use crate::service::Gateway;

/// The header in which a caller says what it has seen of the ledger.
const SEEN: &str = "medshare-seen";

/// The address a request came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Peer {
    /// The address of a request's connection.
    pub(crate) fn of(extensions: &axum::http::Extensions) -> IpAddr {
        extensions
            .get::<Peer>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0)
    }
}

struct Metrics {
    answered: Counter,
    refused: Counter,
    duration: Histogram,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(|| Metrics {
    answered: counter("rest_requests_total", "Requests answered over REST"),
    refused: counter(
        "rest_refused_total",
        "Requests refused because of too much load",
    ),
    duration: histogram(
        "rest_request_seconds",
        "Time until a REST request is answered",
    ),
});

/// Refuses what is too much, continues the caller's trace, and puts the headers on every answer.
pub(crate) async fn guard(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(String::new, |path| path.as_str().to_owned());
    let span = tracing::info_span!(
        "http_request",
        otel.kind = "server",
        http.request.method = %request.method(),
        http.route = route,
        http.response.status_code = field::Empty,
        trace_id = field::Empty,
    );
    let trace_id = trace::continue_from(&span, request.headers());
    let mut response = admit(&gateway, request, next)
        .instrument(span.clone())
        .await;
    span.record("http.response.status_code", response.status().as_u16());
    METRICS.answered.add(1);
    METRICS.duration.record(started.elapsed());
    if response.status().is_server_error() {
        span.in_scope(|| tracing::warn!(status = response.status().as_u16(), "a request failed"));
    }
    add_headers(&mut response, &trace_id);
    response
}

async fn admit(gateway: &Gateway, request: Request, next: Next) -> Response {
    if let Err(refusal) = charge(gateway, Peer::of(request.extensions()), 1) {
        return refusal.into_response();
    }
    let Ok(_permit) = gateway.requests.clone().try_acquire_owned() else {
        METRICS.refused.add(1);
        return Refusal::from(Problem::busy("too many requests are under way")).into_response();
    };
    let seen = seen(request.headers());
    let peer = Peer::of(request.extensions());
    bus::origin::asked_from(peer, bus::seen::having_seen(seen, next.run(request))).await
}

/// The height of the newest receipt that the caller has, where it says so: what it asks for shows what that receipt is of.
fn seen(headers: &HeaderMap) -> Height {
    let said = headers.get(SEEN).and_then(|value| value.to_str().ok());
    Height(said.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Takes from the address's bucket: 429 when it is empty.
pub(crate) fn charge(gateway: &Gateway, address: IpAddr, cost: u32) -> Result<(), Refusal> {
    gateway.rates.take(address, cost).map_err(|wait| {
        METRICS.refused.add(1);
        let problem = Problem::new(
            429,
            "too-many-requests",
            "Too many requests",
            "this address asks too much; wait, then try again",
        );
        Refusal::later(problem, wait.as_secs_f64().ceil() as u64)
    })
}

fn add_headers(response: &mut Response, trace_id: &str) {
    const ALWAYS: [(HeaderName, &str); 6] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::STRICT_TRANSPORT_SECURITY,
            "max-age=31536000; includeSubDomains",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(trace_id) {
        headers.insert(HeaderName::from_static("x-trace-id"), value);
    }
}
