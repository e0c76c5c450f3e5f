//! Whether a classifier's probabilities can be taken at their word, and making them so.
//!
//! * [`Reliability`]: how sure a model is against how often it is right, and the expected calibration error.
//! * [`fit_temperature`]: the one number by which to divide logits that makes held-out labels most likely.
//! * [`calibrate`]: the same model as a new package whose manifest holds that number.
//!
//! [`Predictor`](crate::Predictor) applies a package's temperature to every probability, so evaluation, prediction and
//! serving agree; logits and predicted classes stay what they were.

mod package;
mod reliability;
mod temperature;

pub use package::{Calibrated, CalibrationMeasurement, CalibrationReport, calibrate, measure_calibration};
pub(crate) use reliability::calibration_error;
pub use reliability::{Reliability, ReliabilityBin};
pub use temperature::{MAX_TEMPERATURE, MIN_TEMPERATURE, TemperatureFit, fit_temperature};
