//! A replica's disk: what is synced survives a crash; of what is not, some first bytes may.
//!
//! The vote log is a file of frames (length, checksum, record), so that torn writes and flipped bits are what
//! they are on a real disk, and are told apart as `services/ordering` tells them apart: a broken end is
//! cut off, damage with whole records behind it is refused.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ledger::{Certificate, Digest, ReplicaId, Signature};
use pbft::message::Message;
use pbft::{Durable, LogRecord, Pending, Sequence, SignedMessage, View};

use crate::machine::{Machine, StoredBlock};
use crate::random::Random;

/// A write that is not synced yet. They are synced in order.
#[derive(Debug)]
pub enum LogWrite {
    /// Append an entry to the vote log.
    Append(Box<Pending>),
    /// Replace the log.
    Replace(Vec<LogRecord>),
    /// An executed block.
    Block(StoredBlock),
    /// A block's certificate.
    Certificate(Sequence, Digest, Certificate),
}

/// The stable storage of one replica.
#[derive(Debug, Default)]
pub struct Disk {
    /// The vote log as it stands on the disk.
    pub log: Vec<u8>,
    /// Writes that wait for a sync.
    pub queue: VecDeque<LogWrite>,
    /// How many of `queue` the sync that is under way covers (0: none is).
    pub syncing: usize,
    /// Bodies that were synced with votes.
    pub bodies: BTreeSet<Digest>,
    /// Bodies in stored blocks.
    bodies_in_blocks: BTreeMap<Digest, Sequence>,
    /// The chain from height 1: certified, and above it executed.
    pub blocks: Vec<StoredBlock>,
    /// The state at a checkpoint, from which a restart goes on.
    pub snapshot: Option<Machine>,
    /// Up to here certificates survive a crash.
    pub certificates_synced: u64,
    /// Until this virtual time every write fails.
    pub full_until_us: u64,
    /// Until this virtual time nothing can be read.
    pub unreadable_until_us: u64,
    /// Signatures of the replica's own synced votes.
    synced: BTreeSet<[u8; 16]>,
    /// Those of its COMMITs for which the block was there.
    backed: BTreeSet<[u8; 16]>,
}

/// The log holds something that no crash leaves behind: votes may be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged;

const FRAME_BYTES: usize = 12;

fn put_frame(log: &mut Vec<u8>, record: &[u8]) {
    log.extend_from_slice(&(record.len() as u32).to_le_bytes());
    log.extend_from_slice(&checksum(record).to_le_bytes());
    log.extend_from_slice(record);
}

/// The record of the frame at the start of `bytes`; `None` if it is cut short or its checksum is wrong.
fn frame(bytes: &[u8]) -> Option<&[u8]> {
    let (head, rest) = bytes.split_first_chunk::<FRAME_BYTES>()?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let sum = u64::from_le_bytes(std::array::from_fn(|index| head[index + 4]));
    let record = rest.get(..length)?;
    (checksum(record) == sum).then_some(record)
}

fn checksum(record: &[u8]) -> u64 {
    record.chunks(8).fold(record.len() as u64, |sum, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (sum ^ u64::from_le_bytes(word))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(27)
    })
}

impl Disk {
    /// The sync that was under way is done: what it covered is durable now. `None` when the disk is full:
    /// nothing of the group may be taken as durable.
    pub fn finish_sync(
        &mut self,
        now_us: u64,
        replica: ReplicaId,
    ) -> Option<Vec<Durable<Pending>>> {
        let full = now_us < self.full_until_us;
        let covered: Vec<LogWrite> = self.queue.drain(..self.syncing).collect();
        self.syncing = 0;
        let mut durable = Vec::new();
        for write in covered {
            match write {
                _ if full => return None,
                LogWrite::Replace(records) => self.replace(&records),
                LogWrite::Block(stored) => self.journal(stored),
                LogWrite::Certificate(sequence, block, certificate) => {
                    self.certify(sequence, block, certificate);
                }
                LogWrite::Append(pending) => {
                    let synced = Durable::after(vec![*pending], |group| {
                        group
                            .iter()
                            .for_each(|pending| self.append(pending, replica));
                        Ok::<(), Damaged>(())
                    });
                    durable.extend(synced.ok()?);
                }
            }
        }
        Some(durable)
    }

    fn replace(&mut self, records: &[LogRecord]) {
        self.log.clear();
        for record in records {
            put_frame(&mut self.log, &record.to_bytes());
        }
    }

