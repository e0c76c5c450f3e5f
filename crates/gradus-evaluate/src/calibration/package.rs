//! A calibrated package from a package.

use gradus_data::{Dataset, TargetKind};
use gradus_package::{Calibration, CalibrationMethod, Package, PackageContents};
use serde::{Deserialize, Serialize};

use super::{Reliability, fit_temperature};
use crate::{Error, Predictions, Predictor, Result};

/// Rows that go through the model at once; it changes speed, not results.
const BATCH_SIZE: usize = 256;

/// Figures that a temperature does not change; the others are left out of the new package.
const KEPT_METRICS: [&str; 4] = ["accuracy", "macro_precision", "macro_recall", "macro_f1"];

/// A calibrated model, to be saved, and what calibration gained.
pub struct Calibrated {
    /// The new package: the same weights, the temperature in its manifest, the old package as its parent.
    pub contents: PackageContents,
    /// What was found.
    pub report: CalibrationReport,
}

/// What a calibration found on the data that it was fitted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationReport {
    /// What logits are divided by.
    pub temperature: f64,
    /// The data it was fitted on: `validation`, `test`.
    pub split: String,
    /// Number of samples.
    pub n: u64,
    /// SHA-256 fingerprint of the data set.
    pub dataset_sha256: String,
    /// The package as it was.
    pub before: Reliability,
    /// The package with its new temperature.
    pub after: Reliability,
}

/// Fits a temperature to held-out data, named `split` in the manifest, and makes a package of the result. Data that the model
/// was trained on would find it too sure of itself by too little.
///
/// # Errors
/// [`Error::Task`] for another model than a classifier, [`Error::LabelNames`] when data set and model name different
/// classes, those of [`Predictor::predict_samples`] and
/// [`fit_temperature`].
pub fn calibrate(package: &Package, dataset: &Dataset, split: &str) -> Result<Calibrated> {
    let predictor = Predictor::from_package(package)?;
    let before = predictions(&predictor, dataset)?;
    let fit = fit_temperature(&before, dataset.labels())?;
    let [reliability_before, reliability_after] =
        before_and_after(&before, fit.temperature, dataset.labels())?;
    let report = CalibrationReport {
        temperature: fit.temperature,
        split: split.to_owned(),
        n: dataset.len() as u64,
        dataset_sha256: dataset.fingerprint().to_owned(),
        before: reliability_before,
        after: reliability_after,
    };
    let mut contents = package.to_contents();
    let manifest = &mut contents.manifest;
    manifest.calibration = Some(Calibration {
        method: CalibrationMethod::Temperature {
            temperature: fit.temperature,
        },
        split: report.split.clone(),
        n: report.n,
        data_sha256: report.dataset_sha256.clone(),
    });
    manifest
        .metrics
        .retain(|metric| KEPT_METRICS.contains(&metric.name.as_str()));
    manifest.lineage.parent = Some(package.fingerprint().to_owned());
    Ok(Calibrated { contents, report })
}

/// What a calibration gained on other rows than it was fitted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationMeasurement {
    /// The data it was measured on: `validation`, `test`.
    pub split: String,
    /// Number of samples.
    pub n: u64,
    /// SHA-256 fingerprint of the data set.
    pub dataset_sha256: String,
    /// The package as it was.
    pub before: Reliability,
    /// The package with its new temperature.
    pub after: Reliability,
}

/// Measures a package before and after a temperature on rows that did not choose it, named `split`.
///
/// # Errors
/// As [`calibrate`].
pub fn measure_calibration(
    package: &Package,
    temperature: f64,
    dataset: &Dataset,
    split: &str,
) -> Result<CalibrationMeasurement> {
    let found = predictions(&Predictor::from_package(package)?, dataset)?;
    let [before, after] = before_and_after(&found, temperature, dataset.labels())?;
    Ok(CalibrationMeasurement {
        split: split.to_owned(),
        n: dataset.len() as u64,
        dataset_sha256: dataset.fingerprint().to_owned(),
        before,
        after,
    })
}

fn predictions(predictor: &Predictor, dataset: &Dataset) -> Result<Predictions> {
    predictor.require(TargetKind::Classification)?;
    if dataset.label_names() != predictor.labels() {
        return Err(Error::LabelNames {
            model: predictor.labels().to_vec(),
            data: dataset.label_names().to_vec(),
        });
    }
    predictor.predict_samples(dataset.samples(), BATCH_SIZE)
}

/// Predictions as they are and at another temperature.
fn before_and_after(before: &Predictions, temperature: f64, labels: &[i64]) -> Result<[Reliability; 2]> {
    let after =
        Predictions::new(before.logits().to_vec(), before.num_classes())?.with_temperature(temperature);
    Ok([
        Reliability::new(before, labels)?,
        Reliability::new(&after, labels)?,
    ])
}
