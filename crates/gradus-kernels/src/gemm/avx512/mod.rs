//! Our own products for AVX-512, of f32 and of bf16.
//!
//! Every element of the output is a few chains of multiply-adds over a block of k, and the blocks are added in order;
//! where the blocks end depends on the size of the problem alone. So the bits do not depend on how rows and columns are shared out, and the
//! sharing is free to follow the number of threads and the layout of the operands.

mod dots;
mod pack;
mod panels;
pub(crate) mod tile;
pub(crate) mod words;

use std::ops::Range;

use super::{Epilogue, Operand, Product};
use crate::matrix::MatRef;
use crate::pool::{self, SharedMut, parallel_for};
use crate::scratch::with_scratch;
use pack::{OCTET, panel_len};
pub(super) use panels::PackedPanels;
use tile::{COLS, MAX_ROWS, Tile};
pub(super) use words::{Bf16Words, F32Words};
use words::{Words, words};

/// Longest block of k, in words. A panel of B is 64 KB then and is read from the second-level cache, which the tile's
/// multiply-adds hide; what they do not hide are the loads and stores of the output for each block. On Zen 4 (32 KB of
/// first-level cache) transformer layers reach 75 % of the peak with blocks of 128, 83 % with 256 (which would fit in 48 KB with
/// a tile of A), 87 % with 384 and 88 % with 512.
const K_BLOCK: usize = 512;

/// Tiles of A in a block: 16 * 14 rows * 512 * 4 bytes = 459 KB stay in a second-level cache of 1 MB beside a panel of B.
const TILES_BLOCK: usize = 16;

/// Panels of B in a block: 96 * 32 * 512 * 4 bytes = 6 MB stay in the third-level cache.
const PANELS_BLOCK: usize = 96;

/// Below this many multiply-adds (about 4 µs) a product is not worth a hand-off to another thread.
const MIN_PARALLEL_WORK: usize = 512 * 1024;

/// A is read in place, if its rows are contiguous, for up to this many panels; beyond that packing pays.
const IN_PLACE_PANELS: usize = 4;

/// What packing a word costs in words read from a packed operand.
const PACK_COST: usize = 2;

/// The right-hand operand.
enum Right<'a, W: Words> {
    /// Transposed: a row for each column of the output.
    Strided(W::Matrix<'a>),
    /// Packed before.
    Packed(&'a PackedPanels<W>),
}

/// Computes a product of f32.
///
/// # Safety
/// The machine has AVX-512 F, BW and VL; no dimension is zero; `out` has `m * n` elements.
pub(super) unsafe fn gemm(out: &mut [f32], product: &Product<f32>) {
    let right = Right::Strided(product.b.t());
    // SAFETY: passed on.
    unsafe { Plan::<F32Words>::new(product, product.a, right).run(out) }
}

/// Computes a product in bf16.
///
/// # Safety
/// As [`gemm`]; the machine has AVX-512 BF16.
pub(super) unsafe fn gemm_bf16(out: &mut [f32], product: &Product<f32, Operand>) {
    let right = Right::Strided(product.b.t());
    // SAFETY: passed on.
    unsafe { Plan::<Bf16Words>::new(product, product.a, right).run(out) }
}

/// Computes a product whose right-hand side has been packed.
///
/// # Safety
/// As [`gemm`] or [`gemm_bf16`].
pub(super) unsafe fn gemm_packed<'a, W: Words>(
    out: &mut [f32],
    product: &Product<'a, f32, W::Matrix<'a>, &'a PackedPanels<W>>,
) {
    // SAFETY: passed on.
    unsafe { Plan::new(product, product.a, Right::Packed(product.b)).run(out) }
}

/// How a product is carried out.
struct Plan<'a, W: Words> {
    left: W::Matrix<'a>,
    right: Right<'a, W>,
    /// Rows and columns of the output, terms of each sum.
    dims: (usize, usize, usize),
    accumulate: bool,
    epilogue: Epilogue<'a, f32>,
    /// In words.
    k_block: usize,
}

