//! The adversary behind all faulty replicas: correct cores whose messages are twisted on their way out, with one
//! memory of everything that any of them heard.

use std::collections::BTreeMap;

use ledger::{Digest, Epoch, EpochDescription, ReplicaId, Signature, Timestamp};
use pbft::message::{Message, PrePrepare, Status, Vote};
use pbft::statement::Statement;
use pbft::{Batch, Sequence, SignedMessage, View};

use crate::membership::{FIRST_EPOCH, key_numbers};
use crate::plan::{Behaviour, Plan};
use crate::random::Random;
use crate::signing::signer;

mod forge;
mod old_words;

/// How many messages of others are kept for replay.
const CAPTURED_MAX: usize = 1_000;

/// What faulty replicas know together.
#[derive(Debug)]
pub struct Adversary {
    chain: Digest,
    /// The replicas of each epoch that has begun, with the number of the key that each has in it.
    sets: BTreeMap<Epoch, Vec<(ReplicaId, usize)>>,
    real_signatures: bool,
    slow_us: u64,
    window: u64,
    /// Proposals one place past such a height are made where epochs end; 0: none.
    past_checkpoints_of: u64,
    /// The second batch that an equivocating primary proposed for a slot.
    second: BTreeMap<(Epoch, View, Sequence), Batch>,
    /// Signatures heard for a statement about a place: a primary's pre-prepare and backups' PREPAREs.
    heard: BTreeMap<(Epoch, View, Sequence, Digest), Heard>,
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
    pub fn new(plan: &Plan, chain: Digest) -> Adversary {
        Adversary {
            chain,
            sets: BTreeMap::new(),
            real_signatures: plan.real_signatures,
            slow_us: plan.limits.request_timeout_us * 4 / 5,
            window: plan.limits.window,
            past_checkpoints_of: match plan.membership.changes.len() {
                0 => 0,
                _ => plan.limits.checkpoint_interval,
            },
            second: BTreeMap::new(),
            heard: BTreeMap::new(),
            captured: Vec::new(),
        }
    }

    /// An epoch begins somewhere.
    pub fn learn(&mut self, epoch: &EpochDescription) {
        let key_of = |replica: ReplicaId| {
            let named = epoch.replica(replica).map(|described| described.public_key);
            let key = |number| signer(self.real_signatures, number).public_key();
            let mut numbers = key_numbers(replica).into_iter();
            numbers.find(|number| Some(key(*number)) == named)
        };
        let replicas = epoch.replicas.iter().map(|described| described.replica);
        let set = replicas.filter_map(|replica| Some((replica, key_of(replica)?)));
        self.sets.insert(epoch.epoch, set.collect());
    }

    /// A faulty replica hears something.
    pub fn hear(&mut self, message: &SignedMessage) {
        let epoch = message.epoch;
        match &message.message {
            Message::PrePrepare(proposal) => {
                let digest = proposal.batch.digest();
                let key = (epoch, proposal.view, proposal.sequence, digest);
                self.heard.entry(key).or_default().pre_prepare = Some(message.signature);
            }
            Message::Prepare(vote) => {
                let key = (epoch, vote.view, vote.sequence, vote.digest);
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

    /// The replicas of an epoch; of one that nobody is in, those of the first.
    fn set(&self, epoch: Epoch) -> &[(ReplicaId, usize)] {
        let set = self.sets.get(&epoch).or(self.sets.get(&FIRST_EPOCH));
        set.map_or(&[], Vec::as_slice)
    }

    fn primary(&self, epoch: Epoch, view: View) -> ReplicaId {
        let set = self.set(epoch);
        set[(view.0 % set.len() as u64) as usize].0
    }

    fn quorum(&self, epoch: Epoch) -> usize {
        let replicas = self.set(epoch).len();
        (replicas + (replicas - 1) / 3 + 1).div_ceil(2)
    }

    fn sign_statement(&self, by: ReplicaId, epoch: Epoch, statement: &Statement) -> Signature {
        let (domain, bytes) = statement.signing_bytes(&self.chain, epoch, by);
        let named = self.set(epoch).iter().find(|(replica, _)| *replica == by);
        let key = named.map_or(key_numbers(by)[0], |(_, key)| *key);
        signer(self.real_signatures, key).sign(domain, &bytes)
    }

    fn signed(&self, by: ReplicaId, epoch: Epoch, message: Message) -> SignedMessage {
        let signature = self.sign_statement(by, epoch, &Statement::of(&message));
        SignedMessage {
            epoch,
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
        let (is_own, epoch) = (message.sender == from, message.epoch);
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
                    vec![(self.signed(from, epoch, Message::Status(boast)), 0)]
                }
                _ => as_it_is(),
            },
            Behaviour::Equivocating if is_own => self.equivocate(from, to, message),
            Behaviour::ForgingProofs if is_own => match &message.message {
                Message::ViewChange(change) => {
                    let forged = self.forge_view_change(from, epoch, change, random);
                    vec![(self.signed(from, epoch, Message::ViewChange(forged)), 0)]
                }
                Message::NewView(opening) if random.chance(700) => {
                    let forged = self.forge_new_view(from, epoch, opening, random);
                    vec![(self.signed(from, epoch, Message::NewView(forged)), 0)]
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
            let second = self.second_word(message.epoch, &message.message);
            self.signed(from, message.epoch, second)
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
            let prepare = Message::Prepare(vote);
            let past = self.proposal_past(&words[0].0);
            words.push((self.signed(from, message.epoch, prepare), 1));
            words.extend(past.map(|past| (past, 2)));
        }
        words
    }

    /// The other thing that an equivocator says for the same slot.
    fn second_word(&mut self, epoch: Epoch, message: &Message) -> Message {
        match message {
            Message::PrePrepare(PrePrepare {
                view,
                sequence,
                batch,
            }) => {
                let slot = (epoch, *view, *sequence);
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
            Message::Prepare(vote) => Message::Prepare(self.second_vote(epoch, vote)),
            Message::Commit(vote) => {
                let digest = ledger::tagged("simulator/other-block", &[&vote.digest.0]);
                Message::Commit(Vote { digest, ..*vote })
            }
            other => other.clone(),
        }
    }

    fn second_vote(&self, epoch: Epoch, vote: &Vote) -> Vote {
        let digest = match self.second.get(&(epoch, vote.view, vote.sequence)) {
            Some(batch) => batch.digest(),
            None => ledger::tagged("simulator/other-batch", &[&vote.digest.0]),
        };
        Vote { digest, ..*vote }
    }
}
