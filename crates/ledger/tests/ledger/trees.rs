use ledger::merkle::*;
use ledger::{Digest, HistoryLog};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

/// MTH of RFC 9162 section 2.1.1, as written there: the independent computation.
fn mth(leaves: &[Vec<u8>]) -> Digest {
    let hash = match leaves {
        [] => Sha256::digest([]),
        [leaf] => Sha256::digest([&[0u8][..], leaf].concat()),
        _ => {
            let k = largest_power_of_two_below(leaves.len());
            Sha256::digest([&[1u8][..], &mth(&leaves[..k]).0, &mth(&leaves[k..]).0].concat())
        }
    };
    Digest(hash.into())
}

/// PATH of RFC 9162 section 2.1.3.1.
fn path(m: usize, leaves: &[Vec<u8>]) -> Vec<Digest> {
    if leaves.len() == 1 {
        return vec![];
    }
    let k = largest_power_of_two_below(leaves.len());
    let (mut proof, sibling) = if m < k {
        (path(m, &leaves[..k]), mth(&leaves[k..]))
    } else {
        (path(m - k, &leaves[k..]), mth(&leaves[..k]))
    };
    proof.push(sibling);
    proof
}

/// SUBPROOF of RFC 9162 section 2.1.4.1.
fn subproof(m: usize, leaves: &[Vec<u8>], complete: bool) -> Vec<Digest> {
    if m == leaves.len() {
        return if complete { vec![] } else { vec![mth(leaves)] };
    }
    let k = largest_power_of_two_below(leaves.len());
    let (mut proof, sibling) = if m <= k {
        (subproof(m, &leaves[..k], complete), mth(&leaves[k..]))
    } else {
        (subproof(m - k, &leaves[k..], false), mth(&leaves[..k]))
    };
    proof.push(sibling);
    proof
}

fn largest_power_of_two_below(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

fn some_leaves(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|index| vec![index as u8; index % 5])
        .collect()
}

#[test]
fn roots_are_those_of_the_definition_and_of_an_independent_computation() {
    // Computed with Python's hashlib over the leaves "", "\x01", "\x02\x02", ... ([`some_leaves`])
    let independent = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5397b75fcd025549e5c6c04c86b73ee49d8a3135745f4e082f08397d79fa37b3",
        "12c35e40e6189d661c70a762621a48f8bac032746c1712e8d6e73d7c1ef0beb1",
        "2fc5e5989670017aa78cfaf26036dc2e04ee67b7ffa5e233a1def0354950f416",
        "db6d52ab524f99f572fb0198a6a87357ae59e2cbc2d54866ed2a7eee7b801c18",
        "7ef64956114d2fd9f30c3ca9131334dd55ad069b3100af7e449736380b711143",
        "9ff5845f0b64600c05845e9b79e46ff1677d5d0a62c686d17d07c073afc8f220",
        "23ce1276bde36184aabd6b7befa6750939e79fd6349dda9f1d37fa9110600aa8",
    ];
    for (count, expected) in independent.iter().enumerate() {
        assert_eq!(
            root(&some_leaves(count)).to_string(),
            *expected,
            "{count} leaves"
        );
    }
    for count in 0..70 {
        assert_eq!(
            root(&some_leaves(count)),
            mth(&some_leaves(count)),
            "{count} leaves"
        );
    }
}

#[test]
fn every_inclusion_proof_is_the_definitions_and_verifies_at_its_place_only() {
    for count in 1..40usize {
        let leaves = some_leaves(count);
        let tree = Tree::new(&leaves);
        let top = tree.root();
        for index in 0..count {
            let proof = tree.inclusion_proof(index as u64).unwrap();
            assert_eq!(proof, path(index, &leaves));
            for claimed in 0..count {
                let verifies =
                    verify_inclusion(&top, count as u64, claimed as u64, &leaves[index], &proof);
                assert_eq!(
                    verifies,
                    claimed == index,
                    "leaf {index} of {count} claimed at {claimed}"
                );
            }
            assert!(!verify_inclusion(
                &top,
                count as u64,
                index as u64,
                b"another leaf",
                &proof
            ));
        }
        assert_eq!(tree.inclusion_proof(count as u64), None);
    }
}

#[test]
fn an_inclusion_proof_with_a_node_too_many_or_too_few_is_refused() {
    let leaves = some_leaves(11);
    let tree = Tree::new(&leaves);
    for index in 0..11u64 {
        let proof = tree.inclusion_proof(index).unwrap();
        let leaf = &leaves[index as usize];
        let longer = [proof.clone(), vec![Digest::ZERO]].concat();
        assert!(!verify_inclusion(&tree.root(), 11, index, leaf, &longer));
        assert!(!verify_inclusion(
            &tree.root(),
            11,
            index,
            leaf,
            &proof[1..]
        ));
        assert!(!verify_inclusion(
            &tree.root(),
            11,
            index,
            leaf,
            &proof[..proof.len() - 1]
        ));
    }
    assert!(!verify_inclusion(&empty_root(), 0, 0, b"", &[]));
}

