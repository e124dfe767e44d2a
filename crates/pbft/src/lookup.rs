//! Maps and sets of digests that are looked up and never walked through: what a hash table's order is differs from run to
//! run, and what a replica does follows from its inputs alone. They hold every transaction of the latest blocks, where a
//! lookup costs a fraction of what it costs in an ordered map.

#![expect(
    clippy::disallowed_types,
    reason = "no order shows: nothing here can be iterated"
)]

use std::collections::{HashMap, HashSet};

use ledger::Digest;

/// Values by digest.
#[derive(Debug)]
pub(crate) struct DigestMap<V>(HashMap<Digest, V>);

impl<V> Default for DigestMap<V> {
    fn default() -> DigestMap<V> {
        DigestMap(HashMap::new())
    }
}

impl<V> DigestMap<V> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn contains(&self, digest: &Digest) -> bool {
        self.0.contains_key(digest)
    }

    pub(crate) fn get(&self, digest: &Digest) -> Option<&V> {
        self.0.get(digest)
    }

    pub(crate) fn insert(&mut self, digest: Digest, value: V) {
        self.0.insert(digest, value);
    }

    pub(crate) fn remove(&mut self, digest: &Digest) -> Option<V> {
        self.0.remove(digest)
    }
}

impl<V> Extend<(Digest, V)> for DigestMap<V> {
    fn extend<I: IntoIterator<Item = (Digest, V)>>(&mut self, entries: I) {
        self.0.extend(entries);
    }
}

/// Digests.
#[derive(Debug, Default)]
pub(crate) struct DigestSet(HashSet<Digest>);

impl DigestSet {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn contains(&self, digest: &Digest) -> bool {
        self.0.contains(digest)
    }

    pub(crate) fn insert(&mut self, digest: Digest) -> bool {
        self.0.insert(digest)
    }

    pub(crate) fn remove(&mut self, digest: &Digest) {
        self.0.remove(digest);
    }

    /// Takes out those that are not needed; gives them ascending.
    pub(crate) fn take_unless(&mut self, is_needed: impl Fn(&Digest) -> bool) -> Vec<Digest> {
        let mut taken: Vec<Digest> = self.0.extract_if(|digest| !is_needed(digest)).collect();
        taken.sort_unstable();
        taken
    }
}

impl FromIterator<Digest> for DigestSet {
    fn from_iter<I: IntoIterator<Item = Digest>>(digests: I) -> DigestSet {
        DigestSet(digests.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_out_comes_ascending_and_is_gone() {
        let digest = |number: u8| Digest([number; 32]);
        let mut set: DigestSet = (0..100).rev().map(digest).collect();
        let taken = set.take_unless(|digest| digest.0[0] >= 50);
        assert_eq!(taken, (0..50).map(digest).collect::<Vec<Digest>>());
        assert_eq!(set.len(), 50);
        assert!(set.contains(&digest(50)) && !set.contains(&digest(49)));
    }
}
