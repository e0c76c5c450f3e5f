//! The data of a run, shared with its loaders.

use gradus_data::{Dataset, Preprocessing, Splits};
use std::sync::Arc;

/// Training samples and what is held out of them.
pub(super) struct DataParts {
    pub train: Arc<Dataset>,
    pub validation: Option<Arc<Dataset>>,
    pub test: Option<Dataset>,
    pub preprocessing: Preprocessing,
}

impl From<Splits> for DataParts {
    fn from(splits: Splits) -> DataParts {
        DataParts {
            train: splits.train.into(),
            validation: splits.validation.map(Into::into),
            test: splits.test,
            preprocessing: splits.preprocessing,
        }
    }
}

impl DataParts {
    /// The samples that the package's figures come from: the test set, else what else there is, with its name.
    pub fn measured(&self) -> (&Dataset, &'static str) {
        match (&self.test, &self.validation) {
            (Some(test), _) => (test, "test"),
            (None, Some(validation)) => (validation, "validation"),
            (None, None) => (&self.train, "train"),
        }
    }
}
