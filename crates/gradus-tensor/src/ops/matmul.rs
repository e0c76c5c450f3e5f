//! Matrix products.

use gradus_kernels::gemm::{Epilogue, MatRef, gemm_f32, gemm_f64};
use smallvec::smallvec;

use crate::autograd::record;
use crate::dispatch::{for_real, through_f32};
use crate::dtype::Element;
use crate::error::{Error, Result};
use crate::layout::{Dims, broadcast_shapes};
use crate::tensor::Tensor;

impl Tensor {
    /// The product of matrices `[…, m, k]` and `[…, k, n]`, giving `[…, m, n]`; leading axes broadcast. Transposed
    /// and other strided operands are read in place.
    ///
    /// Accumulates in the elements' own type; half types in `f32`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`]; [`Error::DTypeMismatch`]; [`Error::UnsupportedDType`] for integers;
    /// [`Error::InvalidShape`] for a vector (give it an axis with [`unsqueeze`](Tensor::unsqueeze)).
    pub fn matmul(&self, rhs: &Tensor) -> Result<Tensor> {
        check_matmul(self, rhs)?;
        if let Some(result) = through_f32(self, |lhs| lhs.matmul(&rhs.to_dtype(lhs.dtype())?)) {
            return result;
        }
        if rhs.rank() == 2 && self.rank() > 2 {
            return self.matmul_flattened(rhs);
        }
        let (lhs_saved, rhs_saved) = (self.detach(), rhs.detach());
        let out = for_real!("matmul", self.dtype(), T => batched::<T>(&lhs_saved, &rhs_saved))?;
        Ok(record("matmul", out, &[self, rhs], move |d_out, needs| {
            let d_lhs = needs[0].then(|| d_out.matmul(&rhs_saved.t()?)?.sum_to(lhs_saved.shape()));
            let d_rhs = needs[1].then(|| lhs_saved.t()?.matmul(d_out)?.sum_to(rhs_saved.shape()));
            Ok(smallvec![d_lhs.transpose()?, d_rhs.transpose()?])
        }))
    }

    /// One large product instead of many small ones when every matrix meets the same `rhs`.
    fn matmul_flattened(&self, rhs: &Tensor) -> Result<Tensor> {
        let (rank, inner) = (self.rank(), self.shape()[self.rank() - 1]);
        let rows: usize = self.shape()[..rank - 1].iter().product();
        let mut shape = Dims::from_slice(self.shape());
        shape[rank - 1] = rhs.shape()[1];
        self.reshape([rows, inner])?.matmul(rhs)?.reshape(&shape)
    }
}

fn check_matmul(lhs: &Tensor, rhs: &Tensor) -> Result<()> {
    for side in [lhs, rhs] {
        if side.rank() < 2 {
            let rule = "matmul takes matrices; give a vector an axis with unsqueeze";
            return Err(Error::InvalidShape {
                op: "matmul",
                shape: side.shape().to_vec(),
                rule,
            });
        }
    }
    if lhs.dtype() != rhs.dtype() {
        return Err(Error::DTypeMismatch {
            op: "matmul",
            lhs: lhs.dtype(),
            rhs: rhs.dtype(),
        });
    }
    if lhs.shape()[lhs.rank() - 1] != rhs.shape()[rhs.rank() - 2] {
        let (l, r) = (lhs.shape().to_vec(), rhs.shape().to_vec());
        return Err(Error::ShapeMismatch {
            op: "matmul",
            lhs: l,
            rhs: r,
            rule: "[.., m, k] times [.., k, n]",
        });
    }
    Ok(())
}

/// The product of `k`-matching stacks of matrices, one matrix at a time.
fn batched<T: MatmulElement>(lhs: &Tensor, rhs: &Tensor) -> Result<Tensor> {
    let (l, r) = (lhs.rank() - 2, rhs.rank() - 2);
    let batch = broadcast_shapes("matmul", &lhs.shape()[..l], &rhs.shape()[..r])?;
    let (m, n) = (lhs.shape()[l], rhs.shape()[r + 1]);
    let stack = |x: &Tensor| {
        let mut shape = batch.clone();
        shape.extend_from_slice(&x.shape()[x.rank() - 2..]);
        x.broadcast_to(&shape)
    };
    let (lhs, rhs) = (stack(lhs)?, stack(rhs)?);
    let (lhs_data, rhs_data) = (
        lhs.storage_from_offset::<T>("matmul")?,
        rhs.storage_from_offset::<T>("matmul")?,
    );
    let mut shape = batch.clone();
    shape.extend_from_slice(&[m, n]);
    Ok(Tensor::build(&shape, |out: &mut [T]| {
        if m * n == 0 {
            return;
        }
        for (index, out) in out.chunks_exact_mut(m * n).enumerate() {
            let matrix = |x: &Tensor, data| matrix_at(x, data, place(index, &batch, x.strides()));
            T::gemm(out, matrix(&lhs, lhs_data), matrix(&rhs, rhs_data));
        }
    }))
}

/// Where the `index`-th matrix of a stack starts.
fn place(index: usize, batch: &[usize], strides: &[usize]) -> usize {
    let mut rest = index;
    batch.iter().zip(strides).rev().fold(0, |start, (&len, &stride)| {
        let step = rest % len;
        rest /= len;
        start + step * stride
    })
}

fn matrix_at<'a, T>(x: &Tensor, data: &'a [T], start: usize) -> MatRef<'a, T> {
    let axis = x.rank() - 2;
    let (shape, strides) = (&x.shape()[axis..], &x.strides()[axis..]);
    // A matrix without elements may start past the end of its storage.
    let data = data.get(start..).unwrap_or_default();
    MatRef {
        data,
        rows: shape[0],
        cols: shape[1],
        row_stride: strides[0],
        col_stride: strides[1],
    }
}

/// Element types with a product kernel of their own.
trait MatmulElement: Element {
    /// `out = a · b`.
    fn gemm(out: &mut [Self], a: MatRef<'_, Self>, b: MatRef<'_, Self>);
}

impl MatmulElement for f32 {
    fn gemm(out: &mut [f32], a: MatRef<'_, f32>, b: MatRef<'_, f32>) {
        gemm_f32(out, a, b, false, Epilogue::default());
    }
}

impl MatmulElement for f64 {
    fn gemm(out: &mut [f64], a: MatRef<'_, f64>, b: MatRef<'_, f64>) {
        gemm_f64(out, a, b, false, Epilogue::default());
    }
}
