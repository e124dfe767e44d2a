//! One ordered batch becomes one block.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::{
    Block, ContractId, Digest, Epoch, GenesisFile, Header, Height, HistoryLog, Outcome,
    OutcomeLeaf, SignedTransaction, Timestamp, WriteSet, merkle,
};
use serde::{Deserialize, Serialize};

use crate::once::{self, Known, Used};
use crate::rules::{Call, Rules};
use crate::state::{Overlay, StateView};
use crate::state_tree;

/// The tip of a chain, with what the next block needs of the past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHead {
    /// The height of the last block.
    pub height: Height,
    /// Its hash.
    pub hash: Digest,
    /// Its time.
    pub time: Timestamp,
    /// The log of all block hashes, the last block's included.
    pub history: HistoryLog,
}

impl ChainHead {
    /// The head after a block on top of this one.
    pub fn after(&self, header: &Header) -> ChainHead {
        let hash = header.hash();
        let mut history = self.history.clone();
        history.append(&hash);
        ChainHead {
            height: header.height,
            hash,
            time: header.time,
            history,
        }
    }
}

/// A transaction whose signature, size and chain were checked, with its digests.
#[derive(Clone, Debug)]
pub struct CheckedTransaction {
    /// The transaction.
    pub signed: SignedTransaction,
    /// Its id: the digest of the body.
    pub id: Digest,
    /// The digest of its signed bytes.
    pub wire: Digest,
}

impl CheckedTransaction {
    /// Digests a transaction; the caller has checked its signature, or takes it from a certified block.
    pub fn new(signed: SignedTransaction) -> CheckedTransaction {
        let id = signed.id();
        let wire = signed.wire_digest();
        CheckedTransaction { signed, id, wire }
    }
}

/// What is to be executed as the next block.
#[derive(Clone, Debug)]
pub struct BlockOrder {
    /// The epoch that orders it.
    pub epoch: Epoch,
    /// Its height: one more than the head's.
    pub height: Height,
    /// Its time: later than the head's.
    pub time: Timestamp,
    /// The state's root for its header (see [`crate::state_tree`]).
    pub state_root: Digest,
    /// The transactions in order.
    pub transactions: Vec<Arc<CheckedTransaction>>,
}

/// Why an ordered transaction is not in the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeftOut {
    /// It has been executed before; its first receipt stands.
    #[error("it has been executed before")]
    Repeat,
    /// Block time is past its validity, or its validity reaches too far past block time.
    #[error("it is not valid at block time")]
    NotValidNow,
    /// It is for another chain.
    #[error("it is for another chain")]
    OtherChain,
}

/// A block and everything it changes.
#[derive(Clone, Debug)]
pub struct ExecutedBlock {
    /// The block.
    pub block: Block,
    /// The chain's head with it.
    pub head: ChainHead,
    /// Everything it wrote, the system's entries included: ascending by key, each key once.
    pub writes: WriteSet,
    /// Ordered transactions that are not in it, in order.
    pub left_out: Vec<(Arc<CheckedTransaction>, LeftOut)>,
    /// When something will next be due.
    pub next_due: Option<Timestamp>,
}

/// Executes blocks of one chain.
pub struct Executor<R> {
    chain: Digest,
    rules: R,
}

impl<R: Rules> Executor<R> {
    /// An executor of the chain that starts with this genesis file.
    pub fn new(chain: Digest, rules: R) -> Executor<R> {
        Executor { chain, rules }
    }

    /// The chain.
    pub fn chain(&self) -> Digest {
        self.chain
    }

    /// The genesis block: height 0, no transactions, the genesis events in leaf 0.
    ///
    /// # Errors
    /// When the file describes no state.
    pub fn genesis_block(&self, genesis: &GenesisFile) -> Result<ExecutedBlock, R::GenesisError> {
        let decision = self.rules.genesis(genesis)?;
        let nothing: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let mut overlay = Overlay::new(&nothing);
        let writes = decision.writes.digest();
        for (key, value) in decision.writes.0 {
            overlay.put(key, value);
        }
        let next_due = self.rules.next_due(&overlay);
        let leaf = OutcomeLeaf {
            transaction: Digest::ZERO,
            outcome: Outcome::Accepted,
            events: decision.events,
            writes,
        };
        let history = HistoryLog::new();
        let header = Header {
            chain: self.chain,
            height: Height(0),
            previous: Digest::ZERO,
            time: genesis.time,
            epoch: genesis.epoch.epoch,
            transactions: 0,
            transaction_root: merkle::empty_root(),
            outcome_root: merkle::root(&[leaf.hash()]),
            state_root: state_tree::empty_root(),
            history_root: history.root(),
        };
        let before = ChainHead {
            height: Height(0),
            hash: Digest::ZERO,
            time: Timestamp(0),
            history,
        };
        let head = before.after(&header);
        let block = Block {
            header,
            transactions: Vec::new(),
            outcomes: vec![leaf],
        };
        Ok(ExecutedBlock {
            block,
            head,
            writes: ordered(overlay),
            left_out: Vec::new(),
            next_due,
        })
    }

    /// When something will next be due in this state.
    pub fn next_due(&self, view: &dyn StateView) -> Option<Timestamp> {
        self.rules.next_due(view)
    }

    /// Executes the next block over the state after `head`; `used` is what that state's buckets hold, and follows.
    ///
    /// # Panics
    /// If the order is not for the height after `head`, or not later: the caller's defect.
    pub fn execute_block(
        &self,
        view: &dyn StateView,
        used: &mut Used,
        head: &ChainHead,
        order: BlockOrder,
    ) -> ExecutedBlock {
        assert_eq!(
            order.height,
            head.height.next(),
            "blocks are executed in order"
        );
        assert!(order.time > head.time, "block time is strictly increasing");
        let mut run = Run::new(view, used, &order, &self.chain);
        run.expire(&self.rules);
        for transaction in &order.transactions {
            run.transaction(&self.rules, transaction);
        }
        let next_due = self.rules.next_due(&run.overlay);
        run.into_block(head, next_due)
    }
}

