//! Classification metrics, one family per file, equal to scikit-learn's to the last few bits.
//!
//! Labels are class indices `0..num_classes`. Everything but [`log_loss()`] is a function of a
//! [`ConfusionMatrix`]: rows are walked once, to count, and never again.
//!
//! Zero divisions follow scikit-learn's `zero_division=0`: the precision of a class that is never predicted, the
//! recall of a class that never occurs and the F1 of a class that does neither are 0. Which classes an average
//! covers is a [`LabelSet`].

mod accuracy;
mod average;
mod class_counts;
mod confusion_matrix;
mod f1;
mod log_loss;
mod precision;
mod recall;
pub mod text;

pub use accuracy::accuracy;
pub use average::{Average, LabelSet};
pub use class_counts::ClassCounts;
pub use confusion_matrix::{ConfusionMatrix, Normalization};
pub use f1::{f1, f1_per_class};
pub(crate) use log_loss::of_sample as log_loss_of_probability;
pub use log_loss::{Probability, log_loss, sample_log_losses};
pub use precision::{precision, precision_per_class};
pub use recall::{recall, recall_per_class};

/// `numerator / denominator`, and 0 where scikit-learn's `zero_division=0` says so.
fn ratio_or_zero(numerator: u64, denominator: u64) -> f64 {
    if denominator == 0 {
        0.0
    } else {
        numerator as f64 / denominator as f64
    }
}
