//! Writes one encounter as a record. By a doctor of this hospital, and by its clerks.

use std::sync::Arc;

use bus::Call;
use interfaces::Problem;
use interfaces::records::{RegisteredRecord, WriteRecord};

use crate::failure::Failure;
use crate::intake::{Plan, plan_single};
use crate::service::Records;

pub(super) async fn write_record(
    records: Arc<Records>,
    call: Call,
    request: WriteRecord,
) -> Result<RegisteredRecord, Failure> {
    let caller = records.caller(&call)?;
    if !records.acts_as_clerk(&caller) {
        records.own_doctor_id(&caller).await?;
    }
    let planned = plan_single(&request.bundle, &records.hospital.to_string())?;
    let mut report = records
        .import(Plan {
            records: vec![planned],
            refused: Vec::new(),
        })
        .await?;
    if let Some(refused) = report.refused.pop() {
        return Err(Problem::bad_input(&refused.element, refused.reason).into());
    }
    if let Some(registered) = report.registered.pop() {
        return Ok(registered);
    }
    if report.unchanged.pop().is_some() {
        return Err(
            Problem::conflict("this encounter is a record already, with the same content").into(),
        );
    }
    Err(Problem::new(
        202,
        "waiting",
        "Written, and waiting",
        "the record is in the hospital's database; it registers itself when the patient has enrolled",
    )
    .into())
}
