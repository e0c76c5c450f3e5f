//! Learning to continue text: next-token prediction, of whole texts or of answers alone.
//!
//! The objective is the same for a model that starts from nothing, for one that is tuned, and for adapters beside a
//! frozen one: they differ in which parameters are trained and in which targets the [`TokenSource`] leaves out.

mod corpus;
mod instructions;
mod packaging;
mod pretraining;
mod tokens;
mod tuning;

pub(crate) use pretraining::load as pretrain;
pub(crate) use tuning::load as tune;

use super::metrics::Metric;
use super::objective::{Cost, Extent, Objective};
use super::packaged::Packaged;
use super::progress::Mean;
use crate::Result;
use crate::lora::Adapter;
use crate::memory::MemoryEstimate;
use crate::monitor::Monitor;
use crate::recipe::{Recipe, TrainConfig, TrainPrecision};
use gradus_data::text::{ChatExtra, ChatMessage, GenerationPrompt, TokenBatch, Tokenizer};
use gradus_nn::Module;
use gradus_nn::families::transformer::{TextInput, Transformer, TransformerOptions};
use gradus_nn::generation::{GenerateOptions, SamplingOptions, Session};
use gradus_package::ExtraFiles;
use gradus_tensor::{CacheType, Precision, Tensor, no_grad};
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use tokens::TokenSource;

/// Held-out batches that an evaluation during training measures, unless the recipe says otherwise: enough to tell a
/// better model from a worse one, few enough that evaluating takes a small share of the time.
const EVALUATION_BATCHES: u64 = 100;

/// Tokens of a sample, unless the recipe says otherwise: a sentence or three.
const SAMPLE_TOKENS: usize = 64;

/// How samples are drawn: a little below the model's own distribution, so that a half-trained model is readable.
const SAMPLE_TEMPERATURE: f64 = 0.8;

/// The loss in bits per byte of text, which compares between tokenizers.
const BITS_PER_BYTE: &str = "bits_per_byte";

/// A language model and its tokens.
pub(crate) struct LanguageModeling<D> {
    pub model: Transformer,
    pub tokens: Rc<D>,
    pub tokenizer: Tokenizer,
    /// What is packaged beside the weights.
    pub files: ExtraFiles,
    /// What is trained beside the weights, where those are frozen.
    pub adapters: Option<Adapters>,
    /// Identity of the package that the weights came from.
    pub parent: Option<String>,
    /// Fingerprint of what is learnt from.
    pub data_sha256: String,
    pub memory: MemoryEstimate,
    pub settings: Settings,
}

/// Adapters in the making.
pub(crate) struct Adapters {
    pub adapter: Adapter,
    /// What the adapted model is called.
    pub base: String,
}

/// What the objective needs to know of a recipe.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub seed: u64,
    /// Tokens in a row.
    pub seq_len: usize,
    pub evaluation_batches: u64,
    pub sample: Option<Sample>,
    /// Floating-point operations a second of the machine's products.
    pub peak_flops: f64,
}

/// A text to continue at each evaluation.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    prompt: Vec<u32>,
    tokens: usize,
}

impl Sample {
    /// As a recipe says; none where there is nothing to start from or nothing wanted.
    pub fn new(train: &TrainConfig, tokenizer: &Tokenizer) -> Result<Option<Sample>> {
        let prompt = match &train.sample_prompt {
            Some(text) => tokenizer.encode(text)?,
            None => tokenizer
                .special()
                .bos
                .iter()
                .chain(&tokenizer.special().eos)
                .map(|token| token.id)
                .take(1)
                .collect(),
        };
        let tokens = train.sample_tokens.unwrap_or(SAMPLE_TOKENS);
        Ok((tokens > 0 && !prompt.is_empty()).then_some(Sample { prompt, tokens }))
    }

    /// As a recipe says, asked as a user of a tuned model would; none where nothing is asked.
    pub fn asked(train: &TrainConfig, tokenizer: &Tokenizer) -> Result<Option<Sample>> {
        let tokens = train.sample_tokens.unwrap_or(SAMPLE_TOKENS);
        let Some(text) = train.sample_prompt.as_ref().filter(|_| tokens > 0) else {
            return Ok(None);
        };
        let question = [ChatMessage::new("user", text.as_str())];
        let template = tokenizer.chat_template_or_chatml();
        let prompt = template.render(&question, GenerationPrompt::Add, &ChatExtra::none())?;
        Ok(Some(Sample {
            prompt: tokenizer.encode(&prompt)?,
            tokens,
        }))
    }
}

/// How a recipe wants a model to compute.
fn compute_options(train: &TrainConfig) -> TransformerOptions {
    TransformerOptions {
        precision: match train.precision.unwrap_or_default() {
            TrainPrecision::F32 => Precision::F32,
            TrainPrecision::Bf16 => Precision::Bf16,
        },
        activation_checkpointing: train.activation_checkpointing.unwrap_or(false),
    }
}

impl<D: TokenSource> LanguageModeling<D> {
    /// The mean loss of held-out batches and the number of their targets; `None` where there are none.
    fn validation_loss(&self, most: Option<u64>) -> Result<Option<(f64, u64)>> {
        let mean = self.in_evaluation(|| {
            let mut mean = Mean::default();
            for batch in self.tokens.held_out(most) {
                let batch = batch?;
                let loss = f64::from(self.loss(&batch)?.item::<f32>()?);
                mean.add(loss, batch.learned_tokens as u64);
            }
            Ok(mean)
        })?;
        Ok((mean.weight() > 0).then(|| (mean.value(), mean.weight())))
    }

