//! Tests of the public functions, in one program so that what they share is compiled once.

mod hostile;
mod idx;
mod loader;
mod pictures;
mod support;
mod tables;
