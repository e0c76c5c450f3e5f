//! What a bf16 product takes: matrices of f32 or of bf16.

use half::bf16;

use crate::matrix::MatRef;

/// A matrix for a product in bf16, with any strides.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a> {
    /// Rounded to the nearest bf16, ties to even, while it is packed; NaN stays NaN.
    F32(MatRef<'a, f32>),
    /// Taken as it is.
    Bf16(MatRef<'a, bf16>),
}

impl<'a> From<MatRef<'a, f32>> for Operand<'a> {
    fn from(view: MatRef<'a, f32>) -> Self {
        Operand::F32(view)
    }
}

impl<'a> From<MatRef<'a, bf16>> for Operand<'a> {
    fn from(view: MatRef<'a, bf16>) -> Self {
        Operand::Bf16(view)
    }
}

impl Operand<'_> {
    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        match self {
            Operand::F32(view) => (view.rows, view.cols),
            Operand::Bf16(view) => (view.rows, view.cols),
        }
    }

    /// The transposed view.
    pub fn t(self) -> Self {
        match self {
            Operand::F32(view) => Operand::F32(view.t()),
            Operand::Bf16(view) => Operand::Bf16(view.t()),
        }
    }

    /// Whether every element of the view lies inside its data.
    pub fn fits(&self) -> bool {
        match self {
            Operand::F32(view) => view.fits(),
            Operand::Bf16(view) => view.fits(),
        }
    }
}