/// A part of the output that one thread computes.
struct Part {
    rows: Range<usize>,
    /// In panels of 32 columns.
    panels: Range<usize>,
}

impl<'a, W: Words> Plan<'a, W> {
    fn new<A, B>(product: &Product<'a, f32, A, B>, left: W::Matrix<'a>, right: Right<'a, W>) -> Self {
        let dims @ (m, _, k) = product.dims();
        let words = words::<W>(k);
        let blocks = match right {
            // A single tile of rows meets every panel once: the panels are streamed, each from end to end.
            Right::Packed(_) if m <= MAX_ROWS => 1,
            Right::Packed(_) | Right::Strided(_) => words.div_ceil(K_BLOCK),
        };
        Plan {
            left,
            right,
            dims,
            accumulate: product.accumulate,
            epilogue: product.epilogue,
            // Equal blocks, in whole octets so that only the last one has a rest to transpose word by word.
            k_block: words.div_ceil(blocks).next_multiple_of(OCTET),
        }
    }

    /// # Safety
    /// As [`gemm`] or [`gemm_bf16`].
    unsafe fn run(&self, out: &mut [f32]) {
        let (m, n, k) = self.dims;
        if let Right::Strided(columns) = &self.right
            && m <= dots::MAX_ROWS
            && W::has_contiguous_rows(columns)
        {
            // SAFETY: passed on.
            return unsafe { dots::run(out, self, columns) };
        }
        let panels = n.div_ceil(COLS);
        let base = SharedMut(out.as_mut_ptr());
        let threads = if m * n * k < MIN_PARALLEL_WORK {
            1
        } else {
            pool::threads()
        };
        let by_cols = self.share_columns(threads);
        let units = if by_cols { panels } else { m };
        let parts = threads.min(units);
        parallel_for(parts, |part| {
            let share = part * units / parts..(part + 1) * units / parts;
            let part = match by_cols {
                true => Part {
                    rows: 0..m,
                    panels: share,
                },
                false => Part {
                    rows: share,
                    panels: 0..panels,
                },
            };
            // SAFETY: the parts do not overlap and cover `out`; the rest is the caller's promise.
            unsafe { Worker::run(self, base.get(), &part) }
        });
    }

    /// Whether threads share out columns rather than rows.
    ///
    /// Sharing rows makes each thread pack or read all of B, sharing columns all of A: the cheaper wins. On a tie
    /// rows are shared, whose parts of the output are contiguous.
    fn share_columns(&self, threads: usize) -> bool {
        let (m, n, _) = self.dims;
        let cost = |in_place| if in_place { 1 } else { PACK_COST };
        let a_cost = m * cost(self.a_in_place(n.div_ceil(COLS * threads)));
        let b_cost = n * cost(self.b_in_place(m.div_ceil(threads)));
        a_cost < b_cost && n >= COLS * threads || m < threads
    }

    /// Whether A can be read where it lies by a thread that has this many panels.
    fn a_in_place(&self, panels: usize) -> bool {
        W::in_place(self.left).is_some_and(|a| {
            // Rows whose distance is a multiple of 1 KB crowd into a quarter of the first-level cache, or less.
            a.col_stride == 1 && panels <= IN_PLACE_PANELS && !a.row_stride.is_multiple_of(256)
                || a.row_stride == 1 && panels == 1
        })
    }

    /// Whether B can be read where it lies, or has been packed, by a thread that has this many rows.
    fn b_in_place(&self, rows: usize) -> bool {
        match &self.right {
            Right::Packed(_) => true,
            Right::Strided(columns) => W::in_place(*columns).is_some_and(|columns| {
                // A panel is re-read for every tile of rows, so it should stay in the first-level cache.
                let stays = || stays_cached(self.k_block, columns.col_stride);
                columns.row_stride == 1 && (rows <= 2 * MAX_ROWS || stays())
            }),
        }
    }
}

