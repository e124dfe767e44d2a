//! Each claim of a registered record goes to adjudication, once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use contracts::RecordNumber;
use contracts::settlement::Rejection;
use contracts::settlement::command::{ClaimReference, Command, PlanId};

use crate::commands::{Outgoing, is_rejection};
use crate::facts::records as record_facts;
use crate::facts::{claims, patients};
use crate::failure::Failure;
use crate::intake::PlannedClaim;
use crate::service::{Records, now_us};

const CLAIMS_AT_ONCE: i64 = 128;

impl Records {
    /// Submits what is due, part by part.
    pub(super) async fn submit_claims(&self) -> Result<(), Failure> {
        loop {
            let open = claims::open(self.reader(), now_us(), CLAIMS_AT_ONCE).await?;
            if open.is_empty() {
                return Ok(());
            }
            let mut known: HashMap<RecordNumber, Option<(record_facts::Stored, ledger::LedgerId)>> =
                HashMap::new();
            let mut outgoing: Vec<Outgoing<ClaimReference>> = Vec::with_capacity(open.len());
            for claim in &open {
                let found = match known.entry(claim.record) {
                    Entry::Occupied(found) => found.into_mut(),
                    Entry::Vacant(free) => {
                        free.insert(self.record_and_insured(&claim.record).await?)
                    }
                };
                let Some((stored, insured)) = found else {
                    continue;
                };
                let planned = claims::read(&stored.key, claim)?;
                outgoing.push(self.outgoing(
                    claim.reference,
                    self.claim_command(claim.reference, *insured, &planned),
                ));
            }
            if outgoing.is_empty() {
                return Ok(());
            }
            let mut transaction = self.store.begin().await?;
            for outgoing in &outgoing {
                claims::set_attempt(&mut transaction, &outgoing.about, outgoing.valid_until())
                    .await?;
                store::outbox::put(&mut transaction, &outgoing.signed).await?;
            }
            transaction.commit().await?;
            self.note_claims(outgoing).await?;
        }
    }

    async fn note_claims(&self, outgoing: Vec<Outgoing<ClaimReference>>) -> Result<(), Failure> {
        let ended = self.wait_all(outgoing).await;
        let mut transaction = self.store.begin().await?;
        for (reference, committed) in ended {
            match committed {
                Ok(_) => claims::set_outcome(&mut transaction, &reference, None).await?,
                Err(problem) if is_rejection(&problem) => {
                    let rejection = problem.rejection.unwrap_or_default();
                    // Submitted before a crash: it is adjudicated already.
                    let known = rejection.ends_with(Rejection::ClaimExists.name());
                    claims::set_outcome(
                        &mut transaction,
                        &reference,
                        (!known).then_some(rejection.as_str()),
                    )
                    .await?;
                    if !known {
                        tracing::warn!(code = %rejection, "a claim was turned down by the contract");
                    }
                }
                Err(_) => {}
            }
        }
        transaction.commit().await?;
        Ok(())
    }

    /// A record with its patient's ledger id in the insurance context.
    async fn record_and_insured(
        &self,
        record: &RecordNumber,
    ) -> Result<Option<(record_facts::Stored, ledger::LedgerId)>, Failure> {
        let Some(stored) = record_facts::find(self.reader(), &self.vault, record).await? else {
            return Ok(None);
        };
        let patient = patients::find(self.reader(), &self.vault, &stored.patient_token).await?;
        let insured = patient
            .and_then(|patient| patient.matched)
            .map(|matched| matched.insured);
        Ok(insured.map(|insured| (stored, insured)))
    }

    fn claim_command(
        &self,
        claim: ClaimReference,
        insured: ledger::LedgerId,
        planned: &PlannedClaim,
    ) -> Command {
        Command::SubmitClaim {
            claim,
            insured,
            plan: PlanId(self.plans.get(&planned.payer).copied().unwrap_or(0)),
            category: planned.category,
            charged: planned.charged,
            service_year: planned.year,
        }
    }
}
