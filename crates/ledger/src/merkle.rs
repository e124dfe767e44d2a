//! Merkle trees of RFC 9162 section 2.1 over SHA-256, and the log over block hashes.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

/// The hash of the tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Digest {
    Digest(Sha256::digest([]).into())
}

/// The hash of a leaf: SHA-256(0x00 || data).
pub fn leaf_hash(data: &[u8]) -> Digest {
    Digest(
        Sha256::new()
            .chain_update([0])
            .chain_update(data)
            .finalize()
            .into(),
    )
}

/// The hash of an inner node: SHA-256(0x01 || left || right).
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest(
        Sha256::new()
            .chain_update([1])
            .chain_update(left.0)
            .chain_update(right.0)
            .finalize()
            .into(),
    )
}

/// A tree with all its nodes: appending and proving cost O(log n).
///
/// Level 0 holds leaf hashes. Each next level holds the hashes of pairs, with an unpaired last node
/// carried up unchanged, which gives the tree of RFC 9162 for any number of leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    levels: Vec<Vec<Digest>>,
}

impl Tree {
    /// The tree over `leaves` (their data, not their hashes).
    pub fn new<T: AsRef<[u8]>>(leaves: &[T]) -> Tree {
        let mut level: Vec<Digest> = leaves.iter().map(|leaf| leaf_hash(leaf.as_ref())).collect();
        let mut levels = Vec::new();
        while level.len() > 1 {
            let above = level
                .chunks(2)
                .map(|pair| match pair {
                    [left, right] => node_hash(left, right),
                    carried => carried[0],
                })
                .collect();
            levels.push(std::mem::replace(&mut level, above));
        }
        if !level.is_empty() {
            levels.push(level);
        }
        Tree { levels }
    }

