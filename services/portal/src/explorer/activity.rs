//! Transactions by kind over time: the chart, its table, and the counts the chart draws.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::response::{IntoResponse, Response};
use interfaces::Problem;
use serde::Serialize;

use super::fold::STEPS_US;
use super::parts;
use super::rows::ActivityRow;
use crate::answer::Refusal;
use crate::design::Html;
use crate::design::lists;
use crate::design::text;
use crate::visit::Visit;
use crate::words::explorer::Explorer as Words;

/// Steps that a chart draws at most; longer periods are counted in longer steps.
const STEPS_DRAWN_MAX: i64 = 400;

/// A period that can be chosen: its name in the query, and how long it is (none: all there is).
const PERIODS: [(&str, Option<i64>); 5] = [
    ("hour", Some(3_600_000_000)),
    ("day", Some(86_400_000_000)),
    ("week", Some(7 * 86_400_000_000)),
    ("month", Some(30 * 86_400_000_000)),
    ("all", None),
];

/// What the chart draws: times in seconds, and one series a contract, of the same length.
#[derive(Debug, Serialize)]
struct Activity {
    step_seconds: i64,
    times: Vec<i64>,
    series: Vec<Series>,
}

#[derive(Debug, Serialize)]
struct Series {
    contract: u16,
    name: &'static str,
    counts: Vec<u64>,
}

/// `GET /explorer/activity?range=hour`: the counts, as JSON.
pub(crate) async fn answer(visit: Visit) -> Result<Response, Refusal> {
    let asked = visit.query("range").unwrap_or_default();
    Ok(axum::Json(activity(&visit, &asked).await?).into_response())
}

async fn activity(visit: &Visit, range: &str) -> Result<Activity, Problem> {
    let explorer = &visit.portal.explorer;
    let now_us = chassis::clock::now() as i64;
    let length = PERIODS
        .iter()
        .find(|(name, _)| *name == range)
        .map(|it| it.1);
    let from_us = match length.unwrap_or(PERIODS[0].1) {
        Some(length) => now_us - length,
        None => explorer.oldest_activity_us().await?.unwrap_or(now_us),
    };
    let step = step_for(now_us - from_us);
    let from_us = from_us - from_us.rem_euclid(step);
    let rows = explorer.activity(step, from_us).await?;
    Ok(drawn(visit, &rows, step, from_us, now_us))
}

/// The shortest step that gives no more than can be drawn.
fn step_for(length_us: i64) -> i64 {
    STEPS_US
        .into_iter()
        .find(|step| length_us / step <= STEPS_DRAWN_MAX)
        .unwrap_or(STEPS_US[2])
}

/// Every step of the period, those without transactions included.
fn drawn(visit: &Visit, rows: &[ActivityRow], step: i64, from_us: i64, now_us: i64) -> Activity {
    let starts: Vec<i64> = (0..=(now_us - from_us) / step)
        .map(|it| from_us + it * step)
        .collect();
    let contracts: BTreeSet<u16> = rows.iter().map(|row| row.contract).collect();
    let counted: BTreeMap<(i64, u16), u64> = rows
        .iter()
        .map(|row| ((row.start_us, row.contract), row.transactions))
        .collect();
    let series = contracts.into_iter().map(|contract| {
        let count = |start: &i64| {
            counted
                .get(&(*start, contract))
                .copied()
                .unwrap_or_default()
        };
        Series {
            contract,
            name: visit.contract(contract),
            counts: starts.iter().map(count).collect(),
        }
    });
    Activity {
        step_seconds: step / 1_000_000,
        series: series.collect(),
        times: starts.iter().map(|start| start / 1_000_000).collect(),
    }
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r##"<div class="explorer-chart" data-activity="/explorer/activity" data-empty="{{ words.no_activity }}"><div class="explorer-ranges" role="group" aria-label="{{ words.range }}">{% for (name, text) in ranges %}<button type="button" data-range="{{ name }}" aria-pressed="false">{{ text }}</button>{% endfor %}</div><div class="explorer-chart__plot" id="plot" role="img" aria-label="{{ words.by_kind }}"></div>{{ table }}</div>"##
)]
struct Chart<'a> {
    words: &'a Words,
    ranges: &'a [(&'a str, &'a str)],
    table: &'a Html,
}

/// The chart; without scripts, the counts since the beginning as a table.
pub(super) async fn chart(visit: &Visit) -> Result<Html, Problem> {
    let words = visit.explorer_words();
    let kinds = visit.portal.explorer.kinds().await?;
    let rows: Vec<Vec<Html>> = kinds
        .iter()
        .map(|kind| {
            let path = format!(
                "/explorer/transactions?kind={}-{}",
                kind.contract, kind.command
            );
            vec![
                text::link(&path, &visit.spoken(&kind.name)),
                Html::text(visit.contract(kind.contract)),
                Html::text(visit.count(kind.accepted)),
                Html::text(visit.count(kind.rejected)),
            ]
        })
        .collect();
    let head = [words.kind, "", words.accepted, words.rejected];
    let table = text::details(words.by_kind, lists::table(words.by_kind, &head, &rows));
    let names = [
        words.range_hour,
        words.range_day,
        words.range_week,
        words.range_month,
        words.range_all,
    ];
    let ranges: Vec<(&str, &str)> = PERIODS.iter().map(|it| it.0).zip(names).collect();
    let chart = Html::of(&Chart {
        words,
        ranges: &ranges,
        table: &table,
    });
    Ok(parts::card(words.by_kind, Html::none(), chart))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_never_draws_more_steps_than_there_is_room_for() {
        for (name, length) in PERIODS {
            let length = length.unwrap_or(300 * 86_400_000_000);
            assert!(length / step_for(length) <= STEPS_DRAWN_MAX, "{name}");
        }
        assert_eq!(step_for(3_600_000_000), STEPS_US[0]);
    }
}
