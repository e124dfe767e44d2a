use std::cell::RefCell;
use std::collections::BTreeMap;

use ledger::tree_nodes::{NodeSource, Place, appended, consistency_proof, inclusion_proof, root};
use ledger::*;
use proptest::prelude::*;

#[derive(Default)]
struct Kept {
    nodes: BTreeMap<Place, Digest>,
    reads: RefCell<usize>,
}

impl NodeSource for Kept {
    type Error = Place;

    fn node(&self, place: Place) -> Result<Digest, Place> {
        *self.reads.borrow_mut() += 1;
        self.nodes.get(&place).copied().ok_or(place)
    }
}

fn kept(leaves: &[[u8; 32]]) -> Kept {
    let mut kept = Kept::default();
    for (leaf, index) in leaves.iter().zip(0..) {
        let nodes = appended(&kept, index, leaf).unwrap();
        kept.nodes.extend(nodes);
    }
    kept
}

fn leaves(count: usize) -> Vec<[u8; 32]> {
    (0..count)
        .map(|number| {
            let mut leaf = [0; 32];
            leaf[..8].copy_from_slice(&number.to_le_bytes());
            leaf
        })
        .collect()
}

#[test]
fn roots_and_proofs_from_kept_nodes_are_those_of_the_whole_tree_at_every_size() {
    let leaves = leaves(40);
    let kept = kept(&leaves);
    for size in 0..=leaves.len() {
        let whole = merkle::Tree::new(&leaves[..size]);
        assert_eq!(root(&kept, size as u64), Ok(whole.root()));
        for other in 0..=leaves.len() as u64 {
            assert_eq!(
                inclusion_proof(&kept, other, size as u64),
                Ok(whole.inclusion_proof(other)),
                "leaf {other} of {size}"
            );
            assert_eq!(
                consistency_proof(&kept, other, size as u64),
                Ok(whole.consistency_proof(other)),
                "{other} to {size}"
            );
        }
    }
}

#[test]
fn a_proof_over_a_long_log_reads_few_nodes_and_a_missing_one_is_named() {
    let leaves = leaves(100_000);
    let mut kept = kept(&leaves);
    assert!(kept.nodes.len() <= 2 * leaves.len());
    *kept.reads.borrow_mut() = 0;
    consistency_proof(&kept, 33_333, 99_999).unwrap().unwrap();
    assert!(*kept.reads.borrow() <= 17 * 17, "{}", kept.reads.borrow());
    kept.nodes.remove(&(16, 0));
    assert_eq!(root(&kept, 100_000), Err((16, 0)));
}

proptest! {
    #[test]
    fn proofs_from_kept_nodes_verify(count in 1usize..700, index in any::<prop::sample::Index>(), first in any::<prop::sample::Index>()) {
        let leaves = leaves(count);
        let kept = kept(&leaves);
        let (size, index, first) = (count as u64, index.index(count) as u64, first.index(count) as u64 + 1);
        let whole = root(&kept, size).unwrap();
        let path = inclusion_proof(&kept, index, size).unwrap().unwrap();
        prop_assert!(merkle::verify_inclusion(&whole, size, index, &leaves[index as usize], &path));
        let proof = consistency_proof(&kept, first, size).unwrap().unwrap();
        let before = root(&kept, first).unwrap();
        prop_assert!(merkle::verify_consistency(&before, first, &whole, size, &proof));
    }
}