    fn append(&mut self, pending: &Pending, replica: ReplicaId) {
        put_frame(&mut self.log, &pending.record_bytes());
        if let Some(message) = pending.message(replica) {
            self.synced.insert(short(&message.signature));
            let block = pending.block().and_then(|sequence| self.block(sequence));
            if let Message::Commit(vote) = message.message
                && block.is_some_and(|stored| stored.hash == vote.digest)
            {
                self.backed.insert(short(&message.signature));
            }
        }
        self.bodies.extend(pending.bodies().iter().copied());
        if let Some(height) = pending.certificates() {
            assert!(
                self.certified() >= height.0,
                "the core asks for certificates that it gave"
            );
        }
    }

    /// Power is cut: of what was being written some first bytes survive, perhaps with a torn record at the end.
    /// Says whether a record was torn.
    pub fn crash(&mut self, random: &mut Random, replica: ReplicaId) -> bool {
        let surviving = random.between(0, self.queue.len() as u64) as usize;
        let mut queue = std::mem::take(&mut self.queue).into_iter();
        self.syncing = 0;
        for write in queue.by_ref().take(surviving) {
            match write {
                LogWrite::Replace(records) => self.replace(&records),
                LogWrite::Append(pending) => self.append(&pending, replica),
                LogWrite::Block(stored) => self.journal(stored),
                LogWrite::Certificate(sequence, block, certificate) => {
                    self.certify(sequence, block, certificate);
                }
            }
        }
        match queue.next() {
            Some(LogWrite::Append(pending)) => {
                let mut torn = Vec::new();
                put_frame(&mut torn, &pending.record_bytes());
                torn.truncate(random.below(torn.len() as u64) as usize);
                self.log.extend_from_slice(&torn);
                !torn.is_empty()
            }
            _ => false,
        }
    }

    /// Reads the vote log; a torn end is cut off.
    ///
    /// # Errors
    /// [`Damaged`] when a broken record is followed by a whole one.
    pub fn read_log(&mut self) -> Result<Vec<LogRecord>, Damaged> {
        let mut records = Vec::new();
        let mut at = 0;
        while at < self.log.len() {
            let Some(record) = frame(&self.log[at..]) else {
                let rest = &self.log[at..];
                let is_record = |start: usize| {
                    frame(&rest[start..])
                        .is_some_and(|record| LogRecord::from_bytes(record).is_ok())
                };
                if (1..rest.len()).any(is_record) {
                    return Err(Damaged);
                }
                self.log.truncate(at);
                break;
            };
            records.push(LogRecord::from_bytes(record).map_err(|_| Damaged)?);
            at += FRAME_BYTES + record.len();
        }
        Ok(records)
    }

    /// Flips a bit of the vote log, if it holds any.
    pub fn flip_log_bit(&mut self, random: &mut Random) {
        if !self.log.is_empty() {
            let at = random.below(self.log.len() as u64) as usize;
            self.log[at] ^= 1 << random.below(8);
        }
    }

    /// Flips a bit of a stored, certified block, if there is any.
    pub fn flip_block_bit(&mut self, random: &mut Random) {
        if self.certificates_synced > 0 {
            let at = random.below(self.certificates_synced) as usize;
            self.blocks[at].block.time.0 ^= 1 << random.below(40);
        }
    }

    /// The disk as an old copy of it would be.
    pub fn copy(&self) -> Disk {
        Disk {
            log: self.log.clone(),
            bodies: self.bodies.clone(),
            bodies_in_blocks: self.bodies_in_blocks.clone(),
            blocks: self.blocks.clone(),
            snapshot: self.snapshot.clone(),
            certificates_synced: self.certificates_synced,
            synced: self.synced.clone(),
            backed: self.backed.clone(),
            ..Disk::default()
        }
    }

    /// Heights of stored blocks that are not what they were when they were written.
    pub fn damaged_blocks(&self) -> Vec<Sequence> {
        self.blocks
            .iter()
            .filter(|stored| stored.block.hash() != stored.hash)
            .map(|stored| stored.block.sequence)
            .collect()
    }

    /// Whether a body would survive a crash: in the body store or in a stored block.
    pub fn has_body(&self, digest: &Digest) -> bool {
        self.bodies.contains(digest) || self.bodies_in_blocks.contains_key(digest)
    }

    /// Whether an own vote with this signature was synced.
    pub fn has_synced(&self, signature: &Signature) -> bool {
        self.synced.contains(&short(signature))
    }

    /// Whether an own COMMIT with this signature was synced with its block.
    pub fn has_backed(&self, signature: &Signature) -> bool {
        self.backed.contains(&short(signature))
    }

