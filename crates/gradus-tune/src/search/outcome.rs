//! What a search leaves: the best recipe, ready to train.

use super::study::Study;
use super::template::RecipeTemplate;
use super::trial::{State, Trial};
use crate::{Error, Result};
use std::io::Write;
use std::path::Path;

/// The best trial of a study.
///
/// # Errors
/// [`Error::NoBest`] when none came to its end.
pub fn best_trial(study: &Study) -> Result<&Trial> {
    study.history().best().ok_or_else(|| Error::NoBest {
        trials: study.trials().len(),
        reason: study.trials().iter().rev().find_map(|trial| match &trial.state {
            State::Failed { reason } => Some(reason.clone()),
            State::Running | State::Complete { .. } | State::Pruned => None,
        }),
    })
}

/// The best trial's recipe as TOML that trains from any folder, with a line that says where it comes from.
///
/// # Errors
/// As [`best_trial`], and the recipe's own.
pub fn best_recipe(template: &RecipeTemplate, study: &Study) -> Result<String> {
    let best = best_trial(study)?;
    let recipe = template.at(study.space(), &best.point)?.to_toml()?;
    let value = best.value().unwrap_or(f64::NAN);
    let (metric, trials) = (&study.settings().metric, study.trials().len());
    Ok(format!(
        "# The best of {trials} trials: trial {}, {metric} {value}.\n{recipe}",
        best.number
    ))
}

/// Writes a text to a file, all or nothing.
///
/// # Errors
/// [`Error::Write`] with the system's reason.
pub fn write_text(path: &Path, text: &str) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)
    };
    write().map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}
