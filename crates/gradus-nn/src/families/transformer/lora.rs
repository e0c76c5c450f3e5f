//! Adapters on a whole model: where they go, and what becomes of them.

use gradus_tensor::{Rng, Tensor};

use super::family::BlockNames;
use super::model::Transformer;
use super::projection::Projection;
use crate::error::{Error, Result};
use crate::layers::LoraConfig;
use crate::module::Module;
use crate::state_dict::{self, Target};

/// What stands in the names of adapters' tensors and of no others.
const MARK: &str = ".lora_";

impl Transformer {
    /// Puts a fresh adapter beside every projection of every block that `targets` names by the last part of its path
    /// (`q_proj`, `down_proj`, `c_fc`), and freezes everything else. The adapters' values depend on the seed alone.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] for a target that no projection of the family has, none at all, or an adapter that makes no
    /// sense.
    pub fn add_lora(&self, config: &LoraConfig, targets: &[String], seed: u64) -> Result<()> {
        let names = self.lora_targets();
        if let Some(unknown) = targets.iter().find(|target| !names.contains(&target.as_str())) {
            return Err(self.target_error(format!("`{unknown}`; the targets are {}", names.join(", "))));
        }
        if targets.is_empty() {
            return Err(self.target_error(format!("empty; the targets are {}", names.join(", "))));
        }
        for parameter in self.parameters() {
            parameter.set_requires_grad(false);
        }
        let rng = &mut Rng::seed_from(seed);
        self.each_projection(
            &mut |name, projection| match targets.iter().any(|target| target == name) {
                true => projection.adapt(config, rng),
                false => Ok(()),
            },
        )
    }

    /// The names that [`add_lora`](Transformer::add_lora) takes. GPT-2's queries, keys and values, which its files hold in one
    /// tensor, are not among them: an adapter of that tensor has no equal here.
    pub fn lora_targets(&self) -> Vec<&'static str> {
        let names = &self.config().family.names().block;
        let fused = self.config().family.fuses_query_key_value();
        let attention = [names.query, names.key, names.value];
        let others = [names.attention_output, names.gate, names.up, names.down];
        let mut targets: Vec<&str> = attention
            .into_iter()
            .filter(|_| !fused)
            .chain(others)
            .filter(|path| !path.is_empty())
            .map(last_part)
            .collect();
        targets.dedup();
        targets
    }

    /// The adapters' tensors by name, as [`Module::state_dict`] names them; none if there are no adapters.
    pub fn lora_state(&self) -> Vec<(String, Tensor)> {
        let mut state = self.state_dict();
        state.retain(|(name, _)| name.contains(MARK));
        state
    }

    /// Sets the adapters' values from tensors with the names that [`lora_state`](Transformer::lora_state) gives.
    ///
    /// # Errors
    /// [`Error::StateDict`] with every tensor that is missing, left over or of another shape; nothing is changed then.
    pub fn load_lora(&self, state: &[(String, Tensor)]) -> Result<()> {
        let targets: Vec<(String, Target)> = self
            .named_parameters()
            .into_iter()
            .filter(|(name, _)| name.contains(MARK))
            .map(|(name, parameter)| (name, Target::Parameter(parameter)))
            .collect();
        state_dict::load(&targets, state)
    }

    /// Adds every adapter to its weight and takes it away; all parameters can be trained again.
    ///
    /// # Errors
    /// [`Error::InferenceOnly`] when an adapted weight is in ggml blocks.
    pub fn merge_lora(&self) -> Result<()> {
        self.each_projection(&mut |_, projection| projection.merge())?;
        for parameter in self.parameters() {
            parameter.set_requires_grad(true);
        }
        Ok(())
    }

    fn target_error(&self, value: String) -> Error {
        Error::InvalidSetting {
            owner: "lora",
            setting: "targets",
            value,
            rule: "each must be a projection of the model's blocks",
        }
    }

    fn each_projection(&self, visit: &mut dyn FnMut(&str, &Projection) -> Result<()>) -> Result<()> {
        let names: &'static BlockNames = &self.config().family.names().block;
        for block in self.blocks() {
            for (path, projection) in block.projections(names) {
                visit(last_part(path), projection)?;
            }
        }
        Ok(())
    }
}

fn last_part(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}
