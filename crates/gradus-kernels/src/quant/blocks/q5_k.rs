//! `q5_k`: 5-bit codes with a 6-bit scale and a 6-bit min for each 32.

use half::f16;

use super::q4_k::{Groups, groups, pack_nibbles, unpack_nibbles, unpack_scales};
use super::{Block, Unpacked, plain_bytes};
use crate::quant::BlockType;
use crate::quant::search::Steps;

/// 256 weights in 176 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::quant) struct Q5K {
    scale: [u8; 2],
    min: [u8; 2],
    scales: [u8; 12],
    /// Bit `i / 32` of byte `i % 32` is the fifth bit of code `i`.
    fifth: [u8; 32],
    /// The low four bits, as in `q4_k`.
    nibbles: [u8; 128],
}

plain_bytes!(Q5K, BlockType::Q5K);

const STEPS: Steps = Steps {
    first: -0.5,
    step: 0.1,
    count: 15,
    absolute: false,
};

impl Block for Q5K {
    const LEN: usize = 256;
    const GROUP: usize = 32;
    const BITS: usize = 5;
    const ZERO: u8 = 0;
    const HAS_MIN: bool = true;

    #[inline]
    fn unpack(&self, out: &mut Unpacked) {
        out.scale = f16::from_le_bytes(self.scale);
        out.min = f16::from_le_bytes(self.min);
        unpack_scales(out, &self.scales);
        unpack_nibbles(&mut out.codes, &self.nibbles);
        for (bit, codes) in out.codes.chunks_exact_mut(32).enumerate() {
            for (code, fifth) in codes.iter_mut().zip(self.fifth) {
                *code |= (fifth >> bit & 1) << 4;
            }
        }
    }

    #[inline(always)]
    fn quantize(x: &[f32]) -> Self {
        let Groups {
            codes,
            scales,
            scale,
            min,
        } = groups(x, 31, &STEPS);
        Q5K {
            scale: scale.to_le_bytes(),
            min: min.to_le_bytes(),
            scales,
            fifth: std::array::from_fn(|i| {
                (0..8).fold(0, |byte, bit| byte | codes[32 * bit + i] >> 4 << bit)
            }),
            nibbles: pack_nibbles(&codes),
        }
    }
}
