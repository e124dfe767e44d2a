//! The incremental tree behind a header's state root: a 16-ary sparse Merkle tree over the places of keys.
//!
//! A key's place is its hash, but for the many short-lived keys of used nonces, which lie together ([`place`]).
//! The root depends on the set of (key, value) pairs alone, never on the order of writes. A subtree
//! without entries is nothing, one with a single entry is that entry itself, any other is a node
//! with up to sixteen children. A node is kept under its path (the nibbles from the root), holds its
//! children's hashes and its leaf children's keys, so an update touches one node per level:
//! about log16 of the number of keys, shared between the keys of one update.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use ledger::{Digest, Height, tagged};

use crate::once;

const LEAF_TAG: &str = "medshare/state-leaf/v1";
const NODE_TAG: &str = "medshare/state-node/v1";
const PLACE_TAG: &str = "medshare/state-place/v1";
const VALUE_TAG: &str = "medshare/state-value/v1";

/// In the first byte of a stored child, above its index: a leaf, with its key and hash, or a node, with its hash.
const LEAF: u8 = 0x40;
const NODE: u8 = 0x80;

/// The longest node: sixteen leaves.
const NODE_BYTES_MAX: usize = 16 * 65;

/// How many heights lie between two updates of the tree.
pub const CHECKPOINT_INTERVAL: u64 = 64;

/// The checkpoint whose root stands in the header at `height`: the last but one at or below it, so that
/// there is time to compute it while the chain goes on. Height 0 is a checkpoint.
pub fn checkpoint_of(height: Height) -> Height {
    Height((height.0 / CHECKPOINT_INTERVAL).saturating_sub(1) * CHECKPOINT_INTERVAL)
}

/// A place in the tree: the nibbles from the root. Places are in order of depth, then of nibbles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    depth: u8,
    /// Two to a byte, the first above; zero behind the last.
    nibbles: [u8; 32],
}

impl Path {
    /// The root's place.
    pub const ROOT: Path = Path {
        depth: 0,
        nibbles: [0; 32],
    };

    /// How many nibbles there can be: those of a key's place.
    pub const DEPTH_MAX: usize = 64;

    /// How many nibbles there are.
    pub fn depth(&self) -> usize {
        usize::from(self.depth)
    }

    /// The place one nibble (0 to 15) further.
    ///
    /// # Panics
    /// At [`Path::DEPTH_MAX`]: two distinct keys' places differ in some nibble.
    pub fn child(&self, nibble: usize) -> Path {
        let depth = self.depth();
        assert!(depth < Path::DEPTH_MAX, "a place has no more nibbles");
        let mut child = *self;
        let shift = if depth.is_multiple_of(2) { 4 } else { 0 };
        child.nibbles[depth / 2] |= (nibble as u8) << shift;
        child.depth += 1;
        child
    }

    /// Its number among the places of its depth, if that is at most eight.
    pub fn number(&self) -> Option<usize> {
        let [first, second, third, fourth, ..] = self.nibbles;
        let number = u32::from_be_bytes([first, second, third, fourth]);
        match self.depth() {
            0 => Some(0),
            depth @ 1..=8 => Some((number >> (32 - 4 * depth)) as usize),
            _ => None,
        }
    }

    /// The bytes that stand for it in a store, in the same order: the depth, and the nibbles.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + self.depth().div_ceil(2));
        bytes.push(self.depth);
        bytes.extend_from_slice(&self.nibbles[..self.depth().div_ceil(2)]);
        bytes
    }
}

impl Hash for Path {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Nearly all come of hashes: sixteen nibbles tell apart all that any ledger holds.
        let (first, _) = self.nibbles.as_chunks::<8>();
        state.write_u64(u64::from_be_bytes(first[0]) ^ u64::from(self.depth));
    }
}

/// Where a key lives in the tree: at its hash. Of a bucket of used nonces ([`once`]) the first eight nibbles are not hashed: four zeros,
/// and those that number the 64 blocks of its block. So what one update adds, and what it drops a minute later, lies below one node
/// or two each, and costs the same on any ledger; hashed, these keys touched as many nodes of a long ledger as all others.
pub fn place(key: &[u8]) -> Digest {
    let mut place = tagged(PLACE_TAG, &[key]);
    if let Some(height) = once::bucket_height(key) {
        let interval = (height.0 / CHECKPOINT_INTERVAL) as u16;
        place.0[..2].fill(0);
        place.0[2..4].copy_from_slice(&interval.to_be_bytes());
    }
    place
}

/// What the tree holds for a value.
pub fn value_hash(value: &[u8]) -> Digest {
    tagged(VALUE_TAG, &[value])
}

/// Where nodes are kept.
pub trait NodeStore {
    /// Gives `read` the bytes last written at `path`, if any.
    fn read<T>(&self, path: &Path, read: impl FnOnce(&[u8]) -> T) -> Option<T>;

