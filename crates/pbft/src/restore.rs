//! Start and restart: the vote log is read before anything is said.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Digest, Timestamp};

use crate::configuration::{Base, Configuration, RestoreError};
use crate::durable::{Entry, LogRecord};
use crate::effect::Effect;
use crate::floor::Floor;
use crate::lookup::{DigestMap, DigestSet};
use crate::message::{
    Checkpoint, Message, NewView, PrePrepare, PreparedCertificate, SignedMessage,
};
use crate::mutants::mutant;
use crate::number::{Moment, Sequence, View};
use crate::quorum::Quorum;
use crate::recall::Recall;
use crate::replica::{Chain, ChainBlock, Clocks, Replica};
use crate::request::Pool;
use crate::slot::{OwnVote, Proposal};
use crate::statement::{Phase, Statement};
use crate::verify::{CertifiedHash, Signer, pre_prepare_statement};

/// The chain as the driver stored it.
#[derive(Debug, Clone, Default)]
pub struct StoredChain {
    /// The newest blocks in ascending order without gaps, ending at the tip: at least those from
    /// `certified` on (what is above may give way yet) and at least `2 * window` where there are so many. Empty if nothing follows the base.
    pub blocks: Vec<StoredBlock>,
    /// The height up to which the driver stores certificates (the base's if none).
    pub certified: Sequence,
    /// The newest checkpoint height whose certificate is stored.
    pub stable: Option<CertifiedHash>,
    /// Bodies in the driver's durable body store.
    pub held: Vec<Digest>,
}

/// A stored block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlock {
    /// The height.
    pub sequence: Sequence,
    /// The hash of the header.
    pub block: Digest,
    /// The digest of its batch ([`Effect::Execute`] gave it), where it was executed from one.
    pub batch: Option<Digest>,
    /// The block's time.
    pub time: Timestamp,
    /// Wire digests of its transactions.
    pub digests: Vec<Digest>,
    /// The last height of the epoch, when a block that is not certified holds a change of the replica set.
    pub ends: Option<Sequence>,
}

impl Replica {
    /// A replica as its log and its stored chain left it; both empty at the first start.
    ///
    /// The log is read in full before the first step, so nothing is signed in ignorance of an earlier
    /// vote; for a slot that was voted for, the same bytes are sent again.
    ///
    /// # Errors
    /// [`RestoreError`]: the configuration makes no sense, or the log contradicts itself.
    pub fn restore(
        configuration: Configuration,
        signer: Box<dyn Signer>,
        log: Vec<LogRecord>,
        chain: StoredChain,
        now: Moment,
    ) -> Result<Replica, RestoreError> {
        check_configuration(&configuration, signer.as_ref())?;
        let base = configuration.base;
        let held: DigestSet = chain.held.iter().copied().collect();
        let chain = restore_chain(chain, base, now)?;
        let (log, is_of_earlier_epoch) = log_of_epoch(log, configuration.epoch.epoch)?;
        let mut replica = Replica {
            limits: configuration.limits.clone(),
            quorum: Quorum::of(&configuration.epoch),
            me: configuration.replica,
            configuration,
            signer,
            now,
            effects: Vec::new(),
            halted: false,
            last: None,
            ended: false,
            view: View(0),
            changing: false,
            opening: None,
            own_view_change: None,
            view_changes: BTreeMap::new(),
            own_opening: None,
            slots: BTreeMap::new(),
            own_votes: BTreeMap::new(),
            accepted: chain.certified,
            accepted_time: chain.certified_time,
            next_proposal: chain.certified.next(),
            committed: chain.certified,
            chain,
            pool: Pool::default(),
            held,
            wanted: BTreeMap::new(),
            incomplete: BTreeSet::new(),
            peers: BTreeMap::new(),
            fetch: None,
            last_fetch_peer: None,
            reported: BTreeSet::new(),
            unspread: Default::default(),
            clocks: Clocks {
                requests_from: now.monotonic,
                status_at: now.monotonic,
                last_block_at: now.monotonic,
                last_certified_at: now.monotonic,
                ..Clocks::default()
            },
            recall: Recall::default(),
            floor: Floor::default(),
        };
        replica.replay(log)?;
        replica.recall = Recall::question(
            now.wall.0,
            &replica.quorum,
            replica.view,
            replica.chain.stable.sequence,
        );
        replica.resume();
        replica.restart_floor();
        if is_of_earlier_epoch {
            let records = replica.log_snapshot();
            replica.effects.insert(0, Effect::CompactLog(records));
        }
        Ok(replica)
    }

