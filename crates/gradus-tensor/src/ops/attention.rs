//! Scaled dot-product attention.

use gradus_kernels::attention::{self, Float, Gradients, Heads, Inputs, Rule, Saved, Shape};
use gradus_kernels::gemm::Precision;
use smallvec::smallvec;

use super::binary::same_dtype;
use crate::autograd::{Grads, needs_graph, record};
use crate::dispatch::{for_real, through_f32};
use crate::dtype::{DType, Element};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Which keys a query sees and how scores are formed; the default sees every key, with scale `1 / √head_dim`.
#[derive(Clone, Debug, Default)]
pub struct AttentionOptions {
    /// Query `i` stands at position `seq_k − seq_q + i` and sees no later key.
    pub causal: bool,
    /// Keys at this distance or farther, in positions, are not seen: a causal query sees the last `window` keys, itself
    /// included; one that is not causal sees `window − 1` on each side too. At least 1.
    pub window: Option<usize>,
    /// Factor on the products of queries and keys; `1 / √head_dim` unless given.
    pub scale: Option<f64>,
    /// Scaled scores `s` become `softcap · tanh(s / softcap)`, as in Gemma 2; positive.
    pub softcap: Option<f64>,
    /// I64 `[batch, seq_q]`: the first key each query sees. With `causal`, the start of its document in a packed
    /// sequence, or the end of padding on the left. Negative ones are 0.
    pub first_key: Option<Tensor>,
    /// I64 `[batch]`: how many keys of each sequence are seen; those after are padding. Negative ones are 0.
    pub key_lengths: Option<Tensor>,
    /// How the products are computed; the rest is `f32`. `f64` tensors ignore it, and so do machines without bf16 instructions.
    pub precision: Precision,
}

impl AttentionOptions {
    /// Causal, everything else as in the default: what a language model wants.
    pub const fn causal() -> Self {
        AttentionOptions {
            causal: true,
            window: None,
            scale: None,
            softcap: None,
            first_key: None,
            key_lengths: None,
            precision: Precision::F32,
        }
    }
}

impl Tensor {
    /// `softmax(mask(scale · q kᵀ)) v` of queries `self` `[batch, seq_q, heads, head_dim]`, keys and values `[batch, seq_k,
    /// kv_heads, head_dim]`; gives `[batch, seq_q, heads, head_dim]`. `kv_heads` divides `heads`: each run of `heads / kv_heads`
    /// query heads shares one of the keys'. Query `i` stands at position `seq_k − seq_q + i`, so with
    /// [`causal`](AttentionOptions::causal) `seq_k` is at least `seq_q`. A query that sees no key gives zeros, and zero
    /// gradients, where PyTorch's `scaled_dot_product_attention` gives NaN or zeros by version.
    ///
    /// The matrix of scores is never stored: memory is that of the inputs (Dao et al. 2022). Saves `q`, `k`, `v`, the output and one
    /// number a row. Sums are `f32`; half types go through `f32`.
    ///
    /// ```
    /// use gradus_tensor::{AttentionOptions, DType, Tensor};
    /// let [q, k, v] = [3, 1, 1].map(|heads| Tensor::ones([2, 4, heads, 8], DType::F32));
    /// let out = q.attention(&k, &v, &AttentionOptions::causal())?;
    /// assert_eq!(out.shape(), [2, 4, 3, 8]);
    /// # Ok::<(), gradus_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::InvalidShape`], [`Error::DTypeMismatch`]; [`Error::InvalidArgument`] for an empty window or a
    /// soft cap that is not positive; [`Error::UnsupportedDType`] for integers and for masks that are not I64.
    pub fn attention(&self, k: &Tensor, v: &Tensor, options: &AttentionOptions) -> Result<Tensor> {
        check_inputs(self, k, v)?;
        if let Some(result) = through_f32(self, |q| {
            q.attention(&k.to_dtype(DType::F32)?, &v.to_dtype(DType::F32)?, options)
        }) {
            return result;
        }
        let (q_shape, k_shape) = (self.shape(), k.shape());
        let shape = Shape {
            batch: q_shape[0],
            seq_q: q_shape[1],
            seq_k: k_shape[1],
            heads: q_shape[2],
            kv_heads: k_shape[2],
            head_dim: q_shape[3],
        };
        let mask = check_mask(&shape, options)?;
        let [q, k_own, v_own] = [self, k, v].map(rows_contiguous);
        let inputs = [q?, k_own?, v_own?];
        let (out, log_sum) = for_real!("attention", self.dtype(), T => forward::<T>(&inputs, &shape, &mask))?;
        if !needs_graph(&[self, k, v]) {
            return Ok(out);
        }
        let saved = SavedTensors {
            inputs,
            out: out.clone(),
            log_sum,
            shape,
            mask,
        };
        Ok(record(
            "attention",
            out,
            &[self, k, v],
            move |d_out, needs| for_real!("attention", d_out.dtype(), T => saved.backward::<T>(d_out, needs)),
        ))
    }
}

