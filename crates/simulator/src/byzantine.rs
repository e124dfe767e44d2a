//! The adversary behind all faulty replicas: correct cores whose messages are twisted on their way out, with one
//! memory of everything that any of them heard.

use std::collections::BTreeMap;

use ledger::{Digest, Epoch, ReplicaId, Signature, Timestamp};
use pbft::message::{Message, PrePrepare, Status, Vote};
use pbft::statement::{Phase, Statement};
use pbft::{Batch, Sequence, SignedMessage, View};

use crate::plan::{Behaviour, Plan};
use crate::random::Random;
use crate::signing::signer;

mod forge;

/// How many messages of others are kept for replay.
const CAPTURED_MAX: usize = 1_000;

/// What faulty replicas know together.
#[derive(Debug)]
pub struct Adversary {
    chain: Digest,
    epoch: Epoch,
    replicas: usize,
    real_signatures: bool,
    slow_us: u64,
    quorum: usize,
    window: u64,
    /// The second batch that an equivocating primary proposed for a slot.
    second: BTreeMap<(View, Sequence), Batch>,
    /// Signatures heard for a statement about a place: a primary's pre-prepare and backups' PREPAREs.
    heard: BTreeMap<(View, Sequence, Digest), Heard>,
    captured: Vec<SignedMessage>,
}

#[derive(Debug, Default)]
struct Heard {
    pre_prepare: Option<Signature>,
    prepares: BTreeMap<ReplicaId, Signature>,
}

/// A message that leaves a faulty replica, and how much later than it should.
pub type Twisted = (SignedMessage, u64);

impl Adversary {
    /// Knows nothing yet.
    pub fn new(plan: &Plan, chain: Digest, epoch: Epoch) -> Adversary {
        let faults = (plan.replicas - 1) / 3;
        Adversary {
            chain,
            epoch,
            replicas: plan.replicas,
            real_signatures: plan.real_signatures,
            slow_us: plan.limits.request_timeout_us * 4 / 5,
            quorum: (plan.replicas + faults + 1).div_ceil(2),
            window: plan.limits.window,
            second: BTreeMap::new(),
            heard: BTreeMap::new(),
            captured: Vec::new(),
        }
    }

    /// A faulty replica hears something.
    pub fn hear(&mut self, message: &SignedMessage) {
        match &message.message {
            Message::PrePrepare(proposal) => {
                let key = (proposal.view, proposal.sequence, proposal.batch.digest());
                self.heard.entry(key).or_default().pre_prepare = Some(message.signature);
            }
            Message::Prepare(vote) => {
                let key = (vote.view, vote.sequence, vote.digest);
                let heard = self.heard.entry(key).or_default();
                heard.prepares.insert(message.sender, message.signature);
            }
            _ => {}
        }
        if self.captured.len() < CAPTURED_MAX {
            self.captured.push(message.clone());
        }
    }

    /// The messages that were kept.
    pub fn captured(&self) -> &[SignedMessage] {
        &self.captured
    }

    fn primary(&self, view: View) -> ReplicaId {
        ReplicaId((view.0 % self.replicas as u64) as u16)
    }

    fn sign_statement(&self, by: ReplicaId, epoch: Epoch, statement: &Statement) -> Signature {
        let (domain, bytes) = statement.signing_bytes(&self.chain, epoch, by);
        signer(self.real_signatures, usize::from(by.0)).sign(domain, &bytes)
    }

    fn signed(&self, by: ReplicaId, message: Message) -> SignedMessage {
        let signature = self.sign_statement(by, self.epoch, &Statement::of(&message));
        SignedMessage {
            epoch: self.epoch,
            sender: by,
            message,
            signature,
        }
    }

