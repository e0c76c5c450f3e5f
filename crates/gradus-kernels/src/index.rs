//! Taking elements by index along an axis, and adding them back: over data seen as `[outer, axis, inner]`.
//!
//! Indices must lie in `0..axis`; the caller checks them. Additions run in the order of the indices, so equal indices
//! give the same bits for every number of threads.

use crate::binary::add_assign_piece;
use crate::partition::{PARALLEL_CHEAP, Pieces, for_pieces, for_row_pieces};
use crate::pool;
use crate::real::Real;
use crate::reduce::Axis;

/// Whole slices by index: `out[o, k, ..] = x[o, ids[k], ..]`, overwritten. With `outer = 1` this is an embedding.
pub fn index_select<T: Copy + Send + Sync>(out: &mut [T], x: &[T], ids: &[i64], dims: Axis) {
    debug_assert!(out.len() == dims.outer * ids.len() * dims.inner && x.len() == dims.len());
    let Axis { axis, inner, .. } = dims;
    for_row_pieces(out, inner, PARALLEL_CHEAP, |out, rows| {
        for (out, row) in out.chunks_exact_mut(inner).zip(rows) {
            let (outer, id) = (row / ids.len(), ids[row % ids.len()] as usize);
            out.copy_from_slice(&x[(outer * axis + id) * inner..][..inner]);
        }
    });
}

/// Elements of a row that one task of [`add_rows`] owns: 512 bytes of `f32`, so that rows of a few hundred elements
/// still keep several threads busy, and each visit uses whole cache lines.
const COLUMNS: usize = 128;

/// Gradient of [`index_select`], and of an embedding: `d_x[o, ids[k], ..] += d_out[o, k, ..]` into zeros (`d_x` is
/// overwritten).
pub fn index_select_backward<T: Real>(d_x: &mut [T], d_out: &[T], ids: &[i64], dims: Axis) {
    debug_assert!(d_x.len() == dims.len());
    for_pieces(d_x, PARALLEL_CHEAP, |d_x, _| d_x.fill(T::ZERO));
    add_rows(d_x, d_out, ids, dims);
}

/// `total[o, ids[k], ..] += rows[o, k, ..]`, in the order of the indices.
pub fn add_rows<T: Real>(total: &mut [T], rows: &[T], ids: &[i64], dims: Axis) {
    let Axis { outer, axis, inner } = dims;
    debug_assert!(total.len() == dims.len() && rows.len() == outer * ids.len() * inner);
    if inner == 0 {
        return;
    }
    // Tasks own columns, not rows: then no two of them meet in one element, whatever the indices are.
    let columns = inner.div_ceil(COLUMNS);
    let total = Pieces::new(total);
    let task = |task: usize| {
        let (outer, first) = (task / columns, task % columns * COLUMNS);
        let width = COLUMNS.min(inner - first);
        for (k, &id) in ids.iter().enumerate() {
            let start = (outer * axis + id as usize) * inner + first;
            // SAFETY: tasks own disjoint (outer, column) blocks, and one task holds one part at a time.
            let total = unsafe { total.get(start..start + width) };
            add_assign_piece(total, &rows[(outer * ids.len() + k) * inner + first..][..width]);
        }
    };
    if rows.len() < PARALLEL_CHEAP {
        return (0..outer * columns).for_each(task);
    }
    pool::parallel_for(outer * columns, task);
}

/// Single elements by index: `out[o, k, i] = x[o, ids[o, k, i], i]` for `ids` and `out` of shape
/// `[outer, picks, inner]`, overwritten.
pub fn gather<T: Copy + Send + Sync>(out: &mut [T], x: &[T], ids: &[i64], dims: Axis) {
    debug_assert!(out.len() == ids.len() && x.len() == dims.len());
    let Axis { outer, axis, inner } = dims;
    let block = out.len().checked_div(outer).unwrap_or(0);
    for_row_pieces(out, block, PARALLEL_CHEAP, |out, outers| {
        for (out, outer) in out.chunks_exact_mut(block).zip(outers) {
            for (at, (out, &id)) in out.iter_mut().zip(&ids[outer * block..]).enumerate() {
                *out = x[(outer * axis + id as usize) * inner + at % inner];
            }
        }
    });
}

