//! Several steps at once, and what every step has in common.

use gradus_nn::ModelConfig;
use gradus_package::{
    CLASSIFICATION, CompressionMethod, CompressionStep, Lineage, MULTILABEL, Package, PackageContents,
    REGRESSION, TensorChange,
};

use crate::clip;
use crate::error::{Error, Result};
use crate::prune::{self, PruneOptions};
use crate::quantize;

/// What to do to a model: first clip, then prune, then quantise, each if asked for.
///
/// Pruning before quantising keeps zeros zero, as code 0 stands for 0; the other way round it would have to undo the
/// quantisation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Plan {
    /// Limit weights to `[-limit, limit]`; greater than 0.
    pub clip: Option<f64>,
    /// Set the weights of least magnitude to zero.
    pub prune: Option<PruneOptions>,
    /// Store and run fully connected layers in int8.
    pub quantize_int8: bool,
}

/// Carries out a plan on a package and gives the contents of the package to save.
///
/// # Errors
/// [`Error::EmptyPlan`]; [`Error::Task`] for a model of text; [`Error::AlreadyQuantized`] for a package whose weights are integers already;
/// [`Error::ModelConfig`] and [`Error::Model`] for one that is no model of this build; those of [`clip()`](crate::clip),
/// [`prune()`](crate::prune) and [`quantize_int8`](crate::quantize_int8).
pub fn compress(package: &Package, plan: &Plan) -> Result<PackageContents> {
    let mut work = Work::begin(package, plan.first_step()?)?;
    if let Some(limit) = plan.clip {
        clip::apply(&mut work, limit)?;
    }
    if let Some(options) = plan.prune {
        prune::apply(&mut work, options)?;
    }
    if plan.quantize_int8 {
        quantize::apply(&mut work)?;
    }
    work.finish()
}

impl Plan {
    /// The name of the first step, for errors.
    fn first_step(&self) -> Result<&'static str> {
        let steps = [
            (self.clip.is_some(), "clip"),
            (self.prune.is_some(), "prune"),
            (self.quantize_int8, "quantize"),
        ];
        steps
            .into_iter()
            .find(|(asked, _)| *asked)
            .map(|(_, name)| name)
            .ok_or(Error::EmptyPlan)
    }
}

/// A package under compression.
pub(crate) struct Work {
    pub(crate) config: ModelConfig,
    pub(crate) contents: PackageContents,
}

impl Work {
    fn begin(package: &Package, step: &'static str) -> Result<Work> {
        // A package of text names families that are no `ModelConfig`; its task says so in plainer words.
        let task = &package.manifest().task;
        if ![CLASSIFICATION, REGRESSION, MULTILABEL].contains(&task.as_str()) {
            return Err(Error::Task { task: task.clone() });
        }
        let config: ModelConfig =
            serde_json::from_value(package.config().clone()).map_err(Error::ModelConfig)?;
        if config.quantization().is_some() {
            let parent = &package.manifest().lineage.parent;
            let parent = parent
                .as_ref()
                .map(|parent| format!(" ({parent})"))
                .unwrap_or_default();
            return Err(Error::AlreadyQuantized { step, parent });
        }
        // Names, shapes and types are checked here, so that no step meets a tensor it does not expect.
        config.load(package.tensors()).map_err(Error::model)?;
        let mut contents = package.to_contents();
        contents.manifest.metrics.clear();
        contents.manifest.lineage = Lineage {
            parent: Some(package.fingerprint().to_owned()),
            created_by: Lineage::by_this_build().created_by,
            ..contents.manifest.lineage
        };
        Ok(Work { config, contents })
    }

    /// Runs one step and records it; `step` changes tensors and tells how.
    pub(crate) fn record(
        &mut self,
        method: CompressionMethod,
        step: impl FnOnce(&mut Work) -> Result<Vec<TensorChange>>,
    ) -> Result<()> {
        let bytes_before = self.contents.tensor_bytes()?;
        let tensors = step(self)?;
        let bytes_after = self.contents.tensor_bytes()?;
        let step = CompressionStep {
            method,
            bytes_before,
            bytes_after,
            tensors,
        };
        self.contents.manifest.compression.push(step);
        Ok(())
    }

    /// Makes sure that the result is a model before anybody saves it.
    fn finish(mut self) -> Result<PackageContents> {
        self.config.load(&self.contents.tensors).map_err(Error::model)?;
        self.contents.config = serde_json::to_value(&self.config).map_err(Error::ModelConfig)?;
        Ok(self.contents)
    }
}
