#![forbid(unsafe_code)]
//! Metrics, bootstrap intervals, prediction from a package and reports.
