//! `q6_k`: 6-bit codes around zero with an 8-bit scale for each 16.

use half::f16;

use super::{Block, Unpacked, plain_bytes};
use crate::quant::BlockType;
use crate::quant::search::{SMALLEST, in_a_row, nearest, side_by_side, symmetric};

/// 256 weights in 210 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::quant) struct Q6K {
    /// In each half `h` of the block, byte `64 h + l` holds the low four bits of codes `128 h + l` (low) and `+ 64` (high).
    nibbles: [u8; 128],
    /// Byte `32 h + l` holds the high two bits of the codes `128 h + l + 32 s` at bits `2 s`.
    pairs: [u8; 64],
    scales: [i8; 16],
    scale: [u8; 2],
}

plain_bytes!(Q6K, BlockType::Q6K);

impl Block for Q6K {
    const LEN: usize = 256;
    const GROUP: usize = 16;
    const BITS: usize = 6;
    const ZERO: u8 = 32;
    const HAS_MIN: bool = false;

    #[inline]
    fn unpack(&self, out: &mut Unpacked) {
        out.scale = f16::from_le_bytes(self.scale);
        out.group_scales = self.scales;
        let halves = self.nibbles.chunks_exact(64).zip(self.pairs.chunks_exact(32));
        for (codes, (nibbles, pairs)) in out.codes.chunks_exact_mut(128).zip(halves) {
            for (s, codes) in codes.chunks_exact_mut(32).enumerate() {
                let nibbles = &nibbles[s % 2 * 32..][..32];
                for ((code, nibble), pair) in codes.iter_mut().zip(nibbles).zip(pairs) {
                    *code = nibble >> (s / 2 * 4) & 15 | (pair >> (2 * s) & 3) << 4;
                }
            }
        }
    }

    #[inline(always)]
    fn quantize(x: &[f32]) -> Self {
        let (mut codes, mut side) = ([0; 256], [[0.0; 16]; 16]);
        let groups = symmetric::<16, 16>(&side_by_side(x), 32, &mut side);
        in_a_row(&mut codes, &side);
        let largest = super::largest(&groups);
        if largest.abs() < SMALLEST {
            return bytemuck::Zeroable::zeroed();
        }
        let inverse = -128.0 / largest;
        let scale = f16::from_f32(1.0 / inverse);
        let scales = groups.map(|group| nearest(inverse * group).min(127) as i8);
        for (g, &group_scale) in scales.iter().enumerate() {
            let group_scale = scale.to_f32() * f32::from(group_scale);
            if group_scale == 0.0 {
                continue;
            }
            for (code, x) in codes[g * 16..][..16].iter_mut().zip(&x[g * 16..]) {
                *code = (nearest(x / group_scale).clamp(-32, 31) + 32) as u8;
            }
        }
        Q6K {
            nibbles: std::array::from_fn(|i| {
                let first = i / 64 * 128 + i % 64;
                codes[first] & 15 | codes[first + 64] << 4
            }),
            pairs: std::array::from_fn(|i| {
                let first = i / 32 * 128 + i % 32;
                (0..4).fold(0, |byte, s| byte | codes[first + 32 * s] >> 4 << (2 * s))
            }),
            scales,
            scale: scale.to_le_bytes(),
        }
    }
}
