//! In which arithmetic products are computed.

use std::fmt;

/// How the terms of a product are computed; sums and everything else are f32 either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Operands as they are: [`gemm_f32`](super::gemm_f32).
    #[default]
    F32,
    /// Operands rounded to bf16, which keeps 8 significant bits: [`gemm_bf16`](super::gemm_bf16).
    Bf16,
}

impl Precision {
    /// Both, for tests and for parsing a name.
    pub const ALL: [Precision; 2] = [Precision::F32, Precision::Bf16];

    /// The name used in configurations and messages: `f32`, `bf16`.
    pub const fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        }
    }

    /// The precision of that name.
    ///
    /// ```
    /// use gradus_kernels::gemm::Precision;
    /// assert_eq!(Precision::from_name("bf16"), Some(Precision::Bf16));
    /// assert_eq!(Precision::from_name("fp16"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Precision> {
        Precision::ALL
            .into_iter()
            .find(|precision| precision.name() == name)
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
