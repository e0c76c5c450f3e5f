//! From a trained language model to its package, which `transformers` opens too.

use super::tokens::TokenSource;
use super::{Adapters, LanguageModeling};
use crate::Result;
use crate::recipe::Recipe;
use crate::training::metrics::Metric;
use crate::training::observer::SampleUnit;
use crate::training::packaged::{FinalEvaluation, Packaged};
use gradus_package::{
    CAUSAL_LM, Encoding, Lineage, Manifest, MetricValue, Package, PackageContents, Signature, TensorSpec,
};
use gradus_tensor::DType;
use std::path::PathBuf;

/// The samples that the figures come from.
const SPLIT: &str = "validation";

/// Where a run keeps adapters in PEFT's format; its package has them added to the weights.
const ADAPTER_FOLDER: &str = "adapter";

/// Measures the model on all held-out tokens and writes its package, all or nothing.
pub(super) fn package(
    trained: &LanguageModeling<impl TokenSource>,
    recipe: &Recipe,
    folder: PathBuf,
) -> Result<Packaged> {
    let (figures, samples) = match trained.validation_loss(None)? {
        Some((loss, count)) => (trained.figures(loss), count),
        None => (Vec::new(), 0),
    };
    let value = |metric: Metric| MetricValue {
        name: metric.name.to_owned(),
        value: metric.value,
        lower: None,
        upper: None,
        confidence: None,
        split: SPLIT.to_owned(),
        n: samples,
    };
    let metrics: Vec<MetricValue> = figures.into_iter().map(value).collect();
    if let Some(Adapters { adapter, base }) = &trained.adapters {
        let beside = folder.with_file_name(ADAPTER_FOLDER);
        adapter.save(&trained.model, Some(base), &beside)?;
        trained.model.merge_lora()?;
    }
    let lineage = Lineage {
        parent: trained.parent.clone(),
        recipe: Some(recipe.to_portable_toml()?),
        data_sha256: Some(trained.data_sha256.clone()),
        seed: Some(recipe.train.seed),
        ..Lineage::by_this_build()
    };
    let vocab_size = trained.model.config().vocab_size;
    let mut manifest = Manifest::new(CAUSAL_LM, signature(vocab_size), None, lineage);
    manifest.metrics = metrics.clone();
    let contents = PackageContents {
        config: trained.model.config().to_huggingface(),
        tensors: trained.model.to_file_tensors()?,
        manifest,
        encoding: Encoding::Dense,
        files: trained.files.clone(),
    };
    let saved = Package::save(&folder, &contents)?;
    Ok(Packaged {
        folder,
        fingerprint: saved.fingerprint,
        evaluation: FinalEvaluation {
            split: SPLIT,
            samples,
            unit: SampleUnit::Token,
            metrics,
        },
    })
}

fn signature(vocab_size: usize) -> Signature {
    let spec = |name: &str, dtype, last: Option<usize>| TensorSpec {
        name: name.to_owned(),
        dtype,
        shape: [None, None].into_iter().chain(last.map(Some)).collect(),
    };
    Signature {
        inputs: vec![spec("input_ids", DType::I64, None)],
        outputs: vec![spec("logits", DType::F32, Some(vocab_size))],
        labels: Vec::new(),
    }
}
