//! The public behaviour of the crate, in one program so that it is linked once.
#![cfg(test)]

mod accuracy;
mod golden;
