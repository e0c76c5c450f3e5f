//! The metrics that were asked for by name, as the template sees them.

use serde::Serialize;

use super::format;
use crate::{Estimate, RequestedMetrics};

#[derive(Serialize)]
pub(super) struct MetricsView {
    weighted_by: Option<String>,
    rows: Vec<MetricRow>,
}

#[derive(Serialize)]
struct MetricRow {
    name: String,
    value: String,
    interval: Option<String>,
}

impl MetricsView {
    /// None when none were asked for.
    pub(super) fn of(requested: &RequestedMetrics) -> Option<MetricsView> {
        let row = |name: &str, Estimate { value, interval }| MetricRow {
            name: name.to_owned(),
            value: format::significant(value),
            interval: interval.map(|ends| {
                let ends = [ends.lower, ends.upper].map(format::significant);
                ends.join(" – ")
            }),
        };
        let figures = requested.metrics.iter();
        (!requested.metrics.is_empty()).then(|| MetricsView {
            weighted_by: requested.sample_weight.clone(),
            rows: figures.map(|figure| row(&figure.name, figure.estimate)).collect(),
        })
    }
}
