//! Linear layers with int8 weights and activations quantised on the way in.
//!
//! Weights have one scale for each output feature, activations one for each row, found in the call ("dynamic"). Products
//! are summed in i32 without rounding, so every instruction set gives the same sums, and the few f32 operations
//! that follow are the same everywhere: results are equal to the bit, on any machine and any number of threads.

mod dot;
mod quantize;
#[cfg(target_arch = "x86_64")]
mod vnni;

use std::ops::Range;

use crate::isa::{Isa, isa};
use crate::matrix::Epilogue;
use crate::pool::{self, SharedMut, parallel_for};
use crate::scratch::with_scratch;
use quantize::Encoding;
pub use quantize::quantize_rows_i8;

/// Longest sum whose i32 cannot overflow: 127 * 127 * 131072 < 2^31.
pub const MAX_IN_FEATURES: usize = 131_072;

/// Rows of activations quantised at a time: a multiple of the tallest tile; 56 rows of 784 are 44 KB.
const ROWS_BLOCK: usize = 56;

/// Below this many multiply-adds (about 4 µs) a product is not worth a hand-off to another thread.
const MIN_PARALLEL_WORK: usize = 2 * 1024 * 1024;

/// With fewer rows for each thread, threads share out features and each quantises all rows.
const MIN_ROWS_SHARE: usize = 8;

/// A weight `[out_features, in_features]` of i8 with a scale for each output feature, laid out for this machine.
#[derive(Clone, Debug)]
pub struct PackedI8 {
    layout: Layout,
    scales: Vec<f32>,
    out_features: usize,
    in_features: usize,
}

#[derive(Clone, Debug)]
enum Layout {
    /// As given.
    RowMajor(Vec<i8>),
    #[cfg(target_arch = "x86_64")]
    Vnni(vnni::Panels),
}

impl PackedI8 {
    /// Packs `weight`, whose true values are `weight[o, i] * scales[o]`, with values from -127 to 127.
    ///
    /// # Panics
    /// If the lengths do not fit together, `in_features` exceeds [`MAX_IN_FEATURES`], or a weight is -128.
    pub fn new(weight: &[i8], scales: &[f32], out_features: usize, in_features: usize) -> Self {
        PackedI8::for_isa(isa(), weight, scales, (out_features, in_features))
    }

    fn for_isa(isa: Isa, weight: &[i8], scales: &[f32], dims: (usize, usize)) -> Self {
        let (out_features, in_features) = dims;
        assert_eq!(
            Some(weight.len()),
            out_features.checked_mul(in_features),
            "int8: weight has another size"
        );
        assert_eq!(
            scales.len(),
            out_features,
            "int8: one scale for each output feature"
        );
        assert!(
            in_features <= MAX_IN_FEATURES,
            "int8: sums of {in_features} products may overflow"
        );
        assert!(
            weight.iter().all(|&w| w != i8::MIN),
            "int8: weights are symmetric, -128 is not one"
        );
        let layout = match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 { vnni: true, .. } => {
                Layout::Vnni(vnni::Panels::new(weight, out_features, in_features))
            }
            Isa::Avx512 { .. } | Isa::Avx2 | Isa::Neon | Isa::Portable => Layout::RowMajor(weight.to_vec()),
        };
        PackedI8 {
            layout,
            scales: scales.to_vec(),
            out_features,
            in_features,
        }
    }

    /// Features of the output.
    pub fn out_features(&self) -> usize {
        self.out_features
    }

    /// Features of the input.
    pub fn in_features(&self) -> usize {
        self.in_features
    }

    /// How this layout wants its activations.
    fn encoding(&self) -> Encoding {
        match self.layout {
            Layout::RowMajor(_) => Encoding::Signed,
            #[cfg(target_arch = "x86_64")]
            Layout::Vnni(_) => Encoding::Offset128,
        }
    }
}

/// Activations of a few rows: `rows[r * stride..][..in_features]` times `scales[r]`.
struct Activations<'a> {
    bytes: &'a [u8],
    stride: usize,
    scales: &'a [f32],
}

