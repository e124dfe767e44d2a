//! The devices that are bound to the caller. By the patient.

use std::sync::Arc;

use bus::Call;
use interfaces::Problem;
use interfaces::iot::{BoundDevice, ListDevices};
use keys::token::Role;
use sqlx::Row;
use submission::row::{database, parse, time_text};

use crate::service::Iot;

/// More than one person wears.
const DEVICES_MAX: i64 = 200;

pub(crate) async fn list_devices(
    iot: Arc<Iot>,
    call: Call,
    _request: ListDevices,
) -> Result<Vec<BoundDevice>, Problem> {
    let caller = iot.sessions.caller(&call)?;
    caller.require(Role::Patient)?;
    let patient = caller.ledger_id("devices")?;
    let rows = sqlx::query(
        "SELECT bindings.device, device_members.status, device_counters.heard_us FROM bindings
         LEFT JOIN device_members ON device_members.device = bindings.device
         LEFT JOIN device_counters ON device_counters.device = bindings.device
         WHERE bindings.patient = $1 ORDER BY bindings.device LIMIT $2",
    )
    .bind(patient.to_string())
    .bind(DEVICES_MAX)
    .fetch_all(iot.store.reader())
    .await
    .map_err(database)?;
    rows.iter()
        .map(|row| {
            let device: String = row.try_get(0).map_err(database)?;
            let status: Option<String> = row.try_get(1).map_err(database)?;
            let heard: Option<i64> = row.try_get(2).map_err(database)?;
            Ok(BoundDevice {
                device: parse(&device)?,
                status: status.unwrap_or_else(|| "pending".to_owned()),
                heard: heard.map(time_text),
            })
        })
        .collect()
}
