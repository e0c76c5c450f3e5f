#![forbid(unsafe_code)]
//! The model package and run directory formats.
