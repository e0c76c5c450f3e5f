//! Scaled dot-product attention, forward and backward, without the matrix of all scores.
//!
//! Queries, keys and values are `[batch, seq, heads, head_dim]` with any strides over the first three axes. Heads of
//! the queries share those of keys and values in groups (`kv_heads` divides `heads`; Ainslie et al. 2023). Which keys a
//! query sees is a range, worked out by [`Rule::visible`]. The forward keeps one number a row, the logarithm of the sum
//! of exponentials, from which the backward computes the probabilities again (Dao et al. 2022).
//!
//! A query that sees no key has output zero, gradient zero, and a log-sum of −∞.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod backward;
#[cfg(target_arch = "x86_64")]
mod bf16;
mod block;
pub mod cache;
mod decode;
mod engine;
mod forward;
pub mod naive;
mod panel;
mod stored;
#[cfg(target_arch = "x86_64")]
mod weigh;

use std::ops::Range;

use crate::gemm::Precision;
use crate::isa::{Isa, isa};
use crate::partition::Pieces;
use crate::real::Real;
use engine::{Engine, Portable};
use forward::{Outputs, Tensors};

/// Sizes of an attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Sequences.
    pub batch: usize,
    /// Queries of a sequence.
    pub seq_q: usize,
    /// Keys of a sequence; with [`Rule::causal`] the queries stand at the last `seq_q` of them.
    pub seq_k: usize,
    /// Heads of the queries and of the output.
    pub heads: usize,
    /// Heads of keys and values; divides `heads`.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
}

impl Shape {
    /// Elements of the queries and of the output.
    pub fn queries_len(&self) -> usize {
        self.batch * self.seq_q * self.heads * self.head_dim
    }

    /// Elements of the keys, and of the values.
    pub fn keys_len(&self) -> usize {
        self.batch * self.seq_k * self.kv_heads * self.head_dim
    }

    /// Rows of scores: one a query and head.
    pub fn rows(&self) -> usize {
        self.batch * self.heads * self.seq_q
    }

    /// Heads of the queries that share one of the keys.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads.max(1)
    }
}

/// Heads in memory: `[batch, seq, heads, head_dim]`, the last axis contiguous.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'a, T> {
    /// The elements; the first of the view is `data[0]`.
    pub data: &'a [T],
    /// Distance in elements from one sequence to the next.
    pub batch_stride: usize,
    /// Distance from one position to the next.
    pub seq_stride: usize,
    /// Distance from one head to the next.
    pub head_stride: usize,
}

impl<'a, T> Heads<'a, T> {
    /// Dense `[batch, seq, heads, head_dim]`.
    pub fn dense(data: &'a [T], seq: usize, heads: usize, head_dim: usize) -> Self {
        Heads {
            data,
            batch_stride: seq * heads * head_dim,
            seq_stride: heads * head_dim,
            head_stride: head_dim,
        }
    }

    /// Where a row of `head_dim` elements starts.
    #[inline]
    pub(crate) fn start(&self, batch: usize, seq: usize, head: usize) -> usize {
        batch * self.batch_stride + seq * self.seq_stride + head * self.head_stride
    }

    /// Whether every row lies inside `data`.
    fn fits(&self, [batch, seq, heads, head_dim]: [usize; 4]) -> bool {
        let empty = [batch, seq, heads, head_dim].contains(&0);
        empty || self.start(batch - 1, seq - 1, heads - 1) + head_dim <= self.data.len()
    }
}

/// Which keys a query sees, and how scores become probabilities.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// Query `i` stands at position `seq_k − seq_q + i` and sees no later key.
    pub causal: bool,
    /// Keys at this distance or farther are not seen: a causal query sees the last `window` keys, itself included.
    pub window: Option<usize>,
    /// `[batch, seq_q]`: the first key that each query sees.
    pub first_key: Option<&'a [i64]>,
    /// `[batch]`: keys of each sequence; those after are padding.
    pub key_lengths: Option<&'a [i64]>,
    /// Factor on the products of queries and keys.
    pub scale: f64,
    /// Scaled scores `s` become `softcap · tanh(s / softcap)`.
    pub softcap: Option<f64>,
    /// How the products are computed; `f64` ignores it, and so does a machine without bf16 instructions.
    pub precision: Precision,
}

