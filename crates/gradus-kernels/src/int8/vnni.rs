//! The int8 product with AVX-512 VNNI.
//!
//! `vpdpbusd` adds four products of an unsigned by a signed byte to an i32, wrapping. Activations are stored with 128
//! added, and each sum starts from -128 times the sum of its weights, which takes the excess out again, exactly.

use std::arch::x86_64::*;

use super::{Activations, PANEL, PackedI8, Part};
use crate::aligned::Line;
use crate::matrix::Epilogue;

/// Rows of the tallest tile: 14 rows of two vectors, two weights and a broadcast are 31 of the 32 registers.
const MAX_ROWS: usize = 14;
/// Output features in a vector.
const LANES: usize = 16;
/// Products that one lane of the instruction adds up.
const QUAD: usize = 4;

/// Weights as `[panel][k / 4][32 features][4]`, filled up with zeros, and where the sums of each feature start.
#[derive(Clone)]
pub(super) struct Panels {
    lines: Vec<Line>,
    starts: Vec<i32>,
    quads: usize,
}

impl std::fmt::Debug for Panels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Panels")
            .field("starts", &self.starts.len())
            .field("quads", &self.quads)
            .finish()
    }
}

impl Panels {
    pub(super) fn new(weight: &[i8], out_features: usize, in_features: usize) -> Self {
        let (panels, quads) = (out_features.div_ceil(PANEL), in_features.div_ceil(QUAD));
        let mut lines = vec![Line::ZERO; panels * quads * PANEL * QUAD / size_of::<Line>()];
        let mut starts = vec![0; panels * PANEL];
        let bytes: &mut [i8] = bytemuck::cast_slice_mut(&mut lines);
        for (i, &w) in weight.iter().enumerate() {
            let (feature, k) = (i / in_features, i % in_features);
            let (panel, lane) = (feature / PANEL, feature % PANEL);
            bytes[((panel * quads + k / QUAD) * PANEL + lane) * QUAD + k % QUAD] = w;
            starts[feature] -= 128 * i32::from(w);
        }
        Panels { lines, starts, quads }
    }

    /// As [`super::dot::block`]; the part's columns start at a panel.
    ///
    /// # Safety
    /// As there, and the machine has AVX-512F, BW and VNNI.
    pub(super) unsafe fn block(
        &self,
        out: *mut f32,
        activations: &Activations,
        weight: &PackedI8,
        part: &Part,
        epilogue: Epilogue<f32>,
    ) {
        let (n, rows) = (weight.out_features, activations.scales.len());
        let tiles = rows.div_ceil(MAX_ROWS);
        for col in part.cols.clone().step_by(PANEL) {
            for tile in 0..tiles {
                let (row, end) = (tile * rows / tiles, (tile + 1) * rows / tiles);
                let cols = PANEL.min(n - col);
                // SAFETY: rows and columns lie in the operands and in the caller's part of the output.
                unsafe {
                    let tile = Tile {
                        quads: self.quads,
                        x: activations.bytes.as_ptr().add(row * activations.stride),
                        x_stride: activations.stride,
                        x_scales: activations.scales.as_ptr().add(row),
                        w: self.lines.as_ptr().cast::<i8>().add(col * self.quads * QUAD),
                        w_scales: weight.scales.as_ptr().add(col),
                        starts: self.starts.as_ptr().add(col),
                        y: out.add(row * n + col),
                        y_stride: n,
                        cols,
                        bias: epilogue
                            .bias
                            .map_or(std::ptr::null(), |bias| bias.as_ptr().add(col)),
                        relu: epilogue.relu,
                    };
                    KERNELS[cols.div_ceil(LANES) - 1][end - row - 1](&tile);
                }
            }
        }
    }
}

/// One call of the innermost product.
struct Tile {
    quads: usize,
    x: *const u8,
    x_stride: usize,
    x_scales: *const f32,
    w: *const i8,
    w_scales: *const f32,
    starts: *const i32,
    y: *mut f32,
    y_stride: usize,
    cols: usize,
    /// One value for each column of the tile, or null.
    bias: *const f32,
    relu: bool,
}

