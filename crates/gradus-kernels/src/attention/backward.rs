//! The backward pass: probabilities are computed again from the log-sums, block by block, as in the forward.
//!
//! A task is a head of the keys with all queries that share it, so the gradients of its keys and values are summed in one
//! place and in one order.

use super::block::{self, Known, Lanes};
use super::engine::Engine;
use super::forward::{Block, KEY_BLOCK, prefetch_rows, row_starts, rows, write_rows};
use super::panel::{PANEL, Panel};
use super::{Gradients, Heads, Inputs, Rule, Saved, Shape};
use crate::matrix::MatRef;
use crate::partition::Pieces;
use crate::pool;
use crate::real::Real;
use crate::scratch::with_scratch;

/// What every task reads.
struct Reads<'a, T> {
    inputs: &'a Inputs<'a, T>,
    saved: &'a Saved<'a, T>,
    d_out: &'a Heads<'a, T>,
    shape: &'a Shape,
    rule: &'a Rule<'a>,
}

/// All heads of the keys, each a task.
pub(super) fn backward<T: Real, E: Engine<T>>(
    engine: E,
    gradients: Gradients<T>,
    inputs: &Inputs<T>,
    (saved, d_out): (&Saved<T>, &Heads<T>),
    (shape, rule): (&Shape, &Rule),
) {
    let Shape {
        seq_k,
        kv_heads,
        head_dim,
        ..
    } = *shape;
    if shape.keys_len() == 0 || shape.queries_len() == 0 {
        [gradients.d_q, gradients.d_k, gradients.d_v]
            .into_iter()
            .for_each(|d| d.fill(T::ZERO));
        return;
    }
    let [d_q, d_k, d_v] = [gradients.d_q, gradients.d_k, gradients.d_v].map(Pieces::new);
    let reads = Reads {
        inputs,
        saved,
        d_out,
        shape,
        rule,
    };
    let keys = seq_k * head_dim;
    pool::parallel_for(shape.batch * kv_heads, |pair| {
        with_scratch(2 * keys, |sums: &mut [T]| {
            sums.fill(T::ZERO);
            let (d_keys, d_values) = sums.split_at_mut(keys);
            for index in 0..per_kv_head(shape) {
                let panel = Panel::of_one_head(shape, rule, pair * per_kv_head(shape) + index);
                reads.panel(engine, &d_q, [d_keys, d_values], &panel);
            }
            for (out, sums) in [(&d_k, d_keys), (&d_v, d_values)] {
                for (j, row) in sums.chunks_exact(head_dim).enumerate() {
                    let start = ((pair / kv_heads * seq_k + j) * kv_heads + pair % kv_heads) * head_dim;
                    // SAFETY: each task has a head of its own.
                    unsafe { out.get(start..start + head_dim) }.copy_from_slice(row);
                }
            }
        });
    });
}

fn per_kv_head(shape: &Shape) -> usize {
    shape.group() * shape.seq_q.div_ceil(PANEL)
}

impl<T: Real> Reads<'_, T> {
    /// Writes the gradient of a panel's queries and adds to those of the keys and values that they see.
    fn panel<E: Engine<T>>(
        &self,
        engine: E,
        d_q: &Pieces<T>,
        [d_keys, d_values]: [&mut [T]; 2],
        panel: &Panel,
    ) {
        let head_dim = self.shape.head_dim;
        let (lanes, block) = (head_dim * PANEL, KEY_BLOCK * PANEL);
        with_scratch(3 * lanes + 3 * block, |scratch: &mut [T]| {
            let (queries, rest) = scratch.split_at_mut(lanes);
            let (d_outs, rest) = rest.split_at_mut(lanes);
            let (d_queries, rest) = rest.split_at_mut(lanes);
            let mut work = Work::of_panel(self, engine, [queries, d_outs, d_queries], panel);
            let span = panel.span();
            for start in span.clone().step_by(KEY_BLOCK) {
                let keys = start..span.end.min(start + KEY_BLOCK);
                let at = start * head_dim..keys.end * head_dim;
                let keys = Block {
                    batch: panel.batch,
                    head: panel.kv_head,
                    keys,
                };
                let next = Block {
                    keys: keys.keys.end..span.end.min(keys.keys.end + KEY_BLOCK),
                    ..keys
                };
                for x in [&self.inputs.k, &self.inputs.v] {
                    prefetch_rows(x, &next, head_dim);
                }
                let first = start == span.start;
                let sums = [&mut d_keys[at.clone()], &mut d_values[at]];
                work.block(self, engine, &keys, rest, (sums, first));
            }
            if span.is_empty() {
                work.d_queries.fill(T::ZERO);
            }
            let dense = &mut queries[..panel.lanes * head_dim];
            engine.store_lanes(dense, d_queries);
            write_rows(d_q, dense, panel, self.shape);
        });
    }
}

