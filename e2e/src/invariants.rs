//! What must hold after every fault, read from the replicas' own files.
//!
//! | | invariant |
//! |---|---|
//! | I1 | the same height has the same block hash and state root everywhere |
//! | I2 | every chain verifies from the genesis file, members' signatures included |
//! | I3 | every receipt that a client was given is on the chain |
//! | I4 | a transaction is executed at most once; money is conserved |
//! | I5 | no replica signed two digests for one epoch, view, place and phase: in its journal, and in what
//!        [`crate::overheard`] heard on the bus |
//! | I6 | with at most f faulty a commit comes within three seconds, and within five after all is healed: that it comes
//!        at all is what every test waits for; how long it took is told |

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use contracts::Event;
use contracts::settlement::event::Event as Settlement;
use ledger::{CertifiedBlock, Digest, Epoch, Receipt, ReplicaId, Signature, canonical};
use pbft::message::{Checkpoint, PreparedCertificate, SignedMessage};
use pbft::statement::{Phase, Statement};
use pbft::{Sequence, View};
use serde::{Deserialize, Serialize};

use crate::chain::blocks;
use crate::story::medshare;
use crate::system::RunningSystem;

/// How many replicas the built-in consortium has.
pub const REPLICAS: usize = 4;

/// Waits until every replica's files reach a height. Only for replicas that run.
pub async fn all_reach(system: &RunningSystem, height: u64) {
    for replica in 0..REPLICAS {
        loop {
            let stored = blocks(&system.blocks(replica));
            if stored.last().map(|block| block.block.header.height.0) >= Some(height) {
                break;
            }
            tokio::time::sleep(crate::system::LOOK_EVERY).await;
        }
    }
}

/// Checks I1 to I5 over the files of all replicas, with the receipts that clients were given.
///
/// # Panics
/// If one does not hold; the message says which, and where.
pub fn check(system: &RunningSystem, receipts: &[Receipt]) {
    let chains: Vec<Vec<CertifiedBlock>> = (0..REPLICAS)
        .map(|replica| blocks(&system.blocks(replica)))
        .collect();
    same_blocks(&chains);
    verified(system);
    let longest = chains.iter().max_by_key(|chain| chain.len());
    let longest = longest.expect("there are replicas");
    receipts_are_there(longest, receipts);
    executed_once(longest);
    money_is_conserved(longest);
    no_double_votes(system);
}

/// I1.
fn same_blocks(chains: &[Vec<CertifiedBlock>]) {
    let mut seen = BTreeMap::new();
    for (replica, chain) in chains.iter().enumerate() {
        assert!(!chain.is_empty(), "I1: replica {replica} has no blocks");
        for (height, block) in chain.iter().enumerate() {
            let header = &block.block.header;
            assert_eq!(
                header.height.0, height as u64,
                "I1: replica {replica} has a gap"
            );
            let known = *seen
                .entry(height)
                .or_insert((header.hash(), header.state_root));
            assert_eq!(
                known,
                (header.hash(), header.state_root),
                "I1: replica {replica} has another block {height}"
            );
        }
    }
}

/// I2.
fn verified(system: &RunningSystem) {
    for replica in 0..REPLICAS {
        let verified = medshare(&[
            "verify",
            "chain",
            &system.blocks(replica).to_string_lossy(),
            "--genesis",
            &system.genesis().to_string_lossy(),
            "--signatures",
        ]);
        assert!(
            verified.status.success(),
            "I2: replica {replica}: {}",
            String::from_utf8_lossy(&verified.stderr)
        );
    }
}

/// I3.
fn receipts_are_there(chain: &[CertifiedBlock], receipts: &[Receipt]) {
    for receipt in receipts {
        let height = usize::try_from(receipt.header.height.0).expect("a height");
        let block = chain
            .get(height)
            .unwrap_or_else(|| panic!("I3: no block {height}, of which there is a receipt"));
        let leaf = &block.block.outcomes[receipt.index as usize + 1];
        assert_eq!(
            *leaf, receipt.leaf,
            "I3: block {height} says otherwise than a receipt"
        );
    }
}

/// I4, the first half.
fn executed_once(chain: &[CertifiedBlock]) {
    let (mut ids, mut nonces) = (BTreeSet::new(), BTreeSet::new());
    for transaction in chain.iter().flat_map(|block| &block.block.transactions) {
        let body = &transaction.body;
        assert!(
            ids.insert(transaction.id()),
            "I4: {} twice",
            transaction.id()
        );
        assert!(
            nonces.insert((body.submitter, body.nonce)),
            "I4: a nonce of {} twice",
            body.submitter
        );
    }
}

