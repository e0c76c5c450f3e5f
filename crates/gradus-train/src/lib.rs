#![forbid(unsafe_code)]
//! Optimisers, schedules, the training loop and its checkpoints.