/// Whether a panel of `k` rows of two cache lines, `row_stride` floats apart, takes no more than a third of the ways of
/// any set of a first-level cache of 64 sets and 12 ways.
fn stays_cached(k: usize, row_stride: usize) -> bool {
    let (sets, ways) = (64, 4);
    // Rows that start at a multiple of 2^i lines meet again in the same set after 64 / 2^i of them.
    let first_sets = if row_stride.is_multiple_of(16) {
        sets >> (row_stride / 16).trailing_zeros().min(6)
    } else {
        sets
    };
    2 * k <= ways * sets.min(2 * first_sets)
}

/// One thread's share of the work.
struct Worker<'w, 'a, W: Words> {
    plan: &'w Plan<'a, W>,
    out: *mut f32,
    /// Room for a block of A; empty if A is read in place.
    a_scratch: &'w mut [u32],
    /// Room for a block of B, or for one panel if there is one block of rows; empty if B is read in place.
    b_scratch: &'w mut [u32],
    a_in_place: Option<MatRef<'a, f32>>,
    b_in_place: bool,
    row_blocks: usize,
}

/// Blocks of rows, words and panels that are worked on while they stay in cache.
struct Block {
    rows: Range<usize>,
    words: Range<usize>,
    panels: Range<usize>,
    /// B still has to be packed.
    first_rows: bool,
}

