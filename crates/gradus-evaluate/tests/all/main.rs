//! What the crate promises, from outside; one program, so that it links once.

mod bootstrap_coverage;
mod calibration;
mod explain;
mod golden_bootstrap;
mod golden_metrics;
mod html_report;
mod predictor;
mod real_models;
mod stress;
mod support;
mod task_evaluation;
mod text_metrics;
