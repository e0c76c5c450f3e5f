//! Which instruction set the kernels use, decided once at run time.
//!
//! A default build runs on any x86-64 or aarch64 and picks its kernels here. The environment variable `GRADUS_ISA`
//! (`avx512`, `avx2`, `neon`, `portable`) can lower the choice, for tests and comparisons, never raise it.

use std::fmt;
use std::sync::OnceLock;

/// An instruction set that kernels are written for; prints as, for instance, `avx512 (vnni, bf16)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// x86-64 with AVX-512 F, BW, DQ and VL, AVX2 and FMA.
    Avx512 {
        /// Has the int8 dot product (`vpdpbusd`).
        vnni: bool,
        /// Has the bf16 dot product (`vdpbf16ps`).
        bf16: bool,
    },
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// aarch64, whose baseline has NEON.
    Neon,
    /// Anything else: what the compiler makes of plain Rust.
    Portable,
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Isa::Avx512 {
                vnni: true,
                bf16: true,
            } => "avx512 (vnni, bf16)",
            Isa::Avx512 {
                vnni: true,
                bf16: false,
            } => "avx512 (vnni)",
            Isa::Avx512 {
                vnni: false,
                bf16: true,
            } => "avx512 (bf16)",
            Isa::Avx512 {
                vnni: false,
                bf16: false,
            } => "avx512",
            Isa::Avx2 => "avx2",
            Isa::Neon => "neon",
            Isa::Portable => "portable",
        };
        f.write_str(name)
    }
}

/// The instruction set in use: what the machine has, lowered by `GRADUS_ISA` if that is set.
///
/// ```
/// println!("kernels run on {}", gradus_kernels::isa::isa());
/// ```
pub fn isa() -> Isa {
    static ISA: OnceLock<Isa> = OnceLock::new();
    *ISA.get_or_init(|| lowered(&available(), std::env::var("GRADUS_ISA").ok().as_deref()))
}

/// Every instruction set that this machine can run, best first; the last is always [`Isa::Portable`].
pub fn available() -> Vec<Isa> {
    let mut found = native();
    found.push(Isa::Portable);
    found
}

/// The best available set, or the one asked for by name; an unknown or missing one is ignored.
fn lowered(available: &[Isa], asked: Option<&str>) -> Isa {
    let named = |isa: &&Isa| match isa {
        Isa::Avx512 { .. } => asked == Some("avx512"),
        Isa::Avx2 => asked == Some("avx2"),
        Isa::Neon => asked == Some("neon"),
        Isa::Portable => asked == Some("portable"),
    };
    available
        .iter()
        .find(named)
        .or(available.first())
        .copied()
        .unwrap_or(Isa::Portable)
}

#[cfg(target_arch = "x86_64")]
fn native() -> Vec<Isa> {
    use std::arch::is_x86_feature_detected as has;
    let mut found = Vec::new();
    let avx2 = has!("avx2") && has!("fma");
    if avx2 && has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl") {
        found.push(Isa::Avx512 {
            vnni: has!("avx512vnni"),
            bf16: has!("avx512bf16"),
        });
    }
    if avx2 {
        found.push(Isa::Avx2);
    }
    found
}

#[cfg(target_arch = "aarch64")]
fn native() -> Vec<Isa> {
    vec![Isa::Neon]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn native() -> Vec<Isa> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn override_lowers_but_never_raises() {
        let all = [
            Isa::Avx512 {
                vnni: true,
                bf16: true,
            },
            Isa::Avx2,
            Isa::Portable,
        ];
        assert_eq!(lowered(&all, Some("avx2")), Isa::Avx2);
        assert_eq!(lowered(&all, Some("portable")), Isa::Portable);
        assert_eq!(lowered(&all, None), all[0]);
        assert_eq!(lowered(&all[1..], Some("avx512")), Isa::Avx2);
        assert_eq!(lowered(&all, Some("sse9")), all[0]);
    }

    #[test]
    fn prints_what_was_found() {
        assert_eq!(
            Isa::Avx512 {
                vnni: true,
                bf16: false
            }
            .to_string(),
            "avx512 (vnni)"
        );
        assert_eq!(available().last(), Some(&Isa::Portable));
    }
}
