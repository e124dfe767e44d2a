//! Records that somebody has just opened: reading on, going back and reloading do not open them again.
//!
//! The view is on the ledger before anything is here. What is here is in memory alone, for the session that opened it, for a
//! quarter of an hour at most, and gone at sign-out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use interfaces::records::ViewedRecords;
use ledger::Digest;

const KEPT_FOR: Duration = Duration::from_secs(15 * 60);
const BYTES_MAX: usize = 128 * 1024 * 1024;

struct Kept {
    session: String,
    at: Instant,
    bytes: usize,
    viewed: Arc<ViewedRecords>,
}

/// By the transaction of the view.
#[derive(Default)]
pub(crate) struct Viewed {
    kept: Mutex<HashMap<Digest, Kept>>,
}

impl Viewed {
    /// Keeps what a session opened; the oldest gives way.
    pub(crate) fn keep(&self, session: &str, viewed: ViewedRecords) -> Digest {
        let transaction = viewed.committed.transaction;
        let bytes = viewed
            .records
            .iter()
            .filter_map(|record| record.content.as_ref().map(String::len))
            .sum();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, entry| entry.at.elapsed() < KEPT_FOR);
        while kept.values().map(|entry| entry.bytes).sum::<usize>() + bytes > BYTES_MAX {
            let Some(oldest) = kept
                .iter()
                .min_by_key(|(_, entry)| entry.at)
                .map(|(transaction, _)| *transaction)
            else {
                break;
            };
            kept.remove(&oldest);
        }
        let entry = Kept {
            session: session.to_owned(),
            at: Instant::now(),
            bytes,
            viewed: Arc::new(viewed),
        };
        kept.insert(transaction, entry);
        transaction
    }

    /// What this session opened under a transaction, while it is kept.
    pub(crate) fn get(&self, session: &str, transaction: &Digest) -> Option<Arc<ViewedRecords>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(transaction)
            .filter(|entry| entry.session == session && entry.at.elapsed() < KEPT_FOR)
            .map(|entry| entry.viewed.clone())
    }

    /// Forgets what a session opened.
    pub(crate) fn forget(&self, session: &str) {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, entry| entry.session != session);
    }
}

#[cfg(test)]
mod tests {
    use interfaces::{Base64, Committed};

    use super::*;

    #[test]
    fn what_one_session_opened_no_other_sees_and_signing_out_forgets_it() {
        let viewed = Viewed::default();
        let records = ViewedRecords {
            committed: Committed {
                transaction: Digest([7; 32]),
                height: 1,
                receipt: Base64::default(),
            },
            records: Vec::new(),
        };
        let transaction = viewed.keep("mine", records);
        assert!(viewed.get("mine", &transaction).is_some());
        assert!(viewed.get("another", &transaction).is_none());
        viewed.forget("mine");
        assert!(viewed.get("mine", &transaction).is_none());
    }
}
