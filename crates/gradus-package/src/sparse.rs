//! Tensors that are mostly zero, stored as a bit mask and the elements that are not.
//!
//! A tensor `NAME` becomes four, named and laid out as the `sparse-bitmask` format of the compressed-tensors project:
//!
//! | stored tensor | type | shape | holds |
//! |---|---|---|---|
//! | `NAME.compressed` | the tensor's | `[count]` | the elements that are not zero, in row-major order |
//! | `NAME.bitmask` | U8 | `[rows, ceil(cols / 8)]` | one bit per element, lowest bit first, rows padded to bytes |
//! | `NAME.shape` | I64 | `[rank]` | the tensor's shape |
//! | `NAME.row_offsets` | I64 | `[rows]` | where each row begins in `NAME.compressed` |
//!
//! `rows` is the first axis and `cols` all others together; a tensor of rank 0 or 1 is one row. Only all-zero bits
//! count as zero, so packing and unpacking keeps every bit, negative zeros included.

use std::collections::BTreeMap;

use gradus_tensor::{Element, Tensor};

use crate::safetensors::with_element;

const COMPRESSED: &str = "compressed";
const BITMASK: &str = "bitmask";
const SHAPE: &str = "shape";
const ROW_OFFSETS: &str = "row_offsets";

/// How the parts of a sparse tensor fail to fit each other.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SparseProblem {
    /// A part is not in the file.
    #[error("its part `{0}` is missing")]
    MissingPart(&'static str),
    /// The tensor is stored whole as well.
    #[error("it is also stored whole")]
    AlsoWhole,
    /// A part has another type or rank than the format says.
    #[error("its part `{part}` is {dtype} {shape:?}")]
    PartType {
        /// The part's suffix.
        part: &'static str,
        /// The type found.
        dtype: gradus_tensor::DType,
        /// The shape found.
        shape: Vec<usize>,
    },
    /// The stored shape has a negative dimension, or more elements than the mask has bits for.
    #[error("its mask of shape {mask:?} does not belong to shape {shape:?}")]
    MaskShape {
        /// The shape of the mask.
        mask: Vec<usize>,
        /// The tensor's shape as stored.
        shape: Vec<i64>,
    },
    /// The mask's set bits do not match the stored elements.
    #[error("its mask marks {marked} elements and {stored} are stored")]
    Count {
        /// Bits that are set.
        marked: usize,
        /// Elements stored.
        stored: usize,
    },
    /// A row's offset is not where the mask says it is.
    #[error("row {row} begins at element {expected} by the mask and at {got} by its offset")]
    RowOffset {
        /// The row.
        row: usize,
        /// By the mask.
        expected: i64,
        /// As stored.
        got: i64,
    },
    /// The tensor library refused.
    #[error(transparent)]
    Tensor(#[from] gradus_tensor::Error),
}

/// The stored parts of a tensor, where they take fewer bytes than the tensor itself; `None` where they do not.
pub(crate) fn pack(name: &str, tensor: &Tensor) -> gradus_tensor::Result<Option<Vec<(String, Tensor)>>> {
    let tensor = tensor.detach().contiguous()?;
    with_element!(tensor.dtype(), T => pack_elements::<T>(name, &tensor))
}

fn pack_elements<T: Element>(
    name: &str,
    tensor: &Tensor,
) -> gradus_tensor::Result<Option<Vec<(String, Tensor)>>> {
    let elements = tensor.as_slice::<T>()?;
    let (rows, cols) = as_matrix(tensor.shape());
    let count = elements.iter().filter(|x| !is_zero(*x)).count();
    let overhead = rows * cols.div_ceil(8) + (rows + tensor.rank()) * size_of::<i64>();
    if count * size_of::<T>() + overhead >= size_of_val(elements) {
        return Ok(None);
    }
    let mut kept = Vec::with_capacity(count);
    let mut offsets = Vec::with_capacity(rows);
    let mut mask = Vec::with_capacity(rows * cols.div_ceil(8));
    for row in elements.chunks_exact(cols) {
        offsets.push(kept.len() as i64);
        kept.extend(row.iter().copied().filter(|x| !is_zero(x)));
        mask.extend(row.chunks(8).map(|eight| {
            eight
                .iter()
                .enumerate()
                .fold(0u8, |bits, (i, x)| bits | (u8::from(!is_zero(x)) << i))
        }));
    }
    let shape: Vec<i64> = tensor.shape().iter().map(|&d| d as i64).collect();
    let rank = shape.len();
    Ok(Some(vec![
        (part(name, COMPRESSED), Tensor::from_vec(kept, [count])?),
        (
            part(name, BITMASK),
            Tensor::from_vec(mask, [rows, cols.div_ceil(8)])?,
        ),
        (part(name, SHAPE), Tensor::from_vec(shape, [rank])?),
        (part(name, ROW_OFFSETS), Tensor::from_vec(offsets, [rows])?),
    ]))
}

/// Takes the four parts of `name` out of `stored` and puts the tensor in their place.
///
/// The tensor has at most eight elements for every byte of the mask, so what is allocated is bounded by the file.
pub(crate) fn unpack(name: &str, stored: &mut BTreeMap<String, Tensor>) -> Result<(), SparseProblem> {
    if stored.contains_key(name) {
        return Err(SparseProblem::AlsoWhole);
    }
    let mut take = |suffix| {
        stored
            .remove(&part(name, suffix))
            .ok_or(SparseProblem::MissingPart(suffix))
    };
    let (compressed, bitmask) = (take(COMPRESSED)?, take(BITMASK)?);
    let parts = Parts {
        compressed,
        bitmask,
        shape: take(SHAPE)?,
        offsets: take(ROW_OFFSETS)?,
    };
    let tensor = with_element!(parts.compressed.dtype(), T => parts.unpack::<T>())?;
    stored.insert(name.to_owned(), tensor);
    Ok(())
}

struct Parts {
    compressed: Tensor,
    bitmask: Tensor,
    shape: Tensor,
    offsets: Tensor,
}

impl Parts {
    fn unpack<T: Element>(&self) -> Result<Tensor, SparseProblem> {
        let kept = elements::<T>(COMPRESSED, &self.compressed, 1)?;
        let mask = elements::<u8>(BITMASK, &self.bitmask, 2)?;
        let shape = self.checked_shape(elements::<i64>(SHAPE, &self.shape, 1)?)?;
        let (rows, cols) = as_matrix(&shape);
        let offsets = elements::<i64>(ROW_OFFSETS, &self.offsets, 1)?;
        if offsets.len() != rows {
            return Err(wrong_part(ROW_OFFSETS, &self.offsets));
        }
        check_mask(mask, cols, offsets, kept.len())?;
        Ok(Tensor::build(&shape, |out: &mut [T]| {
            scatter(out, mask, cols, kept)
        }))
    }

    /// The dense shape, if the mask has exactly the bits for it.
    fn checked_shape(&self, stored: &[i64]) -> Result<Vec<usize>, SparseProblem> {
        let mask = self.bitmask.shape();
        let wrong = || SparseProblem::MaskShape {
            mask: mask.to_vec(),
            shape: stored.to_vec(),
        };
        let shape: Vec<usize> = stored
            .iter()
            .map(|&d| usize::try_from(d))
            .collect::<Result<_, _>>()
            .map_err(|_| wrong())?;
        let countable = shape
            .iter()
            .try_fold(1usize, |n, &d| n.checked_mul(d))
            .is_some_and(|n| n > 0);
        if !countable {
            return Err(wrong());
        }
        let (rows, cols) = as_matrix(&shape);
        if mask == [rows, cols.div_ceil(8)] {
            Ok(shape)
        } else {
            Err(wrong())
        }
    }
}

fn check_mask(mask: &[u8], cols: usize, offsets: &[i64], stored: usize) -> Result<(), SparseProblem> {
    let mut marked = 0;
    for (row, (bits, &got)) in mask.chunks_exact(cols.div_ceil(8)).zip(offsets).enumerate() {
        let expected = marked as i64;
        if got != expected {
            return Err(SparseProblem::RowOffset { row, expected, got });
        }
        marked += (0..cols).filter(|&col| is_marked(bits, col)).count();
    }
    if marked == stored {
        Ok(())
    } else {
        Err(SparseProblem::Count { marked, stored })
    }
}

/// Spreads the kept elements over the places that the mask marks; `check_mask` has seen that they are as many.
fn scatter<T: Element>(out: &mut [T], mask: &[u8], cols: usize, kept: &[T]) {
    let mut kept = kept.iter();
    for (row, bits) in out
        .chunks_exact_mut(cols)
        .zip(mask.chunks_exact(cols.div_ceil(8)))
    {
        for (col, x) in row.iter_mut().enumerate() {
            let next = if is_marked(bits, col) { kept.next() } else { None };
            *x = next.copied().unwrap_or(T::zeroed());
        }
    }
}

fn is_marked(row_bits: &[u8], col: usize) -> bool {
    row_bits[col / 8] >> (col % 8) & 1 == 1
}

fn elements<'a, T: Element>(
    part: &'static str,
    tensor: &'a Tensor,
    rank: usize,
) -> Result<&'a [T], SparseProblem> {
    if tensor.dtype() != T::DTYPE || tensor.rank() != rank {
        return Err(wrong_part(part, tensor));
    }
    Ok(tensor.as_slice::<T>()?)
}

fn wrong_part(part: &'static str, tensor: &Tensor) -> SparseProblem {
    SparseProblem::PartType {
        part,
        dtype: tensor.dtype(),
        shape: tensor.shape().to_vec(),
    }
}

fn part(name: &str, suffix: &str) -> String {
    format!("{name}.{suffix}")
}

fn is_zero<T: Element>(x: &T) -> bool {
    bytemuck::bytes_of(x).iter().all(|&byte| byte == 0)
}

fn as_matrix(shape: &[usize]) -> (usize, usize) {
    match shape {
        [] => (1, 1),
        [cols] => (1, *cols),
        [rows, rest @ ..] => (*rows, rest.iter().product()),
    }
}

#[cfg(test)]
mod tests;
