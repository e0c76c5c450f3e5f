//! Whole runs on real images.

mod common;
mod outcomes;
mod resume;
