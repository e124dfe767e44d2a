//! The consortium's contracts behind the seam that blocks are run through.

use contracts::{Context, View};
use ledger::{
    ContractId, Digest, EpochDescription, GenesisFile, Height, Outcome, Timestamp, VoteSlot,
};

use crate::rules::{Call, Decision, Refused, Rules};
use crate::state::StateView;

/// How many deadlines one block ends at most; what is left is due in the next.
pub const EXPIRIES_PER_BLOCK_MAX: usize = 256;

/// The six contracts of `contracts`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Contracts;

/// A state as the contracts want to see it.
struct AsView<'a>(&'a dyn StateView);

impl View for AsView<'_> {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key)
    }

    fn scan(&self, prefix: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        match prefix_end(prefix) {
            Some(end) => self.0.range(prefix, &end, limit),
            None => Vec::new(),
        }
    }
}

/// The least key that is greater than every key with this prefix; `None` for prefixes of nothing but 255s, which no
/// contract uses.
fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

fn recorded(events: &[contracts::Event]) -> Vec<ledger::RecordedEvent> {
    events.iter().map(contracts::Event::recorded).collect()
}

/// The epochs that the state knows to be announced, ascending.
pub fn announced_epochs(view: &dyn StateView) -> Vec<EpochDescription> {
    contracts::announced_epochs(&AsView(view))
}

/// Whether the state holds the proof that the slot's replica signed twice for it.
pub fn is_equivocation_proven(view: &dyn StateView, slot: &VoteSlot) -> bool {
    contracts::is_equivocation_proven(&AsView(view), slot)
}

/// A contract's version in force at `height` that this binary lacks: it must not execute that height.
pub fn missing_version(view: &dyn StateView, height: Height) -> Option<(contracts::Contract, u32)> {
    contracts::missing_version(&AsView(view), height)
}

impl Rules for Contracts {
    type GenesisError = contracts::GenesisError;

    fn genesis(&self, genesis: &GenesisFile) -> Result<Decision, contracts::GenesisError> {
        let (events, writes) = contracts::genesis(genesis)?;
        Ok(Decision {
            events: recorded(&events),
            writes,
        })
    }

    fn execute(&self, view: &dyn StateView, call: &Call<'_>) -> Result<Decision, Refused> {
        let context = Context {
            chain: *call.chain,
            height: call.height,
            time: call.time,
            epoch: call.epoch,
            submitter: call.submitter,
            public_key: call.public_key,
            nonce: call.nonce,
            transaction: *call.transaction,
        };
        let execution = contracts::execute(&AsView(view), &context, call.contract, call.command);
        match execution.outcome {
            Outcome::Accepted => Ok(Decision {
                events: recorded(&execution.events),
                writes: execution.writes,
            }),
            Outcome::Rejected { contract, code } => Err(Refused { contract, code }),
        }
    }

    fn expire(
        &self,
        view: &dyn StateView,
        _chain: &Digest,
        height: Height,
        time: Timestamp,
    ) -> Decision {
        let (events, writes) =
            contracts::expire(&AsView(view), height, time, EXPIRIES_PER_BLOCK_MAX);
        Decision {
            events: recorded(&events),
            writes,
        }
    }

    fn next_due(&self, view: &dyn StateView) -> Option<Timestamp> {
        contracts::next_due(&AsView(view))
    }

    fn nonce_reused(&self) -> (ContractId, u16) {
        let rejection = contracts::Rejection::from(contracts::submission::Rejection::NonceReused);
        (rejection.contract(), rejection.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_one_of_its_length() {
        assert_eq!(prefix_end(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(prefix_end(&[1, 255]), Some(vec![2]));
        assert_eq!(prefix_end(&[255]), None);
    }
}
