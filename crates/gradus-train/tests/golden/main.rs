//! Optimisers, schedules and training against the answers of PyTorch; see golden/README.md.

#[cfg(test)]
mod optimizers;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod tasks;
#[cfg(test)]
mod training;
