//! Activations on their way into a product: int8 codes with a scale for each 32, as ggml's products take them.
//!
//! They lie in the order in which the products read them. Rows are cut into *tiles* of a few ([`Tiles`]); a tile is
//! contiguous, and in it each step of 32 columns holds the codes of all its rows, then the next step.

use std::ops::Range;

use super::layout::STEP;
use crate::pool::{SharedMut, parallel_for};
use crate::vectorize::vectorize;

/// The largest code; -128 is not used, so that codes are symmetric.
const MAX_CODE: f32 = 127.0;

/// Adding 1.5 * 2^23 to a small number rounds it to an integer, half to even, and leaves that integer in the low bits.
const ROUND: f32 = 12_582_912.0;

/// Magnitudes below this would make 127 / magnitude infinite; such steps become zeros.
const SMALLEST_MAGNITUDE: f32 = 1.0e-36;

/// Below this many elements (some microseconds) quantising is not worth a hand-over.
const MIN_PARALLEL_LEN: usize = 32 * 1024;

/// Groups in a step of the formats with the smallest groups: sums are kept for each.
pub(super) const HALVES: usize = 2;

/// Heights of tiles, tallest first: twelve rows of sums in two kinds of registers are 24 of 32.
pub(super) const HEIGHTS: [usize; 5] = [12, 8, 4, 2, 1];

/// How rows are cut into tiles: the tallest that still fits, again and again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiles {
    rows: usize,
}

impl Tiles {
    pub(super) fn new(rows: usize) -> Self {
        Tiles { rows }
    }

    /// Rows of all tiles together.
    pub(super) fn rows_in_all(self) -> usize {
        self.rows
    }

    /// Tiles of the tallest kind.
    fn full(self) -> usize {
        self.rows / HEIGHTS[0]
    }

    /// How many tiles there are.
    pub(super) fn len(self) -> usize {
        let mut rest = self.rows % HEIGHTS[0];
        let mut len = self.full();
        for height in &HEIGHTS[1..] {
            len += rest / height;
            rest %= height;
        }
        len
    }

    /// The rows of tile `index`.
    pub(super) fn rows(self, index: usize) -> Range<usize> {
        if index < self.full() {
            return index * HEIGHTS[0]..(index + 1) * HEIGHTS[0];
        }
        let (mut start, mut index) = (self.full() * HEIGHTS[0], index - self.full());
        for height in &HEIGHTS[1..] {
            let fit = (self.rows - start) / height;
            if index < fit {
                return start + index * height..start + (index + 1) * height;
            }
            start += fit * height;
            index -= fit;
        }
        start..start
    }
}

/// Quantised activations of `tiles.rows` rows of `steps` steps.
#[derive(Clone, Copy)]
pub(super) struct Activations<'a> {
    pub(super) tiles: Tiles,
    pub(super) steps: usize,
    /// For each tile, step and row, the codes.
    pub(super) codes: &'a [i8],
    /// For each tile, step and row, the scale.
    pub(super) scales: &'a [f32],
    /// For each tile, step and row, the sums of the codes of its two halves.
    pub(super) sums: &'a [[i32; HALVES]],
}

impl<'a> Activations<'a> {
    /// The tile of that index.
    pub(super) fn tile(&self, index: usize) -> Tile<'a> {
        let rows = self.tiles.rows(index);
        let cells = rows.start * self.steps..rows.end * self.steps;
        Tile {
            codes: &self.codes[cells.start * STEP..cells.end * STEP],
            scales: &self.scales[cells.clone()],
            sums: &self.sums[cells],
            rows,
        }
    }
}

/// The part of the activations that belongs to one tile.
pub(super) struct Tile<'a> {
    pub(super) rows: Range<usize>,
    pub(super) codes: &'a [i8],
    pub(super) scales: &'a [f32],
    pub(super) sums: &'a [[i32; HALVES]],
}

/// Memory for [`Activations`].
pub(super) struct Buffers<'a> {
    pub(super) codes: &'a mut [i8],
    pub(super) scales: &'a mut [f32],
    pub(super) sums: &'a mut [[i32; HALVES]],
}

/// Quantises `x`, `[rows, 32 * steps]`: in each step `code = round(x * 127 / m)`, half to even, with the scale `m / 127`
/// for the step's largest magnitude `m`. A step that holds NaN or an infinity gets the scale NaN.
pub(super) fn quantize_activations<'a>(to: Buffers<'a>, x: &[f32], rows: usize) -> Activations<'a> {
    let steps = to.scales.len() / rows.max(1);
    let tiles = Tiles::new(rows);
    let Buffers { codes, scales, sums } = to;
    {
        let (codes, scales, sums) = (
            SharedMut(codes.as_mut_ptr()),
            SharedMut(scales.as_mut_ptr()),
            SharedMut(sums.as_mut_ptr()),
        );
        let one = |index: usize| {
            let range = tiles.rows(index);
            let cells = range.start * steps..range.end * steps;
            // SAFETY: tiles do not overlap, and the buffers outlive the call.
            let to = unsafe {
                Buffers {
                    codes: codes.slice(cells.start * STEP..cells.end * STEP),
                    scales: scales.slice(cells.clone()),
                    sums: sums.slice(cells),
                }
            };
            quantize_tile(
                to,
                &x[range.start * steps * STEP..range.end * steps * STEP],
                range.len(),
            );
        };
        if x.len() < MIN_PARALLEL_LEN {
            (0..tiles.len()).for_each(one);
        } else {
            parallel_for(tiles.len(), one);
        }
    }
    Activations {
        tiles,
        steps,
        codes,
        scales,
        sums,
    }
}

vectorize! {
    fn quantize_tile(to: Buffers<'_>, x: &[f32], height: usize) {
        let steps = to.scales.len() / height;
        for row in 0..height {
            for step in 0..steps {
                let cell = step * height + row;
                let from = &x[(row * steps + step) * STEP..][..STEP];
                let codes = &mut to.codes[cell * STEP..][..STEP];
                (to.scales[cell], to.sums[cell]) = quantize_step(codes, from);
            }
        }
    }
}

/// Quantises 32 values; returns the scale and the sums of the halves.
#[inline(always)]
fn quantize_step(codes: &mut [i8], x: &[f32]) -> (f32, [i32; HALVES]) {
    // As integers, magnitudes are ordered with the infinities and NaN on top.
    let largest = x
        .iter()
        .fold(0, |largest, x| largest.max(x.to_bits() & 0x7fff_ffff));
    let largest = f32::from_bits(largest);
    let (scale, inverse) = if !largest.is_finite() {
        (f32::NAN, 0.0)
    } else if largest < SMALLEST_MAGNITUDE {
        (0.0, 0.0)
    } else {
        (largest / MAX_CODE, MAX_CODE / largest)
    };
    for (code, x) in codes.iter_mut().zip(x) {
        // An infinity times zero is NaN here, whatever its bits: the scale is NaN then.
        *code = (x * inverse + ROUND).to_bits() as i8;
    }
    let (low, high) = codes.split_at(STEP / HALVES);
    let sum = |codes: &[i8]| codes.iter().map(|&code| i32::from(code)).sum();
    (scale, [sum(low), sum(high)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_all_rows_in_order() {
        for rows in 0..80 {
            let tiles = Tiles::new(rows);
            let mut next = 0;
            for index in 0..tiles.len() {
                let range = tiles.rows(index);
                assert_eq!(range.start, next, "{rows} rows");
                assert!(HEIGHTS.contains(&range.len()), "{rows} rows");
                next = range.end;
            }
            assert_eq!(next, rows);
        }
    }
}
