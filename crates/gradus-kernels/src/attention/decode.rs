//! Attention of one query a head over a cache: a token of each sequence, as in generation.
//!
//! The keys of a head are read once for all query heads that share it. Long caches are cut into chunks that are summed
//! apart and joined in order, so that a single sequence keeps every core busy (Dao et al. 2023, "Flash-Decoding").

use super::cache::{KEY_GROUP, View};
use super::stored::Stored;
use super::{Heads, Rule, Shape};
use crate::partition::Pieces;
use crate::pool;
use crate::real::Real;
use crate::reduce::{LANES, add_lanes};
use crate::scratch::with_scratch;
use crate::softmax::row_max;
use crate::vectorize::vectorize;

/// Keys of a chunk; a multiple of [`KEY_GROUP`].
const CHUNK: usize = 256;

/// Query heads that go through together: their sums of 64 elements are 16 vectors, which leaves registers for the rest.
const MAX_ROWS: usize = 4;

/// Elements of the values that go through together.
const WIDTH: usize = 64;

/// Fewer multiply-adds than this (about 10 µs) are not worth a hand-off to another thread.
const MIN_PARALLEL_WORK: usize = 128 * 1024;

/// `out` is dense `[batch, heads, head_dim]`.
pub(super) fn decode<S: Stored>(out: &mut [f32], q: &Heads<f32>, view: &View<S>, shape: &Shape, rule: &Rule) {
    let (head_dim, group) = (shape.head_dim, shape.group());
    let chunks = shape.seq_k.div_ceil(CHUNK);
    let row_sets = group.div_ceil(MAX_ROWS);
    let tasks = shape.batch * shape.kv_heads * row_sets * chunks;
    // For each row and chunk: its sums of values, its maximum and its sum of exponentials.
    let part = head_dim + 2;
    with_scratch(shape.rows() * chunks * part, |parts: &mut [f32]| {
        let pieces = Pieces::new(parts);
        let task = |index: usize| {
            let (chunk, index) = (index % chunks, index / chunks);
            let (set, pair) = (index % row_sets, index / row_sets);
            let first = pair * group + set * MAX_ROWS;
            let count = MAX_ROWS.min(group - set * MAX_ROWS);
            let place = |row: usize| ((first + row) * chunks + chunk) * part;
            // SAFETY: each task has rows and a chunk of its own.
            let parts = |row: usize| unsafe { pieces.get(place(row)..place(row) + part) };
            let query = |row: usize| {
                let start = q.start(pair / shape.kv_heads, 0, (first + row) % shape.heads);
                &q.data[start..start + head_dim]
            };
            let keys = rule.visible(shape, pair / shape.kv_heads, 0);
            let keys = keys.start.max(chunk * CHUNK)..keys.end.min((chunk + 1) * CHUNK);
            let head = Head {
                view,
                pair,
                keys,
                rule,
            };
            match count {
                1 => head.rows::<1>([0].map(query), [0].map(parts)),
                2 => head.rows::<2>([0, 1].map(query), [0, 1].map(parts)),
                3 => head.rows::<3>([0, 1, 2].map(query), [0, 1, 2].map(parts)),
                _ => head.rows::<4>([0, 1, 2, 3].map(query), [0, 1, 2, 3].map(parts)),
            }
        };
        if shape.rows() * shape.seq_k * head_dim * 2 < MIN_PARALLEL_WORK {
            (0..tasks).for_each(task);
        } else {
            pool::parallel_for(tasks, task);
        }
        for (out, parts) in out
            .chunks_exact_mut(head_dim)
            .zip(parts.chunks_exact(chunks * part))
        {
            join(out, parts, part);
        }
    });
}

/// Adds the chunks of one row, each relative to its own maximum, in order.
fn join(out: &mut [f32], parts: &[f32], part: usize) {
    let head_dim = out.len();
    let max = parts.chunks_exact(part).fold(f32::NEG_INFINITY, |max, part| {
        if part[head_dim] > max { part[head_dim] } else { max }
    });
    out.fill(0.0);
    let mut sum = 0.0;
    for part in parts.chunks_exact(part).filter(|part| part[head_dim + 1] != 0.0) {
        let weight = Real::exp(part[head_dim] - max);
        sum += weight * part[head_dim + 1];
        out.iter_mut().zip(part).for_each(|(out, &x)| *out += weight * x);
    }
    if sum != 0.0 {
        out.iter_mut().for_each(|out| *out /= sum);
    }
}

/// Some keys of a head.
struct Head<'a, S> {
    view: &'a View<'a, S>,
    pair: usize,
    keys: std::ops::Range<usize>,
    rule: &'a Rule<'a>,
}

