//! `q3_k`: 3-bit codes around zero with a 6-bit scale for each 16.

use half::f16;

use super::q2_k::{pack_pairs, unpack_pairs};
use super::{Block, Unpacked, plain_bytes};
use crate::quant::BlockType;
use crate::quant::search::{nearest, refined};

/// 256 weights in 110 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::quant) struct Q3K {
    /// Bit `i / 32` of byte `i % 32` is the third bit of code `i`.
    third: [u8; 32],
    /// The low two bits, as in `q2_k`.
    pairs: [u8; 64],
    /// Scales plus 32: the low four bits of group `g` in nibble `g / 8` of byte `g % 8`, the high two at bits
    /// `2 (g / 4)` of byte `8 + g % 4`.
    scales: [u8; 12],
    scale: [u8; 2],
}

plain_bytes!(Q3K, BlockType::Q3K);

/// What is added to the scale of a group to store it.
const SCALE_BIAS: i32 = 32;

impl Block for Q3K {
    const LEN: usize = 256;
    const GROUP: usize = 16;
    const BITS: usize = 3;
    const ZERO: u8 = 4;
    const HAS_MIN: bool = false;

    #[inline]
    fn unpack(&self, out: &mut Unpacked) {
        out.scale = f16::from_le_bytes(self.scale);
        for (g, scale) in out.group_scales.iter_mut().enumerate() {
            *scale = group_scale(&self.scales, g);
        }
        unpack_pairs(&mut out.codes, &self.pairs);
        for (bit, codes) in out.codes.chunks_exact_mut(32).enumerate() {
            for (code, third) in codes.iter_mut().zip(self.third) {
                *code |= (third >> bit & 1) << 2;
            }
        }
    }

    #[inline(always)]
    fn quantize(x: &[f32]) -> Self {
        let mut codes = [0; 256];
        let groups: [f32; 16] =
            std::array::from_fn(|g| refined(&x[g * 16..][..16], 4, &mut codes[g * 16..][..16]));
        let largest = super::largest(&groups);
        let (mut scales, mut scale) = ([0; 12], f16::ZERO);
        if largest != 0.0 {
            let inverse = -(SCALE_BIAS as f32) / largest;
            for (g, group) in groups.iter().enumerate() {
                let stored = nearest(inverse * group).clamp(-SCALE_BIAS, SCALE_BIAS - 1) + SCALE_BIAS;
                scales[g % 8] |= (stored as u8 & 15) << (g / 8 * 4);
                scales[8 + g % 4] |= (stored as u8 >> 4) << (g / 4 * 2);
            }
            scale = f16::from_f32(1.0 / inverse);
        }
        for g in 0..16 {
            let group_scale = scale.to_f32() * f32::from(group_scale(&scales, g));
            if group_scale == 0.0 {
                continue;
            }
            for (code, x) in codes[g * 16..][..16].iter_mut().zip(&x[g * 16..]) {
                *code = (nearest(x / group_scale).clamp(-4, 3) + 4) as u8;
            }
        }
        Q3K {
            third: std::array::from_fn(|i| {
                (0..8).fold(0, |byte, bit| byte | codes[32 * bit + i] >> 2 << bit)
            }),
            pairs: pack_pairs(&codes),
            scales,
            scale: scale.to_le_bytes(),
        }
    }
}

#[inline]
fn group_scale(scales: &[u8; 12], g: usize) -> i8 {
    let low = scales[g % 8] >> (g / 8 * 4) & 15;
    let high = scales[8 + g % 4] >> (g / 4 * 2) & 3;
    (i32::from(low | high << 4) - SCALE_BIAS) as i8
}
