//! A transaction's way through the phases, as every replica remembers it.

use askama::Template;
use bus::ordering_wire::{PhaseTimes, PhasesRequest};
use ledger::{Digest, ReplicaId, Timestamp};

use super::parts;
use crate::design::Html;
use crate::design::text;
use crate::visit::Visit;
use crate::words::fill;

/// The phases, in order; what a replica has no time of is left out and counts to the next.
const PHASES: [&str; 4] = ["received", "proposed", "prepared", "executed"];

struct Row {
    name: String,
    segments: Vec<Segment>,
    total: String,
}

struct Segment {
    phase: &'static str,
    x: String,
    width: String,
    name: &'static str,
    duration: String,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<div class="explorer-phases">{% for row in rows %}<div class="explorer-phases__row"><span class="explorer-phases__name">{{ row.name }}</span><svg class="explorer-phases__bar" viewBox="0 0 1000 20" preserveAspectRatio="none" aria-hidden="true" focusable="false">{% for segment in row.segments %}<rect class="phase-{{ segment.phase }}" x="{{ segment.x }}" width="{{ segment.width }}" height="20"/>{% endfor %}</svg><span class="explorer-phases__total">{{ row.total }}</span><ul class="explorer-phases__times">{% for segment in row.segments %}<li><svg viewBox="0 0 10 10" width="12" height="12" aria-hidden="true" focusable="false"><rect class="phase-{{ segment.phase }}" width="10" height="10" rx="2"/></svg>{{ segment.name }} <b>{{ segment.duration }}</b></li>{% endfor %}</ul></div>{% endfor %}</div>"#
)]
struct Drawing<'a> {
    rows: &'a [Row],
}

/// Asks every replica for the times of a transaction, and draws them.
pub(super) async fn drawn(visit: &Visit, transaction: Digest) -> Html {
    let words = visit.explorer_words();
    let asked = PhasesRequest { transaction };
    let answers = visit.portal.bus.ask_all(&asked).await;
    let times: Vec<(ReplicaId, PhaseTimes)> = answers
        .into_iter()
        .filter_map(|(replica, answer)| Some((replica, answer.ok()?.times?)))
        .collect();
    if times.is_empty() {
        return text::paragraph(words.phases_gone);
    }
    let longest = times.iter().map(|(_, times)| total_us(times)).max();
    let longest = longest.unwrap_or_default().max(1);
    let rows: Vec<Row> = times
        .iter()
        .map(|(replica, times)| row(visit, *replica, times, longest))
        .collect();
    let trace = times.iter().find_map(|(_, times)| times.trace);
    let trace = trace.map_or_else(Html::none, |trace| traced(visit, &trace));
    text::paragraph(words.phases_text)
        .and(Html::of(&Drawing { rows: &rows }))
        .and(trace)
}

/// The trace's id, a link where a viewer is configured.
fn traced(visit: &Visit, trace: &[u8; 16]) -> Html {
    let id = data_encoding::HEXLOWER.encode(trace);
    let shown = match &visit.portal.explorer.trace_viewer {
        Some(viewer) => parts::number_link(&viewer.replace("{trace}", &id), &id),
        None => text::number(&id),
    };
    let name = format!("{} ", visit.explorer_words().trace);
    text::paragraph_of(Html::text(name).and(shown))
}

/// The marks that there are, in order, and the end.
fn marks(times: &PhaseTimes) -> Vec<(&'static str, Timestamp)> {
    let all = [
        times.received,
        times.proposed,
        times.prepared,
        Some(times.executed),
    ];
    PHASES
        .into_iter()
        .zip(all)
        .filter_map(|(phase, time)| Some((phase, time?)))
        .collect()
}

fn total_us(times: &PhaseTimes) -> u64 {
    let first = marks(times)
        .first()
        .map_or(times.executed, |(_, time)| *time);
    times.certified.0.saturating_sub(first.0)
}

fn row(visit: &Visit, replica: ReplicaId, times: &PhaseTimes, longest_us: u64) -> Row {
    let words = visit.explorer_words();
    let marks = marks(times);
    let first = marks.first().map_or(times.executed.0, |(_, time)| time.0);
    let share = |us: u64| format!("{:.2}", 1000.0 * us as f64 / longest_us as f64);
    let milliseconds = |us: u64| {
        let count = format!("{:.2}", us as f64 / 1000.0);
        fill(words.milliseconds, &[("count", &count)])
    };
    let segments = marks.iter().enumerate().map(|(place, (phase, from))| {
        let until = marks
            .get(place + 1)
            .map_or(times.certified, |(_, next)| *next);
        let took = until.0.saturating_sub(from.0);
        Segment {
            phase,
            x: share(from.0.saturating_sub(first)),
            width: share(took),
            name: match *phase {
                "received" => words.phase_received,
                "proposed" => words.phase_proposed,
                "prepared" => words.phase_prepared,
                _ => words.phase_executed,
            },
            duration: milliseconds(took),
        }
    });
    Row {
        name: fill(words.replica, &[("number", &replica.0.to_string())]),
        segments: segments.collect(),
        total: milliseconds(total_us(times)),
    }
}
