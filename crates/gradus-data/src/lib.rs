#![forbid(unsafe_code)]
//! Readers, splits, preprocessing and loaders.
