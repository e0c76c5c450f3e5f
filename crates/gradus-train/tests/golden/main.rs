//! Optimisers, schedules and training against the answers of PyTorch; see golden/README.md.

mod optimizers;
mod schedules;
mod training;
