//! `q4_k`: 4-bit codes with a 6-bit scale and a 6-bit min for each 32.

use half::f16;

use super::packed_scales;
use super::{Block, Unpacked, maximum, plain_bytes};
use crate::quant::BlockType;
use crate::quant::search::{SideBySide, Steps, affine, in_a_row, nearest, side_by_side};

/// 256 weights in 144 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::quant) struct Q4K {
    scale: [u8; 2],
    min: [u8; 2],
    scales: [u8; 12],
    /// Byte `32 p + l` holds code `64 p + l` (low) and code `64 p + l + 32` (high).
    nibbles: [u8; 128],
}

plain_bytes!(Q4K, BlockType::Q4K);

const STEPS: Steps = Steps {
    first: -1.0,
    step: 0.1,
    count: 20,
    absolute: false,
};

impl Block for Q4K {
    const LEN: usize = 256;
    const GROUP: usize = 32;
    const BITS: usize = 4;
    const ZERO: u8 = 0;
    const HAS_MIN: bool = true;

    #[inline]
    fn unpack(&self, out: &mut Unpacked) {
        out.scale = f16::from_le_bytes(self.scale);
        out.min = f16::from_le_bytes(self.min);
        unpack_scales(out, &self.scales);
        unpack_nibbles(&mut out.codes, &self.nibbles);
    }

    #[inline(always)]
    fn quantize(x: &[f32]) -> Self {
        let Groups {
            codes,
            scales,
            scale,
            min,
        } = groups(x, 15, &STEPS);
        Q4K {
            scale: scale.to_le_bytes(),
            min: min.to_le_bytes(),
            scales,
            nibbles: pack_nibbles(&codes),
        }
    }
}

/// What a block of eight affine groups is made of.
pub(super) struct Groups {
    pub(super) codes: [u8; 256],
    pub(super) scales: [u8; 12],
    pub(super) scale: f16,
    pub(super) min: f16,
}

/// The largest 6-bit number.
const MAX_SCALE: f32 = 63.0;

/// Quantises a block with codes in `0..=limit`; errors are weighted by the magnitude plus its root mean square.
#[inline(always)]
pub(super) fn groups(x: &[f32], limit: i32, steps: &Steps) -> Groups {
    let (mut codes, mut side) = ([0; 256], [[0.0; 8]; 32]);
    let x_side: SideBySide<8, 32> = side_by_side(x);
    let mut mean = [0.0_f32; 8];
    for lanes in &x_side {
        mean.iter_mut().zip(lanes).for_each(|(sum, x)| *sum += x * x);
    }
    let mean = mean.map(|sum| (sum / 32.0).sqrt());
    let weights = x_side.map(|lanes| std::array::from_fn(|g| mean[g] + lanes[g].abs()));
    let groups = affine(&x_side, &weights, limit, steps, &mut side);
    in_a_row(&mut codes, &side);
    let (max_scale, max_min) = (maximum(&groups.scales), maximum(&groups.mins));
    let or_zero = |max: f32| if max > 0.0 { MAX_SCALE / max } else { 0.0 };
    let (inverse_scale, inverse_min) = (or_zero(max_scale), or_zero(max_min));
    let mut scales = [0; 12];
    for g in 0..8 {
        // Through a byte first: the reference takes a negative scale for a large one.
        let stored = |x: f32| (nearest(x) as u8).min(63);
        let (scale, min) = (
            stored(inverse_scale * groups.scales[g]),
            stored(inverse_min * groups.mins[g]),
        );
        packed_scales::set(&mut scales, g, scale, min);
    }
    let (scale, min) = (
        f16::from_f32(max_scale / MAX_SCALE),
        f16::from_f32(max_min / MAX_SCALE),
    );
    for g in 0..8 {
        let (group_scale, group_min) = packed_scales::get(&scales, g);
        let group_scale = scale.to_f32() * f32::from(group_scale);
        if group_scale == 0.0 {
            continue;
        }
        let group_min = min.to_f32() * f32::from(group_min);
        for (code, x) in codes[g * 32..][..32].iter_mut().zip(&x[g * 32..]) {
            *code = nearest((x + group_min) / group_scale).clamp(0, limit) as u8;
        }
    }
    Groups {
        codes,
        scales,
        scale,
        min,
    }
}

/// Scales and mins of eight groups.
#[inline]
pub(super) fn unpack_scales(out: &mut Unpacked, scales: &[u8; 12]) {
    for g in 0..8 {
        let (scale, min) = packed_scales::get(scales, g);
        (out.group_scales[g], out.group_mins[g]) = (scale as i8, min);
    }
}

/// Codes from two to a byte.
#[inline]
pub(super) fn unpack_nibbles(codes: &mut [u8; 256], nibbles: &[u8; 128]) {
    for (codes, nibbles) in codes.chunks_exact_mut(64).zip(nibbles.chunks_exact(32)) {
        let (low, high) = codes.split_at_mut(32);
        for ((low, high), byte) in low.iter_mut().zip(high).zip(nibbles) {
            (*low, *high) = (byte & 15, byte >> 4);
        }
    }
}

/// The inverse of [`unpack_nibbles`], for the low four bits of each code.
pub(super) fn pack_nibbles(codes: &[u8; 256]) -> [u8; 128] {
    std::array::from_fn(|i| {
        let first = i / 32 * 64 + i % 32;
        codes[first] & 15 | codes[first + 32] << 4
    })
}
