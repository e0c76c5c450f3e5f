//! What a language model would say, attributed to the tokens before it.

mod attention;
mod baseline;
mod question;

use gradus_tensor::Tensor;
use serde::{Deserialize, Serialize};

use self::question::Question;
use super::{
    Attributions, Features, IntegratedGradients, KernelShap, Occlusion, Questions, SmoothGrad,
    integrated_gradients, kernel_shap, occlusion, saliency, smooth_grad,
};
use crate::language_model::LanguageModel;
use crate::{Error, Result};

pub use attention::{attention_rollout, mean_attention};
pub use baseline::TextBaseline;

/// How a text is explained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum TextMethod {
    /// [`integrated_gradients`] of the tokens' vectors, summed over each vector: it adds up to the change of the answer's
    /// log-probability from the baseline. Captum's `LayerIntegratedGradients` of the embedding.
    IntegratedGradients(IntegratedGradients),
    /// The length (Euclidean) of the gradient with respect to each token's vector.
    Saliency,
    /// The same of gradients averaged over noise, each number's size by itself.
    #[serde(rename = "smoothgrad")]
    SmoothGrad(SmoothGrad),
    /// How much the log-probability falls when a token's vector gives way to the baseline's.
    Occlusion,
    /// Shapley values of the tokens.
    KernelShap(KernelShap),
    /// What the place where the answer begins attends to: [`mean_attention`]. It says where the model
    /// looks, not what it makes of it, and knows nothing of the answer.
    Attention,
}

impl TextMethod {
    /// Its name, as it is written in options.
    pub fn name(&self) -> &'static str {
        match self {
            TextMethod::IntegratedGradients(_) => "integrated-gradients",
            TextMethod::Saliency => "saliency",
            TextMethod::SmoothGrad(_) => "smoothgrad",
            TextMethod::Occlusion => "occlusion",
            TextMethod::KernelShap(_) => "kernel-shap",
            TextMethod::Attention => "attention",
        }
    }

    /// Whether attributions have a sign: for the answer or against it.
    pub fn is_signed(&self) -> bool {
        match self {
            TextMethod::IntegratedGradients(_) | TextMethod::Occlusion | TextMethod::KernelShap(_) => true,
            TextMethod::Saliency | TextMethod::SmoothGrad(_) | TextMethod::Attention => false,
        }
    }

    /// Whether it compares with a baseline.
    pub fn has_baseline(&self) -> bool {
        self.is_signed()
    }
}

/// How a text is explained, and compared with what.
#[derive(Clone, Copy, Debug)]
pub struct TextOptions {
    /// The method.
    pub method: TextMethod,
    /// What tokens give way to, for methods that compare.
    pub baseline: TextBaseline,
}

/// A token and what it had to do with the answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenAttribution {
    /// Its number in the vocabulary.
    pub id: u32,
    /// Its text.
    pub text: String,
    /// Its share.
    pub attribution: f32,
}

/// A token of the answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AnswerToken {
    /// Its number in the vocabulary.
    pub id: u32,
    /// Its text.
    pub text: String,
    /// The natural logarithm of its probability, given all before it.
    pub log_probability: f64,
}

/// What a language model would say, attributed to the tokens before it.
#[derive(Clone, Debug, Serialize)]
pub struct TextExplanation {
    /// The method and its settings.
    pub method: TextMethod,
    /// What tokens were compared with, where the method compares.
    pub baseline: Option<TextBaseline>,
    /// The prompt.
    pub tokens: Vec<TokenAttribution>,
    /// What is explained: the given answer, or the token that the model finds most probable.
    pub answer: Vec<AnswerToken>,
    /// The answer's log-probability, in nats.
    pub score: f64,
    /// That of the baseline, for methods whose attributions sum to the change from it.
    pub baseline_score: Option<f64>,
    /// The sum of the attributions less that change.
    pub convergence_delta: Option<f64>,
}

