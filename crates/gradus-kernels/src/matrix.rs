//! What the matrix kernels take: strided views of the operands, and what to do to each finished row.

/// A view of a matrix with any strides: element `(row, col)` is `data[row * row_stride + col * col_stride]`.
///
/// A transposed matrix is the same data with the strides exchanged; nothing is copied.
#[derive(Clone, Copy, Debug)]
pub struct MatRef<'a, T> {
    /// The elements; those before the first and after the last element of the view are not read.
    pub data: &'a [T],
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// Distance in elements from one row to the next.
    pub row_stride: usize,
    /// Distance in elements from one column to the next.
    pub col_stride: usize,
}

impl<'a, T> MatRef<'a, T> {
    /// A dense row-major matrix.
    ///
    /// ```
    /// use gradus_kernels::matrix::MatRef;
    /// let m = MatRef::row_major(&[1, 2, 3, 4, 5, 6], 2, 3);
    /// assert_eq!(m.t().rows, 3);
    /// ```
    pub fn row_major(data: &'a [T], rows: usize, cols: usize) -> Self {
        MatRef {
            data,
            rows,
            cols,
            row_stride: cols,
            col_stride: 1,
        }
    }

    /// The transposed view.
    pub fn t(self) -> Self {
        MatRef {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }

    /// Whether every element of the view lies inside `data`.
    pub fn fits(&self) -> bool {
        let reach = |count: usize, stride: usize| (count - 1).checked_mul(stride);
        if self.rows == 0 || self.cols == 0 {
            return true;
        }
        match (
            reach(self.rows, self.row_stride),
            reach(self.cols, self.col_stride),
        ) {
            (Some(down), Some(right)) => down.checked_add(right).is_some_and(|last| last < self.data.len()),
            _ => false,
        }
    }
}

/// What a product does to each element on its way out: `relu(sum + bias[col])`, each part optional.
///
/// ReLU keeps NaN, as PyTorch's does.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a, T> {
    /// One value for each column of the output.
    pub bias: Option<&'a [T]>,
    /// Whether negative results become zero.
    pub relu: bool,
}

impl<T> Default for Epilogue<'_, T> {
    fn default() -> Self {
        Epilogue {
            bias: None,
            relu: false,
        }
    }
}

impl<T: Copy + PartialOrd + Default + std::ops::Add<Output = T>> Epilogue<'_, T> {
    /// Whether there is nothing to do.
    pub fn is_identity(&self) -> bool {
        self.bias.is_none() && !self.relu
    }

    /// One finished element of the output, from its sum, in this column of the matrix.
    pub fn of(&self, sum: T, col: usize) -> T {
        let y = self.bias.map_or(sum, |bias| sum + bias[col]);
        // A comparison, not a maximum: NaN is not less than zero and stays.
        if self.relu && y < T::default() {
            T::default()
        } else {
            y
        }
    }

    /// Applies it to one row of the output, whose first column is column `first_col` of the matrix.
    pub fn apply(&self, row: &mut [T], first_col: usize) {
        if let Some(bias) = self.bias {
            row.iter_mut()
                .zip(&bias[first_col..])
                .for_each(|(y, &b)| *y = *y + b);
        }
        if self.relu {
            // A comparison, not a maximum: NaN is not less than zero and stays.
            row.iter_mut()
                .filter(|y| **y < T::default())
                .for_each(|y| *y = T::default());
        }
    }
}
