use ledger::*;
use proptest::prelude::*;

use crate::consortium::{Chain, certify, epoch, genesis, replica_key};

fn header() -> Header {
    Chain::new().draft(Epoch(0), &[2], &[]).header
}

fn header_at_height_1() -> Header {
    Header {
        height: Height(1),
        ..header()
    }
}

fn judge(
    header: &Header,
    certificate: &Certificate,
) -> Result<VerifiedCertificate, CertificateError> {
    certificate.verify(
        &header.chain,
        header.height,
        &header.hash(),
        &genesis().epoch,
    )
}

#[test]
fn fault_tolerance_and_quorum_follow_the_number_of_replicas() {
    let sizes: Vec<(usize, usize)> = (1..=13)
        .map(|count| {
            let replicas: Vec<u16> = (0..count).collect();
            let epoch = epoch(0, 0, &replicas);
            (epoch.fault_tolerance(), epoch.quorum())
        })
        .collect();
    let expected = [
        (0, 1),
        (0, 2),
        (0, 2),
        (1, 3),
        (1, 4),
        (1, 4),
        (2, 5),
        (2, 6),
        (2, 6),
        (3, 7),
        (3, 8),
        (3, 8),
        (4, 9),
    ];
    assert_eq!(sizes, expected);
    for (index, (faults, quorum)) in expected.into_iter().enumerate() {
        let count = index + 1;
        assert!(
            2 * quorum > count + faults,
            "two quorums of {count} share a correct replica"
        );
        assert!(
            quorum <= count - faults,
            "{count} replicas reach a quorum without the faulty ones"
        );
    }
}

#[test]
fn a_quorum_of_votes_certifies_and_says_for_what() {
    let header = header_at_height_1();
    let verified = judge(&header, &certify(&header, &[3, 0, 2])).unwrap();
    assert_eq!(
        (verified.epoch(), verified.height(), verified.votes()),
        (Epoch(0), Height(1), 3)
    );
    assert_eq!(verified.block(), header.hash());
    assert_eq!(
        judge(&header, &certify(&header, &[0, 1, 2, 3]))
            .unwrap()
            .votes(),
        4
    );
}

#[test]
fn one_vote_less_than_a_quorum_is_refused() {
    let header = header_at_height_1();
    let refused = judge(&header, &certify(&header, &[0, 2]));
    assert_eq!(
        refused,
        Err(CertificateError::NoQuorum {
            quorum: 3,
            found: 2
        })
    );
}

#[test]
fn a_signer_counted_twice_is_refused() {
    let header = header_at_height_1();
    let refused = judge(&header, &certify(&header, &[0, 2, 2]));
    assert_eq!(refused, Err(CertificateError::SignerOrder(ReplicaId(2))));
}

#[test]
fn signers_out_of_order_are_refused() {
    let header = header_at_height_1();
    let mut certificate = certify(&header, &[0, 1, 2]);
    certificate.votes.swap(0, 1);
    assert_eq!(
        judge(&header, &certificate),
        Err(CertificateError::SignerOrder(ReplicaId(0)))
    );
}

#[test]
fn a_signer_that_is_no_replica_is_refused_however_many_others_signed() {
    let header = header_at_height_1();
    let refused = judge(&header, &certify(&header, &[0, 1, 2, 7]));
    assert_eq!(refused, Err(CertificateError::UnknownSigner(ReplicaId(7))));
}

#[test]
fn a_bad_vote_is_refused_even_beyond_the_quorum() {
    let header = header_at_height_1();
    let mut certificate = certify(&header, &[0, 1, 2, 3]);
    certificate.votes[3].1.0[5] ^= 1;
    assert_eq!(
        judge(&header, &certificate),
        Err(CertificateError::BadVote(ReplicaId(3)))
    );
}

#[test]
fn a_vote_cast_under_another_replicas_number_is_refused() {
    let header = header_at_height_1();
    let mut certificate = certify(&header, &[0, 1, 2]);
    certificate.votes[2].0 = ReplicaId(3);
    assert_eq!(
        judge(&header, &certificate),
        Err(CertificateError::BadVote(ReplicaId(3)))
    );
}

#[test]
fn votes_count_for_their_chain_epoch_height_and_block_only() {
    let header = header_at_height_1();
    let certificate = certify(&header, &[0, 1, 2]);
    for other in [
        Header {
            chain: Digest::ZERO,
            ..header.clone()
        },
        Header {
            height: Height(2),
            ..header.clone()
        },
        Header {
            state_root: Digest::ZERO,
            ..header.clone()
        },
    ] {
        assert_eq!(
            judge(&other, &certificate),
            Err(CertificateError::BadVote(ReplicaId(0)))
        );
    }
    // The same hash claimed for another height or chain, and the votes of another epoch.
    let same_hash = certificate.verify(&header.chain, Height(2), &header.hash(), &genesis().epoch);
    assert_eq!(same_hash, Err(CertificateError::BadVote(ReplicaId(0))));
    let other_chain =
        certificate.verify(&Digest::ZERO, Height(1), &header.hash(), &genesis().epoch);
    assert_eq!(other_chain, Err(CertificateError::BadVote(ReplicaId(0))));
    let later = epoch(1, 1, &[0, 1, 2, 3]);
    let other_epoch = certificate.verify(&header.chain, Height(1), &header.hash(), &later);
    assert_eq!(
        other_epoch,
        Err(CertificateError::WrongEpoch {
            expected: Epoch(1),
            found: Epoch(0)
        })
    );
    let relabelled = Certificate {
        epoch: Epoch(1),
        ..certificate
    };
    let refused = relabelled.verify(&header.chain, Height(1), &header.hash(), &later);
    assert_eq!(refused, Err(CertificateError::BadVote(ReplicaId(0))));
}

