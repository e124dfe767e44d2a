//! Vital signs: a chart of each, and its newest readings as a table.

use std::collections::BTreeMap;

use interfaces::iot::ReadingObservation;

use crate::design::Html;
use crate::design::lists;
use crate::design::text;
use crate::visit::Visit;
use crate::words::clinical::Clinical;

/// One vital sign's readings: names of its lines, and (seconds, values) ascending.
struct Series {
    name: &'static str,
    unit: &'static str,
    lines: Vec<&'static str>,
    points: Vec<(i64, Vec<Option<f64>>)>,
}

#[derive(askama::Template)]
#[template(
    ext = "html",
    source = r#"<section class="medshare-chart" aria-label="{{ name }}"><h3>{{ name }} <span class="medshare-muted">{{ unit }}</span></h3><div class="medshare-chart__plot" data-chart data-unit="{{ unit }}" aria-hidden="true"></div><details class="nhsuk-details"><summary class="nhsuk-details__summary"><span class="nhsuk-details__summary-text">{{ as_table }}</span></summary><div class="nhsuk-details__text">{{ table }}</div></details><template>{{ points }}</template></section>"#
)]
struct Chart<'a> {
    name: &'a str,
    unit: &'a str,
    as_table: &'a str,
    table: &'a Html,
    points: String,
}

/// A chart and a table of each vital sign.
pub(crate) fn charts(visit: &Visit, readings: &[ReadingObservation]) -> Html {
    let words = visit.words.patient;
    let series = series(visit.words.clinical, readings);
    if series.is_empty() {
        return text::empty(words.no_readings, words.no_readings_text);
    }
    Html::join(series.iter().map(|one| chart(visit, one)))
}

/// Rows of a chart's table; the chart shows all.
const TABLE_ROWS: usize = 25;

fn chart(visit: &Visit, series: &Series) -> Html {
    let time = |seconds: i64| {
        let time = chrono::DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        visit.locale.time(&time.to_rfc3339())
    };
    let rows: Vec<Vec<Html>> = series
        .points
        .iter()
        .rev()
        .take(TABLE_ROWS)
        .map(|(seconds, values)| {
            let values = values
                .iter()
                .map(|value| Html::text(value.map_or(String::new(), |value| value.to_string())));
            std::iter::once(Html::text(time(*seconds)))
                .chain(values)
                .collect()
        })
        .collect();
    let mut head = vec![visit.words.frame.time];
    head.extend(&series.lines);
    let table = lists::table(series.name, &head, &rows);
    let mut columns: Vec<serde_json::Value> =
        vec![series.points.iter().map(|(seconds, _)| *seconds).collect()];
    for line in 0..series.lines.len() {
        columns.push(
            series
                .points
                .iter()
                .map(|(_, values)| values[line])
                .collect(),
        );
    }
    let points = serde_json::json!({
        "time": visit.words.frame.time,
        "offset_seconds": visit.locale.offset.local_minus_utc(),
        "lines": series.lines,
        "columns": columns,
    });
    Html::of(&Chart {
        name: series.name,
        unit: series.unit,
        as_table: visit.words.patient.as_table,
        table: &table,
        points: points.to_string(),
    })
}

/// The vital signs, in the order in which they are shown: LOINC codes, lines, unit.
fn kinds(words: &Clinical) -> [(&'static [&'static str], &'static str, &'static str); 5] {
    [
        (&["8867-4"], words.pulse, "/min"),
        (&["2708-6", "59408-5"], words.oxygen, "%"),
        (&["85354-9"], words.pressure, "mmHg"),
        (&["9279-1"], words.respiration, "/min"),
        (&["8310-5"], words.temperature, "°C"),
    ]
}

fn series(words: &'static Clinical, readings: &[ReadingObservation]) -> Vec<Series> {
    let mut found = Vec::new();
    for (codes, name, unit) in kinds(words) {
        let pressure = unit == "mmHg";
        let mut points = BTreeMap::new();
        for reading in readings {
            let observation = &reading.observation;
            if !has_code(&observation["code"], codes) {
                continue;
            }
            let time = observation["effectiveDateTime"]
                .as_str()
                .unwrap_or_default();
            let Ok(time) = chrono::DateTime::parse_from_rfc3339(time) else {
                continue;
            };
            let number = |holder: &serde_json::Value| holder["valueQuantity"]["value"].as_f64();
            let values = if pressure {
                let parts = &observation["component"];
                vec![number(&parts[0]), number(&parts[1])]
            } else {
                vec![number(observation)]
            };
            points.insert(time.timestamp(), values);
        }
        if !points.is_empty() {
            let lines = match pressure {
                true => vec![words.systolic, words.diastolic],
                false => vec![name],
            };
            found.push(Series {
                name,
                unit,
                lines,
                points: points.into_iter().collect(),
            });
        }
    }
    found
}

fn has_code(concept: &serde_json::Value, codes: &[&str]) -> bool {
    concept["coding"].as_array().is_some_and(|codings| {
        codings.iter().any(|coding| {
            coding["code"]
                .as_str()
                .is_some_and(|code| codes.contains(&code))
        })
    })
}
