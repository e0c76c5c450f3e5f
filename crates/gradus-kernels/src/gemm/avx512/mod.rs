//! Our own f32 product for AVX-512.
//!
//! Every element of the output is one chain of multiply-adds over a block of k, and the blocks are added in order; where
//! the blocks end depends on k alone. So the bits do not depend on how rows and columns are shared out, and the
//! sharing is free to follow the number of threads and the layout of the operands.

mod pack;
pub(crate) mod tile;

use std::cell::RefCell;
use std::ops::Range;

use super::{Epilogue, Product};
use crate::matrix::MatRef;
use crate::pool::{self, SharedMut, parallel_for};
use pack::{Line, Scratch, Strip, panel_len};
use tile::{COLS, MAX_ROWS, Tile};

/// Longest block of k: a panel of B (32 KB) and a tile of A (14 KB) share the 48 KB of a first-level cache.
const K_BLOCK: usize = 256;

/// Tiles of A in a block: 12 * 14 rows * 256 * 4 bytes = 172 KB stay in the second-level cache beside a panel of B.
const TILES_BLOCK: usize = 12;

/// Panels of B in a block: 96 * 32 * 256 * 4 bytes = 3 MB stay in the third-level cache.
const PANELS_BLOCK: usize = 96;

/// Below this many multiply-adds (about 4 µs) a product is not worth a hand-off to another thread.
const MIN_PARALLEL_WORK: usize = 512 * 1024;

/// A is read in place, if its rows are contiguous, for up to this many panels; beyond that packing pays.
const IN_PLACE_PANELS: usize = 4;

thread_local! {
    static SCRATCH: RefCell<(Scratch, Scratch)> = RefCell::default();
}

/// The right-hand operand: strided, or packed before into panels of all of k by 32 columns.
#[derive(Clone, Copy)]
enum Right<'a> {
    Strided(MatRef<'a, f32>),
    Packed(&'a PackedPanels),
}

/// B packed as `[panel][k][32]`, the last panel filled up with zeros.
#[derive(Clone, Debug)]
pub(super) struct PackedPanels {
    lines: Vec<Line>,
    k: usize,
}

impl PackedPanels {
    /// # Safety
    /// The machine has AVX-512F.
    pub(super) unsafe fn new(b: MatRef<f32>) -> Self {
        let len = panel_len(b.rows);
        let mut lines = vec![Line([0.0; 16]); b.cols.div_ceil(COLS) * len / 16];
        let base = lines.as_mut_ptr().cast::<f32>();
        for (panel, col) in (0..b.cols).step_by(COLS).enumerate() {
            let strip = Strip::of_b(&b, (0, b.rows), (col, COLS.min(b.cols - col)));
            // SAFETY: the strip lies in `b`, the panel in `lines`; the caller promises the instructions.
            unsafe { strip.pack(base.add(panel * len), COLS) };
        }
        PackedPanels { lines, k: b.rows }
    }

    fn at(&self, panel: usize, k0: usize) -> *const f32 {
        self.lines
            .as_ptr()
            .cast::<f32>()
            .wrapping_add(panel * panel_len(self.k) + k0 * COLS)
    }
}

/// Computes a product with a strided right-hand side.
///
/// # Safety
/// The machine has AVX-512F; no dimension is zero; `out` has `m * n` elements.
pub(super) unsafe fn gemm(out: &mut [f32], product: &Product<f32>) {
    // SAFETY: passed on.
    unsafe { Plan::new(product, product.a, Right::Strided(product.b)).run(out) }
}

/// Computes a product whose right-hand side has been packed.
///
/// # Safety
/// As [`gemm`].
pub(super) unsafe fn gemm_packed(out: &mut [f32], product: &Product<f32, MatRef<f32>, &PackedPanels>) {
    // SAFETY: passed on.
    unsafe { Plan::new(product, product.a, Right::Packed(product.b)).run(out) }
}

/// How a product is carried out.
struct Plan<'a> {
    left: MatRef<'a, f32>,
    right: Right<'a>,
    dims: (usize, usize, usize),
    accumulate: bool,
    epilogue: Epilogue<'a, f32>,
    k_block: usize,
}

