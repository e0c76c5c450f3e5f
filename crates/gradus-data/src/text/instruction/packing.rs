//! Putting examples into rows of one length.

use std::collections::BTreeMap;

/// Puts items of these lengths, each at most `capacity`, into as few rows as best-fit-decreasing finds: the longest first,
/// each into the fullest row that has room. Never more than 11/9 of the fewest possible, and one (Johnson, 1973); on
/// real data within a percent.
///
/// Of items of one length the one that comes first in `order` is placed first. Gives the items of each row.
pub(super) fn pack(lengths: &[usize], order: &[usize], capacity: usize) -> Vec<Vec<usize>> {
    let mut by_length = order.to_vec();
    by_length.sort_by_key(|&item| std::cmp::Reverse(lengths[item]));
    let mut rows: Vec<Vec<usize>> = Vec::new();
    // The rows that have each amount of room left, the next one to fill last.
    let mut with_room: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for item in by_length {
        let length = lengths[item];
        let (room, row) = match with_room.range_mut(length..).next() {
            Some((&room, candidates)) => {
                let row = candidates.pop();
                if candidates.is_empty() {
                    with_room.remove(&room);
                }
                (room, row)
            }
            None => (capacity, None),
        };
        let row = row.unwrap_or_else(|| {
            rows.push(Vec::new());
            rows.len() - 1
        });
        rows[row].push(item);
        with_room.entry(room - length).or_default().push(row);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::pack;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_item_is_in_one_row_and_rows_are_full(lengths in prop::collection::vec(1usize..=50, 1..200)) {
            let order: Vec<usize> = (0..lengths.len()).rev().collect();
            let rows = pack(&lengths, &order, 50);
            let mut items = rows.concat();
            items.sort_unstable();
            prop_assert_eq!(items, (0..lengths.len()).collect::<Vec<_>>());
            let fill: Vec<usize> = rows.iter().map(|row| row.iter().map(|&item| lengths[item]).sum()).collect();
            prop_assert!(fill.iter().all(|&fill| fill <= 50));
            // No two rows could be one, or the later one's items would have gone into the earlier.
            let mut emptiest = fill.clone();
            emptiest.sort_unstable();
            prop_assert!(emptiest.len() < 2 || emptiest[0] + emptiest[1] > 50);
            prop_assert_eq!(rows, pack(&lengths, &order, 50));
        }
    }
}
