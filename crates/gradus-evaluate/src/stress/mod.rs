//! How steady a classifier is when its inputs are disturbed, by chance or on purpose.
//!
//! Inputs are disturbed before the model's own preparation, in units that mean something: pixels as parts of the whole
//! range from black to white, so that 0.1 is a tenth of it, and numeric columns of a table as standard deviations of the
//! column in the data at hand. Pixels stay between black and white. One disturbance stands in each file:
//!
//! * [`StressTest::Noise`], [`Blur`](StressTest::Blur), [`Brightness`](StressTest::Brightness),
//!   [`Contrast`](StressTest::Contrast), [`Missing`](StressTest::Missing): what cameras, sensors and forms do;
//! * [`StressTest::Fgsm`], [`StressTest::Pgd`]: what somebody does who knows the weights, within ε of each input.
//!
//! Random draws belong to a seed and the sample's place in the data set, and are the same at every severity, so that a curve
//! shows the severity and not the luck; nothing depends on the batch size or on the number of threads beyond the last
//! bits of a product.

mod blur;
mod brightness;
mod contrast;
mod disturb;
mod example;
mod fgsm;
mod inputs;
mod loss_gradient;
mod missing;
mod noise;
mod options;
mod pgd;
mod report;

use gradus_data::Dataset;
use gradus_package::CLASSIFICATION;

pub use example::{Example, View};
pub use inputs::InputUnit;
pub use options::{StressOptions, StressTest};
pub use report::{Score, Severity, SkippedTest, StressReport, TestResult};

use crate::calibration::Reliability;
use crate::stress::disturb::Disturbance;
use crate::stress::inputs::Inputs;
use crate::stress::loss_gradient::loss_gradient;
use crate::{Error, Predictions, Predictor, Result};

/// Scores a model on a data set that was prepared by its own preprocessing, as it is and disturbed in each way that the
/// options name. `progress` is told how many batches of how many are done.
///
/// # Errors
/// [`Error::LabelNames`] when data set and model name different classes, [`Error::Task`] for labels that are no classes,
/// [`Error::StressOption`] for an option outside
/// its range, [`Error::StressTest`] for a test that these inputs cannot take, [`Error::NoInputGradient`] when an attack
/// meets a layer without gradients, and those of [`Predictor::predict_samples`].
pub fn stress(
    predictor: &Predictor,
    dataset: &Dataset,
    options: &StressOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<StressReport> {
    if dataset.label_names() != predictor.labels() {
        return Err(Error::LabelNames {
            model: predictor.labels().to_vec(),
            data: dataset.label_names().to_vec(),
        });
    }
    if dataset.labels().len() != dataset.len() {
        return Err(Error::Task {
            found: predictor.manifest().task.clone(),
            expected: CLASSIFICATION,
        });
    }
    let inputs = Inputs::new(predictor, dataset)?;
    let mut tests = options.resolve(inputs.unit())?;
    let skipped = match options.tests {
        None => skip_what_cannot_be_run(&inputs, &mut tests)?,
        Some(_) => Vec::new(),
    };
    let run = Run {
        inputs,
        options,
        tests,
        skipped,
    };
    run.report(progress)
}

/// Takes the attacks out of `tests` when the model gives no gradients to follow, and says so. Only tests that nobody asked for
/// by name are left out.
fn skip_what_cannot_be_run(inputs: &Inputs<'_>, tests: &mut Vec<StressTest>) -> Result<Vec<SkippedTest>> {
    let first = inputs.batch(vec![0]);
    let reason = match loss_gradient(inputs, &first.values, &inputs.labels(&first)) {
        Ok(_) => return Ok(Vec::new()),
        Err(error @ Error::NoInputGradient { .. }) => error.to_string(),
        Err(error) => return Err(error),
    };
    let attacks = tests.extract_if(.., |test| test.is_attack());
    let skipped = |test| SkippedTest {
        test,
        reason: reason.clone(),
    };
    Ok(attacks.map(skipped).collect())
}

/// The samples at `indices` after one test at one severity, as raw values `[indices, sample_len]`: pixels from 0 to 255 and
/// not rounded, or the model's own numbers of a table's row.
///
/// # Errors
/// As [`stress`].
///
/// # Panics
/// When there is no sample at one of the indices.
pub fn disturbed_inputs(
    predictor: &Predictor,
    dataset: &Dataset,
    indices: &[usize],
    (test, severity): (StressTest, f64),
    options: &StressOptions,
) -> Result<Vec<f32>> {
    let inputs = Inputs::new(predictor, dataset)?;
    let asked = StressOptions {
        tests: Some(vec![test]),
        ..options.clone()
    };
    asked.resolve(inputs.unit())?;
    let batch = inputs.batch(indices.to_vec());
    Ok(Disturbance::new(test, severity, options)
        .apply(&inputs, &batch)?
        .values)
}

/// A stress run, its options checked.
struct Run<'a> {
    inputs: Inputs<'a>,
    options: &'a StressOptions,
    tests: Vec<StressTest>,
    skipped: Vec<SkippedTest>,
}

