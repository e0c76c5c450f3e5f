//! The tensors that compression works on, and how it changes them.

use gradus_package::TensorChange;
use gradus_tensor::{DType, Element, Tensor, bf16, f16};

use crate::error::{Error, Result};

/// Whether a tensor is a weight: a float matrix or convolution kernel, not a bias or a norm.
pub(crate) fn is_weight(tensor: &Tensor) -> bool {
    tensor.dtype().is_float() && tensor.rank() >= 2
}

/// The elements in row-major order, all finite.
pub(crate) fn finite_values(name: &str, tensor: &Tensor) -> Result<Vec<f64>> {
    let values = tensor
        .to_dtype(DType::F64)
        .and_then(|wide| wide.to_vec::<f64>())
        .map_err(Error::tensor(name))?;
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(values),
        Some(index) => Err(Error::NotFinite {
            tensor: name.to_owned(),
            index,
            value: values[index],
        }),
    }
}

/// A tensor like `tensor` with other values, rounded to its element type.
pub(crate) fn with_values(name: &str, tensor: &Tensor, values: &[f64]) -> Result<Tensor> {
    fn rounded<T: Element>(shape: &[usize], values: &[f64]) -> gradus_tensor::Result<Tensor> {
        Ok(Tensor::build(shape, |out: &mut [T]| {
            out.iter_mut()
                .zip(values)
                .for_each(|(x, value)| *x = T::from_f64(*value));
        }))
    }
    let shape = tensor.shape();
    let changed = match tensor.dtype() {
        DType::F64 => rounded::<f64>(shape, values),
        DType::F32 => rounded::<f32>(shape, values),
        DType::BF16 => rounded::<bf16>(shape, values),
        DType::F16 => rounded::<f16>(shape, values),
        got @ (DType::I64 | DType::U8 | DType::I8) => Err(gradus_tensor::Error::UnsupportedDType {
            op: "compress",
            got,
            expected: "a float type",
        }),
    };
    changed.map_err(Error::tensor(name))
}

/// What happened to a tensor whose values were `before` and are `after`.
pub(crate) fn change(name: &str, before: &[f64], after: &[f64]) -> TensorChange {
    let differences = || before.iter().zip(after).map(|(b, a)| (b - a).abs());
    let norm = before.iter().map(|b| b * b).sum::<f64>().sqrt();
    let error = differences().map(|d| d * d).sum::<f64>().sqrt();
    TensorChange {
        name: name.to_owned(),
        elements: before.len() as u64,
        changed: differences().filter(|d| *d != 0.0).count() as u64,
        zeros: after.iter().filter(|a| **a == 0.0).count() as u64,
        max_abs_error: differences().fold(0.0, f64::max),
        relative_error: if norm > 0.0 { error / norm } else { 0.0 },
    }
}
