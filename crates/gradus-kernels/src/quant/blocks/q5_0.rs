//! `q5_0`: 5-bit codes around zero.

use half::f16;

use super::{Block, Unpacked, inverse, largest, plain_bytes};
use crate::quant::BlockType;

/// 32 weights in 22 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::quant) struct Q5_0 {
    scale: [u8; 2],
    /// Bit `j` of this little-endian number is the fifth bit of code `j`.
    fifth: [u8; 4],
    /// Byte `j` holds the low bits of code `j` (low) and code `j + 16` (high).
    nibbles: [u8; 16],
}

plain_bytes!(Q5_0, BlockType::Q5_0);

impl Block for Q5_0 {
    const LEN: usize = 32;
    const GROUP: usize = 32;
    const BITS: usize = 5;
    const ZERO: u8 = 16;
    const HAS_MIN: bool = false;

    #[inline]
    fn unpack(&self, out: &mut Unpacked) {
        out.scale = f16::from_le_bytes(self.scale);
        unpack_codes(out, self.fifth, &self.nibbles);
    }

    /// The largest magnitude becomes code 0, so its sign decides that of the scale.
    #[inline(always)]
    fn quantize(x: &[f32]) -> Self {
        let scale = largest(x) / -16.0;
        let inverse = inverse(scale);
        let (fifth, nibbles) = pack_codes(|j| ((x[j] * inverse + 16.5) as i8).min(31) as u8);
        Q5_0 {
            scale: f16::from_f32(scale).to_le_bytes(),
            fifth,
            nibbles,
        }
    }
}

/// The 32 codes of a 5-bit block.
#[inline]
pub(super) fn unpack_codes(out: &mut Unpacked, fifth: [u8; 4], nibbles: &[u8; 16]) {
    let fifth = u32::from_le_bytes(fifth);
    for (j, byte) in nibbles.iter().enumerate() {
        let bit = |j: usize| ((fifth >> j & 1) << 4) as u8;
        out.codes[j] = byte & 15 | bit(j);
        out.codes[j + 16] = byte >> 4 | bit(j + 16);
    }
}

/// The inverse of [`unpack_codes`].
pub(super) fn pack_codes(code: impl Fn(usize) -> u8) -> ([u8; 4], [u8; 16]) {
    let fifth = (0..32).fold(0, |bits, j| bits | u32::from(code(j) >> 4 & 1) << j);
    let nibbles = std::array::from_fn(|j| code(j) & 15 | (code(j + 16) & 15) << 4);
    (fifth.to_le_bytes(), nibbles)
}
