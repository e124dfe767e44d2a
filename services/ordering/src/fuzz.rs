//! What other replicas send, under mutated bytes (see the crate `fuzzing`): the wire and its pieces, bodies, and the
//! blocks of a state transfer. The journal's own target is `journal/fuzz.rs`.

use std::cell::RefCell;

use bus::ordering_wire::{Answer, BlocksReply};
use ledger::{
    Block, BlockVote, Certificate, CertifiedBlock, Digest, Epoch, EpochDescription, Header, Height,
    LedgerId, OutcomeLeaf, ReplicaDescription, ReplicaId, SignedTransaction, SigningKey, Timestamp,
    WriteSet, block, canonical, merkle,
};
use pbft::Sequence;

use crate::core::FetchOrder;
use crate::epochs::Epochs;
use crate::fetch::verified;
use crate::fixtures::transaction;
use crate::wire::{Assembly, MESSAGE_BYTES_MAX, Wire};

const CHAIN: Digest = Digest([1; 32]);

#[test]
fn fuzz_wire() {
    let piece = |message, index, count| Wire::Piece {
        message,
        index,
        count,
        bytes: vec![0; 20],
    };
    let bodies = || (0..3).map(|nonce| transaction(nonce).to_bytes()).collect();
    let assembly = RefCell::new(Assembly::default());
    fuzzing::target("ordering-wire")
        .values([
            Wire::Consensus(vec![vec![4; 50], vec![5; 9]]),
            Wire::BodiesWanted(vec![Digest([5; 32]); 3]),
            Wire::Bodies(bodies()),
            Wire::Relayed(bodies()),
            piece(1, 0, 2),
            piece(1, 1, 2),
            piece(2, 5, 9),
        ])
        .run(|bytes| {
            let decoded = canonical::decode::<Wire>(bytes);
            if let Ok(wire) = &decoded {
                assert_eq!(canonical::encode(wire), bytes);
            }
            let mut assembly = assembly.borrow_mut();
            for sender in 0..2 {
                let _ = assembly.take(ReplicaId(sender), bytes);
            }
            assert!(assembly.kept_bytes() <= 2 * 4 * 64 * MESSAGE_BYTES_MAX);
            decoded.is_ok()
        });
}

fn key(replica: u16) -> SigningKey {
    SigningKey::from_seed([60 + replica as u8; 32])
}

fn epoch() -> EpochDescription {
    let replica = |number| ReplicaDescription {
        replica: ReplicaId(number),
        operator: LedgerId([number as u8; 16]),
        public_key: key(number).public_key(),
    };
    EpochDescription {
        epoch: Epoch(0),
        first_height: Height(0),
        replicas: (0..4).map(replica).collect(),
    }
}

/// A block at a height, certified by three of the four replicas.
fn certified(height: u64) -> CertifiedBlock {
    let transactions: Vec<SignedTransaction> = (0..3).map(transaction).collect();
    let leaf = |transaction| OutcomeLeaf {
        transaction,
        outcome: ledger::Outcome::Accepted,
        events: Vec::new(),
        writes: WriteSet::default().digest(),
    };
    let ids = transactions.iter().map(SignedTransaction::id);
    let outcomes: Vec<OutcomeLeaf> = [Digest::ZERO].into_iter().chain(ids).map(leaf).collect();
    let header = Header {
        chain: CHAIN,
        height: Height(height),
        previous: Digest([8; 32]),
        time: Timestamp(1_000 + height),
        epoch: Epoch(0),
        transactions: transactions.len() as u32,
        transaction_root: block::transaction_root(&transactions),
        outcome_root: block::outcome_root(&outcomes),
        state_root: Digest([7; 32]),
        history_root: merkle::root(&[Digest([8; 32])]),
    };
    let votes: Vec<BlockVote> = (0..3)
        .map(|signer| {
            let (replica, hash) = (ReplicaId(signer), header.hash());
            BlockVote::sign(&CHAIN, replica, Epoch(0), header.height, hash, &key(signer))
        })
        .collect();
    CertifiedBlock {
        certificate: Certificate::from_votes(Epoch(0), &votes),
        block: Block {
            header,
            transactions,
            outcomes,
        },
    }
}

fn order(first: u64) -> FetchOrder {
    FetchOrder {
        first: Sequence(first),
        last: Sequence(first + 3),
        peer: ReplicaId(2),
        epoch: Epoch(0),
    }
}

#[test]
fn fuzz_block_of_a_state_transfer() {
    let epochs = Epochs::new(CHAIN, pbft::Limits::default(), epoch(), Vec::new());
    let originals: Vec<CertifiedBlock> = (5..7).map(certified).collect();
    for (original, height) in originals.iter().zip(5..) {
        let bytes = canonical::encode(original);
        assert!(verified(&epochs, &order(5), Sequence(height), &bytes).is_some());
    }
    fuzzing::target("ordering-fetched-block")
        .values(originals.clone())
        .run(|bytes| {
            for (original, height) in originals.iter().zip(5..) {
                if let Some((block, _)) = verified(&epochs, &order(5), Sequence(height), bytes) {
                    assert_eq!(block.block, original.block, "made up");
                }
            }
            canonical::decode::<CertifiedBlock>(bytes).is_ok()
        });
}

#[test]
fn fuzz_answer_of_a_state_transfer() {
    let epochs = Epochs::new(CHAIN, pbft::Limits::default(), epoch(), Vec::new());
    let originals: Vec<CertifiedBlock> = (5..7).map(certified).collect();
    let reply = BlocksReply {
        blocks: originals.iter().map(canonical::encode).collect(),
        newest: Height(9),
    };
    fuzzing::target("ordering-fetched-blocks")
        .values([Answer::Ok(reply), Answer::Busy])
        .run(|bytes| {
            let Ok(answer) = canonical::decode::<Answer<BlocksReply>>(bytes) else {
                return false;
            };
            if let Answer::Ok(reply) = answer {
                for (block, height) in reply.blocks.iter().zip(5..) {
                    if let Some((block, _)) = verified(&epochs, &order(5), Sequence(height), block)
                    {
                        assert!(originals.iter().any(|it| it.block == block.block));
                    }
                }
            }
            true
        });
}
