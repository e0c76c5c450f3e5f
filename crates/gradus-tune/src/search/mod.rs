//! Searching for the settings of a recipe that train the best model.

mod importance;
mod outcome;
pub mod pruners;
mod report;
mod run;
pub mod samplers;
mod space;
mod study;
mod template;
mod trial;

pub use importance::{Importance, importances};
pub use outcome::{best_recipe, best_trial, write_text};
pub use pruners::Pruner;
pub use report::{report, setting_texts};
pub use run::{SearchEvent, SearchOptions, search};
pub use samplers::Sampler;
pub use space::{Domain, Parameter, Range, Space};
pub use study::{Settings, Study, known_direction, read_study};
pub use template::RecipeTemplate;
pub use trial::{History, Measurement, State, Trial};
