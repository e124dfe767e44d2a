//! A replica's disk: what is synced survives a crash, what is not may or may not.

use std::collections::{BTreeSet, VecDeque};

use ledger::Digest;
use pbft::message::Message;
use pbft::{Durable, LogRecord, Pending, Sequence, SignedMessage, View};

use crate::machine::StoredBlock;
use crate::random::Random;

/// A write to the vote log that is not synced yet.
#[derive(Debug)]
pub enum LogWrite {
    /// Append an entry.
    Append(Box<Pending>),
    /// Replace the log.
    Replace(Vec<LogRecord>),
}

/// The stable storage of one replica.
#[derive(Debug, Default)]
pub struct Disk {
    /// The synced vote log.
    pub log: Vec<LogRecord>,
    /// Writes that wait for a sync.
    pub queue: VecDeque<LogWrite>,
    /// How many of `queue` the sync that is under way covers (0: none is).
    pub syncing: usize,
    /// Bodies that were synced with votes.
    pub bodies: BTreeSet<Digest>,
    /// The chain from height 1.
    pub blocks: Vec<StoredBlock>,
    /// Up to here certificates survive a crash.
    pub certificates_synced: u64,
    /// How many group syncs were done.
    pub syncs: u64,
    /// The latest synced entries as bytes, to check that votes were durable before they left.
    synced: VecDeque<Vec<u8>>,
    seen_synced: BTreeSet<Vec<u8>>,
}

/// How many synced entries are kept for the check.
const SYNCED_KEPT: usize = 512;

impl Disk {
    /// The sync that was under way is done: what it covered is durable now.
    pub fn finish_sync(&mut self) -> Vec<Durable<Pending>> {
        let covered: Vec<LogWrite> = self.queue.drain(..self.syncing).collect();
        self.syncing = 0;
        self.syncs += 1;
        let mut durable = Vec::new();
        for write in covered {
            match write {
                LogWrite::Replace(records) => self.log = records,
                LogWrite::Append(pending) => {
                    let synced = Durable::after(vec![*pending], |group| {
                        group.iter().try_for_each(|pending| self.append(pending))
                    });
                    durable.extend(synced.expect("the simulated log takes every record"));
                }
            }
        }
        durable
    }

    fn append(&mut self, pending: &Pending) -> Result<(), ledger::CanonicalError> {
        let bytes = pending.record_bytes();
        self.log.push(LogRecord::from_bytes(&bytes)?);
        self.synced.push_back(bytes);
        if self.synced.len() > SYNCED_KEPT {
            self.synced.pop_front();
        }
        self.bodies.extend(pending.bodies().iter().copied());
        if let Some(height) = pending.certificates() {
            assert!(
                self.certified() >= height.0,
                "the core asks for certificates that it gave"
            );
            self.certificates_synced = self.certificates_synced.max(height.0);
        }
        Ok(())
    }

    /// Power is cut: of what was being written, some first part survives.
    pub fn crash(&mut self, random: &mut Random) {
        let surviving = random.between(0, self.queue.len() as u64) as usize;
        let queue = std::mem::take(&mut self.queue);
        self.syncing = 0;
        for write in queue.into_iter().take(surviving) {
            match write {
                LogWrite::Replace(records) => self.log = records,
                LogWrite::Append(pending) => {
                    self.append(&pending)
                        .expect("the simulated log takes every record");
                }
            }
        }
        for stored in self
            .blocks
            .iter_mut()
            .skip(self.certificates_synced as usize)
        {
            stored.certificate = None;
        }
    }

    /// Whether a body would survive a crash: in the body store or in a stored block.
    pub fn has_body(&self, digest: &Digest) -> bool {
        self.bodies.contains(digest)
            || self
                .blocks
                .iter()
                .rev()
                .any(|stored| stored.block.digests.contains(digest))
    }

    /// Whether an entry with this signature was synced.
    pub fn has_synced(&mut self, signature: &ledger::Signature) -> bool {
        if self.seen_synced.contains(&signature.0[..]) {
            return true;
        }
        let found = self
            .synced
            .iter()
            .rev()
            .any(|record| record.windows(64).any(|window| window == signature.0));
        if found {
            self.seen_synced.insert(signature.0.to_vec());
        }
        found
    }

    /// The stored block at a height.
    pub fn block(&self, sequence: Sequence) -> Option<&StoredBlock> {
        self.blocks.get((sequence.0 as usize).checked_sub(1)?)
    }

    /// Stores the next block; synced at once.
    pub fn store(&mut self, stored: StoredBlock) {
        assert_eq!(
            stored.block.sequence.0 as usize,
            self.blocks.len() + 1,
            "blocks are stored in order"
        );
        self.blocks.push(stored);
        self.certificates_synced = self.certified();
    }

    /// Stores a certificate; it is synced with the next block.
    pub fn certify(&mut self, sequence: Sequence, certificate: ledger::Certificate) {
        let stored = &mut self.blocks[sequence.0 as usize - 1];
        stored.certificate.get_or_insert(certificate);
    }

    /// Up to here there are certificates without a gap.
    pub fn certified(&self) -> u64 {
        let from = self.certificates_synced as usize;
        from as u64
            + self.blocks[from..]
                .iter()
                .take_while(|stored| stored.certificate.is_some())
                .count() as u64
    }
}

/// The slot for which a message is a binding vote, and what it says.
pub type VoteKey = (View, Sequence, u8);

/// Names the slot of a binding vote; `None` for messages that bind nobody.
pub fn vote_key(message: &SignedMessage) -> Option<(VoteKey, Digest)> {
    let statement = pbft::statement::Statement::of(&message.message);
    match message.message {
        Message::Status(_) | Message::BatchQuery(_) | Message::BatchAnswer(_) => None,
        _ => Some((
            (statement.view, statement.sequence, statement.phase as u8),
            statement.digest,
        )),
    }
}
