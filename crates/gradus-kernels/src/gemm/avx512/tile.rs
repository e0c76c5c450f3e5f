//! The innermost product: a tile of up to 14 x 32 elements of the output, held in registers while k runs.
//!
//! 14 rows of two vectors are 28 accumulators; with two vectors of B and one broadcast of A that is 31 of the 32
//! registers, whose products are those of [`Words`]. Each word of k does `2 * MR` multiply-adds for `MR + 2` loads, so from 3 rows up the two multiply-add
//! units are the limit (below 4 rows, their latency). Heights are constants: a tile of 9 rows costs 9/14 of a full one.

use std::arch::x86_64::*;

use super::words::{Bf16Words, F32Words, Words};

/// Rows of the tallest tile.
pub(crate) const MAX_ROWS: usize = 14;
/// Columns of a tile: two vectors.
pub(crate) const COLS: usize = 32;
/// Words left to do when the output's tile is fetched from the second-level into the first-level cache, where at the start of a
/// long sum A and B would push it out again.
const PREFETCH_AHEAD: usize = 32;
/// Words of a vector.
pub(crate) const LANES: usize = 16;

/// One call of the innermost product: `c = epilogue((c or 0) + a · b)`.
pub(crate) struct Tile {
    /// In words.
    pub k: usize,
    pub a: *const u32,
    /// Distance between rows of A; 1 or anything.
    pub a_row_stride: usize,
    /// Distance between columns of A; must be 1 if `a_row_stride` is not.
    pub a_col_stride: usize,
    pub b: *const u32,
    /// Distance between rows of B, whose columns are contiguous.
    pub b_row_stride: usize,
    pub c: *mut f32,
    pub c_row_stride: usize,
    pub rows: usize,
    pub cols: usize,
    /// Start from what C holds rather than from zero.
    pub load_c: bool,
    /// One value for each column of the tile, or null.
    pub bias: *const f32,
    pub relu: bool,
}

pub(crate) type Kernel = unsafe fn(&Tile);

/// What chooses a kernel.
pub(crate) struct Shape {
    /// 1 to [`MAX_ROWS`].
    pub rows: usize,
    /// Vectors that the columns fill; 1 or 2.
    pub vectors: usize,
    /// Whether the columns fill the last vector.
    pub full: bool,
    /// Whether `a_row_stride` is 1.
    pub by_rows: bool,
}

impl Tile {
    /// Computes the tile.
    ///
    /// # Safety
    /// The machine has the instructions of the words; `rows` is 1 to [`MAX_ROWS`], `cols` 1 to [`COLS`]; the elements of A,
    /// B and the bias named by `rows`, `cols`, `k` and the strides can be read, those of C read and written by nobody
    /// else.
    #[inline]
    pub(crate) unsafe fn run<W: Words>(&self) {
        debug_assert!(self.a_row_stride == 1 || self.a_col_stride == 1);
        let vectors = self.cols.div_ceil(LANES);
        let kernel = W::kernel(Shape {
            rows: self.rows,
            vectors,
            full: self.cols == vectors * LANES,
            by_rows: self.a_row_stride == 1,
        });
        // SAFETY: the caller's promise; the kernel chosen is the one for this shape.
        unsafe { kernel(self) }
    }
}

/// [`tile`] for f32.
///
/// # Safety
/// As [`tile`].
#[target_feature(enable = "avx512f")]
unsafe fn f32_tile<const R: usize, const C: usize, const V: usize, const FULL: bool, const BY_ROWS: bool>(
    t: &Tile,
) {
    // SAFETY: the caller's promise.
    unsafe { tile::<F32Words, R, C, V, FULL, BY_ROWS>(t) }
}

/// [`tile`] for bf16.
///
/// # Safety
/// As [`tile`].
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn bf16_tile<const R: usize, const C: usize, const V: usize, const FULL: bool, const BY_ROWS: bool>(
    t: &Tile,
) {
    // SAFETY: the caller's promise.
    unsafe { tile::<Bf16Words, R, C, V, FULL, BY_ROWS>(t) }
}

