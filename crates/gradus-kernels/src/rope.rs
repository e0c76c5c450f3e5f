//! Rotary position embedding (Su et al. 2021) in the rotate-half form: element `i` of a head turns with element
//! `i + half` by the angle of its position and frequency.

use crate::partition::{PARALLEL_CHEAP, for_row_pieces};
use crate::real::Real;
use crate::vectorize::vectorize;

/// Cosines and sines of the angles, `[positions, half]` each, already times any attention scaling.
#[derive(Clone, Copy, Debug)]
pub struct Angles<'a> {
    /// Cosines.
    pub cos: &'a [f32],
    /// Sines.
    pub sin: &'a [f32],
    /// Frequencies, and pairs of elements that turn: at most half of a head.
    pub half: usize,
}

/// Which way [`rope`] turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// As the forward does.
    Forward,
    /// By the negative angles: the gradient, and without scaling the inverse.
    Backward,
}

/// The position of each row of `[batch, seq]`.
#[derive(Clone, Copy, Debug)]
pub enum Positions<'a> {
    /// `start`, `start + 1`, … in each sequence.
    From {
        /// Position of the first row of each sequence.
        start: usize,
        /// Rows of a sequence.
        seq: usize,
    },
    /// One for each row.
    Each(&'a [i64]),
}

impl Positions<'_> {
    #[inline(always)]
    fn of(&self, row: usize) -> usize {
        match *self {
            Positions::From { start, seq } => start + row % seq,
            Positions::Each(positions) => positions[row] as usize,
        }
    }
}

/// `[batch, seq, heads, head_dim]` through strides, the last of which is 1.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'a, T> {
    /// From the first element on.
    pub data: &'a [T],
    /// Lengths of the axes.
    pub shape: [usize; 4],
    /// Distances along the first three axes, in elements.
    pub strides: [usize; 3],
}

/// Turns every head by the angles of its position, which must lie in the table: with `c`, `s` of frequency `i`,
/// `out[i] = x[i] c − x[i + half] s` and `out[i + half] = x[i + half] c + x[i] s`. Elements from `2 half` on are copied.
/// `out` is contiguous and overwritten.
pub fn rope<T: Real>(out: &mut [T], x: Heads<T>, angles: Angles, positions: Positions, direction: Direction) {
    let [batch, seq, heads, head_dim] = x.shape;
    debug_assert!(out.len() == batch * seq * heads * head_dim && 2 * angles.half <= head_dim);
    for_row_pieces(out, heads * head_dim, PARALLEL_CHEAP, |out, rows| {
        rotate_rows(out, rows.start, x, (angles, positions), direction);
    });
}

