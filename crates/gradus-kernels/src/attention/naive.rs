//! Attention as its definition reads, a row of scores at a time: the reference that the blocked versions are tested
//! against.

use super::{Gradients, Heads, Inputs, Rule, Saved, Shape};
use crate::real::Real;

/// As [`super::attention`], on one thread.
pub fn attention<T: Real>(out: &mut [T], log_sum: &mut [T], inputs: &Inputs<T>, shape: &Shape, rule: &Rule) {
    let dense = Heads::dense(&[] as &[T], shape.seq_q, shape.heads, shape.head_dim);
    for_rows(shape, |row, batch, head, i| {
        let keys = rule.visible(shape, batch, i);
        let q = values(&inputs.q, shape, [batch, i, head]);
        let key_head = head / shape.group();
        let scores: Vec<T> = keys
            .clone()
            .map(|j| score(dot(q, values(&inputs.k, shape, [batch, j, key_head])), rule))
            .collect();
        let max = scores
            .iter()
            .fold(T::NEG_INFINITY, |max, &s| if s > max { s } else { max });
        let sum = scores.iter().fold(T::ZERO, |sum, &s| sum + (s - max).exp());
        let start = dense.start(batch, i, head);
        let out = &mut out[start..start + shape.head_dim];
        out.fill(T::ZERO);
        log_sum[row] = if keys.is_empty() {
            T::NEG_INFINITY
        } else {
            max + sum.ln()
        };
        for (j, &s) in keys.zip(&scores) {
            let p = (s - max).exp() / sum;
            add_scaled(out, p, values(&inputs.v, shape, [batch, j, key_head]));
        }
    });
}

/// As [`super::attention_backward`], on one thread.
pub fn attention_backward<T: Real>(
    gradients: Gradients<T>,
    inputs: &Inputs<T>,
    (saved, d_out): (&Saved<T>, &Heads<T>),
    shape: &Shape,
    rule: &Rule,
) {
    let Gradients { d_q, d_k, d_v } = gradients;
    [&mut *d_q, &mut *d_k, &mut *d_v]
        .into_iter()
        .for_each(|d| d.fill(T::ZERO));
    let head_dim = shape.head_dim;
    let queries = Heads::dense(saved.out, shape.seq_q, shape.heads, head_dim);
    let keys = Heads::dense(&[] as &[T], shape.seq_k, shape.kv_heads, head_dim);
    for_rows(shape, |row, batch, head, i| {
        let (q, d) = (
            values(&inputs.q, shape, [batch, i, head]),
            values(d_out, shape, [batch, i, head]),
        );
        let delta = dot(values(&queries, shape, [batch, i, head]), d);
        let key_head = head / shape.group();
        let at_q = queries.start(batch, i, head);
        for j in rule.visible(shape, batch, i) {
            let k = values(&inputs.k, shape, [batch, j, key_head]);
            let s = score(dot(q, k), rule);
            let p = (s - saved.log_sum[row]).exp();
            let d_p = dot(d, values(&inputs.v, shape, [batch, j, key_head]));
            let d_product = p * (d_p - delta) * score_slope(s, rule);
            let at_k = keys.start(batch, j, key_head);
            add_scaled(&mut d_v[at_k..at_k + head_dim], p, d);
            add_scaled(&mut d_k[at_k..at_k + head_dim], d_product, q);
            add_scaled(&mut d_q[at_q..at_q + head_dim], d_product, k);
        }
    });
}

/// `body(row of the log-sums, batch, head, query)` for each row of scores.
fn for_rows(shape: &Shape, mut body: impl FnMut(usize, usize, usize, usize)) {
    for row in 0..shape.rows() {
        let (pair, i) = (row / shape.seq_q, row % shape.seq_q);
        body(row, pair / shape.heads, pair % shape.heads, i);
    }
}

/// The score that enters the softmax, from the product of a query and a key.
pub(crate) fn score<T: Real>(product: T, rule: &Rule) -> T {
    let scaled = product * T::from_f64(rule.scale);
    match rule.softcap {
        None => scaled,
        Some(cap) => T::from_f64(cap) * (scaled / T::from_f64(cap)).tanh(),
    }
}

/// Derivative of [`score`] by the product, from the score.
pub(crate) fn score_slope<T: Real>(score: T, rule: &Rule) -> T {
    let scale = T::from_f64(rule.scale);
    match rule.softcap {
        None => scale,
        Some(cap) => {
            let tanh = score / T::from_f64(cap);
            scale * (T::ONE - tanh * tanh)
        }
    }
}

fn values<'a, T>(heads: &Heads<'a, T>, shape: &Shape, [batch, seq, head]: [usize; 3]) -> &'a [T] {
    let start = heads.start(batch, seq, head);
    &heads.data[start..start + shape.head_dim]
}

fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).fold(T::ZERO, |sum, (&a, &b)| sum + a * b)
}

fn add_scaled<T: Real>(out: &mut [T], factor: T, x: &[T]) {
    out.iter_mut().zip(x).for_each(|(out, &x)| *out += factor * x);
}
