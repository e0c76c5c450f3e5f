//! Gated linear units: SwiGLU, GEGLU and their kin.

use gradus_kernels::gated::{GateActivation, GatedSaved, gated, gated_backward};
use gradus_kernels::real::Real;
use smallvec::smallvec;

use super::Activation;
use super::binary::same_dtype;
use crate::autograd::{Grads, record};
use crate::dispatch::{for_real, through_f32};
use crate::dtype::Element;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

impl Tensor {
    /// `activation(self) · up`, element by element in one pass, of two tensors of one shape: with SiLU what SwiGLU
    /// layers compute between their projections, with GELU what GEGLU layers do (Shazeer, 2020). Saves both inputs.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::DTypeMismatch`] when the two differ; [`Error::UnsupportedDType`] for integers.
    pub fn gated(&self, up: &Tensor, activation: Activation) -> Result<Tensor> {
        same_dtype("gated", self, up)?;
        if self.shape() != up.shape() {
            let (lhs, rhs) = (self.shape().to_vec(), up.shape().to_vec());
            let rule = "a gate has the shape of what it gates";
            return Err(Error::ShapeMismatch {
                op: "gated",
                lhs,
                rhs,
                rule,
            });
        }
        if let Some(result) = through_f32(self, |gate| gate.gated(&up.to_dtype(gate.dtype())?, activation)) {
            return result;
        }
        let pair = Pair {
            gate: self.detach().contiguous()?,
            up: up.detach().contiguous()?,
            activation: of_gate(activation),
        };
        let out = for_real!("gated", self.dtype(), T => pair.forward::<T>())?;
        Ok(record(
            "gated",
            out,
            &[self, up],
            move |d_out, needs| for_real!("gated", d_out.dtype(), T => pair.backward::<T>(d_out, needs)),
        ))
    }
}

struct Pair {
    gate: Tensor,
    up: Tensor,
    activation: GateActivation,
}

impl Pair {
    fn forward<T: Element + Real>(&self) -> Result<Tensor> {
        let (gate, up) = (self.gate.as_slice::<T>()?, self.up.as_slice::<T>()?);
        Ok(Tensor::build(self.gate.shape(), |out| {
            gated(out, gate, up, self.activation)
        }))
    }

    fn backward<T: Element + Real>(&self, d_out: &Tensor, needs: &[bool]) -> Result<Grads> {
        let d_out = d_out.contiguous()?;
        let d = d_out.as_slice::<T>()?;
        let saved = GatedSaved {
            gate: self.gate.as_slice::<T>()?,
            up: self.up.as_slice::<T>()?,
        };
        let mut d_up = None;
        let d_gate = Tensor::build(self.gate.shape(), |d_gate: &mut [T]| {
            d_up = Some(Tensor::build(self.gate.shape(), |d_up: &mut [T]| {
                gated_backward(d_gate, d_up, d, saved, self.activation);
            }));
        });
        // Both come from one pass; the one that nobody asked for goes back to the pool.
        Ok(smallvec![needs[0].then_some(d_gate), d_up.filter(|_| needs[1])])
    }
}

fn of_gate(activation: Activation) -> GateActivation {
    match activation {
        Activation::Identity => GateActivation::Identity,
        Activation::Relu => GateActivation::Relu,
        Activation::Gelu => GateActivation::Gelu,
        Activation::GeluTanh => GateActivation::GeluTanh,
        Activation::Silu => GateActivation::Silu,
        Activation::Tanh => GateActivation::Tanh,
        Activation::Sigmoid => GateActivation::Sigmoid,
    }
}
