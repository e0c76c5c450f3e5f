//! Rows sorted by their class or group.

/// The rows of each of several kinds, one kind after another, ascending within each.
pub(super) struct ByKind {
    /// Row numbers.
    pub rows: Vec<u32>,
    /// Where each kind's rows start in `rows`, and at the end where the last one's end.
    starts: Vec<usize>,
}

impl ByKind {
    /// Sorts rows by kind in one pass; kinds are in order of their numbers. Kinds that do not occur have no rows.
    pub(super) fn new(kinds: &[i64]) -> ByKind {
        let (codes, count) = dense(kinds);
        let mut starts = vec![0; count + 1];
        for &code in &codes {
            starts[code as usize + 1] += 1;
        }
        for kind in 0..count {
            starts[kind + 1] += starts[kind];
        }
        let mut next = starts.clone();
        let mut rows = vec![0; codes.len()];
        for (row, &code) in codes.iter().enumerate() {
            rows[next[code as usize]] = row as u32;
            next[code as usize] += 1;
        }
        ByKind { rows, starts }
    }

    /// Rows of each kind.
    pub(super) fn sizes(&self) -> Vec<usize> {
        self.starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// The rows of one kind.
    pub(super) fn of(&self, kind: usize) -> &[u32] {
        &self.rows[self.starts[kind]..self.starts[kind + 1]]
    }

    /// The rows of one kind, to be shuffled.
    pub(super) fn of_mut(&mut self, kind: usize) -> &mut [u32] {
        &mut self.rows[self.starts[kind]..self.starts[kind + 1]]
    }
}

/// Numbers from 0 for the values that occur, in their order, and how many there are. Small class indices stay what they
/// are, so that an absent class does not rename the others.
pub(super) fn dense(kinds: &[i64]) -> (Vec<u32>, usize) {
    // Row numbers are kept in 32 bits: half the memory traffic, and no table in memory has 4 billion rows.
    assert!(
        u32::try_from(kinds.len()).is_ok(),
        "bug: more rows than a table can have"
    );
    let range = kinds
        .iter()
        .fold(None, |range: Option<(i64, i64)>, &kind| match range {
            Some((low, high)) => Some((low.min(kind), high.max(kind))),
            None => Some((kind, kind)),
        });
    match range {
        None => (Vec::new(), 0),
        Some((0.., high)) if high <= kinds.len() as i64 => {
            (kinds.iter().map(|&kind| kind as u32).collect(), high as usize + 1)
        }
        Some(_) => {
            let mut values = kinds.to_vec();
            values.sort_unstable();
            values.dedup();
            let code = |kind| {
                values
                    .binary_search(kind)
                    .expect("each value is in the list of all") as u32
            };
            (kinds.iter().map(code).collect(), values.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_order_of_their_kind() {
        let by_kind = ByKind::new(&[2, 0, 2, 0]);
        assert_eq!(by_kind.sizes(), [2, 0, 2]);
        assert_eq!(by_kind.of(0), [1, 3]);
        assert_eq!(by_kind.of(2), [0, 2]);
    }

    #[test]
    fn any_numbers_can_be_kinds() {
        let by_kind = ByKind::new(&[i64::MAX, -7, i64::MAX, i64::MIN]);
        assert_eq!(by_kind.sizes(), [1, 1, 2]);
        assert_eq!(by_kind.of(2), [0, 2]);
        assert!(ByKind::new(&[]).sizes().is_empty());
    }
}
