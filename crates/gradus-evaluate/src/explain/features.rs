//! What attributions are given to: single inputs, or groups of them that belong together.

use gradus_data::{TablePreprocessing, Transform};

/// Groups of a row's inputs: the one-hot inputs of a column, the pixels of a patch, the numbers of a token's vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features {
    /// The group of each input.
    group_of: Vec<usize>,
    groups: usize,
}

impl Features {
    /// Groups from the group of each input; groups are numbered from 0 without gaps.
    pub fn new(group_of: Vec<usize>) -> Features {
        let groups = group_of.iter().map(|&group| group + 1).max().unwrap_or(0);
        Features { group_of, groups }
    }

    /// Every input for itself.
    pub fn inputs(len: usize) -> Features {
        Features::new((0..len).collect())
    }

    /// The inputs of each column of a table together.
    pub fn columns(table: &TablePreprocessing) -> Features {
        let width = |transform: &Transform| match transform {
            Transform::Numeric { .. } => 1,
            Transform::Categorical { values } => values.len(),
        };
        let groups = table.columns.iter().enumerate();
        Features::new(
            groups
                .flat_map(|(index, column)| std::iter::repeat_n(index, width(&column.transform)))
                .collect(),
        )
    }

    /// The pixels of each cell of a grid over pictures `[channels, height, width]`, all channels together. There are at most
    /// as many cells as pixels along a side.
    pub fn grid([channels, height, width]: [usize; 3], [rows, columns]: [usize; 2]) -> Features {
        let (rows, columns) = (rows.clamp(1, height.max(1)), columns.clamp(1, width.max(1)));
        let cell = |y: usize, x: usize| y * rows / height * columns + x * columns / width;
        let plane = (0..height).flat_map(|y| (0..width).map(move |x| cell(y, x)));
        let plane: Vec<usize> = plane.collect();
        Features::new(plane.repeat(channels))
    }

    /// Consecutive runs of `width` inputs, such as the vectors of tokens.
    pub fn runs(count: usize, width: usize) -> Features {
        Features::new((0..count * width).map(|at| at / width).collect())
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.groups
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.groups == 0
    }

    /// The group of each input.
    pub fn group_of(&self) -> &[usize] {
        &self.group_of
    }

    /// The sum over each group of a row.
    ///
    /// # Panics
    /// When the row has another number of inputs.
    pub fn sums(&self, row: &[f32]) -> Vec<f32> {
        assert_eq!(row.len(), self.group_of.len(), "bug: a row of another model");
        let mut sums = vec![0.0f64; self.groups];
        for (&group, &value) in self.group_of.iter().zip(row) {
            sums[group] += f64::from(value);
        }
        sums.into_iter().map(|sum| sum as f32).collect()
    }

    /// Every input with the value of its group.
    ///
    /// # Panics
    /// When there is not one value per group.
    pub fn spread(&self, values: &[f32]) -> Vec<f32> {
        assert_eq!(values.len(), self.groups, "bug: values of other groups");
        self.group_of.iter().map(|&group| values[group]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_covers_pictures_evenly_and_shares_channels() {
        let grid = Features::grid([2, 4, 6], [2, 3]);
        assert_eq!(grid.len(), 6);
        let plane = [
            [0, 0, 1, 1, 2, 2],
            [0, 0, 1, 1, 2, 2],
            [3, 3, 4, 4, 5, 5],
            [3, 3, 4, 4, 5, 5],
        ]
        .concat();
        assert_eq!(grid.group_of(), [plane.clone(), plane].concat());
        assert_eq!(
            Features::grid([1, 2, 2], [9, 9]).len(),
            4,
            "no more cells than pixels"
        );
    }

    #[test]
    fn sums_and_spreads_follow_groups() {
        let features = Features::new(vec![0, 1, 1, 0]);
        assert_eq!(features.sums(&[1.0, 2.0, 3.0, 4.0]), [5.0, 5.0]);
        assert_eq!(features.spread(&[7.0, 8.0]), [7.0, 8.0, 8.0, 7.0]);
    }
}
