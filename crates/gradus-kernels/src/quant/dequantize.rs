//! From blocks to f32.

use super::BlockType;
use super::blocks::{Block, dequantize_blocks, for_block};
use crate::pool::parallel_chunks_mut;

/// Weights that a thread takes at a time: 64 KiB of f32, some 10 µs of work, and whole blocks of every format.
const CHUNK: usize = 16 * 1024;

/// Computes the weights of `blocks`: the same bits as ggml's `dequantize_row_*`.
///
/// # Panics
/// If `blocks` are not as many whole blocks as `out` needs.
///
/// ```
/// use gradus_kernels::quant::{BlockType, dequantize, quantize};
/// let x: Vec<f32> = (-16..16).map(|x| x as f32).collect();
/// let (mut blocks, mut back) = ([0; 18], [0.0; 32]);
/// quantize(&mut blocks, &x, BlockType::Q4_0);
/// dequantize(&mut back, &blocks, BlockType::Q4_0);
/// assert_eq!((back[0], back[16], back[31]), (-16.0, 0.0, 14.0));
/// ```
pub fn dequantize(out: &mut [f32], blocks: &[u8], ty: BlockType) {
    assert_eq!(
        Some(blocks.len()),
        ty.row_bytes(out.len()),
        "quant: {} weights of {ty} need another number of bytes",
        out.len()
    );
    for_block!(ty, B => {
        let blocks: &[B] = bytemuck::cast_slice(blocks);
        parallel_chunks_mut(out, CHUNK, |chunk, out| {
            let first = chunk * (CHUNK / B::LEN);
            dequantize_blocks(out, &blocks[first..first + out.len() / B::LEN]);
        });
    });
}