    /// Adds a leaf.
    pub fn append(&mut self, leaf: &[u8]) {
        let mut carried = leaf_hash(leaf);
        let mut position = self.size() as usize;
        let mut depth = 0;
        loop {
            if depth == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let is_top = depth + 1 == self.levels.len();
            let level = &mut self.levels[depth];
            level.truncate(position);
            level.push(carried);
            if is_top && position == 0 {
                return;
            }
            if position % 2 == 1 {
                carried = node_hash(&level[position - 1], &level[position]);
            }
            position /= 2;
            depth += 1;
        }
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// The root.
    pub fn root(&self) -> Digest {
        self.levels.last().map_or_else(empty_root, |top| top[0])
    }

    /// The path from leaf `index` to the root, lowest sibling first; `None` if there is no such leaf.
    pub fn inclusion_proof(&self, index: u64) -> Option<Vec<Digest>> {
        if index >= self.size() {
            return None;
        }
        let mut position = index as usize;
        let mut path = Vec::with_capacity(self.levels.len());
        for level in &self.levels[..self.levels.len() - 1] {
            path.extend(level.get(position ^ 1));
            position /= 2;
        }
        Some(path)
    }

    /// The proof that the tree over the first `first` leaves is a prefix of this one
    /// (RFC 9162 section 2.1.4.1); `None` unless `0 < first <= size`.
    pub fn consistency_proof(&self, first: u64) -> Option<Vec<Digest>> {
        if first == 0 || first > self.size() {
            return None;
        }
        let mut proof = Vec::new();
        self.prove_consistency(first as usize, 0, self.size() as usize, true, &mut proof);
        Some(proof)
    }

    /// SUBPROOF(first, D[start..end], complete) of RFC 9162.
    fn prove_consistency(
        &self,
        first: usize,
        start: usize,
        end: usize,
        complete: bool,
        proof: &mut Vec<Digest>,
    ) {
        if first == end - start {
            if !complete {
                proof.push(self.range_root(start, end));
            }
            return;
        }
        let split = split_point(end - start);
        if first <= split {
            self.prove_consistency(first, start, start + split, complete, proof);
            proof.push(self.range_root(start + split, end));
        } else {
            self.prove_consistency(first - split, start + split, end, false, proof);
            proof.push(self.range_root(start, start + split));
        }
    }

    /// The root over leaves `start..end`, where the range is one that the recursion of RFC 9162 meets:
    /// either a complete subtree, or the right edge of the tree.
    fn range_root(&self, start: usize, end: usize) -> Digest {
        let depth = (end - start).next_power_of_two().trailing_zeros() as usize;
        self.levels[depth][start >> depth]
    }
}

/// The largest power of two smaller than `size` (`size` > 1).
fn split_point(size: usize) -> usize {
    size.next_power_of_two() / 2
}

/// The root over `leaves`.
pub fn root<T: AsRef<[u8]>>(leaves: &[T]) -> Digest {
    Tree::new(leaves).root()
}

/// [`Tree::inclusion_proof`] without keeping the tree.
pub fn inclusion_proof<T: AsRef<[u8]>>(leaves: &[T], index: u64) -> Option<Vec<Digest>> {
    Tree::new(leaves).inclusion_proof(index)
}

/// [`Tree::consistency_proof`] from the first `first` to all `leaves`, without keeping the tree.
pub fn consistency_proof<T: AsRef<[u8]>>(leaves: &[T], first: u64) -> Option<Vec<Digest>> {
    Tree::new(leaves).consistency_proof(first)
}

/// Whether `proof` shows that `leaf` is leaf `index` of the tree of `size` leaves with this `root`
/// (RFC 9162 section 2.1.3.2).
pub fn verify_inclusion(
    root: &Digest,
    size: u64,
    index: u64,
    leaf: &[u8],
    proof: &[Digest],
) -> bool {
    if index >= size {
        return false;
    }
    let (mut position, mut last) = (index, size - 1);
    let mut hash = leaf_hash(leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if position % 2 == 1 || position == last {
            hash = node_hash(sibling, &hash);
            while position % 2 == 0 && position != 0 {
                position /= 2;
                last /= 2;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        position /= 2;
        last /= 2;
    }
    last == 0 && hash == *root
}

/// Whether `proof` shows that the tree of `first_size` leaves with `first_root` is a prefix of the
/// tree of `second_size` leaves with `second_root` (RFC 9162 section 2.1.4.2).
///
/// Every tree is consistent with the empty one, by an empty proof.
pub fn verify_consistency(
    first_root: &Digest,
    first_size: u64,
    second_root: &Digest,
    second_size: u64,
    proof: &[Digest],
) -> bool {
    if first_size > second_size {
        return false;
    }
    if first_size == second_size {
        return proof.is_empty() && first_root == second_root;
    }
    if first_size == 0 {
        return proof.is_empty() && *first_root == empty_root();
    }
    let (mut position, mut last) = (first_size - 1, second_size - 1);
    while position % 2 == 1 {
        position /= 2;
        last /= 2;
    }
    let (seed, path) = if first_size.is_power_of_two() {
        (*first_root, proof)
    } else {
        match proof.split_first() {
            Some((seed, path)) => (*seed, path),
            None => return false,
        }
    };
    let (mut first, mut second) = (seed, seed);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if position % 2 == 1 || position == last {
            first = node_hash(sibling, &first);
            second = node_hash(sibling, &second);
            while position % 2 == 0 && position != 0 {
                position /= 2;
                last /= 2;
            }
        } else {
            second = node_hash(&second, sibling);
        }
        position /= 2;
        last /= 2;
    }
    last == 0 && first == *first_root && second == *second_root
}

/// The log over block hashes as its frontier only: the roots of its complete subtrees, largest first.
///
/// At most 64 digests however long the chain is; proofs need the block hashes
/// ([`Tree::new`] over them, or [`inclusion_proof`], [`consistency_proof`]).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Frontier")]
pub struct HistoryLog {
    size: u64,
    frontier: Vec<Digest>,
}

/// A [`HistoryLog`] as decoded, before its shape is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frontier {
    size: u64,
    frontier: Vec<Digest>,
}

impl TryFrom<Frontier> for HistoryLog {
    type Error = &'static str;

    fn try_from(decoded: Frontier) -> Result<HistoryLog, Self::Error> {
        if decoded.frontier.len() != decoded.size.count_ones() as usize {
            return Err("a history log has one subtree per set bit of its size");
        }
        Ok(HistoryLog {
            size: decoded.size,
            frontier: decoded.frontier,
        })
    }
}

impl HistoryLog {
    /// The log of no blocks.
    pub fn new() -> HistoryLog {
        HistoryLog::default()
    }

    /// The log over the given block hashes, from genesis on.
    pub fn from_hashes<'a>(hashes: impl IntoIterator<Item = &'a Digest>) -> HistoryLog {
        let mut log = HistoryLog::new();
        for hash in hashes {
            log.append(hash);
        }
        log
    }

    /// Adds the hash of the next block.
    pub fn append(&mut self, block: &Digest) {
        let mut carried = leaf_hash(&block.0);
        let mut rest = self.size;
        while rest % 2 == 1 {
            let left = self
                .frontier
                .pop()
                .expect("one subtree per set bit of the size");
            carried = node_hash(&left, &carried);
            rest /= 2;
        }
        self.frontier.push(carried);
        self.size += 1;
    }

    /// The number of blocks.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root.
    pub fn root(&self) -> Digest {
        let mut subtrees = self.frontier.iter().rev();
        let Some(smallest) = subtrees.next() else {
            return empty_root();
        };
        subtrees.fold(*smallest, |right, left| node_hash(left, &right))
    }
}