impl<'a, W: Words> Worker<'_, 'a, W> {
    /// Computes a part of the output.
    ///
    /// # Safety
    /// As [`gemm`] or [`gemm_bf16`]; nobody else uses the part's elements of the output.
    unsafe fn run(plan: &Plan<'a, W>, out: *mut f32, part: &Part) {
        let rows = part.rows.len();
        let row_blocks = rows.div_ceil(MAX_ROWS * TILES_BLOCK);
        let a_in_place = W::in_place(plan.left).filter(|_| plan.a_in_place(part.panels.len()));
        let b_in_place = plan.b_in_place(rows);
        let a_len = match a_in_place {
            Some(_) => 0,
            None => rows.div_ceil(row_blocks) * plan.k_block,
        };
        let slots = match (b_in_place, row_blocks) {
            (true, _) => 0,
            (false, 1) => 1,
            (false, _) => part.panels.len().min(PANELS_BLOCK),
        };
        with_scratch(a_len, |a_scratch| {
            with_scratch(slots * panel_len(plan.k_block), |b_scratch| {
                let mut worker = Worker {
                    plan,
                    out,
                    a_scratch,
                    b_scratch,
                    a_in_place,
                    b_in_place,
                    row_blocks,
                };
                // SAFETY: passed on.
                unsafe { worker.blocks(part) }
            });
        });
    }

    /// # Safety
    /// As [`Worker::run`].
    unsafe fn blocks(&mut self, part: &Part) {
        let (_, _, k) = self.plan.dims;
        let (words, k_block) = (words::<W>(k), self.plan.k_block);
        for panel in part.panels.clone().step_by(PANELS_BLOCK) {
            let panels = panel..part.panels.end.min(panel + PANELS_BLOCK);
            for word in (0..words).step_by(k_block) {
                for block in 0..self.row_blocks {
                    let start = |block: usize| part.rows.start + block * part.rows.len() / self.row_blocks;
                    let block = Block {
                        rows: start(block)..start(block + 1),
                        words: word..words.min(word + k_block),
                        panels: panels.clone(),
                        first_rows: block == 0,
                    };
                    // SAFETY: the block lies in the part.
                    unsafe { self.block(&block) };
                }
            }
        }
    }

    /// # Safety
    /// As [`Worker::run`].
    unsafe fn block(&mut self, block: &Block) {
        let plan = self.plan;
        let (_, n, k) = plan.dims;
        let tiles = block.rows.len().div_ceil(MAX_ROWS);
        // Heights that differ by one at most: no tile is much cheaper to load than to multiply.
        let row_of = |tile: usize| block.rows.start + tile * block.rows.len() / tiles;
        let last = block.words.end == words::<W>(k);
        let bias = plan.epilogue.bias.filter(|_| last);
        // SAFETY: everything below lies in the operands, in the scratch made for it, or in the caller's part.
        unsafe {
            if self.a_in_place.is_none() {
                self.pack_a(block, tiles, row_of);
            }
            for panel in block.panels.clone() {
                let col = panel * COLS;
                let (b, b_row_stride) = self.panel(block, panel);
                for tile in 0..tiles {
                    let (row, rows) = (row_of(tile), row_of(tile + 1) - row_of(tile));
                    let (a, a_row_stride, a_col_stride) = match self.a_in_place {
                        Some(a) => {
                            let at = row * a.row_stride + block.words.start * a.col_stride;
                            (a.data.as_ptr().add(at).cast(), a.row_stride, a.col_stride)
                        }
                        None => {
                            let at = (row - block.rows.start) * block.words.len();
                            (self.a_scratch.as_ptr().add(at), 1, rows)
                        }
                    };
                    Tile {
                        k: block.words.len(),
                        a,
                        a_row_stride,
                        a_col_stride,
                        b,
                        b_row_stride,
                        c: self.out.add(row * n + col),
                        c_row_stride: n,
                        rows,
                        cols: COLS.min(n - col),
                        load_c: plan.accumulate || block.words.start > 0,
                        bias: bias.map_or(std::ptr::null(), |bias| bias.as_ptr().add(col)),
                        relu: plan.epilogue.relu && last,
                    }
                    .run::<W>();
                }
            }
        }
    }

    /// Packs the block's rows of A, tile after tile.
    ///
    /// # Safety
    /// As [`Worker::block`].
    unsafe fn pack_a(&mut self, block: &Block, tiles: usize, row_of: impl Fn(usize) -> usize) {
        let to = self.a_scratch.as_mut_ptr();
        for tile in 0..tiles {
            let (start, end) = (row_of(tile), row_of(tile + 1));
            // SAFETY: the rows lie in A; tiles fill the scratch one after the other.
            unsafe {
                let to = to.add((start - block.rows.start) * block.words.len());
                W::pack_rows(
                    &self.plan.left,
                    self.terms(block),
                    (start, end - start),
                    to,
                    end - start,
                );
            }
        }
    }

    /// Where the panel's words of this block lie, packed now if needed, and the distance between their rows.
    ///
    /// # Safety
    /// As [`Worker::block`].
    unsafe fn panel(&mut self, block: &Block, panel: usize) -> (*const u32, usize) {
        let (_, n, _) = self.plan.dims;
        let columns = match &self.plan.right {
            Right::Packed(panels) => return (panels.at(panel, block.words.start), COLS),
            Right::Strided(columns) => columns,
        };
        let col = panel * COLS;
        if let Some(words) = W::in_place(*columns).filter(|_| self.b_in_place) {
            let at = block.words.start * words.col_stride + col * words.row_stride;
            return (words.data.as_ptr().wrapping_add(at).cast(), words.col_stride);
        }
        let slot = if self.row_blocks == 1 {
            0
        } else {
            panel - block.panels.start
        };
        let to = self.b_scratch[slot * panel_len(block.words.len())..].as_mut_ptr();
        if block.first_rows || self.row_blocks == 1 {
            let side = (col, COLS.min(n - col));
            // SAFETY: the columns lie in B, and the scratch has a slot for each panel of the block.
            unsafe { W::pack_rows(columns, self.terms(block), side, to, COLS) };
        }
        (to, COLS)
    }

    /// The first term of a block, and how many it has.
    fn terms(&self, block: &Block) -> (usize, usize) {
        let (_, _, k) = self.plan.dims;
        let start = block.words.start * W::TERMS;
        (start, k.min(block.words.end * W::TERMS) - start)
    }
}