/// The execution of one block.
struct Run<'a> {
    chain: &'a Digest,
    order: &'a BlockOrder,
    overlay: Overlay<'a>,
    used: &'a mut Used,
    system: OutcomeLeaf,
    /// What leaf 0 answers for: what was due, and the at-most-once entries.
    system_writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    added: once::Added,
    wires: Vec<Digest>,
    transactions: Vec<SignedTransaction>,
    outcomes: Vec<OutcomeLeaf>,
    left_out: Vec<(Arc<CheckedTransaction>, LeftOut)>,
}

impl<'a> Run<'a> {
    fn new(
        view: &'a dyn StateView,
        used: &'a mut Used,
        order: &'a BlockOrder,
        chain: &'a Digest,
    ) -> Run<'a> {
        let count = order.transactions.len();
        Run {
            chain,
            order,
            overlay: Overlay::new(view),
            used,
            system: OutcomeLeaf {
                transaction: Digest::ZERO,
                outcome: Outcome::Accepted,
                events: Vec::new(),
                writes: Digest::ZERO,
            },
            system_writes: BTreeMap::new(),
            added: once::Added::default(),
            wires: Vec::with_capacity(count),
            transactions: Vec::with_capacity(count),
            outcomes: Vec::with_capacity(count),
            left_out: Vec::new(),
        }
    }

    fn system_write(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.overlay.put(key.clone(), value.clone());
        self.system_writes.insert(key, value);
    }

    fn expire(&mut self, rules: &impl Rules) {
        let decision = rules.expire(
            &self.overlay,
            self.chain,
            self.order.height,
            self.order.time,
        );
        self.system.events = decision.events;
        for (key, value) in decision.writes.0 {
            self.system_write(key, value);
        }
        for key in self.used.drop_ended(&self.overlay, self.order.time) {
            self.system_write(key, None);
        }
    }

    fn transaction(&mut self, rules: &impl Rules, transaction: &Arc<CheckedTransaction>) {
        let body = &transaction.signed.body;
        if body.chain != *self.chain {
            return self
                .left_out
                .push((transaction.clone(), LeftOut::OtherChain));
        }
        if !body.is_valid_at(self.order.time) {
            return self
                .left_out
                .push((transaction.clone(), LeftOut::NotValidNow));
        }
        let known = self.used.known(body, &transaction.id);
        let decided = match known {
            Known::Repeat => return self.left_out.push((transaction.clone(), LeftOut::Repeat)),
            Known::OtherBody => Err(rules.nonce_reused()),
            Known::Fresh => {
                let call = Call {
                    chain: self.chain,
                    epoch: self.order.epoch,
                    height: self.order.height,
                    time: self.order.time,
                    submitter: body.submitter,
                    public_key: body.public_key,
                    nonce: body.nonce,
                    transaction: &transaction.id,
                    contract: body.contract,
                    command: &body.command,
                };
                rules
                    .execute(&self.overlay, &call)
                    .map_err(|refused| (refused.contract, refused.code))
            }
        };
        self.added.remember(self.used, body, &transaction.id, known);
        self.commit(transaction, decided);
    }

    fn commit(
        &mut self,
        transaction: &CheckedTransaction,
        decided: Result<crate::Decision, (ContractId, u16)>,
    ) {
        let (outcome, decision) = match decided {
            Ok(decision) => (Outcome::Accepted, decision),
            Err((contract, code)) => (
                Outcome::Rejected { contract, code },
                crate::Decision::default(),
            ),
        };
        debug_assert!(
            decision.writes.is_ordered(),
            "rules give each key once, ascending"
        );
        self.outcomes.push(OutcomeLeaf {
            transaction: transaction.id,
            outcome,
            events: decision.events,
            writes: decision.writes.digest(),
        });
        for (key, value) in decision.writes.0 {
            self.overlay.put(key, value);
        }
        self.wires.push(transaction.wire);
        self.transactions.push(transaction.signed.clone());
    }

    fn into_block(mut self, head: &ChainHead, next_due: Option<Timestamp>) -> ExecutedBlock {
        let added = std::mem::take(&mut self.added);
        for (key, value) in added.into_writes(self.used, self.order.height) {
            self.system_write(key, Some(value));
        }
        self.system.writes = WriteSet(self.system_writes.into_iter().collect()).digest();
        self.outcomes.insert(0, self.system);
        let hashes: Vec<Digest> = self.outcomes.iter().map(OutcomeLeaf::hash).collect();
        let header = Header {
            chain: *self.chain,
            height: self.order.height,
            previous: head.hash,
            time: self.order.time,
            epoch: self.order.epoch,
            transactions: self.transactions.len() as u32,
            transaction_root: merkle::root(&self.wires),
            outcome_root: merkle::root(&hashes),
            state_root: self.order.state_root,
            history_root: head.history.root(),
        };
        let head = head.after(&header);
        let block = Block {
            header,
            transactions: self.transactions,
            outcomes: self.outcomes,
        };
        ExecutedBlock {
            block,
            head,
            writes: ordered(self.overlay),
            left_out: self.left_out,
            next_due,
        }
    }
}

fn ordered(overlay: Overlay<'_>) -> WriteSet {
    WriteSet(overlay.into_writes().into_iter().collect())
}

#[cfg(test)]
mod tests;
