//! Devices: warnings, vital signs as charts and tables, connecting and own limits.

use std::collections::BTreeMap;

use contracts::WarningId;
use contracts::telemetry::command::WarningLevel;
use interfaces::PageRequest;
use interfaces::iot::{
    AcknowledgeWarning, ListReadings, ListWarnings, ReadingObservation, RegisterDevice, SetLimit,
    WarningSummary,
};
use ledger::LedgerId;

use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Control, Field, Form, error_summary};
use crate::design::lists::{self, Card};
use crate::design::text::{self, Colour};
use crate::pages::receipts::just_done;
use crate::pages::{sign, sign_in};
use crate::visit::{Page, Submitted, Visit};
use crate::words::clinical::Clinical;

/// Readings shown.
const READINGS: u32 = 500;
/// Warnings shown.
const WARNINGS: u32 = 20;

/// `GET /devices`
pub(crate) async fn show(visit: Visit) -> Answer {
    visit.signed_in()?;
    let asked_warnings = ListWarnings {
        page: PageRequest {
            after: None,
            limit: Some(WARNINGS),
        },
    };
    let asked_readings = ListReadings {
        device: None,
        loinc: None,
        page: PageRequest {
            after: None,
            limit: Some(READINGS),
        },
    };
    let (found, readings) = tokio::join!(visit.ask(&asked_warnings), visit.ask(&asked_readings));
    let (found, readings) = (found?.entries, readings?.entries);
    let words = visit.words.patient;
    let content = Html::join([
        just_done(&visit, visit.words.authorization.decided),
        text::lead(words.devices_lead),
        text::live(
            "warnings",
            "telemetry",
            visit.path_alone(),
            visit.words.frame.live,
            warnings(&visit, &found),
        ),
        text::section(words.vitals),
        charts(&visit, &readings),
        text::action_link("/devices/add", words.add_device),
        text::action_link("/devices/limits", words.limits),
    ]);
    Ok(visit.page(Page::new(words.devices, content)))
}

fn warnings(visit: &Visit, warnings: &[WarningSummary]) -> Html {
    let words = visit.words.patient;
    let heading = text::section(words.warnings);
    if warnings.is_empty() {
        return heading.and(text::empty(words.no_warnings, words.no_warnings_text));
    }
    let cards: Vec<Card> = warnings
        .iter()
        .map(|warning| {
            let kinds = visit.words.kinds;
            let (colour, level) = match warning.level {
                WarningLevel::Low => (Colour::Yellow, kinds.level_low),
                WarningLevel::LowMedium => (Colour::Orange, kinds.level_low_medium),
                WarningLevel::Medium => (Colour::Orange, kinds.level_medium),
                WarningLevel::High => (Colour::Red, kinds.level_high),
            };
            let side = if warning.acknowledged {
                text::tag(Colour::Grey, words.acknowledged)
            } else {
                let mut hidden = visit.hidden();
                hidden.push(("warning", warning.warning.to_string()));
                Form {
                    hidden,
                    look: " nhsuk-button--secondary nhsuk-button--small",
                    busy: visit.words.authorization.approving,
                    about: &warning.message,
                    ..Form::new("/devices/acknowledge", words.acknowledge)
                }
                .html()
            };
            Card {
                when: visit.locale.time(&warning.time),
                title: warning.message.clone(),
                tags: vec![text::tag(colour, level)],
                side,
                ..Card::default()
            }
        })
        .collect();
    heading.and(lists::cards_in_section(&cards))
}

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

fn charts(visit: &Visit, readings: &[ReadingObservation]) -> Html {
    let words = visit.words.patient;
    let series = series(visit.words.clinical, readings);
    if series.is_empty() {
        return text::empty(words.no_readings, words.no_readings_text);
    }
    Html::join(series.iter().map(|one| chart(visit, one)))
}

