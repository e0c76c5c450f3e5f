//! What every optimiser has: parameters, a learning rate, and per-parameter state with names.

use crate::{Error, Result};
use gradus_tensor::{Parameter, Tensor};
use serde::{Deserialize, Serialize};

/// The most buffers any optimiser keeps per parameter.
const MAX_BUFFERS: usize = 3;

/// Name of the state tensor that holds each parameter's step count.
const STEPS: &str = "steps";

/// Which parameters weight decay applies to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecayScope {
    /// Every parameter, as `torch.optim` does without parameter groups.
    #[default]
    All,
    /// Parameters of rank 2 and above: weights, but not biases and not the scales of normalisation layers.
    Matrices,
}

/// The parameters of an optimiser with their learning rate and state.
#[derive(Debug)]
pub struct ParameterGroup {
    /// The step size.
    pub learning_rate: f64,
    decay_scope: DecayScope,
    /// Parameters without weight decay, whatever the scope.
    exempt: Vec<Parameter>,
    parameters: Vec<Parameter>,
    slots: Vec<Slot>,
    buffer_names: &'static [&'static str],
}

/// One parameter's state.
#[derive(Clone, Debug, Default)]
pub struct Slot {
    /// Steps this parameter has taken, the current one included.
    pub step: u64,
    /// Whether weight decay applies to the parameter.
    pub decays: bool,
    buffers: [Vec<f32>; MAX_BUFFERS],
}

impl Slot {
    /// The first `N` buffers, each as long as the parameter; fresh ones are filled with `initial`.
    pub fn buffers<const N: usize>(&mut self, len: usize, initial: f32) -> [&mut [f32]; N] {
        let mut buffers = self.buffers.iter_mut();
        std::array::from_fn(|_| {
            let buffer = buffers
                .next()
                .expect("bug: an optimiser asks for more buffers than MAX_BUFFERS");
            buffer.resize(len, initial);
            buffer.as_mut_slice()
        })
    }

    /// As [`Slot::buffers`], filled with 0 when fresh, but only those that are wanted.
    pub fn wanted_buffers<const N: usize>(
        &mut self,
        len: usize,
        wanted: [bool; N],
    ) -> [Option<&mut [f32]>; N] {
        let mut buffers = self.buffers.iter_mut().zip(wanted);
        std::array::from_fn(|_| {
            let (buffer, wanted) = buffers
                .next()
                .expect("bug: an optimiser asks for more buffers than MAX_BUFFERS");
            wanted.then(|| {
                buffer.resize(len, 0.0);
                buffer.as_mut_slice()
            })
        })
    }

    /// `weight_decay` where it applies to this parameter, else 0.
    pub fn decay(&self, weight_decay: f64) -> f64 {
        if self.decays { weight_decay } else { 0.0 }
    }
}

