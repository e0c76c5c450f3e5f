//! Functions of one element, each with its gradient.

use gradus_kernels::unary;
use smallvec::smallvec;

use crate::autograd::record;
use crate::dispatch::{for_real, through_f32};
use crate::dtype::Element;
use crate::error::Result;
use crate::tensor::Tensor;

/// One method per row: its documentation, the kernel, and whether the backward kernel of the same name takes the
/// op's input or its output.
macro_rules! unary_ops {
    ($($(#[$doc:meta])* $name:ident, saves $saved:ident, $backward:ident;)*) => {
        impl Tensor {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// [`Error::UnsupportedDType`](crate::Error::UnsupportedDType) for integers.
            pub fn $name(&self) -> Result<Tensor> {
                if let Some(result) = through_f32(self, |x| x.$name()) {
                    return result;
                }
                let x = self.detach().contiguous()?;
                let y = for_real!(stringify!($name), self.dtype(), T => map::<T>(&x, unary::$name))?;
                let saved = $saved(&x, &y).clone();
                Ok(record(stringify!($name), y, &[self], move |d_out, _| {
                    let d_x = for_real!(stringify!($backward), d_out.dtype(), T => {
                        map_backward::<T>(&saved, d_out, unary::$backward)
                    })?;
                    Ok(smallvec![Some(d_x)])
                }))
            }
        )*}
    };
}

unary_ops! {
    /// `max(x, 0)`; the gradient at 0 is 0. NaN stays NaN.
    relu, saves output, relu_backward;
    /// The Gaussian error linear unit `x Φ(x)` (Hendrycks and Gimpel, 2016), exact, by the error function.
    gelu, saves input, gelu_backward;
    /// GELU's tanh approximation, as GPT-2 uses it.
    gelu_tanh, saves input, gelu_tanh_backward;
    /// `x σ(x)`, also called swish (Elfwing et al., 2017).
    silu, saves input, silu_backward;
    /// Hyperbolic tangent.
    tanh, saves output, tanh_backward;
    /// The logistic function `1 / (1 + e⁻ˣ)`.
    sigmoid, saves output, sigmoid_backward;
    /// `eˣ`.
    exp, saves output, exp_backward;
    /// Natural logarithm: NaN below 0, −∞ at 0.
    log, saves input, log_backward;
    /// Square root: NaN below 0; the gradient at 0 is infinite.
    sqrt, saves output, sqrt_backward;
    /// Absolute value; the gradient at 0 is 0.
    abs, saves input, abs_backward;
}

impl Tensor {
    /// `−x`.
    ///
    /// # Errors
    /// [`Error::UnsupportedDType`](crate::Error::UnsupportedDType) for integers.
    pub fn neg(&self) -> Result<Tensor> {
        self.affine(-1.0, 0.0)
    }

    /// `x + value`.
    ///
    /// # Errors
    /// [`Error::UnsupportedDType`](crate::Error::UnsupportedDType) for integers.
    pub fn add_scalar(&self, value: f64) -> Result<Tensor> {
        self.affine(1.0, value)
    }

    /// `x · value`.
    ///
    /// # Errors
    /// [`Error::UnsupportedDType`](crate::Error::UnsupportedDType) for integers.
    pub fn mul_scalar(&self, value: f64) -> Result<Tensor> {
        self.affine(value, 0.0)
    }

    /// `x · scale + shift`.
    ///
    /// # Errors
    /// [`Error::UnsupportedDType`](crate::Error::UnsupportedDType) for integers.
    pub fn affine(&self, scale: f64, shift: f64) -> Result<Tensor> {
        if let Some(result) = through_f32(self, |x| x.affine(scale, shift)) {
            return result;
        }
        let input = self.detach().contiguous()?;
        let output = for_real!("affine", self.dtype(), T => {
            map::<T>(&input, |out, x| unary::affine(out, x, scale, shift))
        })?;
        Ok(record("affine", output, &[self], move |d_out, _| {
            Ok(smallvec![Some(d_out.affine(scale, 0.0)?)])
        }))
    }

    /// `xᵖ` for a constant real `exponent` (NaN for a negative base and a fractional exponent).
    ///
    /// # Errors
    /// [`Error::UnsupportedDType`](crate::Error::UnsupportedDType) for integers.
    pub fn pow(&self, exponent: f64) -> Result<Tensor> {
        if let Some(result) = through_f32(self, |x| x.pow(exponent)) {
            return result;
        }
        let input = self.detach().contiguous()?;
        let output =
            for_real!("pow", self.dtype(), T => map::<T>(&input, |out, x| unary::pow(out, x, exponent)))?;
        Ok(record("pow", output, &[self], move |d_out, _| {
            let d_x = for_real!("pow_backward", d_out.dtype(), T => {
                map_backward::<T>(&input, d_out, |d_x, x, d_y| unary::pow_backward(d_x, x, d_y, exponent))
            })?;
            Ok(smallvec![Some(d_x)])
        }))
    }

    /// `x` limited to `min..=max`; the gradient passes where `x` lies within. NaN stays NaN.
    ///
    /// # Errors
    /// [`Error::UnsupportedDType`](crate::Error::UnsupportedDType) for integers.
    pub fn clamp(&self, min: f64, max: f64) -> Result<Tensor> {
        if let Some(result) = through_f32(self, |x| x.clamp(min, max)) {
            return result;
        }
        let input = self.detach().contiguous()?;
        let output =
            for_real!("clamp", self.dtype(), T => map::<T>(&input, |out, x| unary::clamp(out, x, min, max)))?;
        Ok(record("clamp", output, &[self], move |d_out, _| {
            let d_x = for_real!("clamp_backward", d_out.dtype(), T => {
                map_backward::<T>(&input, d_out, |d_x, x, d_y| unary::clamp_backward(d_x, x, d_y, [min, max]))
            })?;
            Ok(smallvec![Some(d_x)])
        }))
    }

    /// This gradient where `output`, a ReLU's result, is positive; 0 elsewhere.
    pub(crate) fn relu_backward(&self, output: &Tensor) -> Result<Tensor> {
        for_real!("relu_backward", self.dtype(), T => map_backward::<T>(output, self, unary::relu_backward))
    }
}

/// What most backward kernels start from.
fn input<'a>(x: &'a Tensor, _y: &'a Tensor) -> &'a Tensor {
    x
}

/// What backward kernels start from that are cheaper to compute from the result.
fn output<'a>(_x: &'a Tensor, y: &'a Tensor) -> &'a Tensor {
    y
}

/// A new tensor filled by a kernel from a contiguous one.
fn map<T: Element>(x: &Tensor, kernel: impl FnOnce(&mut [T], &[T])) -> Result<Tensor> {
    let values = x.as_slice::<T>()?;
    Ok(Tensor::build(x.shape(), |out| kernel(out, values)))
}

/// The gradient of the input from what the forward saved and the gradient of the output.
fn map_backward<T: Element>(
    saved: &Tensor,
    d_out: &Tensor,
    kernel: impl FnOnce(&mut [T], &[T], &[T]),
) -> Result<Tensor> {
    let d_out = d_out.contiguous()?;
    let (saved, d_y) = (saved.as_slice::<T>()?, d_out.as_slice::<T>()?);
    Ok(Tensor::build(d_out.shape(), |d_x| kernel(d_x, saved, d_y)))
}
