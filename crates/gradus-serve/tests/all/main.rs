//! The server in this process, on a free port, with a small client.
#![cfg(test)]

mod concurrency;
mod faces;
mod hostile;
mod life;
mod mutated;
mod support;
