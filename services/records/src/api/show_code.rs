//! Shows an authorization code to its holder. By the patient (the patient's code) or the hospital (the hospital's).

use std::sync::Arc;

use bus::Call;
use contracts::RecordNumber;
use contracts::records::command::CodeHolder;
use interfaces::Problem;
use interfaces::records::{ShowCode, ShownCode};
use ledger::Timestamp;
use submission::Caller;

use crate::facts::{codes, records as record_facts};
use crate::failure::{Failure, forbidden};
use crate::projections::{self, OnLedger};
use crate::service::Records;

pub(super) async fn show_code(
    records: Arc<Records>,
    call: Call,
    request: ShowCode,
) -> Result<ShownCode, Failure> {
    let caller = records.caller(&call)?;
    caller.require_recent_proof(Timestamp(chassis::clock::now()))?;
    let (_, holder) = records.code_holder(&caller, &request.record).await?;
    let stored = record_facts::find(records.reader(), &records.vault, &request.record)
        .await?
        .ok_or_else(forbidden)?;
    let current = projections::code(records.reader(), &request.record, holder).await?;
    let current =
        current.ok_or_else(|| Failure::from(Problem::not_found("the code was withdrawn")))?;
    let drawn = codes::of_record(records.reader(), &stored.key, &request.record).await?;
    let found = drawn
        .into_iter()
        .find(|drawn| drawn.public.key == current.key)
        .ok_or(Failure::Row("codes"))?;
    let code = found.code.expose_text().to_string();
    let wrong_patient_ids = codes::wrong_patient_ids(records.reader(), &found.public.key).await?;
    Ok(ShownCode {
        wrong_patient_ids,
        record: request.record,
        holder,
        code,
        committed: None,
    })
}

impl Records {
    /// Which of a record's codes the caller holds.
    pub(super) async fn code_holder(
        &self,
        caller: &Caller,
        record: &RecordNumber,
    ) -> Result<(OnLedger, CodeHolder), Failure> {
        let on_ledger = self.standing_record(record).await?;
        if self.is_hospital(caller) {
            return Ok((on_ledger, CodeHolder::Hospital));
        }
        let own = self.own_patient_id(caller).await?;
        if on_ledger.patient == own {
            Ok((on_ledger, CodeHolder::Patient))
        } else {
            Err(forbidden())
        }
    }

    /// Commits a command about a code by its holder.
    pub(super) async fn commit_as_holder(
        &self,
        caller: &Caller,
        holder: CodeHolder,
        patient: &ledger::LedgerId,
        command: contracts::records::command::Command,
        facts: submission::Facts<'_>,
    ) -> Result<interfaces::Committed, Failure> {
        let committed = match holder {
            CodeHolder::Hospital => self.desk.commit_with_key(&self.key, command, facts).await?,
            CodeHolder::Patient => {
                self.desk
                    .commit_with_custody(caller, *patient, command, facts)
                    .await?
            }
        };
        self.projected(&committed).await;
        Ok(committed)
    }
}
