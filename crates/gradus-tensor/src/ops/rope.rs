//! Rotary position embedding.

use std::sync::Arc;

use gradus_kernels::real::Real;
use gradus_kernels::rope::{self, Angles, Direction, Heads, Positions};
use smallvec::smallvec;

use crate::autograd::record;
use crate::dispatch::{for_real, through_f32};
use crate::dtype::{DType, Element};
use crate::error::{Error, Result};
use crate::rope_table::{AngleRows, RopeTable};
use crate::tensor::Tensor;

/// Where the rows of a sequence stand.
#[derive(Clone, Copy, Debug)]
pub enum RopePositions<'a> {
    /// At this position and the ones after it, in every sequence of the batch.
    From(usize),
    /// One position for each row, `I64` of shape `[batch, seq]`, 0 or above.
    Each(&'a Tensor),
}

impl Tensor {
    /// Turns each pair of elements `(i, i + rotary_dim / 2)` of each head by the angle of its position (Su et al.,
    /// 2021, in the rotate-half form of Hugging Face's models). The tensor is `[batch, seq, heads, head_dim]`; elements
    /// past the table's `rotary_dim` pass unchanged. The gradient is turned back. Half types compute through `f32`.
    ///
    /// # Errors
    /// [`Error::InvalidShape`] for another rank or heads shorter than `rotary_dim`; [`Error::ShapeMismatch`],
    /// [`Error::UnsupportedDType`] for positions that do not fit; [`Error::InvalidArgument`] for a position of 2²⁴ or
    /// more, [`Error::IndexOutOfRange`] for one below 0.
    pub fn rope(&self, table: &RopeTable, positions: RopePositions) -> Result<Tensor> {
        if let Some(result) = through_f32(self, |x| x.rope(table, positions)) {
            return result;
        }
        check(self, table)?;
        let turn = Turn::new(self, table, positions)?;
        let x = self.detach();
        let out = for_real!("rope", self.dtype(), T => turn.apply::<T>(&x, Direction::Forward))?;
        Ok(record("rope", out, &[self], move |d_out, _| {
            let d_x = for_real!("rope", d_out.dtype(), T => turn.apply::<T>(d_out, Direction::Backward))?;
            Ok(smallvec![Some(d_x)])
        }))
    }
}

/// The angles of every row.
struct Turn {
    rows: Arc<AngleRows>,
    half: usize,
    start: usize,
    /// Overrides `start`: one position a row.
    each: Option<Tensor>,
}

impl Turn {
    fn new(x: &Tensor, table: &RopeTable, positions: RopePositions) -> Result<Turn> {
        let (start, each, needed) = match positions {
            RopePositions::From(start) => (start, None, start.saturating_add(x.shape()[1])),
            RopePositions::Each(positions) => {
                let (positions, needed) = checked_positions(x, positions)?;
                (0, Some(positions), needed)
            }
        };
        Ok(Turn {
            rows: table.rows(needed)?,
            half: table.frequencies(),
            start,
            each,
        })
    }

    fn apply<T: Element + Real>(&self, x: &Tensor, direction: Direction) -> Result<Tensor> {
        let gapless = x.strides().last() == Some(&1);
        let x = if gapless { x.clone() } else { x.contiguous()? };
        let (&[batch, seq, heads, head_dim], &[a, b, c, _]) = (x.shape(), x.strides()) else {
            unreachable!("bug: the rank was checked")
        };
        let heads = Heads {
            data: x.storage_from_offset::<T>("rope")?,
            shape: [batch, seq, heads, head_dim],
            strides: [a, b, c],
        };
        let angles = Angles {
            cos: &self.rows.cos,
            sin: &self.rows.sin,
            half: self.half,
        };
        let positions = match &self.each {
            Some(each) => Positions::Each(each.as_slice::<i64>()?),
            None => Positions::From {
                start: self.start,
                seq,
            },
        };
        Ok(Tensor::build(x.shape(), |out| {
            rope::rope(out, heads, angles, positions, direction)
        }))
    }
}

fn check(x: &Tensor, table: &RopeTable) -> Result<()> {
    let shape = x.shape().to_vec();
    let op = "rope";
    match x.shape() {
        &[_, _, _, head_dim] if head_dim >= table.rotary_dim() => Ok(()),
        [_, _, _, _] => {
            let rule = "a head is at least as long as the part that turns";
            Err(Error::InvalidShape { op, shape, rule })
        }
        _ => {
            let rule = "heads are [batch, seq, heads, head_dim]";
            Err(Error::InvalidShape { op, shape, rule })
        }
    }
}

/// The positions in order, and one more than the largest.
fn checked_positions(x: &Tensor, positions: &Tensor) -> Result<(Tensor, usize)> {
    let op = "rope";
    if positions.dtype() != DType::I64 {
        return Err(Error::UnsupportedDType {
            op,
            got: positions.dtype(),
            expected: "i64 positions",
        });
    }
    if positions.shape() != &x.shape()[..2] {
        let (lhs, rhs) = (x.shape().to_vec(), positions.shape().to_vec());
        let rule = "positions are [batch, seq]";
        return Err(Error::ShapeMismatch { op, lhs, rhs, rule });
    }
    let positions = positions.contiguous()?;
    let mut needed = 0;
    for (position, &index) in positions.as_slice::<i64>()?.iter().enumerate() {
        match usize::try_from(index) {
            Ok(at) => needed = needed.max(at.saturating_add(1)),
            Err(_) => {
                let bound = i64::MAX as usize;
                return Err(Error::IndexOutOfRange {
                    op,
                    index,
                    bound,
                    position,
                });
            }
        }
    }
    Ok((positions, needed))
}
