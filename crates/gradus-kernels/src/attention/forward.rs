//! The forward pass: a panel of queries against block after block of keys, with a softmax that keeps up as it goes.
//!
//! Scores stand transposed, `[keys][queries]`: keys and values are read where they lie, as the left operand of products
//! whose right operand stays in the first-level cache, and the softmax has a query in each lane, so nothing is summed
//! across a vector.

use std::ops::Range;

use super::block::{self, Lanes, Online};
use super::engine::Engine;
use super::panel::{PANEL, Panel};
use super::{Heads, Rule, Shape};
use crate::matrix::MatRef;
use crate::partition::Pieces;
use crate::pool;
use crate::real::Real;
use crate::scratch::with_scratch;

/// Keys of a block: their scores (8 KB), the queries and the output of a panel (8 KB each at head_dim 64) share a
/// first-level cache of 32 KB.
pub(super) const KEY_BLOCK: usize = 64;

/// Keys and values as the passes read them. `batch` and `head` choose a head of the keys.
pub(super) trait Source<T: Real>: Sync {
    /// Elements of working memory that the methods need.
    fn scratch_len(&self) -> usize {
        0
    }

    /// What the first key of a block must be a multiple of.
    fn alignment(&self) -> usize {
        1
    }

    /// `scores[key][lane] = k · q` for a block of keys, the queries given as `[head_dim][PANEL]`.
    fn scores<E: Engine<T>>(
        &self,
        engine: E,
        scores: &mut [T],
        block: &Block,
        queries: MatRef<T>,
        scratch: &mut [T],
    );

    /// Asks for what the next block needs while this one is computed: its keys, and the values of this one.
    fn prefetch(&self, block: &Block, next: &Block);

    /// The values of a block of keys, transposed: `[head_dim, keys]`.
    fn values<'a>(&'a self, block: &Block, scratch: &'a mut [T]) -> MatRef<'a, T>;
}

/// A block of keys of one head.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub batch: usize,
    pub head: usize,
    pub keys: Range<usize>,
}

/// Keys and values that lie in tensors.
pub(super) struct Tensors<'a, T> {
    pub k: Heads<'a, T>,
    pub v: Heads<'a, T>,
    pub head_dim: usize,
}

/// Rows `block` of some heads: `[keys, head_dim]`.
pub(super) fn rows<'a, T>(x: &Heads<'a, T>, block: &Block, head_dim: usize) -> MatRef<'a, T> {
    MatRef {
        data: &x.data[x.start(block.batch, block.keys.start, block.head)..],
        rows: block.keys.len(),
        cols: head_dim,
        row_stride: x.seq_stride,
        col_stride: 1,
    }
}

/// Asks for rows to be brought near. Heads lie beside each other in a position, so the rows of one are too far apart for
/// the machine to foresee, and its waits for them took a quarter of the time.
pub(super) fn prefetch_rows<T>(x: &Heads<T>, block: &Block, head_dim: usize) {
    for seq in block.keys.clone() {
        let start = x.start(block.batch, seq, block.head);
        crate::rows::prefetch(&x.data[start..start + head_dim]);
    }
}

impl<T: Real> Source<T> for Tensors<'_, T> {
    fn scores<E: Engine<T>>(
        &self,
        engine: E,
        scores: &mut [T],
        block: &Block,
        queries: MatRef<T>,
        _: &mut [T],
    ) {
        engine.product(scores, PANEL, rows(&self.k, block, self.head_dim), queries, false);
    }

    fn prefetch(&self, block: &Block, next: &Block) {
        prefetch_rows(&self.v, block, self.head_dim);
        prefetch_rows(&self.k, next, self.head_dim);
    }

    fn values<'a>(&'a self, block: &Block, _: &'a mut [T]) -> MatRef<'a, T> {
        rows(&self.v, block, self.head_dim).t()
    }
}

/// Where the forward writes: the output, and the log-sums if they are wanted.
pub(super) struct Outputs<'a, T> {
    pub out: Pieces<'a, T>,
    pub log_sum: Option<Pieces<'a, T>>,
}

/// All panels, each a task.
pub(super) fn forward<T: Real, E: Engine<T>>(
    engine: E,
    outputs: &Outputs<T>,
    (q, source): (&Heads<T>, &impl Source<T>),
    shape: &Shape,
    rule: &Rule,
) {
    if shape.queries_len() == 0 {
        return;
    }
    pool::parallel_for(Panel::count(shape), |index| {
        let panel = Panel::new(shape, rule, index);
        let block = KEY_BLOCK * PANEL;
        let lanes = shape.head_dim * PANEL;
        with_scratch(2 * lanes + block + source.scratch_len(), |scratch: &mut [T]| {
            let (queries, rest) = scratch.split_at_mut(lanes);
            let (sums, rest) = rest.split_at_mut(lanes);
            let (scores, scratch) = rest.split_at_mut(block);
            let online = attend(
                engine,
                [queries, sums, scores, scratch],
                (q, source),
                &panel,
                rule,
            );
            write(engine, outputs, [queries, sums], (&panel, shape), &online);
        });
    });
}

