//! `q2_k`: 2-bit codes with a 4-bit scale and a 4-bit min for each 16.

use half::f16;

use super::{Block, Unpacked, maximum, plain_bytes};
use crate::quant::BlockType;
use crate::quant::search::{SideBySide, Steps, affine, in_a_row, nearest, side_by_side};

/// 256 weights in 84 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::quant) struct Q2K {
    /// For each group, the scale (low nibble) and the min (high nibble).
    scales: [u8; 16],
    /// Byte `32 h + l` holds the codes `128 h + l + 32 s` at bits `2 s`.
    pairs: [u8; 64],
    scale: [u8; 2],
    min: [u8; 2],
}

plain_bytes!(Q2K, BlockType::Q2K);

const STEPS: Steps = Steps {
    first: -0.5,
    step: 0.1,
    count: 15,
    absolute: true,
};

/// The largest 4-bit number.
const MAX_SCALE: f32 = 15.0;

impl Block for Q2K {
    const LEN: usize = 256;
    const GROUP: usize = 16;
    const BITS: usize = 2;
    const ZERO: u8 = 0;
    const HAS_MIN: bool = true;

    #[inline]
    fn unpack(&self, out: &mut Unpacked) {
        out.scale = f16::from_le_bytes(self.scale);
        out.min = f16::from_le_bytes(self.min);
        for (g, byte) in self.scales.into_iter().enumerate() {
            out.group_scales[g] = (byte & 15) as i8;
            out.group_mins[g] = byte >> 4;
        }
        unpack_pairs(&mut out.codes, &self.pairs);
    }

    #[inline(always)]
    fn quantize(x: &[f32]) -> Self {
        let (mut codes, mut side) = ([0; 256], [[0.0; 16]; 16]);
        let x_side: SideBySide<16, 16> = side_by_side(x);
        let weights = x_side.map(|lanes| lanes.map(f32::abs));
        let groups = affine(&x_side, &weights, 3, &STEPS, &mut side);
        in_a_row(&mut codes, &side);
        let (max_scale, max_min) = (maximum(&groups.scales), maximum(&groups.mins));
        let mut scales = [0; 16];
        if max_scale > 0.0 {
            let inverse = MAX_SCALE / max_scale;
            for (packed, group) in scales.iter_mut().zip(&groups.scales) {
                *packed = nearest(inverse * group) as u8;
            }
        }
        if max_min > 0.0 {
            let inverse = MAX_SCALE / max_min;
            for (packed, group) in scales.iter_mut().zip(&groups.mins) {
                *packed |= (nearest(inverse * group) << 4) as u8;
            }
        }
        let or_zero = |max: f32| f16::from_f32(if max > 0.0 { max / MAX_SCALE } else { 0.0 });
        let (scale, min) = (or_zero(max_scale), or_zero(max_min));
        for (g, packed) in scales.iter().enumerate() {
            let group_scale = scale.to_f32() * f32::from(packed & 15);
            if group_scale == 0.0 {
                continue;
            }
            let group_min = min.to_f32() * f32::from(packed >> 4);
            for (code, x) in codes[g * 16..][..16].iter_mut().zip(&x[g * 16..]) {
                *code = nearest((x + group_min) / group_scale).clamp(0, 3) as u8;
            }
        }
        Q2K {
            scales,
            pairs: pack_pairs(&codes),
            scale: scale.to_le_bytes(),
            min: min.to_le_bytes(),
        }
    }
}

/// 2-bit codes from four to a byte.
#[inline]
pub(super) fn unpack_pairs(codes: &mut [u8; 256], pairs: &[u8; 64]) {
    for (codes, pairs) in codes.chunks_exact_mut(128).zip(pairs.chunks_exact(32)) {
        for (s, codes) in codes.chunks_exact_mut(32).enumerate() {
            for (code, pair) in codes.iter_mut().zip(pairs) {
                *code = pair >> (2 * s) & 3;
            }
        }
    }
}

/// The inverse of [`unpack_pairs`], for the low two bits of each code.
pub(super) fn pack_pairs(codes: &[u8; 256]) -> [u8; 64] {
    std::array::from_fn(|i| {
        let first = i / 32 * 128 + i % 32;
        (0..4).fold(0, |byte, s| byte | (codes[first + 32 * s] & 3) << (2 * s))
    })
}
