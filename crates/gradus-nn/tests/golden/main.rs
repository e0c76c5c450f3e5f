//! Losses, layers and whole models against the answers of PyTorch and `transformers` in the golden files.

mod file;
mod layers;
mod losses;
#[cfg(test)]
mod scores;
#[cfg(test)]
mod transformers;