/// The kernels of every height: rows, and chains of sums that run beside each other where the rows alone would be too few to
/// hide the latency of a multiply-add.
macro_rules! heights {
    ($tile:ident, $vectors:literal, $full:literal, $by_rows:literal) => {
        [
            $tile::<1, 4, $vectors, $full, $by_rows>,
            $tile::<2, 2, $vectors, $full, $by_rows>,
            $tile::<3, 2, $vectors, $full, $by_rows>,
            $tile::<4, 1, $vectors, $full, $by_rows>,
            $tile::<5, 1, $vectors, $full, $by_rows>,
            $tile::<6, 1, $vectors, $full, $by_rows>,
            $tile::<7, 1, $vectors, $full, $by_rows>,
            $tile::<8, 1, $vectors, $full, $by_rows>,
            $tile::<9, 1, $vectors, $full, $by_rows>,
            $tile::<10, 1, $vectors, $full, $by_rows>,
            $tile::<11, 1, $vectors, $full, $by_rows>,
            $tile::<12, 1, $vectors, $full, $by_rows>,
            $tile::<13, 1, $vectors, $full, $by_rows>,
            $tile::<14, 1, $vectors, $full, $by_rows>,
        ]
    };
}

/// The kernels of one layout of A, by fullness of the last vector, number of vectors, number of rows.
macro_rules! kernels {
    ($tile:ident, $by_rows:literal) => {
        [
            [
                heights!($tile, 1, false, $by_rows),
                heights!($tile, 2, false, $by_rows),
            ],
            [
                heights!($tile, 1, true, $by_rows),
                heights!($tile, 2, true, $by_rows),
            ],
        ]
    };
}

type Kernels = [[[Kernel; MAX_ROWS]; 2]; 2];

pub(super) fn f32_kernel(shape: Shape) -> Kernel {
    static KERNELS: [Kernels; 2] = [kernels!(f32_tile, false), kernels!(f32_tile, true)];
    KERNELS[usize::from(shape.by_rows)][usize::from(shape.full)][shape.vectors - 1][shape.rows - 1]
}

pub(super) fn bf16_kernel(shape: Shape) -> Kernel {
    static KERNELS: [Kernels; 2] = [kernels!(bf16_tile, false), kernels!(bf16_tile, true)];
    KERNELS[usize::from(shape.by_rows)][usize::from(shape.full)][shape.vectors - 1][shape.rows - 1]
}

/// The output's tile, in registers.
#[derive(Clone, Copy)]
struct Sums<const R: usize, const V: usize>([[__m512; V]; R]);

/// A row of B, in registers.
struct Vectors<const V: usize>([__m512i; V]);

/// The tile for both kinds of word.
///
/// # Safety
/// As [`Tile::run`], with `rows == R`, `cols` in the last of `V` vectors and filling it if `FULL`, and
/// `a_row_stride == 1` if `BY_ROWS`.
#[inline(always)]
unsafe fn tile<
    W: Words,
    const R: usize,
    const C: usize,
    const V: usize,
    const FULL: bool,
    const BY_ROWS: bool,
>(
    t: &Tile,
) {
    let mask = last_mask(t.cols - (V - 1) * LANES);
    // SAFETY: the caller promises that these elements can be read.
    unsafe {
        let mut chains = [Sums([[_mm512_setzero_ps(); V]; R]); C];
        let (mut a, mut b) = (t.a, t.b);
        let a_step = if BY_ROWS { t.a_col_stride } else { 1 };
        let a_row_stride = if BY_ROWS { 1 } else { t.a_row_stride };
        let tail = (t.k / C).min(PREFETCH_AHEAD / C);
        for (rounds, last) in [(t.k / C - tail, false), (tail, true)] {
            match last {
                false => prefetch_output::<_MM_HINT_T1, R>(t),
                true => prefetch_output::<_MM_HINT_ET0, R>(t),
            }
            // Unrolling this by hand for a single chain makes the compiler spill accumulators: half the speed.
            for _ in 0..rounds {
                for chain in &mut chains {
                    step::<W, R, V, FULL>(chain, |row| *a.add(row * a_row_stride), b, mask);
                    a = a.wrapping_add(a_step);
                    b = b.wrapping_add(t.b_row_stride);
                }
            }
        }
        for _ in 0..t.k % C {
            step::<W, R, V, FULL>(&mut chains[0], |row| *a.add(row * a_row_stride), b, mask);
            a = a.wrapping_add(a_step);
            b = b.wrapping_add(t.b_row_stride);
        }
        for c in 1..C {
            for row in 0..R {
                for v in 0..V {
                    chains[0].0[row][v] = _mm512_add_ps(chains[0].0[row][v], chains[c].0[row][v]);
                }
            }
        }
        finish::<R, V, FULL>(t, &mut chains[0], mask);
    }
}

