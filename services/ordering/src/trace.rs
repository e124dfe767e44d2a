//! One trace from the submitter through every replica: a span per phase of a sampled transaction, made when its block
//! is certified, under the trace context that came with the submission.

use std::collections::HashMap;
use std::time::{Duration, Instant, UNIX_EPOCH};

use ledger::{Height, ReplicaId};
use opentelemetry::trace::{Span as _, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue, global};

use crate::body::Body;
use crate::recent::RecentBlock;

/// The header that carries the context.
pub const TRACEPARENT: &str = "traceparent";

/// Exports the spans of one transaction: the whole, waiting for order, execution, certification.
pub fn phases(
    replica: ReplicaId,
    height: Height,
    body: &Body,
    block: &RecentBlock,
    certified: Instant,
) {
    let Some(parent) = body
        .origin()
        .and_then(|origin| origin.traceparent.as_deref())
        .and_then(sampled)
    else {
        return;
    };
    let now_us = chassis::clock::now();
    let wall = |at: Instant| {
        UNIX_EPOCH + Duration::from_micros(now_us).saturating_sub(certified.duration_since(at))
    };
    let tracer = global::tracer("ordering");
    let attributes = || {
        vec![
            KeyValue::new("replica", i64::from(replica.0)),
            KeyValue::new("height", height.0 as i64),
            KeyValue::new("transaction", body.transaction.id.to_string()),
        ]
    };
    let whole = tracer
        .span_builder("ordering.transaction")
        .with_start_time(wall(body.received))
        .with_attributes(attributes())
        .start_with_context(&tracer, &parent);
    let inside = parent.with_span(whole);
    let steps = [
        ("ordering.order", body.received, block.started),
        ("ordering.execute", block.started, block.executed),
        ("ordering.certify", block.executed, certified),
    ];
    for (name, from, until) in steps {
        let mut span = tracer
            .span_builder(name)
            .with_start_time(wall(from))
            .with_attributes(attributes())
            .start_with_context(&tracer, &inside);
        span.end_with_timestamp(wall(until));
    }
    inside.span().end_with_timestamp(wall(certified));
}

/// The context that a `traceparent` header names, if it is sampled.
fn sampled(traceparent: &str) -> Option<Context> {
    // version-trace-parent-flags; an unsampled one ends in an even flag.
    let flags = u8::from_str_radix(traceparent.rsplit('-').next()?, 16).ok()?;
    if flags & 1 == 0 {
        return None;
    }
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let context = global::get_text_map_propagator(|propagator| propagator.extract(&carrier));
    context.span().span_context().is_valid().then_some(context)
}
