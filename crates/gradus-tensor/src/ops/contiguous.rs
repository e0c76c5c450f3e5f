//! Copies between strided views and row-major memory.

use gradus_kernels::select;
use gradus_kernels::strided::Strided;
use smallvec::smallvec;

use crate::autograd::record;
use crate::dispatch::for_dtype;
use crate::dtype::Element;
use crate::error::Result;
use crate::layout::Layout;
use crate::tensor::Tensor;

impl Tensor {
    /// The same elements in row-major order without gaps: this tensor itself when it is already so, else a copy.
    ///
    /// # Errors
    /// None at present; the signature is that of every op.
    pub fn contiguous(&self) -> Result<Tensor> {
        if self.is_contiguous() {
            return Ok(self.clone());
        }
        let out = for_dtype!(self.dtype(), T => self.gathered::<T>())?;
        Ok(record("contiguous", out, &[self], |d_out, _| {
            Ok(smallvec![Some(d_out.clone())])
        }))
    }

    fn gathered<T: Element>(&self) -> Result<Tensor> {
        let view = Strided {
            data: self.storage_from_offset::<T>("contiguous")?,
            strides: self.strides(),
        };
        Ok(Tensor::build(self.shape(), |out| {
            select::contiguous(out, self.shape(), view)
        }))
    }

    /// A tensor of shape `shape` that holds this one's elements in the places of `window` and zeros elsewhere.
    pub(crate) fn scatter_into_zeros(&self, shape: &[usize], window: &Layout) -> Result<Tensor> {
        fn scattered<T: Element>(x: &Tensor, shape: &[usize], window: &Layout) -> Result<Tensor> {
            let x = x.contiguous()?;
            let values = x.as_slice::<T>()?;
            Ok(Tensor::build(shape, |out: &mut [T]| {
                out.fill(T::from_f64(0.0));
                let mut values = values.iter();
                write_axis(out, &mut values, &window.shape, &window.strides, window.offset);
            }))
        }
        for_dtype!(self.dtype(), T => scattered::<T>(self, shape, window))
    }
}

/// Writes `values` in row-major order to the places of a strided window that starts at `start`.
fn write_axis<T: Element>(
    out: &mut [T],
    values: &mut std::slice::Iter<'_, T>,
    shape: &[usize],
    strides: &[usize],
    start: usize,
) {
    let (Some((&len, shape)), Some((&stride, strides))) = (shape.split_first(), strides.split_first()) else {
        out[start] = *values
            .next()
            .expect("bug: the window has more places than there are values");
        return;
    };
    if shape.is_empty() {
        for (step, &value) in values.take(len).enumerate() {
            out[start + step * stride] = value;
        }
        return;
    }
    for step in 0..len {
        write_axis(out, values, shape, strides, start + step * stride);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scatter_undoes_a_stepped_slice() {
        let x = Tensor::from_vec((1..=12).map(|i| i as f32).collect(), [3, 4]).unwrap();
        let window = x.layout().slice(1, 1, 4, 2).unwrap().slice(0, 0, 3, 2).unwrap();
        let part = x.view_as(window.clone());
        let back = part.scatter_into_zeros(&[3, 4], &window).unwrap();
        let expected = [0.0, 2.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 10.0, 0.0, 12.0];
        assert_eq!(back.to_vec::<f32>().unwrap(), expected);
    }
}
