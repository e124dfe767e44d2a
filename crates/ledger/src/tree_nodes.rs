//! Proofs over a tree whose nodes are kept elsewhere, on a disk for instance.
//!
//! Only complete subtrees are kept: node (level, index) is the root over leaves `index << level` to
//! `(index + 1) << level`, exclusive, and never changes once all of them are there. Appending a leaf costs two nodes
//! on average, a proof O(log² n) reads, however long the log. The trees and proofs are those of [`crate::merkle`].

use crate::digest::Digest;
use crate::merkle::{empty_root, leaf_hash, node_hash};

/// Where a complete subtree stands: its level (0 is a leaf's hash) and its index among those of its level.
pub type Place = (u32, u64);

/// Reads the nodes.
pub trait NodeSource {
    /// Why a node can't be read.
    type Error;

    /// The root of a complete subtree; an error if it is not kept.
    ///
    /// # Errors
    /// What the source says.
    fn node(&self, place: Place) -> Result<Digest, Self::Error>;
}

/// The nodes that become complete when leaf `index` (its data) is appended; all before it are there.
///
/// # Errors
/// What the source says.
pub fn appended<S: NodeSource>(
    source: &S,
    index: u64,
    leaf: &[u8],
) -> Result<Vec<(Place, Digest)>, S::Error> {
    let (mut level, mut position, mut hash) = (0, index, leaf_hash(leaf));
    let mut nodes = vec![((level, position), hash)];
    while position % 2 == 1 {
        hash = node_hash(&source.node((level, position - 1))?, &hash);
        (level, position) = (level + 1, position / 2);
        nodes.push(((level, position), hash));
    }
    Ok(nodes)
}

/// The root over the first `size` leaves.
///
/// # Errors
/// What the source says.
pub fn root<S: NodeSource>(source: &S, size: u64) -> Result<Digest, S::Error> {
    if size == 0 {
        return Ok(empty_root());
    }
    range_root(source, 0, size)
}

/// The path from leaf `index` to the root of the tree over the first `size` leaves; `None` if there is no such leaf.
///
/// # Errors
/// What the source says.
pub fn inclusion_proof<S: NodeSource>(
    source: &S,
    index: u64,
    size: u64,
) -> Result<Option<Vec<Digest>>, S::Error> {
    if index >= size {
        return Ok(None);
    }
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while end - start > 1 {
        let split = start + split_point(end - start);
        if index < split {
            path.push(range_root(source, split, end)?);
            end = split;
        } else {
            path.push(range_root(source, start, split)?);
            start = split;
        }
    }
    path.reverse();
    Ok(Some(path))
}

/// The proof that the tree over the first `first` leaves is a prefix of the one over the first `second`
/// (RFC 9162 section 2.1.4.1); `None` unless `0 < first <= second`.
///
/// # Errors
/// What the source says.
pub fn consistency_proof<S: NodeSource>(
    source: &S,
    first: u64,
    second: u64,
) -> Result<Option<Vec<Digest>>, S::Error> {
    if first == 0 || first > second {
        return Ok(None);
    }
    // SUBPROOF(first, D[start..end], complete) of the RFC, from the top down.
    let (mut start, mut end, mut complete) = (0, second, true);
    let mut proof = Vec::new();
    while first != end {
        let split = start + split_point(end - start);
        if first <= split {
            proof.push(range_root(source, split, end)?);
            end = split;
        } else {
            proof.push(range_root(source, start, split)?);
            (start, complete) = (split, false);
        }
    }
    if !complete {
        proof.push(range_root(source, start, end)?);
    }
    proof.reverse();
    Ok(Some(proof))
}

/// The root over leaves `start..end`, a range that the recursions of the RFC meet: `start` is a multiple of the
/// smallest power of two that is not less than the range's length.
fn range_root<S: NodeSource>(source: &S, start: u64, end: u64) -> Result<Digest, S::Error> {
    let mut subtrees = Vec::new();
    let mut from = start;
    while from < end {
        let level = (end - from).ilog2();
        subtrees.push(source.node((level, from >> level))?);
        from += 1 << level;
    }
    let smallest = subtrees.pop().expect("the range is not empty");
    Ok(subtrees
        .iter()
        .rev()
        .fold(smallest, |right, left| node_hash(left, &right)))
}

/// The largest power of two smaller than `size` (`size` > 1).
fn split_point(size: u64) -> u64 {
    size.next_power_of_two() / 2
}
