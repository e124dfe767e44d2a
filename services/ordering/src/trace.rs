//! One trace from the submitter through every replica: a span per phase of a sampled transaction, made when its block
//! is certified, under the trace context that came with the submission.

use std::collections::HashMap;
use std::time::{Duration, Instant, UNIX_EPOCH};

use bus::trace_context::TRACEPARENT;
use ledger::{Height, ReplicaId};
use opentelemetry::trace::{Span as _, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue, global};

use crate::body::Body;
use crate::recent::RecentBlock;

/// How many transactions of a block are traced at most, so that tracing a full block costs no more than tracing a small
/// one.
pub const PER_BLOCK_MAX: usize = 8;

/// Exports the spans of one transaction: the whole, and inside it each phase from its arrival to its certificate. Gives
/// the context of the whole, in which those go on who read the block; none when the transaction is not traced.
pub fn phases(
    replica: ReplicaId,
    height: Height,
    body: &Body,
    block: &RecentBlock,
    certified: Instant,
) -> Option<String> {
    let traceparent = body.origin()?.traceparent.as_deref()?;
    let parent = sampled(traceparent)?;
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
    let mut from = body.received;
    for (name, until) in steps(block, certified) {
        // A replica that was away for a phase, or received the body late, has nothing to show for it.
        let Some(until) = until.filter(|until| *until >= from) else {
            continue;
        };
        let mut span = tracer
            .span_builder(name)
            .with_start_time(wall(from))
            .with_attributes(attributes())
            .start_with_context(&tracer, &inside);
        span.end_with_timestamp(wall(until));
        from = until;
    }
    inside.span().end_with_timestamp(wall(certified));
    let mut carrier = HashMap::new();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&inside, &mut carrier));
    carrier.remove(TRACEPARENT)
}

/// The phases in order, each with its end. A slow replica may hear that all others are through with a phase before it has
/// said its own word: then the phase ended with the next one.
fn steps(block: &RecentBlock, certified: Instant) -> [(&'static str, Option<Instant>); 5] {
    let phases = &block.phases;
    let prepared = phases.ordered.prepared;
    let proposed = phases.ordered.proposed.or(prepared);
    [
        ("ordering.pre_prepare", proposed),
        ("ordering.prepare", prepared),
        ("ordering.await_execution", Some(phases.started)),
        ("ordering.execute", Some(phases.executed)),
        ("ordering.commit", Some(certified)),
    ]
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
