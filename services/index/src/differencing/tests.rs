use clinical::brief::{Brief, RecordClass, Sex};
use contracts::RecordNumber;
use ledger::{Digest, LedgerId};

use super::*;
use crate::search::Entry;

const THRESHOLD: u64 = 11;
const YEARS: std::ops::RangeInclusive<u16> = 2010..=2020;

/// Forty patients a year have the disease; two alone in 2015, and one of them has it in 2016 as well.
fn index() -> (SearchIndex, Vec<(u16, u32)>) {
    let (mut index, mut known) = (SearchIndex::default(), Vec::new());
    let mut add = |person: u32, year: u16| {
        let record = known.len() as u32;
        let mut numbers = ([0; 16], [0; 32]);
        numbers.0[..4].copy_from_slice(&record.to_be_bytes());
        numbers.1[..4].copy_from_slice(&person.to_be_bytes());
        index.put(&Entry {
            record: RecordNumber(numbers.0),
            person: Digest(numbers.1),
            hospital: LedgerId([1; 16]),
            brief: Brief {
                snomed: BTreeSet::from(["40055000".to_owned()]),
                icd10: BTreeSet::new(),
                age_band: None,
                sex: Sex::Female,
                year: Some(i32::from(year)),
                class: RecordClass::Ambulatory,
                hospital: String::new(),
            },
        });
        known.push((year, person));
    };
    for year in YEARS.filter(|year| *year != 2015) {
        for person in 0..40 {
            add(u32::from(year) * 100 + person, year);
        }
    }
    add(1, 2015);
    add(2, 2015);
    add(2, 2016);
    (index, known)
}

fn asked(from_year: Option<u16>, until_year: Option<u16>) -> Asked {
    Asked {
        codes: BTreeSet::from(["40055000".to_owned()]),
        from_year,
        until_year,
    }
}

/// Asks like the service answers: what is too rare or not safe is suppressed.
fn answer(index: &SearchIndex, answered: &mut Vec<Asked>, asked: Asked, guarded: bool) -> bool {
    if index.search(&asked.query()).persons() < THRESHOLD {
        return false;
    }
    let fine = answered.contains(&asked) || !guarded || is_safe(index, answered, &asked, THRESHOLD);
    if fine && !answered.contains(&asked) {
        answered.push(asked);
    }
    fine
}

/// Every difference of two answers that somebody could make, and of one and all that it contains, as sets of patients.
fn smallest_difference(known: &[(u16, u32)], answered: &[Asked]) -> usize {
    let within = |asked: &Asked, year: u16| {
        asked.from_year.is_none_or(|from| from <= year)
            && asked.until_year.is_none_or(|until| year <= until)
    };
    let records = |asked: &Asked| -> BTreeSet<usize> {
        (0..known.len())
            .filter(|at| within(asked, known[*at].0))
            .collect()
    };
    let answers: Vec<BTreeSet<usize>> = answered.iter().map(records).collect();
    let mut smallest = usize::MAX;
    for whole in &answers {
        let parts: Vec<&BTreeSet<usize>> = answers
            .iter()
            .filter(|part| *part != whole && part.is_subset(whole))
            .collect();
        let mut lefts: Vec<BTreeSet<usize>> = parts.iter().map(|part| whole - part).collect();
        if !parts.is_empty() {
            lefts.push(parts.iter().fold(whole.clone(), |left, part| &left - part));
        }
        for left in lefts {
            let persons: BTreeSet<u32> = left.iter().map(|at| known[*at].1).collect();
            if !persons.is_empty() {
                smallest = smallest.min(persons.len());
            }
        }
    }
    smallest
}

/// Everything an attacker can ask about years, in an order drawn from a seed.
fn attack(index: &SearchIndex, seed: u64, guarded: bool) -> Vec<Asked> {
    let bounds: Vec<Option<u16>> = YEARS.map(Some).chain([None]).collect();
    let mut wanted: Vec<Asked> = bounds
        .iter()
        .flat_map(|from| bounds.iter().map(|until| asked(*from, *until)))
        .collect();
    let mut state = seed;
    wanted.sort_by_cached_key(|_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 16
    });
    let mut answered = Vec::new();
    for asked in wanted {
        answer(index, &mut answered, asked, guarded);
    }
    answered
}

#[test]
fn wider_and_narrower_answers_subtracted_from_each_other_show_no_small_group() {
    let (index, known) = index();
    for seed in 0..200 {
        let answered = attack(&index, seed, true);
        let smallest = smallest_difference(&known, &answered);
        assert!(smallest >= THRESHOLD as usize, "seed {seed}: {smallest}");
        assert!(
            answered.len() >= 5,
            "seed {seed}: hardly anything is answered"
        );
    }
    // The attack is one: without the guard it finds the two patients of 2015.
    assert_eq!(smallest_difference(&known, &attack(&index, 0, false)), 2);
}

#[test]
fn a_small_group_is_not_left_over_by_two_answers_that_lie_beside_it() {
    let (index, _) = index();
    let mut answered = Vec::new();
    for (asked, fine) in [
        (asked(None, Some(2014)), true),
        (asked(Some(2016), None), true),
        // All but 2015 is known: this would show it.
        (asked(None, None), false),
        (asked(None, Some(2016)), true),
        // Said before, and said again.
        (asked(None, Some(2014)), true),
    ] {
        assert_eq!(
            answer(&index, &mut answered, asked.clone(), true),
            fine,
            "{asked:?}"
        );
    }
}
