//! Where a tensor's bytes live.
//!
//! The device is a value of the tensor, never a type parameter. The seam for another device is small: a variant
//! here, a variant of [`Storage`](crate::storage::Storage) that holds its buffer, and, in each file of
//! [`ops`](crate::ops), the branch that calls its kernel. No crate above this one matches on `Device`.

/// The place a tensor's storage lies in and its ops run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Device {
    /// Host memory; ops run on the pool of `gradus-kernels`.
    #[default]
    Cpu,
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
        }
    }
}
