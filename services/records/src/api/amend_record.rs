//! Writes a new version of a record. By the hospital and its clerks, or a doctor who acts for it.

use std::sync::Arc;

use bus::Call;
use interfaces::records::AmendRecord;
use interfaces::{CommandReply, Problem};

use crate::facts::records as record_facts;
use crate::failure::{Failure, forbidden};
use crate::intake::{Plan, plan_single};
use crate::service::Records;

pub(super) async fn amend_record(
    records: Arc<Records>,
    call: Call,
    request: AmendRecord,
) -> Result<CommandReply, Failure> {
    let caller = records.caller(&call)?;
    if !records.is_hospital(&caller) && !records.acts_as_clerk(&caller) {
        records.own_doctor_id(&caller).await?;
    }
    let on_ledger = records.standing_record(&request.record).await?;
    if on_ledger.version != request.version {
        let detail = format!(
            "the current version is {}, not {}",
            on_ledger.version, request.version
        );
        return Err(Problem {
            field: Some("version".into()),
            ..Problem::conflict(detail)
        }
        .into());
    }
    let mut planned = plan_single(&request.bundle, &records.hospital.to_string())?;
    let stored = record_facts::find(records.reader(), &records.vault, &request.record)
        .await?
        .ok_or_else(forbidden)?;
    if planned.rows.patient_number != stored.summary.patient_number {
        return Err(Problem::bad_input("bundle", "the Patient is not the record's").into());
    }
    // The amendment may come with another full URL of the encounter; it stays the same encounter.
    planned.rows.key = stored.summary.encounter;
    let mut report = records
        .import(Plan {
            records: vec![planned],
            refused: Vec::new(),
        })
        .await?;
    if let Some(refused) = report.refused.pop() {
        return Err(Problem::bad_input(&refused.element, refused.reason).into());
    }
    match report.registered.pop() {
        Some(registered) => Ok(CommandReply::Committed(registered.committed)),
        None if !report.unchanged.is_empty() => {
            Err(Problem::conflict("the content is the current version's already").into())
        }
        None => {
            Err(Problem::busy("the new version is written and on its way to the ledger").into())
        }
    }
}
