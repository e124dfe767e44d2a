//! Personal strings of the input, in every spelling in which they could hide, and the search for them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use clinical::generator::{Plan, patients};
use clinical::personal::personal_strings;
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

/// Shorter strings are found by chance in encoded random bytes.
const BYTES_MIN: usize = 7;

/// Every distinctive personal string of the first `count` made-up patients, and of those who treat them.
pub fn canaries(count: usize) -> BTreeSet<String> {
    let plan = Plan {
        patients: count,
        ..Plan::default()
    };
    let mut found = BTreeSet::new();
    for bundle in patients(&plan) {
        for personal in personal_strings(&bundle) {
            if personal.is_distinctive() && personal.text.len() >= BYTES_MIN {
                found.insert(personal.text);
            }
        }
    }
    found
}

/// A search for strings as they are, in base64 and base64url at each of the three places a string can begin, in
/// hexadecimal, and with JSON escapes.
pub struct Search {
    spellings: Vec<(String, Vec<u8>)>,
    automaton: AhoCorasick,
}

impl Search {
    /// A search for these.
    ///
    /// # Panics
    /// If there are more strings than a search can take.
    pub fn new(strings: impl IntoIterator<Item = String>) -> Search {
        let mut spellings = Vec::new();
        for string in strings {
            spellings.extend(
                spelled(&string)
                    .into_iter()
                    .map(|bytes| (string.clone(), bytes)),
            );
        }
        let automaton = AhoCorasick::new(spellings.iter().map(|(_, bytes)| bytes))
            .expect("a search of this size");
        Search {
            spellings,
            automaton,
        }
    }

    /// The strings that `bytes` hold.
    pub fn find(&self, bytes: &[u8]) -> BTreeSet<String> {
        self.automaton
            .find_overlapping_iter(bytes)
            .map(|found| self.spellings[found.pattern()].0.clone())
            .collect()
    }
}

fn spelled(string: &str) -> BTreeSet<Vec<u8>> {
    let bytes = string.as_bytes();
    let mut spellings = BTreeSet::from([
        bytes.to_vec(),
        HEXLOWER.encode(bytes).into_bytes(),
        HEXUPPER.encode(bytes).into_bytes(),
        escaped(string, false).into_bytes(),
        escaped(string, true).into_bytes(),
    ]);
    for before in 0..3 {
        let mut shifted = vec![0; before];
        shifted.extend_from_slice(bytes);
        for encoding in [&BASE64_NOPAD, &BASE64URL_NOPAD] {
            let text = encoding.encode(&shifted);
            // The characters at both ends depend on the neighbours as well.
            let from = [0, 2, 3][before];
            let until = shifted.len() * 8 / 6;
            spellings.insert(text.as_bytes()[from..until].to_vec());
        }
    }
    spellings
}

/// JSON's `\uXXXX`, for what is not ASCII or for everything.
fn escaped(string: &str, all: bool) -> String {
    let mut text = String::new();
    for unit in string.encode_utf16() {
        match char::from_u32(unit.into()).filter(|character| character.is_ascii() && !all) {
            Some(character) => text.push(character),
            None => text.push_str(&format!("\\u{unit:04x}")),
        }
    }
    text
}

/// All files below a folder.
///
/// # Panics
/// If the folder cannot be read.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder can be read") {
            let path = entry.expect("a folder's entry can be read").path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_string_is_found_in_every_spelling_and_at_every_place() {
        let search = Search::new(["Canaryño".to_owned()]);
        let plain = "a record of Canaryño, born".as_bytes();
        for skipped in 0..3 {
            let message = &plain[skipped..];
            for planted in [
                message.to_vec(),
                BASE64_NOPAD.encode(message).into_bytes(),
                BASE64URL_NOPAD.encode(message).into_bytes(),
                HEXLOWER.encode(message).into_bytes(),
                HEXUPPER.encode(message).into_bytes(),
                b"Canary\\u00f1o".to_vec(),
            ] {
                assert_eq!(
                    search.find(&planted).len(),
                    1,
                    "{}",
                    String::from_utf8_lossy(&planted)
                );
            }
        }
        assert!(search.find(b"Canary without the rest").is_empty());
    }
}
