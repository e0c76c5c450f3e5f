//! Which of two models is better.

mod mcnemar;

pub use mcnemar::{McNemar, McNemarMethod};
