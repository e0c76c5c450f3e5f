//! Products of activations with quantised weights.
//!
//! Each output is a sum over steps of 32 columns, in order: an exact integer dot product of codes, times the product of the two
//! scales, in f32. So a row's result depends neither on the rows beside it nor on the number of threads.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod plain;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod vnni;

use std::ops::Range;

use super::QuantizedMatrix;
use super::activations::{Activations, Buffers, HALVES, HEIGHTS, quantize_activations};
use super::blocks::{Block, for_block};
use super::layout::{PANEL, STEP, ScaleLayout, step_bytes};
use crate::isa::{Isa, isa};
use crate::pool::{self, SharedMut, parallel_for};
use crate::scratch::with_scratch;

/// Codes of activations multiplied at a time: a quarter of a second-level cache. All panels of the weights pass over them, so they
/// must stay there; with 768 KiB the products ran at half the speed (Zen 4, 1 MiB of L2).
const ROWS_BYTES: usize = 256 * 1024;

/// The fewest rows at a time, however long: enough that reading the weights again for the next ones does not count.
const MIN_ROWS_BLOCK: usize = 4 * HEIGHTS[0];

/// Below this many multiply-adds (about 3 µs) a product is not worth a hand-over to another thread.
const MIN_PARALLEL_WORK: usize = 128 * 1024;

/// Products that the threads take up in one hand-over; more go in turns.
const AT_ONCE: usize = 8;

/// One of several products of the same activations.
#[derive(Debug)]
pub struct Product<'a> {
    /// The result, `[rows, weight.rows()]`; overwritten.
    pub out: &'a mut [f32],
    /// The weights.
    pub weight: &'a QuantizedMatrix,
    /// Added to each row of the result: a value for each row of the weights.
    pub bias: Option<&'a [f32]>,
}

/// `out[rows, n] = x[rows, k] · weightᵀ + bias` for weights `[n, k]`.
///
/// Activations are rounded to int8 with an f32 scale for each 32 of a row (their largest magnitude / 127), products are summed exactly
/// over each group of the weights and in f32 across groups. A row with NaN or an infinity gives NaN; other rows are not touched by it.
///
/// # Panics
/// If the lengths do not fit together.
///
/// ```
/// use gradus_kernels::quant::{BlockType, QuantizedMatrix, linear_quantized, quantize};
/// let mut blocks = [0; 34];
/// quantize(&mut blocks, &[1.0; 32], BlockType::Q8_0);
/// let weight = QuantizedMatrix::from_blocks(BlockType::Q8_0, &blocks, 1, 32)?;
/// let mut out = [0.0];
/// linear_quantized(&mut out, &[1.0; 32], 1, &weight, Some(&[10.0]));
/// assert!((out[0] - 42.0_f32).abs() < 0.02);
/// # Ok::<(), gradus_kernels::quant::MatrixError>(())
/// ```
pub fn linear_quantized(
    out: &mut [f32],
    x: &[f32],
    rows: usize,
    weight: &QuantizedMatrix,
    bias: Option<&[f32]>,
) {
    linear_quantized_shared(&mut [Product { out, weight, bias }], x, rows);
}

