use ledger::*;

use crate::consortium::{Chain, certify, genesis, key, transaction};

fn verified(blocks: &[CertifiedBlock]) -> ChainVerifier {
    let mut verifier = ChainVerifier::new(&genesis()).unwrap();
    for block in blocks {
        verifier.next(block).unwrap();
    }
    verifier
}

/// Blocks 0 to 2 verified, and block 3 as a change left it, certified again by a quorum.
fn judge_changed(change: impl FnOnce(&mut Block)) -> Result<Summary, ChainError> {
    let mut chain = Chain::new();
    chain.push(&[2, 3]);
    chain.push(&[]);
    let mut verifier = verified(&chain.blocks);
    let mut block = chain.draft(Epoch(0), &[4, 5, 6], &[]);
    change(&mut block);
    let certificate = certify(&block.header, &[0, 1, 2]);
    verifier.next(&CertifiedBlock { block, certificate })
}

#[test]
fn a_chain_verifies_block_by_block_and_is_counted() {
    let mut chain = Chain::new();
    chain.push(&[2, 3, 4]);
    chain.push(&[]);
    let mut verifier = ChainVerifier::new(&genesis())
        .unwrap()
        .with_member_signatures();
    let summaries: Vec<Summary> = chain
        .blocks
        .iter()
        .map(|block| verifier.next(block).unwrap())
        .collect();
    let counts: Vec<_> = summaries
        .iter()
        .map(|s| (s.height.0, s.accepted, s.rejected, s.events, s.votes))
        .collect();
    assert_eq!(counts, [(0, 0, 0, 1, 0), (1, 2, 1, 2, 3), (2, 0, 0, 0, 3)]);
    assert_eq!(verifier.height(), Height(3));
    assert_eq!(verifier.history().size(), 3);
}

#[test]
fn an_unchanged_block_is_accepted() {
    assert_eq!(
        judge_changed(|_| {}).map(|summary| summary.height),
        Ok(Height(3))
    );
}

#[test]
fn a_block_out_of_its_place_is_refused_even_with_a_certificate() {
    let refused = judge_changed(|block| block.header.height = Height(4));
    assert_eq!(
        refused,
        Err(ChainError::Height {
            expected: Height(3),
            found: Height(4)
        })
    );
    assert_eq!(
        judge_changed(|block| block.header.previous = Digest::ZERO),
        Err(ChainError::Previous)
    );
    assert_eq!(
        judge_changed(|block| block.header.chain = Digest::ZERO),
        Err(ChainError::ForeignChain)
    );
    assert_eq!(
        judge_changed(|block| block.header.history_root = Digest::ZERO),
        Err(ChainError::HistoryRoot)
    );
    let refused =
        judge_changed(|block| block.header.time = Timestamp(genesis().time.0 + 2_000_000));
    assert_eq!(refused, Err(ChainError::Time));
    let refused = judge_changed(|block| block.header.epoch = Epoch(1));
    assert_eq!(
        refused,
        Err(ChainError::Epoch {
            expected: Epoch(0),
            found: Epoch(1)
        })
    );
}

#[test]
fn a_block_whose_content_contradicts_its_header_is_refused() {
    let judge = |change: fn(&mut Block)| match judge_changed(change) {
        Err(ChainError::Block(error)) => error,
        other => panic!("{other:?}"),
    };
    let swapped = judge(|block| {
        block.transactions.swap(0, 2);
        block.outcomes.swap(1, 3);
    });
    assert_eq!(swapped, BlockError::TransactionRoot);
    assert_eq!(
        judge(|block| block.outcomes.swap(1, 3)),
        BlockError::OutcomePlace(1)
    );
    assert_eq!(
        judge(|block| block.outcomes[1].writes = Digest::ZERO),
        BlockError::OutcomeRoot
    );
    assert_eq!(
        judge(|block| block.outcomes[1].events[0].bytes[0] ^= 1),
        BlockError::OutcomeRoot
    );
    assert_eq!(
        judge(|block| block.outcomes[1].events.clear()),
        BlockError::OutcomeRoot
    );
    assert_eq!(
        judge(|block| drop(block.outcomes.pop())),
        BlockError::OutcomeCount {
            transactions: 3,
            found: 3
        }
    );
    let fewer = judge(|block| drop(block.transactions.pop()));
    assert_eq!(
        fewer,
        BlockError::TransactionCount {
            header: 3,
            found: 2
        }
    );
    let signature = judge(|block| block.transactions[0].signature.0[0] ^= 1);
    assert_eq!(signature, BlockError::TransactionRoot);
    assert_eq!(
        judge(|block| block.outcomes[0].transaction.0[0] ^= 1),
        BlockError::SystemLeaf
    );
    let events = judge(|block| block.outcomes[2].events = block.outcomes[1].events.clone());
    assert_eq!(events, BlockError::RejectedWithEvents(2));
}

