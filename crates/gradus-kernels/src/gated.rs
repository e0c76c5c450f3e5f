//! Gated linear units, `activation(gate) · up` in one pass (Shazeer 2020), over contiguous slices of one length.

use crate::activation::{self, Activation};
use crate::partition::{PARALLEL_COSTLY, for_pieces, for_pieces2};
use crate::real::Real;
use crate::vectorize::vectorize;

/// What is applied to the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateActivation {
    /// Nothing: a bilinear layer.
    Identity,
    /// `max(x, 0)`: ReGLU.
    Relu,
    /// `x Φ(x)`: GEGLU.
    Gelu,
    /// The tanh form of GELU.
    GeluTanh,
    /// `x σ(x)`: SwiGLU.
    Silu,
    /// Hyperbolic tangent.
    Tanh,
    /// The logistic function: GLU.
    Sigmoid,
}

/// `out = activation(gate) · up`, overwritten.
pub fn gated<T: Real>(out: &mut [T], gate: &[T], up: &[T], activation: GateActivation) {
    match activation {
        GateActivation::Identity => forward(out, gate, up, activation::Identity),
        GateActivation::Relu => forward(out, gate, up, activation::Relu),
        GateActivation::Gelu => forward(out, gate, up, activation::Gelu),
        GateActivation::GeluTanh => forward(out, gate, up, activation::GeluTanh),
        GateActivation::Silu => forward(out, gate, up, activation::Silu),
        GateActivation::Tanh => forward(out, gate, up, activation::Tanh),
        GateActivation::Sigmoid => forward(out, gate, up, activation::Sigmoid),
    }
}

fn forward<T: Real>(out: &mut [T], gate: &[T], up: &[T], activation: impl Activation) {
    debug_assert!(out.len() == gate.len() && out.len() == up.len());
    for_pieces(out, PARALLEL_COSTLY, |out, range| {
        forward_piece(out, &gate[range.clone()], &up[range], activation)
    });
}

vectorize! {
    fn forward_piece[T: Real, A: Activation](out: &mut [T], gate: &[T], up: &[T], _activation: A) {
        for ((out, &gate), &up) in out.iter_mut().zip(gate).zip(up) {
            *out = A::value(gate) * up;
        }
    }
}

/// What the backward of [`gated`] reads: the forward's inputs.
#[derive(Clone, Copy, Debug)]
pub struct GatedSaved<'a, T> {
    /// The forward's gate.
    pub gate: &'a [T],
    /// What was gated.
    pub up: &'a [T],
}

/// Gradients of [`gated`], both overwritten: `d_gate = d_out · up · activation'(gate)`, `d_up = d_out · activation(gate)`.
pub fn gated_backward<T: Real>(
    d_gate: &mut [T],
    d_up: &mut [T],
    d_out: &[T],
    saved: GatedSaved<T>,
    activation: GateActivation,
) {
    let d = [d_gate, d_up];
    match activation {
        GateActivation::Identity => backward(d, d_out, saved, activation::Identity),
        GateActivation::Relu => backward(d, d_out, saved, activation::Relu),
        GateActivation::Gelu => backward(d, d_out, saved, activation::Gelu),
        GateActivation::GeluTanh => backward(d, d_out, saved, activation::GeluTanh),
        GateActivation::Silu => backward(d, d_out, saved, activation::Silu),
        GateActivation::Tanh => backward(d, d_out, saved, activation::Tanh),
        GateActivation::Sigmoid => backward(d, d_out, saved, activation::Sigmoid),
    }
}

fn backward<T: Real>(
    [d_gate, d_up]: [&mut [T]; 2],
    d_out: &[T],
    saved: GatedSaved<T>,
    activation: impl Activation,
) {
    debug_assert!(d_out.len() == d_gate.len() && d_out.len() == saved.gate.len());
    for_pieces2(d_gate, d_up, PARALLEL_COSTLY, |d_gate, d_up, range| {
        let part = GatedSaved {
            gate: &saved.gate[range.clone()],
            up: &saved.up[range.clone()],
        };
        backward_piece([d_gate, d_up], &d_out[range], part, activation);
    });
}

vectorize! {
    fn backward_piece[T: Real, A: Activation](d: [&mut [T]; 2], d_out: &[T], saved: GatedSaved<T>, _activation: A) {
        let [d_gate, d_up] = d;
        let outputs = d_gate.iter_mut().zip(d_up);
        for ((d_gate, d_up), ((&d_out, &gate), &up)) in outputs.zip(d_out.iter().zip(saved.gate).zip(saved.up)) {
            let (value, slope) = A::with_slope(gate);
            *d_gate = d_out * up * slope;
            *d_up = d_out * value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{LENGTHS, assert_close, noise, same_for_every_thread_count};
    use crate::unary;

    const ALL: [GateActivation; 7] = [
        GateActivation::Identity,
        GateActivation::Relu,
        GateActivation::Gelu,
        GateActivation::GeluTanh,
        GateActivation::Silu,
        GateActivation::Tanh,
        GateActivation::Sigmoid,
    ];

    fn activation_of(x: f64, activation: GateActivation) -> f64 {
        let mut y = [0.0];
        match activation {
            GateActivation::Identity => y[0] = x,
            GateActivation::Relu => unary::relu(&mut y, &[x]),
            GateActivation::Gelu => unary::gelu(&mut y, &[x]),
            GateActivation::GeluTanh => unary::gelu_tanh(&mut y, &[x]),
            GateActivation::Silu => unary::silu(&mut y, &[x]),
            GateActivation::Tanh => unary::tanh(&mut y, &[x]),
            GateActivation::Sigmoid => unary::sigmoid(&mut y, &[x]),
        }
        y[0]
    }

    #[test]
    fn equals_activation_then_product_at_every_length() {
        for n in LENGTHS {
            let (gate, up) = (noise::<f32>(n, 1), noise::<f32>(n, 2));
            for activation in ALL {
                let expected: Vec<f64> = gate
                    .iter()
                    .zip(&up)
                    .map(|(&g, &u)| activation_of(g.into(), activation) * f64::from(u))
                    .collect();
                same_for_every_thread_count(|| {
                    let mut out = vec![f32::NAN; n];
                    gated(&mut out, &gate, &up, activation);
                    assert_close(&out, &expected, 2e-6);
                    out
                });
            }
        }
    }

    #[test]
    fn backward_equals_central_differences() {
        let n = 33;
        let (gate, up, d_out) = (noise::<f64>(n, 1), noise::<f64>(n, 2), noise::<f64>(n, 3));
        let saved = GatedSaved { gate: &gate, up: &up };
        for activation in ALL {
            let (mut d_gate, mut d_up) = (vec![f64::NAN; n], vec![f64::NAN; n]);
            gated_backward(&mut d_gate, &mut d_up, &d_out, saved, activation);
            for i in 0..n {
                let f = |x| activation_of(x, activation);
                let slope = (f(gate[i] + 1e-5) - f(gate[i] - 1e-5)) / 2e-5;
                assert_close(&[d_gate[i]], &[d_out[i] * up[i] * slope], 1e-8);
                assert_close(&[d_up[i]], &[d_out[i] * f(gate[i])], 1e-12);
            }
        }
    }
}
