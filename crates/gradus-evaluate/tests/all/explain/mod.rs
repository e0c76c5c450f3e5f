//! Attributions against Captum, shap and scikit-learn, from `golden/explain.safetensors` (`golden/make_explain.py`).

mod golden;
mod gradients;
mod page;
mod perturbations;
mod text;
