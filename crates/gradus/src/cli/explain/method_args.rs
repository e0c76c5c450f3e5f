//! The method and its settings, as they are typed.

use gradus_evaluate::explain::{
    Baseline, IntegratedGradients, KernelShap, Method, PermutationOptions, PermutationScore, Quadrature,
    SmoothGrad, TextBaseline, TextMethod,
};

/// What attributions of `integrated-gradients` may miss unless the number of steps is given.
const TOLERANCE: f64 = 5e-5;

/// The same of texts, and how many gradients they may take: those of a language model cost seconds, and near a baseline of
/// zeros its normalisation bends the path as sharply as it can be bent.
const TEXT_TOLERANCE: f64 = 1e-2;
const MOST_TEXT_STEPS: usize = 512;

/// How to explain.
#[derive(clap::Args)]
pub(crate) struct MethodArgs {
    /// The method. Default: integrated-gradients; for a text occlusion.
    #[arg(long, value_enum)]
    method: Option<MethodName>,
    /// What inputs are compared with, by methods that compare. Default: zero; for a text mean.
    #[arg(long, value_enum)]
    baseline: Option<BaselineName>,
    /// integrated-gradients: take exactly N steps. Default: 50, and more where they do not add up to 0.005 % (1 % for
    /// texts).
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// integrated-gradients: how the integral is approximated.
    #[arg(long, value_enum, default_value_t = RuleName::GaussLegendre)]
    rule: RuleName,
    /// smoothgrad: draws of noise for each sample.
    #[arg(long, value_name = "N", default_value_t = SmoothGrad::default().draws)]
    draws: usize,
    /// smoothgrad: standard deviation of the noise as a share of the sample's range.
    #[arg(long, value_name = "SHARE", default_value_t = SmoothGrad::default().noise)]
    noise: f64,
    /// occlusion: side of the window over pictures, in pixels. Default: a seventh of the picture's.
    #[arg(long, value_name = "PIXELS")]
    window: Option<usize>,
    /// occlusion: how far the window moves. Default: half of it.
    #[arg(long, value_name = "PIXELS")]
    stride: Option<usize>,
    /// kernel-shap: coalitions for each sample. Default: 2 × features + 2048.
    #[arg(long, value_name = "N")]
    coalitions: Option<usize>,
    /// kernel-shap: samples of the data that stand in for what is absent, in place of the baseline.
    #[arg(long, value_name = "N", default_value_t = 0)]
    background: usize,
    /// kernel-shap and permutation: cells down and across a picture.
    #[arg(long, value_name = "N", default_value_t = 7)]
    cells: usize,
    /// permutation: permutations of each feature.
    #[arg(long, value_name = "N", default_value_t = PermutationOptions::default().repeats)]
    repeats: usize,
    /// permutation: what it may worsen. Default: accuracy, for a regression r2.
    #[arg(long, value_enum)]
    pub metric: Option<ScoreName>,
    /// Where random draws start; the same seed gives the same answers.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// Methods, as flags name them.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum MethodName {
    /// What each input added on the way from a baseline; sums to the change.
    IntegratedGradients,
    /// How strongly the answer changes with each input.
    Saliency,
    /// Saliency, averaged over noise.
    Smoothgrad,
    /// What is lost without a patch or a column.
    Occlusion,
    /// What the whole data set's score loses when a column is shuffled.
    Permutation,
    /// Each feature's fair share of the change (Shapley values).
    KernelShap,
    /// Where a language model looks: attention of the last place, over layers and heads.
    Attention,
}

/// What a method says something about.
pub(crate) enum Explaining {
    /// Samples, one by one.
    Samples(Method),
    /// The model as a whole, by permutation.
    Model,
}

/// Baselines, as flags name them.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum BaselineName {
    /// Zeros after preparation: the mean of normalised inputs, no category.
    Zero,
    /// The mean of the data; of a text, of the vocabulary's vectors.
    Mean,
    /// Black pictures.
    Black,
    /// White pictures.
    White,
}

impl From<BaselineName> for Baseline {
    fn from(name: BaselineName) -> Baseline {
        match name {
            BaselineName::Zero => Baseline::Zero,
            BaselineName::Mean => Baseline::Mean,
            BaselineName::Black => Baseline::Black,
            BaselineName::White => Baseline::White,
        }
    }
}

/// Rules of integration, as flags name them.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum RuleName {
    /// Gauss and Legendre's points.
    GaussLegendre,
    /// Equal steps, left ends.
    RiemannLeft,
    /// Equal steps, middles.
    RiemannMiddle,
    /// Equal steps, right ends.
    RiemannRight,
    /// Equal steps, ends counting half.
    RiemannTrapezoid,
}