impl Default for Rule<'_> {
    fn default() -> Self {
        Rule {
            causal: false,
            window: None,
            first_key: None,
            key_lengths: None,
            scale: 1.0,
            softcap: None,
            precision: Precision::F32,
        }
    }
}

impl Rule<'_> {
    /// The keys that query `i` of a sequence sees; may be empty.
    #[inline]
    pub fn visible(&self, shape: &Shape, batch: usize, i: usize) -> Range<usize> {
        let position = shape.seq_k.saturating_sub(shape.seq_q) + i;
        let (mut start, mut end) = (0, shape.seq_k);
        if let Some(window) = self.window {
            start = (position + 1).saturating_sub(window);
            end = end.min(position.saturating_add(window));
        }
        if self.causal {
            end = end.min(position + 1);
        }
        if let Some(first_key) = self.first_key {
            start = start.max(clamped(first_key[batch * shape.seq_q + i]));
        }
        if let Some(key_lengths) = self.key_lengths {
            end = end.min(clamped(key_lengths[batch]));
        }
        start.min(end)..end
    }
}

impl Rule<'_> {
    /// Whether the masks have the sizes of the queries.
    fn fits(&self, shape: &Shape) -> bool {
        self.first_key
            .is_none_or(|first| first.len() == shape.batch * shape.seq_q)
            && self
                .key_lengths
                .is_none_or(|lengths| lengths.len() == shape.batch)
    }
}

/// A count as an index; negative ones are zero.
fn clamped(count: i64) -> usize {
    usize::try_from(count.max(0)).unwrap_or(usize::MAX)
}

/// Queries, keys and values.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a, T> {
    /// `[batch, seq_q, heads, head_dim]`.
    pub q: Heads<'a, T>,
    /// `[batch, seq_k, kv_heads, head_dim]`.
    pub k: Heads<'a, T>,
    /// Like `k`.
    pub v: Heads<'a, T>,
}

/// What the forward leaves for the backward.
#[derive(Clone, Copy, Debug)]
pub struct Saved<'a, T> {
    /// The output, dense `[batch, seq_q, heads, head_dim]`.
    pub out: &'a [T],
    /// Logarithm of the sum of exponentials of each row of scores, `[batch, heads, seq_q]`.
    pub log_sum: &'a [T],
}

/// Gradients, dense and of the shapes of [`Inputs`]; all are overwritten.
#[derive(Debug)]
pub struct Gradients<'a, T> {
    /// Of the queries.
    pub d_q: &'a mut [T],
    /// Of the keys.
    pub d_k: &'a mut [T],
    /// Of the values.
    pub d_v: &'a mut [T],
}

/// `out = softmax(mask(scale · q kᵀ)) v`, dense `[batch, seq_q, heads, head_dim]`, and for each row the logarithm of the
/// sum of exponentials, `[batch, heads, seq_q]`; both overwritten.
///
/// # Panics
/// If sizes do not fit together.
pub fn attention<T: Float>(out: &mut [T], log_sum: &mut [T], inputs: &Inputs<T>, shape: &Shape, rule: &Rule) {
    check(inputs, shape, rule);
    assert_eq!(out.len(), shape.queries_len(), "attention: out has the size of q");
    assert_eq!(
        log_sum.len(),
        shape.rows(),
        "attention: log_sum has a value a row"
    );
    T::forward_on(isa(), [out, log_sum], inputs, shape, rule);
}

/// Gradients of [`attention`] with respect to its inputs, from the gradient `d_out` of its output.
///
/// # Panics
/// If sizes do not fit together.
pub fn attention_backward<T: Float>(
    gradients: Gradients<T>,
    inputs: &Inputs<T>,
    (saved, d_out): (&Saved<T>, &Heads<T>),
    shape: &Shape,
    rule: &Rule,
) {
    check(inputs, shape, rule);
    let Shape {
        batch,
        seq_q,
        heads,
        head_dim,
        ..
    } = *shape;
    assert!(
        d_out.fits([batch, seq_q, heads, head_dim])
            && saved.out.len() == shape.queries_len()
            && saved.log_sum.len() == shape.rows()
            && gradients.d_q.len() == shape.queries_len()
            && [gradients.d_k.len(), gradients.d_v.len()] == [shape.keys_len(); 2],
        "attention: gradients and saved values have the sizes of the forward"
    );
    T::backward_on(isa(), gradients, inputs, (saved, d_out), (shape, rule));
}

