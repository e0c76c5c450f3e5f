//! What the server counts, in Prometheus' terms.

use std::time::Duration;

use gradus_data::TargetKind;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::error::Result;
use crate::store::{ModelStore, Version, VersionState};

/// Seconds; from a tenth of what a small model takes to more than anybody waits.
const LATENCY_BUCKETS: [f64; 16] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The server's counters. Labels are routes, statuses and classes, never what a client made up.
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    latency: HistogramVec,
    in_flight: IntGauge,
    rejections: IntCounter,
    /// For each version, one counter for each of its classes or labels, one in all for a regression; none for a version
    /// that does not answer.
    predictions: Vec<Vec<IntCounter>>,
}

impl Metrics {
    pub(crate) fn new(store: &ModelStore) -> Result<Metrics> {
        let registry = Registry::new();
        let by_route = ["route", "code"];
        let requests = IntCounterVec::new(
            Opts::new("gradus_requests_total", "Requests answered."),
            &by_route,
        )?;
        let latency = HistogramOpts::new("gradus_request_duration_seconds", "Time from request to answer.");
        let latency = HistogramVec::new(latency.buckets(LATENCY_BUCKETS.to_vec()), &by_route)?;
        let in_flight = IntGauge::new("gradus_requests_in_flight", "Requests being answered now.")?;
        let predictions = Opts::new(
            "gradus_predictions_total",
            "Answers: samples by the class or the labels predicted for them, numbers of a regression.",
        );
        let predictions = IntCounterVec::new(predictions, &["model", "version", "class"])?;
        let rejections = IntCounter::new(
            "gradus_queue_rejections_total",
            "Requests refused by a full queue.",
        )?;
        let info = Opts::new("gradus_model_info", "The versions that answer; always 1.");
        let info = IntGaugeVec::new(info, &["model", "version", "fingerprint", "created_by"])?;

        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(latency.clone()))?;
        registry.register(Box::new(in_flight.clone()))?;
        registry.register(Box::new(rejections.clone()))?;
        registry.register(Box::new(predictions.clone()))?;
        registry.register(Box::new(info.clone()))?;

        let of_version = |version: &Version| match &version.state {
            VersionState::Failed { .. } => Vec::new(),
            VersionState::Available(servable) => {
                let number = version.number.to_string();
                let created_by = &servable.predictor.manifest().lineage.created_by;
                info.with_label_values(&[&store.name, &number, &servable.fingerprint, created_by])
                    .set(1);
                let of = |class: &str| predictions.with_label_values(&[store.name.as_str(), &number, class]);
                let labels = servable.predictor.labels().iter();
                match servable.predictor.task() {
                    TargetKind::Classification | TargetKind::Multilabel => {
                        labels.map(|label| of(label)).collect()
                    }
                    // An empty label is none to Prometheus: the samples are counted alone.
                    TargetKind::Regression => vec![of("")],
                }
            }
        };
        let predictions = store.versions.iter().map(of_version).collect();
        Ok(Metrics {
            registry,
            requests,
            latency,
            in_flight,
            rejections,
            predictions,
        })
    }

    /// Counts a request as under way until the guard is dropped, which also happens when its client goes away.
    pub(crate) fn begin(&self) -> UnderWay<'_> {
        self.in_flight.inc();
        UnderWay {
            in_flight: &self.in_flight,
        }
    }

    /// Counts an answer and the time it took.
    pub(crate) fn answered(&self, route: &str, code: &str, took: Duration) {
        self.requests.with_label_values(&[route, code]).inc();
        self.latency
            .with_label_values(&[route, code])
            .observe(took.as_secs_f64());
    }

    /// The queue refused a request.
    pub(crate) fn reject(&self) {
        self.rejections.inc();
    }

    /// Counts what was answered by the version at this place: each row's most probable class, of equal ones the first;
    /// each label that is more probable than not; the numbers of a regression.
    pub(crate) fn count_predictions(&self, version_at: usize, task: TargetKind, answers: &[f32]) {
        let counters = &self.predictions[version_at];
        let rows = answers.chunks_exact(counters.len());
        match task {
            TargetKind::Classification => rows.for_each(|row| {
                let best = (1..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best });
                counters[best].inc();
            }),
            TargetKind::Multilabel => rows.for_each(|row| {
                let applies = counters
                    .iter()
                    .zip(row)
                    .filter(|(_, probability)| **probability >= 0.5);
                applies.for_each(|(counter, _)| counter.inc());
            }),
            TargetKind::Regression => counters[0].inc_by(answers.len() as u64),
        }
    }

    /// Everything in Prometheus' text format.
    pub(crate) fn text(&self) -> Result<String> {
        Ok(TextEncoder::new().encode_to_string(&self.registry.gather())?)
    }
}

/// A request that is being answered.
pub(crate) struct UnderWay<'a> {
    in_flight: &'a IntGauge,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.in_flight.dec();
    }
}