vectorize! {
    fn rotate_rows[T: Real](out: &mut [T], first: usize, x: Heads<T>, turn: (Angles, Positions), direction: Direction) {
        let [_, seq, heads, head_dim] = x.shape;
        let (Angles { cos, sin, half }, positions) = turn;
        let sign = match direction {
            Direction::Forward => T::ONE,
            Direction::Backward => -T::ONE,
        };
        for (row, out) in (first..).zip(out.chunks_exact_mut(heads * head_dim)) {
            let at = positions.of(row) * half;
            let (cos, sin) = (&cos[at..at + half], &sin[at..at + half]);
            let start = row / seq * x.strides[0] + row % seq * x.strides[1];
            for (head, out) in out.chunks_exact_mut(head_dim).enumerate() {
                let x = &x.data[start + head * x.strides[2]..][..head_dim];
                let (low, rest) = x.split_at(half);
                let (high, rest) = rest.split_at(half);
                let (out_low, out_rest) = out.split_at_mut(half);
                let (out_high, out_rest) = out_rest.split_at_mut(half);
                let pairs = out_low.iter_mut().zip(out_high).zip(low.iter().zip(high));
                for (((out_low, out_high), (&low, &high)), (&cos, &sin)) in pairs.zip(cos.iter().zip(sin)) {
                    let (cos, sin) = (T::from_f64(cos.into()), sign * T::from_f64(sin.into()));
                    *out_low = low * cos - high * sin;
                    *out_high = high * cos + low * sin;
                }
                out_rest.copy_from_slice(rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, noise, same_for_every_thread_count};

    fn angles(positions: usize, half: usize) -> (Vec<f32>, Vec<f32>) {
        let angle = |i: usize| (i / half) as f64 * 10_000.0_f64.powf(-((i % half) as f64) / half as f64);
        (0..positions * half)
            .map(|i| (angle(i).cos() as f32, angle(i).sin() as f32))
            .unzip()
    }

    /// The same by complex multiplication, one pair at a time.
    fn naive(x: &[f64], shape: [usize; 4], half: usize, position: impl Fn(usize) -> usize) -> Vec<f64> {
        let [_, _, heads, head_dim] = shape;
        let (cos, sin) = angles(50, half);
        let mut out = x.to_vec();
        for (at, out) in out.iter_mut().enumerate() {
            let (row, i) = (at / (heads * head_dim), at % head_dim);
            let angle = |i: usize| {
                let at = position(row) * half + i;
                (f64::from(cos[at]), f64::from(sin[at]))
            };
            if i < half {
                *out = x[at] * angle(i).0 - x[at + half] * angle(i).1;
            } else if i < 2 * half {
                *out = x[at] * angle(i - half).0 + x[at - half] * angle(i - half).1;
            }
        }
        out
    }

    fn contiguous(data: &[f32], shape: [usize; 4]) -> Heads<'_, f32> {
        let [_, seq, heads, head_dim] = shape;
        let strides = [seq * heads * head_dim, heads * head_dim, head_dim];
        Heads { data, shape, strides }
    }

    #[test]
    fn turns_pairs_by_their_angle_and_back() {
        for (shape, half) in [
            ([2, 5, 3, 8], 4),
            ([1, 1, 1, 2], 1),
            ([3, 20, 8, 64], 32),
            ([2, 3, 2, 11], 3),
        ] {
            let len = shape.iter().product();
            let x = noise::<f32>(len, 1);
            let (cos, sin) = angles(50, half);
            let table = Angles {
                cos: &cos,
                sin: &sin,
                half,
            };
            let seq = shape[1];
            let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
            let from = Positions::From { start: 7, seq };
            same_for_every_thread_count(|| {
                let mut out = vec![f32::NAN; len];
                rope(&mut out, contiguous(&x, shape), table, from, Direction::Forward);
                assert_close(&out, &naive(&wide, shape, half, |row| 7 + row % seq), 1e-6);
                let mut back = vec![f32::NAN; len];
                rope(
                    &mut back,
                    contiguous(&out, shape),
                    table,
                    from,
                    Direction::Backward,
                );
                assert_close(&back, &wide, 1e-6);
                out
            });
            let each: Vec<i64> = (0..(shape[0] * seq) as i64).map(|i| i * 7 % 50).collect();
            let mut out = vec![f32::NAN; len];
            rope(
                &mut out,
                contiguous(&x, shape),
                table,
                Positions::Each(&each),
                Direction::Forward,
            );
            assert_close(&out, &naive(&wide, shape, half, |row| each[row] as usize), 1e-6);
        }
    }

    #[test]
    fn reads_through_strides() {
        let (shape, half) = ([2, 3, 2, 8], 4);
        let x = noise::<f32>(2 * 3 * 2 * 8, 1);
        let (cos, sin) = angles(50, half);
        let table = Angles {
            cos: &cos,
            sin: &sin,
            half,
        };
        let from = Positions::From { start: 0, seq: 3 };
        let mut expected = vec![0.0; x.len()];
        rope(
            &mut expected,
            contiguous(&x, shape),
            table,
            from,
            Direction::Forward,
        );
        // The same heads inside rows three times as wide.
        let mut wide = vec![f32::NAN; 2 * 3 * 48];
        for (row, x) in x.chunks(16).enumerate() {
            wide[row * 48 + 16..][..16].copy_from_slice(x);
        }
        let view = Heads {
            data: &wide[16..],
            shape,
            strides: [3 * 48, 48, 8],
        };
        let mut out = vec![0.0; x.len()];
        rope(&mut out, view, table, from, Direction::Forward);
        assert_eq!(out, expected);
    }
}
