//! Limits on gradients, before a step, and on weights, after it.

use crate::Result;
use gradus_kernels::optim::in_place;
use gradus_kernels::reduce;
use gradus_tensor::Parameter;

/// Added to the norm before dividing by it, as `torch.nn.utils.clip_grad_norm_` does.
const NORM_EPSILON: f64 = 1e-6;

/// The 2-norm of all gradients together, accumulated in `f64`; NaN or infinite when a gradient is.
///
/// # Errors
/// [`Error::Tensor`](crate::Error::Tensor) when a gradient does not hold `f32`.
pub fn gradient_norm(parameters: &[Parameter]) -> Result<f64> {
    let mut sum = 0.0;
    for grad in parameters.iter().filter_map(Parameter::grad) {
        sum += reduce::sum_of_squares(grad.as_slice::<f32>()?);
    }
    Ok(sum.sqrt())
}

/// Scales all gradients so that their common norm is at most `max_norm`; returns the norm they had.
/// Matches `torch.nn.utils.clip_grad_norm_`.
///
/// # Errors
/// [`Error::Tensor`](crate::Error::Tensor) when a gradient does not hold `f32`.
pub fn clip_gradient_norm(parameters: &[Parameter], max_norm: f64) -> Result<f64> {
    let norm = gradient_norm(parameters)?;
    let factor = norm_factor(norm, max_norm);
    if factor < 1.0 {
        scale_gradients(parameters, factor)?;
    }
    Ok(norm)
}

/// What gradients of this common norm are multiplied with so that it becomes at most `max_norm`; 1 for a norm that is
/// small enough, or no number.
pub(crate) fn norm_factor(norm: f64, max_norm: f64) -> f64 {
    let factor = max_norm / (norm + NORM_EPSILON);
    if factor < 1.0 { factor } else { 1.0 }
}

/// Limits every element of every gradient to `-limit..=limit`. Matches `torch.nn.utils.clip_grad_value_`.
///
/// # Errors
/// [`Error::Tensor`](crate::Error::Tensor) when a gradient does not hold `f32`.
pub fn clip_gradient_value(parameters: &[Parameter], limit: f64) -> Result<()> {
    change_gradients(parameters, |grad| in_place::clamp(grad, -limit, limit))
}

/// Multiplies every gradient by `factor`.
///
/// # Errors
/// [`Error::Tensor`](crate::Error::Tensor) when a gradient does not hold `f32`.
pub fn scale_gradients(parameters: &[Parameter], factor: f64) -> Result<()> {
    change_gradients(parameters, |grad| in_place::scale(grad, factor))
}

fn change_gradients(parameters: &[Parameter], change: impl Fn(&mut [f32])) -> Result<()> {
    for parameter in parameters {
        parameter.update_grad_f32(&change)?;
    }
    Ok(())
}

/// Limits every weight to `low..=high`, in place. A NaN stays one.
///
/// # Errors
/// [`Error::Tensor`](crate::Error::Tensor) when a parameter does not hold `f32`.
pub fn clip_weights(parameters: &[Parameter], [low, high]: [f64; 2]) -> Result<()> {
    for parameter in parameters {
        parameter.update_f32(|value, _| in_place::clamp(value, low, high))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::Tensor;

    fn with_gradients(gradients: &[&[f32]]) -> Vec<Parameter> {
        let make = |grad: &&[f32]| {
            let parameter = Parameter::new(Tensor::from_slice(grad, [grad.len()]).unwrap()).unwrap();
            parameter.set_grad(Some(Tensor::from_slice(grad, [grad.len()]).unwrap()));
            parameter
        };
        gradients.iter().map(make).collect()
    }

    fn gradients(parameters: &[Parameter]) -> Vec<f32> {
        parameters
            .iter()
            .flat_map(|p| p.grad().unwrap().to_vec::<f32>().unwrap())
            .collect()
    }

    #[test]
    fn the_norm_spans_all_parameters_and_is_limited() {
        let parameters = with_gradients(&[&[3.0, 0.0], &[0.0, -4.0]]);
        assert_eq!(clip_gradient_norm(&parameters, 10.0).unwrap(), 5.0);
        assert_eq!(gradients(&parameters), [3.0, 0.0, 0.0, -4.0]);
        assert_eq!(clip_gradient_norm(&parameters, 1.0).unwrap(), 5.0);
        for (got, expected) in gradients(&parameters).iter().zip([0.6, 0.0, 0.0, -0.8]) {
            assert!((got - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn values_are_limited_one_by_one() {
        let parameters = with_gradients(&[&[3.0, -0.5, -7.0]]);
        clip_gradient_value(&parameters, 1.0).unwrap();
        assert_eq!(gradients(&parameters), [1.0, -0.5, -1.0]);
    }

    #[test]
    fn weights_are_limited_in_place() {
        let parameters = with_gradients(&[&[3.0, -0.5, -7.0]]);
        clip_weights(&parameters, [-2.0, 1.0]).unwrap();
        assert_eq!(parameters[0].value().to_vec::<f32>().unwrap(), [1.0, -0.5, -2.0]);
    }
}
