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
use crate::wire::{Assembly, Carried, MESSAGE_BYTES_MAX, Wire};

const CHAIN: Digest = Digest([1; 32]);

#[test]
fn fuzz_wire() {
    let piece = |message, index, count| Wire::Piece {
        message,
        index,
        count,
        bytes: vec![0; 20],
    };
    let body = |nonce| Carried {
        requester: (nonce == 1).then(|| "gateway".to_owned()),
        traceparent: (nonce == 1).then(|| "00-1-2-01".to_owned()),
        ..Carried::of_nobody(transaction(nonce).to_bytes())
    };
    let bodies = || (0..3).map(body).collect();
    let assembly = RefCell::new(Assembly::default());
    fuzzing::target("ordering-wire")
        .values([
            Wire::Consensus(vec![vec![4; 50], vec![5; 9]], bodies()),
            Wire::BodiesWanted(vec![Digest([5; 32]); 3]),
            Wire::Bodies(bodies()),
            Wire::Relayed(bodies()),
            Wire::PassedOn(bodies()),
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
pub(crate) fn certified(height: u64) -> CertifiedBlock {
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
            BlockVote::sign(
                &CHAIN,
                replica,
                Epoch(0),
                0,
                header.height,
                hash,
                &key(signer),
            )
        })
        .collect();
    CertifiedBlock {
        certificate: Certificate::from_votes(Epoch(0), 0, &votes),
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
        let encoded = vec![canonical::encode(original)];
        assert_eq!(
            verified(&epochs, &order(5), Sequence(height), encoded).len(),
            1
        );
    }
    fuzzing::target("ordering-fetched-block")
        .values(originals.clone())
        .run(|bytes| {
            for (original, height) in originals.iter().zip(5..) {
                let encoded = vec![bytes.to_vec()];
                for found in verified(&epochs, &order(5), Sequence(height), encoded) {
                    assert_eq!(found.certified.block, original.block, "made up");
                }
            }
            canonical::decode::<CertifiedBlock>(bytes).is_ok()
        });
}

#[test]
fn fetched_blocks_are_taken_up_to_the_first_that_is_not_certified() {
    let epochs = Epochs::new(CHAIN, pbft::Limits::default(), epoch(), Vec::new());
    let blocks: Vec<CertifiedBlock> = (5..9).map(certified).collect();
    let found = |blocks: &[CertifiedBlock]| {
        let encoded = blocks.iter().map(canonical::encode).collect();
        verified(&epochs, &order(5), Sequence(5), encoded).len()
    };
    assert_eq!(found(&blocks), 4);
    for place in 0..4 {
        let mut of_another = blocks.clone();
        of_another[place].certificate = blocks[(place + 1) % 4].certificate.clone();
        assert_eq!(found(&of_another), place, "another block's certificate");
        let mut one_vote_short = blocks.clone();
        one_vote_short[place].certificate.votes.truncate(2);
        assert_eq!(found(&one_vote_short), place, "no quorum");
        let mut changed = blocks.clone();
        changed[place].block.outcomes.pop();
        assert_eq!(found(&changed), place, "another content");
    }
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
                for found in verified(&epochs, &order(5), Sequence(5), reply.blocks) {
                    let block = &found.certified.block;
                    assert!(originals.iter().any(|it| it.block == *block));
                }
            }
            true
        });
}
