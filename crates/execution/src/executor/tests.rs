use std::collections::BTreeMap;

use ledger::{
    EpochDescription, GenesisParameters, LedgerId, RecordedEvent, ReplicaDescription, ReplicaId,
    SigningKey, TransactionBody,
};

use super::*;
use crate::rules::{Decision, Refused};

/// Adds the command's one byte to a counter per submitter; refuses 255; something is due at every full second.
struct Counting;

const CONTRACT: ContractId = ContractId(9);

fn decision(key: Vec<u8>, value: Vec<u8>) -> Decision {
    let events = vec![RecordedEvent {
        contract: CONTRACT,
        bytes: value.clone(),
    }];
    Decision {
        events,
        writes: WriteSet(vec![(key, Some(value))]),
    }
}

impl Rules for Counting {
    type GenesisError = std::convert::Infallible;

    fn genesis(&self, genesis: &GenesisFile) -> Result<Decision, Self::GenesisError> {
        Ok(decision(
            b"name".to_vec(),
            genesis.name.clone().into_bytes(),
        ))
    }

    fn nonce_reused(&self) -> (ContractId, u16) {
        (CONTRACT, 53)
    }

    fn execute(&self, view: &dyn StateView, call: &Call<'_>) -> Result<Decision, Refused> {
        if call.command == [255] {
            return Err(Refused {
                contract: CONTRACT,
                code: 7,
            });
        }
        let key = call.submitter.0.to_vec();
        let sum = view.get(&key).map_or(0, |bytes| bytes[0]) + call.command[0];
        Ok(decision(key, vec![sum]))
    }

    fn expire(&self, _: &dyn StateView, _: &Digest, _: Height, time: Timestamp) -> Decision {
        if time.0.is_multiple_of(1_000_000) {
            decision(b"tick".to_vec(), vec![1])
        } else {
            Decision::default()
        }
    }

    fn next_due(&self, _: &dyn StateView) -> Option<Timestamp> {
        None
    }
}

struct Chain {
    executor: Executor<Counting>,
    head: ChainHead,
    state: BTreeMap<Vec<u8>, Vec<u8>>,
    used: Used,
    key: SigningKey,
}

impl Chain {
    fn new() -> Chain {
        let key = SigningKey::from_seed([3; 32]);
        let replica = ReplicaDescription {
            replica: ReplicaId(0),
            operator: LedgerId([0; 16]),
            public_key: SigningKey::from_seed([1; 32]).public_key(),
        };
        let genesis = GenesisFile {
            name: "test".to_owned(),
            time: Timestamp(1_000_000_000),
            epoch: EpochDescription {
                epoch: Epoch(0),
                first_height: Height(0),
                replicas: vec![replica],
            },
            certificate_authority: Digest::ZERO,
            members: Vec::new(),
            parameters: GenesisParameters::default(),
        };
        let executor = Executor::new(genesis.chain_id(), Counting);
        let block = executor.genesis_block(&genesis).unwrap();
        let mut chain = Chain {
            executor,
            head: block.head.clone(),
            state: BTreeMap::new(),
            used: Used::default(),
            key,
        };
        chain.keep(&block);
        chain
    }

    fn keep(&mut self, block: &ExecutedBlock) {
        block.block.check_roots().unwrap();
        assert!(block.writes.is_ordered());
        for (key, value) in &block.writes.0 {
            match value {
                Some(value) => self.state.insert(key.clone(), value.clone()),
                None => self.state.remove(key),
            };
        }
        self.head = block.head.clone();
    }

    fn transaction(&self, nonce: u64, valid_until: u64, command: u8) -> Arc<CheckedTransaction> {
        let body = TransactionBody {
            chain: self.executor.chain(),
            submitter: LedgerId([5; 16]),
            public_key: self.key.public_key(),
            nonce,
            valid_until: Timestamp(valid_until),
            contract: CONTRACT,
            command: vec![command],
        };
        Arc::new(CheckedTransaction::new(SignedTransaction::sign(
            body, &self.key,
        )))
    }

    fn next(&mut self, time: u64, transactions: &[&Arc<CheckedTransaction>]) -> ExecutedBlock {
        let order = BlockOrder {
            epoch: Epoch(0),
            height: self.head.height.next(),
            time: Timestamp(time),
            state_root: Digest::ZERO,
            transactions: transactions
                .iter()
                .map(|transaction| (*transaction).clone())
                .collect(),
        };
        let block = self
            .executor
            .execute_block(&self.state, &mut self.used, &self.head, order);
        self.keep(&block);
        let read = Used::read(&self.state);
        assert_eq!(read, self.used, "what is in memory is what the state holds");
        block
    }
}

