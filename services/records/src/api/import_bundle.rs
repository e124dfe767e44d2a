//! Takes a FHIR R4 Bundle into the hospital's database and registers each encounter as a record. By the hospital and its clerks.

use std::collections::BTreeSet;
use std::sync::Arc;

use bus::Call;
use interfaces::records::{ImportBundle, ImportReport, RefusedEntry, RegisteredRecord};

use crate::facts::{patients, versions};
use crate::failure::Failure;
use crate::intake::{Plan, Taken, plan};
use crate::projections;
use crate::service::Records;

pub(super) async fn import_bundle(
    records: Arc<Records>,
    call: Call,
    request: ImportBundle,
) -> Result<ImportReport, Failure> {
    records.desk_caller(&call)?;
    let hospital = records.hospital.to_string();
    // Parsing a large Bundle takes a while: not on the threads that serve everybody.
    let planned = tokio::task::spawn_blocking(move || plan(&request.bundle, &hospital)).await;
    let planned = planned.map_err(|_| Failure::Row("the plan of an import"))??;
    records.import(planned).await
}

impl Records {
    /// Takes in what was planned and brings it to the ledger as far as it can go.
    pub async fn import(&self, plan: Plan) -> Result<ImportReport, Failure> {
        let mut report = ImportReport {
            refused: plan.refused,
            ..ImportReport::default()
        };
        let tokens: BTreeSet<String> = plan
            .records
            .iter()
            .map(|planned| patients::token(&self.vault, &planned.rows.patient_number))
            .collect();
        let mut locks = Vec::with_capacity(tokens.len());
        for token in &tokens {
            locks.push(self.patients.lock(token).await);
        }
        let mut touched = Vec::new();
        for planned in &plan.records {
            match self.take_in(planned).await? {
                Taken::Written(record, version) => touched.push((record, version)),
                Taken::Unchanged(record, version) => {
                    let committed = projections::committed_versions(self.reader(), &record).await?;
                    if committed.contains_key(&version) {
                        report.unchanged.push(record);
                    } else {
                        touched.push((record, version));
                    }
                }
                Taken::Refused(refused) => report.refused.push(refused),
            }
        }
        let mut reached = BTreeSet::new();
        for token in &tokens {
            for advanced in self.advance(token).await? {
                if !touched.contains(&(advanced.record, advanced.version)) {
                    continue;
                }
                match advanced.committed {
                    Ok(committed) => {
                        reached.insert(advanced.record);
                        report.registered.push(RegisteredRecord {
                            record: advanced.record,
                            committed,
                        });
                    }
                    Err(problem) if problem.rejection.is_some() => {
                        reached.insert(advanced.record);
                        let element = format!("record {}", advanced.record);
                        report.refused.push(RefusedEntry {
                            element,
                            reason: problem.detail,
                        });
                    }
                    // On its way still: it registers itself.
                    Err(_) => {}
                }
            }
        }
        drop(locks);
        if let Some(last) = report.registered.last() {
            self.projected(&last.committed).await;
        }
        let waiting = touched
            .iter()
            .filter(|(record, _)| !reached.contains(record))
            .count();
        report.waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        self.work.notify_one();
        Ok(report)
    }

    /// Whether a record's newest version is on the ledger, with its transaction's state.
    pub async fn newest_version(
        &self,
        record: &contracts::RecordNumber,
    ) -> Result<Option<versions::Version>, Failure> {
        Ok(versions::of_record(self.reader(), record).await?.pop())
    }
}