#[test]
fn votes_of_two_views_certify_nothing() {
    let header = header_at_height_1();
    let mut certificate = certify(&header, &[0, 1, 2]);
    let (chain, hash) = (header.chain, header.hash());
    let judge =
        |certificate: &Certificate| certificate.verify(&chain, Height(1), &hash, &genesis().epoch);
    assert!(judge(&certificate).is_ok());
    let key = replica_key(1);
    let later = BlockVote::sign(&chain, ReplicaId(1), Epoch(0), 1, Height(1), hash, &key);
    certificate.votes[1].1 = later.signature;
    assert_eq!(
        judge(&certificate).err(),
        Some(CertificateError::BadVote(ReplicaId(1)))
    );
    certificate.view = 1;
    assert_eq!(
        judge(&certificate).err(),
        Some(CertificateError::BadVote(ReplicaId(0)))
    );
}

#[test]
fn a_block_vote_verifies_under_its_replicas_key_only() {
    let header = header_at_height_1();
    let vote = BlockVote::sign(
        &header.chain,
        ReplicaId(1),
        Epoch(0),
        0,
        Height(1),
        header.hash(),
        &replica_key(1),
    );
    assert_eq!(
        vote.verify(&header.chain, &replica_key(1).public_key()),
        Ok(())
    );
    assert_eq!(
        vote.verify(&header.chain, &replica_key(2).public_key()),
        Err(SignatureError::Invalid)
    );
    assert_eq!(
        vote.verify(&Digest::ZERO, &replica_key(1).public_key()),
        Err(SignatureError::Invalid)
    );
    let moved = BlockVote {
        replica: ReplicaId(2),
        ..vote
    };
    assert_eq!(
        moved.verify(&header.chain, &replica_key(1).public_key()),
        Err(SignatureError::Invalid)
    );
}

#[test]
fn a_replica_set_must_be_ordered_distinct_and_without_weak_keys() {
    assert_eq!(epoch(0, 0, &[0, 1, 2, 3]).check(), Ok(()));
    assert_eq!(epoch(0, 0, &[]).check(), Err(EpochError::Empty));
    assert_eq!(
        epoch(0, 0, &[1, 0]).check(),
        Err(EpochError::ReplicaOrder(ReplicaId(0)))
    );
    assert_eq!(
        epoch(0, 0, &[1, 1]).check(),
        Err(EpochError::ReplicaOrder(ReplicaId(1)))
    );
    let mut shared = epoch(0, 0, &[0, 1]);
    shared.replicas[1].public_key = shared.replicas[0].public_key;
    assert_eq!(shared.check(), Err(EpochError::SharedKey(ReplicaId(1))));
    let mut weak = epoch(0, 0, &[0, 1]);
    weak.replicas[1].public_key = PublicKey([0; 32]);
    assert_eq!(weak.check(), Err(EpochError::WeakKey(ReplicaId(1))));
}

#[test]
fn a_genesis_file_is_refused_by_the_part_that_is_wrong() {
    let text = genesis().to_json();
    assert_eq!(GenesisFile::from_json(&text).unwrap(), genesis());
    assert_eq!(
        GenesisFile::from_json(&text).unwrap().chain_id(),
        genesis().chain_id()
    );
    let message = |text: String| GenesisFile::from_json(&text).unwrap_err().to_string();
    assert!(message(text.replacen("\"name\"", "\"nome\"", 1)).contains("unknown field `nome`"));
    let mut twice = genesis();
    twice.members.push(twice.members[0].clone());
    assert!(message(twice.to_json()).contains("is listed twice"));
    let mut weak = genesis();
    weak.members[0].public_key = PublicKey([0; 32]);
    assert!(message(weak.to_json()).contains("is weak"));
    let later = GenesisFile {
        epoch: epoch(1, 0, &[0, 1, 2, 3]),
        ..genesis()
    };
    assert!(message(later.to_json()).contains("must be epoch 0 from height 0"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn signers_certify_if_and_only_if_they_are_a_quorum_of_distinct_replicas(signers in prop::collection::vec(0u16..5, 0..6)) {
        let header = header_at_height_1();
        let mut distinct = signers.clone();
        distinct.sort();
        distinct.dedup();
        let expected = distinct.len() == signers.len() && signers.len() >= 3 && !signers.contains(&4);
        prop_assert_eq!(judge(&header, &certify(&header, &signers)).is_ok(), expected);
    }
}