    fn replay(&mut self, log: Vec<LogRecord>) -> Result<(), RestoreError> {
        let mut latest = None;
        for (index, LogRecord(entry)) in log.into_iter().enumerate() {
            self.replay_entry(entry, &mut latest)
                .map_err(|reason| match reason {
                    Replayed::Conflict(sequence) => RestoreError::ConflictingVotes(sequence),
                    Replayed::Foreign(reason) => RestoreError::Record { index, reason },
                })?;
        }
        self.restore_view(latest);
        Ok(())
    }

    fn replay_entry(
        &mut self,
        entry: Entry,
        latest: &mut Option<SignedMessage>,
    ) -> Result<(), Replayed> {
        let own = entry.outgoing(self.me).cloned();
        if let Some(message) = &own {
            self.bind_restored(message)?;
        }
        match entry {
            Entry::Stable(checkpoint) => {
                if checkpoint.sequence > self.chain.stable.sequence {
                    self.chain.stable = checkpoint;
                }
            }
            Entry::PrePrepare(message) => self.replay_proposal(message),
            Entry::Prepare {
                pre_prepare,
                prepare,
            } => {
                self.replay_proposal(pre_prepare);
                self.replay_vote(own_message(prepare, self.me)?);
            }
            Entry::Commit {
                certificate,
                commit,
            } => {
                self.replay_certificate(certificate);
                self.replay_vote(own_message(commit, self.me)?);
            }
            Entry::Epoch(_) => {}
            Entry::ViewChange(message) => {
                // From now on nothing is said in older views.
                *latest = Some(own_message(message, self.me)?);
            }
            Entry::NewView(message) => *latest = Some(message),
        }
        Ok(())
    }

    /// What we said binds us.
    fn bind_restored(&mut self, message: &SignedMessage) -> Result<(), Replayed> {
        let mut statements = vec![Statement::of(&message.message)];
        if let Message::NewView(NewView {
            view, proposals, ..
        }) = &message.message
        {
            statements.extend(proposals.iter().map(|proposal| {
                let (sequence, digest) = (proposal.sequence, proposal.digest);
                pre_prepare_statement(crate::message::Vote {
                    view: *view,
                    sequence,
                    digest,
                })
            }));
        }
        for statement in statements {
            if !self.bind(&statement) {
                return Err(Replayed::Conflict(statement.sequence));
            }
        }
        Ok(())
    }

    fn replay_proposal(&mut self, message: SignedMessage) {
        let Message::PrePrepare(PrePrepare {
            view,
            sequence,
            batch,
        }) = message.message
        else {
            return;
        };
        let digest = batch.digest();
        let slot = self.slots.entry(sequence).or_default();
        slot.batches.insert(digest, batch);
        if slot
            .proposal
            .as_ref()
            .is_none_or(|known| known.view <= view)
        {
            let signature = message.signature;
            slot.proposal = Some(Proposal {
                view,
                digest,
                signature,
                votable: true,
                durable: true,
            });
        }
    }

    fn replay_certificate(&mut self, certificate: PreparedCertificate) {
        let slot = self.slots.entry(certificate.sequence).or_default();
        if slot
            .prepared
            .as_ref()
            .is_none_or(|known| known.view <= certificate.view)
        {
            slot.prepared = Some(certificate);
        }
    }

