//! Choosing between two operands by a condition, and copying a strided view into row-major order.

use crate::partition::{PARALLEL_CHEAP, for_row_pieces};
use crate::strided::{Strided, Walk};

/// `out = a` where `condition` is not zero, else `b`, over the common `shape` (overwritten). Its gradients are itself,
/// of `d_out` and zero.
pub fn where_cond<T: Copy + Send + Sync>(
    out: &mut [T],
    shape: &[usize],
    condition: Strided<u8>,
    a: Strided<T>,
    b: Strided<T>,
) {
    debug_assert_eq!(out.len(), shape.iter().product::<usize>());
    let walk = Walk::new(shape, [condition.strides, a.strides, b.strides]);
    let (row_len, [c_step, a_step, b_step]) = (walk.row_len(), walk.row_strides());
    for_row_pieces(out, row_len, PARALLEL_CHEAP, |out, rows| {
        let first = rows.start;
        walk.for_each_row(rows, |row, [c_start, a_start, b_start]| {
            let out = &mut out[(row - first) * row_len..][..row_len];
            for (i, out) in out.iter_mut().enumerate() {
                let chosen = condition.data[c_start + i * c_step] != 0;
                *out = if chosen {
                    a.data[a_start + i * a_step]
                } else {
                    b.data[b_start + i * b_step]
                };
            }
        });
    });
}

/// Side of the square tiles in which a transposed view is copied: 16 rows of 16 `f32` fill 16 cache lines, read once.
const TILE: usize = 16;

/// Copies a strided view into row-major order (`out` is overwritten).
pub fn contiguous<T: Copy + Send + Sync>(out: &mut [T], shape: &[usize], x: Strided<T>) {
    debug_assert_eq!(out.len(), shape.iter().product::<usize>());
    let walk = Walk::new(shape, [x.strides]);
    let (row_len, [step]) = (walk.row_len(), walk.row_strides());
    match walk.next_to_row() {
        Some((rows, [1])) if step != 1 => {
            for_row_pieces(out, rows * row_len, PARALLEL_CHEAP, |out, planes| {
                let first = planes.start;
                for plane in planes {
                    walk.for_each_row(plane * rows..plane * rows + 1, |_, [start]| {
                        let out = &mut out[(plane - first) * rows * row_len..][..rows * row_len];
                        transpose(out, &x.data[start..], row_len, step);
                    });
                }
            });
        }
        _ => for_row_pieces(out, row_len, PARALLEL_CHEAP, |out, rows| {
            let first = rows.start;
            walk.for_each_row(rows, |row, [start]| {
                copy_row(
                    &mut out[(row - first) * row_len..][..row_len],
                    &x.data[start..],
                    step,
                );
            });
        }),
    }
}

fn copy_row<T: Copy>(out: &mut [T], x: &[T], step: usize) {
    match step {
        0 => out.fill(x[0]),
        1 => out.copy_from_slice(&x[..out.len()]),
        _ => out
            .iter_mut()
            .zip(x.iter().step_by(step))
            .for_each(|(out, &x)| *out = x),
    }
}

/// `out[i][j] = x[j · step + i]` for rows of `row_len`, tile by tile.
fn transpose<T: Copy>(out: &mut [T], x: &[T], row_len: usize, step: usize) {
    let rows = out.len() / row_len;
    for i0 in (0..rows).step_by(TILE) {
        for j0 in (0..row_len).step_by(TILE) {
            for i in i0..(i0 + TILE).min(rows) {
                let out = &mut out[i * row_len..][..row_len];
                for (j, out) in out.iter_mut().enumerate().take(j0 + TILE).skip(j0) {
                    *out = x[j * step + i];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{noise, same_for_every_thread_count};

    #[test]
    fn copies_every_layout_like_the_naive_loop() {
        let data = noise::<f32>(40_000, 1);
        for (shape, strides) in [
            (vec![], vec![]),
            (vec![5, 7], vec![7, 1]),
            (vec![33, 50], vec![1, 33]),
            (vec![200, 190], vec![1, 200]),
            (vec![3, 17, 20], vec![340, 1, 17]),
            (vec![4, 3, 5], vec![1, 20, 4]),
            (vec![6, 4], vec![0, 2]),
            (vec![6, 4], vec![1, 0]),
            (vec![3, 0, 2], vec![1, 1, 1]),
        ] {
            let naive: Vec<f32> = (0..shape.iter().product())
                .map(|flat: usize| {
                    let (mut rest, mut offset) = (flat, 0);
                    for axis in (0..shape.len()).rev() {
                        offset += rest % shape[axis] * strides[axis];
                        rest /= shape[axis];
                    }
                    data[offset]
                })
                .collect();
            same_for_every_thread_count(|| {
                let mut out = vec![f32::NAN; naive.len()];
                contiguous(
                    &mut out,
                    &shape,
                    Strided {
                        data: &data,
                        strides: &strides,
                    },
                );
                assert_eq!(out, naive, "{shape:?} {strides:?}");
                out
            });
        }
    }

    #[test]
    fn chooses_by_a_broadcast_condition() {
        let (a, b) = (noise::<f32>(6, 1), noise::<f32>(1, 2));
        let mut out = [0.0; 6];
        let condition = Strided {
            data: &[1, 0, 7],
            strides: &[0, 1],
        };
        where_cond(
            &mut out,
            &[2, 3],
            condition,
            Strided {
                data: &a,
                strides: &[3, 1],
            },
            Strided {
                data: &b,
                strides: &[0, 0],
            },
        );
        assert_eq!(out, [a[0], b[0], a[2], a[3], b[0], a[5]]);
    }
}
