//! Small numbers for values that many rows share.

use std::hash::{BuildHasher as _, Hash, RandomState};

use hashbrown::HashTable;

/// Values, each once, by number.
pub struct Numbers<T> {
    values: Vec<T>,
    numbers: HashTable<u32>,
    hasher: RandomState,
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            numbers: HashTable::new(),
            hasher: RandomState::new(),
        }
    }
}

impl<T: Eq + Hash> Numbers<T> {
    /// The number of a value, a new one for a value that was not seen before.
    pub fn of(&mut self, value: T) -> u32 {
        let hash = self.hasher.hash_one(&value);
        let (values, hasher) = (&mut self.values, &self.hasher);
        if let Some(number) = self
            .numbers
            .find(hash, |number| values[*number as usize] == value)
        {
            return *number;
        }
        let number = u32::try_from(values.len()).expect("fewer than 2^32 values");
        values.push(value);
        self.numbers.insert_unique(hash, number, |number| {
            hasher.hash_one(&values[*number as usize])
        });
        number
    }

    /// The value with a number that [`Numbers::of`] gave.
    pub fn get(&self, number: u32) -> &T {
        &self.values[number as usize]
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }
}
