//! The innermost product: a tile of up to 14 x 32 elements of the output, held in registers while k runs.
//!
//! 14 rows of two vectors are 28 accumulators; with two vectors of B and one broadcast of A that is 31 of the 32
//! registers. Each step of k does `2 * MR` multiply-adds for `MR + 2` loads, so from 3 rows up the two multiply-add
//! units are the limit (below 4 rows, their latency). Heights are constants: a tile of 9 rows costs 9/14 of a full one.

use std::arch::x86_64::*;

/// Rows of the tallest tile.
pub(crate) const MAX_ROWS: usize = 14;
/// Columns of a tile: two vectors.
pub(crate) const COLS: usize = 32;
const LANES: usize = 16;

/// One call of the innermost product: `c = epilogue((c or 0) + a · b)`.
pub(crate) struct Tile {
    pub k: usize,
    pub a: *const f32,
    /// Distance between rows of A; 1 or anything.
    pub a_row_stride: usize,
    /// Distance between columns of A; must be 1 if `a_row_stride` is not.
    pub a_col_stride: usize,
    pub b: *const f32,
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

type Kernel = unsafe fn(&Tile);

impl Tile {
    /// Computes the tile.
    ///
    /// # Safety
    /// The machine has AVX-512F; `rows` is 1 to [`MAX_ROWS`], `cols` 1 to [`COLS`]; the elements of A, B and the bias
    /// named by `rows`, `cols`, `k` and the strides can be read, those of C read and written by nobody else.
    #[inline]
    pub(crate) unsafe fn run(&self) {
        debug_assert!(self.a_row_stride == 1 || self.a_col_stride == 1);
        let vectors = self.cols.div_ceil(LANES);
        let (full, by_rows) = (self.cols == vectors * LANES, self.a_row_stride == 1);
        let kernel = KERNELS[usize::from(by_rows)][usize::from(full)][vectors - 1][self.rows - 1];
        // SAFETY: the caller's promise; the kernel chosen is the one for this shape.
        unsafe { kernel(self) }
    }
}

macro_rules! heights {
    ($vectors:literal, $full:literal, $by_rows:literal) => {
        [
            tile::<1, $vectors, $full, $by_rows>,
            tile::<2, $vectors, $full, $by_rows>,
            tile::<3, $vectors, $full, $by_rows>,
            tile::<4, $vectors, $full, $by_rows>,
            tile::<5, $vectors, $full, $by_rows>,
            tile::<6, $vectors, $full, $by_rows>,
            tile::<7, $vectors, $full, $by_rows>,
            tile::<8, $vectors, $full, $by_rows>,
            tile::<9, $vectors, $full, $by_rows>,
            tile::<10, $vectors, $full, $by_rows>,
            tile::<11, $vectors, $full, $by_rows>,
            tile::<12, $vectors, $full, $by_rows>,
            tile::<13, $vectors, $full, $by_rows>,
            tile::<14, $vectors, $full, $by_rows>,
        ]
    };
}

/// By layout of A, fullness of the last vector, number of vectors, number of rows.
static KERNELS: [[[[Kernel; MAX_ROWS]; 2]; 2]; 2] = [
    [
        [heights!(1, false, false), heights!(2, false, false)],
        [heights!(1, true, false), heights!(2, true, false)],
    ],
    [
        [heights!(1, false, true), heights!(2, false, true)],
        [heights!(1, true, true), heights!(2, true, true)],
    ],
];

/// The output's tile, in registers.
struct Sums<const R: usize, const V: usize>([[__m512; V]; R]);

/// A row of B, in registers.
struct Vectors<const V: usize>([__m512; V]);

/// # Safety
/// As [`Tile::run`], with `rows == R`, `cols` in the last of `V` vectors and filling it if `FULL`, and
/// `a_row_stride == 1` if `BY_ROWS`.
#[target_feature(enable = "avx512f")]
unsafe fn tile<const R: usize, const V: usize, const FULL: bool, const BY_ROWS: bool>(t: &Tile) {
    let mut acc = Sums([[_mm512_setzero_ps(); V]; R]);
    let mask = last_mask(t.cols - (V - 1) * LANES);
    // SAFETY: the caller promises that these elements can be read.
    unsafe {
        for row in 0..R {
            // Brings the output near while k runs; addresses may lie past its end, which a prefetch allows.
            let c = t.c.wrapping_add(row * t.c_row_stride);
            _mm_prefetch::<_MM_HINT_ET0>(c.cast());
            _mm_prefetch::<_MM_HINT_ET0>(c.wrapping_add(COLS - 1).cast());
        }
        let (mut a, mut b) = (t.a, t.b);
        if BY_ROWS {
            for _ in 0..t.k {
                step::<R, V, FULL>(&mut acc, |row| *a.add(row), b, mask);
                a = a.wrapping_add(t.a_col_stride);
                b = b.wrapping_add(t.b_row_stride);
            }
        } else {
            // Unrolling this by hand makes the compiler spill accumulators: half the speed.
            for _ in 0..t.k {
                step::<R, V, FULL>(&mut acc, |row| *a.add(row * t.a_row_stride), b, mask);
                a = a.wrapping_add(1);
                b = b.wrapping_add(t.b_row_stride);
            }
        }
        finish::<R, V, FULL>(t, &mut acc, mask);
    }
}

/// Adds one outer product: a column of A by a row of B.
///
/// This and the helpers below have no `target_feature` of their own, because with it they could not be `inline(always)`,
/// and a call would force the accumulators out of their registers; they take on the features of [`tile`].
///
/// # Safety
/// As [`tile`]; `b` can be read for the columns of the tile.
#[inline(always)]
unsafe fn step<const R: usize, const V: usize, const FULL: bool>(
    acc: &mut Sums<R, V>,
    a: impl Fn(usize) -> f32,
    b: *const f32,
    mask: __mmask16,
) {
    // SAFETY: the caller's promise; lanes outside the mask are not read.
    unsafe {
        let mut row_of_b = Vectors([_mm512_setzero_ps(); V]);
        for v in 0..V {
            row_of_b.0[v] = load::<FULL>(b.wrapping_add(v * LANES), v + 1 == V, mask);
        }
        for row in 0..R {
            let x = _mm512_set1_ps(a(row));
            for v in 0..V {
                acc.0[row][v] = _mm512_fmadd_ps(x, row_of_b.0[v], acc.0[row][v]);
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
pub(super) fn last_mask(count: usize) -> __mmask16 {
    (((1_u32 << count.min(LANES)) - 1) & 0xffff) as __mmask16
}