impl ParameterGroup {
    /// `parameters` without state yet; `buffer_names` are what checkpoints call each of a [`Slot`]'s buffers.
    pub fn new(
        parameters: Vec<Parameter>,
        learning_rate: f64,
        buffer_names: &'static [&'static str],
    ) -> ParameterGroup {
        let slots = vec![Slot::default(); parameters.len()];
        let mut group = ParameterGroup {
            learning_rate,
            decay_scope: DecayScope::All,
            exempt: Vec::new(),
            parameters,
            slots,
            buffer_names,
        };
        group.set_decay_scope(DecayScope::All);
        group
    }

    /// Chooses the parameters that weight decay applies to.
    pub fn set_decay_scope(&mut self, scope: DecayScope) {
        self.decay_scope = scope;
        for (parameter, slot) in self.parameters.iter().zip(&mut self.slots) {
            let in_scope = match scope {
                DecayScope::All => true,
                DecayScope::Matrices => parameter.shape().len() >= 2,
            };
            slot.decays = in_scope && !self.exempt.iter().any(|exempt| exempt.is_same(parameter));
        }
    }

    /// Spares these parameters from weight decay whatever the scope is: the embeddings of a language model, say.
    pub fn exempt_from_decay(&mut self, parameters: &[Parameter]) {
        self.exempt = parameters.to_vec();
        self.set_decay_scope(self.decay_scope);
    }

    /// The parameters in order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Counts a step for each parameter that has a gradient and runs `update(value, gradient, slot)` on it.
    ///
    /// # Errors
    /// [`Error::Tensor`] when a parameter or its gradient does not hold `f32`.
    pub fn update(&mut self, mut update: impl FnMut(&mut [f32], &[f32], &mut Slot)) -> Result<()> {
        for (parameter, slot) in self.parameters.iter().zip(&mut self.slots) {
            if parameter.grad().is_none() {
                continue;
            }
            slot.step += 1;
            parameter.update_f32(|value, grad| {
                if let Some(grad) = grad {
                    update(value, grad, slot);
                }
            })?;
        }
        Ok(())
    }

    /// Step counts and buffers as `steps`, `0.exp_avg`, `0.exp_avg_sq`, `1.exp_avg`, …
    pub(super) fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let steps: Vec<i64> = self.slots.iter().map(|slot| slot.step as i64).collect();
        let mut state = vec![(STEPS.to_owned(), Tensor::from_vec(steps, [self.slots.len()])?)];
        for (index, slot) in self.slots.iter().enumerate() {
            for (name, buffer) in self.buffer_names.iter().zip(&slot.buffers) {
                if !buffer.is_empty() {
                    state.push((
                        format!("{index}.{name}"),
                        Tensor::from_slice(buffer, [buffer.len()])?,
                    ));
                }
            }
        }
        Ok(state)
    }

    /// Restores what [`ParameterGroup::state`] gave; buffers that are not named become fresh.
    pub(super) fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        self.slots = vec![Slot::default(); self.parameters.len()];
        self.set_decay_scope(self.decay_scope);
        for (name, tensor) in state {
            if name == STEPS {
                self.load_steps(&tensor.to_vec::<i64>()?)?;
            } else {
                self.load_buffer(name, tensor.to_vec::<f32>()?)?;
            }
        }
        Ok(())
    }

    fn load_steps(&mut self, steps: &[i64]) -> Result<()> {
        if steps.len() != self.slots.len() {
            let expected = format!("{} counts", self.slots.len());
            return Err(Error::OptimizerState {
                name: STEPS.to_owned(),
                expected,
                got: steps.len().to_string(),
            });
        }
        for (slot, &step) in self.slots.iter_mut().zip(steps) {
            slot.step = u64::try_from(step).unwrap_or(0);
        }
        Ok(())
    }

    fn load_buffer(&mut self, name: &str, values: Vec<f32>) -> Result<()> {
        let (index, buffer) = self.locate(name).ok_or_else(|| Error::OptimizerState {
            name: name.to_owned(),
            expected: format!("<parameter index>.<one of {}>", self.buffer_names.join(", ")),
            got: "a name this optimiser does not use".to_owned(),
        })?;
        let numel = self.parameters[index].numel();
        if values.len() != numel {
            let (expected, got) = (format!("{numel} numbers"), values.len().to_string());
            return Err(Error::OptimizerState {
                name: name.to_owned(),
                expected,
                got,
            });
        }
        self.slots[index].buffers[buffer] = values;
        Ok(())
    }

    /// The parameter and the buffer that `3.exp_avg` names.
    fn locate(&self, name: &str) -> Option<(usize, usize)> {
        let (index, buffer) = name.split_once('.')?;
        let index = index
            .parse()
            .ok()
            .filter(|&index: &usize| index < self.parameters.len())?;
        Some((
            index,
            self.buffer_names.iter().position(|known| *known == buffer)?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use crate::optimizers::{Adam, AdamW, Optimizer, Sgd};
    use crate::{Error, optimizers::DecayScope};
    use gradus_tensor::{Parameter, Tensor};

    fn parameters() -> Vec<Parameter> {
        let matrix = Tensor::from_vec(vec![1.0f32, -2.0, 3.0, -4.0], [2, 2]).unwrap();
        let vector = Tensor::from_vec(vec![0.5f32, 0.25], [2]).unwrap();
        [matrix, vector]
            .map(|tensor| Parameter::new(tensor).unwrap())
            .into()
    }

    fn give_gradients(parameters: &[Parameter], scale: f32) {
        for parameter in parameters {
            let values = (0..parameter.numel()).map(|i| scale * (i as f32 - 1.3)).collect();
            parameter.set_grad(Some(Tensor::from_vec(values, parameter.shape()).unwrap()));
        }
    }

    fn bits(parameters: &[Parameter]) -> Vec<u32> {
        parameters
            .iter()
            .flat_map(|p| p.value().to_vec::<f32>().unwrap())
            .map(f32::to_bits)
            .collect()
    }

    #[test]
    fn restored_state_continues_to_the_same_bits() {
        let run = |interrupt: bool| {
            let parameters = parameters();
            let mut optimizer = Adam::new(parameters.clone(), 0.1).amsgrad(true);
            for step in 0..10 {
                if interrupt && step == 4 {
                    let state = optimizer.state().unwrap();
                    optimizer = Adam::new(parameters.clone(), 0.1).amsgrad(true);
                    optimizer.load_state(&state).unwrap();
                }
                give_gradients(&parameters, 1.0 / (step + 1) as f32);
                optimizer.step().unwrap();
            }
            bits(&parameters)
        };
        assert_eq!(run(true), run(false));
    }

    #[test]
    fn decay_can_spare_vectors() {
        let parameters = parameters();
        let before = bits(&parameters[1..]);
        let mut optimizer = Sgd::new(parameters.clone(), 0.1)
            .weight_decay(0.5)
            .decay_scope(DecayScope::Matrices);
        give_gradients(&parameters, 0.0);
        optimizer.step().unwrap();
        assert_eq!(bits(&parameters[1..]), before);
        assert_eq!(
            parameters[0].value().to_vec::<f32>().unwrap(),
            [0.95, -1.9, 2.85, -3.8]
        );
    }

    #[test]
    fn named_parameters_can_be_spared_from_decay_and_stay_so() {
        let parameters = parameters();
        let before = bits(&parameters);
        let mut optimizer = Sgd::new(parameters.clone(), 0.1).weight_decay(0.5);
        optimizer.group_mut().exempt_from_decay(&parameters[..1]);
        let state = optimizer.state().unwrap();
        optimizer.load_state(&state).unwrap();
        give_gradients(&parameters, 0.0);
        optimizer.step().unwrap();
        let after = bits(&parameters);
        assert_eq!(after[..4], before[..4]);
        assert_ne!(after[4..], before[4..]);
    }

    #[test]
    fn a_scaled_step_is_a_step_along_scaled_gradients() {
        let run = |scaled: bool, make: fn(Vec<Parameter>) -> Box<dyn Optimizer>| {
            let parameters = parameters();
            let mut optimizer = make(parameters.clone());
            for step in 0..3 {
                give_gradients(&parameters, 1.0 + step as f32);
                if scaled {
                    optimizer.step_scaled(0.37).unwrap();
                } else {
                    crate::clip::scale_gradients(&parameters, 0.37).unwrap();
                    optimizer.step().unwrap();
                }
            }
            bits(&parameters)
        };
        let sgd = |p| Box::new(Sgd::new(p, 0.1)) as Box<dyn Optimizer>;
        let adam = |p| Box::new(Adam::new(p, 0.1).weight_decay(0.2)) as Box<dyn Optimizer>;
        let adamw = |p| Box::new(AdamW::new(p, 0.1)) as Box<dyn Optimizer>;
        for make in [sgd, adam, adamw] {
            assert_eq!(run(true, make), run(false, make));
        }
    }

    #[test]
    fn a_parameter_without_gradient_stays_and_counts_no_step() {
        let parameters = parameters();
        let before = bits(&parameters[1..]);
        let mut optimizer = Adam::new(parameters.clone(), 0.1);
        give_gradients(&parameters[..1], 1.0);
        optimizer.step().unwrap();
        assert_eq!(bits(&parameters[1..]), before);
        let state = optimizer.state().unwrap();
        assert_eq!(state[0].1.to_vec::<i64>().unwrap(), [1, 0]);
    }

    #[test]
    fn foreign_state_is_refused_by_name() {
        let mut optimizer = Adam::new(parameters(), 0.1);
        let foreign = |name: &str, len: usize| {
            vec![(
                name.to_owned(),
                Tensor::from_vec(vec![0.0f32; len], [len]).unwrap(),
            )]
        };
        for state in [
            foreign("0.velocity", 4),
            foreign("7.exp_avg", 4),
            foreign("0.exp_avg", 3),
        ] {
            let error = optimizer.load_state(&state).unwrap_err();
            assert!(
                matches!(&error, Error::OptimizerState { name, .. } if *name == state[0].0),
                "{error}"
            );
        }
    }
}