/// I4, the second half.
fn money_is_conserved(chain: &[CertifiedBlock]) {
    let leaves = chain.iter().flat_map(|block| &block.block.outcomes);
    for recorded in leaves.flat_map(|leaf| &leaf.events) {
        if let Ok(Event::Settlement(Settlement::Posted { lines, .. })) =
            Event::from_bytes(recorded.contract, &recorded.bytes)
        {
            let sum: i64 = lines.iter().map(|line| line.amount).sum();
            assert_eq!(sum, 0, "I4: a posting makes or loses money: {lines:?}");
        }
    }
}

/// An entry of a replica's vote log, as `pbft::LogRecord` holds it.
#[derive(Serialize, Deserialize)]
enum Entry {
    Stable(Checkpoint),
    PrePrepare(SignedMessage),
    Prepare {
        pre_prepare: SignedMessage,
        prepare: SignedMessage,
    },
    Commit {
        certificate: PreparedCertificate,
        commit: SignedMessage,
    },
    ViewChange(SignedMessage),
    NewView(SignedMessage),
    Epoch(Epoch),
}

type Slot = (ReplicaId, Epoch, View, Sequence, Phase);

/// I5, as far as the journals reach back: what a file held before it was written over is gone.
fn no_double_votes(system: &RunningSystem) {
    let mut said = Said::default();
    for replica in 0..REPLICAS {
        let folder = system
            .process(&format!("replica-{replica}"))
            .join("data/journal");
        for message in journaled_votes(&folder) {
            said.take(&message);
        }
    }
    assert!(said.count() > 0, "I5: no journal holds a vote");
}

/// What replicas said, for I5: one word a slot.
#[derive(Debug, Default)]
pub struct Said(BTreeMap<Slot, (Digest, Signature)>);

impl Said {
    /// Takes note of a message.
    ///
    /// # Panics
    /// If its author has said something else for the same slot.
    pub fn take(&mut self, message: &SignedMessage) {
        let statement = Statement::of(&message.message);
        if !statement.phase.binds() {
            return;
        }
        let slot = (
            message.sender,
            message.epoch,
            statement.view,
            statement.sequence,
            statement.phase,
        );
        let (first, _) = *self
            .0
            .entry(slot)
            .or_insert((statement.digest, message.signature));
        assert_eq!(first, statement.digest, "I5: {slot:?}: two digests");
    }

    /// How many slots somebody spoke for.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// The votes in a replica's journal (`services/ordering/src/journal`), its own and those it keeps of others. A file's
/// head is `MEDSJNL2`, a salt and a checksum; then come groups, each with the salt, its length and a checksum, and
/// records, each with its length and its kind.
fn journaled_votes(folder: &Path) -> Vec<SignedMessage> {
    let mut votes = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().extension().is_none_or(|it| it != "journal") {
            continue;
        }
        let bytes = std::fs::read(entry.path()).expect("a journal can be read");
        let (salt, mut rest) = journal_head(&bytes).expect("the head of a journal");
        // Behind the last group is room, or what is left of a torn one or of an earlier use of the file.
        while let Some(records) = first_group(salt, rest) {
            votes.extend(votes_in(records));
            rest = &rest[SALT_BYTES + 8 + records.len()..];
        }
    }
    votes
}

const SALT_BYTES: usize = 16;

fn journal_head(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = bytes.strip_prefix(b"MEDSJNL2")?;
    let (salt, rest) = rest.split_at_checked(SALT_BYTES)?;
    Some((salt, rest.get(4..)?))
}

/// The records of the group that starts here, if a whole one does.
fn first_group<'a>(salt: &[u8], bytes: &'a [u8]) -> Option<&'a [u8]> {
    let rest = bytes.strip_prefix(salt)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let records = rest.get(..u32::from_le_bytes(*length) as usize)?;
    let summed = crc32fast::hash(&[salt, length, records].concat());
    (summed.to_le_bytes() == *checksum).then_some(records)
}

fn votes_in(mut records: &[u8]) -> Vec<SignedMessage> {
    const KIND_VOTE: u8 = 1;
    let mut votes = Vec::new();
    while let Some((length, rest)) = records.split_first_chunk::<4>() {
        let (payload, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        if let Some((&KIND_VOTE, content)) = payload.split_first() {
            let entry = canonical::decode(content).expect("an entry of the vote log");
            votes.extend(messages_of(entry));
        }
        records = rest;
    }
    votes
}

fn messages_of(entry: Entry) -> Vec<SignedMessage> {
    match entry {
        Entry::Stable(_) | Entry::Epoch(_) => Vec::new(),
        Entry::Prepare {
            pre_prepare,
            prepare,
        } => vec![pre_prepare, prepare],
        Entry::Commit { commit, .. } => vec![commit],
        Entry::PrePrepare(message) | Entry::ViewChange(message) | Entry::NewView(message) => {
            vec![message]
        }
    }
}
