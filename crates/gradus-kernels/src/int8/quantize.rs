//! Symmetric quantisation of rows: one scale for each, from the row's largest magnitude.

use crate::pool::SharedMut;
use crate::pool::parallel_for;
use crate::vectorize::vectorize;

/// The largest code; -128 is not used, so that codes are symmetric.
const MAX_CODE: f32 = 127.0;

/// Adding 1.5 * 2^23 to a small number rounds it to an integer, half to even, and leaves that integer in the low bits:
/// one instruction on every machine, where a rounding conversion is many on some.
const ROUND: f32 = 12_582_912.0;

/// Magnitudes below this would make 127 / magnitude infinite; such rows become zeros.
const SMALLEST_MAGNITUDE: f32 = 1.0e-36;

/// Rows below this many elements in all are not worth a hand-off (quantising runs at about 10 elements/ns).
const MIN_PARALLEL_LEN: usize = 64 * 1024;

/// How codes are stored in a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Two's complement.
    Signed,
    /// The code plus 128, for an instruction that multiplies unsigned by signed bytes.
    Offset128,
}

impl Encoding {
    /// Writes a row's codes and returns its scale.
    pub(super) fn quantize(self, codes: &mut [u8], row: &[f32]) -> f32 {
        let (scale, inverse) = row_scale(row);
        encode(codes, row, inverse, ROUND + self.offset());
        scale
    }

    fn offset(self) -> f32 {
        match self {
            Encoding::Signed => 0.0,
            Encoding::Offset128 => 128.0,
        }
    }
}

/// Quantises each row of `x` `[rows, cols]`: `codes = round(x * 127 / m)`, half to even, and `scales = m / 127`, where
/// `m` is the row's largest magnitude. So `codes * scales` is within half a scale of `x`.
///
/// For a weight `[out_features, in_features]` this is the per-channel quantiser. A row that holds NaN or an infinity
/// gets zeros and the scale NaN; a row of zeros (or of magnitudes under 1e-36) zeros and the scale 0.
///
/// # Panics
/// If the lengths do not fit together.
///
/// ```
/// let (mut codes, mut scales) = ([0; 4], [0.0; 2]);
/// gradus_kernels::int8::quantize_rows_i8(&mut codes, &mut scales, &[1.0, -2.0, 0.0, 0.25], 2);
/// assert_eq!((codes, scales), ([64, -127, 0, 127], [2.0 / 127.0, 0.25 / 127.0]));
/// ```
pub fn quantize_rows_i8(codes: &mut [i8], scales: &mut [f32], x: &[f32], cols: usize) {
    let rows = scales.len();
    assert_eq!(
        Some(x.len()),
        rows.checked_mul(cols),
        "int8: x must hold {rows} x {cols} elements"
    );
    assert_eq!(codes.len(), x.len(), "int8: a code for each element");
    // Bytes of i8 and u8 are the same; `Encoding` writes the two's complement.
    let codes = SharedMut(bytemuck::cast_slice_mut::<i8, u8>(codes).as_mut_ptr());
    let scales = SharedMut(scales.as_mut_ptr());
    let tasks = if x.len() < MIN_PARALLEL_LEN { 1 } else { rows };
    parallel_for(tasks.min(rows), |task| {
        for row in if tasks == 1 { 0..rows } else { task..task + 1 } {
            // SAFETY: each row is written by one task, and both slices outlive the call.
            let (codes, scale) = unsafe {
                (
                    codes.slice(row * cols..(row + 1) * cols),
                    scales.slice(row..row + 1),
                )
            };
            scale[0] = Encoding::Signed.quantize(codes, &x[row * cols..][..cols]);
        }
    });
}

/// The scale of a row and what its elements are multiplied by.
fn row_scale(row: &[f32]) -> (f32, f32) {
    let largest = f32::from_bits(largest_magnitude_bits(row));
    if !largest.is_finite() {
        (f32::NAN, 0.0)
    } else if largest < SMALLEST_MAGNITUDE {
        (0.0, 0.0)
    } else {
        (largest / MAX_CODE, MAX_CODE / largest)
    }
}

vectorize! {
    /// Bits of the largest magnitude. As integers, magnitudes are ordered with the infinities and NaN on top.
    fn largest_magnitude_bits(row: &[f32]) -> u32 {
        row.iter().fold(0, |largest, x| largest.max(x.to_bits() & 0x7fff_ffff))
    }
}

vectorize! {
    fn encode(codes: &mut [u8], row: &[f32], inverse: f32, round: f32) {
        for (code, x) in codes.iter_mut().zip(row) {
            // An infinity times zero is NaN here, whatever its bits: the scale is NaN then.
            *code = (x * inverse + round).to_bits() as u8;
        }
    }
}
