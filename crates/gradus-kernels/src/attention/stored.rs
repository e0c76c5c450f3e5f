//! How an element of a cache is stored.

use half::bf16;

use super::cache::KEY_GROUP;
use crate::vectorize::vectorize;

/// An element of a cache.
pub(super) trait Stored: bytemuck::Pod + Send + Sync {
    /// Whether each position and head has a scale of its own.
    const SCALED: bool;

    /// The scale that a row is stored with.
    fn scale(row: &[f32]) -> f32;
    /// The nearest element to `x / scale`.
    fn encode(x: f32, scale: f32) -> Self;
    /// The number, scale aside.
    fn decode(self) -> f32;

    /// The elements as numbers, where they need no decoding.
    fn as_numbers(stored: &[Self]) -> Option<&[f32]> {
        let _ = stored;
        None
    }
}

impl Stored for f32 {
    const SCALED: bool = false;

    fn scale(_row: &[f32]) -> f32 {
        1.0
    }
    #[inline(always)]
    fn encode(x: f32, _scale: f32) -> Self {
        x
    }
    #[inline(always)]
    fn decode(self) -> f32 {
        self
    }
    fn as_numbers(stored: &[f32]) -> Option<&[f32]> {
        Some(stored)
    }
}

impl Stored for bf16 {
    const SCALED: bool = false;

    fn scale(_row: &[f32]) -> f32 {
        1.0
    }
    #[inline(always)]
    fn encode(x: f32, _scale: f32) -> Self {
        bf16::from_f32(x)
    }
    #[inline(always)]
    fn decode(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
}

impl Stored for i8 {
    const SCALED: bool = true;

    fn scale(row: &[f32]) -> f32 {
        row.iter().fold(0.0, |max: f32, x| max.max(x.abs())) / 127.0
    }
    #[inline(always)]
    fn encode(x: f32, scale: f32) -> Self {
        // A row of zeros has scale zero.
        if scale > 0.0 {
            (x / scale).round_ties_even() as i8
        } else {
            0
        }
    }
    #[inline(always)]
    fn decode(self) -> f32 {
        f32::from(self)
    }
}

vectorize! {
    /// Writes one row of values.
    pub(super) fn encode_row[S: Stored](out: &mut [S], x: &[f32], scale: f32) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = S::encode(x, scale);
        }
    }
}

vectorize! {
    /// Rows of values as numbers; `scales` has one a row, or none.
    pub(super) fn decode_rows[S: Stored](out: &mut [f32], stored: &[S], scales: &[f32], row_len: usize) {
        let rows = out.chunks_exact_mut(row_len.max(1)).zip(stored.chunks_exact(row_len.max(1)));
        for (row, (out, stored)) in rows.enumerate() {
            let scale = if S::SCALED { scales[row] } else { 1.0 };
            for (out, &x) in out.iter_mut().zip(stored) {
                *out = x.decode() * scale;
            }
        }
    }
}

vectorize! {
    /// One group of keys `[head_dim][KEY_GROUP]` as numbers; `scales` has one a key, or none.
    pub(super) fn decode_group[S: Stored](out: &mut [f32], stored: &[S], scales: &[f32]) {
        let mut scale = [1.0; KEY_GROUP];
        if S::SCALED {
            scale.copy_from_slice(&scales[..KEY_GROUP]);
        }
        let (out, stored) = (out.as_chunks_mut::<KEY_GROUP>().0, stored.as_chunks::<KEY_GROUP>().0);
        for (out, stored) in out.iter_mut().zip(stored) {
            for lane in 0..KEY_GROUP {
                out[lane] = stored[lane].decode() * scale[lane];
            }
        }
    }
}
