//! State as contracts see it: a [`View`] of what is committed, and a [`State`] that lays one decision's writes over it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use ledger::{WriteSet, canonical};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The committed key-value state, read only.
pub trait View {
    /// The value under `key`.
    fn get(&self, key: &[u8]) -> Option<Vec<u8>>;

    /// Up to `limit` entries whose key starts with `prefix`, ascending by key.
    fn scan(&self, prefix: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)>;
}

impl View for BTreeMap<Vec<u8>, Vec<u8>> {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        BTreeMap::get(self, key).cloned()
    }

    fn scan(&self, prefix: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.range(prefix.to_vec()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}

/// What was read or written under a key; `None` is absence.
type Entries = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A view with the writes of one decision laid over it. Reads see the writes.
pub struct State<'view> {
    view: &'view dyn View,
    writes: Entries,
    /// What was read from the view: a key is fetched once however many rules look at it.
    reads: RefCell<Entries>,
}

impl<'view> State<'view> {
    /// No writes yet over `view`.
    pub fn new(view: &'view dyn View) -> State<'view> {
        State {
            view,
            writes: BTreeMap::new(),
            reads: RefCell::new(BTreeMap::new()),
        }
    }

    /// The value under `key`, decoded.
    ///
    /// # Panics
    /// If the stored bytes are not a `T`: only this crate writes them, so the store is corrupt or this is a defect.
    pub fn read<T: DeserializeOwned>(&self, key: &[u8]) -> Option<T> {
        self.with_bytes(key, |bytes| {
            bytes.map(|bytes| match postcard::from_bytes(bytes) {
                Ok(value) => value,
                Err(error) => panic!("the state under key {key:02x?} cannot be read: {error}"),
            })
        })
    }

    /// Whether there is anything under `key`.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.with_bytes(key, |bytes| bytes.is_some())
    }

    /// Puts the canonical bytes of `value` under `key`.
    pub fn write<T: Serialize>(&mut self, key: Vec<u8>, value: &T) {
        self.writes.insert(key, Some(canonical::encode(value)));
    }

    /// Removes what is under `key`.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.writes.insert(key, None);
    }

    /// Everything written, ordered by key.
    pub fn into_writes(self) -> WriteSet {
        WriteSet(self.writes.into_iter().collect())
    }

    fn with_bytes<R>(&self, key: &[u8], use_bytes: impl FnOnce(Option<&[u8]>) -> R) -> R {
        if let Some(written) = self.writes.get(key) {
            return use_bytes(written.as_deref());
        }
        if let Some(read) = self.reads.borrow().get(key) {
            return use_bytes(read.as_deref());
        }
        let fetched = self.view.get(key);
        let result = use_bytes(fetched.as_deref());
        self.reads.borrow_mut().insert(key.to_vec(), fetched);
        result
    }
}

impl View for State<'_> {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.with_bytes(key, |bytes| bytes.map(<[u8]>::to_vec))
    }

    fn scan(&self, prefix: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let written = || {
            self.writes
                .range(prefix.to_vec()..)
                .take_while(|(key, _)| key.starts_with(prefix))
        };
        let deleted = written().filter(|(_, value)| value.is_none()).count();
        let mut entries: Entries = self
            .view
            .scan(prefix, limit + deleted)
            .into_iter()
            .map(|(key, value)| (key, Some(value)))
            .collect();
        entries.extend(written().map(|(key, value)| (key.clone(), value.clone())));
        entries
            .into_iter()
            .filter_map(|(key, value)| value.map(|value| (key, value)))
            .take(limit)
            .collect()
    }
}