/// Rows of a chart's table; the chart shows all.
const TABLE_ROWS: usize = 50;

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
    let points = serde_json::json!({ "lines": series.lines, "columns": columns }).to_string();
    Html::of(&Chart {
        name: series.name,
        unit: series.unit,
        as_table: visit.words.patient.as_table,
        table: &table,
        points,
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

/// `POST /devices/acknowledge`
pub(crate) async fn acknowledge(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let warning: WarningId = form.id("warning")?;
    form.once(async {
        let reply = visit.ask(&AcknowledgeWarning { warning }).await?;
        sign::committed_or_sign(
            visit,
            reply,
            visit.words.patient.acknowledge,
            "/devices",
            "/devices",
        )
    })
    .await
}

/// `GET /devices/add`
pub(crate) async fn ask_to_add(visit: Visit) -> Answer {
    visit.signed_in()?;
    Ok(visit.page(add_page(&visit, "", &[])))
}

fn add_page(visit: &Visit, device: &str, errors: &[(&str, &str)]) -> Page {
    let words = visit.words.patient;
    let form = Form {
        hidden: visit.hidden(),
        fields: vec![
            Field::line("device", words.device_id)
                .width(30)
                .value(device)
                .error(errors),
        ],
        busy: visit.words.authorization.approving,
        cancel: Some(("/devices", visit.words.frame.cancel)),
        ..Form::new("/devices/add", words.add_device)
    };
    Page {
        title: words.add_device.to_owned(),
        content: Html::join([
            error_summary(visit.words.problems.check, errors),
            text::title(words.add_device),
            text::lead(words.add_device_lead),
            form.html(),
        ]),
        ..Page::default()
    }
    .below("/devices", words.tab_devices)
}

/// `POST /devices/add`
pub(crate) async fn add(form: Submitted) -> Answer {
    let visit = &form.visit;
    let Ok(device) = form.get("device").to_ascii_lowercase().parse::<LedgerId>() else {
        let errors = [("device", visit.words.patient.device_bad)];
        let page = add_page(visit, form.get("device"), &errors);
        return Ok(visit.page_with(sign_in::BAD_INPUT, page));
    };
    form.once(async {
        let reply = visit.ask(&RegisterDevice { device }).await?;
        sign::committed_or_sign(
            visit,
            reply,
            visit.words.patient.add_device,
            "/devices",
            "/devices",
        )
    })
    .await
}

/// `GET /devices/limits`
pub(crate) async fn ask_limits(visit: Visit) -> Answer {
    visit.signed_in()?;
    Ok(visit.page(limits_page(&visit, "", &[])))
}

fn limits_page(visit: &Visit, sign: &str, errors: &[(&str, &str)]) -> Page {
    let words = visit.words.patient;
    let clinical = visit.words.clinical;
    let signs: Vec<(String, String)> = [
        ("8867-4", clinical.pulse, "/min"),
        ("2708-6", clinical.oxygen, "%"),
        ("8480-6", clinical.systolic, "mmHg"),
        ("8462-4", clinical.diastolic, "mmHg"),
        ("9279-1", clinical.respiration, "/min"),
        ("8310-5", clinical.temperature, "°C"),
    ]
    .into_iter()
    .map(|(code, name, unit)| (code.to_owned(), format!("{name} ({unit})")))
    .collect();
    let done = match visit.query("set") {
        Some(_) => text::inset(visit.words.frame.done, text::paragraph(words.limit_done)),
        None => Html::none(),
    };
    let form = Form {
        hidden: visit.hidden(),
        fields: vec![
            Field::new("sign", words.limit_sign, Control::Select(signs)).value(sign),
            Field::line("low", words.limit_low).width(5).error(errors),
            Field::line("high", words.limit_high).width(5).error(errors),
        ],
        cancel: Some(("/devices", visit.words.frame.cancel)),
        ..Form::new("/devices/limits", words.limit_set)
    };
    Page {
        title: words.limits.to_owned(),
        content: Html::join([
            error_summary(visit.words.problems.check, errors),
            done,
            text::title(words.limits),
            text::lead(words.limits_lead),
            form.html(),
        ]),
        ..Page::default()
    }
    .below("/devices", words.tab_devices)
}

/// `POST /devices/limits`
pub(crate) async fn set_limits(form: Submitted) -> Answer {
    let visit = &form.visit;
    let mut errors = Vec::new();
    let mut milli = |field: &'static str, label: &'static str| {
        let text = form.get(field);
        let parsed = text.parse::<f64>().ok().filter(|value| value.is_finite());
        if !text.is_empty() && parsed.is_none() {
            errors.push((field, label));
        }
        parsed.map(|value| (value * 1000.0).round() as i64)
    };
    let words = visit.words.patient;
    let (low, high) = (
        milli("low", words.limit_low),
        milli("high", words.limit_high),
    );
    if low.is_none() && high.is_none() && errors.is_empty() {
        errors.push(("low", words.limit_low));
    }
    if !errors.is_empty() {
        let page = limits_page(visit, form.get("sign"), &errors);
        return Ok(visit.page_with(sign_in::BAD_INPUT, page));
    }
    form.once(async {
        let limit = SetLimit {
            loinc: form.get("sign").to_owned(),
            low_milli: low,
            high_milli: high,
        };
        visit.ask(&limit).await?;
        Ok("/devices/limits?set=yes".to_owned())
    })
    .await
}
