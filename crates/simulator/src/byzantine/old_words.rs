//! What was said in another epoch, by one that has no voice in this one, or of a place that lies in no epoch.

use ledger::{Epoch, ReplicaId, Timestamp};
use pbft::message::{Message, PrePrepare, Vote};
use pbft::statement::{Phase, Statement};
use pbft::{Batch, Sequence, SignedMessage, View};

use super::{Adversary, Twisted};
use crate::membership::FIRST_EPOCH;
use crate::random::Random;

impl Adversary {
    /// The message, and now and then an old one of anybody's, or a vote that another replica cast in the epoch
    /// before for a place that this epoch uses anew.
    pub(super) fn replay(
        &mut self,
        to: ReplicaId,
        message: &SignedMessage,
        random: &mut Random,
    ) -> Vec<Twisted> {
        let mut words = vec![(message.clone(), 0)];
        if random.chance(150) && !self.captured.is_empty() {
            let old = random.below(self.captured.len() as u64) as usize;
            words.push((self.captured[old].clone(), random.below(50_000)));
        }
        if random.chance(60) {
            words.extend(self.vote_of_earlier_epoch(to, message, random));
        }
        if message.epoch > FIRST_EPOCH && random.chance(60) {
            let renamed = self.word_under_another_epoch(message.epoch, random);
            words.extend(renamed.map(|word| (word, random.below(20_000))));
        }
        words
    }

    fn vote_of_earlier_epoch(
        &self,
        to: ReplicaId,
        message: &SignedMessage,
        random: &mut Random,
    ) -> Option<Twisted> {
        let (Message::Prepare(vote) | Message::Commit(vote)) = message.message else {
            return None;
        };
        let set = self.set(message.epoch);
        let victim = set[random.below(set.len() as u64) as usize].0;
        let phase = random.pick(&[Phase::Prepare, Phase::Commit]);
        if victim == to
            || phase == Phase::Prepare && victim == self.primary(message.epoch, vote.view)
        {
            return None;
        }
        let digest = ledger::tagged("simulator/earlier-epoch", &[&vote.sequence.0.to_be_bytes()]);
        let statement = Statement {
            view: vote.view,
            sequence: vote.sequence,
            phase,
            digest,
        };
        let earlier = Epoch(message.epoch.0 - 1);
        let vote = Vote { digest, ..vote };
        let old = SignedMessage {
            epoch: message.epoch,
            sender: victim,
            message: match phase {
                Phase::Commit => Message::Commit(vote),
                _ => Message::Prepare(vote),
            },
            signature: self.sign_statement(victim, earlier, &statement),
        };
        Some((old, random.below(20_000)))
    }
    /// Something that was heard in an earlier epoch, as if it had been said in this one.
    fn word_under_another_epoch(&self, epoch: Epoch, random: &mut Random) -> Option<SignedMessage> {
        let earlier = self.captured.iter().filter(|it| it.epoch < epoch).count();
        let chosen = random.below(earlier as u64) as usize;
        let mut earlier = self.captured.iter().filter(|it| it.epoch < epoch);
        let word = earlier.nth(chosen)?.clone();
        Some(SignedMessage { epoch, ..word })
    }

    /// After a proposal for a checkpoint, with which the epoch may end, one for the place behind it.
    pub(super) fn proposal_past(&self, proposed: &SignedMessage) -> Option<SignedMessage> {
        let Message::PrePrepare(proposal) = &proposed.message else {
            return None;
        };
        let interval = self.past_checkpoints_of;
        if interval == 0 || !proposal.sequence.0.is_multiple_of(interval) {
            return None;
        }
        let time = Timestamp(proposal.batch.time.0 + 1);
        let digests = proposal.batch.digests.clone();
        let past = PrePrepare {
            view: proposal.view,
            sequence: proposal.sequence.next(),
            batch: Batch { time, digests },
        };
        Some(self.signed(proposed.sender, proposed.epoch, Message::PrePrepare(past)))
    }

    /// What a replica says that was taken out: words of the epochs that are over, the same as if they were of this one, and a
    /// vote of its own for the next block.
    pub fn haunting_words(
        &self,
        me: ReplicaId,
        epoch: Epoch,
        certified: Sequence,
        random: &mut Random,
    ) -> Vec<SignedMessage> {
        let mut words = Vec::new();
        if !self.captured.is_empty() {
            let old = random.below(self.captured.len() as u64) as usize;
            words.push(self.captured[old].clone());
        }
        words.extend(self.word_under_another_epoch(epoch, random));
        let sequence = certified.next();
        let vote = Vote {
            view: View(0),
            sequence,
            digest: ledger::tagged("simulator/haunting", &[&sequence.0.to_be_bytes()]),
        };
        words.push(self.signed(me, epoch, Message::Commit(vote)));
        words
    }
}
