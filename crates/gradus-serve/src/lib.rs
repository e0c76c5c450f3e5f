#![forbid(unsafe_code)]
//! The prediction server: HTTP faces, model store and metrics.
