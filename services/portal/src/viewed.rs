//! Records that somebody has just opened: reading on, going back and reloading do not open them again.
//!
//! The view is on the ledger before anything is here; or, in an emergency without the ledger, in the hospital's signed
//! journal. What is here is in memory alone, for the session that opened it, for a
//! quarter of an hour at most, and gone at sign-out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use contracts::EmergencyId;
use interfaces::records::{JournaledView, ViewedRecord, ViewedRecords};
use ledger::{Digest, LedgerId};

const KEPT_FOR: Duration = Duration::from_secs(15 * 60);
const BYTES_MAX: usize = 128 * 1024 * 1024;

/// Where a view was put down before its content was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PutDown {
    /// On the ledger, by this transaction.
    Committed(Digest),
    /// In the hospital's journal of emergencies without the ledger.
    Journaled(EmergencyId),
}

impl std::fmt::Display for PutDown {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PutDown::Committed(transaction) => transaction.fmt(formatter),
            PutDown::Journaled(emergency) => emergency.fmt(formatter),
        }
    }
}

impl std::str::FromStr for PutDown {
    type Err = ();

    /// A transaction has 64 digits, an emergency 32.
    fn from_str(text: &str) -> Result<PutDown, ()> {
        let transaction = text.parse().map(PutDown::Committed).map_err(|_| ());
        transaction.or_else(|()| text.parse().map(PutDown::Journaled).map_err(|_| ()))
    }
}

/// Records that were opened, and where that was put down.
pub(crate) struct Opened {
    pub(crate) put_down: PutDown,
    /// The patient for whom a guardian opened them.
    pub(crate) acting_for: Option<LedgerId>,
    pub(crate) records: Vec<ViewedRecord>,
}

impl From<ViewedRecords> for Opened {
    fn from(viewed: ViewedRecords) -> Opened {
        Opened {
            put_down: PutDown::Committed(viewed.committed.transaction),
            acting_for: None,
            records: viewed.records,
        }
    }
}

impl From<JournaledView> for Opened {
    fn from(viewed: JournaledView) -> Opened {
        Opened {
            put_down: PutDown::Journaled(viewed.emergency),
            acting_for: None,
            records: viewed.records,
        }
    }
}

struct Kept {
    session: String,
    at: Instant,
    bytes: usize,
    viewed: Arc<Opened>,
}

/// By where the view was put down.
#[derive(Default)]
pub(crate) struct Viewed {
    kept: Mutex<HashMap<PutDown, Kept>>,
}

impl Viewed {
    /// Keeps what a session opened; the oldest gives way.
    pub(crate) fn keep(&self, session: &str, viewed: impl Into<Opened>) -> PutDown {
        let viewed = viewed.into();
        let put_down = viewed.put_down;
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
                .map(|(put_down, _)| *put_down)
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
        kept.insert(put_down, entry);
        put_down
    }

    /// What this session opened, while it is kept.
    pub(crate) fn get(&self, session: &str, put_down: &PutDown) -> Option<Arc<Opened>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(put_down)
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
        let journaled = JournaledView {
            emergency: EmergencyId([8; 16]),
            journaled: String::new(),
            records: Vec::new(),
        };
        let put_down = [viewed.keep("mine", records), viewed.keep("mine", journaled)];
        for place in &put_down {
            assert!(viewed.get("mine", place).is_some(), "{place}");
            assert!(viewed.get("another", place).is_none(), "{place}");
        }
        viewed.forget("mine");
        for place in &put_down {
            assert!(viewed.get("mine", place).is_none(), "{place}");
        }
    }

    #[test]
    fn the_address_of_a_view_says_whether_it_is_on_the_ledger_or_in_the_journal() {
        let places = [
            PutDown::Committed(Digest([7; 32])),
            PutDown::Journaled(EmergencyId([8; 16])),
        ];
        for place in places {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        assert!("journal".parse::<PutDown>().is_err());
    }
}