    /// The loss, and where bytes are known the same in bits per byte.
    fn figures(&self, loss: f64) -> Vec<Metric> {
        let bits = self.tokens.bytes_per_token().map(|bytes| Metric {
            name: BITS_PER_BYTE,
            value: loss / std::f64::consts::LN_2 / bytes,
        });
        let loss = Metric {
            name: Monitor::Loss.name(),
            value: loss,
        };
        std::iter::once(loss).chain(bits).collect()
    }

    fn in_evaluation<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let _no_grad = no_grad();
        self.model.eval();
        let result = work();
        self.model.train();
        result
    }

    /// Prompt and continuation, the same for the same weights.
    fn continued(&self, sample: &Sample) -> Result<String> {
        let Sample { prompt, tokens } = sample;
        let mut session = Session::new(&self.model, prompt.len() + tokens, CacheType::F32);
        let sampling = SamplingOptions {
            temperature: SAMPLE_TEMPERATURE,
            seed: self.settings.seed,
            ..SamplingOptions::default()
        };
        let options = GenerateOptions {
            max_tokens: *tokens,
            stop_tokens: self
                .tokenizer
                .special()
                .eos
                .iter()
                .map(|token| token.id)
                .collect(),
            sampling,
        };
        let mut ids = prompt.clone();
        for token in session.generate(prompt, &options)? {
            ids.push(token?.id);
        }
        Ok(self.tokenizer.decode(&ids)?)
    }
}

/// The training batches of one epoch, made one by one.
pub(crate) struct EpochTokens<D> {
    tokens: Rc<D>,
    epoch: u64,
    batches: Range<u64>,
}

impl<D: TokenSource> Iterator for EpochTokens<D> {
    type Item = Result<TokenBatch>;

    fn next(&mut self) -> Option<Result<TokenBatch>> {
        let index = self.batches.next()?;
        Some(self.tokens.batch(self.epoch, index))
    }
}

impl<D: TokenSource> Objective for LanguageModeling<D> {
    type Batch = TokenBatch;
    type Batches = EpochTokens<D>;

    fn model(&self) -> &dyn Module {
        &self.model
    }

    /// Adapters alone where there are any: nothing else changes.
    fn state(&self) -> Vec<(String, Tensor)> {
        match self.adapters {
            Some(_) => self.model.lora_state(),
            None => self.model.state_dict(),
        }
    }

    fn load_state(&self, state: &[(String, Tensor)]) -> Result<()> {
        match self.adapters {
            Some(_) => Ok(self.model.load_lora(state)?),
            None => Ok(self.model.load_state_dict(state)?),
        }
    }

    fn default_epochs(&self, train: &TrainConfig) -> u64 {
        // A number of steps is then the length of the run, however often it passes over a small text.
        train.max_steps.map_or(1, |_| u64::MAX)
    }

    fn cost(&self) -> Option<Cost> {
        let forward = self.model.config().flops_per_token(self.settings.seq_len);
        // Backward takes as many products again for the gradients of the inputs, and for those of trained weights.
        let passes = if self.adapters.is_some() { 2.0 } else { 3.0 };
        Some(Cost {
            flops_per_sample: passes * forward * self.tokens.positions_per_target(),
            peak_flops: self.settings.peak_flops,
        })
    }

    fn memory(&self) -> Option<MemoryEstimate> {
        Some(self.memory.clone())
    }

    fn extent(&self) -> Extent {
        let batches = self.tokens.num_batches();
        Extent {
            unit: D::UNIT,
            train_samples: self.tokens.train_targets() as usize,
            validation_samples: self.tokens.held_out_targets() as usize,
            batch_size: self.tokens.batch_size() * self.settings.seq_len,
            batches,
        }
    }

    fn batches(&self, epoch: u64, skip: u64) -> EpochTokens<D> {
        EpochTokens {
            tokens: self.tokens.clone(),
            epoch,
            batches: skip..self.tokens.num_batches(),
        }
    }

    fn samples(&self, epoch: u64, batches: Range<u64>) -> u64 {
        self.tokens.targets(epoch, batches)
    }

    fn loss(&self, batch: &TokenBatch) -> Result<Tensor> {
        let input = TextInput {
            positions: batch.positions.as_ref(),
            first_key: batch.first_key.as_ref(),
            ..TextInput::from(&batch.ids)
        };
        Ok(self.model.loss(&input, &batch.targets)?)
    }

    fn monitors(&self) -> &'static [Monitor] {
        &[Monitor::Loss]
    }

    fn evaluate(&self) -> Result<Vec<Metric>> {
        let measured = self.validation_loss(Some(self.settings.evaluation_batches))?;
        Ok(measured.map_or_else(Vec::new, |(loss, _)| self.figures(loss)))
    }

    fn sample(&self) -> Result<Option<String>> {
        let sample = self.settings.sample.as_ref();
        sample
            .map(|sample| self.in_evaluation(|| self.continued(sample)))
            .transpose()
    }

    fn data_sha256(&self) -> &str {
        &self.data_sha256
    }

    fn package(self, recipe: &Recipe, folder: PathBuf) -> Result<Packaged> {
        packaging::package(&self, recipe, folder)
    }
}