/// `out[rows, out] = epilogue(x[rows, in] · weightᵀ)`, with each row of `x` quantised to int8 first.
///
/// A row that holds NaN or an infinity gives a row of NaN. The scale of a row is its largest magnitude / 127.
///
/// # Panics
/// If the lengths do not fit together.
///
/// ```
/// use gradus_kernels::int8::{PackedI8, linear_i8};
/// use gradus_kernels::matrix::Epilogue;
/// let weight = PackedI8::new(&[127, 0, -64, 2], &[0.5, 1.0], 2, 2);
/// let mut out = [0.0; 2];
/// linear_i8(&mut out, &[1.0, 127.0], 1, &weight, Epilogue::default());
/// assert_eq!(out, [63.5, 190.0]);
/// ```
pub fn linear_i8(out: &mut [f32], x: &[f32], rows: usize, weight: &PackedI8, epilogue: Epilogue<f32>) {
    let (n, k) = (weight.out_features, weight.in_features);
    assert_eq!(
        Some(out.len()),
        rows.checked_mul(n),
        "int8: out must hold {rows} x {n} elements"
    );
    assert_eq!(
        Some(x.len()),
        rows.checked_mul(k),
        "int8: x must hold {rows} x {k} elements"
    );
    assert!(
        epilogue.bias.is_none_or(|bias| bias.len() == n),
        "int8: bias must have a value a feature"
    );
    if out.is_empty() {
        return;
    }
    let base = SharedMut(out.as_mut_ptr());
    let threads = if rows * n * k < MIN_PARALLEL_WORK {
        1
    } else {
        pool::threads()
    };
    let by_rows = rows >= MIN_ROWS_SHARE * threads;
    // Features are shared out in units of a panel, the most that any kernel takes at once.
    let units = if by_rows { rows } else { n.div_ceil(PANEL) };
    let parts = threads.min(units);
    parallel_for(parts, |part| {
        let (start, end) = (part * units / parts, (part + 1) * units / parts);
        let part = match by_rows {
            true => Part {
                rows: start..end,
                cols: 0..n,
            },
            false => Part {
                rows: 0..rows,
                cols: start * PANEL..n.min(end * PANEL),
            },
        };
        // SAFETY: the parts do not overlap and lie in `out`, which has `rows * n` elements.
        unsafe { part.run(base.get(), x, weight, epilogue) };
    });
}

/// Output features that a kernel takes at once.
const PANEL: usize = 32;

/// A part of the output that one thread computes.
struct Part {
    rows: Range<usize>,
    cols: Range<usize>,
}

impl Part {
    /// # Safety
    /// `out` points to the whole output, and nobody else uses the elements of this part.
    unsafe fn run(&self, out: *mut f32, x: &[f32], weight: &PackedI8, epilogue: Epilogue<f32>) {
        let k = weight.in_features;
        // An odd number of cache lines, so that the rows of a tile do not crowd into a few sets of the cache.
        let stride = (k.div_ceil(64) | 1) * 64;
        with_scratch(ROWS_BLOCK.min(self.rows.len()) * stride, |bytes: &mut [u8]| {
            let mut scales = [0.0; ROWS_BLOCK];
            for start in self.rows.clone().step_by(ROWS_BLOCK) {
                let rows = ROWS_BLOCK.min(self.rows.end - start);
                for row in 0..rows {
                    let values = &x[(start + row) * k..][..k];
                    scales[row] = weight
                        .encoding()
                        .quantize(&mut bytes[row * stride..][..k], values);
                }
                let activations = Activations {
                    bytes,
                    stride,
                    scales: &scales[..rows],
                };
                // SAFETY: the block's rows and the part's columns are ours alone.
                unsafe {
                    let out = out.add(start * weight.out_features);
                    match &weight.layout {
                        Layout::RowMajor(values) => {
                            dot::block(out, &activations, (weight, values), self, epilogue)
                        }
                        #[cfg(target_arch = "x86_64")]
                        Layout::Vnni(panels) => panels.block(out, &activations, weight, self, epilogue),
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests;
