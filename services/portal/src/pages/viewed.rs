//! A record that was just opened: its content, its proof, its file. The view is on the ledger already.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use contracts::records::command::content_parts;
use contracts::records::event::Event as RecordEvent;
use contracts::{Event, RecordNumber};
use interfaces::records::{CollectView, Integrity, ViewedRecord};
use interfaces::{Problem, time_text};
use keys::token::Role;
use ledger::{Commitment, LedgerId, Receipt};

use super::hospital::offline_emergency;
use super::patient::acting::Acting;
use super::receipts::receipt;
use super::{fhir, kinds};
use crate::answer::{Answer, Refusal};
use crate::design::Html;
use crate::design::lists;
use crate::design::text::{self, Colour};
use crate::viewed::{Opened, PutDown};
use crate::visit::{Page, Visit};

/// Keeps what was opened, and gives the path on which it is shown.
pub(crate) fn keep(
    visit: &Visit,
    below: &str,
    hospital: LedgerId,
    viewed: impl Into<Opened>,
) -> Result<String, Refusal> {
    let session = &visit.signed_in()?.session.session;
    let put_down = visit.portal.viewed.keep(session, viewed);
    Ok(format!("{below}/viewed/{hospital}/{put_down}"))
}

/// What this session opened, and for whom where a guardian did; what is on the ledger is collected again from the hospital
/// while that is possible.
async fn opened(
    visit: &Visit,
    hospital: &str,
    put_down: &str,
) -> Result<(LedgerId, Option<Arc<Opened>>, Option<Acting>), Refusal> {
    let unknown = || Problem::not_found("no such view");
    let session = &visit.signed_in()?.session.session;
    let hospital: LedgerId = hospital.parse().map_err(|_| unknown())?;
    let put_down: PutDown = put_down.parse().map_err(|()| unknown())?;
    if let Some(kept) = visit.portal.viewed.get(session, &put_down) {
        // What a guardian opened stays open no longer than the delegation.
        let Some(patient) = kept.acting_for else {
            return Ok((hospital, Some(kept), None));
        };
        let acting = Acting::of(visit, &hospital.to_string(), &patient.to_string()).await?;
        if !acting.reads() {
            return Err(Problem::forbidden("you do not read for this patient").into());
        }
        return Ok((hospital, Some(kept), Some(acting)));
    }
    let PutDown::Committed(transaction) = put_down else {
        return Ok((hospital, None, None));
    };
    match visit
        .ask_hospital(hospital, &CollectView { transaction })
        .await
    {
        Ok(viewed) => {
            visit.portal.viewed.keep(session, viewed);
            Ok((hospital, visit.portal.viewed.get(session, &put_down), None))
        }
        Err(problem) if problem.status == 403 => Ok((hospital, None, None)),
        Err(problem) => Err(problem.into()),
    }
}

/// Whether the page is that of a guardian.
fn is_acting(visit: &Visit) -> bool {
    visit.path.starts_with("/acting/")
}

/// The list that a view was opened from.
fn list_of(visit: &Visit) -> (&'static str, &'static str) {
    if visit.path.starts_with("/hospital/") {
        ("/hospital/records", visit.words.staff.tab_find)
    } else if is_acting(visit) {
        ("/guardians", visit.words.delegation.title)
    } else {
        ("/records", visit.words.patient.tab_records)
    }
}

/// `GET .../viewed/{hospital}/{transaction}`
pub(crate) async fn show(
    visit: Visit,
    Path((hospital, transaction)): Path<(String, String)>,
) -> Answer {
    let (hospital, viewed, acting) = opened(&visit, &hospital, &transaction).await?;
    let words = visit.words.patient;
    let (list, list_name) = list_of(&visit);
    let Some(viewed) = viewed else {
        let content = text::paragraph(words.record_closed_text)
            .and(text::paragraph_of(text::link(list, list_name)));
        return Ok(visit.page(Page::new(words.record_closed, content).below(list, list_name)));
    };
    let names = visit.hospital_names().await;
    let place = names.get(&hospital).map_or("", String::as_str);
    let mut parts = vec![
        acting.map_or_else(Html::none, |acting| acting.banner(&visit)),
        offline_emergency::notice(&visit, hospital, &viewed.put_down),
    ];
    let mut title = words.record.to_owned();
    for record in &viewed.records {
        let bundle = record.content.as_deref().map(fhir::Bundle::read);
        let heading = bundle
            .as_ref()
            .and_then(|bundle| bundle.title())
            .unwrap_or_else(|| words.record.to_owned());
        parts.push(text::title_of(place, &heading));
        parts.push(badge(&visit, record));
        if let Some(bundle) = bundle {
            parts.push(bundle.html(&visit));
        }
        parts.push(facts(&visit, hospital, &viewed, record));
        title = heading;
    }
    Ok(visit.page(
        Page {
            title,
            content: Html::join(parts),
            ..Page::default()
        }
        .below(list, list_name),
    ))
}

/// Whether the content is what was registered; opens its proof.
fn badge(visit: &Visit, record: &ViewedRecord) -> Html {
    let words = &visit.words;
    let here = visit.path_alone();
    let proof = format!("{here}/{}/proof", record.record);
    let text = if record.integrity == Integrity::Verified {
        words.patient.integrity_verified
    } else {
        words.patient.integrity_broken
    };
    text::inset(
        words.patient.integrity,
        text::paragraph_of(
            kinds::integrity(words, record.integrity)
                .and(Html::text(" "))
                .and(Html::text(text))
                .and(Html::text(" "))
                .and(text::link(&proof, words.patient.see_proof)),
        ),
    )
}

