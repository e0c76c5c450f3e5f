//! Whole runs on real images and tables.

#[cfg(test)]
mod common;
#[cfg(test)]
mod fit;
#[cfg(test)]
mod outcomes;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod splits;
#[cfg(test)]
mod tasks;
