//! Errors of predicted numbers. Samples may have several outputs: each has its own error, and an [`OutputAverage`] makes one
//! number of them.

mod explained_variance;
mod mean_absolute_error;
mod mean_absolute_percentage_error;
mod mean_squared_error;
mod median_absolute_error;
mod outputs;
mod pinball_loss;
mod r2;
mod root_mean_squared_error;

pub use explained_variance::{explained_variance, explained_variance_per_output};
pub use mean_absolute_error::{mean_absolute_error, mean_absolute_error_per_output};
pub use mean_absolute_percentage_error::{
    mean_absolute_percentage_error, mean_absolute_percentage_error_per_output,
};
pub use mean_squared_error::{mean_squared_error, mean_squared_error_per_output};
pub(crate) use median_absolute_error::SortedErrors;
pub use median_absolute_error::{median_absolute_error, median_absolute_error_per_output};
pub use outputs::{OutputAverage, RegressionSamples};
pub use pinball_loss::{pinball_loss, pinball_loss_per_output};
pub(crate) use r2::r2_of_any;
pub use r2::{r2, r2_per_output};
pub use root_mean_squared_error::{root_mean_squared_error, root_mean_squared_error_per_output};