    /// What `to` gets instead of `message`, which the faulty replica `from` was about to send.
    pub fn twist(
        &mut self,
        behaviour: Behaviour,
        from: ReplicaId,
        to: ReplicaId,
        message: &SignedMessage,
        random: &mut Random,
    ) -> Vec<Twisted> {
        let as_it_is = || vec![(message.clone(), 0)];
        let is_own = message.sender == from;
        match behaviour {
            Behaviour::Silent => Vec::new(),
            Behaviour::SilentPrimary => match message.message {
                Message::PrePrepare(_) | Message::NewView(_) => Vec::new(),
                _ => as_it_is(),
            },
            Behaviour::SlowPrimary => match message.message {
                Message::PrePrepare(_) if is_own => vec![(message.clone(), self.slow_us)],
                _ => as_it_is(),
            },
            Behaviour::Censoring | Behaviour::Twin => as_it_is(),
            Behaviour::Selective if to.0.is_multiple_of(2) => as_it_is(),
            Behaviour::Selective => Vec::new(),
            Behaviour::ForgingHistory => match message.message {
                Message::Status(status) if is_own => {
                    let certified = status.certified.plus(1_000);
                    let boast = Status {
                        certified,
                        ..status
                    };
                    vec![(self.signed(from, Message::Status(boast)), 0)]
                }
                _ => as_it_is(),
            },
            Behaviour::Equivocating if is_own => self.equivocate(from, to, message),
            Behaviour::ForgingProofs if is_own => match &message.message {
                Message::ViewChange(change) => {
                    let forged = self.forge_view_change(from, change, random);
                    vec![(self.signed(from, Message::ViewChange(forged)), 0)]
                }
                Message::NewView(opening) if random.chance(700) => {
                    let forged = self.forge_new_view(from, opening, random);
                    vec![(self.signed(from, Message::NewView(forged)), 0)]
                }
                _ => self.equivocate(from, to, message),
            },
            Behaviour::Equivocating | Behaviour::ForgingProofs => as_it_is(),
            Behaviour::Replaying => self.replay(to, message, random),
        }
    }

    /// One word to replicas with even numbers, another to the others; as primary also a PREPARE, which must not
    /// count.
    fn equivocate(
        &mut self,
        from: ReplicaId,
        to: ReplicaId,
        message: &SignedMessage,
    ) -> Vec<Twisted> {
        let word = if to.0 % 2 == 1 {
            let second = self.second_word(&message.message);
            self.signed(from, second)
        } else {
            message.clone()
        };
        let mut words = vec![(word, 0)];
        if let Message::PrePrepare(proposal) = &words[0].0.message {
            let vote = Vote {
                view: proposal.view,
                sequence: proposal.sequence,
                digest: proposal.batch.digest(),
            };
            words.push((self.signed(from, Message::Prepare(vote)), 1));
        }
        words
    }

    /// The other thing that an equivocator says for the same slot.
    fn second_word(&mut self, message: &Message) -> Message {
        match message {
            Message::PrePrepare(PrePrepare {
                view,
                sequence,
                batch,
            }) => {
                let slot = (*view, *sequence);
                let second = self.second.entry(slot).or_insert_with(|| Batch {
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
            Message::Commit(vote) => {
                let digest = ledger::tagged("simulator/other-block", &[&vote.digest.0]);
                Message::Commit(Vote { digest, ..*vote })
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

    /// The message, and now and then an old one of anybody's, or a vote that another replica cast in the epoch
    /// before for a place that this epoch uses anew.
    fn replay(
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
        let victim = ReplicaId(random.below(self.replicas as u64) as u16);
        let phase = random.pick(&[Phase::Prepare, Phase::Commit]);
        if victim == to || phase == Phase::Prepare && victim == self.primary(vote.view) {
            return None;
        }
        let digest = ledger::tagged("simulator/earlier-epoch", &[&vote.sequence.0.to_be_bytes()]);
        let statement = Statement {
            view: vote.view,
            sequence: vote.sequence,
            phase,
            digest,
        };
        let earlier = Epoch(self.epoch.0 - 1);
        let vote = Vote { digest, ..vote };
        let old = SignedMessage {
            epoch: self.epoch,
            sender: victim,
            message: match phase {
                Phase::Commit => Message::Commit(vote),
                _ => Message::Prepare(vote),
            },
            signature: self.sign_statement(victim, earlier, &statement),
        };
        Some((old, random.below(20_000)))
    }
}
