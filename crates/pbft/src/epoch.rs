//! The end of an epoch: a change of the replica set takes effect at a checkpoint.
//!
//! Castro and Liskov leave the replica set fixed; the rule is ours. A change that is executed at height h ends the
//! epoch at B, the first checkpoint at or past h + L ([`ledger::EpochDescription::last_height_after`]). Why a quorum
//! never votes past B in the old epoch: places above B are in the window (§4.2) only of replicas whose stable
//! checkpoint lies above h, and such a checkpoint says that at least f + 1 correct replicas executed h and know B.
//! The next epoch's core starts on block B, which a quorum of this epoch certified.

use crate::configuration::Base;
use crate::effect::Effect;
use crate::mutants::mutant;
use crate::number::Sequence;
use crate::replica::Replica;

impl Replica {
    /// The change was executed. Places past the end are neither proposed nor voted for.
    pub(crate) fn on_epoch_ends(&mut self, last: Sequence) {
        if self.last.is_none() {
            self.last = Some(last);
            self.slots.retain(|sequence, _| *sequence <= last);
            self.incomplete.retain(|sequence| *sequence <= last);
        }
    }

    /// Whether empty blocks are made without a pause, so that the change takes effect soon.
    pub(crate) fn hurries(&self) -> bool {
        self.last.is_some_and(|last| self.accepted < last)
    }

    /// Whether nothing was made in this epoch so far: its first block comes at once, so that whoever follows the
    /// chain sees that it is at work (and gets a certified successor of the genesis block).
    pub(crate) fn is_first(&self) -> bool {
        self.accepted == self.configuration.base.sequence
    }

    /// The last place that may be voted for, once it is known.
    pub(crate) fn end(&self) -> Option<Sequence> {
        mutant!(VotesPastEpochEnd, None, self.last)
    }

    /// The last block and all before it are certified here: the epoch is over.
    pub(crate) fn check_epoch_end(&mut self) {
        let is_done = mutant!(
            EpochEndsUncertified,
            self.chain.executed,
            self.chain.certified
        );
        let Some(last) = self.last.filter(|last| is_done >= *last) else {
            return;
        };
        let Some((block, time)) = self
            .chain
            .blocks
            .get(&last)
            .and_then(|known| Some((known.block?, known.time)))
        else {
            return;
        };
        self.ended = true;
        self.effects.push(Effect::EpochEnded(Base {
            sequence: last,
            block,
            time,
        }));
    }
}
