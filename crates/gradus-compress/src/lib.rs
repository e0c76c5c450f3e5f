#![forbid(unsafe_code)]
//! Quantisation, pruning and clipping of model packages.
