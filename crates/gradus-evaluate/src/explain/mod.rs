//! Why a model answers as it does: how much each input had to do with an answer.
//!
//! [`explain()`] attributes the answers of a [`Predictor`](crate::Predictor) to the pixels of its pictures or the columns of
//! its rows; [`permutation_of_dataset`] says what a model needs over a whole data set; [`explain_text`] attributes what a
//! language model would say to the tokens before it. Each method stands in a file of its own and works on any function of
//! rows ([`Explained`]), so it can also be called alone.
//!
//! | method | what it asks | cost for a sample |
//! |---|---|---|
//! | [`saliency`] | how the answer changes with each input | one gradient |
//! | [`integrated_gradients`] | what each input added on the way from a baseline; sums to the change | one gradient a step |
//! | [`smooth_grad`] | saliency, averaged over noise | one gradient a draw |
//! | [`occlusion`] | what is lost without a patch or a column | one answer a patch |
//! | [`kernel_shap`] | each feature's fair share of the change (Shapley value) | one answer a coalition and baseline |
//!
//! Gradients are those of the logit, or of whichever output is asked for, not of a probability: a softmax would mix in the
//! other classes and flatten where the model is sure.

mod baseline;
mod dataset;
mod features;
mod integrated_gradients;
mod kernel_shap;
mod method;
mod model;
mod occlusion;
mod permutation;
mod permutation_score;
mod quadrature;
mod saliency;
mod smooth_grad;
mod text;

pub use baseline::Baseline;
pub use dataset::{ExplainData, ExplainOptions, Explanations, SampleExplanation, Target, explain};
pub use features::Features;
pub use integrated_gradients::{IntegratedGradients, integrated_gradients};
pub use kernel_shap::{KernelShap, kernel_shap};
pub use method::Method;
pub use model::{Attributions, Explained, Questions};
pub use occlusion::{Occlusion, occlusion};
pub use permutation::{FeatureImportance, PermutationImportance, PermutationOptions, permutation_importance};
pub use permutation_score::{GlobalImportance, PermutationScore, permutation_of_dataset};
pub use quadrature::Quadrature;
pub use saliency::saliency;
pub use smooth_grad::{SmoothGrad, smooth_grad};
pub use text::{
    AnswerToken, TextBaseline, TextExplanation, TextMethod, TextOptions, TokenAttribution, attention_rollout,
    explain_text, mean_attention,
};
