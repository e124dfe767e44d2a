//! What the service does by itself when the ledger says something happened.
//!
//! Reactions look for work in the tables rather than at single events: what a crash left undone is found again, and
//! the contracts' natural keys make doing it twice harmless.

mod certify_erasure;
mod register_waiting_records;
mod release_key;
mod report_offline_emergencies;
mod submit_claims;
mod tell_locators;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chassis::Shutdown;

use crate::failure::Failure;
use crate::service::Records;

/// Reactions look for work this often without being woken.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Identity is asked for members behind unmatched patients this often without a hint.
const MATCH_EVERY: Duration = Duration::from_secs(20);
/// After a member was activated, identity is asked for this long at every look: it may hear of it later than we do.
const MATCH_AFTER_ACTIVATION: Duration = Duration::from_secs(10);

/// Runs the reactions until `shutdown`.
pub async fn run(records: Arc<Records>, activated: Arc<AtomicBool>, shutdown: Shutdown) {
    let mut matched: Option<Instant> = None;
    let mut hinted: Option<Instant> = None;
    while !shutdown.is_requested() {
        if activated.swap(false, Ordering::AcqRel) {
            hinted = Some(Instant::now());
        }
        let is_hinted = hinted.is_some_and(|at| at.elapsed() < MATCH_AFTER_ACTIVATION);
        if is_hinted || matched.is_none_or(|at| at.elapsed() > MATCH_EVERY) {
            matched = Some(Instant::now());
            note(
                "match_waiting_patients",
                records.match_waiting_patients().await,
            );
        }
        note(
            "register_waiting_records",
            records.register_waiting_records().await,
        );
        note("submit_claims", records.submit_claims().await);
        note("tell_locators", records.tell_locators().await);
        note("release_key", records.release_keys().await);
        note("certify_erasure", records.certify_erasures().await);
        note(
            "report_offline_emergencies",
            records.report_offline_emergencies().await,
        );
        tokio::select! {
            () = records.work.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = shutdown.requested() => {}
        }
    }
}

fn note(operation: &'static str, done: Result<(), Failure>) {
    if let Err(failure) = done {
        tracing::warn!(operation, reason = %failure, "a reaction will be tried again");
    }
}