/// Gradient of [`gather`]: `d_x[o, ids[o, k, i], i] += d_out[o, k, i]` into zeros (`d_x` is overwritten).
pub fn gather_backward<T: Real>(d_x: &mut [T], d_out: &[T], ids: &[i64], dims: Axis) {
    debug_assert!(d_out.len() == ids.len() && d_x.len() == dims.len());
    let Axis { outer, axis, inner } = dims;
    let block = d_out.len().checked_div(outer).unwrap_or(0);
    for_row_pieces(d_x, axis * inner, PARALLEL_CHEAP, |d_x, outers| {
        d_x.fill(T::ZERO);
        for (d_x, outer) in d_x.chunks_exact_mut(axis * inner).zip(outers) {
            let cells = outer * block..(outer + 1) * block;
            for (at, (&d_out, &id)) in d_out[cells.clone()].iter().zip(&ids[cells]).enumerate() {
                d_x[id as usize * inner + at % inner] += d_out;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{noise, same_for_every_thread_count};

    const DIMS: Axis = Axis {
        outer: 3,
        axis: 4,
        inner: 5,
    };

    #[test]
    fn selects_slices_and_adds_them_back() {
        let x = noise::<f32>(60, 1);
        let ids = [2, 0, 2, 3, 2];
        let mut out = [f32::NAN; 75];
        index_select(&mut out, &x, &ids, DIMS);
        let mut d_x = [f32::NAN; 60];
        index_select_backward(&mut d_x, &out, &ids, DIMS);
        for o in 0..3 {
            for i in 0..5 {
                for (k, &id) in ids.iter().enumerate() {
                    assert_eq!(out[(o * 5 + k) * 5 + i], x[(o * 4 + id as usize) * 5 + i]);
                }
                for (a, uses) in [1.0, 0.0, 3.0, 1.0].into_iter().enumerate() {
                    let at = (o * 4 + a) * 5 + i;
                    assert!((d_x[at] - uses * x[at]).abs() < 1e-6);
                }
            }
        }
    }

    #[test]
    fn gathers_elements_and_adds_them_back() {
        let x = noise::<f32>(60, 1);
        let ids: Vec<i64> = (0..30).map(|i| i * 7 % 4).collect();
        let mut out = [f32::NAN; 30];
        gather(&mut out, &x, &ids, DIMS);
        let (mut d_x, mut expected) = ([f32::NAN; 60], [0.0; 60]);
        gather_backward(&mut d_x, &out, &ids, DIMS);
        for (at, &id) in ids.iter().enumerate() {
            let from = (at / 10 * 4 + id as usize) * 5 + at % 5;
            assert_eq!(out[at], x[from]);
            expected[from] += out[at];
        }
        assert_eq!(d_x, expected);
    }

    #[test]
    fn nothing_selected_gives_zero_gradients() {
        let mut d_x = [9.0_f32; 60];
        index_select_backward(&mut d_x, &[], &[], DIMS);
        assert_eq!(d_x, [0.0; 60]);
        d_x.fill(9.0);
        gather_backward(&mut d_x, &[], &[], DIMS);
        assert_eq!(d_x, [0.0; 60]);
        index_select::<f32>(
            &mut [],
            &[],
            &[],
            Axis {
                outer: 1,
                axis: 0,
                inner: 3,
            },
        );
    }

    #[test]
    fn repeated_indices_give_the_same_bits_for_every_thread_count() {
        let d_out = noise::<f32>(20 * 9000, 1);
        let ids: Vec<i64> = (0..20).map(|i| i % 3).collect();
        same_for_every_thread_count(|| {
            let mut d_x = vec![0.0; 3 * 9000];
            index_select_backward(
                &mut d_x,
                &d_out,
                &ids,
                Axis {
                    outer: 1,
                    axis: 3,
                    inner: 9000,
                },
            );
            d_x
        });
    }
}
