//! Rounding a table so that its cells, its rows and its columns all stay within one of what they should be.

/// Columns of a table: the parts of a division, and what is left out.
pub(super) const PARTS: usize = 4;

/// What shares are counted in: nine decimals of one.
pub(super) const UNIT: u64 = 1_000_000_000;

/// For each class how many of its rows each part gets: cell, column sums and row sums are their exact shares
/// (`size · share / UNIT`) rounded up or down, row sums are exactly the sizes.
///
/// `shares` add up to [`UNIT`]. Such a table always exists; it is found as L. H. Cox does ("A constructive procedure for
/// unbiased controlled rounding", JASA 82, 1987): along a cycle of cells that are no whole numbers, take from every
/// other cell what its neighbours get, until one of them is whole. Here always the way that is shorter, so what is all
/// but whole (a third of 3 rows, the third given in nine decimals) becomes the whole number next to it.
pub(super) fn round_by_class(sizes: &[usize], shares: [u64; PARTS]) -> Vec<[usize; PARTS]> {
    let mut whole: Vec<[usize; PARTS]> = Vec::with_capacity(sizes.len());
    let mut fractions: Vec<[u64; PARTS]> = Vec::with_capacity(sizes.len() + 1);
    let mut columns = [0; PARTS];
    for &size in sizes {
        let exact = shares.map(|share| size as u128 * u128::from(share));
        whole.push(exact.map(|cell| (cell / u128::from(UNIT)) as usize));
        fractions.push(exact.map(|cell| (cell % u128::from(UNIT)) as u64));
        for (sum, cell) in columns.iter_mut().zip(exact) {
            *sum = (*sum + (cell % u128::from(UNIT)) as u64) % UNIT;
        }
    }
    // A last row that makes the columns' sums whole, and is thrown away.
    fractions.push(columns.map(|sum| (UNIT - sum) % UNIT));
    settle(&mut fractions);
    for (whole, fractions) in whole.iter_mut().zip(&fractions) {
        for (cell, &fraction) in whole.iter_mut().zip(fractions) {
            *cell += usize::from(fraction == UNIT);
        }
    }
    whole
}

/// Makes all cells 0 or [`UNIT`], keeping the sums of rows and columns, which are multiples of it.
fn settle(mut cells: &mut [[u64; PARTS]]) {
    let is_settled = |row: &[u64; PARTS]| row.iter().all(|&cell| matches!(cell, 0 | UNIT));
    while let Some(first) = cells.iter().position(|row| !is_settled(row)) {
        // What is settled at either end is never looked at again: the walks stay short with thousands of classes.
        let end = cells
            .iter()
            .rposition(|row| !is_settled(row))
            .map_or(0, |last| last + 1);
        cells = &mut cells[first..end];
        shift(cells, &find_cycle(cells));
    }
}

/// Moves as much as there is room for along a cycle, the way with less room.
fn shift(cells: &mut [[u64; PARTS]], cycle: &[(usize, usize)]) {
    let room = |rising: usize| {
        let rooms = cycle.iter().enumerate().map(|(index, &(row, column))| {
            let cell = cells[row][column];
            if index % 2 == rising { UNIT - cell } else { cell }
        });
        rooms.min().unwrap_or(0)
    };
    let (even, odd) = (room(0), room(1));
    let (by, rising) = if even <= odd { (even, 0) } else { (odd, 1) };
    for (index, &(row, column)) in cycle.iter().enumerate() {
        let cell = &mut cells[row][column];
        *cell = if index % 2 == rising {
            *cell + by
        } else {
            *cell - by
        };
    }
}

/// A closed path over cells that are not settled, alternately along a row and along a column, in a table whose first row
/// has such cells. A row or a column never has one unsettled cell alone, for its sum is whole, so a walk goes on until
/// it meets a column again.
fn find_cycle(cells: &[[u64; PARTS]]) -> Vec<(usize, usize)> {
    const PROOF: &str = "rows and columns have whole sums, so no unsettled cell is alone";
    let is_open = |row: usize, column: usize| !matches!(cells[row][column], 0 | UNIT);
    let mut row = 0;
    let mut column = (0..PARTS).find(|&column| is_open(row, column)).expect(PROOF);
    let mut path: Vec<(usize, usize)> = Vec::with_capacity(2 * PARTS);
    let mut entered = [None; PARTS];
    loop {
        let exit = (0..PARTS)
            .find(|&other| other != column && is_open(row, other))
            .expect(PROOF);
        entered[column] = Some(path.len());
        path.extend([(row, column), (row, exit)]);
        if let Some(from) = entered[exit] {
            let mut cycle = path.split_off(from);
            if cycle[0] == cycle[cycle.len() - 1] {
                // It came back to the very cell it began with, along its row: that cell is no corner.
                cycle.pop();
                cycle.remove(0);
            }
            return cycle;
        }
        row = (0..cells.len())
            .find(|&other| other != row && is_open(other, exit))
            .expect(PROOF);
        column = exit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cells_rows_and_columns_are_their_shares_rounded(
            sizes in prop::collection::vec(0usize..1000, 1..40), parts in prop::collection::vec(0u64..=1000, 3),
        ) {
            let total: u64 = parts.iter().sum::<u64>() + 7;
            let [a, b, c] = [0, 1, 2].map(|part| parts[part] * UNIT / total);
            let shares = [a, b, c, UNIT - a - b - c];
            let table = round_by_class(&sizes, shares);
            let mut sums = [0; PARTS];
            for (row, &size) in table.iter().zip(&sizes) {
                prop_assert_eq!(row.iter().sum::<usize>(), size);
                for part in 0..PARTS {
                    let exact = size as f64 * shares[part] as f64 / UNIT as f64;
                    prop_assert!((row[part] as f64 - exact).abs() < 1.0, "{} is not {exact}", row[part]);
                    sums[part] += row[part];
                }
            }
            for part in 0..PARTS {
                let exact = sizes.iter().sum::<usize>() as f64 * shares[part] as f64 / UNIT as f64;
                prop_assert!((sums[part] as f64 - exact).abs() < 1.0, "{} is not {exact}", sums[part]);
            }
        }
    }

    #[test]
    fn what_is_all_but_whole_becomes_whole() {
        let third = UNIT / 3;
        let table = round_by_class(&[3, 6, 300], [third, third, UNIT - 2 * third, 0]);
        assert_eq!(table, [[1, 1, 1, 0], [2, 2, 2, 0], [100, 100, 100, 0]]);
    }
}
