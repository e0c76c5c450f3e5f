//! Gradients with respect to a model's inputs.

use gradus_nn::Module;
use gradus_tensor::{Parameter, Tensor};

use crate::{Error, Predictor, Result};

/// The gradient of `objective`, a scalar made of the logits `[batch, classes]`, with respect to prepared inputs f32
/// `[batch, ..sample_shape]`. The model's parameters take part as constants: their gradients are neither computed nor
/// left behind.
///
/// # Errors
/// [`Error::NoInputGradient`] when a layer has no gradient; those of the model and of `objective`.
pub(crate) fn input_gradient(
    predictor: &Predictor,
    inputs: &Tensor,
    objective: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let _frozen = Frozen::new(predictor.model());
    let inputs = inputs.with_grad()?;
    let logits = predictor.model().forward(&inputs).map_err(refusal)?;
    objective(&logits)?.backward()?;
    // A model that does not look at its input has the gradient zero.
    Ok(inputs
        .grad()
        .unwrap_or_else(|| Tensor::zeros(inputs.shape(), inputs.dtype())))
}

/// Names what to do about a layer that was made to answer only.
pub(crate) fn refusal(error: gradus_nn::Error) -> Error {
    match has_no_gradient(&error) {
        true => Error::NoInputGradient { source: error },
        false => Error::Model(error),
    }
}

fn has_no_gradient(error: &gradus_nn::Error) -> bool {
    match error {
        gradus_nn::Error::InLayer { cause, .. } => has_no_gradient(cause),
        error => matches!(
            error,
            gradus_nn::Error::InferenceOnly { .. }
                | gradus_nn::Error::Tensor(gradus_tensor::Error::NoGradient { .. })
        ),
    }
}

/// Parameters that gather no gradient until this is dropped: a backward pass then computes what an input wants and nothing
/// else, and the model is left as it was.
pub(crate) struct Frozen(Vec<Parameter>);

impl Frozen {
    /// Freezes what is not frozen already.
    pub(crate) fn new(model: &(impl Module + ?Sized)) -> Self {
        let mut parameters = model.parameters();
        parameters.retain(Parameter::requires_grad);
        for parameter in &parameters {
            parameter.set_requires_grad(false);
        }
        Self(parameters)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for parameter in &self.0 {
            parameter.set_requires_grad(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_nn::{Layer, Linear};
    use gradus_tensor::Rng;

    #[test]
    fn parameters_gather_nothing_meanwhile_and_again_afterwards() {
        let model = Linear::new(3, 2, &mut Rng::seed_from(1));
        let x = Tensor::from_vec(vec![1.0f32; 3], [1, 3]).unwrap();
        let frozen = Frozen::new(&model);
        let leaf = x.with_grad().unwrap();
        model
            .forward(&leaf)
            .unwrap()
            .sum_all()
            .unwrap()
            .backward()
            .unwrap();
        assert!(leaf.grad().is_some() && model.parameters().iter().all(|p| p.grad().is_none()));
        drop(frozen);
        model.forward(&x).unwrap().sum_all().unwrap().backward().unwrap();
        assert!(model.parameters().iter().all(|p| p.grad().is_some()));
    }
}