type Kernel = unsafe fn(&Tile);

macro_rules! heights {
    ($vectors:literal) => {
        [
            tile::<1, $vectors>,
            tile::<2, $vectors>,
            tile::<3, $vectors>,
            tile::<4, $vectors>,
            tile::<5, $vectors>,
            tile::<6, $vectors>,
            tile::<7, $vectors>,
            tile::<8, $vectors>,
            tile::<9, $vectors>,
            tile::<10, $vectors>,
            tile::<11, $vectors>,
            tile::<12, $vectors>,
            tile::<13, $vectors>,
            tile::<14, $vectors>,
        ]
    };
}

/// By number of vectors, number of rows.
static KERNELS: [[Kernel; MAX_ROWS]; 2] = [heights!(1), heights!(2)];

/// The tile's sums, in registers.
struct Sums<const R: usize, const V: usize>([[__m512i; V]; R]);

/// # Safety
/// The machine has AVX-512F, BW and VNNI; `R` rows of activations of `4 * quads` bytes, a panel of weights and starts,
/// `cols` scales and biases can be read, and `R` rows of `cols` outputs written; `cols` needs `V` vectors.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn tile<const R: usize, const V: usize>(t: &Tile) {
    let mut sums = Sums([[_mm512_setzero_si512(); V]; R]);
    // SAFETY: the caller's promise; the panel and its starts are filled up to whole vectors.
    unsafe {
        for row in 0..R {
            // Brings the output near while k runs: without it, large outputs take three times as long.
            let y = t.y.wrapping_add(row * t.y_stride);
            _mm_prefetch::<_MM_HINT_ET0>(y.cast());
            _mm_prefetch::<_MM_HINT_ET0>(y.wrapping_add(t.cols - 1).cast());
        }
        for v in 0..V {
            let start = _mm512_loadu_si512(t.starts.add(v * LANES).cast());
            for row in 0..R {
                sums.0[row][v] = start;
            }
        }
        let (mut x, mut w) = (t.x, t.w);
        for _ in 0..t.quads {
            let mut weights = Sums([[_mm512_setzero_si512(); V]]);
            for v in 0..V {
                weights.0[0][v] = _mm512_load_si512(w.add(v * LANES * QUAD).cast());
            }
            for row in 0..R {
                let quad = _mm512_set1_epi32(x.add(row * t.x_stride).cast::<i32>().read_unaligned());
                for v in 0..V {
                    sums.0[row][v] = _mm512_dpbusd_epi32(sums.0[row][v], quad, weights.0[0][v]);
                }
            }
            x = x.add(QUAD);
            w = w.add(PANEL * QUAD);
        }
        finish(t, &sums);
    }
}

/// Scales the sums, applies the epilogue, and stores. No `target_feature`, so that it can be `inline(always)`.
///
/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn finish<const R: usize, const V: usize>(t: &Tile, sums: &Sums<R, V>) {
    // SAFETY: the caller's promise; lanes outside the mask are neither read nor written.
    unsafe {
        for v in 0..V {
            let mask = ((1_u32 << (t.cols - v * LANES).min(LANES)) - 1) as __mmask16;
            let w_scale = _mm512_maskz_loadu_ps(mask, t.w_scales.add(v * LANES));
            for row in 0..R {
                let scale = _mm512_mul_ps(_mm512_set1_ps(*t.x_scales.add(row)), w_scale);
                let mut y = _mm512_mul_ps(_mm512_cvtepi32_ps(sums.0[row][v]), scale);
                if !t.bias.is_null() {
                    y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(mask, t.bias.add(v * LANES)));
                }
                if t.relu {
                    // The instruction returns its second operand if either is NaN.
                    y = _mm512_max_ps(_mm512_setzero_ps(), y);
                }
                _mm512_mask_storeu_ps(t.y.add(row * t.y_stride + v * LANES), mask, y);
            }
        }
    }
}
