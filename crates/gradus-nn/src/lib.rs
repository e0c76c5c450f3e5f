#![forbid(unsafe_code)]
//! Layers, losses, initialisers and the model families built from a config.