/// A panel's queries and what is known about them.
struct Work<'a, T> {
    panel: &'a Panel,
    /// Scaled, `[head_dim][PANEL]`.
    queries: &'a [T],
    /// Gradient of the output, `[head_dim][PANEL]`.
    d_outs: &'a [T],
    /// Gradient of the queries, `[head_dim][PANEL]`.
    d_queries: &'a mut [T],
    known: Known<T>,
}

impl<'a, T: Real> Work<'a, T> {
    fn of_panel<E: Engine<T>>(
        reads: &Reads<T>,
        engine: E,
        [queries, d_outs, d_queries]: [&'a mut [T]; 3],
        panel: &'a Panel,
    ) -> Self {
        let Reads {
            inputs,
            saved,
            d_out,
            shape,
            rule,
        } = *reads;
        let load = |to: &mut [T], x: &Heads<T>| {
            engine.load_lanes(to, x.data, &row_starts(x, panel)[..panel.lanes]);
        };
        load(queries, &inputs.q);
        block::scale(queries, T::from_f64(rule.scale));
        load(d_outs, d_out);
        load(
            d_queries,
            &Heads::dense(saved.out, shape.seq_q, shape.heads, shape.head_dim),
        );
        let mut delta = [T::ZERO; PANEL];
        block::dot_lanes(&mut delta, d_queries.as_chunks().0, d_outs.as_chunks().0);
        let mut log_sum = [T::ZERO; PANEL];
        for (lane, log_sum) in log_sum[..panel.lanes].iter_mut().enumerate() {
            let (head, i) = panel.row(lane);
            let sum = saved.log_sum[(panel.batch * shape.heads + head) * shape.seq_q + i];
            // A row without keys: its scores are −∞, and so are their differences from anything finite.
            *log_sum = if sum == T::NEG_INFINITY { T::ZERO } else { sum };
        }
        Work {
            panel,
            queries,
            d_outs,
            d_queries,
            known: Known { log_sum, delta },
        }
    }

    /// One block of keys; `first` overwrites the gradient of the queries, later ones add to it.
    fn block<E: Engine<T>>(
        &mut self,
        reads: &Reads<T>,
        engine: E,
        block: &Block,
        scratch: &mut [T],
        ([d_keys, d_values], first): ([&mut [T]; 2], bool),
    ) {
        let Reads {
            inputs, d_out, rule, ..
        } = *reads;
        let (n, head_dim) = (block.keys.len(), reads.shape.head_dim);
        let (p, rest) = scratch.split_at_mut(KEY_BLOCK * PANEL);
        let (d, slopes) = rest.split_at_mut(KEY_BLOCK * PANEL);
        let [p, d, slopes] = [p, d, slopes].map(|x| &mut x[..n * PANEL]);
        let (k, v) = (rows(&inputs.k, block, head_dim), rows(&inputs.v, block, head_dim));
        engine.product(
            p,
            PANEL,
            k,
            MatRef::row_major(self.queries, head_dim, PANEL),
            false,
        );
        engine.product(
            d,
            PANEL,
            v,
            MatRef::row_major(self.d_outs, head_dim, PANEL),
            false,
        );
        self.weigh(
            engine,
            [&mut *p, &mut *d, slopes].map(|x| x.as_chunks_mut().0),
            block,
            rule,
        );
        let lanes = self.panel.lanes;
        let per_query = |x| MatRef {
            cols: lanes,
            ..MatRef::row_major(x, n, PANEL)
        };
        let (head, i) = self.panel.row(0);
        let queries = Block {
            batch: block.batch,
            head,
            keys: i..i + lanes,
        };
        engine.product(
            d_values,
            head_dim,
            per_query(p),
            rows(d_out, &queries, head_dim),
            true,
        );
        engine.product(
            d_keys,
            head_dim,
            per_query(d),
            rows(&inputs.q, &queries, head_dim),
            true,
        );
        engine.product(
            self.d_queries,
            PANEL,
            k.t(),
            MatRef::row_major(d, n, PANEL),
            !first,
        );
    }

    /// Scores become probabilities, gradients of probabilities those of the products of queries and keys.
    fn weigh<E: Engine<T>>(
        &self,
        engine: E,
        [p, d, slopes]: [&mut [Lanes<T>]; 3],
        block: &Block,
        rule: &Rule,
    ) {
        let scale = T::from_f64(rule.scale);
        if let Some(cap) = rule.softcap.map(T::from_f64) {
            block::cap_scores(p, cap);
            block::cap_slopes(slopes, p, scale, cap);
        }
        if !self.panel.sees_all(&block.keys) {
            block::mask_scores(p, block.keys.start as u32, self.panel);
        }
        let factor = if rule.softcap.is_some() { T::ONE } else { scale };
        engine.probabilities_and_gradients(p, d, &self.known, factor);
        if rule.softcap.is_some() {
            block::multiply(d.as_flattened_mut(), slopes.as_flattened());
        }
    }
}
