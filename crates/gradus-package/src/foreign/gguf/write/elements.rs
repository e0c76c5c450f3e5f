//! A tensor's elements in another type, piece by piece.

use std::io::Write;
use std::path::Path;

use gradus_kernels::quant::{dequantize, quantize};
use gradus_tensor::{DType, Tensor, bf16, f16};

use crate::error::{Error, Result};
use crate::foreign::ForeignTensor;
use crate::foreign::gguf::tensor_type::GgufTensorType;
use crate::safetensors::with_element;

/// Weights converted at a time: 16 MiB of f32, which keeps the processors busy and memory flat.
const PIECE: usize = 1 << 22;

/// Writes the elements as `kind` and returns the bytes that took. Rows of blocks are whole.
pub(super) fn write(
    out: &mut impl Write,
    path: &Path,
    tensor: &ForeignTensor,
    kind: GgufTensorType,
) -> Result<u64> {
    let held = tensor
        .tensor()
        .detach()
        .contiguous()
        .map_err(Error::tensor(tensor.name()))?;
    let same = match (tensor.block_type(), kind) {
        (Some(held), GgufTensorType::Blocks(wanted)) => held == wanted,
        (None, GgufTensorType::Plain(wanted)) => held.dtype() == wanted,
        (_, _) => false,
    };
    if same {
        return with_element!(held.dtype(), T => {
            let elements = held.as_slice::<T>().map_err(Error::tensor(tensor.name()))?;
            let bytes: &[u8] = bytemuck::cast_slice(elements);
            out.write_all(bytes).map_err(Error::io("write", path))?;
            Ok(bytes.len() as u64)
        });
    }
    let cols = tensor.shape().last().copied().unwrap_or(1).max(1);
    let rows = tensor.shape().iter().product::<usize>() / cols;
    let rows_at_once = (PIECE / cols).max(1);
    let (mut written, mut first) = (0, 0);
    while first < rows {
        let count = rows_at_once.min(rows - first);
        let piece = wide(tensor, &held, first * cols, count * cols)?;
        let bytes = narrowed(&piece, kind);
        out.write_all(&bytes).map_err(Error::io("write", path))?;
        written += bytes.len() as u64;
        first += count;
    }
    Ok(written)
}

/// Some weights as f32. They begin and end at whole rows.
fn wide(tensor: &ForeignTensor, held: &Tensor, first: usize, count: usize) -> Result<Vec<f32>> {
    let mut out = vec![0.0f32; count];
    match tensor.block_type() {
        Some(blocks) => {
            let bytes = held.as_slice::<u8>().map_err(Error::tensor(tensor.name()))?;
            let at = |weight: usize| weight / blocks.block_len() * blocks.block_bytes();
            dequantize(&mut out, &bytes[at(first)..at(first + count)], blocks);
        }
        None => with_element!(held.dtype(), T => {
            let elements = held.as_slice::<T>().map_err(Error::tensor(tensor.name()))?;
            for (out, &element) in out.iter_mut().zip(&elements[first..first + count]) {
                *out = gradus_tensor::Element::to_f64(element) as f32;
            }
        }),
    }
    Ok(out)
}

fn narrowed(piece: &[f32], kind: GgufTensorType) -> Vec<u8> {
    match kind {
        GgufTensorType::Blocks(blocks) => {
            let bytes = blocks
                .row_bytes(piece.len())
                .expect("bug: a type was chosen that fits the rows");
            let mut out = vec![0; bytes];
            quantize(&mut out, piece, blocks);
            out
        }
        GgufTensorType::Plain(DType::F16) => piece
            .iter()
            .flat_map(|&x| f16::from_f32(x).to_le_bytes())
            .collect(),
        GgufTensorType::Plain(DType::BF16) => piece
            .iter()
            .flat_map(|&x| bf16::from_f32(x).to_le_bytes())
            .collect(),
        GgufTensorType::Plain(_) | GgufTensorType::I16 | GgufTensorType::I32 => {
            piece.iter().flat_map(|x| x.to_le_bytes()).collect()
        }
    }
}
