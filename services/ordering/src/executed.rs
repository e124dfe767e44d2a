//! The transactions that were executed lately: whoever sends one again is known without a look at the store.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ledger::Digest;

/// A generation is as long; three are kept, so a transaction is known for at least twice as long: longer than any is valid
/// after its block, clocks that differ included.
const GENERATION: Duration = Duration::from_secs(35);

/// Every transaction in a certified block whose validity has not ended, and some more.
#[derive(Debug)]
pub struct LatelyExecuted(Mutex<Generations>);

#[derive(Debug)]
struct Generations {
    /// The first eight bytes of each id: enough to know when to look into the store. The newest comes first.
    ids: [HashSet<u64>; 3],
    started: Instant,
}

fn short(id: &Digest) -> u64 {
    u64::from_be_bytes(std::array::from_fn(|place| id.0[place]))
}

impl LatelyExecuted {
    /// Those that the state remembers, when a replica starts.
    pub fn new(ids: impl IntoIterator<Item = Digest>) -> LatelyExecuted {
        let known = ids.into_iter().map(|id| short(&id)).collect();
        LatelyExecuted(Mutex::new(Generations {
            ids: [known, HashSet::new(), HashSet::new()],
            started: Instant::now(),
        }))
    }

    /// Takes the transactions of a block.
    pub fn add(&self, ids: &[Digest]) {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.started.elapsed() > GENERATION {
            generations.ids.rotate_right(1);
            generations.ids[0] = HashSet::new();
            generations.started = Instant::now();
        }
        generations.ids[0].extend(ids.iter().map(short));
    }

    /// Whether a transaction may be among them; if not, it is in no certified block or its validity has ended.
    pub fn may_hold(&self, id: &Digest) -> bool {
        let generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let short = short(id);
        generations.ids.iter().any(|ids| ids.contains(&short))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_executed_is_known_through_two_more_generations() {
        let executed = LatelyExecuted::new([Digest([1; 32])]);
        executed.add(&[Digest([2; 32])]);
        let age = |executed: &LatelyExecuted| {
            let mut generations = executed.0.lock().unwrap();
            generations.started = Instant::now()
                .checked_sub(GENERATION + Duration::from_secs(1))
                .unwrap();
        };
        for kept in 0..3 {
            for id in [1, 2] {
                assert!(executed.may_hold(&Digest([id; 32])), "generation {kept}");
            }
            age(&executed);
            executed.add(&[Digest([9; 32])]);
        }
        assert!(!executed.may_hold(&Digest([2; 32])));
        assert!(executed.may_hold(&Digest([9; 32])));
    }
}
