//! One plain loop, compiled once per instruction set.
//!
//! [`vectorize!`] is how every kernel outside the products gets its SIMD: the body is ordinary safe slice code that
//! LLVM vectorises, and the same body is compiled for AVX-512, for AVX2 and for the target's baseline. Rust never
//! contracts `a * b + c`, so the three give the same bits; a body that wants a fixed reduction order spells it out
//! in lanes (see [`crate::reduce`]).

/// Defines a function whose body is compiled for each instruction set and picked by [`crate::isa::isa`] at run time.
/// Generic parameters stand in square brackets: `fn name[T: Real](...) { ... }`.
macro_rules! vectorize {
    ($(#[$meta:meta])* $vis:vis fn $name:ident $([$($generics:tt)*])? ($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[inline]
        $vis fn $name $(<$($generics)*>)? ($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn portable $(<$($generics)*>)? ($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512 $(<$($generics)*>)? ($($arg: $ty),*) $(-> $ret)? { portable($($arg),*) }
                #[target_feature(enable = "avx2,fma")]
                fn avx2 $(<$($generics)*>)? ($($arg: $ty),*) $(-> $ret)? { portable($($arg),*) }
                match crate::isa::isa() {
                    // SAFETY: `isa` reports AVX-512 only where the CPU has F, BW, DQ and VL, AVX2 and FMA.
                    crate::isa::Isa::Avx512 { .. } => return unsafe { avx512($($arg),*) },
                    // SAFETY: `isa` reports AVX2 only where the CPU has AVX2 and FMA.
                    crate::isa::Isa::Avx2 => return unsafe { avx2($($arg),*) },
                    crate::isa::Isa::Neon | crate::isa::Isa::Portable => {}
                }
            }
            portable($($arg),*)
        }
    };
}

pub(crate) use vectorize;
