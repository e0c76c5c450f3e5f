//! Walking several strided layouts of one shape together, row by row.

use std::ops::Range;

/// The highest rank a layout may have here; far above what networks use, and small enough to walk without a heap.
pub const MAX_RANK: usize = 12;

/// A slice seen through strides, in elements. A stride of 0 repeats (broadcasting).
#[derive(Clone, Copy, Debug)]
pub struct Strided<'a, T> {
    /// The elements, starting at index zero of the layout.
    pub data: &'a [T],
    /// One stride for each dimension of the common shape.
    pub strides: &'a [usize],
}

/// `N` layouts of one shape with neighbouring dimensions merged wherever all layouts allow it. The last dimension
/// left is the row that inner loops run over.
#[derive(Clone, Debug)]
pub(crate) struct Walk<const N: usize> {
    rank: usize,
    shape: [usize; MAX_RANK],
    strides: [[usize; MAX_RANK]; N],
}

impl<const N: usize> Walk<N> {
    /// Merges dimensions of `shape`, whose strides in each layout are given.
    pub(crate) fn new(shape: &[usize], layouts: [&[usize]; N]) -> Self {
        assert!(
            shape.len() <= MAX_RANK,
            "bug: rank {} is above {MAX_RANK}",
            shape.len()
        );
        debug_assert!(layouts.iter().all(|strides| strides.len() == shape.len()));
        let mut walk = Self {
            rank: 0,
            shape: [1; MAX_RANK],
            strides: [[0; MAX_RANK]; N],
        };
        for (axis, &size) in shape.iter().enumerate() {
            if size != 1 {
                walk.push(size, std::array::from_fn(|n| layouts[n][axis]));
            }
        }
        walk.rank = walk.rank.max(1);
        walk
    }

    fn push(&mut self, size: usize, strides: [usize; N]) {
        let merges = self.rank > 0 && (0..N).all(|n| self.strides[n][self.rank - 1] == strides[n] * size);
        if merges {
            self.shape[self.rank - 1] *= size;
        } else {
            self.shape[self.rank] = size;
            self.rank += 1;
        }
        for (layout, stride) in self.strides.iter_mut().zip(strides) {
            layout[self.rank - 1] = stride;
        }
    }

    /// Length of a row.
    pub(crate) fn row_len(&self) -> usize {
        self.shape[self.rank - 1]
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.shape[..self.rank - 1].iter().product()
    }

    /// Step between neighbours in a row, for each layout.
    pub(crate) fn row_strides(&self) -> [usize; N] {
        std::array::from_fn(|n| self.strides[n][self.rank - 1])
    }

    /// The last but one dimension's `(size, strides)`, if rows have one.
    pub(crate) fn next_to_row(&self) -> Option<(usize, [usize; N])> {
        let axis = self.rank.checked_sub(2)?;
        Some((self.shape[axis], std::array::from_fn(|n| self.strides[n][axis])))
    }

    /// Calls `body(row, where it starts in each layout)` for a range of rows, in order.
    pub(crate) fn for_each_row(&self, rows: Range<usize>, mut body: impl FnMut(usize, [usize; N])) {
        let (mut index, mut offsets) = self.locate(rows.start);
        for row in rows {
            body(row, offsets);
            for axis in (0..self.rank - 1).rev() {
                index[axis] += 1;
                for (offset, strides) in offsets.iter_mut().zip(&self.strides) {
                    *offset += strides[axis];
                }
                if index[axis] < self.shape[axis] {
                    break;
                }
                index[axis] = 0;
                for (offset, strides) in offsets.iter_mut().zip(&self.strides) {
                    *offset -= strides[axis] * self.shape[axis];
                }
            }
        }
    }

    fn locate(&self, row: usize) -> ([usize; MAX_RANK], [usize; N]) {
        let (mut index, mut offsets, mut rest) = ([0; MAX_RANK], [0; N], row);
        for axis in (0..self.rank - 1).rev() {
            index[axis] = rest % self.shape[axis];
            rest /= self.shape[axis];
            for (offset, strides) in offsets.iter_mut().zip(&self.strides) {
                *offset += index[axis] * strides[axis];
            }
        }
        (index, offsets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visited<const N: usize>(walk: &Walk<N>) -> Vec<[usize; N]> {
        let mut all = Vec::new();
        walk.for_each_row(0..walk.rows(), |_, start| {
            all.extend(
                (0..walk.row_len()).map(|i| std::array::from_fn(|n| start[n] + i * walk.row_strides()[n])),
            );
        });
        all
    }

    #[test]
    fn visits_every_index_of_every_layout_in_order() {
        let walk = Walk::new(&[2, 3, 4], [&[12, 4, 1], &[0, 1, 3], &[1, 0, 2]]);
        let mut expected = Vec::new();
        for i in 0..2 {
            for j in 0..3 {
                for k in 0..4 {
                    expected.push([12 * i + 4 * j + k, j + 3 * k, i + 2 * k]);
                }
            }
        }
        assert_eq!(visited(&walk), expected);
        let mut from_the_middle = Vec::new();
        walk.for_each_row(4..6, |row, start| from_the_middle.push((row, start)));
        assert_eq!(from_the_middle, [(4, expected[16]), (5, expected[20])]);
    }

    #[test]
    fn merges_contiguous_dimensions_and_drops_those_of_size_one() {
        let walk = Walk::new(&[2, 1, 3, 4], [&[12, 7, 4, 1], &[12, 9, 4, 1]]);
        assert_eq!((walk.rows(), walk.row_len(), walk.row_strides()), (1, 24, [1, 1]));
        let scalar = Walk::new(&[], [&[], &[]]);
        assert_eq!((scalar.rows(), scalar.row_len()), (1, 1));
        let bias = Walk::new(&[64, 128], [&[128, 1], &[0, 1]]);
        assert_eq!((bias.rows(), bias.row_len()), (64, 128));
        let empty = Walk::new(&[3, 0], [&[0, 1]]);
        assert_eq!(visited(&empty), Vec::<[usize; 1]>::new());
    }
}