/// A part of the output that one thread computes.
struct Part {
    rows: Range<usize>,
    /// In panels of 32 columns.
    panels: Range<usize>,
}

impl<'a> Plan<'a> {
    fn new<A, B>(product: &Product<'a, f32, A, B>, left: MatRef<'a, f32>, right: Right<'a>) -> Self {
        let dims @ (_, _, k) = product.dims();
        // Equal blocks, in whole quads so that only the last one has a rest to transpose element by element.
        let k_block = k.div_ceil(k.div_ceil(K_BLOCK)).next_multiple_of(4);
        Plan {
            left,
            right,
            dims,
            accumulate: product.accumulate,
            epilogue: product.epilogue,
            k_block,
        }
    }

    /// # Safety
    /// As [`gemm`].
    unsafe fn run(&self, out: &mut [f32]) {
        let (m, n, k) = self.dims;
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
            SCRATCH.with_borrow_mut(|(a_scratch, b_scratch)| {
                // SAFETY: the parts do not overlap and cover `out`; the rest is the caller's promise.
                unsafe {
                    Worker {
                        plan: self,
                        out: base.get(),
                        a_scratch,
                        b_scratch,
                    }
                    .run(&part)
                }
            });
        });
    }

    /// Whether threads share out columns rather than rows.
    ///
    /// Sharing rows makes each thread pack all of B, sharing columns all of A: the cheaper wins. On a tie rows are
    /// shared, whose parts of the output are contiguous.
    fn share_columns(&self, threads: usize) -> bool {
        let (m, n, _) = self.dims;
        let pack_b = if self.b_in_place(m.div_ceil(threads)) {
            0
        } else {
            n
        };
        let pack_a = if self.a_in_place(n.div_ceil(COLS * threads)) {
            0
        } else {
            m
        };
        pack_a < pack_b && n >= COLS * threads || m < threads
    }

    /// Whether A can be read where it lies by a thread that has this many panels.
    fn a_in_place(&self, panels: usize) -> bool {
        let a = &self.left;
        // Rows whose distance is a multiple of 1 KB crowd into a quarter of the first-level cache, or less.
        a.col_stride == 1 && panels <= IN_PLACE_PANELS && !a.row_stride.is_multiple_of(256)
            || a.row_stride == 1 && panels == 1
    }

    /// Whether B can be read where it lies by a thread that has this many rows.
    fn b_in_place(&self, rows: usize) -> bool {
        match &self.right {
            Right::Packed(_) => true,
            Right::Strided(b) => {
                // A panel is re-read for every tile of rows, so it should stay in the first-level cache.
                b.col_stride == 1 && (rows <= 2 * MAX_ROWS || stays_cached(self.k_block, b.row_stride))
            }
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
struct Worker<'a> {
    plan: &'a Plan<'a>,
    out: *mut f32,
    a_scratch: &'a mut Scratch,
    b_scratch: &'a mut Scratch,
}

/// Blocks of rows, k and panels that are worked on while they stay in cache.
struct Block {
    rows: Range<usize>,
    k: Range<usize>,
    panels: Range<usize>,
    /// B still has to be packed.
    first_rows: bool,
    /// One panel of scratch is enough, as no other block of rows will want it again.
    only_rows: bool,
    a_in_place: bool,
    b_in_place: bool,
}

impl Worker<'_> {
    /// # Safety
    /// As [`gemm`]; nobody else uses the part's elements of the output.
    unsafe fn run(&mut self, part: &Part) {
        let (_, _, k) = self.plan.dims;
        let rows = part.rows.len();
        let row_blocks = rows.div_ceil(MAX_ROWS * TILES_BLOCK);
        let a_in_place = self.plan.a_in_place(part.panels.len());
        let b_in_place = self.plan.b_in_place(rows);
        for panel in part.panels.clone().step_by(PANELS_BLOCK) {
            let panels = panel..part.panels.end.min(panel + PANELS_BLOCK);
            for k0 in (0..k).step_by(self.plan.k_block) {
                for block in 0..row_blocks {
                    let start = |block: usize| part.rows.start + block * rows / row_blocks;
                    let block = Block {
                        rows: start(block)..start(block + 1),
                        k: k0..k.min(k0 + self.plan.k_block),
                        panels: panels.clone(),
                        first_rows: block == 0,
                        only_rows: row_blocks == 1,
                        a_in_place,
                        b_in_place,
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
        // SAFETY: everything below lies in the operands, in the scratch reserved for it, or in the caller's part.
        unsafe {
            let packed_a = if block.a_in_place {
                std::ptr::null()
            } else {
                self.pack_a(block)
            };
            for panel in block.panels.clone() {
                let col = panel * COLS;
                let (b, b_row_stride) = self.panel(block, panel);
                for tile in 0..tiles {
                    let (row, rows) = (row_of(tile), row_of(tile + 1) - row_of(tile));
                    let (a, a_row_stride, a_col_stride) = if block.a_in_place {
                        let a = plan.left;
                        let at = a
                            .data
                            .as_ptr()
                            .add(row * a.row_stride + block.k.start * a.col_stride);
                        (at, a.row_stride, a.col_stride)
                    } else {
                        (packed_a.add((row - block.rows.start) * block.k.len()), 1, rows)
                    };
                    let last = block.k.end == k;
                    let bias = plan.epilogue.bias.filter(|_| last);
                    Tile {
                        k: block.k.len(),
                        a,
                        a_row_stride,
                        a_col_stride,
                        b,
                        b_row_stride,
                        c: self.out.add(row * n + col),
                        c_row_stride: n,
                        rows,
                        cols: COLS.min(n - col),
                        load_c: plan.accumulate || block.k.start > 0,
                        bias: bias.map_or(std::ptr::null(), |bias| bias.as_ptr().add(col)),
                        relu: plan.epilogue.relu && last,
                    }
                    .run();
                }
            }
        }
    }

    /// Packs the block's rows of A, tile after tile.
    ///
    /// # Safety
    /// As [`Worker::block`].
    unsafe fn pack_a(&mut self, block: &Block) -> *const f32 {
        let (rows, k) = (block.rows.len(), block.k.len());
        let tiles = rows.div_ceil(MAX_ROWS);
        let to = self.a_scratch.reserve(rows * k);
        for tile in 0..tiles {
            let (start, end) = (tile * rows / tiles, (tile + 1) * rows / tiles);
            let side = (block.rows.start + start, end - start);
            let strip = Strip::of_a(&self.plan.left, (block.k.start, k), side);
            // SAFETY: the strip lies in A; tiles fill the scratch one after the other.
            unsafe { strip.pack(to.add(start * k), end - start) };
        }
        to
    }

    /// Where the panel's rows of this block of k lie, packed now if needed, and the distance between them.
    ///
    /// # Safety
    /// As [`Worker::block`].
    unsafe fn panel(&mut self, block: &Block, panel: usize) -> (*const f32, usize) {
        let (_, n, _) = self.plan.dims;
        let k = (block.k.start, block.k.len());
        let strip = match &self.plan.right {
            Right::Packed(panels) => return (panels.at(panel, k.0), COLS),
            Right::Strided(b) => Strip::of_b(b, k, (panel * COLS, COLS.min(n - panel * COLS))),
        };
        if block.b_in_place {
            return (strip.data, strip.k_stride);
        }
        let slots = if block.only_rows { 1 } else { block.panels.len() };
        let slot = if block.only_rows {
            0
        } else {
            panel - block.panels.start
        };
        let to = self
            .b_scratch
            .reserve(slots * panel_len(k.1))
            .wrapping_add(slot * panel_len(k.1));
        if block.first_rows {
            // SAFETY: the strip lies in B, and the scratch has a slot for each panel of the block.
            unsafe { strip.pack(to, COLS) };
        }
        (to, COLS)
    }
}
