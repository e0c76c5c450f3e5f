//! `q4_1`: 4-bit codes between a smallest and a largest weight.

use half::f16;

use super::{Block, Unpacked, inverse, plain_bytes, range};
use crate::quant::BlockType;

/// 32 weights in 20 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::quant) struct Q4_1 {
    scale: [u8; 2],
    /// The smallest weight.
    low: [u8; 2],
    /// Byte `j` holds code `j` (low) and code `j + 16` (high).
    nibbles: [u8; 16],
}

plain_bytes!(Q4_1, BlockType::Q4_1);

impl Block for Q4_1 {
    const LEN: usize = 32;
    const GROUP: usize = 32;
    const BITS: usize = 4;
    const ZERO: u8 = 0;
    const HAS_MIN: bool = true;

    #[inline]
    fn unpack(&self, out: &mut Unpacked) {
        out.scale = f16::from_le_bytes(self.scale);
        out.min = -f16::from_le_bytes(self.low);
        for (j, byte) in self.nibbles.iter().enumerate() {
            out.codes[j] = byte & 15;
            out.codes[j + 16] = byte >> 4;
        }
    }

    #[inline(always)]
    fn quantize(x: &[f32]) -> Self {
        let (low, high) = range(x);
        let scale = (high - low) / 15.0;
        let inverse = inverse(scale);
        let code = |x: f32| (((x - low) * inverse + 0.5) as i8).min(15) as u8;
        Q4_1 {
            scale: f16::from_f32(scale).to_le_bytes(),
            low: f16::from_f32(low).to_le_bytes(),
            nibbles: std::array::from_fn(|j| code(x[j]) | code(x[j + 16]) << 4),
        }
    }
}
