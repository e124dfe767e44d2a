//! Patients who enrolled are found, and their waiting records register themselves.

use futures::StreamExt;

use crate::facts::{patients, versions};
use crate::failure::Failure;
use crate::service::{Records, now_us};

const PATIENTS_AT_ONCE: usize = 8;
const MATCHES_AT_ONCE: usize = 100;

impl Records {
    /// Asks identity who is behind the patients without a member.
    pub(super) async fn match_waiting_patients(&self) -> Result<(), Failure> {
        let unmatched = patients::unmatched(self.reader(), &self.vault).await?;
        for part in unmatched.chunks(MATCHES_AT_ONCE) {
            self.match_patients(part).await?;
        }
        Ok(())
    }

    /// Brings everything that can go on to the ledger: waiting, prepared, or left by a crash.
    pub(super) async fn register_waiting_records(&self) -> Result<(), Failure> {
        versions::settle(&self.store).await?;
        let tokens = versions::patients_with_work(self.reader(), now_us()).await?;
        let mut advancing = futures::stream::iter(tokens)
            .map(|token| async move {
                let _lock = self.patients.lock(&token).await;
                self.advance(&token).await
            })
            .buffer_unordered(PATIENTS_AT_ONCE);
        let mut failed = None;
        while let Some(advanced) = advancing.next().await {
            if let Err(failure) = advanced {
                failed = Some(failure);
            }
        }
        failed.map_or(Ok(()), Err)
    }
}
