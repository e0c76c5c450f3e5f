//! `q5_1`: 5-bit codes between a smallest and a largest weight.

use half::f16;

use super::q5_0::{pack_codes, unpack_codes};
use super::{Block, Unpacked, inverse, plain_bytes, range};
use crate::quant::BlockType;

/// 32 weights in 24 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::quant) struct Q5_1 {
    scale: [u8; 2],
    /// The smallest weight.
    low: [u8; 2],
    /// Codes as in `q5_0`.
    fifth: [u8; 4],
    nibbles: [u8; 16],
}

plain_bytes!(Q5_1, BlockType::Q5_1);

impl Block for Q5_1 {
    const LEN: usize = 32;
    const GROUP: usize = 32;
    const BITS: usize = 5;
    const ZERO: u8 = 0;
    const HAS_MIN: bool = true;

    #[inline]
    fn unpack(&self, out: &mut Unpacked) {
        out.scale = f16::from_le_bytes(self.scale);
        out.min = -f16::from_le_bytes(self.low);
        unpack_codes(out, self.fifth, &self.nibbles);
    }

    #[inline(always)]
    fn quantize(x: &[f32]) -> Self {
        let (low, high) = range(x);
        let scale = (high - low) / 31.0;
        let inverse = inverse(scale);
        let (fifth, nibbles) = pack_codes(|j| ((x[j] - low) * inverse + 0.5) as u8);
        Q5_1 {
            scale: f16::from_f32(scale).to_le_bytes(),
            low: f16::from_f32(low).to_le_bytes(),
            fifth,
            nibbles,
        }
    }
}