    /// Writes a node; `None` deletes it.
    fn write(&mut self, path: &Path, node: Option<&[u8]>);
}

impl NodeStore for BTreeMap<Path, Vec<u8>> {
    fn read<T>(&self, path: &Path, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        self.get(path).map(|node| read(node))
    }

    fn write(&mut self, path: &Path, node: Option<&[u8]>) {
        match node {
            Some(node) => self.insert(*path, node.to_vec()),
            None => self.remove(path),
        };
    }
}

/// Node bytes that are no node: the store is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state tree's node at depth {depth} is damaged")]
pub struct DamagedNode {
    /// The number of nibbles in the node's path.
    pub depth: usize,
}

/// Applies changed keys (place to value hash, `None` for a deleted key) to the tree in `store`: in any order, the last of a
/// key counts. Each node is read and written at most once. Gives the new root.
///
/// # Errors
/// [`DamagedNode`] when the store gives bytes that this module never wrote; what is written until then is of no use.
pub fn update(
    store: &mut impl NodeStore,
    mut changes: Vec<(Digest, Option<Digest>)>,
) -> Result<Digest, DamagedNode> {
    changes.reverse();
    changes.sort_by_key(|(key, _)| *key);
    changes.dedup_by_key(|(key, _)| *key);
    for (key, value) in &mut changes {
        *value = value.map(|value| leaf_hash(key, &value));
    }
    let root = match store.read(&Path::ROOT, |_| ()) {
        Some(()) => Child::Node(Digest::ZERO),
        None => Child::Empty,
    };
    let mut writer = Writer { store };
    // The root is always kept as a node, so that a tree of one entry is found again.
    Ok(match writer.update_child(&Path::ROOT, &root, &changes)? {
        Child::Node(hash) => hash,
        lone => writer.put(&Path::ROOT, &Node::lone(lone)),
    })
}

/// The root of the tree without entries.
pub fn empty_root() -> Digest {
    Node::default().hash()
}

