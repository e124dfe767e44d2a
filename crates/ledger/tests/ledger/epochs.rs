use ledger::receipt::LinkError;
use ledger::*;

use crate::consortium::{Chain, certify, epoch, genesis};

fn start(description: EpochDescription) -> LedgerEvent {
    LedgerEvent::EpochStarted(description)
}

/// Height 1 announces epoch 1 from height 3 (replica 4 for replica 0); height 4 announces epoch 2 from height 5.
fn three_epochs() -> Chain {
    let mut chain = Chain::new();
    chain.push_in(
        Epoch(0),
        &[0, 1, 2],
        &[2],
        &[start(epoch(1, 3, &[1, 2, 3, 4]))],
    );
    chain.push_in(Epoch(0), &[0, 1, 3], &[4], &[]);
    chain.push_in(Epoch(1), &[1, 2, 4], &[6], &[]);
    chain.push_in(
        Epoch(1),
        &[1, 2, 4],
        &[8],
        &[start(epoch(2, 5, &[2, 3, 4, 5]))],
    );
    chain.push_in(Epoch(2), &[3, 4, 5], &[10, 11], &[]);
    chain
}

fn link_error(receipt: &Receipt) -> (u64, LinkError) {
    match receipt.verify(&genesis()) {
        Err(ReceiptError::Link { epoch, reason }) => (epoch.0, reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_chain_is_followed_through_its_epochs() {
    let chain = three_epochs();
    let mut verifier = ChainVerifier::new(&genesis()).unwrap();
    let epochs: Vec<u64> = chain
        .blocks
        .iter()
        .map(|block| verifier.next(block).unwrap().epoch.0)
        .collect();
    assert_eq!(epochs, [0, 0, 0, 1, 1, 2]);
    assert_eq!(verifier.links(), chain.links);
    assert_eq!(verifier.epoch(), &epoch(2, 5, &[2, 3, 4, 5]));
}

#[test]
fn a_receipt_of_a_later_epoch_is_verified_through_its_links() {
    let chain = three_epochs();
    let verified = chain.receipt(0).verify(&genesis()).unwrap();
    assert_eq!(verified.certificate().epoch(), Epoch(2));
    assert_eq!(verified.height(), Height(5));
}

#[test]
fn replicas_of_a_retired_epoch_certify_nothing_after_it() {
    let mut chain = three_epochs();
    chain.blocks.truncate(3);
    let block = chain.draft(Epoch(0), &[6], &[]);
    let certificate = certify(&block.header, &[0, 1, 2]);
    let mut verifier = ChainVerifier::new(&genesis()).unwrap();
    for certified in &chain.blocks {
        verifier.next(certified).unwrap();
    }
    let refused = verifier.next(&CertifiedBlock { block, certificate });
    assert_eq!(
        refused,
        Err(ChainError::Epoch {
            expected: Epoch(1),
            found: Epoch(0)
        })
    );
}

#[test]
fn a_receipt_of_replicas_that_a_ca_may_have_certified_but_no_epoch_admitted_is_refused() {
    // Keys 104 to 107 are as good as any: real keys, a quorum of them, a well-formed header.
    let mut chain = Chain::new();
    chain.push_in(Epoch(0), &[4, 5, 6], &[2], &[]);
    let refused = chain.receipt(0).verify(&genesis()).unwrap_err();
    assert!(
        matches!(
            refused,
            ReceiptError::Certificate(CertificateError::UnknownSigner(ReplicaId(4)))
        ),
        "{refused}"
    );
    // Under the numbers of admitted replicas they do no better.
    let mut receipt = chain.receipt(0);
    for (replica, _) in &mut receipt.certificate.votes {
        replica.0 -= 4;
    }
    let refused = receipt.verify(&genesis()).unwrap_err();
    assert!(
        matches!(
            refused,
            ReceiptError::Certificate(CertificateError::BadVote(ReplicaId(0)))
        ),
        "{refused}"
    );
}

#[test]
fn an_epoch_that_admits_itself_is_refused() {
    // The rogue replicas certify the very link that admits them.
    let mut chain = Chain::new();
    chain.push_in(
        Epoch(0),
        &[4, 5, 6],
        &[],
        &[start(epoch(1, 2, &[4, 5, 6, 7]))],
    );
    chain.push_in(Epoch(1), &[4, 5, 6], &[2], &[]);
    let unknown = LinkError::Certificate(CertificateError::UnknownSigner(ReplicaId(4)));
    assert_eq!(link_error(&chain.receipt(0)), (1, unknown));
    // Certified by their own epoch, which is not the one before.
    let mut receipt = chain.receipt(0);
    receipt.epochs[0].header.epoch = Epoch(1);
    receipt.epochs[0].certificate = certify(&receipt.epochs[0].header, &[4, 5, 6]);
    assert_eq!(link_error(&receipt), (1, LinkError::WrongEpoch));
}

#[test]
fn a_changed_replica_set_in_a_link_is_refused() {
    let chain = three_epochs();
    let mut receipt = chain.receipt(0);
    receipt.epochs[1].leaf.events =
        vec![RecordedEvent::of_ledger(&start(epoch(2, 5, &[4, 5, 6, 7])))];
    assert_eq!(link_error(&receipt), (2, LinkError::Proof));
}

#[test]
fn a_left_out_repeated_or_reordered_link_is_refused() {
    let chain = three_epochs();
    let mut receipt = chain.receipt(0);
    receipt.epochs.remove(0);
    assert_eq!(link_error(&receipt), (1, LinkError::WrongEpoch));
    let mut receipt = chain.receipt(0);
    receipt.epochs.pop();
    let refused = receipt.verify(&genesis()).unwrap_err();
    assert!(
        matches!(
            refused,
            ReceiptError::WrongEpoch {
                header: Epoch(2),
                linked: Epoch(1)
            }
        ),
        "{refused}"
    );
    let mut receipt = chain.receipt(0);
    receipt.epochs.swap(0, 1);
    assert_eq!(link_error(&receipt), (1, LinkError::WrongEpoch));
    let mut receipt = chain.receipt(0);
    receipt.epochs.insert(0, receipt.epochs[0].clone());
    assert_eq!(link_error(&receipt), (2, LinkError::WrongEpoch));
}

#[test]
fn a_link_short_of_a_quorum_or_of_another_chain_is_refused() {
    let chain = three_epochs();
    let mut receipt = chain.receipt(0);
    receipt.epochs[0].certificate.votes.pop();
    let short = LinkError::Certificate(CertificateError::NoQuorum {
        quorum: 3,
        found: 2,
    });
    assert_eq!(link_error(&receipt), (1, short));
    let mut receipt = chain.receipt(0);
    receipt.epochs[0].header.chain = Digest::ZERO;
    receipt.epochs[0].certificate = certify(&receipt.epochs[0].header, &[0, 1, 2]);
    assert_eq!(link_error(&receipt), (1, LinkError::ForeignChain));
}

#[test]
fn a_certified_leaf_that_starts_no_epoch_is_no_link() {
    let mut chain = Chain::new();
    let plain = BlockProofs::new(chain.push(&[2])).receipt(0, &[]).unwrap();
    let mut receipt = plain.clone();
    receipt.epochs = vec![EpochLink {
        leaf: plain.leaf,
        index: 1,
        proof: plain.proof,
        header: plain.header,
        certificate: plain.certificate,
    }];
    assert_eq!(link_error(&receipt), (1, LinkError::NoEpoch));
}

#[test]
fn an_event_of_another_contract_with_the_same_bytes_starts_no_epoch() {
    let event = RecordedEvent::of_ledger(&start(epoch(1, 3, &[4, 5, 6, 7])));
    assert!(event.as_ledger_event().is_some());
    let elsewhere = RecordedEvent {
        contract: ContractId(1),
        ..event
    };
    assert_eq!(elsewhere.as_ledger_event(), None);
}

#[test]
fn an_epoch_that_skips_a_number_starts_in_the_past_or_has_bad_replicas_is_refused() {
    for (description, expected) in [
        (epoch(2, 3, &[1, 2, 3, 4]), LinkError::NotNext),
        (epoch(1, 1, &[1, 2, 3, 4]), LinkError::NotNext),
        (
            epoch(1, 3, &[1, 1, 3, 4]),
            LinkError::Replicas(EpochError::ReplicaOrder(ReplicaId(1))),
        ),
    ] {
        let mut chain = Chain::new();
        let block = chain
            .push_in(Epoch(0), &[0, 1, 2], &[2], &[start(description)])
            .clone();
        let mut verifier = ChainVerifier::new(&genesis()).unwrap();
        verifier.next(&chain.blocks[0]).unwrap();
        assert_eq!(
            verifier.next(&block),
            Err(ChainError::Announcement(expected))
        );
        assert_eq!(link_error(&chain.receipt(0)), (1, expected));
    }
}

#[test]
fn a_second_announcement_before_the_first_has_started_is_refused() {
    let mut chain = Chain::new();
    chain.push_in(
        Epoch(0),
        &[0, 1, 2],
        &[],
        &[start(epoch(1, 5, &[1, 2, 3, 4]))],
    );
    chain.push_in(
        Epoch(0),
        &[0, 1, 2],
        &[],
        &[start(epoch(1, 6, &[1, 2, 3, 5]))],
    );
    let mut verifier = ChainVerifier::new(&genesis()).unwrap();
    verifier.next(&chain.blocks[0]).unwrap();
    verifier.next(&chain.blocks[1]).unwrap();
    assert_eq!(
        verifier.next(&chain.blocks[2]),
        Err(ChainError::SecondAnnouncement)
    );
}

#[test]
fn a_header_from_before_its_epoch_is_refused() {
    let mut chain = three_epochs();
    chain.blocks.truncate(2);
    chain.push_in(Epoch(1), &[1, 2, 4], &[4], &[]);
    let mut receipt = chain.receipt(0);
    receipt.epochs = three_epochs().links[..1].to_vec();
    let refused = receipt.verify(&genesis()).unwrap_err();
    assert!(
        matches!(
            refused,
            ReceiptError::BeforeEpoch {
                height: Height(2),
                first: Height(3)
            }
        ),
        "{refused}"
    );
}
