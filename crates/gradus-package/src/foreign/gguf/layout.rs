//! Tensors of a file as `transformers` lays them out: in place where both agree, copied where not.

use std::sync::Arc;

use gradus_tensor::{DType, MappedFile, Tensor};

use crate::foreign::ForeignTensor;
use crate::foreign::gguf::GgufProblem;
use crate::foreign::gguf::architecture::Layout;
use crate::foreign::gguf::header::GgufTensor;
use crate::foreign::gguf::tensor_type::GgufTensorType;
use crate::foreign::narrow::NarrowType;
use crate::safetensors::with_element;

/// Makes tensors of one file.
pub(super) struct Reader<'a> {
    pub(super) file: &'a Arc<MappedFile>,
    pub(super) heads: u64,
    pub(super) kv_heads: u64,
}

impl Reader<'_> {
    /// A tensor under its new name, in its new layout.
    ///
    /// A quantised matrix that `transformers` would transpose (those of GPT-2) keeps the layout of its blocks: its
    /// shape is `[out, in]`, as that of every other quantised matrix.
    pub(super) fn read(
        &self,
        tensor: &GgufTensor<'_>,
        name: String,
        layout: Layout,
    ) -> Result<ForeignTensor, GgufProblem> {
        let stored = self.stored(tensor, name)?;
        match layout {
            Layout::Same => Ok(stored),
            Layout::QueryRows => self.unpaired(stored, self.heads),
            Layout::KeyRows => self.unpaired(stored, self.kv_heads),
            Layout::Transposed => transposed(stored),
            Layout::Gain => shifted(stored, -1.0),
        }
    }

    /// The tensor as it lies in the file.
    pub(super) fn stored(&self, tensor: &GgufTensor<'_>, name: String) -> Result<ForeignTensor, GgufProblem> {
        let start = tensor.bytes.start;
        let bytes = || &self.file.bytes()[tensor.bytes.clone()];
        match tensor.kind {
            GgufTensorType::Plain(dtype) => {
                let held =
                    with_element!(dtype, T => Tensor::from_mapped::<T>(self.file, start, &tensor.shape));
                Ok(ForeignTensor::plain(&name, held.map_err(failed(&name))?))
            }
            GgufTensorType::I16 => Ok(ForeignTensor::plain(
                name,
                NarrowType::I16.widen(bytes(), &tensor.shape),
            )),
            GgufTensorType::I32 => Ok(ForeignTensor::plain(
                name,
                NarrowType::I32.widen(bytes(), &tensor.shape),
            )),
            GgufTensorType::Blocks(blocks) => {
                let (cols, rows) = tensor
                    .shape
                    .split_last()
                    .expect("bug: a tensor of a file has a dimension");
                let row_bytes = blocks
                    .row_bytes(*cols)
                    .expect("bug: rows were checked to be whole blocks");
                let shape: Vec<usize> = rows.iter().copied().chain([row_bytes]).collect();
                let held = Tensor::from_mapped::<u8>(self.file, start, shape).map_err(failed(&name))?;
                Ok(ForeignTensor::quantized(name, held, blocks, tensor.shape.clone()))
            }
        }
    }

    /// Takes pairs that GGUF puts beside each other apart into the two halves of each head.
    fn unpaired(&self, tensor: ForeignTensor, heads: u64) -> Result<ForeignTensor, GgufProblem> {
        permuted(tensor, heads, |head_dim, row| {
            let (half, pair) = (row / (head_dim / 2), row % (head_dim / 2));
            2 * pair + half
        })
    }
}

/// Puts the two halves of each head beside each other, pair by pair, as GGUF stores llama's queries and keys.
pub(super) fn paired(tensor: ForeignTensor, heads: u64) -> Result<ForeignTensor, GgufProblem> {
    permuted(tensor, heads, |head_dim, row| {
        let (pair, half) = (row / 2, row % 2);
        half * (head_dim / 2) + pair
    })
}

