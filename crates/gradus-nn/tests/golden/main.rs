//! Losses and layers against PyTorch's answers in the golden files.

mod file;
mod layers;
mod losses;
