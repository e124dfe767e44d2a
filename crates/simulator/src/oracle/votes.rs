//! What correct replicas sign and send.

use pbft::message::Message;
use pbft::{SignedMessage, Summary};

use super::{Oracle, Violation, ensure};
use crate::disk::{Disk, vote_key};

impl Oracle {
    /// A batch is proposed, by whomever.
    pub fn proposed(&mut self, message: &SignedMessage) {
        if let Message::PrePrepare(proposal) = &message.message {
            let digest = proposal.batch.digest();
            self.batches
                .entry(digest)
                .or_insert_with(|| proposal.batch.digests.clone());
        }
    }

    /// A correct replica signed a vote, which has not left yet and may never do.
    pub fn signed(&mut self, message: &SignedMessage) {
        if let Some((key, digest)) = vote_key(message) {
            let (epoch, replica) = (message.epoch, message.sender);
            self.signed.insert((epoch, replica, key, digest));
        }
    }

    /// A correct replica lets a message of its own out.
    ///
    /// - 9: one statement per slot, across restarts.
    /// - 10: votes are durable before they leave; of a COMMIT, the block as well.
    /// - 11: a proposal or PREPARE leaves only with every body durable.
    /// - 12: the primary does not PREPARE.
    /// - 13: no vote in a view older than one that was asked for.
    /// - 14: votes stay below the high water mark.
    /// - 18: correct replicas commit to one block in a view and place.
    /// - 25: votes stay in their epoch, of whose end the replica knows or not.
    ///
    /// # Errors
    /// The violation.
    pub fn sent(
        &mut self,
        message: &SignedMessage,
        disk: &Disk,
        summary: &Summary,
        knows_end: bool,
    ) -> Result<(), Violation> {
        let (epoch, replica) = (message.epoch, message.sender);
        let Some((key, digest)) = vote_key(message) else {
            return Ok(());
        };
        self.signed(message);
        let first = *self.votes.entry((epoch, replica, key)).or_insert(digest);
        ensure!(
            first == digest,
            "replica {replica} signed twice for {key:?}"
        );
        let (view, sequence, _) = key;
        match &message.message {
            Message::Prepare(_) => {
                ensure!(
                    replica != self.primary(epoch, view)?,
                    "the primary {replica} sent a PREPARE"
                );
            }
            Message::ViewChange(_) | Message::NewView(_) => {
                let highest = self.views.entry((epoch, replica)).or_insert(view);
                *highest = view.max(*highest);
            }
            Message::Commit(_) => {
                let first = *self
                    .commits
                    .entry((epoch, view, sequence))
                    .or_insert(digest);
                ensure!(
                    first == digest,
                    "two blocks committed to in view {view} at {sequence}"
                );
                ensure!(
                    disk.has_backed(&message.signature),
                    "replica {replica} committed to a block that it does not store"
                );
            }
            _ => {}
        }
        ensure!(
            disk.has_synced(&message.signature),
            "replica {replica} sent a vote before it was durable: {key:?}"
        );
        if sequence.0 > 0 {
            self.check_place(replica, epoch, sequence, knows_end)?;
        }
        if let Message::Prepare(_) | Message::PrePrepare(_) = &message.message {
            let highest = self
                .views
                .get(&(epoch, replica))
                .copied()
                .unwrap_or_default();
            ensure!(
                view >= highest,
                "replica {replica} voted in view {view} after asking for {highest}"
            );
            let high = summary.stable.plus(self.limits.window);
            ensure!(
                sequence <= high,
                "replica {replica} voted for {sequence} above the high water mark {high}"
            );
            self.proposed(message);
            let bodies = self.batches.get(&digest).into_iter().flatten();
            let durable = bodies.into_iter().all(|body| disk.has_body(body));
            ensure!(
                durable,
                "replica {replica} voted at {sequence} for bodies that are not durable"
            );
        }
        Ok(())
    }
}
