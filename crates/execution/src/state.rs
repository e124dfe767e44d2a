//! Key-value state: what contracts read, and writes on top of it that are not kept yet.

use std::collections::BTreeMap;
use std::ops::Bound;

/// A value to write at a key; `None` deletes.
pub type Write = (Vec<u8>, Option<Vec<u8>>);

/// State that can be read. Reading the same key twice in one block gives the same answer.
pub trait StateView {
    /// The value at `key`, if any.
    fn get(&self, key: &[u8]) -> Option<Vec<u8>>;

    /// The first `limit` entries with `from <= key < until`, ascending by key.
    fn range(&self, from: &[u8], until: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)>;
}

impl StateView for BTreeMap<Vec<u8>, Vec<u8>> {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        BTreeMap::get(self, key).cloned()
    }

    fn range(&self, from: &[u8], until: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        if from >= until {
            return Vec::new();
        }
        BTreeMap::range::<[u8], _>(self, (Bound::Included(from), Bound::Excluded(until)))
            .take(limit)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}

/// Writes over a view that shows through where nothing was written.
pub struct Overlay<'a> {
    below: &'a dyn StateView,
    writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl<'a> Overlay<'a> {
    /// No writes yet.
    pub fn new(below: &'a dyn StateView) -> Overlay<'a> {
        Overlay {
            below,
            writes: BTreeMap::new(),
        }
    }

    /// Writes, or deletes with `None`.
    pub fn put(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.writes.insert(key, value);
    }

    /// Everything that was written, ascending by key, the last write of each.
    pub fn into_writes(self) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        self.writes
    }
}

impl StateView for Overlay<'_> {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        match self.writes.get(key) {
            Some(written) => written.clone(),
            None => self.below.get(key),
        }
    }

    fn range(&self, from: &[u8], until: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        if from >= until || limit == 0 {
            return Vec::new();
        }
        let written = || {
            self.writes
                .range::<[u8], _>((Bound::Included(from), Bound::Excluded(until)))
        };
        // Deleted keys hide entries below, so as many more are asked for.
        let hidden = written().filter(|(_, value)| value.is_none()).count();
        let below = self.below.range(from, until, limit.saturating_add(hidden));
        let mut merged: BTreeMap<Vec<u8>, Vec<u8>> = below.into_iter().collect();
        for (key, value) in written() {
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        merged.into_iter().take(limit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_shows_its_writes_and_hides_what_it_deleted() {
        let below: BTreeMap<Vec<u8>, Vec<u8>> =
            (0..10_u8).map(|key| (vec![key], vec![key])).collect();
        let mut overlay = Overlay::new(&below);
        overlay.put(vec![2], None);
        overlay.put(vec![3], Some(vec![33]));
        overlay.put(vec![3, 1], Some(vec![31]));
        assert_eq!(overlay.get(&[2]), None);
        assert_eq!(overlay.get(&[4]), Some(vec![4]));
        let seen = overlay.range(&[1], &[9], 4);
        assert_eq!(
            seen,
            [
                (vec![1], vec![1]),
                (vec![3], vec![33]),
                (vec![3, 1], vec![31]),
                (vec![4], vec![4])
            ]
        );
        assert!(overlay.range(&[9], &[1], 4).is_empty());
    }
}