/// Attributes the log-probability of an answer to the tokens of a prompt; without an answer, that of the token which the
/// model finds most probable next.
///
/// Weights in ggml blocks let gradients through, so a quantised model is explained as it is.
///
/// # Errors
/// [`Error::Empty`] for a prompt without tokens; [`Error::Model`] for tokens outside the vocabulary or more than the model's
/// context; those of the method.
pub fn explain_text(
    model: &LanguageModel,
    prompt: &[u32],
    answer: &[u32],
    options: &TextOptions,
) -> Result<TextExplanation> {
    if prompt.is_empty() {
        return Err(Error::Empty { what: "the prompt" });
    }
    let question = Question::new(model.model(), prompt, answer)?;
    let attributions = attribute(&question, options)?;
    let shares = match &attributions {
        Some(attributions) => shares(&options.method, attributions, prompt.len()),
        None => mean_attention(model.model(), prompt)?,
    };
    let log_probabilities = question.log_probabilities()?;
    let piece = |id: u32| model.tokenizer().decode_with_special(&[id]).map_err(Error::from);
    let tokens = prompt.iter().zip(shares).map(|(&id, attribution)| {
        let text = piece(id)?;
        Ok(TokenAttribution {
            id,
            text,
            attribution,
        })
    });
    let said = question.answer().iter().zip(&log_probabilities);
    let said = said.map(|(&id, &log_probability)| {
        let text = piece(id)?;
        Ok(AnswerToken {
            id,
            text,
            log_probability,
        })
    });
    let first = |values: Option<Vec<f64>>| values.and_then(|values| values.first().copied());
    Ok(TextExplanation {
        method: options.method,
        baseline: options.method.has_baseline().then_some(options.baseline),
        tokens: tokens.collect::<Result<_>>()?,
        answer: said.collect::<Result<_>>()?,
        score: log_probabilities.iter().sum(),
        convergence_delta: first(attributions.as_ref().and_then(Attributions::convergence_deltas)),
        baseline_score: first(attributions.and_then(|attributions| attributions.baseline_scores)),
    })
}

/// The attributions of the question's vectors, or of its tokens; `None` for attention, which attributes nothing.
fn attribute(question: &Question, options: &TextOptions) -> Result<Option<Attributions>> {
    let explained = question.explained();
    let rows = question.vectors()?;
    let asked = Questions {
        rows: &rows,
        targets: &[0],
    };
    let (tokens, width) = question.shape();
    let baseline = || options.baseline.rows(question, tokens);
    let features = Features::runs(tokens, width);
    let attributions = match &options.method {
        TextMethod::IntegratedGradients(settings) => {
            integrated_gradients(&explained, &asked, &baseline()?, settings)?
        }
        TextMethod::Saliency => saliency(&explained, &asked)?,
        TextMethod::SmoothGrad(settings) => smooth_grad(&explained, &asked, settings)?,
        TextMethod::Occlusion => {
            occlusion(&explained, &asked, &baseline()?, &Occlusion::Features(&features))?
        }
        TextMethod::KernelShap(settings) => {
            kernel_shap(&explained, &asked, &baseline()?, &features, settings)?
        }
        TextMethod::Attention => return Ok(None),
    };
    Ok(Some(attributions))
}

/// One number for each token.
fn shares(method: &TextMethod, attributions: &Attributions, tokens: usize) -> Vec<f32> {
    let vectors = attributions
        .values
        .chunks_exact(attributions.values.len() / tokens);
    let sum = |vector: &[f32]| vector.iter().map(|&value| f64::from(value)).sum::<f64>() as f32;
    let length = |vector: &[f32]| {
        let squares = vector.iter().map(|&value| f64::from(value).powi(2));
        squares.sum::<f64>().sqrt() as f32
    };
    match method {
        TextMethod::IntegratedGradients(_) | TextMethod::Occlusion | TextMethod::KernelShap(_) => {
            vectors.map(sum).collect()
        }
        TextMethod::Saliency | TextMethod::SmoothGrad(_) | TextMethod::Attention => {
            vectors.map(length).collect()
        }
    }
}

/// Token ids as a tensor `[1, tokens]`.
fn row_of_ids(ids: &[u32]) -> Result<Tensor> {
    let ids: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
    let len = ids.len();
    Ok(Tensor::from_vec(ids, [1, len])?)
}