/// What the backward reads.
struct SavedTensors {
    inputs: [Tensor; 3],
    out: Tensor,
    log_sum: Tensor,
    shape: Shape,
    mask: Mask,
}

fn forward<T: Element + Float>(inputs: &[Tensor; 3], shape: &Shape, mask: &Mask) -> Result<(Tensor, Tensor)> {
    let (inputs, rule) = (views::<T>(inputs)?, mask.rule()?);
    let mut out = None;
    let log_sum = Tensor::build([shape.batch, shape.heads, shape.seq_q], |log_sum: &mut [T]| {
        out = Some(Tensor::build(
            [shape.batch, shape.seq_q, shape.heads, shape.head_dim],
            |out: &mut [T]| attention::attention(out, log_sum, &inputs, shape, &rule),
        ));
    });
    let out = out.expect("bug: build ran its closure");
    Ok((out, log_sum))
}

impl SavedTensors {
    /// Gradients of the queries, keys and values, which come together.
    fn backward<T: Element + Float>(&self, d_out: &Tensor, needs: &[bool]) -> Result<Grads> {
        let d_out = rows_contiguous(d_out)?;
        let d_out = heads::<T>(&d_out)?;
        let (inputs, rule) = (views::<T>(&self.inputs)?, self.mask.rule()?);
        let saved = Saved {
            out: self.out.as_slice::<T>()?,
            log_sum: self.log_sum.as_slice::<T>()?,
        };
        let [q_shape, k_shape, _] = self.inputs.each_ref().map(|x| x.shape());
        let (mut d_q, mut d_k) = (None, None);
        let d_v = Tensor::build(k_shape, |d_v: &mut [T]| {
            d_k = Some(Tensor::build(k_shape, |d_k: &mut [T]| {
                d_q = Some(Tensor::build(q_shape, |d_q: &mut [T]| {
                    let gradients = Gradients { d_q, d_k, d_v };
                    attention::attention_backward(gradients, &inputs, (&saved, &d_out), &self.shape, &rule);
                }));
            }));
        });
        let kept = |d: Option<Tensor>, needed: bool| d.filter(|_| needed);
        Ok(smallvec![
            kept(d_q, needs[0]),
            kept(d_k, needs[1]),
            kept(Some(d_v), needs[2])
        ])
    }
}

/// The options in the form that kernels take, its tensors held.
pub(crate) struct Mask {
    causal: bool,
    window: Option<usize>,
    first_key: Option<Tensor>,
    key_lengths: Option<Tensor>,
    scale: f64,
    softcap: Option<f64>,
    precision: Precision,
}

impl Mask {
    /// The kernels' view of it.
    pub(crate) fn rule(&self) -> Result<Rule<'_>> {
        Ok(Rule {
            causal: self.causal,
            window: self.window,
            first_key: self.first_key.as_ref().map(|x| x.as_slice()).transpose()?,
            key_lengths: self.key_lengths.as_ref().map(|x| x.as_slice()).transpose()?,
            scale: self.scale,
            softcap: self.softcap,
            precision: self.precision,
        })
    }
}

