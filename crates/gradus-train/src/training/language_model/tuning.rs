//! A language model that is there, tuned on conversations: all of it, or adapters beside it.

use super::instructions::Instructions;
use super::{Adapters, EVALUATION_BATCHES, LanguageModeling, Sample, Settings};
use crate::lora::Adapter;
use crate::memory::{self, Training};
use crate::recipe::{FineTuningTask, LoraSettings, Recipe};
use crate::settings::Problem;
use crate::training::peak::product_peak;
use crate::{Error, Result};
use gradus_data::text::{
    InstructionData, InstructionLoader, InstructionLoaderConfig, InstructionOptions, Tokenizer,
};
use gradus_evaluate::TextParts;
use gradus_kernels::quant::{BlockType, dequantize};
use gradus_nn::Module;
use gradus_nn::families::transformer::{Transformer, TransformerConfig, WeightType};
use gradus_nn::layers::LoraConfig;
use gradus_tensor::{DType, Tensor};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

/// Tokens of a row, unless the recipe says otherwise: a conversation of a page.
const BLOCK_SIZE: usize = 1024;

/// Rows of a batch, unless the recipe says otherwise.
const BATCH_SIZE: usize = 4;

/// Opens the model and the conversations that a recipe names, if there is memory to train it.
pub(crate) fn load(task: &FineTuningTask, recipe: &Recipe) -> Result<LanguageModeling<Instructions>> {
    let train = &recipe.train;
    let data = task.data.located(recipe.folder());
    let parts = TextParts::open(&recipe.folder().join(&task.model.path))?;
    let tokenizer = parts.tokenizer()?;
    let config = TransformerConfig::from_huggingface(&parts.config)?;
    if !config.causal {
        return Problem::refuse(
            "model.path",
            task.model.path.display(),
            "a model that generates text; this one is an encoder",
        );
    }
    let seq_len = train
        .block_size
        .unwrap_or(BLOCK_SIZE.min(config.max_position_embeddings));
    if seq_len > config.max_position_embeddings {
        let expected = format!(
            "at most {}, the model's longest sequence",
            config.max_position_embeddings
        );
        return Problem::refuse("train.block_size", seq_len, &expected);
    }
    let batch_size = train.batch_size.unwrap_or(BATCH_SIZE);
    let options = super::compute_options(train);
    let lora = task.model.lora.as_ref();
    let training = Training {
        batch_size,
        seq_len,
        options,
        trained: lora.map_or(config.num_parameters(), |lora| adapter_size(&config, lora)),
        optimizer: recipe.optimizer.numbers_per_parameter(),
        average: train.ema_decay.is_some(),
    };
    let memory = memory::estimate(&config, &training);
    memory::admit(&memory)?;
    let reading = InstructionOptions {
        seq_len,
        truncation: data.truncation.into(),
    };
    let template = tokenizer.chat_template_or_chatml();
    let open = |path: &Path| -> Result<InstructionLoader> {
        let examples = InstructionData::open(path, &tokenizer, &template, &reading)?;
        let loading = InstructionLoaderConfig {
            batch_size,
            seq_len,
            seed: train.seed,
            packing: data.packing.into(),
            pad: padding(&tokenizer),
        };
        Ok(InstructionLoader::new(Arc::new(examples), loading)?)
    };
    let tokens = Instructions {
        train: open(&data.chat)?,
        validation: data.validation.as_deref().map(open).transpose()?,
        batch_size,
        seq_len,
    };
    let (config, tensors) = in_floats(config, parts.tensors)?;
    let model = Transformer::from_file_tensors(&config, options, tensors, WeightType::F32)?;
    model.train();
    let adapters = lora
        .map(|lora| adapt(&model, lora, train.seed, &task.model.path))
        .transpose()?;
    let digest = tokens.train.data().fingerprint();
    Ok(LanguageModeling {
        model,
        adapters,
        data_sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        memory,
        settings: Settings {
            seed: train.seed,
            seq_len,
            evaluation_batches: train.eval_batches.unwrap_or(EVALUATION_BATCHES),
            sample: Sample::asked(train, &tokenizer)?,
            peak_flops: product_peak(options.precision)?,
        },
        tokens: Rc::new(tokens),
        tokenizer,
        files: parts.files,
        parent: gradus_package::read_manifest(&recipe.folder().join(&task.model.path))
            .ok()
            .map(|(_, fingerprint)| fingerprint),
    })
}

/// Fresh adapters beside the projections that a recipe names, or beside all.
fn adapt(model: &Transformer, settings: &LoraSettings, seed: u64, base: &Path) -> Result<Adapters> {
    let config = LoraConfig {
        rank: settings.rank,
        alpha: settings.alpha,
        dropout: settings.dropout,
    };
    let targets = match settings.targets.is_empty() {
        true => model.lora_targets().into_iter().map(str::to_owned).collect(),
        false => settings.targets.clone(),
    };
    model.add_lora(&config, &targets, seed)?;
    Ok(Adapters {
        adapter: Adapter::new(config, targets),
        base: base.display().to_string(),
    })
}

/// Numbers in the adapters, at most: as many as if every projection had one.
fn adapter_size(config: &TransformerConfig, settings: &LoraSettings) -> usize {
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let (query, key) = (config.query_size(), config.key_value_size());
    let ups = if config.gated { 2 } else { 1 };
    let widths = 2 * (hidden + query) + 2 * (hidden + key) + (ups + 1) * (hidden + inner);
    config.num_hidden_layers * settings.rank * widths
}

/// What fills rows up: it is neither learnt nor seen, so any token will do.
fn padding(tokenizer: &Tokenizer) -> u32 {
    let special = tokenizer.special();
    special
        .pad
        .iter()
        .chain(&special.eos)
        .map(|token| token.id)
        .next()
        .unwrap_or(0)
}

/// A model in ggml blocks as floats: what is trained, or shipped with its adapters added, must be.
fn in_floats(
    config: TransformerConfig,
    tensors: Vec<(String, Tensor)>,
) -> Result<(TransformerConfig, Vec<(String, Tensor)>)> {
    let types = config.block_types.clone();
    if types.is_empty() {
        return Ok((config, tensors));
    }
    let tensors = tensors
        .into_iter()
        .map(|(name, tensor)| match types.get(&name) {
            Some(kind) => Ok((name, widened(&tensor, kind)?)),
            None => Ok((name, tensor)),
        })
        .collect::<Result<_>>()?;
    Ok((config.with_block_types(BTreeMap::new()), tensors))
}

/// The floats of rows of blocks, `U8` `[rows, bytes per row]`.
fn widened(blocks: &Tensor, kind: &str) -> Result<Tensor> {
    let Some(kind) = BlockType::from_name(kind) else {
        return Err(Error::Evaluate(gradus_evaluate::Error::BlockType {
            tensor: "weight".to_owned(),
            found: kind.to_owned(),
        }));
    };
    let blocks = blocks.contiguous()?;
    let &[rows, row_bytes] = blocks.shape() else {
        return Ok(blocks);
    };
    let cols = row_bytes / kind.block_bytes() * kind.block_len();
    let bytes = blocks.as_slice::<u8>()?;
    debug_assert_eq!(blocks.dtype(), DType::U8);
    Ok(Tensor::build([rows, cols], |out: &mut [f32]| {
        dequantize(out, bytes, kind)
    }))
}