#[test]
fn a_missing_or_foreign_certificate_is_refused_and_the_same_height_stays_due() {
    let mut chain = Chain::new();
    chain.push(&[2]);
    let mut verifier = verified(&chain.blocks[..1]);
    let honest = &chain.blocks[1];
    let uncertified = CertifiedBlock {
        certificate: Certificate::of_genesis(),
        ..honest.clone()
    };
    assert!(matches!(
        verifier.next(&uncertified),
        Err(ChainError::Certificate(_))
    ));
    assert_eq!(verifier.height(), Height(1));
    assert!(verifier.next(honest).is_ok());
}

#[test]
fn a_forged_member_signature_is_found_when_asked_for() {
    let mut chain = Chain::new();
    let mut block = chain.draft(Epoch(0), &[2, 4, 6], &[]);
    block.transactions[1] = SignedTransaction::sign(transaction(chain.id(), 4).body, &key(2));
    block.header.transaction_root = block::transaction_root(&block.transactions);
    let certificate = certify(&block.header, &[0, 1, 2]);
    chain.blocks.push(CertifiedBlock { block, certificate });
    let mut trusting = ChainVerifier::new(&genesis()).unwrap();
    let mut thorough = ChainVerifier::new(&genesis())
        .unwrap()
        .with_member_signatures();
    assert!(trusting.next(&chain.blocks[0]).is_ok() && trusting.next(&chain.blocks[1]).is_ok());
    assert!(thorough.next(&chain.blocks[0]).is_ok());
    assert_eq!(
        thorough.next(&chain.blocks[1]),
        Err(ChainError::MemberSignature(1))
    );
}

#[test]
fn a_transaction_of_another_chain_is_refused() {
    let chain = Chain::new();
    let mut block = chain.draft(Epoch(0), &[2], &[]);
    block.transactions[0] = transaction(Digest::ZERO, 2);
    block.outcomes[1].transaction = block.transactions[0].id();
    block.header.transaction_root = block::transaction_root(&block.transactions);
    block.header.outcome_root = block::outcome_root(&block.outcomes);
    let certificate = certify(&block.header, &[0, 1, 2]);
    let mut verifier = verified(&chain.blocks);
    let refused = verifier.next(&CertifiedBlock { block, certificate });
    assert_eq!(refused, Err(ChainError::ForeignTransaction(0)));
}

#[test]
fn a_genesis_block_that_does_not_follow_from_the_genesis_file_is_refused() {
    let chain = Chain::new();
    let judge = |change: fn(&mut CertifiedBlock)| {
        let mut first = chain.blocks[0].clone();
        change(&mut first);
        first.block.header.outcome_root = block::outcome_root(&first.block.outcomes);
        ChainVerifier::new(&genesis()).unwrap().next(&first)
    };
    assert!(judge(|_| {}).is_ok());
    assert_eq!(
        judge(|first| first.block.header.time = Timestamp(1)),
        Err(ChainError::Genesis)
    );
    let other_replicas = judge(|first| {
        let rogue = LedgerEvent::EpochStarted(crate::consortium::epoch(0, 0, &[4, 5, 6, 7]));
        first.block.outcomes[0].events = vec![RecordedEvent::of_ledger(&rogue)];
    });
    assert_eq!(other_replicas, Err(ChainError::Genesis));
    let signed = judge(|first| first.certificate = certify(&first.block.header, &[0, 1, 2]));
    assert_eq!(signed, Err(ChainError::Genesis));
    assert_eq!(
        ChainVerifier::new(&genesis())
            .unwrap()
            .next(&Chain::new().push(&[]).clone()),
        Err(ChainError::Height {
            expected: Height(0),
            found: Height(1)
        })
    );
}
