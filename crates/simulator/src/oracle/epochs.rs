//! Epochs: which set a height belongs to, on what an epoch stands, and that nobody speaks out of its epoch.

use std::rc::Rc;

use ledger::{Digest, Epoch, EpochDescription, ReplicaId};
use pbft::{Base, Sequence};

use super::{Oracle, Violation, ensure};
use crate::machine::Block;
use crate::membership::{Announced, epoch_at, last_height};

impl Oracle {
    /// The newest epoch that a certified block has announced.
    pub fn newest_epoch(&self) -> &EpochDescription {
        &self.epochs[self.epochs.len() - 1].description
    }

    /// How many changes of the replica set are certified.
    pub fn changes(&self) -> usize {
        self.epochs.len() - 1
    }

    /// The epoch that certifies a height.
    pub(super) fn epoch_at(&self, height: Sequence) -> Epoch {
        epoch_at(&self.epochs, height).epoch
    }

    /// The replicas of an epoch.
    pub(super) fn members(&self, epoch: Epoch) -> Result<&EpochDescription, Violation> {
        let mut known = self.epochs.iter().map(|it| it.description.as_ref());
        let found = known.find(|description| description.epoch == epoch);
        found.ok_or_else(|| format!("epoch {epoch} counts, and no certified block announced it"))
    }

    /// Whether the change that a transaction asks for was accepted, once the transaction is in a certified block.
    pub fn is_adopted(&self, transaction: &Digest) -> Option<bool> {
        let height = self.effective.get(transaction)?;
        // Another change may have been accepted in the same block.
        let number = self.contract.number_of(transaction)?;
        let announced = self.epochs.get(number + 1);
        Some(announced.is_some_and(|announced| announced.at == *height))
    }

    /// - 23: a certified block is of the epoch to which its height belongs, and announces an epoch just when it holds a change
    ///   that the contract accepts: the set before, changed as was asked, from the first checkpoint on that is a window
    ///   or more away.
    pub(super) fn check_epoch_of(&mut self, block: &Block) -> Result<(), Violation> {
        let (sequence, epoch) = (block.sequence, self.epoch_at(block.sequence));
        ensure!(
            block.epoch == epoch,
            "block {sequence} is of epoch {}, and its height of epoch {epoch}",
            block.epoch
        );
        let effective = block.digests.iter().zip(&block.effective);
        let mut effective = effective.filter(|(_, is_effective)| **is_effective);
        let accepted = effective.find_map(|(digest, _)| {
            let decided = self.contract.decide(digest, sequence, &self.epochs)?;
            Some((self.contract.number_of(digest)?, decided))
        });
        ensure!(
            block.announced.as_deref() == accepted.as_ref().map(|(_, decided)| decided),
            "block {sequence} announces {:?}, and the contract {accepted:?}",
            block.announced
        );
        let (Some(announced), Some((number, _))) = (&block.announced, accepted) else {
            return Ok(());
        };
        let change = self.contract.change(number);
        let before = self.newest_epoch();
        let last = announced.first_height.0 - 1;
        let away = last - sequence.0;
        let (interval, window) = (self.limits.checkpoint_interval, self.limits.window);
        ensure!(
            last.is_multiple_of(interval) && (window..window + interval).contains(&away),
            "a change at {sequence} ends its epoch at {last}"
        );
        ensure!(
            announced.epoch.0 == before.epoch.0 + 1
                && announced.replicas == self.contract.changed(change, &before.replicas),
            "{change:?} at {sequence} makes {announced:?} of {before:?}"
        );
        let faulty = announced.replicas.iter();
        let faulty = faulty
            .filter(|it| self.faulty.contains(&it.replica))
            .count();
        assert!(
            faulty <= announced.fault_tolerance(),
            "the plan leaves {faulty} faulty replicas in {announced:?}"
        );
        self.epochs.push(Announced {
            at: sequence,
            description: Rc::clone(announced),
        });
        Ok(())
    }

    /// A correct replica begins in an epoch, or starts in it again.
    ///
    /// - 24: it knows the epoch as the chain announced it, the last block of the epoch before is certified and the one on which
    ///   it builds, and it goes back to no earlier epoch.
    ///
    /// # Errors
    /// The violation.
    pub fn epoch_entered(
        &mut self,
        replica: ReplicaId,
        description: &EpochDescription,
        base: Base,
    ) -> Result<(), Violation> {
        let epoch = description.epoch;
        ensure!(
            self.members(epoch)? == description,
            "replica {replica} takes epoch {epoch} for {description:?}"
        );
        ensure!(
            base.sequence.0 + 1 == description.first_height.0,
            "replica {replica} begins epoch {epoch} on block {}",
            base.sequence
        );
        ensure!(
            base.sequence.0 == 0 || self.certified.get(&base.sequence) == Some(&base.block),
            "replica {replica} begins epoch {epoch} on a block that is not certified"
        );
        Ok(())
    }

    /// - 25: what a correct replica votes for lies in the epoch of its vote: above the block on which that stands, and not above
    ///   its last, once the replica knows that one (a replica that lags may not, and then no quorum votes with it: 23).
    pub(super) fn check_place(
        &self,
        replica: ReplicaId,
        epoch: Epoch,
        sequence: Sequence,
        knows_end: bool,
    ) -> Result<(), Violation> {
        let first = self.members(epoch)?.first_height;
        ensure!(
            sequence.0 >= first.0,
            "replica {replica} voted in epoch {epoch} at {sequence}, below its first height {first}"
        );
        let last = last_height(&self.epochs, epoch).filter(|_| knows_end);
        ensure!(
            last.is_none_or(|last| sequence <= last),
            "replica {replica} voted in epoch {epoch} at {sequence}, past its last height {last:?}"
        );
        Ok(())
    }
}
