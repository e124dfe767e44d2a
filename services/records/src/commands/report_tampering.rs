//! ReportTampering: a row that no longer matches goes on the ledger, once for each version and kind.

use contracts::RecordNumber;
use contracts::records::command::{Command, TamperingKind};
use interfaces::Problem;
use ledger::Digest;

use crate::failure::Failure;
use crate::projections;
use crate::service::Records;

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported {
    /// The transaction that holds it; none if it could not be committed just now (the next read reports it again).
    pub transaction: Option<Digest>,
}

impl Records {
    /// Reports tampering unless that is on the ledger already.
    pub async fn report_tampering(
        &self,
        record: &RecordNumber,
        version: u32,
        kind: TamperingKind,
    ) -> Result<Reported, Failure> {
        if let Some(known) = projections::finding(self.reader(), record, version, kind).await? {
            return Ok(Reported {
                transaction: Some(known),
            });
        }
        tracing::warn!(record_id = %record, version, kind = ?kind, "a hospital row does not match the ledger");
        let command = Command::ReportTampering {
            record: *record,
            version,
            kind,
        };
        let committed = self
            .desk
            .commit_with_key(&self.key, command, submission::no_facts())
            .await;
        match committed {
            Ok(committed) => {
                self.projected(&committed).await;
                Ok(Reported {
                    transaction: Some(committed.transaction),
                })
            }
            Err(problem) => {
                tracing::warn!(record_id = %record, kind = %problem.kind, "the report was not committed");
                self.report_of_another(record, version, kind, &problem)
                    .await
            }
        }
    }

    /// Somebody may have reported the same a moment before.
    async fn report_of_another(
        &self,
        record: &RecordNumber,
        version: u32,
        kind: TamperingKind,
        problem: &Problem,
    ) -> Result<Reported, Failure> {
        if problem.rejection.is_none() {
            return Ok(Reported { transaction: None });
        }
        Ok(Reported {
            transaction: projections::finding(self.reader(), record, version, kind).await?,
        })
    }
}
