//! Which method explains, with its settings.

use serde::{Deserialize, Serialize};

use super::{IntegratedGradients, KernelShap, SmoothGrad};

/// How samples of a data set are explained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Method {
    /// [`saliency`](super::saliency).
    Saliency,
    /// [`integrated_gradients`](super::integrated_gradients).
    IntegratedGradients(IntegratedGradients),
    /// [`smooth_grad`](super::smooth_grad).
    #[serde(rename = "smoothgrad")]
    SmoothGrad(SmoothGrad),
    /// [`occlusion`](super::occlusion): of columns, or of windows of pictures.
    Occlusion {
        /// Side of the window in pixels; `None` takes a seventh of the picture's shorter side.
        window: Option<usize>,
        /// How far it moves; `None` takes half of the window.
        stride: Option<usize>,
    },
    /// [`kernel_shap`](super::kernel_shap): of columns, or of the cells of a grid over pictures.
    KernelShap {
        /// How it is computed.
        #[serde(flatten)]
        options: KernelShap,
        /// Cells down and across a picture; `None` takes 7.
        cells: Option<usize>,
        /// Rows of the data that stand in for what is absent, in place of the baseline; 0 takes the baseline.
        background: usize,
    },
}

impl Method {
    /// Its name, as it is written in options.
    pub fn name(&self) -> &'static str {
        match self {
            Method::Saliency => "saliency",
            Method::IntegratedGradients(_) => "integrated-gradients",
            Method::SmoothGrad(_) => "smoothgrad",
            Method::Occlusion { .. } => "occlusion",
            Method::KernelShap { .. } => "kernel-shap",
        }
    }

    /// Whether attributions have a sign: against or for the output. Sizes of gradients have none.
    pub fn is_signed(&self) -> bool {
        match self {
            Method::Saliency | Method::SmoothGrad(_) => false,
            Method::IntegratedGradients(_) | Method::Occlusion { .. } | Method::KernelShap { .. } => true,
        }
    }

    /// Whether it compares with a baseline.
    pub fn has_baseline(&self) -> bool {
        match self {
            Method::Saliency | Method::SmoothGrad(_) => false,
            Method::IntegratedGradients(_) | Method::Occlusion { .. } | Method::KernelShap { .. } => true,
        }
    }
}