impl From<RuleName> for Quadrature {
    fn from(name: RuleName) -> Quadrature {
        match name {
            RuleName::GaussLegendre => Quadrature::GaussLegendre,
            RuleName::RiemannLeft => Quadrature::RiemannLeft,
            RuleName::RiemannMiddle => Quadrature::RiemannMiddle,
            RuleName::RiemannRight => Quadrature::RiemannRight,
            RuleName::RiemannTrapezoid => Quadrature::RiemannTrapezoid,
        }
    }
}

/// Scores, as flags name them.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum ScoreName {
    /// Share of right classes or labels.
    Accuracy,
    /// Mean logarithm of the truth's probability.
    LogLikelihood,
    /// Coefficient of determination.
    R2,
}

impl From<ScoreName> for PermutationScore {
    fn from(name: ScoreName) -> PermutationScore {
        match name {
            ScoreName::Accuracy => PermutationScore::Accuracy,
            ScoreName::LogLikelihood => PermutationScore::LogLikelihood,
            ScoreName::R2 => PermutationScore::R2,
        }
    }
}

impl MethodArgs {
    /// The method for pictures and tables; `None` for attention.
    pub(crate) fn for_samples(&self) -> Option<Explaining> {
        let method = self.method.unwrap_or(MethodName::IntegratedGradients);
        Some(Explaining::Samples(match method {
            MethodName::Saliency => Method::Saliency,
            MethodName::IntegratedGradients => Method::IntegratedGradients(self.integrated_gradients()),
            MethodName::Smoothgrad => Method::SmoothGrad(self.smooth_grad()),
            MethodName::Occlusion => Method::Occlusion {
                window: self.window,
                stride: self.stride,
            },
            MethodName::KernelShap => Method::KernelShap {
                options: self.kernel_shap(),
                cells: Some(self.cells),
                background: self.background,
            },
            MethodName::Permutation => return Some(Explaining::Model),
            MethodName::Attention => return None,
        }))
    }

    /// The method for texts; `None` for `permutation`. Occlusion unless another is named: many language models answer so
    /// roughly on the way from any baseline that their gradients along it do not add up.
    pub(crate) fn for_text(&self) -> Option<TextMethod> {
        Some(match self.method.unwrap_or(MethodName::Occlusion) {
            MethodName::Saliency => TextMethod::Saliency,
            MethodName::IntegratedGradients => TextMethod::IntegratedGradients(IntegratedGradients {
                tolerance: self.steps.is_none().then_some(TEXT_TOLERANCE),
                most_steps: MOST_TEXT_STEPS,
                ..self.integrated_gradients()
            }),
            MethodName::Smoothgrad => TextMethod::SmoothGrad(self.smooth_grad()),
            MethodName::Occlusion => TextMethod::Occlusion,
            MethodName::KernelShap => TextMethod::KernelShap(self.kernel_shap()),
            MethodName::Attention => TextMethod::Attention,
            MethodName::Permutation => return None,
        })
    }

    /// What inputs of pictures and tables are compared with.
    pub(crate) fn sample_baseline(&self) -> Baseline {
        self.baseline.unwrap_or(BaselineName::Zero).into()
    }

    /// What tokens give way to; `None` for baselines of pictures.
    pub(crate) fn text_baseline(&self) -> Option<TextBaseline> {
        match self.baseline.unwrap_or(BaselineName::Mean) {
            BaselineName::Zero => Some(TextBaseline::Zero),
            BaselineName::Mean => Some(TextBaseline::Mean),
            BaselineName::Black | BaselineName::White => None,
        }
    }

    fn integrated_gradients(&self) -> IntegratedGradients {
        IntegratedGradients {
            steps: self.steps.unwrap_or(IntegratedGradients::default().steps),
            rule: self.rule.into(),
            tolerance: self.steps.is_none().then_some(TOLERANCE),
            ..IntegratedGradients::default()
        }
    }

    fn smooth_grad(&self) -> SmoothGrad {
        SmoothGrad {
            draws: self.draws,
            noise: self.noise,
            seed: self.seed,
        }
    }

    fn kernel_shap(&self) -> KernelShap {
        KernelShap {
            coalitions: self.coalitions,
            seed: self.seed,
        }
    }

    pub(crate) fn permutation(&self) -> PermutationOptions {
        PermutationOptions {
            repeats: self.repeats,
            seed: self.seed,
        }
    }

    pub(crate) fn cells(&self) -> usize {
        self.cells
    }
}
