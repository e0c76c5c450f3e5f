//! An exponential moving average of the parameters: steadier weights to evaluate and to ship.

use crate::{Error, Result};
use gradus_kernels::optim::in_place;
use gradus_tensor::{Parameter, Tensor};

/// A shadow of each parameter that follows it as `shadow += (1 − decay) · (value − shadow)` after every step.
/// Buffers, such as a batch normalisation's running statistics, are averages already and are not shadowed.
/// Source: Polyak and Juditsky, 1992.
#[derive(Debug)]
pub struct Ema {
    decay: f64,
    parameters: Vec<Parameter>,
    shadows: Vec<Vec<f32>>,
}

impl Ema {
    /// Shadows that start at the parameters' values; `decay` from 0 to below 1, typically 0.99 to 0.9999.
    ///
    /// # Errors
    /// [`Error::Tensor`] when a parameter does not hold `f32`.
    pub fn new(parameters: Vec<Parameter>, decay: f64) -> Result<Ema> {
        let shadows = parameters
            .iter()
            .map(|p| Ok(p.value().to_vec::<f32>()?))
            .collect::<Result<_>>()?;
        Ok(Ema {
            decay,
            parameters,
            shadows,
        })
    }

    /// Moves the shadows towards the parameters, after an optimiser step.
    ///
    /// # Errors
    /// [`Error::Tensor`] when a parameter does not hold `f32`.
    pub fn update(&mut self) -> Result<()> {
        for (parameter, shadow) in self.parameters.iter().zip(&mut self.shadows) {
            in_place::ema(shadow, parameter.value().as_slice::<f32>()?, self.decay);
        }
        Ok(())
    }

    /// Exchanges parameters and shadows: once to evaluate or ship the average, once more to train on.
    ///
    /// # Errors
    /// [`Error::Tensor`] when a parameter does not hold `f32`.
    pub fn swap(&mut self) -> Result<()> {
        for (parameter, shadow) in self.parameters.iter().zip(&mut self.shadows) {
            parameter.update_f32(|value, _| value.swap_with_slice(shadow))?;
        }
        Ok(())
    }

    /// The shadows by parameter index, for a checkpoint.
    ///
    /// # Errors
    /// [`Error::Tensor`] from building the tensors.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let named = |(index, (parameter, shadow)): (usize, (&Parameter, &Vec<f32>))| {
            Ok((index.to_string(), Tensor::from_slice(shadow, parameter.shape())?))
        };
        self.parameters
            .iter()
            .zip(&self.shadows)
            .enumerate()
            .map(named)
            .collect()
    }

    /// Restores what [`Ema::state`] gave.
    ///
    /// # Errors
    /// [`Error::OptimizerState`] when a shadow is missing or has another size than its parameter.
    pub fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        for (index, shadow) in self.shadows.iter_mut().enumerate() {
            let name = index.to_string();
            let values = state
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, tensor)| tensor.to_vec::<f32>());
            let values = values.transpose()?.unwrap_or_default();
            if values.len() != shadow.len() {
                let (expected, got) = (format!("{} numbers", shadow.len()), values.len().to_string());
                return Err(Error::OptimizerState {
                    name: format!("ema.{name}"),
                    expected,
                    got,
                });
            }
            *shadow = values;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(value: f32) -> Parameter {
        Parameter::new(Tensor::from_vec(vec![value], [1]).unwrap()).unwrap()
    }

    fn value(parameter: &Parameter) -> f32 {
        parameter.value().to_vec::<f32>().unwrap()[0]
    }

    #[test]
    fn follows_the_recurrence_and_swaps_both_ways() {
        let weight = parameter(1.0);
        let mut ema = Ema::new(vec![weight.clone()], 0.75).unwrap();
        weight.update_f32(|v, _| v[0] = 5.0).unwrap();
        ema.update().unwrap();
        ema.swap().unwrap();
        assert_eq!(value(&weight), 2.0);
        ema.swap().unwrap();
        assert_eq!(value(&weight), 5.0);
    }

    #[test]
    fn state_survives_a_restart() {
        let weight = parameter(1.0);
        let mut ema = Ema::new(vec![weight.clone()], 0.9).unwrap();
        weight.update_f32(|v, _| v[0] = 3.0).unwrap();
        ema.update().unwrap();
        let mut other = Ema::new(vec![weight.clone()], 0.9).unwrap();
        other.load_state(&ema.state().unwrap()).unwrap();
        other.swap().unwrap();
        assert!((value(&weight) - 1.2).abs() < 1e-6);
        assert!(other.load_state(&[]).is_err());
    }
}
