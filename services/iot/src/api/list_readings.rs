//! The caller's readings as FHIR Observations, newest packs first. By the patient.

use std::sync::Arc;

use bus::Call;
use clinical::observation::observations;
use clinical::vitals::VitalSign;
use interfaces::iot::{ListReadings, ReadingObservation};
use interfaces::{Page, Problem};
use keys::token::Role;
use ledger::LedgerId;
use sqlx::Row;
use sqlx::any::AnyRow;
use submission::row::database;

use crate::packs::{Pack, pack_row};
use crate::service::Iot;

pub(crate) async fn list_readings(
    iot: Arc<Iot>,
    call: Call,
    request: ListReadings,
) -> Result<Page<ReadingObservation>, Problem> {
    let caller = iot.sessions.caller(&call)?;
    caller.require(Role::Patient)?;
    let patient = caller.ledger_id("devices")?;
    let sign = match &request.loinc {
        None => None,
        Some(loinc) => Some(VitalSign::from_name(loinc).ok_or_else(|| {
            Problem::bad_input("/loinc", "no vital sign known here has this LOINC code")
        })?),
    };
    let before: i64 = match &request.page.after {
        None => i64::MAX,
        Some(place) => place.parse().map_err(|_| {
            Problem::bad_input("/page/after", "not a place that a page before gave")
        })?,
    };
    let limit = request.page.limit() as usize;
    let rows = sqlx::query(
        "SELECT place, device, sealed, batch FROM packs WHERE patient = $1 AND place < $2 AND device LIKE $3 ORDER BY place DESC LIMIT $4",
    )
    .bind(patient.to_string())
    .bind(before)
    .bind(request.device.map_or_else(|| "%".to_owned(), |device| device.to_string()))
    .bind(limit as i64)
    .fetch_all(iot.store.reader())
    .await
    .map_err(database)?;
    let mut entries = Vec::new();
    let mut last = None;
    for row in &rows {
        if entries.len() >= limit {
            break;
        }
        last = Some(row.try_get::<i64, _>(0).map_err(database)?);
        entries.extend(opened(&iot, &patient, row, sign)?);
    }
    let next = last
        .filter(|_| rows.len() == limit || entries.len() >= limit)
        .map(|place| place.to_string());
    Ok(Page { entries, next })
}

fn opened(
    iot: &Iot,
    patient: &LedgerId,
    row: &AnyRow,
    sign: Option<VitalSign>,
) -> Result<Vec<ReadingObservation>, Problem> {
    let place: i64 = row.try_get(0).map_err(database)?;
    let device: String = row.try_get(1).map_err(database)?;
    let sealed: Vec<u8> = row.try_get(2).map_err(database)?;
    let batch: Option<i64> = row.try_get(3).map_err(database)?;
    let mut pack: Pack = iot
        .open_row(patient, &pack_row(place), &sealed)
        .ok_or_else(|| Problem::failure("a pack of readings does not open: its row was altered"))?;
    pack.readings
        .retain(|reading| sign.is_none_or(|sign| sign == reading.sign));
    let subject = format!("Patient/{patient}");
    let reference = format!("Device/{device}");
    observations(&pack.readings, &subject, Some(&reference))
        .into_iter()
        .map(|observation| {
            let observation = serde_json::from_str(&observation.to_string())
                .map_err(|_| Problem::failure("an Observation could not be written"))?;
            Ok(ReadingObservation {
                observation,
                batch: batch.map(|batch| batch as u64),
            })
        })
        .collect()
}
