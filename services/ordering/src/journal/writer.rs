//! Writes the journal: what is at hand in one go, with one sync, and then tells what is durable. After a failed write or
//! sync nothing more is written and nothing is told but the failure.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ledger::Digest;
use pbft::{Durable, LogRecord, Pending};

use super::file::{JournalError, JournalFile};
use super::record::{self, JournaledBlock, JournaledCertificate};
use super::safe_blocks::SafeBlocks;
use crate::blocks::{BlockFileError, BlockFiles};
use crate::body::Body;

/// The bytes of a group after which no more jobs are taken into it.
const GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Something to be made durable.
#[derive(Debug)]
pub enum Job {
    /// A vote-log entry with the bodies it speaks for; the block that it may speak for was given before.
    Persist(Pending, Vec<Arc<Body>>),
    /// An executed block with its transactions; it takes the place of another at its height.
    Block(Arc<JournaledBlock>, Vec<Arc<Body>>),
    /// The vote log from here on.
    Compact(Vec<LogRecord>),
    /// The certificate of a block given before. It is durable no later than the votes given after it, and asks for no
    /// sync of its own.
    Certificate(JournaledCertificate),
    /// Bodies that votes no longer speak for.
    Forget(Vec<Digest>),
}

/// Why the writer stopped.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The block files, synced before the journal lets go of blocks.
    #[error(transparent)]
    Blocks(#[from] BlockFileError),
}

/// The writer's memory: what the next replacement of the file must hold.
pub struct Writer {
    journal: JournalFile,
    safe_blocks: SafeBlocks,
    /// Bodies in the file that votes still speak for.
    bodies: HashMap<Digest, Arc<Body>>,
    /// Blocks in the file that the block files may lack.
    blocks: BTreeMap<u64, (Arc<JournaledBlock>, Vec<Arc<Body>>)>,
    /// Their certificates, as far as there are any.
    certificates: BTreeMap<u64, JournaledCertificate>,
    buffer: Vec<u8>,
    pending: Vec<Pending>,
    /// Whether the buffer holds blocks.
    has_blocks: bool,
    sync_seconds: chassis::metrics::Histogram,
}

impl Writer {
    /// A writer that continues `journal`, in which these bodies and blocks stand.
    pub fn new(
        journal: JournalFile,
        block_files: Arc<Mutex<BlockFiles>>,
        bodies: impl IntoIterator<Item = Arc<Body>>,
        blocks: impl IntoIterator<Item = (Arc<JournaledBlock>, Vec<Arc<Body>>)>,
    ) -> Writer {
        Writer {
            journal,
            safe_blocks: SafeBlocks::start(block_files),
            bodies: bodies.into_iter().map(|body| (body.wire(), body)).collect(),
            blocks: blocks
                .into_iter()
                .map(|(block, bodies)| (block.header.height.0, (block, bodies)))
                .collect(),
            certificates: BTreeMap::new(),
            buffer: Vec::new(),
            pending: Vec::new(),
            has_blocks: false,
            sync_seconds: chassis::metrics::histogram(
                "ordering_sync_seconds",
                "one write and sync of the journal",
            ),
        }
    }

    /// Writes these, in their order, with one sync as a rule; the vote-log entries that became durable are told to `written`,
    /// and at the end the blocks are durable as well.
    ///
    /// # Errors
    /// [`WriteError`]; the caller ends the process.
    pub fn write(
        &mut self,
        jobs: impl IntoIterator<Item = Job>,
        written: &mut dyn FnMut(Vec<Durable<Pending>>),
    ) -> Result<(), WriteError> {
        for job in jobs {
            match job {
                Job::Persist(pending, bodies) => self.persist(pending, bodies),
                Job::Block(block, bodies) => self.block(block, bodies),
                Job::Certificate(certificate) => {
                    record::put_certificate(&mut self.buffer, &certificate);
                    self.certificates.insert(certificate.height.0, certificate);
                }
                Job::Forget(wires) => wires.iter().for_each(|wire| drop(self.bodies.remove(wire))),
                Job::Compact(records) => {
                    self.flush(written)?;
                    self.compact(&records)?;
                }
            }
            if self.buffer.len() >= GROUP_BYTES_MAX {
                self.flush(written)?;
            }
        }
        self.flush(written)
    }

    fn put_body(&mut self, body: &Arc<Body>) {
        if let std::collections::hash_map::Entry::Vacant(room) = self.bodies.entry(body.wire()) {
            record::put_body(&mut self.buffer, &body.bytes);
            room.insert(body.clone());
        }
    }

    fn persist(&mut self, pending: Pending, bodies: Vec<Arc<Body>>) {
        bodies.iter().for_each(|body| self.put_body(body));
        record::put_vote(&mut self.buffer, &pending.record_bytes());
        self.pending.push(pending);
    }

    fn block(&mut self, block: Arc<JournaledBlock>, bodies: Vec<Arc<Body>>) {
        bodies.iter().for_each(|body| self.put_body(body));
        record::put_block(&mut self.buffer, &block);
        self.has_blocks = true;
        self.blocks.insert(block.header.height.0, (block, bodies));
    }

    /// One write and one sync for everything at hand.
    fn flush(&mut self, written: &mut dyn FnMut(Vec<Durable<Pending>>)) -> Result<(), WriteError> {
        if self.pending.is_empty() && !self.has_blocks {
            // At most certificates, which go with the next group.
            return Ok(());
        }
        let (journal, buffer) = (&mut self.journal, &self.buffer);
        let started = Instant::now();
        let votes = Durable::after(std::mem::take(&mut self.pending), |_| {
            journal.append(buffer)
        })?;
        self.sync_seconds.record(started.elapsed());
        self.buffer.clear();
        self.has_blocks = false;
        if !votes.is_empty() {
            written(votes);
        }
        Ok(())
    }

    /// The vote log from here on. It is appended, behind what it stands for; a full file is replaced.
    fn compact(&mut self, records: &[LogRecord]) -> Result<(), WriteError> {
        let safe_below = self.safe_blocks.newest()?;
        self.blocks = self.blocks.split_off(&safe_below.0);
        self.certificates = self.certificates.split_off(&safe_below.0);
        if self.journal.is_full() {
            return self.replace(records);
        }
        // Until the next group is synced the log before it stands, which says the same.
        record::put_votes_anew(&mut self.buffer);
        for entry in records {
            record::put_vote(&mut self.buffer, &entry.to_bytes());
        }
        Ok(())
    }

    /// Replaces the file by these votes, the bodies that votes still speak for, and the blocks that are not safe in
    /// the block files.
    fn replace(&mut self, records: &[LogRecord]) -> Result<(), WriteError> {
        // What is in it is written again below.
        self.buffer.clear();
        let mut content = Vec::new();
        let mut placed = std::collections::HashSet::new();
        let of_blocks = self.blocks.values().flat_map(|(_, bodies)| bodies);
        for body in self.bodies.values().chain(of_blocks) {
            if placed.insert(body.wire()) {
                record::put_body(&mut content, &body.bytes);
            }
        }
        for (block, _) in self.blocks.values() {
            record::put_block(&mut content, block);
        }
        for certificate in self.certificates.values() {
            record::put_certificate(&mut content, certificate);
        }
        for entry in records {
            record::put_vote(&mut content, &entry.to_bytes());
        }
        Ok(self.journal.replace(&content)?)
    }
}
