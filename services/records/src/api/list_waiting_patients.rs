//! Patients whose records wait for their enrolment. By the hospital.

use std::sync::Arc;

use bus::Call;
use interfaces::records::{ListWaitingPatients, WaitingPatient};
use sqlx::Row;

use crate::facts::patients;
use crate::failure::Failure;
use crate::service::Records;

pub(super) async fn list_waiting_patients(
    records: Arc<Records>,
    call: Call,
    _request: ListWaitingPatients,
) -> Result<Vec<WaitingPatient>, Failure> {
    records.hospital_caller(&call)?;
    let mut waiting = Vec::new();
    for patient in patients::unmatched(records.reader(), &records.vault).await? {
        let row =
            sqlx::query("SELECT COUNT(*) FROM records WHERE patient_token = $1 AND state = 'live'")
                .bind(patient.token)
                .fetch_one(records.reader())
                .await?;
        let count =
            u32::try_from(row.try_get::<i64, _>(0)?).map_err(|_| Failure::Row("records"))?;
        if count > 0 {
            waiting.push(WaitingPatient {
                patient_number: patient.number,
                records: count,
            });
        }
    }
    waiting.sort_by(|one, two| one.patient_number.cmp(&two.patient_number));
    Ok(waiting)
}