/// Brings the output near while k runs; addresses may lie past its end, which a prefetch allows.
#[inline(always)]
fn prefetch_output<const HINT: i32, const R: usize>(t: &Tile) {
    for row in 0..R {
        let c = t.c.wrapping_add(row * t.c_row_stride);
        // SAFETY: a prefetch reads nothing.
        unsafe {
            _mm_prefetch::<HINT>(c.cast());
            _mm_prefetch::<HINT>(c.wrapping_add(COLS - 1).cast());
        }
    }
}

/// Adds one outer product: a column of A by a row of B.
///
/// This, [`tile`] and the helpers below have no `target_feature` of their own, because with it they could not be `inline(always)`,
/// and a call would force the accumulators out of their registers; they take on the features of
/// [`f32_tile`] or [`bf16_tile`].
///
/// # Safety
/// As [`tile`]; `b` can be read for the columns of the tile.
#[inline(always)]
unsafe fn step<W: Words, const R: usize, const V: usize, const FULL: bool>(
    acc: &mut Sums<R, V>,
    a: impl Fn(usize) -> u32,
    b: *const u32,
    mask: __mmask16,
) {
    // SAFETY: the caller's promise; lanes outside the mask are not read.
    unsafe {
        let mut row_of_b = Vectors([_mm512_setzero_si512(); V]);
        for v in 0..V {
            let row = load::<FULL>(b.wrapping_add(v * LANES).cast(), v + 1 == V, mask);
            row_of_b.0[v] = _mm512_castps_si512(row);
        }
        for row in 0..R {
            let x = _mm512_set1_epi32(a(row).cast_signed());
            for v in 0..V {
                acc.0[row][v] = W::multiply_add(acc.0[row][v], x, row_of_b.0[v]);
            }
        }
    }
}

/// Adds the old output and the bias, applies ReLU, and stores.
///
/// One small loop over indices for each: the compiler must unroll them all, or the accumulators go to memory in [`tile`]
/// as well (loops over iterators make it 5 times slower).
///
/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn finish<const R: usize, const V: usize, const FULL: bool>(
    t: &Tile,
    acc: &mut Sums<R, V>,
    mask: __mmask16,
) {
    let at = |row: usize, v: usize| t.c.wrapping_add(row * t.c_row_stride + v * LANES);
    // SAFETY: the caller's promise; lanes outside the mask are neither read nor written.
    unsafe {
        if t.load_c {
            for row in 0..R {
                for v in 0..V {
                    acc.0[row][v] = _mm512_add_ps(load::<FULL>(at(row, v), v + 1 == V, mask), acc.0[row][v]);
                }
            }
        }
        if !t.bias.is_null() {
            for v in 0..V {
                let bias = load::<FULL>(t.bias.wrapping_add(v * LANES), v + 1 == V, mask);
                for row in 0..R {
                    acc.0[row][v] = _mm512_add_ps(acc.0[row][v], bias);
                }
            }
        }
        if t.relu {
            for row in 0..R {
                for v in 0..V {
                    // The instruction returns its second operand if either is NaN.
                    acc.0[row][v] = _mm512_max_ps(_mm512_setzero_ps(), acc.0[row][v]);
                }
            }
        }
        for row in 0..R {
            for v in 0..V {
                store::<FULL>(at(row, v), acc.0[row][v], v + 1 == V, mask);
            }
        }
    }
}

/// # Safety
/// As [`load`], for writing.
#[inline(always)]
unsafe fn store<const FULL: bool>(to: *mut f32, value: __m512, last: bool, mask: __mmask16) {
    // SAFETY: the caller's promise.
    unsafe {
        if FULL || !last {
            _mm512_storeu_ps(to, value)
        } else {
            _mm512_mask_storeu_ps(to, mask, value)
        }
    }
}

/// # Safety
/// `from` can be read for 16 elements, or for those in `mask` if it is the `last` vector of a tile that is not `FULL`.
#[inline(always)]
unsafe fn load<const FULL: bool>(from: *const f32, last: bool, mask: __mmask16) -> __m512 {
    // SAFETY: the caller's promise.
    unsafe {
        if FULL || !last {
            _mm512_loadu_ps(from)
        } else {
            _mm512_maskz_loadu_ps(mask, from)
        }
    }
}

/// The lowest `count` of 16 lanes.
pub(crate) fn last_mask(count: usize) -> __mmask16 {
    (((1_u32 << count.min(LANES)) - 1) & 0xffff) as __mmask16
}
