//! The trace goes on from the caller's W3C trace context to the services over the bus.

use axum::http::HeaderMap;
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::TraceContextExt;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

struct ReadHeaders<'a>(&'a HeaderMap);

impl Extractor for ReadHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}

/// Makes the caller's trace the parent of `span`, and returns the trace's id (32 hex digits): the caller's where it sent
/// one, else a new one. Call it before the span is entered; the span must have a field `trace_id`.
pub(crate) fn continue_from(span: &Span, headers: &HeaderMap) -> String {
    let context = opentelemetry::global::get_text_map_propagator(|propagator| {
        propagator.extract(&ReadHeaders(headers))
    });
    // Without an OpenTelemetry layer there is no trace to go on with, and the id is for the log alone.
    let _ = span.set_parent(context);
    let own = span.context().span().span_context().trace_id();
    let id = match own == opentelemetry::trace::TraceId::INVALID {
        true => announced(headers).unwrap_or_else(random_id),
        false => own.to_string(),
    };
    span.record("trace_id", id.as_str());
    id
}

/// The trace id of a well-formed `traceparent`.
fn announced(headers: &HeaderMap) -> Option<String> {
    let mut parts = headers.get("traceparent")?.to_str().ok()?.split('-');
    let (_version, id) = (parts.next()?, parts.next()?);
    let hex = id.len() == 32
        && id
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (hex && id.bytes().any(|byte| byte != b'0')).then(|| id.to_owned())
}

fn random_id() -> String {
    data_encoding::HEXLOWER.encode(&keys::secret::random::<16>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_id_is_taken_from_a_well_formed_traceparent_only() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", text.parse().unwrap());
            announced(&headers)
        };
        let id = "0af7651916cd43dd8448eb211c80319c";
        assert_eq!(
            read(&format!("00-{id}-b7ad6b7169203331-01")).as_deref(),
            Some(id)
        );
        assert_eq!(
            read("00-00000000000000000000000000000000-b7ad6b7169203331-01"),
            None
        );
        assert_eq!(read("<script>"), None);
    }
}
