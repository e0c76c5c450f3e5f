//! Whole runs on real images.

#[cfg(test)]
mod common;
#[cfg(test)]
mod fit;
#[cfg(test)]
mod outcomes;
#[cfg(test)]
mod resume;
