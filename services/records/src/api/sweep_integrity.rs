//! Re-hashes every record of this hospital and reports what does not match. By the hospital, its clerks or a regulator.

use std::sync::Arc;

use bus::Call;
use contracts::RecordNumber;
use interfaces::records::{Integrity, SweepIntegrity, SweepReport, TamperedRecord};
use keys::Role;

use crate::failure::Failure;
use crate::projections;
use crate::service::Records;

const RECORDS_AT_ONCE: i64 = 200;

pub(super) async fn sweep_integrity(
    records: Arc<Records>,
    call: Call,
    _request: SweepIntegrity,
) -> Result<SweepReport, Failure> {
    let caller = records.caller(&call)?;
    if !records.is_hospital(&caller) && !records.acts_as_clerk(&caller) {
        caller.require(Role::Regulator)?;
    }
    records.sweep().await
}

impl Records {
    /// Reads every record once.
    pub async fn sweep(&self) -> Result<SweepReport, Failure> {
        let mut report = SweepReport {
            checked: 0,
            tampered: Vec::new(),
        };
        let mut after: Option<RecordNumber> = None;
        loop {
            let part =
                projections::own_records_after(self.reader(), after.as_ref(), RECORDS_AT_ONCE)
                    .await?;
            let Some(last) = part.last() else {
                return Ok(report);
            };
            after = Some(last.record);
            for on_ledger in part {
                let checked = match self.read_checked(&on_ledger).await {
                    Ok(checked) => checked,
                    // Given up after a wrong match, or a new version is on its way: nothing to say about it.
                    Err(Failure::Refused(_)) => continue,
                    Err(failure) => return Err(failure),
                };
                report.checked += 1;
                if let Err(kind) = checked.content {
                    let reported = self
                        .report_tampering(&on_ledger.record, checked.version, kind)
                        .await?;
                    let integrity = Integrity::from(kind);
                    let transaction = reported.transaction;
                    report.tampered.push(TamperedRecord {
                        record: on_ledger.record,
                        integrity,
                        transaction,
                    });
                }
            }
        }
    }
}
