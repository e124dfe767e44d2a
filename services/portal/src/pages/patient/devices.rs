//! Devices: what they sent, which are connected, connecting and disconnecting, own limits.

use axum::extract::Path;
use axum::response::Response;
use interfaces::iot::{
    BoundDevice, ListDevices, ListReadings, ListWarnings, RegisterDevice, SetLimit,
    UnregisterDevice,
};
use interfaces::{PageRequest, Problem};
use ledger::LedgerId;

use super::vitals::charts;
use super::warnings::warnings;
use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Control, Field, Form};
use crate::design::lists::{self, Card};
use crate::design::text::{self, Colour};
use crate::pages::form_page::FormPage;
use crate::pages::receipts::just_done;
use crate::pages::sign;
use crate::visit::{Page, Submitted, Visit};
use crate::words::fill;

/// Readings shown: some fifty of each sign.
const READINGS: u32 = 250;
/// Warnings shown.
const WARNINGS: u32 = 20;

/// `GET /devices`
pub(crate) async fn show(visit: Visit) -> Answer {
    visit.signed_in()?;
    let newest = |limit| PageRequest {
        after: None,
        limit: Some(limit),
    };
    let asked_warnings = ListWarnings {
        page: newest(WARNINGS),
    };
    let asked_readings = ListReadings {
        device: None,
        loinc: None,
        page: newest(READINGS),
    };
    let (found, readings, devices) = tokio::join!(
        visit.ask(&asked_warnings),
        visit.ask(&asked_readings),
        visit.ask(&ListDevices {})
    );
    let (found, readings, devices) = (found?.entries, readings?.entries, devices?);
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
        text::section(words.connected),
        connected(&visit, &devices),
        text::action_link("/devices/add", words.add_device),
        text::action_link("/devices/limits", words.limits),
    ]);
    Ok(visit.page(Page::new(words.devices, content)))
}

fn connected(visit: &Visit, devices: &[BoundDevice]) -> Html {
    let words = visit.words.patient;
    if devices.is_empty() {
        return text::empty(words.no_devices, words.no_devices_text);
    }
    let cards: Vec<Card> = devices
        .iter()
        .map(|device| {
            let when = match &device.heard {
                Some(time) => fill(words.heard, &[("time", &visit.locale.time(time))]),
                None => words.never_heard.to_owned(),
            };
            let tags = match device.status.as_str() {
                "active" => Vec::new(),
                "pending" => vec![text::tag(Colour::Yellow, visit.words.kinds.status_pending)],
                "suspended" => vec![text::tag(
                    Colour::Orange,
                    visit.words.kinds.status_suspended,
                )],
                _ => vec![text::tag(Colour::Red, visit.words.kinds.status_revoked)],
            };
            let path = format!("/devices/{}/disconnect", device.device);
            Card {
                when,
                title: words.device.to_owned(),
                tags,
                text: text::paragraph_of(text::number(device.device)),
                side: text::link(&path, words.disconnect),
                ..Card::default()
            }
        })
        .collect();
    lists::cards_in_section(&cards)
}

/// `GET /devices/{device}/disconnect`
pub(crate) async fn ask_to_disconnect(visit: Visit, Path(device): Path<String>) -> Answer {
    visit.signed_in()?;
    let device = device_of(&device)?;
    let words = visit.words.patient;
    let action = format!("/devices/{device}/disconnect");
    let form = Form {
        hidden: visit.hidden(),
        look: " nhsuk-button--warning",
        busy: visit.words.authorization.approving,
        cancel: Some(("/devices", visit.words.frame.cancel)),
        ..Form::new(&action, words.disconnect)
    };
    let content = Html::join([
        lists::summary(vec![(words.device_id, text::number(device))]),
        text::paragraph(words.disconnect_text),
        form.html(),
    ]);
    Ok(visit.page(Page::new(words.disconnect_ask, content).below("/devices", words.tab_devices)))
}

fn device_of(text: &str) -> Result<LedgerId, Problem> {
    text.parse()
        .map_err(|_| Problem::not_found("no such device"))
}

/// `POST /devices/{device}/disconnect`
pub(crate) async fn disconnect(Path(device): Path<String>, form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let device = device_of(&device)?;
    form.once(async {
        let reply = visit.ask(&UnregisterDevice { device }).await?;
        let what = visit.words.patient.disconnect;
        sign::committed_or_sign(visit, reply, what, "/devices", "/devices")
    })
    .await
}

/// `GET /devices/add`
pub(crate) async fn ask_to_add(visit: Visit) -> Answer {
    visit.signed_in()?;
    Ok(add_page(&visit, "", &[]))
}

fn add_page(visit: &Visit, device: &str, errors: &[(&str, &str)]) -> Response {
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
    FormPage {
        errors,
        below: Some(("/devices", words.tab_devices)),
        ..FormPage::new(words.add_device, words.add_device_lead, form)
    }
    .answer(visit)
}

/// `POST /devices/add`
pub(crate) async fn add(form: Submitted) -> Answer {
    let visit = &form.visit;
    let Ok(device) = form.get("device").to_ascii_lowercase().parse::<LedgerId>() else {
        let errors = [("device", visit.words.patient.device_bad)];
        return Ok(add_page(visit, form.get("device"), &errors));
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
    Ok(limits_page(&visit, "", &[]))
}

fn limits_page(visit: &Visit, sign: &str, errors: &[(&str, &str)]) -> Response {
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
    FormPage {
        lead: done.and(text::lead(words.limits_lead)),
        errors,
        below: Some(("/devices", words.tab_devices)),
        ..FormPage::new(words.limits, "", form)
    }
    .answer(visit)
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
        return Ok(limits_page(visit, form.get("sign"), &errors));
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
