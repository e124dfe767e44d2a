//! What goes together in one message.

/// Items, in order, in as few groups as keep to both bounds; a single item of more bytes is a group by itself.
pub fn in_groups<T>(
    items: impl IntoIterator<Item = T>,
    bytes_of: impl Fn(&T) -> usize,
    bytes_max: usize,
    count_max: usize,
) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    let mut filled = 0;
    for item in items {
        let bytes = bytes_of(&item);
        match groups.last_mut() {
            Some(group) if group.len() < count_max && filled + bytes <= bytes_max => {
                filled += bytes;
                group.push(item);
            }
            _ => {
                filled = bytes;
                groups.push(vec![item]);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_keep_to_both_bounds_and_to_the_order() {
        let lengths = |sizes: &[usize]| -> Vec<usize> {
            let groups = in_groups(sizes.iter().copied(), |size| *size, 10, 3);
            assert_eq!(groups.concat(), sizes);
            groups.iter().map(Vec::len).collect()
        };
        assert_eq!(lengths(&[]), [0; 0]);
        assert_eq!(lengths(&[1; 4]), [3, 1]);
        assert_eq!(lengths(&[5, 5, 1, 5]), [2, 2]);
        assert_eq!(lengths(&[11, 1, 11]), [1, 1, 1]);
    }
}
