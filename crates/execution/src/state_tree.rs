//! The incremental tree behind a header's state root: a 16-ary sparse Merkle tree over hashed keys.
//!
//! The root depends on the set of (key, value) pairs alone, never on the order of writes. A subtree
//! without entries is nothing, one with a single entry is that entry itself, any other is a node
//! with up to sixteen children. A node is kept under its path (the nibbles from the root), holds its
//! children's hashes and its leaf children's keys, so an update touches one node per level:
//! about log16 of the number of keys, shared between the keys of one update.

use std::collections::BTreeMap;

use ledger::{Digest, Height, tagged};

const LEAF_TAG: &str = "medshare/state-leaf/v1";
const NODE_TAG: &str = "medshare/state-node/v1";
const KEY_TAG: &str = "medshare/state-key/v1";
const VALUE_TAG: &str = "medshare/state-value/v1";

/// In the first byte of a stored child, above its index: a leaf, with its key and hash, or a node, with its hash.
const LEAF: u8 = 0x40;
const NODE: u8 = 0x80;

/// Nibbles in a hashed key; the deepest a tree can be.
const DEPTH_MAX: usize = 64;

/// A place in the tree: the nibbles (0 to 15, one per byte) from the root; empty for the root.
pub type Path = Vec<u8>;

/// How many heights lie between two updates of the tree.
pub const CHECKPOINT_INTERVAL: u64 = 64;

/// The checkpoint whose root stands in the header at `height`: the last but one at or below it, so that
/// there is time to compute it while the chain goes on. Height 0 is a checkpoint.
pub fn checkpoint_of(height: Height) -> Height {
    Height((height.0 / CHECKPOINT_INTERVAL).saturating_sub(1) * CHECKPOINT_INTERVAL)
}

/// Where a key lives in the tree.
pub fn key_hash(key: &[u8]) -> Digest {
    tagged(KEY_TAG, &[key])
}

/// What the tree holds for a value.
pub fn value_hash(value: &[u8]) -> Digest {
    tagged(VALUE_TAG, &[value])
}

/// Where nodes are kept.
pub trait NodeRead {
    /// The bytes last written at `path`, if any.
    fn node(&self, path: &[u8]) -> Option<Vec<u8>>;
}

impl NodeRead for BTreeMap<Path, Vec<u8>> {
    fn node(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.get(path).cloned()
    }
}

/// Node bytes that are no node: the store is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state tree's node at depth {depth} is damaged")]
pub struct DamagedNode {
    /// The number of nibbles in the node's path.
    pub depth: usize,
}

/// What an update of the tree did: the new root, and the nodes to write (`None` deletes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeUpdate {
    /// The root after the update.
    pub root: Digest,
    /// The changed nodes, by path.
    pub nodes: BTreeMap<Path, Option<Vec<u8>>>,
}

