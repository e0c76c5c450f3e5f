//! The report for people: one HTML file that needs no network, no script and no other file.
//!
//! The page is made from the templates in this crate's `templates` folder; every value that comes from data (class
//! names, column values, recipe text) is escaped by the template engine, and a content security policy in the file
//! forbids everything but its own styles and inline pictures. Colours follow the reader's light or dark setting and
//! switch to light on paper.

mod bar_chart;
mod calibration_page;
mod chart;
mod class_chart;
mod curve_chart;
mod explain_page;
mod explain_view;
mod facts;
mod format;
mod heat_map;
mod history;
mod importance_chart;
mod metrics_view;
mod page;
mod parallel_chart;
mod picture;
mod questions_page;
mod reliability_chart;
mod scatter_chart;
mod score_chart;
mod score_panels;
mod severity_chart;
mod sheet;
mod stress_page;
mod task_page;
mod trial_chart;
mod view;

pub use bar_chart::share_chart;
pub use calibration_page::CalibrationPage;
pub use explain_page::{ExplainContent, ExplainPage};
pub use history::{Curve, CurvePanel, LearningCurves};
pub use page::{Fact, HtmlReport};
pub use parallel_chart::{ParallelAxis, ParallelThread, parallel_chart};
pub use questions_page::QuestionsPage;
pub use sheet::{Sheet, SheetPart, SheetSection, SheetTile};
pub use stress_page::StressPage;
pub use task_page::{TaskFigures, TaskPage};
pub use trial_chart::{TrialPoint, trial_chart};