/// Checks the options against the sizes.
pub(crate) fn check_mask(shape: &Shape, options: &AttentionOptions) -> Result<Mask> {
    let op = "attention";
    if options.causal && shape.seq_q > shape.seq_k {
        return Err(Error::ShapeMismatch {
            op,
            lhs: vec![shape.batch, shape.seq_q, shape.heads, shape.head_dim],
            rhs: vec![shape.batch, shape.seq_k, shape.kv_heads, shape.head_dim],
            rule: "causal queries stand at the last positions of the keys, so there are at least as many keys",
        });
    }
    if options.window == Some(0) {
        return Err(Error::InvalidArgument {
            op,
            name: "window",
            value: 0.0,
            rule: "at least 1",
        });
    }
    if let Some(softcap) = options.softcap.filter(|cap| !(*cap > 0.0 && cap.is_finite())) {
        return Err(Error::InvalidArgument {
            op,
            name: "softcap",
            value: softcap,
            rule: "positive and finite",
        });
    }
    Ok(Mask {
        causal: options.causal,
        window: options.window,
        first_key: mask_tensor(
            options.first_key.as_ref(),
            &[shape.batch, shape.seq_q],
            "first_key is [batch, seq_q]",
        )?,
        key_lengths: mask_tensor(
            options.key_lengths.as_ref(),
            &[shape.batch],
            "key_lengths is [batch]",
        )?,
        scale: options
            .scale
            .unwrap_or_else(|| 1.0 / (shape.head_dim as f64).sqrt()),
        softcap: options.softcap,
        precision: options.precision,
    })
}

/// A mask's numbers, contiguous, of the shape wanted.
fn mask_tensor(x: Option<&Tensor>, shape: &[usize], rule: &'static str) -> Result<Option<Tensor>> {
    let op = "attention";
    let Some(x) = x else { return Ok(None) };
    if x.dtype() != DType::I64 {
        return Err(Error::UnsupportedDType {
            op,
            got: x.dtype(),
            expected: "i64 in first_key and key_lengths",
        });
    }
    if x.shape() != shape {
        let (lhs, rhs) = (x.shape().to_vec(), shape.to_vec());
        return Err(Error::ShapeMismatch { op, lhs, rhs, rule });
    }
    Ok(Some(x.contiguous()?))
}

fn check_inputs(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<()> {
    let op = "attention";
    for x in [q, k, v] {
        if x.rank() != 4 {
            return Err(Error::InvalidShape {
                op,
                shape: x.shape().to_vec(),
                rule: "queries, keys and values are [batch, seq, heads, head_dim]",
            });
        }
        same_dtype(op, q, x)?;
    }
    let mismatch = |x: &Tensor, y: &Tensor, rule| {
        let (lhs, rhs) = (x.shape().to_vec(), y.shape().to_vec());
        Err(Error::ShapeMismatch { op, lhs, rhs, rule })
    };
    if k.shape() != v.shape() {
        return mismatch(k, v, "keys and values have one shape");
    }
    let (qs, ks) = (q.shape(), k.shape());
    let divides = ks[2] > 0 && qs[2].is_multiple_of(ks[2]) || qs[2] == 0 && ks[2] == 0;
    if qs[0] != ks[0] || qs[3] != ks[3] || !divides {
        return mismatch(
            q,
            k,
            "batch and head_dim are the same, and the heads of the keys divide those of the queries",
        );
    }
    Ok(())
}

/// The tensor outside the graph, with the elements of a head side by side.
pub(crate) fn rows_contiguous(x: &Tensor) -> Result<Tensor> {
    let x = x.detach();
    let row = x.shape()[3] <= 1 || x.strides()[3] == 1;
    if row { Ok(x) } else { x.contiguous() }
}

/// The kernels' view of `[batch, seq, heads, head_dim]`, whose heads are contiguous.
pub(crate) fn heads<T: Element>(x: &Tensor) -> Result<Heads<'_, T>> {
    let strides = x.strides();
    Ok(Heads {
        data: x.storage_from_offset::<T>("attention")?,
        batch_stride: strides[0],
        seq_stride: strides[1],
        head_stride: strides[2],
    })
}

fn views<T: Element>([q, k, v]: &[Tensor; 3]) -> Result<Inputs<'_, T>> {
    Ok(Inputs {
        q: heads(q)?,
        k: heads(k)?,
        v: heads(v)?,
    })
}