    fn replay_vote(&mut self, message: SignedMessage) {
        self.count_restored_vote(&message);
        let (Message::Prepare(vote) | Message::Commit(vote)) = message.message else {
            return;
        };
        let slot = self.slots.entry(vote.sequence).or_default();
        let phase = Statement::of(&message.message).phase;
        let place = if phase == Phase::Prepare {
            &mut slot.own_prepare
        } else {
            &mut slot.own_commit
        };
        if place.as_ref().is_none_or(|own| own.vote.view <= vote.view) {
            *place = Some(OwnVote {
                vote,
                message,
                durable: true,
            });
        }
    }

    /// Goes back to the view that the log ended in.
    fn restore_view(&mut self, latest: Option<SignedMessage>) {
        match latest.as_ref().map(|message| &message.message) {
            Some(Message::ViewChange(change)) => {
                self.view = change.view;
                self.changing = true;
                self.own_view_change = latest.map(|message| (message, true));
            }
            Some(Message::NewView(opening)) => {
                self.view = opening.view;
                self.opening = latest;
            }
            _ => {}
        }
    }

    /// Puts the pieces together: the marks, the proposals of the view, what is executed and uncertified.
    fn resume(&mut self) {
        // The log may hold the certificate of a checkpoint that the driver had not stored yet.
        if let Checkpoint {
            sequence,
            block,
            certificate: Some(certificate),
        } = self.chain.stable.clone()
            && sequence > self.chain.certified
        {
            let proof = CertifiedHash::from_verified_votes(sequence, block, certificate);
            self.chain.certificates.insert(sequence, proof);
            self.advance_certified();
        }
        self.collect_garbage();
        let (view, now) = (self.view, self.now.monotonic);
        for slot in self.slots.values_mut() {
            slot.proposal.take_if(|proposal| proposal.view != view);
            slot.said_at = Some(now);
        }
        if let Some(Message::NewView(opening)) =
            self.opening.as_ref().map(|message| message.message.clone())
        {
            self.restore_opening(&opening);
        }
        let own = self
            .own_votes
            .keys()
            .filter(|(_, voted, phase)| *voted == view && *phase == Phase::PrePrepare);
        let proposed = own
            .map(|(sequence, _, _)| *sequence)
            .max()
            .unwrap_or_default();
        self.next_proposal = self.next_proposal.max(proposed.next());
        if let Some((message, true)) = self.own_view_change.clone() {
            self.on_view_change_durable(message);
        }
        let commits: Vec<SignedMessage> = self
            .slots
            .values()
            .filter_map(|slot| Some(slot.own_commit.as_ref()?.message.clone()))
            .collect();
        for commit in &commits {
            self.keep_commit(commit);
        }
        self.advance_certified();
        self.vote_for_what_stands();
        self.accept_waiting();
    }

    /// Others have said what they remember of us, and the log holds it all.
    pub(crate) fn begin_to_vote(&mut self) {
        self.clocks.requests_from = self.now.monotonic;
        self.vote_for_what_stands();
        self.join_view_change();
        self.check_view_changes();
    }

    /// Casts the votes that are due for what is known: proposals, prepared batches, executed blocks.
    fn vote_for_what_stands(&mut self) {
        for sequence in self.slots.keys().copied().collect::<Vec<_>>() {
            self.note_missing(sequence);
            self.prepare(sequence);
            self.check_prepared(sequence);
            self.check_certified(sequence);
            if sequence <= self.chain.certified {
                self.commit(sequence);
            }
        }
        self.hand_over();
        self.commit_in_order();
    }

    fn restore_opening(&mut self, opening: &NewView) {
        let null = crate::Batch::null();
        for proposal in opening
            .proposals
            .iter()
            .filter(|proposal| proposal.sequence > self.chain.stable.sequence)
        {
            let slot = self.slots.entry(proposal.sequence).or_default();
            if proposal.digest == null.digest() {
                slot.batches.insert(proposal.digest, null.clone());
            }
            let (digest, signature) = (proposal.digest, proposal.signature);
            slot.proposal = Some(Proposal {
                view: opening.view,
                digest,
                signature,
                votable: true,
                durable: true,
            });
        }
        let last = opening
            .proposals
            .last()
            .map_or(self.chain.stable.sequence, |last| last.sequence);
        self.next_proposal = self.next_proposal.max(last.next());
    }
}

