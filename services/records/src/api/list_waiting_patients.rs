//! Patients whose records wait for their enrolment. By the hospital and its clerks.

use std::sync::Arc;

use bus::Call;
use interfaces::Page;
use interfaces::records::{ListWaitingPatients, WaitingPatient};

use crate::facts::patients;
use crate::failure::Failure;
use crate::service::Records;

pub(super) async fn list_waiting_patients(
    records: Arc<Records>,
    call: Call,
    request: ListWaitingPatients,
) -> Result<Page<WaitingPatient>, Failure> {
    records.desk_caller(&call)?;
    let limit = request.page.limit() as usize;
    let after = request.page.after.unwrap_or_default();
    // One more says whether the list goes on.
    let asked = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut waiting = patients::waiting(records.reader(), &records.vault, &after, asked).await?;
    let more = waiting.len() > limit;
    waiting.truncate(limit);
    let next = waiting
        .last()
        .filter(|_| more)
        .map(|(patient, _)| patient.token.clone());
    let entries = waiting
        .into_iter()
        .map(|(patient, records)| WaitingPatient {
            patient_number: patient.number,
            records,
        })
        .collect();
    Ok(Page { entries, next })
}