impl<S: Stored> Head<'_, S> {
    /// Sums of `R` rows.
    fn rows<const R: usize>(&self, queries: [&[f32]; R], mut parts: [&mut [f32]; R]) {
        if self.keys.is_empty() {
            parts.iter_mut().for_each(|part| part.fill(0.0));
            return;
        }
        let head_dim = self.view.head_dim;
        let start = self.keys.start / KEY_GROUP * KEY_GROUP;
        let mut scores = [[0.0; CHUNK]; R];
        let span = self.keys.end - start;
        for at in (0..span).step_by(KEY_GROUP) {
            let (keys, scales) = self.view.group(self.pair, start + at);
            let factor = self.rule.scale as f32;
            for (scores, got) in scores.iter_mut().zip(group_scores(&queries, keys, scales)) {
                let slots = &mut scores[at..at + KEY_GROUP];
                slots.iter_mut().zip(got).for_each(|(slot, s)| *slot = s * factor);
            }
        }
        for (scores, part) in scores.iter_mut().zip(&mut parts) {
            let (unseen, scores) = scores[..span].split_at_mut(self.keys.start - start);
            unseen.fill(0.0);
            if let Some(cap) = self.rule.softcap {
                cap_row(scores, cap as f32);
            }
            (part[head_dim], part[head_dim + 1]) = softmax_row(scores);
        }
        let (values, scales) = self.view.values(self.pair, start..self.keys.end);
        let rows: [&[f32]; R] = scores.each_ref().map(|scores| &scores[..span]);
        for from in (0..head_dim).step_by(WIDTH) {
            let width = WIDTH.min(head_dim - from);
            let sums = weighted_sums(&rows, (&values[from..], scales), head_dim, width);
            for (part, sums) in parts.iter_mut().zip(sums) {
                part[from..from + width].copy_from_slice(&sums[..width]);
            }
        }
    }
}

vectorize! {
    /// Products of `R` queries with a group of keys `[head_dim][KEY_GROUP]`; `scales` has one a key, or none.
    fn group_scores[S: Stored, const R: usize](
        queries: &[&[f32]; R],
        keys: &[S],
        scales: &[f32],
    ) -> [[f32; KEY_GROUP]; R] {
        let mut sums = [[0.0; KEY_GROUP]; R];
        for (e, keys) in keys.as_chunks::<KEY_GROUP>().0.iter().enumerate() {
            let keys = keys.map(S::decode);
            for (sums, query) in sums.iter_mut().zip(queries) {
                let q = query[e];
                for lane in 0..KEY_GROUP {
                    sums[lane] += q * keys[lane];
                }
            }
        }
        if S::SCALED {
            for sums in &mut sums {
                for (sum, scale) in sums.iter_mut().zip(scales) {
                    *sum *= scale;
                }
            }
        }
        sums
    }
}

vectorize! {
    fn cap_row(scores: &mut [f32], cap: f32) {
        for s in scores {
            *s = cap * crate::math::tanh(*s / cap);
        }
    }
}

vectorize! {
    /// Scores become `e^(s − max)`; gives the maximum and the sum.
    fn softmax_row(scores: &mut [f32]) -> (f32, f32) {
        let max = row_max(scores);
        let mut sums = [0.0; LANES];
        let (whole, rest) = scores.as_chunks_mut::<LANES>();
        for chunk in whole {
            for (s, sum) in chunk.iter_mut().zip(&mut sums) {
                *s = Real::exp(*s - max);
                *sum += *s;
            }
        }
        for (s, sum) in rest.iter_mut().zip(&mut sums) {
            *s = Real::exp(*s - max);
            *sum += *s;
        }
        (max, add_lanes(sums))
    }
}

vectorize! {
    /// `sums[r][c] = Σ weights[r][j] · values[j][c]` for the first `width` columns of rows `row_len` apart; `scales` has one a
    /// row of the values, or none.
    fn weighted_sums[S: Stored, const R: usize](
        weights: &[&[f32]; R],
        values: (&[S], &[f32]),
        row_len: usize,
        width: usize,
    ) -> [[f32; WIDTH]; R] {
        let mut sums = [[0.0; WIDTH]; R];
        let (values, scales) = values;
        for j in 0..weights[0].len() {
            let row = &values[j * row_len..][..width];
            let scale = if S::SCALED { scales[j] } else { 1.0 };
            let weights: [f32; R] = std::array::from_fn(|r| weights[r][j] * scale);
            match <&[S; WIDTH]>::try_from(row) {
                Ok(row) => {
                    for c in 0..WIDTH {
                        let x = row[c].decode();
                        for r in 0..R {
                            sums[r][c] += weights[r] * x;
                        }
                    }
                }
                Err(_) => {
                    for (c, x) in row.iter().enumerate() {
                        for r in 0..R {
                            sums[r][c] += weights[r] * x.decode();
                        }
                    }
                }
            }
        }
        sums
    }
}