/// Several products of the same `x[rows, k]`, such as the queries, keys and values of attention: the activations are
/// quantised once, and the threads meet once for all. The formats may differ; each result is that of [`linear_quantized`].
///
/// # Panics
/// If the lengths do not fit together.
pub fn linear_quantized_shared(products: &mut [Product<'_>], x: &[f32], rows: usize) {
    shared_for_isa(isa(), products, x, rows);
}

fn shared_for_isa(isa: Isa, products: &mut [Product<'_>], x: &[f32], rows: usize) {
    let Some(cols) = products.first().map(|product| product.weight.cols()) else {
        return;
    };
    assert_eq!(
        Some(x.len()),
        rows.checked_mul(cols),
        "quant: x must hold {rows} x {cols} elements"
    );
    for Product { out, weight, bias } in &*products {
        let n = weight.rows();
        assert_eq!(
            weight.cols(),
            cols,
            "quant: products of the same x must have as many columns"
        );
        assert_eq!(
            Some(out.len()),
            rows.checked_mul(n),
            "quant: out must hold {rows} x {n} elements"
        );
        assert!(
            bias.is_none_or(|bias| bias.len() == n),
            "quant: bias must have a value a row of the weights"
        );
    }
    let block = rows_block(cols);
    for start in (0..rows).step_by(block) {
        let rows = block.min(rows - start);
        let x = &x[start * cols..][..rows * cols];
        with_activations(x, rows, |activations| multiply(isa, products, start, activations));
    }
}

/// Rows multiplied at a time: whole tiles.
fn rows_block(cols: usize) -> usize {
    (ROWS_BYTES / cols.max(1) / HEIGHTS[0] * HEIGHTS[0]).max(MIN_ROWS_BLOCK)
}

/// Runs `body` with `x` quantised, in memory that stays with the thread.
fn with_activations(x: &[f32], rows: usize, body: impl FnOnce(Activations<'_>)) {
    let cells = x.len() / STEP;
    with_scratch(x.len(), |codes| {
        with_scratch(cells, |scales| {
            with_scratch(cells, |sums: &mut [[i32; HALVES]]| {
                body(quantize_activations(Buffers { codes, scales, sums }, x, rows));
            });
        });
    });
}

/// Multiplies a block of rows, which starts at row `start` of the results, with all weights.
fn multiply(isa: Isa, products: &mut [Product<'_>], start: usize, activations: Activations<'_>) {
    for products in products.chunks_mut(AT_ONCE) {
        let work: usize = products.iter().map(|p| p.weight.rows() * p.weight.cols()).sum();
        let small = activations.tiles.rows_in_all() * work < MIN_PARALLEL_WORK;
        let parts = if small { 1 } else { pool::threads() };
        let mut products = products.iter_mut();
        let targets: [Option<Target>; AT_ONCE] =
            std::array::from_fn(|_| products.next().map(|product| Target::new(product, start)));
        let bytes: usize = targets.iter().flatten().map(Target::bytes).sum();
        parallel_for(parts, |part| {
            // Shares are of equal bytes, over the panels of all products in a line.
            let share = part * bytes / parts..(part + 1) * bytes / parts;
            let mut first = 0;
            for target in targets.iter().flatten() {
                let panels = target.panel_at(share.start, first)..target.panel_at(share.end, first);
                first += target.bytes();
                // SAFETY: shares do not overlap, so panels and columns of the output do not; `products` outlive the call.
                unsafe { target.run(isa, &activations, panels) };
            }
        });
    }
}

/// Where a product goes, for all threads.
struct Target<'a> {
    /// The first of the rows that the activations stand for.
    out: SharedMut<f32>,
    weight: &'a QuantizedMatrix,
    bias: Option<&'a [f32]>,
}

impl<'a> Target<'a> {
    fn new(product: &'a mut Product<'_>, start: usize) -> Self {
        Target {
            out: SharedMut(product.out[start * product.weight.rows()..].as_mut_ptr()),
            weight: product.weight,
            bias: product.bias,
        }
    }

    fn panel_bytes(&self) -> usize {
        self.weight.bytes().div_ceil(self.weight.panels().max(1)).max(1)
    }

    fn bytes(&self) -> usize {
        self.panel_bytes() * self.weight.panels()
    }

    /// The panel that byte `at` of all products lies in, if this one starts at byte `first`.
    fn panel_at(&self, at: usize, first: usize) -> usize {
        (at.saturating_sub(first) / self.panel_bytes()).min(self.weight.panels())
    }

    /// # Safety
    /// The output is alive, and nobody else uses the columns of these panels.
    unsafe fn run(&self, isa: Isa, activations: &Activations<'_>, panels: Range<usize>) {
        if panels.is_empty() {
            return;
        }
        for_block!(self.weight.block_type(), B => {
            // SAFETY: the caller's promise; each instruction set is one that the machine has.
            unsafe {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 { vnni: true, .. } => vnni::run::<B>(self, activations, panels),
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 { .. } | Isa::Avx2 => avx2::run::<B>(self, activations, panels),
                    #[cfg(not(target_arch = "x86_64"))]
                    Isa::Avx512 { .. } | Isa::Avx2 => plain::run::<B>(self, activations, panels),
                    Isa::Neon | Isa::Portable => plain::run::<B>(self, activations, panels),
                }
            }
        });
    }
}

/// One panel as the kernels see it.
struct Panel<'a> {
    codes: &'a [u8],
    scales: &'a [u8],
    /// First row of the weights: first column of the output.
    first: usize,
    /// Rows that exist.
    lanes: usize,
}

impl<'a> Panel<'a> {
    fn new<B: Block>(weight: &'a QuantizedMatrix, index: usize) -> Self {
        let (codes, scales) = weight.data();
        let code_bytes = weight.cols() / STEP * step_bytes(B::BITS);
        let scale_bytes = weight.cols() / B::LEN * ScaleLayout::of::<B>().bytes();
        Panel {
            codes: &codes[index * code_bytes..][..code_bytes],
            scales: &scales[index * scale_bytes..][..scale_bytes],
            first: index * PANEL,
            lanes: PANEL.min(weight.rows() - index * PANEL),
        }
    }
}
