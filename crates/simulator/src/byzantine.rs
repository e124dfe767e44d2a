//! Faulty replicas: a correct core whose messages are twisted on their way out.

use std::collections::BTreeMap;

use ledger::{Digest, Timestamp};
use pbft::message::{Message, PrePrepare, Status, Vote};
use pbft::statement::Statement;
use pbft::{Batch, Sequence, SignedMessage, Signer, View};

use crate::plan::Behaviour;

/// The memory of a faulty replica.
#[derive(Debug, Default)]
pub struct Twister {
    /// The second batch that an equivocating primary proposed for a slot.
    second: BTreeMap<(View, Sequence), Batch>,
}

impl Twister {
    /// What `to` gets instead of `message`.
    pub fn twist(
        &mut self,
        behaviour: Behaviour,
        key: &dyn Signer,
        from: usize,
        chain: &Digest,
        to: usize,
        message: &SignedMessage,
    ) -> Option<SignedMessage> {
        let own = usize::from(message.sender.0) == from;
        let resign = |content: Message| {
            let statement = Statement::of(&content);
            let (domain, bytes) = statement.signing_bytes(chain, message.epoch, message.sender);
            let signature = key.sign(domain, &bytes);
            SignedMessage {
                epoch: message.epoch,
                sender: message.sender,
                message: content,
                signature,
            }
        };
        match behaviour {
            Behaviour::Silent => None,
            Behaviour::SilentPrimary => match message.message {
                Message::PrePrepare(_) | Message::NewView(_) => None,
                _ => Some(message.clone()),
            },
            Behaviour::Selective => to.is_multiple_of(2).then(|| message.clone()),
            Behaviour::ForgingHistory => match message.message {
                Message::Status(status) if own => {
                    let certified = status.certified.plus(1_000);
                    Some(resign(Message::Status(Status {
                        certified,
                        ..status
                    })))
                }
                _ => Some(message.clone()),
            },
            Behaviour::Equivocating if own && to % 2 == 1 => {
                Some(resign(self.second_word(&message.message)))
            }
            Behaviour::Equivocating => Some(message.clone()),
        }
    }

    /// The other thing that an equivocator says for the same slot.
    fn second_word(&mut self, message: &Message) -> Message {
        match message {
            Message::PrePrepare(PrePrepare {
                view,
                sequence,
                batch,
            }) => {
                let second = self
                    .second
                    .entry((*view, *sequence))
                    .or_insert_with(|| Batch {
                        time: Timestamp(batch.time.0 + 1),
                        digests: batch.digests.iter().rev().copied().collect(),
                    });
                Message::PrePrepare(PrePrepare {
                    view: *view,
                    sequence: *sequence,
                    batch: second.clone(),
                })
            }
            Message::Prepare(vote) => Message::Prepare(self.second_vote(vote)),
            Message::Commit(vote) => Message::Commit(self.second_vote(vote)),
            Message::BlockVote(vote) => {
                let block = ledger::tagged("simulator/other-block", &[&vote.block.0]);
                Message::BlockVote(pbft::message::BlockHash { block, ..*vote })
            }
            other => other.clone(),
        }
    }

    fn second_vote(&self, vote: &Vote) -> Vote {
        let digest = match self.second.get(&(vote.view, vote.sequence)) {
            Some(batch) => batch.digest(),
            None => ledger::tagged("simulator/other-batch", &[&vote.digest.0]),
        };
        Vote { digest, ..*vote }
    }
}