/// `f32` or `f64`: a type that attention is written for.
pub trait Float: Real {
    /// [`attention`] by the kernels of an instruction set, which must be available; sizes have been checked. `outputs` are
    /// the output and the log-sums.
    fn forward_on(isa: Isa, outputs: [&mut [Self]; 2], inputs: &Inputs<Self>, shape: &Shape, rule: &Rule);

    /// [`attention_backward`] by the kernels of an instruction set, which must be available; sizes have been checked.
    fn backward_on(
        isa: Isa,
        gradients: Gradients<Self>,
        inputs: &Inputs<Self>,
        saved: (&Saved<Self>, &Heads<Self>),
        rule: (&Shape, &Rule),
    );
}

/// Evaluates an expression with `$engine` standing for the f32 engine of an instruction set, which must be available.
/// Where there are no bf16 instructions, products are of f32.
macro_rules! on_engine {
    ($isa:expr, $precision:expr, $engine:ident => $body:expr) => {
        match ($isa, $precision) {
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512 { bf16: true, .. }, Precision::Bf16) => {
                // SAFETY: the instruction set is available.
                let $engine = unsafe { $crate::attention::bf16::Bf16::new() };
                $body
            }
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512 { .. }, Precision::F32 | Precision::Bf16) => {
                // SAFETY: the instruction set is available.
                let $engine = unsafe { $crate::attention::avx512::Avx512::new() };
                $body
            }
            #[cfg(not(target_arch = "x86_64"))]
            (Isa::Avx512 { .. }, Precision::F32 | Precision::Bf16) => {
                let $engine = Portable;
                $body
            }
            (Isa::Avx2 | Isa::Neon | Isa::Portable, Precision::F32 | Precision::Bf16) => {
                let $engine = Portable;
                $body
            }
        }
    };
}

use on_engine;

impl Float for f32 {
    fn forward_on(isa: Isa, outputs: [&mut [f32]; 2], inputs: &Inputs<f32>, shape: &Shape, rule: &Rule) {
        on_engine!(isa, rule.precision, engine => forward(engine, outputs, inputs, shape, rule));
    }

    fn backward_on(
        isa: Isa,
        gradients: Gradients<f32>,
        inputs: &Inputs<f32>,
        saved: (&Saved<f32>, &Heads<f32>),
        rule: (&Shape, &Rule),
    ) {
        on_engine!(isa, rule.1.precision, engine => backward::backward(engine, gradients, inputs, saved, rule));
    }
}

impl Float for f64 {
    fn forward_on(_: Isa, outputs: [&mut [f64]; 2], inputs: &Inputs<f64>, shape: &Shape, rule: &Rule) {
        forward(Portable, outputs, inputs, shape, rule);
    }

    fn backward_on(
        _: Isa,
        gradients: Gradients<f64>,
        inputs: &Inputs<f64>,
        saved: (&Saved<f64>, &Heads<f64>),
        rule: (&Shape, &Rule),
    ) {
        backward::backward(Portable, gradients, inputs, saved, rule);
    }
}

fn forward<T: Real, E: Engine<T>>(
    engine: E,
    [out, log_sum]: [&mut [T]; 2],
    inputs: &Inputs<T>,
    shape: &Shape,
    rule: &Rule,
) {
    let outputs = Outputs {
        out: Pieces::new(out),
        log_sum: Some(Pieces::new(log_sum)),
    };
    let source = Tensors {
        k: inputs.k,
        v: inputs.v,
        head_dim: shape.head_dim,
    };
    forward::forward(engine, &outputs, (&inputs.q, &source), shape, rule);
}

fn check<T>(inputs: &Inputs<T>, shape: &Shape, rule: &Rule) {
    let Shape {
        batch,
        seq_q,
        seq_k,
        heads,
        kv_heads,
        head_dim,
    } = *shape;
    assert!(
        kv_heads * shape.group() == heads,
        "attention: kv_heads divides heads"
    );
    assert!(
        !rule.causal || seq_q <= seq_k,
        "attention: a causal query has a key of its own"
    );
    let keys = [batch, seq_k, kv_heads, head_dim];
    assert!(
        inputs.q.fits([batch, seq_q, heads, head_dim]) && inputs.k.fits(keys) && inputs.v.fits(keys),
        "attention: an input reaches out of its data"
    );
    assert!(rule.fits(shape), "attention: masks have the sizes of the queries");
}

#[cfg(test)]
mod tests;
