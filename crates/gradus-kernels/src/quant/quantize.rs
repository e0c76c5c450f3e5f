//! From f32 to blocks.

use super::BlockType;
use super::blocks::{Block, for_block, quantize_blocks};
use crate::pool::parallel_chunks_mut;

/// Weights that a thread takes at a time: at least some 10 µs of work, and whole blocks of every format.
const CHUNK: usize = 4 * 1024;

/// Fills `blocks` from the weights `x`, as ggml's reference quantisers (`quantize_row_*_ref`) do: the same bytes as
/// their source gives in plain IEEE f32.
///
/// The ends of the f32 range are outside of what the formats hold: scales past 65504 become infinite, as in ggml. NaN gives codes
/// of no meaning.
///
/// # Panics
/// If `blocks` are not as many whole blocks as `x` needs.
pub fn quantize(blocks: &mut [u8], x: &[f32], ty: BlockType) {
    assert_eq!(
        Some(blocks.len()),
        ty.row_bytes(x.len()),
        "quant: {} weights of {ty} need another number of bytes",
        x.len()
    );
    for_block!(ty, B => {
        let blocks: &mut [B] = bytemuck::cast_slice_mut(blocks);
        parallel_chunks_mut(blocks, CHUNK / B::LEN, |chunk, blocks| {
            quantize_blocks(blocks, &x[chunk * CHUNK..][..blocks.len() * B::LEN]);
        });
    });
}
