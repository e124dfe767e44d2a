//! COMMIT (§4.2): a quorum of commits fixes the batch at its place, whatever the view does.

use std::collections::BTreeMap;

use ledger::{Digest, ReplicaId, Signature};

use crate::effect::HaltReason;
use crate::message::{Message, SignedMessage, Vote};
use crate::number::{Sequence, View};
use crate::prepare::record;
use crate::replica::Replica;
use crate::statement::Phase;

impl Replica {
    /// Our COMMIT is durable: it leaves and counts. It leaves even when we have moved on to another view,
    /// because every VIEW-CHANGE of ours since then carries the certificate.
    pub(crate) fn on_commit_durable(&mut self, message: SignedMessage) {
        let Message::Commit(vote) = message.message else {
            return;
        };
        let now = self.now.monotonic;
        let me = self.me;
        let Some(slot) = self.slots.get_mut(&vote.sequence) else {
            return;
        };
        if let Some(own) = slot.own_commit.as_mut().filter(|own| own.vote == vote) {
            own.durable = true;
        }
        slot.said_at = Some(now);
        record(&mut slot.commits, me, vote, message.signature);
        self.broadcast(message);
        self.check_committed(vote.sequence);
    }

    /// Another's COMMIT. Counted in every view and also during a view change: a batch that a quorum
    /// committed is executed before anything else happens.
    pub(crate) fn on_commit(&mut self, sender: ReplicaId, vote: Vote, signature: Signature) {
        if !self.in_reach(vote.sequence) {
            return;
        }
        self.note_double_vote(sender, Phase::Commit, vote, signature);
        let slot = self.slots.entry(vote.sequence).or_default();
        if record(&mut slot.commits, sender, vote, signature) {
            self.check_committed(vote.sequence);
        }
    }

    /// §4.2 committed(m, v, n): a quorum of equal commits. At least f + 1 correct replicas then hold the
    /// prepared certificate, so every later view keeps the batch.
    fn check_committed(&mut self, sequence: Sequence) {
        let Some(slot) = self.slots.get_mut(&sequence) else {
            return;
        };
        let mut tally: BTreeMap<(View, Digest), usize> = BTreeMap::new();
        for cast in slot.commits.values() {
            *tally.entry((cast.view, cast.digest)).or_default() += 1;
        }
        let Some((view, digest)) = tally
            .into_iter()
            .find(|(_, count)| *count >= self.quorum.votes())
            .map(|(vote, _)| vote)
        else {
            return;
        };
        match slot.committed {
            Some((_, first)) if first != digest => {
                self.halt(HaltReason::ConflictingCommit {
                    sequence,
                    first,
                    second: digest,
                });
            }
            Some(_) => {}
            None => {
                slot.committed = Some((view, digest));
                self.check_against_executed(sequence, digest);
                self.note_missing(sequence);
                self.hand_over();
            }
        }
    }

    /// A batch other than the executed one was chosen for an executed place: more than f are faulty.
    pub(crate) fn check_against_executed(&mut self, sequence: Sequence, digest: Digest) {
        let executed = self
            .chain
            .blocks
            .get(&sequence)
            .and_then(|block| block.batch);
        if let Some(first) = executed.filter(|first| *first != digest) {
            self.halt(HaltReason::ConflictingCommit {
                sequence,
                first,
                second: digest,
            });
        }
    }
}
