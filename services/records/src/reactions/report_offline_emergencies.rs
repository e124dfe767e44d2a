//! Emergency views that were journaled while the ledger could not be reached are told to it as soon as it can be.

use contracts::records::command::Command;

use crate::commands::{Outgoing, is_rejection};
use crate::facts::journal;
use crate::failure::Failure;
use crate::service::{Records, SETTLING_US, now_us};

impl Records {
    /// Submits what the journal has and the ledger has not.
    pub(super) async fn report_offline_emergencies(&self) -> Result<(), Failure> {
        let settled = now_us() - SETTLING_US;
        let reports = journal::unreported(self.reader(), &self.key.public_key(), settled).await?;
        if reports.is_empty() {
            return Ok(());
        }
        let outgoing: Vec<Outgoing<_>> = reports
            .into_iter()
            .map(|report| self.outgoing(report.emergency, Command::ReportOfflineEmergency(report)))
            .collect();
        let mut transaction = self.store.begin().await?;
        for outgoing in &outgoing {
            journal::set_attempt(&mut transaction, &outgoing.about, outgoing.valid_until()).await?;
            store::outbox::put(&mut transaction, &outgoing.signed).await?;
        }
        transaction.commit().await?;
        // Not waited for: without a ledger each of them ends with its validity, and other reactions go on.
        for Outgoing { about, signed } in outgoing {
            self.desk.outbox().send(&signed);
            let (outbox, id) = (self.desk.outbox().clone(), signed.id());
            tokio::spawn(async move {
                let Ok(receipt) = outbox.wait(&id).await else {
                    return;
                };
                if let Err(problem) = submission::committed(&receipt)
                    && is_rejection(&problem)
                {
                    tracing::error!(emergency = %about, code = %problem.rejection.unwrap_or_default(),
                        "the ledger does not take an emergency view of the journal");
                }
            });
        }
        Ok(())
    }
}
