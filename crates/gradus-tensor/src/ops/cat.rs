//! Joining tensors along an axis.

use crate::autograd::{Grads, record};
use crate::dispatch::for_dtype;
use crate::dtype::Element;
use crate::error::{Error, Result};
use crate::layout::Dims;
use crate::tensor::Tensor;

impl Tensor {
    /// The tensors one behind the other along `axis`. Their other axes must match.
    ///
    /// # Errors
    /// [`Error::InvalidShape`] for no tensors; [`Error::InvalidAxis`]; [`Error::ShapeMismatch`];
    /// [`Error::DTypeMismatch`].
    pub fn cat(tensors: &[Tensor], axis: usize) -> Result<Tensor> {
        let first = first_of("cat", tensors)?;
        first.layout().check_axis("cat", axis)?;
        for other in &tensors[1..] {
            check_like(first, other, axis)?;
        }
        let out = for_dtype!(first.dtype(), T => joined::<T>(tensors, axis))?;
        let lengths: Dims = tensors.iter().map(|tensor| tensor.shape()[axis]).collect();
        let inputs: Vec<&Tensor> = tensors.iter().collect();
        Ok(record("cat", out, &inputs, move |d_out, needs| {
            let mut start = 0;
            let mut grads = Grads::new();
            for (&len, &needed) in lengths.iter().zip(needs) {
                grads.push(needed.then(|| d_out.narrow(axis, start, len)).transpose()?);
                start += len;
            }
            Ok(grads)
        }))
    }

    /// Tensors of one shape side by side along a new axis before `axis`.
    ///
    /// # Errors
    /// As [`cat`](Tensor::cat).
    pub fn stack(tensors: &[Tensor], axis: usize) -> Result<Tensor> {
        let first = first_of("stack", tensors)?;
        if let Some(other) = tensors.iter().find(|other| other.shape() != first.shape()) {
            return Err(mismatch(
                "stack",
                first,
                other,
                "tensors that are stacked have one shape",
            ));
        }
        let unsqueezed: Result<Vec<Tensor>> = tensors.iter().map(|tensor| tensor.unsqueeze(axis)).collect();
        Tensor::cat(&unsqueezed?, axis)
    }
}

fn first_of<'a>(op: &'static str, tensors: &'a [Tensor]) -> Result<&'a Tensor> {
    let rule = "at least one tensor is needed";
    tensors.first().ok_or(Error::InvalidShape {
        op,
        shape: Vec::new(),
        rule,
    })
}

fn check_like(first: &Tensor, other: &Tensor, axis: usize) -> Result<()> {
    super::binary::same_dtype("cat", first, other)?;
    let (a, b) = (first.shape(), other.shape());
    let fits = a.len() == b.len() && a[..axis] == b[..axis] && a[axis + 1..] == b[axis + 1..];
    if fits {
        Ok(())
    } else {
        Err(mismatch(
            "cat",
            first,
            other,
            "all axes but the joined one must match",
        ))
    }
}

fn mismatch(op: &'static str, lhs: &Tensor, rhs: &Tensor, rule: &'static str) -> Error {
    Error::ShapeMismatch {
        op,
        lhs: lhs.shape().to_vec(),
        rhs: rhs.shape().to_vec(),
        rule,
    }
}

fn joined<T: Element>(tensors: &[Tensor], axis: usize) -> Result<Tensor> {
    let parts: Result<Vec<Tensor>> = tensors
        .iter()
        .map(|tensor| tensor.detach().contiguous())
        .collect();
    let parts = parts?;
    let slices: Result<Vec<&[T]>> = parts.iter().map(|part| part.as_slice::<T>()).collect();
    let slices = slices?;
    let mut shape = Dims::from_slice(parts[0].shape());
    shape[axis] = parts.iter().map(|part| part.shape()[axis]).sum();
    let blocks: usize = shape[..axis].iter().product();
    Ok(Tensor::build(&shape, |out: &mut [T]| {
        let mut rest = out;
        for block in 0..blocks {
            for slice in &slices {
                let len = slice.len() / blocks;
                let (part, tail) = rest.split_at_mut(len);
                part.copy_from_slice(&slice[block * len..][..len]);
                rest = tail;
            }
        }
    }))
}
