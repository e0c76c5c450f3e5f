//! Training or evaluation: the switch that dropout and batch normalisation obey.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a module trains or evaluates. A layer that behaves differently holds one as a field;
/// [`Module::train`](crate::Module::train) and [`Module::eval`](crate::Module::eval) set all of a model. Clones name
/// the same switch; a fresh one is in training mode, as in PyTorch.
#[derive(Clone, Debug)]
pub struct Mode {
    training: Arc<AtomicBool>,
}

impl Mode {
    /// Whether the module trains.
    pub fn is_training(&self) -> bool {
        self.training.load(Ordering::Relaxed)
    }

    /// Sets training on or off.
    pub fn set_training(&self, training: bool) {
        self.training.store(training, Ordering::Relaxed);
    }
}

impl Default for Mode {
    fn default() -> Mode {
        Mode {
            training: Arc::new(AtomicBool::new(true)),
        }
    }
}
