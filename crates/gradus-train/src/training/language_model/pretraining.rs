//! A language model from nothing: its tokens, its size, its first weights.

use super::corpus::{Corpus, Workshop};
use super::tokens::WholeText;
use super::{EVALUATION_BATCHES, LanguageModeling, Sample, Settings};
use crate::Result;
use crate::memory::{self, Training};
use crate::recipe::{LanguageModelTask, Recipe, TrainConfig};
use crate::training::peak::product_peak;
use crate::training::{Observer, TrainOptions};
use gradus_data::text::{TokenLoader, TokenLoaderConfig, TokenSet, Tokenizer};
use gradus_nn::families::transformer::{Transformer, TransformerConfig};
use serde_json::Value;
use std::rc::Rc;
use std::sync::Arc;

/// Tokens of a row, unless the recipe says otherwise.
const BLOCK_SIZE: usize = 256;

/// Rows of a batch, unless the recipe says otherwise.
const BATCH_SIZE: usize = 8;

/// Makes the tokens and the model that a recipe describes, if there is memory to train it.
pub(crate) fn load(
    task: &LanguageModelTask,
    recipe: &Recipe,
    options: &TrainOptions,
    observer: &mut dyn Observer,
) -> Result<LanguageModeling<WholeText>> {
    let Recipe { train, .. } = recipe;
    let data = task.data.located(recipe.folder());
    let own = options.folder.join("tokens");
    let mut workshop = Workshop {
        folder: data.tokens.as_deref().unwrap_or(&own),
        observer,
        stop: &options.stop,
    };
    let corpus = Corpus::prepare(&data, &mut workshop)?;
    let shape = Shape::of(task, train);
    let config = config(task, &corpus.tokenizer, shape)?;
    let compute = super::compute_options(train);
    let training = Training {
        batch_size: shape.batch_size,
        seq_len: shape.seq_len,
        options: compute,
        trained: config.num_parameters(),
        optimizer: recipe.optimizer.numbers_per_parameter(),
        average: train.ema_decay.is_some(),
    };
    let memory = memory::estimate(&config, &training);
    memory::admit(&memory)?;
    let loader = |set: &Arc<TokenSet>| {
        let loading = TokenLoaderConfig {
            batch_size: shape.batch_size,
            seq_len: shape.seq_len,
            seed: train.seed,
            separate_documents: data
                .separate_documents
                .then(|| corpus.tokenizer.end_of_text())
                .transpose()?,
        };
        TokenLoader::new(set.clone(), loading)
    };
    // A held-out part shorter than a row cannot be measured.
    let measurable = corpus
        .validation
        .as_ref()
        .filter(|set| set.tokens() > shape.seq_len as u64);
    let tokens = WholeText {
        train: loader(&corpus.train)?,
        validation: measurable.map(loader).transpose()?,
        batch_size: shape.batch_size,
        seq_len: shape.seq_len,
    };
    Ok(LanguageModeling {
        model: Transformer::new(&config, compute, train.seed)?,
        tokens: Rc::new(tokens),
        data_sha256: corpus.fingerprint(),
        memory,
        settings: Settings {
            seed: train.seed,
            seq_len: shape.seq_len,
            evaluation_batches: train.eval_batches.unwrap_or(EVALUATION_BATCHES),
            sample: Sample::new(train, &corpus.tokenizer)?,
            peak_flops: product_peak(compute.precision)?,
        },
        files: corpus
            .tokenizer
            .files()
            .into_iter()
            .map(|(name, bytes)| (name.to_owned(), bytes.into()))
            .collect(),
        adapters: None,
        parent: None,
        tokenizer: corpus.tokenizer,
    })
}

/// Rows and their length.
#[derive(Clone, Copy)]
struct Shape {
    batch_size: usize,
    seq_len: usize,
}

impl Shape {
    fn of(task: &LanguageModelTask, train: &TrainConfig) -> Shape {
        let context = task.model.count(task.model.context_key());
        let seq_len = train
            .block_size
            .unwrap_or_else(|| context.unwrap_or(BLOCK_SIZE).min(BLOCK_SIZE));
        Shape {
            batch_size: train.batch_size.unwrap_or(BATCH_SIZE),
            seq_len,
        }
    }
}

/// The model's configuration, completed by what the tokenizer and the training know. Dropout is 0 unless it is asked
/// for: a text that is read once is not learnt by heart.
fn config(task: &LanguageModelTask, tokenizer: &Tokenizer, shape: Shape) -> Result<TransformerConfig> {
    let special = tokenizer.special();
    let id = |token: &Option<gradus_data::text::SpecialToken>| {
        token.as_ref().map_or(Value::Null, |token| token.id.into())
    };
    let defaults = [
        ("vocab_size", tokenizer.vocab_size().into()),
        (task.model.context_key(), shape.seq_len.into()),
        ("bos_token_id", id(&special.bos)),
        ("eos_token_id", id(&special.eos)),
        ("resid_pdrop", 0.0.into()),
        ("embd_pdrop", 0.0.into()),
        ("attn_pdrop", 0.0.into()),
    ];
    let is_gpt2 = task.model.model_type() == "gpt2";
    let defaults = defaults
        .into_iter()
        .filter(|(key, _)| is_gpt2 || !key.ends_with("_pdrop"));
    let config = TransformerConfig::from_huggingface(&task.model.completed(defaults))?;
    config.validate()?;
    check(&config, tokenizer, shape)?;
    Ok(config)
}

/// Rows must fit the model's context and ids its vocabulary.
fn check(config: &TransformerConfig, tokenizer: &Tokenizer, shape: Shape) -> Result<()> {
    use crate::settings::Problem;
    let (most, vocabulary) = (config.max_position_embeddings, tokenizer.vocab_size());
    if shape.seq_len > most {
        let expected = format!("at most {most}, the model's longest sequence");
        return Problem::refuse("train.block_size", shape.seq_len, &expected);
    }
    if config.vocab_size < vocabulary {
        let expected = format!("at least {vocabulary}, the tokenizer's; leave it out");
        return Problem::refuse("model.vocab_size", config.vocab_size, &expected);
    }
    if !config.causal {
        let expected = "a model that continues text, such as gpt2 or llama; encoders cannot be trained from nothing here";
        return Problem::refuse("model.model_type", config.family.name(), expected);
    }
    Ok(())
}
