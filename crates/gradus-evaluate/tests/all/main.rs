//! What the crate promises, from outside; one program, so that it links once.

mod bootstrap_coverage;
mod calibration;
mod explain;
mod golden_bootstrap;
mod golden_class_metrics;
mod golden_metrics;
mod golden_multilabel_metrics;
mod golden_ranking_metrics;
mod golden_regression_metrics;
mod golden_score_metrics;
mod html_report;
mod metric_cases;
mod predictor;
mod real_models;
mod stress;
mod support;
mod task_evaluation;
#[cfg(test)]
mod tasks;
mod text_metrics;
