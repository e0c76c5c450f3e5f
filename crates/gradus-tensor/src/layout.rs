//! How a tensor's indices map to places in its storage.

use smallvec::SmallVec;

use crate::error::{Error, Result};

/// A list with one entry per axis; up to six live inline.
pub(crate) type Dims = SmallVec<[usize; 6]>;

/// Shape, strides and offset, all counted in elements. Strides are never negative; a broadcast axis has stride 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) shape: Dims,
    pub(crate) strides: Dims,
    pub(crate) offset: usize,
}

impl Layout {
    /// Row-major, starting at the storage's first element.
    pub(crate) fn contiguous(shape: &[usize]) -> Layout {
        Layout {
            shape: shape.into(),
            strides: row_major(shape),
            offset: 0,
        }
    }

    pub(crate) fn numel(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the elements lie in row-major order without gaps. Axes of length one may have any stride, and a
    /// tensor without elements is contiguous.
    pub(crate) fn is_contiguous(&self) -> bool {
        if self.shape.contains(&0) {
            return true;
        }
        let mut expected = 1;
        for (&len, &stride) in self.shape.iter().zip(&self.strides).rev() {
            if len > 1 && stride != expected {
                return false;
            }
            expected *= len;
        }
        true
    }

    pub(crate) fn check_axis(&self, op: &'static str, axis: usize) -> Result<()> {
        if axis < self.shape.len() {
            return Ok(());
        }
        Err(Error::InvalidAxis {
            op,
            axis,
            rank: self.shape.len(),
        })
    }

    /// Axes reordered: new axis `i` is old axis `order[i]`.
    pub(crate) fn permute(&self, order: &[usize]) -> Result<Layout> {
        let rank = self.shape.len();
        let mut seen = Dims::from_elem(0, rank);
        for &axis in order {
            if axis >= rank || seen[axis] == 1 {
                return Err(Error::InvalidAxis {
                    op: "permute",
                    axis,
                    rank,
                });
            }
            seen[axis] = 1;
        }
        if order.len() != rank {
            let rule = "permute names every axis once";
            return Err(Error::InvalidShape {
                op: "permute",
                shape: order.to_vec(),
                rule,
            });
        }
        Ok(Layout {
            shape: order.iter().map(|&a| self.shape[a]).collect(),
            strides: order.iter().map(|&a| self.strides[a]).collect(),
            offset: self.offset,
        })
    }

    /// Elements `start`, `start + step`, … before `end` of one axis.
    pub(crate) fn slice(&self, axis: usize, start: usize, end: usize, step: usize) -> Result<Layout> {
        self.check_axis("slice", axis)?;
        let len = self.shape[axis];
        if start > end || end > len || step == 0 {
            return Err(Error::InvalidRange {
                op: "slice",
                start,
                end,
                step,
                len,
            });
        }
        let mut out = self.clone();
        out.shape[axis] = (end - start).div_ceil(step);
        out.offset += start * self.strides[axis];
        out.strides[axis] *= step;
        Ok(out)
    }

    /// The same elements repeated along axes of length one, and along new leading axes, to fill `shape`.
    pub(crate) fn broadcast_to(&self, shape: &[usize]) -> Result<Layout> {
        let mismatch = || Error::ShapeMismatch {
            op: "broadcast_to",
            lhs: self.shape.to_vec(),
            rhs: shape.to_vec(),
            rule: "aligned from the right, each axis must match or have length 1",
        };
        let lead = shape.len().checked_sub(self.shape.len()).ok_or_else(mismatch)?;
        let mut strides = Dims::from_elem(0, shape.len());
        for (axis, (&len, &stride)) in self.shape.iter().zip(&self.strides).enumerate() {
            if len == shape[lead + axis] {
                strides[lead + axis] = stride;
            } else if len != 1 {
                return Err(mismatch());
            }
        }
        Ok(Layout {
            shape: shape.into(),
            strides,
            offset: self.offset,
        })
    }

    /// A view with another shape, when the strides allow one; `None` when the elements must be copied.
    ///
    /// Groups of old axes that are contiguous with each other may be split or merged freely (NumPy's rule).
    pub(crate) fn reshape(&self, shape: &[usize]) -> Option<Layout> {
        if self.is_contiguous() {
            return Some(Layout {
                shape: shape.into(),
                strides: row_major(shape),
                offset: self.offset,
            });
        }
        let mut strides = Dims::from_elem(0, shape.len());
        let old: SmallVec<[(usize, usize); 6]> = self
            .shape
            .iter()
            .copied()
            .zip(self.strides.iter().copied())
            .filter(|&(len, _)| len != 1)
            .collect();
        let (mut i, mut j) = (0, 0);
        while i < old.len() && j < shape.len() {
            let (mut old_len, mut new_len) = (old[i].0, shape[j]);
            let (first_new, mut last_old) = (j, i);
            while old_len != new_len {
                if new_len < old_len {
                    j += 1;
                    new_len *= shape.get(j)?;
                } else {
                    last_old += 1;
                    let (len, stride) = *old.get(last_old)?;
                    if old[last_old - 1].1 != stride * len {
                        return None;
                    }
                    old_len *= len;
                }
            }
            let mut stride = old[last_old].1;
            for axis in (first_new..=j).rev() {
                strides[axis] = stride;
                stride *= shape[axis];
            }
            i = last_old + 1;
            j += 1;
        }
        Some(Layout {
            shape: shape.into(),
            strides,
            offset: self.offset,
        })
    }
}

/// Strides of a gapless row-major tensor of this shape.
pub(crate) fn row_major(shape: &[usize]) -> Dims {
    let mut strides = Dims::from_elem(1, shape.len());
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// The shape two operands broadcast to (NumPy's rules).
pub(crate) fn broadcast_shapes(op: &'static str, lhs: &[usize], rhs: &[usize]) -> Result<Dims> {
    let rank = lhs.len().max(rhs.len());
    let dim = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    (0..rank)
        .map(|axis| match (dim(lhs, axis), dim(rhs, axis)) {
            (a, b) if a == b => Ok(a),
            (1, b) => Ok(b),
            (a, 1) => Ok(a),
            _ => Err(Error::ShapeMismatch {
                op,
                lhs: lhs.to_vec(),
                rhs: rhs.to_vec(),
                rule: "aligned from the right, each axis must match or have length 1",
            }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_and_merges_contiguous_groups_of_a_transposed_view() {
        let base = Layout::contiguous(&[4, 6, 5]).permute(&[1, 0, 2]).unwrap();
        let split = base.reshape(&[2, 3, 4, 5]).unwrap();
        assert_eq!(split.strides.as_slice(), &[15, 5, 30, 1]);
        assert!(base.reshape(&[24, 5]).is_none());
        assert!(base.reshape(&[6, 20]).is_none());
    }

    #[test]
    fn broadcasting_gives_new_axes_stride_zero() {
        let layout = Layout::contiguous(&[3, 1]).broadcast_to(&[2, 3, 4]).unwrap();
        assert_eq!(layout.strides.as_slice(), &[0, 1, 0]);
        assert!(Layout::contiguous(&[3]).broadcast_to(&[2]).is_err());
    }

    #[test]
    fn empty_and_unit_axes_are_contiguous() {
        assert!(
            Layout {
                shape: [0, 3].as_slice().into(),
                strides: [9, 7].as_slice().into(),
                offset: 0
            }
            .is_contiguous()
        );
        assert!(
            Layout {
                shape: [1, 3].as_slice().into(),
                strides: [99, 1].as_slice().into(),
                offset: 0
            }
            .is_contiguous()
        );
    }
}
