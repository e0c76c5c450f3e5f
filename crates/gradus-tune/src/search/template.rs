//! A recipe with places to fill in.

use super::space::{Parameter, Space};
use crate::Result;
use gradus_train::{Error as TrainError, Recipe};
use std::path::{Path, PathBuf};

/// A recipe's file with overrides, on top of which a point of a space is put.
#[derive(Clone, Debug)]
pub struct RecipeTemplate {
    path: PathBuf,
    overrides: Vec<String>,
}

impl RecipeTemplate {
    /// The recipe in a file with these overrides, such as `train.epochs=5`.
    pub fn new(path: impl Into<PathBuf>, overrides: Vec<String>) -> RecipeTemplate {
        RecipeTemplate {
            path: path.into(),
            overrides,
        }
    }

    /// The recipe itself.
    ///
    /// # Errors
    /// Whatever is wrong with it.
    pub fn base(&self) -> Result<Recipe> {
        Ok(Recipe::load(&self.path, &self.overrides)?)
    }

    /// The recipe with a point of a space.
    ///
    /// # Errors
    /// Whatever is wrong with it.
    pub fn at(&self, space: &Space, point: &[f64]) -> Result<Recipe> {
        self.with(space.overrides(point))
    }

    fn with(&self, more: Vec<String>) -> Result<Recipe> {
        let overrides: Vec<String> = self.overrides.iter().cloned().chain(more).collect();
        Ok(Recipe::load(&self.path, &overrides)?)
    }

    /// Finds keys that the recipe does not have, before anything is trained.
    ///
    /// # Errors
    /// The recipe's own, which names the nearest real key. Values that cannot be used are left to the trials that try
    /// them: others of the space may do.
    pub fn check(&self, space: &Space) -> Result<()> {
        space
            .parameters()
            .iter()
            .try_for_each(|parameter| self.check_key(parameter))
    }

    fn check_key(&self, parameter: &Parameter) -> Result<()> {
        let text = parameter.domain.text(parameter.domain.at(0.0));
        match self.with(vec![format!("{}={text}", parameter.key)]) {
            Err(crate::Error::Train(TrainError::InvalidSettings { .. })) | Ok(_) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// The recipe's file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
