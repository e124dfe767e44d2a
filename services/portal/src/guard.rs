//! What every request passes: who looks and in which language, whether a form comes from our own pages, the trace, the
//! headers of every answer, and the page of every problem.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chassis::metrics::{Counter, Histogram, counter, histogram};
use interfaces::Problem;
use opentelemetry::trace::TraceContextExt as _;
use tracing::{Instrument, field};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::answer::{Refusal, problem_page, redirect};
use crate::language::Language;
use crate::listener::Peer;
use crate::service::Portal;
use crate::visit::{Visit, with_cookies};
use crate::words::Words;
use crate::{assets, session};

/// The cookie with the language that was chosen.
pub(crate) const LANGUAGE_COOKIE: &str = "medshare-language";

/// Scripts, styles and forms are our own or nothing; no page is framed.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'";

struct Metrics {
    pages: Counter,
    refused: Counter,
    duration: Histogram,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(|| Metrics {
    pages: counter("portal_pages_total", "Requests answered by the portal"),
    refused: counter(
        "portal_foreign_forms_total",
        "Forms refused because they came from elsewhere",
    ),
    duration: histogram(
        "portal_page_seconds",
        "Time until a request to the portal is answered",
    ),
});

/// See the module.
pub(crate) async fn guard(
    State(portal): State<Arc<Portal>>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(String::new, |path| path.as_str().to_owned());
    let span = tracing::info_span!(
        "page",
        otel.kind = "server",
        http.request.method = %request.method(),
        http.route = route,
        http.response.status_code = field::Empty,
        trace_id = field::Empty,
    );
    let visit = visit_of(&portal, &request, trace_of(&span));
    span.record("trace_id", visit.trace.as_str());
    let asset = assets::is_asset(request.uri().path());
    let page = page_of(&request);
    let response = if request.method() == Method::POST && !is_our_own(request.headers()) {
        METRICS.refused.add(1);
        Refusal::from(Problem::forbidden("the form came from another site")).into_response()
    } else {
        request.extensions_mut().insert(visit.clone());
        next.run(request).instrument(span.clone()).await
    };
    let mut response = finish(&portal, &visit, &page, response);
    span.record("http.response.status_code", response.status().as_u16());
    METRICS.pages.add(1);
    METRICS.duration.record(started.elapsed());
    add_headers(&portal, &mut response, asset);
    let took = format!("app;dur={:.1}", started.elapsed().as_secs_f64() * 1000.0);
    if let Ok(value) = HeaderValue::from_str(&took) {
        response
            .headers_mut()
            .insert(HeaderName::from_static("server-timing"), value);
    }
    response
}

fn visit_of(portal: &Arc<Portal>, request: &Request, trace: String) -> Visit {
    let headers = request.headers();
    let chosen = session::cookie(headers, LANGUAGE_COOKIE).and_then(Language::from_tag);
    let language = chosen.unwrap_or_else(|| {
        let accepted = headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok());
        Language::accepted(accepted.unwrap_or_default())
    });
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    Visit {
        language,
        words: Words::of(language),
        locale: portal.locale(language),
        path: path.to_owned(),
        session: session::read(portal, headers),
        device: session::device(portal, headers),
        trace,
        address: request
            .extensions()
            .get::<ConnectInfo<Peer>>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.0.ip()),
        portal: portal.clone(),
    }
}

/// The page that a request is about: where a form was sent from, else what is asked for.
fn page_of(request: &Request) -> String {
    let asked = request.uri().path_and_query();
    let asked = asked.map_or("/", |path| path.as_str());
    if request.method() == Method::GET {
        return asked.to_owned();
    }
    let referer = request.headers().get(header::REFERER);
    let referer = referer.and_then(|value| value.to_str().ok());
    let after_host = referer.and_then(|text| text.split_once("://"));
    after_host
        .and_then(|(_, rest)| rest.find('/').map(|at| rest[at..].to_owned()))
        .unwrap_or_else(|| "/".to_owned())
}

fn trace_of(span: &tracing::Span) -> String {
    let id = span.context().span().span_context().trace_id();
    if id == opentelemetry::trace::TraceId::INVALID {
        data_encoding::HEXLOWER.encode(&keys::secret::random::<16>())
    } else {
        id.to_string()
    }
}

/// Whether a form was sent from one of our own pages. Browsers say so by themselves (Fetch Metadata); older ones say
/// where a form came from; what says neither is refused.
fn is_our_own(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    match (text("origin"), text("host")) {
        (Some(origin), Some(host)) => origin
            .split_once("://")
            .is_some_and(|(_, rest)| rest == host),
        _ => false,
    }
}

/// A problem becomes a page; where nobody is signed in any more, the sign-in page; where they have to show again who they
/// are, the page for that.
fn finish(portal: &Portal, visit: &Visit, page: &str, mut response: Response) -> Response {
    let Some(Refusal(problem)) = response.extensions_mut().remove::<Refusal>() else {
        return response;
    };
    if problem.status >= 500 {
        tracing::warn!(status = problem.status, trace = %visit.trace, detail = %problem.detail, "a page failed");
    }
    let encoded = |path: &str| form_urlencoded::byte_serialize(path.as_bytes()).collect::<String>();
    if problem.kind.ends_with(":step-up-needed") {
        return redirect(&format!("/step-up?next={}", encoded(page)));
    }
    if problem.status != 401 {
        return problem_page(visit, &problem);
    }
    let next = encoded(&visit.path);
    let place = match visit.session {
        Some(_) => format!("/sign-in?ended=yes&next={next}"),
        None => format!("/sign-in?next={next}"),
    };
    with_cookies(redirect(&place), session::no_cookies(portal))
}

fn add_headers(portal: &Portal, response: &mut Response, asset: bool) {
    const ALWAYS: [(HeaderName, &str); 7] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ];
    let unchanged = response.status() == StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if portal.web.is_over_tls() {
        let value = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    if !asset && !unchanged {
        headers
            .entry(header::CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        headers.insert(
            header::VARY,
            HeaderValue::from_static("cookie, accept-language"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn a_form_counts_only_from_our_own_pages() {
        assert!(is_our_own(&headers(&[("sec-fetch-site", "same-origin")])));
        assert!(!is_our_own(&headers(&[("sec-fetch-site", "cross-site")])));
        assert!(!is_our_own(&headers(&[("sec-fetch-site", "same-site")])));
        assert!(is_our_own(&headers(&[
            ("origin", "http://here:80"),
            ("host", "here:80")
        ])));
        assert!(!is_our_own(&headers(&[
            ("origin", "http://there"),
            ("host", "here")
        ])));
        assert!(!is_our_own(&headers(&[("host", "here")])));
    }

    #[test]
    fn the_policy_lets_nothing_inline_and_nothing_foreign_in() {
        assert!(!CONTENT_SECURITY_POLICY.contains("unsafe"));
        assert!(!CONTENT_SECURITY_POLICY.contains("http"));
        assert!(CONTENT_SECURITY_POLICY.starts_with("default-src 'none'"));
    }
}