/// The records of this epoch, and whether records of an earlier one stood before them or in their place.
fn log_of_epoch(
    mut log: Vec<LogRecord>,
    epoch: ledger::Epoch,
) -> Result<(Vec<LogRecord>, bool), RestoreError> {
    let marks = log.iter().enumerate().rev();
    let mark = marks
        .filter_map(|(index, record)| match record.0 {
            Entry::Epoch(marked) => Some((index, marked)),
            _ => None,
        })
        .next();
    let (first, marked) = mark.unwrap_or((0, ledger::Epoch(0)));
    if marked > epoch {
        return Err(RestoreError::LaterEpoch(marked));
    }
    if mutant!(EarlierLogKept, false, marked < epoch) {
        return Ok((Vec::new(), true));
    }
    Ok((log.split_off(first), false))
}

enum Replayed {
    Conflict(Sequence),
    Foreign(&'static str),
}

fn own_message(message: SignedMessage, me: ledger::ReplicaId) -> Result<SignedMessage, Replayed> {
    if message.sender == me {
        Ok(message)
    } else {
        Err(Replayed::Foreign("a vote of another replica"))
    }
}

fn check_configuration(
    configuration: &Configuration,
    signer: &dyn Signer,
) -> Result<(), RestoreError> {
    configuration.limits.check()?;
    let me = configuration.replica;
    let member = configuration
        .epoch
        .replicas
        .iter()
        .find(|member| member.replica == me);
    let member = member.ok_or(RestoreError::NotAMember(me))?;
    if member.public_key != signer.public_key() {
        return Err(RestoreError::WrongKey);
    }
    Ok(())
}

fn restore_chain(stored: StoredChain, base: Base, now: Moment) -> Result<Chain, RestoreError> {
    let mut blocks = BTreeMap::new();
    let mut recent = DigestMap::default();
    let (mut tip, mut tip_time) = (base.sequence, base.time);
    for (index, stored) in stored.blocks.into_iter().enumerate() {
        if index > 0 && stored.sequence != tip.next() || stored.sequence <= base.sequence {
            return Err(RestoreError::Chain(
                "blocks are not ascending without gaps above the base",
            ));
        }
        (tip, tip_time) = (stored.sequence, stored.time);
        recent.extend(
            stored
                .digests
                .iter()
                .map(|digest| (*digest, stored.sequence)),
        );
        let block = ChainBlock {
            time: stored.time,
            digests: stored.digests,
            batch: stored.batch,
            run: None,
            block: Some(stored.block),
            ends: stored.ends,
            commit: None,
            executed_at: now.monotonic,
        };
        blocks.insert(stored.sequence, block);
    }
    let certified = stored.certified.max(base.sequence);
    if certified > tip {
        return Err(RestoreError::Chain("certified above the stored tip"));
    }
    let stable = match stored
        .stable
        .filter(|stable| stable.sequence() > base.sequence)
    {
        Some(stable) => Checkpoint {
            sequence: stable.sequence(),
            block: stable.block(),
            certificate: Some(stable.certificate().clone()),
        },
        None => Checkpoint {
            sequence: base.sequence,
            block: base.block,
            certificate: None,
        },
    };
    let certified_time = match blocks.get(&certified) {
        Some(block) => block.time,
        None if certified == base.sequence => base.time,
        None => return Err(RestoreError::Chain("the certified block is not given")),
    };
    Ok(Chain {
        stable,
        handed: tip,
        handed_time: tip_time,
        executed: tip,
        certified,
        certified_time,
        runs: 0,
        blocks,
        recent,
        certificates: BTreeMap::new(),
    })
}
