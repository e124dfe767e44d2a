//! Erases a record: content, salts and keys are destroyed. By the patient.

use std::sync::Arc;

use bus::Call;
use contracts::records::command::Command;
use interfaces::Committed;
use interfaces::records::EraseRecord;

use crate::failure::{Failure, forbidden};
use crate::service::Records;

pub(super) async fn erase_record(
    records: Arc<Records>,
    call: Call,
    request: EraseRecord,
) -> Result<Committed, Failure> {
    let caller = records.caller(&call)?;
    let patient = records.own_patient_id(&caller).await?;
    if records.standing_record(&request.record).await?.patient != patient {
        return Err(forbidden());
    }
    let command = Command::EraseRecord {
        record: request.record,
    };
    let committed = records.commit(&caller, patient, command).await?;
    // The reaction to the event destroys and certifies; it is done again after a crash.
    records.work.notify_one();
    Ok(committed)
}