/// Where the rows of a panel start in `[batch, seq, heads, head_dim]`.
pub(super) fn row_starts<T>(x: &Heads<T>, panel: &Panel) -> [usize; PANEL] {
    let mut starts = [0; PANEL];
    for (lane, start) in starts[..panel.lanes].iter_mut().enumerate() {
        let (head, i) = panel.row(lane);
        *start = x.start(panel.batch, i, head);
    }
    starts
}

/// `sums[e][lane] = Σ e^(s − max) v[e]` for one panel; gives the sums of the exponentials.
fn attend<T: Real, E: Engine<T>>(
    engine: E,
    [queries, sums, scores, scratch]: [&mut [T]; 4],
    (q, source): (&Heads<T>, &impl Source<T>),
    panel: &Panel,
    rule: &Rule,
) -> Online<T> {
    engine.load_lanes(queries, q.data, &row_starts(q, panel)[..panel.lanes]);
    block::scale(queries, T::from_f64(rule.scale));
    let queries = MatRef::row_major(queries, queries.len() / PANEL, PANEL);
    let mut online = Online::new();
    let span = panel.span();
    let mut start = span.start / source.alignment() * source.alignment();
    if span.is_empty() {
        sums.fill(T::ZERO);
    }
    let first = start;
    while start < span.end {
        let keys = start..span.end.min(start + KEY_BLOCK);
        let seen = panel.sees_all(&keys);
        let block = Block {
            batch: panel.batch,
            head: panel.kv_head,
            keys,
        };
        let next = Block {
            keys: block.keys.end..span.end.min(block.keys.end + KEY_BLOCK),
            ..block
        };
        source.prefetch(&block, &next);
        let n = block.keys.len();
        let scores = &mut scores[..n * PANEL];
        source.scores(engine, scores, &block, queries, scratch);
        let rows = scores.as_chunks_mut::<PANEL>().0;
        if let Some(cap) = rule.softcap {
            block::cap_scores(rows, T::from_f64(cap));
        }
        if !seen {
            block::mask_scores(rows, start as u32, panel);
        }
        let grown = block::raise_max(rows, &mut online);
        engine.exponentials(rows, &online.max, &mut online.sum);
        let accumulate = start > first;
        if grown && accumulate {
            engine.scale_lanes(sums.as_chunks_mut().0, &online.correction);
        }
        let weights = MatRef::row_major(scores, n, PANEL);
        engine.product(sums, PANEL, source.values(&block, scratch), weights, accumulate);
        start += KEY_BLOCK;
    }
    online
}

/// Divides by the sums and writes a panel's rows.
fn write<T: Real, E: Engine<T>>(
    engine: E,
    outputs: &Outputs<T>,
    [dense, sums]: [&mut [T]; 2],
    (panel, shape): (&Panel, &Shape),
    online: &Online<T>,
) {
    let inverse: Lanes<T> = online
        .sum
        .map(|sum| if sum == T::ZERO { T::ZERO } else { T::ONE / sum });
    engine.scale_lanes(sums.as_chunks_mut().0, &inverse);
    let dense = &mut dense[..panel.lanes * shape.head_dim];
    engine.store_lanes(dense, sums);
    write_rows(&outputs.out, dense, panel, shape);
    let Some(log_sums) = &outputs.log_sum else { return };
    for lane in 0..panel.lanes {
        let (head, i) = panel.row(lane);
        let at = (panel.batch * shape.heads + head) * shape.seq_q + i;
        // SAFETY: panels share no rows.
        let log_sum = unsafe { log_sums.get(at..at + 1) };
        let sum = online.sum[lane];
        log_sum[0] = if sum == T::ZERO {
            T::NEG_INFINITY
        } else {
            online.max[lane] + sum.ln()
        };
    }
}

/// Copies dense rows of a panel to their places in a dense `[batch, seq, heads, head_dim]`, which nobody else writes to.
pub(super) fn write_rows<T: Real>(out: &Pieces<T>, rows: &[T], panel: &Panel, shape: &Shape) {
    for (lane, row) in rows.chunks_exact(shape.head_dim).enumerate() {
        let (head, i) = panel.row(lane);
        let start = ((panel.batch * shape.seq_q + i) * shape.heads + head) * shape.head_dim;
        // SAFETY: panels share no rows.
        unsafe { out.get(start..start + shape.head_dim) }.copy_from_slice(row);
    }
}
