//! What several answers say together. One answer shows no small group; a wider and a narrower one, subtracted from each
//! other, could: the patients with a disease until 2020 less those until 2019.
//!
//! Answers that an applicant has had are remembered. A search is answered only if no answer less the narrower ones that it
//! contains, one of them or all, leaves some patients but fewer than the threshold. What is left out then looks like what is
//! too rare. Each applicant has a number of different searches a month: combinations that are no differences (the common
//! records of two diseases) are not looked at, and stay few.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::search::{Matches, Query, SearchIndex};

/// Different searches that an applicant may have answered in [`BUDGET_US`].
pub const BUDGET: usize = 250;
/// Thirty days.
pub const BUDGET_US: u64 = 30 * 86_400_000_000;

/// A search as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The codes it was understood as.
    pub codes: BTreeSet<String>,
    /// First year.
    pub from_year: Option<u16>,
    /// Last year.
    pub until_year: Option<u16>,
}

impl Asked {
    /// As a query of the index.
    pub fn query(&self) -> Query<'_> {
        Query {
            codes: &self.codes,
            from_year: self.from_year,
            until_year: self.until_year,
        }
    }
}

/// Whether a search can be answered to somebody who has had these answers before, so that no difference of answers holds
/// fewer patients than the threshold.
pub fn is_safe(index: &SearchIndex, answered: &[Asked], asked: &Asked, threshold: u64) -> bool {
    let wanted = index.search(&asked.query());
    let before: Vec<Matches<'_>> = answered
        .iter()
        .map(|earlier| index.search(&earlier.query()))
        .collect();
    // Narrower ones alone: two searches that mean the same records leave nothing of each other, and hide nothing.
    let is_inside =
        |one: &Matches<'_>, whole: &Matches<'_>| one.is_within(whole) && !whole.is_within(one);
    let within: Vec<&Matches<'_>> = before
        .iter()
        .filter(|one| is_inside(one, &wanted))
        .collect();
    let around = || before.iter().filter(|one| is_inside(&wanted, one));
    // What the new answer leaves over of older ones around it, alone and together with others inside those.
    let leaves_few = |whole: &Matches<'_>, parts: &[&Matches<'_>]| {
        let left = whole.persons_in_none_of(parts);
        (1..threshold).contains(&left)
    };
    if within.iter().any(|part| leaves_few(&wanted, &[part]))
        || !within.is_empty() && leaves_few(&wanted, &within)
    {
        return false;
    }
    !around().any(|whole| {
        let mut parts: Vec<&Matches<'_>> =
            before.iter().filter(|one| is_inside(one, whole)).collect();
        parts.push(&wanted);
        leaves_few(whole, &[&wanted]) || leaves_few(whole, &parts)
    })
}

#[cfg(test)]
mod tests;