/// Applies changed keys (key hash to value hash, `None` for a deleted key) to the tree in `store`.
///
/// # Errors
/// [`DamagedNode`] when the store gives bytes that this module never wrote.
pub fn update(
    store: &impl NodeRead,
    changes: &BTreeMap<Digest, Option<Digest>>,
) -> Result<TreeUpdate, DamagedNode> {
    let changes: Vec<(Digest, Option<Digest>)> = changes
        .iter()
        .map(|(key, value)| (*key, value.map(|value| leaf_hash(key, &value))))
        .collect();
    let mut writer = Writer {
        store,
        nodes: BTreeMap::new(),
    };
    let mut path = Path::new();
    let root = match store.node(&path) {
        Some(_) => Child::Node(Digest::ZERO),
        None => Child::Empty,
    };
    let root = writer.update_child(&mut path, &root, &changes)?;
    // The root is always kept as a node, so that a tree of one entry is found again.
    let hash = match root {
        Child::Node(hash) => hash,
        lone => writer.put(&path, &Node::lone(lone)),
    };
    Ok(TreeUpdate {
        root: hash,
        nodes: writer.nodes,
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

    fn to_bytes(&self) -> Vec<u8> {
        // Many nodes are kept, and most have few children.
        let length = self.0.iter().map(|child| match child {
            Child::Empty => 0,
            Child::Leaf(..) => 65,
            Child::Node(_) => 33,
        });
        let mut bytes = Vec::with_capacity(length.sum());
        for (index, child) in self.0.iter().enumerate() {
            match child {
                Child::Empty => {}
                Child::Leaf(key, hash) => {
                    bytes.push(LEAF | index as u8);
                    bytes.extend_from_slice(&key.0);
                    bytes.extend_from_slice(&hash.0);
                }
                Child::Node(hash) => {
                    bytes.push(NODE | index as u8);
                    bytes.extend_from_slice(&hash.0);
                }
            }
        }
        bytes
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
    store: &'a S,
    nodes: BTreeMap<Path, Option<Vec<u8>>>,
}

impl<S: NodeRead> Writer<'_, S> {
    fn put(&mut self, path: &Path, node: &Node) -> Digest {
        self.nodes.insert(path.clone(), Some(node.to_bytes()));
        node.hash()
    }

    /// The child after `changes`, all of which lie below `path`.
    fn update_child(
        &mut self,
        path: &mut Path,
        child: &Child,
        changes: Changes<'_>,
    ) -> Result<Child, DamagedNode> {
        if changes.is_empty() && !path.is_empty() {
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

    fn update_node(&mut self, path: &mut Path, changes: Changes<'_>) -> Result<Child, DamagedNode> {
        let depth = path.len();
        let damaged = DamagedNode { depth };
        let bytes = self.store.node(path).ok_or(damaged.clone())?;
        let mut node = Node::from_bytes(&bytes).ok_or(damaged)?;
        for group in
            changes.chunk_by(|(left, _), (right, _)| nibble(left, depth) == nibble(right, depth))
        {
            let index = nibble(&group[0].0, depth);
            path.push(index as u8);
            let child = node.0[index];
            node.0[index] = self.update_child(path, &child, group)?;
            path.pop();
        }
        if let Some(child) = node.collapsed() {
            self.nodes.insert(path.clone(), None);
            return Ok(child);
        }
        Ok(Child::Node(self.put(path, &node)))
    }

    /// A new subtree of these entries, ascending and distinct.
    fn build(&mut self, path: &mut Path, entries: &[(Digest, Digest)]) -> Child {
        match entries {
            [] => Child::Empty,
            [(key, hash)] => Child::Leaf(*key, *hash),
            _ => {
                let depth = path.len();
                assert!(
                    depth < DEPTH_MAX,
                    "two distinct key hashes differ in some nibble"
                );
                let mut node = Node::default();
                for group in entries
                    .chunk_by(|(left, _), (right, _)| nibble(left, depth) == nibble(right, depth))
                {
                    let index = nibble(&group[0].0, depth);
                    path.push(index as u8);
                    node.0[index] = self.build(path, group);
                    path.pop();
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
            key_hash(&key.to_be_bytes()),
            value.map(|value| value_hash(&value.to_be_bytes())),
        )
    }

    fn apply(
        store: &mut BTreeMap<Path, Vec<u8>>,
        changes: impl IntoIterator<Item = (Digest, Option<Digest>)>,
    ) -> Digest {
        let done = update(store, &changes.into_iter().collect()).unwrap();
        for (path, node) in done.nodes {
            match node {
                Some(bytes) => store.insert(path, bytes),
                None => store.remove(&path),
            };
        }
        done.root
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
    fn damaged_nodes_are_named_and_never_panic() {
        let mut store = BTreeMap::new();
        apply(&mut store, (0..40).map(|key| change(key, Some(1))));
        let whole = store[&Path::new()].clone();
        for length in 0..whole.len() {
            store.insert(Path::new(), whole[..length].to_vec());
            let _ = update(&store, &[change(1, Some(2))].into());
        }
        store.insert(Path::new(), vec![1, 2, 3]);
        assert_eq!(
            update(&store, &[change(1, Some(2))].into()),
            Err(DamagedNode { depth: 0 })
        );
    }
}
