//! What training a transformer takes, told before it starts.
//!
//! A run that outgrows its memory is killed by the system without a word, after minutes or hours. So the parts are added
//! up first, and a run that cannot fit is refused with what would make it fit.

mod available;
mod estimate;

pub use available::available_bytes;
pub use estimate::{MemoryEstimate, Training, estimate};

use crate::{Error, Result};

/// Share of the available memory that a run may plan with: the estimate is good to about as much, and the system wants
/// some for its files.
const USABLE: f64 = 0.95;

/// Refuses a run that would take more memory than there is.
///
/// # Errors
/// [`Error::OutOfMemory`] with the parts and what to change. Where the system does not say what is available, nothing is
/// refused.
pub fn admit(estimate: &MemoryEstimate) -> Result<()> {
    match available_bytes() {
        Some(available) if estimate.total() as f64 > USABLE * available as f64 => {
            Err(Error::OutOfMemory(Box::new(crate::error::OutOfMemory {
                needed: estimate.clone(),
                available,
            })))
        }
        Some(_) | None => Ok(()),
    }
}