fn facts(visit: &Visit, hospital: LedgerId, viewed: &Opened, record: &ViewedRecord) -> Html {
    let words = &visit.words;
    let here = visit.path_alone();
    let receipt = match viewed.put_down {
        PutDown::Committed(transaction) => {
            text::link(&format!("/receipts/{transaction}"), words.frame.see_receipt)
        }
        PutDown::Journaled(_) => Html::none(),
    };
    let mut actions = Vec::new();
    let is_owner = visit.is(Role::Patient) && viewed.acting_for.is_none();
    if is_owner {
        let code = format!("/records/code/{hospital}/{}", record.record);
        actions.push(text::button(&code, words.patient.code_title));
    }
    if record.content.is_some() {
        let file = format!("{here}/{}/file", record.record);
        actions.push(text::secondary_button(&file, words.patient.download_record));
    }
    if is_owner {
        let erase = format!("/records/erase/{hospital}/{}", record.record);
        let link = text::link(&erase, words.patient.erase_link);
        actions.push(text::paragraph_of(link));
    }
    Html::join([
        lists::summary(vec![
            (words.patient.record_number, text::number(record.record)),
            (
                words.clinical.status,
                Html::text(crate::words::fill(
                    words.patient.version,
                    &[("version", &record.version.to_string())],
                )),
            ),
            (words.frame.receipt, receipt),
        ]),
        Html::join(actions),
    ])
}

/// `GET .../viewed/{hospital}/{transaction}/{record}/proof`
pub(crate) async fn proof(
    visit: Visit,
    Path((hospital, transaction, record)): Path<(String, String, String)>,
) -> Answer {
    let (_, viewed, _) = opened(&visit, &hospital, &transaction).await?;
    let back = visit
        .path_alone()
        .rsplitn(3, '/')
        .last()
        .unwrap_or("/")
        .to_owned();
    let viewed = viewed.ok_or_else(|| Problem::not_found("the record was closed meanwhile"))?;
    let record = found(&viewed, &record)?;
    let words = visit.words.patient;
    let registration = receipt(&visit, &record.registration.to_string()).await?;
    let mut rows = vec![
        (words.record_number, text::number(record.record)),
        (
            words.proof_registered,
            Html::text(visit.locale.time(&time_text(registration.header.time))),
        ),
    ];
    if let Some((committed, computed)) = commitments(&registration, record) {
        let same = match computed == Some(committed) {
            true => text::tag(Colour::Green, words.proof_match),
            false => text::tag(Colour::Red, words.proof_mismatch),
        };
        rows.push((words.integrity, same));
        rows.push((words.proof_commitment, text::number(committed.value)));
        if let Some(computed) = computed {
            rows.push((words.proof_computed, text::number(computed.value)));
        }
    }
    rows.push((words.proof_salt, text::number(record.salt)));
    let receipt = format!("/receipts/{}", record.registration);
    rows.push((
        visit.words.frame.receipt,
        text::link(&receipt, visit.words.frame.see_receipt),
    ));
    let content = Html::join([
        text::lead(words.proof_lead),
        lists::summary(rows),
        text::paragraph(words.proof_how),
    ]);
    Ok(visit.page(Page::new(words.proof, content).below(&back, words.record)))
}

/// What the ledger holds of a version, and the same computed from the content that is here.
fn commitments(
    registration: &Receipt,
    record: &ViewedRecord,
) -> Option<(Commitment, Option<Commitment>)> {
    let (patient, hospital, committed) = registration.leaf.events.iter().find_map(|recorded| {
        match Event::from_bytes(recorded.contract, &recorded.bytes).ok()? {
            Event::Records(
                RecordEvent::RecordRegistered {
                    record: number,
                    patient,
                    hospital,
                    content,
                    ..
                }
                | RecordEvent::RecordAmended {
                    record: number,
                    patient,
                    hospital,
                    content,
                    ..
                },
            ) if number == record.record => Some((patient, hospital, content)),
            _ => None,
        }
    })?;
    let computed = record.content.as_ref().map(|content| {
        let digest = committed.algorithm.digest(content.as_bytes());
        let parts = content_parts(&patient, &record.record, record.version, &hospital, &digest);
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        Commitment::new(committed.algorithm, &record.salt.0, &parts)
    });
    Some((committed, computed))
}

fn found<'a>(viewed: &'a Opened, record: &str) -> Result<&'a ViewedRecord, Refusal> {
    let unknown = || Problem::not_found("no such record in this view");
    let number: RecordNumber = record.parse().map_err(|_| unknown())?;
    viewed
        .records
        .iter()
        .find(|viewed| viewed.record == number)
        .ok_or_else(|| unknown().into())
}

/// `GET .../viewed/{hospital}/{transaction}/{record}/file`
pub(crate) async fn download(
    visit: Visit,
    Path((hospital, transaction, record)): Path<(String, String, String)>,
) -> Answer {
    let (_, viewed, _) = opened(&visit, &hospital, &transaction).await?;
    let viewed = viewed.ok_or_else(|| Problem::not_found("the record was closed meanwhile"))?;
    let record = found(&viewed, &record)?;
    let content = record
        .content
        .clone()
        .ok_or_else(|| Problem::not_found("the record does not match the ledger"))?;
    let name = format!("attachment; filename=\"record-{}.json\"", record.record);
    let mut response = ([(header::CONTENT_TYPE, "application/fhir+json")], content).into_response();
    if let Ok(name) = HeaderValue::from_str(&name) {
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