/// The tensor with the rows of each head reordered: row `r` of a head is the old row `source(head_dim, r)`. Rows of
/// blocks are whole, so quantised weights keep every bit.
fn permuted(
    tensor: ForeignTensor,
    heads: u64,
    source: impl Fn(usize, usize) -> usize,
) -> Result<ForeignTensor, GgufProblem> {
    let misfit = || GgufProblem::Heads {
        tensor: tensor.name().to_owned(),
        shape: tensor.shape().to_vec(),
        heads,
    };
    let rows = *tensor.shape().first().ok_or_else(misfit)?;
    let heads_here = usize::try_from(heads)
        .ok()
        .filter(|&heads| heads > 0)
        .ok_or_else(misfit)?;
    let head_dim = rows / heads_here;
    if head_dim * heads_here != rows || !head_dim.is_multiple_of(2) {
        return Err(misfit());
    }
    let held = tensor.tensor();
    let reordered = with_element!(held.dtype(), T => {
        let elements = held.as_slice::<T>().map_err(failed(tensor.name()))?;
        let row_len = elements.len().checked_div(rows).unwrap_or(0);
        Tensor::build(held.shape(), |out: &mut [T]| {
            for (at, out) in out.chunks_exact_mut(row_len.max(1)).enumerate() {
                let from = at / head_dim * head_dim + source(head_dim, at % head_dim);
                out.copy_from_slice(&elements[from * row_len..(from + 1) * row_len]);
            }
        })
    });
    Ok(tensor.with_tensor(reordered))
}

/// A matrix with its axes exchanged; biases and quantised matrices as they are.
pub(super) fn transposed(tensor: ForeignTensor) -> Result<ForeignTensor, GgufProblem> {
    if tensor.shape().len() != 2 || tensor.block_type().is_some() {
        return Ok(tensor);
    }
    let turned = tensor.tensor().t().and_then(|turned| turned.contiguous());
    let turned = turned.map_err(failed(tensor.name()))?;
    Ok(ForeignTensor::plain(tensor.name(), turned))
}

/// A gain in f32 with a number added.
pub(super) fn shifted(tensor: ForeignTensor, by: f32) -> Result<ForeignTensor, GgufProblem> {
    let wide = tensor.to_f32().map_err(failed(tensor.name()))?;
    let gains = wide.as_slice::<f32>().map_err(failed(tensor.name()))?;
    let shifted = Tensor::build(wide.shape(), |out: &mut [f32]| {
        for (out, gain) in out.iter_mut().zip(gains) {
            *out = gain + by;
        }
    });
    debug_assert_eq!(shifted.dtype(), DType::F32);
    Ok(ForeignTensor::plain(tensor.name(), shifted))
}

fn failed(name: &str) -> impl FnOnce(gradus_tensor::Error) -> GgufProblem {
    move |source| GgufProblem::Tensor {
        tensor: name.to_owned(),
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_apart_and_together_again() {
        // Two heads of six rows; each row holds its own number twice.
        let rows: Vec<f32> = (0..12).flat_map(|row| [row as f32; 2]).collect();
        let halves = ForeignTensor::plain("q", Tensor::from_vec(rows.clone(), [12, 2]).unwrap());
        let pairs = paired(halves, 2).unwrap();
        let first: Vec<f32> = pairs
            .tensor()
            .to_vec::<f32>()
            .unwrap()
            .into_iter()
            .step_by(2)
            .collect();
        assert_eq!(
            first,
            [0.0, 3.0, 1.0, 4.0, 2.0, 5.0, 6.0, 9.0, 7.0, 10.0, 8.0, 11.0]
        );
        let file = MappedFile::open(std::path::Path::new(env!("CARGO_MANIFEST_PATH"))).unwrap();
        let reader = Reader {
            file: &file,
            heads: 2,
            kv_heads: 1,
        };
        let back = reader.unpaired(pairs, 2).unwrap();
        assert_eq!(back.tensor().to_vec::<f32>().unwrap(), rows);
        for heads in [0, 4, 5, u64::MAX] {
            assert!(paired(back.clone(), heads).is_err(), "{heads}");
        }
    }
}
