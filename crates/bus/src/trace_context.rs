//! W3C trace context in message headers: the trace goes on in the process that receives.

use async_nats::HeaderMap;
use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::trace::TraceContextExt as _;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The header that carries a context (W3C trace context). A block that several traced transactions are in has several.
pub const TRACEPARENT: &str = "traceparent";

struct Headers<'a>(&'a mut HeaderMap);

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        self.0.insert(key, value);
    }
}

struct ReadHeaders<'a>(&'a HeaderMap);

impl Extractor for ReadHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| value.as_str())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_ref()).collect()
    }
}

/// Headers that carry the current span's context.
pub fn headers() -> HeaderMap {
    headers_of(&Span::current())
}

/// Headers that carry a span's context.
pub fn headers_of(span: &Span) -> HeaderMap {
    let mut headers = HeaderMap::new();
    opentelemetry::global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&span.context(), &mut Headers(&mut headers));
    });
    headers
}

/// The current span's context, as the header [`TRACEPARENT`] has it, if there is a trace.
pub fn traceparent() -> Option<String> {
    let headers = headers();
    headers.get(TRACEPARENT).map(|value| value.to_string())
}

/// Makes the context in `headers` the parent of `span`, if there is one. Call it before the span is entered.
pub fn continue_from(span: &Span, headers: Option<&HeaderMap>) {
    let Some(headers) = headers else { return };
    let context = opentelemetry::global::get_text_map_propagator(|propagator| {
        propagator.extract(&ReadHeaders(headers))
    });
    // Without an OpenTelemetry layer there is no trace to go on with.
    let _ = span.set_parent(context);
}

/// As [`continue_from`], for what several traces led to: goes on with the first context in `headers`, and links the
/// others.
pub fn continue_from_all(span: &Span, headers: Option<&HeaderMap>) {
    continue_from(span, headers);
    let contexts = headers
        .into_iter()
        .flat_map(|headers| headers.get_all(TRACEPARENT));
    for context in contexts.skip(1) {
        let mut one = HeaderMap::new();
        one.insert(TRACEPARENT, context.clone());
        let context = opentelemetry::global::get_text_map_propagator(|propagator| {
            propagator.extract(&ReadHeaders(&one))
        });
        let linked = context.span().span_context().clone();
        if linked.is_valid() {
            span.add_link(linked);
        }
    }
}