fn leaf_hash(key: &Digest, value: &Digest) -> Digest {
    tagged(LEAF_TAG, &[&key.0, &value.0])
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Child {
    #[default]
    Empty,
    /// The key, and the leaf's hash.
    Leaf(Digest, Digest),
    Node(Digest),
}

impl Child {
    fn hash(&self) -> Option<Digest> {
        match self {
            Child::Empty => None,
            Child::Leaf(_, hash) | Child::Node(hash) => Some(*hash),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Node([Child; 16]);

impl Node {
    /// The root node of a tree of at most one entry.
    fn lone(child: Child) -> Node {
        let mut node = Node::default();
        if let Child::Leaf(key, _) = child {
            node.0[nibble(&key, 0)] = child;
        }
        node
    }

    fn hash(&self) -> Digest {
        let mut bytes = [0_u8; 2 + 16 * 32];
        let mut length = 2;
        let mut present = 0_u16;
        for (index, child) in self.0.iter().enumerate() {
            if let Some(hash) = child.hash() {
                present |= 1 << index;
                bytes[length..length + 32].copy_from_slice(&hash.0);
                length += 32;
            }
        }
        bytes[..2].copy_from_slice(&present.to_be_bytes());
        tagged(NODE_TAG, &[&bytes[..length]])
    }

    /// Writes its bytes to `buffer`; gives how many they are.
    fn write_to(&self, buffer: &mut [u8; NODE_BYTES_MAX]) -> usize {
        let mut length = 0;
        let mut push = |bytes: &[u8]| {
            buffer[length..length + bytes.len()].copy_from_slice(bytes);
            length += bytes.len();
        };
        for (index, child) in self.0.iter().enumerate() {
            match child {
                Child::Empty => {}
                Child::Leaf(key, hash) => {
                    push(&[LEAF | index as u8]);
                    push(&key.0);
                    push(&hash.0);
                }
                Child::Node(hash) => {
                    push(&[NODE | index as u8]);
                    push(&hash.0);
                }
            }
        }
        length
    }

    fn from_bytes(mut bytes: &[u8]) -> Option<Node> {
        let mut node = Node::default();
        while let Some((tag, rest)) = bytes.split_first() {
            let slot = &mut node.0[usize::from(tag & 0x0f)];
            let (first, rest) = rest.split_first_chunk::<32>()?;
            bytes = match tag & 0xf0 {
                NODE => {
                    *slot = Child::Node(Digest(*first));
                    rest
                }
                LEAF => {
                    let (second, rest) = rest.split_first_chunk::<32>()?;
                    *slot = Child::Leaf(Digest(*first), Digest(*second));
                    rest
                }
                _ => return None,
            };
        }
        Some(node)
    }

    /// What this node is to its parent: nothing, a single entry, or a node to be kept.
    fn collapsed(&self) -> Option<Child> {
        let mut present = self.0.iter().filter(|child| **child != Child::Empty);
        match (present.next(), present.next()) {
            (None, _) => Some(Child::Empty),
            (Some(leaf @ Child::Leaf(..)), None) => Some(*leaf),
            _ => None,
        }
    }
}

fn nibble(key: &Digest, depth: usize) -> usize {
    let byte = key.0[depth / 2];
    usize::from(if depth.is_multiple_of(2) {
        byte >> 4
    } else {
        byte & 0x0f
    })
}

type Changes<'a> = &'a [(Digest, Option<Digest>)];

struct Writer<'a, S> {
    store: &'a mut S,
}

impl<S: NodeStore> Writer<'_, S> {
    fn put(&mut self, path: &Path, node: &Node) -> Digest {
        let mut buffer = [0; NODE_BYTES_MAX];
        let length = node.write_to(&mut buffer);
        self.store.write(path, Some(&buffer[..length]));
        node.hash()
    }

    /// The child after `changes`, all of which lie below `path`.
    fn update_child(
        &mut self,
        path: &Path,
        child: &Child,
        changes: Changes<'_>,
    ) -> Result<Child, DamagedNode> {
        if changes.is_empty() && *path != Path::ROOT {
            return Ok(*child);
        }
        match child {
            Child::Empty => Ok(self.build(path, &present(changes))),
            Child::Leaf(key, hash) => {
                let mut entries = present(changes);
                if changes
                    .binary_search_by(|(changed, _)| changed.cmp(key))
                    .is_err()
                {
                    let place = entries.partition_point(|(other, _)| other < key);
                    entries.insert(place, (*key, *hash));
                }
                Ok(self.build(path, &entries))
            }
            Child::Node(_) => self.update_node(path, changes),
        }
    }

    fn update_node(&mut self, path: &Path, changes: Changes<'_>) -> Result<Child, DamagedNode> {
        let depth = path.depth();
        let node = self.store.read(path, Node::from_bytes);
        let mut node = node.flatten().ok_or(DamagedNode { depth })?;
        for group in
            changes.chunk_by(|(left, _), (right, _)| nibble(left, depth) == nibble(right, depth))
        {
            let index = nibble(&group[0].0, depth);
            let child = node.0[index];
            node.0[index] = self.update_child(&path.child(index), &child, group)?;
        }
        if let Some(child) = node.collapsed() {
            self.store.write(path, None);
            return Ok(child);
        }
        Ok(Child::Node(self.put(path, &node)))
    }

    /// A new subtree of these entries, ascending and distinct.
    fn build(&mut self, path: &Path, entries: &[(Digest, Digest)]) -> Child {
        match entries {
            [] => Child::Empty,
            [(key, hash)] => Child::Leaf(*key, *hash),
            _ => {
                let depth = path.depth();
                assert!(
                    depth < Path::DEPTH_MAX,
                    "two distinct places differ in some nibble"
                );
                let mut node = Node::default();
                for group in entries
                    .chunk_by(|(left, _), (right, _)| nibble(left, depth) == nibble(right, depth))
                {
                    let index = nibble(&group[0].0, depth);
                    node.0[index] = self.build(&path.child(index), group);
                }
                Child::Node(self.put(path, &node))
            }
        }
    }
}

fn present(changes: Changes<'_>) -> Vec<(Digest, Digest)> {
    changes
        .iter()
        .filter_map(|(key, value)| value.map(|value| (*key, value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: u32, value: Option<u32>) -> (Digest, Option<Digest>) {
        (
            place(&key.to_be_bytes()),
            value.map(|value| value_hash(&value.to_be_bytes())),
        )
    }

    fn apply(
        store: &mut BTreeMap<Path, Vec<u8>>,
        changes: impl IntoIterator<Item = (Digest, Option<Digest>)>,
    ) -> Digest {
        update(store, changes.into_iter().collect()).unwrap()
    }

    #[test]
    fn the_root_depends_on_the_content_and_not_on_the_history() {
        let mut at_once = BTreeMap::new();
        let expected = apply(&mut at_once, (0..500).map(|key| change(key, Some(key * 7))));
        let mut step_by_step = BTreeMap::new();
        let mut root = Digest::ZERO;
        for key in (0..1000).rev() {
            root = apply(&mut step_by_step, [change(key, Some(key))]);
        }
        assert_ne!(root, expected);
        for key in 0..1000 {
            let value = (key < 500).then_some(key * 7);
            root = apply(&mut step_by_step, [change(key, value)]);
        }
        assert_eq!(root, expected);
        assert_eq!(step_by_step, at_once, "nodes of deleted keys are gone");
    }

    #[test]
    fn deleting_every_key_gives_the_empty_root() {
        let mut store = BTreeMap::new();
        assert_eq!(apply(&mut store, []), empty_root());
        apply(&mut store, (0..40).map(|key| change(key, Some(1))));
        apply(&mut store, (1..40).map(|key| change(key, None)));
        assert_eq!(store.len(), 1);
        assert_eq!(apply(&mut store, [change(0, None)]), empty_root());
        assert_eq!(apply(&mut store, [change(3, None)]), empty_root());
    }

    #[test]
    fn of_a_key_that_changed_twice_the_last_change_counts() {
        let mut twice = BTreeMap::new();
        let changes = [
            change(1, Some(1)),
            change(2, Some(2)),
            change(1, None),
            change(2, Some(3)),
            change(1, Some(4)),
        ];
        let root = apply(&mut twice, changes);
        let mut once = BTreeMap::new();
        assert_eq!(
            root,
            apply(&mut once, [change(2, Some(3)), change(1, Some(4))])
        );
        assert_eq!(twice, once);
    }

    /// The changes that the blocks of one update make to the buckets of used nonces.
    fn used_nonces(is_dropped: bool) -> Vec<(Digest, Option<Digest>)> {
        let mut used = once::Used::default();
        let mut changes = Vec::new();
        for height in 99 * CHECKPOINT_INTERVAL + 1..=100 * CHECKPOINT_INTERVAL {
            let mut added = once::Added::default();
            let body = ledger::TransactionBody {
                chain: Digest::ZERO,
                submitter: ledger::LedgerId([7; 16]),
                public_key: ledger::PublicKey([7; 32]),
                nonce: height,
                valid_until: ledger::Timestamp(height * 2_500),
                contract: ledger::ContractId(1),
                command: Vec::new(),
            };
            added.remember(&mut used, &body, &Digest::ZERO, once::Known::Fresh);
            let writes = added.into_writes(&mut used, Height(height));
            changes.extend(writes.into_iter().map(|(key, value)| {
                let value = (!is_dropped).then(|| value_hash(&value));
                (place(&key), value)
            }));
        }
        changes
    }

    #[test]
    fn used_nonces_touch_no_more_nodes_of_a_long_ledger_than_of_a_short_one() {
        let touched = |keys: u32| {
            let mut store = BTreeMap::new();
            apply(&mut store, (0..keys).map(|key| change(key, Some(key))));
            let before = store.clone();
            apply(&mut store, used_nonces(false));
            let added = changed(&before, &store);
            let with = store.clone();
            apply(&mut store, used_nonces(true));
            assert_eq!(store, before, "what is dropped leaves nothing");
            (added, changed(&with, &store))
        };
        let (added, dropped) = touched(100);
        assert!(added < CHECKPOINT_INTERVAL as usize / 2, "{added} for 64");
        for keys in [5_000, 50_000] {
            assert_eq!(touched(keys), (added, dropped), "of {keys} keys");
        }
    }

    /// How many nodes are not as they were.
    fn changed(before: &BTreeMap<Path, Vec<u8>>, after: &BTreeMap<Path, Vec<u8>>) -> usize {
        let places: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let is_changed = |place: &&&Path| before.get(**place) != after.get(**place);
        places.iter().filter(is_changed).count()
    }

    #[test]
    fn damaged_nodes_are_named_and_never_panic() {
        let mut store = BTreeMap::new();
        apply(&mut store, (0..40).map(|key| change(key, Some(1))));
        let whole = store[&Path::ROOT].clone();
        for length in 0..whole.len() {
            store.insert(Path::ROOT, whole[..length].to_vec());
            let _ = update(&mut store.clone(), vec![change(1, Some(2))]);
        }
        store.insert(Path::ROOT, vec![1, 2, 3]);
        assert_eq!(
            update(&mut store, vec![change(1, Some(2))]),
            Err(DamagedNode { depth: 0 })
        );
    }

    #[test]
    fn places_keep_their_order_and_their_number_in_bytes() {
        let mut places = vec![Path::ROOT];
        for nibbles in [[0, 0, 0], [0, 0, 1], [0, 15, 2], [3, 0, 0], [15, 15, 15]] {
            let mut place = Path::ROOT;
            for nibble in nibbles {
                place = place.child(nibble);
                places.push(place);
            }
        }
        places.sort();
        places.dedup();
        let bytes: Vec<Vec<u8>> = places.iter().map(Path::to_bytes).collect();
        assert!(bytes.is_sorted_by(|one, next| one < next));
        assert_eq!(Path::ROOT.child(3).child(1).number(), Some(0x31));
        let deepest = (0..Path::DEPTH_MAX).fold(Path::ROOT, |place, _| place.child(15));
        assert_eq!(deepest.number(), None);
    }
}