fn left_out(block: &ExecutedBlock) -> Vec<LeftOut> {
    block.left_out.iter().map(|(_, reason)| *reason).collect()
}

#[test]
fn later_transactions_of_a_block_see_what_earlier_ones_wrote() {
    let mut chain = Chain::new();
    let (first, second) = (
        chain.transaction(1, 1_030_000_000, 2),
        chain.transaction(2, 1_030_000_000, 3),
    );
    let block = chain.next(1_001_000_000, &[&first, &second]);
    assert_eq!(block.block.outcomes[2].events[0].bytes, [5]);
    assert_eq!(
        block.block.outcomes[0].events.len(),
        1,
        "leaf 0 records what was due"
    );
    assert_eq!(
        block.block.header.history_root,
        HistoryLog::from_hashes([&block.block.header.previous]).root()
    );
}

#[test]
fn a_rejected_transaction_is_committed_with_its_code_and_changes_nothing() {
    let mut chain = Chain::new();
    let refused = chain.transaction(1, 1_030_000_000, 255);
    let block = chain.next(1_001_000_001, &[&refused]);
    assert_eq!(
        block.block.outcomes[1].outcome,
        Outcome::Rejected {
            contract: CONTRACT,
            code: 7
        }
    );
    assert_eq!(block.block.outcomes[1].writes, WriteSet::default().digest());
    assert_eq!(StateView::get(&chain.state, &[5; 16]), None);
}

#[test]
fn a_repeat_is_left_out_within_a_block_and_after_it() {
    let mut chain = Chain::new();
    let transaction = chain.transaction(1, 1_030_000_000, 2);
    let block = chain.next(1_001_000_001, &[&transaction, &transaction]);
    assert_eq!(
        (block.block.transactions.len(), left_out(&block)),
        (1, vec![LeftOut::Repeat])
    );
    let block = chain.next(1_002_000_001, &[&transaction]);
    assert_eq!(
        (block.block.transactions.len(), left_out(&block)),
        (0, vec![LeftOut::Repeat])
    );
    assert_eq!(StateView::get(&chain.state, &[5; 16]), Some(vec![2]));
}

#[test]
fn another_body_under_a_used_nonce_is_rejected_once() {
    let mut chain = Chain::new();
    let (first, other) = (
        chain.transaction(1, 1_005_000_000, 2),
        chain.transaction(1, 1_040_000_000, 3),
    );
    chain.next(1_001_000_001, &[&first]);
    let block = chain.next(1_002_000_001, &[&other]);
    let expected = Outcome::Rejected {
        contract: CONTRACT,
        code: 53,
    };
    assert_eq!(block.block.outcomes[1].outcome, expected);
    let block = chain.next(1_020_000_001, &[&other]);
    assert_eq!(
        left_out(&block),
        [LeftOut::Repeat],
        "its rejection outlives the first transaction's entry"
    );
}

#[test]
fn validity_is_judged_by_block_time() {
    let mut chain = Chain::new();
    let (past, far) = (
        chain.transaction(1, 1_000_500_000, 2),
        chain.transaction(2, 1_062_000_000, 2),
    );
    let block = chain.next(1_001_000_001, &[&past, &far]);
    assert_eq!(
        left_out(&block),
        [LeftOut::NotValidNow, LeftOut::NotValidNow]
    );
    let block = chain.next(1_002_000_000, &[&far]);
    assert_eq!(block.block.transactions.len(), 1);
}

#[test]
fn entries_are_dropped_when_validity_has_ended() {
    let mut chain = Chain::new();
    let before = chain.state.len();
    let transactions: Vec<_> = (0..20)
        .map(|nonce| chain.transaction(nonce, 1_010_000_000 + nonce, 0))
        .collect();
    chain.next(1_001_000_001, &transactions.iter().collect::<Vec<_>>());
    assert_eq!(chain.state.len(), before + 1 + 1, "one bucket, the counter");
    chain.next(1_010_500_000, &[]);
    assert_eq!(chain.state.len(), before + 1 + 1);
    chain.next(1_011_000_001, &[]);
    assert_eq!(chain.state.len(), before + 1);
    let again = chain.transaction(3, 1_030_000_000, 0);
    let block = chain.next(1_012_000_001, &[&again]);
    assert_eq!(block.block.transactions.len(), 1, "its nonce is free again");
}

#[test]
fn the_same_order_gives_the_same_block() {
    let run = || {
        let mut chain = Chain::new();
        let transactions: Vec<_> = (0..9)
            .map(|nonce| chain.transaction(nonce, 1_010_000_000, nonce as u8))
            .collect();
        chain
            .next(1_001_000_001, &transactions.iter().collect::<Vec<_>>())
            .block
            .hash()
    };
    assert_eq!(run(), run());
}