impl Run<'_> {
    fn report(&self, progress: &mut dyn FnMut(usize, usize)) -> Result<StressReport> {
        let dataset = self.inputs.dataset();
        let predictor = self.inputs.predictor();
        let clean = predictor.predict_samples(dataset.samples(), self.options.batch_size)?;
        let disturbances = self.disturbances();
        let total = disturbances.len() * dataset.len().div_ceil(self.options.batch_size);
        let mut done = 0;
        let mut advance = || {
            done += 1;
            progress(done, total);
        };
        let mut severities = Vec::with_capacity(disturbances.len());
        for disturbance in &disturbances {
            severities.push(self.measure(disturbance, &clean, &mut advance)?);
        }
        Ok(StressReport {
            n: dataset.len() as u64,
            dataset_sha256: dataset.fingerprint().to_owned(),
            seed: self.options.seed,
            unit: self.inputs.unit(),
            clean: Score::new(&clean, &clean, dataset.labels())?,
            reliability: Reliability::new(&clean, dataset.labels())?,
            tests: self.grouped(severities),
            skipped: self.skipped.clone(),
            examples: example::examples(&self.inputs, &clean, &self.shown_disturbances())?,
        })
    }

    /// Every test at every severity, in the order of the tests.
    fn disturbances(&self) -> Vec<Disturbance> {
        let of = |&test: &StressTest| {
            let severities = self.options.severities(test, self.inputs.unit());
            severities
                .into_iter()
                .map(move |severity| Disturbance::new(test, severity, self.options))
        };
        self.tests.iter().flat_map(of).collect()
    }

    /// One severity of each test, for pictures: where attacks are, the strongest, else the middle one.
    fn shown_disturbances(&self) -> Vec<Disturbance> {
        let of = |&test: &StressTest| {
            let severities = self.options.severities(test, self.inputs.unit());
            let shown = if test.is_attack() {
                severities.last()
            } else {
                severities.get(severities.len() / 2)
            };
            Some(Disturbance::new(test, *shown?, self.options))
        };
        self.tests.iter().filter_map(of).collect()
    }

    fn measure(
        &self,
        disturbance: &Disturbance,
        clean: &Predictions,
        advance: &mut dyn FnMut(),
    ) -> Result<Severity> {
        let dataset = self.inputs.dataset();
        let mut logits = Vec::with_capacity(clean.logits().len());
        let mut flat_gradients = 0;
        for start in (0..dataset.len()).step_by(self.options.batch_size) {
            let end = dataset.len().min(start + self.options.batch_size);
            let batch = self.inputs.batch((start..end).collect());
            let disturbed = disturbance.apply(&self.inputs, &batch)?;
            flat_gradients += disturbed.flat_gradients;
            let batch_logits = self
                .inputs
                .predictor()
                .predict_batch(&self.inputs.prepare(&disturbed.values))?;
            logits.extend_from_slice(batch_logits.contiguous()?.as_slice()?);
            advance();
        }
        let disturbed = self.inputs.predictor().predictions(logits)?;
        Ok(Severity {
            severity: disturbance.severity(),
            score: Score::new(&disturbed, clean, dataset.labels())?,
            flat_gradients: disturbance.test().is_attack().then_some(flat_gradients),
        })
    }

    /// Severities, which come test by test, as results of tests.
    fn grouped(&self, severities: Vec<Severity>) -> Vec<TestResult> {
        let mut severities = severities.into_iter();
        let of = |&test: &StressTest| {
            let count = self.options.severities(test, self.inputs.unit()).len();
            TestResult {
                test,
                measured_in: test.measured_in(self.inputs.unit()).to_owned(),
                severities: severities.by_ref().take(count).collect(),
            }
        };
        self.tests.iter().map(of).collect()
    }
}
