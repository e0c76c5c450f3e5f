//! `q8_0`: 8-bit codes around zero.

use half::f16;

use super::{Block, Unpacked, inverse, plain_bytes};
use crate::quant::BlockType;

/// 32 weights in 34 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::quant) struct Q8_0 {
    scale: [u8; 2],
    /// Two's complement.
    codes: [u8; 32],
}

plain_bytes!(Q8_0, BlockType::Q8_0);

/// Turns two's complement into codes that count from -128, and back.
const SIGN: u8 = 0x80;

impl Block for Q8_0 {
    const LEN: usize = 32;
    const GROUP: usize = 32;
    const BITS: usize = 8;
    const ZERO: u8 = 128;
    const HAS_MIN: bool = false;

    #[inline]
    fn unpack(&self, out: &mut Unpacked) {
        out.scale = f16::from_le_bytes(self.scale);
        for (code, byte) in out.codes.iter_mut().zip(self.codes) {
            *code = byte ^ SIGN;
        }
    }

    #[inline(always)]
    fn quantize(x: &[f32]) -> Self {
        let scale = x.iter().fold(0.0, |m: f32, x| m.max(x.abs())) / 127.0;
        let inverse = inverse(scale);
        Q8_0 {
            scale: f16::from_f32(scale).to_le_bytes(),
            codes: std::array::from_fn(|j| ((x[j] * inverse).round() as i8).cast_unsigned()),
        }
    }
}
