//! `q4_0`: 4-bit codes around zero.

use half::f16;

use super::{Block, Unpacked, inverse, largest, plain_bytes};
use crate::quant::BlockType;

/// 32 weights in 18 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::quant) struct Q4_0 {
    scale: [u8; 2],
    /// Byte `j` holds code `j` (low) and code `j + 16` (high).
    nibbles: [u8; 16],
}

plain_bytes!(Q4_0, BlockType::Q4_0);

impl Block for Q4_0 {
    const LEN: usize = 32;
    const GROUP: usize = 32;
    const BITS: usize = 4;
    const ZERO: u8 = 8;
    const HAS_MIN: bool = false;

    #[inline]
    fn unpack(&self, out: &mut Unpacked) {
        out.scale = f16::from_le_bytes(self.scale);
        for (j, byte) in self.nibbles.iter().enumerate() {
            out.codes[j] = byte & 15;
            out.codes[j + 16] = byte >> 4;
        }
    }

    /// The largest magnitude becomes code 0, so its sign decides that of the scale.
    #[inline(always)]
    fn quantize(x: &[f32]) -> Self {
        let scale = largest(x) / -8.0;
        let inverse = inverse(scale);
        let code = |x: f32| ((x * inverse + 8.5) as i8).min(15) as u8;
        Q4_0 {
            scale: f16::from_f32(scale).to_le_bytes(),
            nibbles: std::array::from_fn(|j| code(x[j]) | code(x[j + 16]) << 4),
        }
    }
}
