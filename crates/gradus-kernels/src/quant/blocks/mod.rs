//! The blocks themselves, one format a file: where their bits lie, and how the reference quantiser fills them.
//!
//! Each format unpacks to the same [`Unpacked`] form, from which weights are computed and matrices are repacked.
//! The layouts and the quantisers are those of ggml (`ggml-common.h`, the `quantize_row_*_ref` of `ggml-quants.c`) as
//! plain IEEE f32 computes them: every product and sum rounded, no contraction to fused operations.

mod packed_scales;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;

use half::f16;
pub(super) use q2_k::Q2K;
pub(super) use q3_k::Q3K;
pub(super) use q4_0::Q4_0;
pub(super) use q4_1::Q4_1;
pub(super) use q4_k::Q4K;
pub(super) use q5_0::Q5_0;
pub(super) use q5_1::Q5_1;
pub(super) use q5_k::Q5K;
pub(super) use q6_k::Q6K;
pub(super) use q8_0::Q8_0;

use crate::vectorize::vectorize;

/// Weights in the longest block.
pub(super) const MAX_LEN: usize = 256;

/// Groups in the block with the most of them.
pub(super) const MAX_GROUPS: usize = 16;

/// The numbers that a block is made of. A weight is
/// `scale * group_scales[g] * (code - zero) - min * group_mins[g]`, products taken from the left in f32.
#[derive(Clone, Debug)]
pub(super) struct Unpacked {
    /// Unsigned codes in the order of the weights.
    pub(super) codes: [u8; MAX_LEN],
    /// Scale of the block.
    pub(super) scale: f16,
    /// Min of the block; zero for formats without one.
    pub(super) min: f16,
    /// What the block's scale is multiplied by in each group; 1 for formats with one group.
    pub(super) group_scales: [i8; MAX_GROUPS],
    /// The same for the min.
    pub(super) group_mins: [u8; MAX_GROUPS],
}

impl Unpacked {
    pub(super) const EMPTY: Unpacked = Unpacked {
        codes: [0; MAX_LEN],
        scale: f16::ZERO,
        min: f16::ZERO,
        group_scales: [1; MAX_GROUPS],
        group_mins: [1; MAX_GROUPS],
    };
}

/// A block as it lies in a file.
pub(super) trait Block: bytemuck::Pod + Send + Sync {
    /// Weights in the block.
    const LEN: usize;
    /// Weights that share a scale.
    const GROUP: usize;
    /// Bits of a code.
    const BITS: usize;
    /// The code of zero (of the min, in formats that have one).
    const ZERO: u8;
    /// Whether groups have a min.
    const HAS_MIN: bool;

    /// Takes the block apart. Fields of `out` that the format does not have keep the values of [`Unpacked::EMPTY`].
    fn unpack(&self, out: &mut Unpacked);

    /// The reference quantiser; `x` has `LEN` elements.
    fn quantize(x: &[f32]) -> Self;
}

/// Declares that a struct of bytes is plain data of a given size.
macro_rules! plain_bytes {
    ($block:ty, $ty:expr) => {
        const _: () = assert!(size_of::<$block>() == $ty.block_bytes() && align_of::<$block>() == 1);
        // SAFETY: a struct of arrays of bytes; all-zero bytes are one of its values.
        unsafe impl bytemuck::Zeroable for $block {}
        // SAFETY: `repr(C)`, alignment 1, so no padding (the size is asserted); every bit pattern is valid; `Copy`.
        unsafe impl bytemuck::Pod for $block {}
    };
}
use plain_bytes;

/// Evaluates an expression with `$block` naming the struct of a [`BlockType`](super::BlockType).
macro_rules! for_block {
    ($ty:expr, $block:ident => $body:expr) => {
        match $ty {
            $crate::quant::BlockType::Q4_0 => {
                type $block = $crate::quant::blocks::Q4_0;
                $body
            }
            $crate::quant::BlockType::Q4_1 => {
                type $block = $crate::quant::blocks::Q4_1;
                $body
            }
            $crate::quant::BlockType::Q5_0 => {
                type $block = $crate::quant::blocks::Q5_0;
                $body
            }
            $crate::quant::BlockType::Q5_1 => {
                type $block = $crate::quant::blocks::Q5_1;
                $body
            }
            $crate::quant::BlockType::Q8_0 => {
                type $block = $crate::quant::blocks::Q8_0;
                $body
            }
            $crate::quant::BlockType::Q2K => {
                type $block = $crate::quant::blocks::Q2K;
                $body
            }
            $crate::quant::BlockType::Q3K => {
                type $block = $crate::quant::blocks::Q3K;
                $body
            }
            $crate::quant::BlockType::Q4K => {
                type $block = $crate::quant::blocks::Q4K;
                $body
            }
            $crate::quant::BlockType::Q5K => {
                type $block = $crate::quant::blocks::Q5K;
                $body
            }
            $crate::quant::BlockType::Q6K => {
                type $block = $crate::quant::blocks::Q6K;
                $body
            }
        }
    };
}
pub(super) use for_block;

/// The weights of a block, `B::LEN` of them.
#[inline(always)]
pub(super) fn weights<B: Block>(out: &mut [f32], unpacked: &Unpacked) {
    let (scale, min) = (unpacked.scale.to_f32(), unpacked.min.to_f32());
    let groups = out
        .chunks_exact_mut(B::GROUP)
        .zip(unpacked.codes.chunks_exact(B::GROUP));
    for (g, (out, codes)) in groups.enumerate() {
        let scale = scale * f32::from(unpacked.group_scales[g]);
        let min = min * f32::from(unpacked.group_mins[g]);
        for (w, &code) in out.iter_mut().zip(codes) {
            let product = scale * (i32::from(code) - i32::from(B::ZERO)) as f32;
            // Without a min nothing is subtracted: -0 stays -0.
            *w = if B::HAS_MIN { product - min } else { product };
        }
    }
}

vectorize! {
    /// Weights of whole blocks.
    pub(super) fn dequantize_blocks[B: Block](out: &mut [f32], blocks: &[B]) {
        let mut unpacked = Unpacked::EMPTY;
        for (out, block) in out.chunks_exact_mut(B::LEN).zip(blocks) {
            block.unpack(&mut unpacked);
            weights::<B>(out, &unpacked);
        }
    }
}

vectorize! {
    /// Fills whole blocks from their weights.
    pub(super) fn quantize_blocks[B: Block](blocks: &mut [B], x: &[f32]) {
        for (block, x) in blocks.iter_mut().zip(x.chunks_exact(B::LEN)) {
            *block = B::quantize(x);
        }
    }
}

/// The element of largest magnitude (the first of them), with its sign; 0 for no elements or NaN alone.
pub(super) fn largest(x: &[f32]) -> f32 {
    let mut largest = 0.0_f32;
    for &x in x {
        if largest.abs() < x.abs() {
            largest = x;
        }
    }
    largest
}

/// The smallest and the largest element, which start from the ends of the range as ggml's do.
fn range(x: &[f32]) -> (f32, f32) {
    let (mut low, mut high) = (f32::MAX, -f32::MAX);
    for &x in x {
        if x < low {
            low = x;
        }
        if x > high {
            high = x;
        }
    }
    (low, high)
}

/// The largest element, or 0 if none is positive.
fn maximum(x: &[f32]) -> f32 {
    x.iter().fold(0.0, |max, &x| if x > max { x } else { max })
}

/// 1 / x, or 0 for 0.
fn inverse(x: f32) -> f32 {
    if x == 0.0 { 0.0 } else { 1.0 / x }
}
