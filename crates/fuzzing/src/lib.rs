//! Fuzz targets on stable Rust, as tests of the crates whose decoders they are for.
//!
//! ```
//! fuzzing::target("two-numbers").values([(1_u64, "one".to_owned())]).run(|bytes| {
//!     // Decode; whatever comes must not panic. Say whether it was accepted: accepted inputs are mutated further.
//!     bytes.len() > 3
//! });
//! ```
//!
//! A target starts from valid inputs. [`structure`] mutates what the fields of an encoded value mean (numbers at their
//! limits, elements doubled, dropped or swapped, lengths that lie, other variants), [`json`] does the same for JSON, and
//! [`bytes`] flips, cuts and splices; several are stacked. As a test a target runs [`ITERATIONS`] times from a fixed
//! seed; `FUZZ_SECONDS=30` runs it for that long instead, from the seed in `FUZZ_SEED`. An input that panics is written to
//! `$FUZZ_FOUND/<target>/` (default: `fuzz-found` in the crate's folder); put it into `tests/corpus/<target>/`, where
//! every run replays it first.

pub mod bytes;
pub mod json;
pub mod random;
pub mod structure;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use random::Random;
use serde::Serialize;
use structure::Structured;

/// How often a target runs as a test.
pub const ITERATIONS: u64 = 3_000;
/// Mutated inputs that were accepted, kept to be mutated further.
const POOL_MAX: usize = 256;
/// No input grows beyond this.
const BYTES_MAX: usize = 256 * 1024;

/// A decoder of bytes from outside, and valid inputs for it.
#[derive(Debug)]
pub struct Target {
    name: &'static str,
    seeds: Vec<Structured>,
    is_json: bool,
}

/// A target of that name, without inputs so far.
pub fn target(name: &'static str) -> Target {
    Target {
        name,
        seeds: Vec::new(),
        is_json: false,
    }
}

impl Target {
    /// Valid values, encoded as postcard encodes them.
    pub fn values<T: Serialize>(mut self, values: impl IntoIterator<Item = T>) -> Target {
        self.seeds
            .extend(values.into_iter().map(|value| structure::encode(&value)));
        self
    }

    /// Valid inputs without known structure.
    pub fn bytes(mut self, inputs: impl IntoIterator<Item = Vec<u8>>) -> Target {
        self.seeds
            .extend(inputs.into_iter().map(Structured::opaque));
        self
    }

    /// Valid JSON texts.
    pub fn json(mut self, inputs: impl IntoIterator<Item = Vec<u8>>) -> Target {
        self.is_json = true;
        self.bytes(inputs)
    }

    /// Replays the corpus, then gives mutated inputs to `decode`, which says whether it accepted them.
    ///
    /// # Panics
    /// When `decode` does; the input was written to a file first.
    pub fn run(self, decode: impl Fn(&[u8]) -> bool) {
        let folder = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
        for (path, input) in corpus(&folder.join("tests/corpus").join(self.name)) {
            eprintln!("{}: {}", self.name, path.display());
            decode(&input);
        }
        for seed in &self.seeds {
            self.try_input(&folder, &seed.bytes, &decode);
        }
        let (budget, seed) = budget();
        let mut random = Random::new(seed);
        let (start, mut count, mut accepted) = (Instant::now(), 0_u64, 0_u64);
        let mut pool: Vec<Vec<u8>> = Vec::new();
        while budget.is_left(count, start) {
            let input = self.next_input(&pool, &mut random);
            count += 1;
            if self.try_input(&folder, &input, &decode) {
                accepted += 1;
                let place = random.below(POOL_MAX);
                match pool.get_mut(place) {
                    Some(old) => *old = input,
                    None => pool.push(input),
                }
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "fuzz {}: {count} inputs, {accepted} accepted, {seconds:.1} s, seed {seed}",
            self.name
        );
    }

    fn next_input(&self, pool: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
        let mut input = match random.pick(&self.seeds) {
            Some(seed) if pool.is_empty() || random.chance(70) => {
                let other = random.pick(&self.seeds).unwrap_or(seed);
                structure::mutate(seed, other, random)
            }
            _ => random.pick(pool).cloned().unwrap_or_default(),
        };
        if self.is_json && random.chance(85) {
            input = json::mutate(&input, random);
        }
        let is_opaque = self.seeds.iter().all(|seed| seed.parts.is_empty());
        let percent = match (self.is_json, is_opaque) {
            (true, _) => 20,
            (false, true) => 95,
            (false, false) => 40,
        };
        if random.chance(percent) {
            let other = random.pick(&self.seeds).map_or(&[][..], |seed| &seed.bytes);
            bytes::mutate(&mut input, other, random);
        }
        input.truncate(BYTES_MAX);
        input
    }

    fn try_input(&self, folder: &Path, input: &[u8], decode: &impl Fn(&[u8]) -> bool) -> bool {
        match catch_unwind(AssertUnwindSafe(|| decode(input))) {
            Ok(accepted) => accepted,
            Err(panic) => {
                let found = std::env::var("FUZZ_FOUND").map(PathBuf::from);
                let folder = found
                    .unwrap_or_else(|_| folder.join("fuzz-found"))
                    .join(self.name);
                let path = folder.join(format!("{:016x}", digest(input)));
                let written =
                    std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, input));
                eprintln!(
                    "fuzz {}: an input of {} bytes panics; {}: {written:?}",
                    self.name,
                    input.len(),
                    path.display()
                );
                std::panic::resume_unwind(panic)
            }
        }
    }
}

enum Budget {
    Iterations(u64),
    Time(Duration),
}

impl Budget {
    fn is_left(&self, count: u64, start: Instant) -> bool {
        match self {
            Budget::Iterations(most) => count < *most,
            // The clock is looked at now and then only.
            Budget::Time(most) => !count.is_multiple_of(64) || start.elapsed() < *most,
        }
    }
}

fn budget() -> (Budget, u64) {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let budget = match number("FUZZ_SECONDS") {
        Some(seconds) => Budget::Time(Duration::from_secs(seconds)),
        None => Budget::Iterations(ITERATIONS),
    };
    (budget, number("FUZZ_SEED").unwrap_or(1))
}

fn corpus(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| {
            let input = std::fs::read(&path).ok()?;
            Some((path, input))
        })
        .collect()
}

/// A name for an input.
fn digest(input: &[u8]) -> u64 {
    input.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