#[test]
fn an_inner_node_cannot_pose_as_a_leaf() {
    let leaves = some_leaves(4);
    let pair = [leaf_hash(&leaves[0]).0, leaf_hash(&leaves[1]).0].concat();
    let right = node_hash(&leaf_hash(&leaves[2]), &leaf_hash(&leaves[3]));
    assert!(!verify_inclusion(&root(&leaves), 2, 0, &pair, &[right]));
}

#[test]
fn every_consistency_proof_is_the_definitions_and_verifies_for_its_sizes_only() {
    for second in 1..34usize {
        let leaves = some_leaves(second);
        let tree = Tree::new(&leaves);
        for first in 1..=second {
            let proof = tree.consistency_proof(first as u64).unwrap();
            assert_eq!(proof, subproof(first, &leaves, true), "{first} to {second}");
            let first_root = root(&leaves[..first]);
            assert!(verify_consistency(
                &first_root,
                first as u64,
                &tree.root(),
                second as u64,
                &proof
            ));
            if first < second {
                assert!(!verify_consistency(
                    &Digest::ZERO,
                    first as u64,
                    &tree.root(),
                    second as u64,
                    &proof
                ));
                assert!(!verify_consistency(
                    &first_root,
                    first as u64,
                    &Digest::ZERO,
                    second as u64,
                    &proof
                ));
                let longer = [proof.clone(), vec![Digest::ZERO]].concat();
                assert!(!verify_consistency(
                    &first_root,
                    first as u64,
                    &tree.root(),
                    second as u64,
                    &longer
                ));
                assert!(!verify_consistency(
                    &first_root,
                    first as u64,
                    &tree.root(),
                    second as u64,
                    &proof[1..]
                ));
                assert!(!verify_consistency(
                    &tree.root(),
                    second as u64,
                    &first_root,
                    first as u64,
                    &proof
                ));
            }
        }
        assert_eq!(tree.consistency_proof(0), None);
        assert_eq!(tree.consistency_proof(second as u64 + 1), None);
        assert!(verify_consistency(
            &empty_root(),
            0,
            &tree.root(),
            second as u64,
            &[]
        ));
    }
}

#[test]
fn a_rewritten_history_has_no_consistency_proof() {
    let leaves = some_leaves(9);
    let mut rewritten = some_leaves(20);
    rewritten[3] = b"rewritten".to_vec();
    let tree = Tree::new(&rewritten);
    let proof = tree.consistency_proof(9).unwrap();
    assert!(!verify_consistency(
        &root(&leaves),
        9,
        &tree.root(),
        20,
        &proof
    ));
}

#[test]
fn appending_gives_the_same_tree_and_log_as_building_at_once() {
    let mut grown = Tree::default();
    let mut log = HistoryLog::new();
    let hashes: Vec<Digest> = (0..200u8).map(|index| Digest([index; 32])).collect();
    for count in 0..hashes.len() {
        assert_eq!(grown, Tree::new(&hashes[..count]), "{count} leaves");
        assert_eq!(log.root(), grown.root(), "{count} leaves");
        assert_eq!(log.size(), count as u64);
        assert_eq!(log, HistoryLog::from_hashes(&hashes[..count]));
        grown.append(&hashes[count].0);
        log.append(&hashes[count]);
    }
    let bytes = ledger::canonical::encode(&log);
    assert_eq!(
        ledger::canonical::decode::<HistoryLog>(&bytes).unwrap(),
        log
    );
}

#[test]
fn a_history_log_whose_frontier_does_not_fit_its_size_is_refused() {
    let mut bytes = ledger::canonical::encode(&HistoryLog::from_hashes(&[Digest::ZERO]));
    bytes[0] = 3;
    assert!(ledger::canonical::decode::<HistoryLog>(&bytes).is_err());
}

proptest! {
    #[test]
    fn large_trees_prove_what_they_hold(count in 1usize..600, chosen in any::<prop::sample::Index>(), first in any::<prop::sample::Index>()) {
        let leaves: Vec<[u8; 8]> = (0..count as u64).map(u64::to_be_bytes).collect();
        let tree = Tree::new(&leaves);
        let index = chosen.index(count);
        let proof = tree.inclusion_proof(index as u64).unwrap();
        prop_assert!(verify_inclusion(&tree.root(), count as u64, index as u64, &leaves[index], &proof));
        prop_assert!(proof.len() <= 10);
        let first = first.index(count) + 1;
        let proof = tree.consistency_proof(first as u64).unwrap();
        prop_assert!(verify_consistency(&root(&leaves[..first]), first as u64, &tree.root(), count as u64, &proof));
    }

    #[test]
    fn a_changed_proof_never_verifies(count in 2usize..60, chosen in any::<prop::sample::Index>(), node in any::<prop::sample::Index>(), bit in 0usize..256) {
        let leaves = some_leaves(count);
        let tree = Tree::new(&leaves);
        let index = chosen.index(count);
        let mut proof = tree.inclusion_proof(index as u64).unwrap();
        let node = node.index(proof.len());
        proof[node].0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!verify_inclusion(&tree.root(), count as u64, index as u64, &leaves[index], &proof));
    }
}

#[test]
fn the_eight_leaves_of_certificate_transparencys_own_tests_give_their_root() {
    let leaves: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    assert_eq!(
        root(&leaves).to_string(),
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    );
}
