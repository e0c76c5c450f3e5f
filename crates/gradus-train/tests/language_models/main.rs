//! Whole runs of language models on a small text.

#[cfg(test)]
mod common;
#[cfg(test)]
mod pretraining;
#[cfg(test)]
mod tuning;