    /// The stored block at a height.
    pub fn block(&self, sequence: Sequence) -> Option<&StoredBlock> {
        self.blocks.get((sequence.0 as usize).checked_sub(1)?)
    }

    /// An executed block is synced. What is certified stays, and a block that does not follow what is there is not read
    /// again: another took the place of one below it.
    fn journal(&mut self, stored: StoredBlock) {
        let below = stored.block.sequence.0 as usize - 1;
        let follows = match below.checked_sub(1) {
            None => true,
            Some(previous) => self
                .blocks
                .get(previous)
                .is_some_and(|previous| previous.hash == stored.block.previous),
        };
        if follows && below as u64 >= self.certificates_synced {
            self.put(stored);
        }
    }

    /// Puts a block in its place; another one there gives way with everything above it.
    fn put(&mut self, stored: StoredBlock) {
        let sequence = stored.block.sequence;
        let below = sequence.0 as usize - 1;
        match self.blocks.get_mut(below) {
            Some(known) if known.hash == stored.hash => {
                known.certificate = known.certificate.take().or(stored.certificate);
                return;
            }
            Some(_) => {
                self.blocks.truncate(below);
                self.bodies_in_blocks.retain(|_, at| *at < sequence);
            }
            None => assert_eq!(self.blocks.len(), below, "blocks are stored in order"),
        }
        let digests = stored.block.digests.iter();
        self.bodies_in_blocks
            .extend(digests.map(|digest| (*digest, sequence)));
        self.blocks.push(stored);
    }

    /// Stores certified blocks, synced at once.
    pub fn store_certified<'a>(&mut self, chain: impl Iterator<Item = &'a StoredBlock>) {
        for stored in chain.skip(self.certificates_synced as usize) {
            assert!(stored.certificate.is_some(), "it is certified");
            self.put(stored.clone());
        }
        self.certificates_synced = self.certified();
    }

    fn certify(&mut self, sequence: Sequence, block: Digest, certificate: Certificate) {
        let known = self.blocks.get_mut(sequence.0 as usize - 1);
        if let Some(stored) = known.filter(|stored| stored.hash == block) {
            stored.certificate.get_or_insert(certificate);
        }
        self.certificates_synced = self.certified();
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

/// Enough of a signature to tell it from every other.
fn short(signature: &Signature) -> [u8; 16] {
    std::array::from_fn(|index| signature.0[index])
}

/// The slot for which a message is a binding vote: view, place and phase.
pub type VoteKey = (View, Sequence, u8);

/// Names the slot of a binding vote and what it says; `None` for messages that bind nobody.
pub fn vote_key(message: &SignedMessage) -> Option<(VoteKey, Digest)> {
    match message.message {
        Message::Status(_)
        | Message::BatchQuery(_)
        | Message::BatchAnswer(_)
        | Message::Recalled(_) => None,
        _ => {
            let statement = pbft::statement::Statement::of(&message.message);
            Some((
                (statement.view, statement.sequence, statement.phase as u8),
                statement.digest,
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk_with(records: usize) -> Disk {
        let mut disk = Disk::default();
        let record = record();
        (0..records).for_each(|_| put_frame(&mut disk.log, &record.to_bytes()));
        disk
    }

    /// The entry of a stable checkpoint at the base, as canonical bytes.
    fn record() -> LogRecord {
        let checkpoint = pbft::message::Checkpoint {
            sequence: Sequence(0),
            block: Digest::default(),
            certificate: None,
        };
        let mut bytes = vec![0];
        bytes.extend(ledger::canonical::encode(&checkpoint));
        LogRecord::from_bytes(&bytes).expect("entry 0 is a stable checkpoint")
    }

    #[test]
    fn a_log_cut_at_any_byte_gives_its_whole_records_and_loses_the_torn_one() {
        let whole = disk_with(5).log;
        let one = whole.len() / 5;
        for length in 0..=whole.len() {
            let mut disk = Disk {
                log: whole[..length].to_vec(),
                ..Disk::default()
            };
            assert_eq!(disk.read_log().expect("torn at most").len(), length / one);
            assert_eq!(
                disk.log.len(),
                length / one * one,
                "the torn end is cut off"
            );
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_before_the_last_record_is_never_taken_for_a_torn_end() {
        let whole = disk_with(4).log;
        let last = whole.len() / 4 * 3;
        for at in 0..last {
            for bit in 0..8 {
                let mut disk = Disk {
                    log: whole.clone(),
                    ..Disk::default()
                };
                disk.log[at] ^= 1 << bit;
                assert_eq!(disk.read_log(), Err(Damaged), "bit {bit} of byte {at}");
            }
        }
    }
}
