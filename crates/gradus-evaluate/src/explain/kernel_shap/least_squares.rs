//! Weighted least squares under the constraint that the shares sum to the change.

use super::coalitions::Coalitions;

/// The shares of the features: of all that sum to `change`, those that come closest to the gain of each coalition as the sum
/// of its members' shares. `None` where the coalitions do not determine them.
pub(super) fn shares(coalitions: &Coalitions, gains: &[f64], change: f64) -> Option<Vec<f64>> {
    let features = coalitions.features();
    if features < 2 {
        return Some(vec![change; features]);
    }
    // The last share is what the others leave of the change: it is put in, and the others are free.
    let free = features - 1;
    let (mut matrix, mut right) = (vec![0.0f64; free * free], vec![0.0f64; free]);
    let mut columns = vec![0.0f64; free];
    for (set, (&weight, &gain)) in coalitions.weights().iter().zip(gains).enumerate() {
        let members = coalitions.members(set);
        let last = f64::from(u8::from(members[free]));
        for (column, &member) in columns.iter_mut().zip(members) {
            *column = f64::from(u8::from(member)) - last;
        }
        let wanted = gain - last * change;
        for (row, &value) in columns.iter().enumerate().filter(|(_, value)| **value != 0.0) {
            let scaled = weight * value;
            right[row] += scaled * wanted;
            let line = &mut matrix[row * free..][..=row];
            line.iter_mut()
                .zip(&columns)
                .for_each(|(cell, column)| *cell += scaled * column);
        }
    }
    let mut shares = solve(&mut matrix, right)?;
    shares.push(change - shares.iter().sum::<f64>());
    Some(shares)
}

/// Solves a symmetric positive definite system whose lower triangle is given, by Cholesky's factors. `None` where it is not
/// definite.
fn solve(matrix: &mut [f64], mut right: Vec<f64>) -> Option<Vec<f64>> {
    /// A pivot that lost this much of its diagonal to rounding means dependent columns.
    const DEPENDENT: f64 = 1e-12;
    let n = right.len();
    for row in 0..n {
        for column in 0..=row {
            let (before, line) = matrix.split_at_mut(row * n);
            let other = if column < row {
                &before[column * n..][..column]
            } else {
                &line[..0]
            };
            if column < row {
                let dot: f64 = line[..column].iter().zip(other).map(|(a, b)| a * b).sum();
                line[column] = (line[column] - dot) / before[column * n + column];
            } else {
                let diagonal = line[row];
                let pivot = diagonal - line[..row].iter().map(|value| value * value).sum::<f64>();
                if pivot.is_nan() || pivot <= DEPENDENT * diagonal {
                    return None;
                }
                line[row] = pivot.sqrt();
            }
        }
    }
    for row in 0..n {
        let done: f64 = (0..row)
            .map(|column| matrix[row * n + column] * right[column])
            .sum();
        right[row] = (right[row] - done) / matrix[row * n + row];
    }
    for row in (0..n).rev() {
        let done: f64 = (row + 1..n)
            .map(|below| matrix[below * n + row] * right[below])
            .sum();
        right[row] = (right[row] - done) / matrix[row * n + row];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_and_notices_dependence() {
        // [[4, 2], [2, 3]] x = [2, 5]
        let found = solve(&mut [4.0, 0.0, 2.0, 3.0], vec![2.0, 5.0]).unwrap();
        assert!(
            (found[0] + 0.5).abs() < 1e-12 && (found[1] - 2.0).abs() < 1e-12,
            "{found:?}"
        );
        assert!(solve(&mut [1.0, 0.0, 1.0, 1.0], vec![1.0, 1.0]).is_none());
    }

    #[test]
    fn shares_of_an_additive_game_are_its_parts_and_of_a_product_are_equal() {
        let all = Coalitions::new(4, 1 << 4, 0);
        let gains = |game: &dyn Fn(&[bool]) -> f64| -> Vec<f64> {
            (0..all.len()).map(|set| game(all.members(set))).collect()
        };
        let parts = [1.0, -2.0, 0.5, 4.0];
        let additive = |set: &[bool]| {
            set.iter()
                .zip(parts)
                .map(|(&member, part)| f64::from(u8::from(member)) * part)
                .sum()
        };
        let found = shares(&all, &gains(&additive), 3.5).unwrap();
        assert!(
            found
                .iter()
                .zip(parts)
                .all(|(found, part)| (found - part).abs() < 1e-12),
            "{found:?}"
        );
        // Nothing without all of the first three: a third for each of them, and nothing for the fourth.
        let product = |set: &[bool]| f64::from(u8::from(set[..3].iter().all(|&member| member)));
        let found = shares(&all, &gains(&product), 1.0).unwrap();
        let third = 1.0 / 3.0;
        assert!(
            found
                .iter()
                .zip([third, third, third, 0.0])
                .all(|(f, e)| (f - e).abs() < 1e-12),
            "{found:?}"
        );
    }
}
