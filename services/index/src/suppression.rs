//! Small cells and their complements.
//!
//! A cell with fewer patients than the threshold is not shown (CMS cell size suppression policy: 1 to 10). The total is
//! shown, so what is left out must not be computable from what is shown: as long as the patients left out of a dimension
//! are fewer than the threshold, or only one cell is left out, the smallest shown cell is left out as well.

use std::collections::BTreeMap;

/// Which counts of one dimension may be shown: none is a suppressed cell.
pub fn suppress(counts: &BTreeMap<String, u64>, threshold: u64) -> BTreeMap<String, Option<u64>> {
    let mut shown: BTreeMap<String, Option<u64>> = counts
        .iter()
        .map(|(value, &count)| (value.clone(), (count >= threshold).then_some(count)))
        .collect();
    while needs_complement(counts, &shown, threshold) {
        let smallest = shown
            .iter()
            .filter_map(|(value, count)| count.map(|count| (count, value.clone())))
            .min();
        match smallest {
            Some((_, value)) => shown.insert(value, None),
            None => break,
        };
    }
    shown
}

fn needs_complement(
    counts: &BTreeMap<String, u64>,
    shown: &BTreeMap<String, Option<u64>>,
    threshold: u64,
) -> bool {
    let hidden: Vec<u64> = shown
        .iter()
        .filter(|(_, count)| count.is_none())
        .map(|(value, _)| counts[value])
        .collect();
    !hidden.is_empty() && (hidden.len() == 1 || hidden.iter().sum::<u64>() < threshold)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(cells: &[(&str, u64)]) -> BTreeMap<String, u64> {
        cells
            .iter()
            .map(|(value, count)| ((*value).to_owned(), *count))
            .collect()
    }

    fn shown(cells: &[(&str, u64)]) -> Vec<Option<u64>> {
        suppress(&counts(cells), 11).into_values().collect()
    }

    #[test]
    fn large_cells_are_shown() {
        assert_eq!(shown(&[("a", 11), ("b", 40)]), [Some(11), Some(40)]);
    }

    #[test]
    fn a_single_small_cell_takes_the_next_smallest_with_it() {
        assert_eq!(
            shown(&[("a", 3), ("b", 20), ("c", 40)]),
            [None, None, Some(40)]
        );
    }

    #[test]
    fn two_small_cells_that_sum_to_less_than_the_threshold_take_a_third_with_them() {
        assert_eq!(shown(&[("a", 3), ("b", 4), ("c", 40)]), [None, None, None]);
        assert_eq!(
            shown(&[("a", 6), ("b", 6), ("c", 40)]),
            [None, None, Some(40)]
        );
    }

    #[test]
    fn no_suppressed_cell_can_be_computed_from_the_total() {
        for a in 0..30 {
            for b in 0..30 {
                for c in 0..30 {
                    let counts = counts(&[("a", a), ("b", b), ("c", c)]);
                    let hidden: Vec<u64> = suppress(&counts, 11)
                        .iter()
                        .filter(|(_, count)| count.is_none())
                        .map(|(value, _)| counts[value])
                        .collect();
                    let one_alone = hidden.len() == 1 && counts.len() > 1;
                    let few = hidden.iter().sum::<u64>() < 11 && hidden.len() < counts.len();
                    assert!(hidden.is_empty() || !(one_alone || few), "{counts:?}");
                }
            }
        }
    }
}
