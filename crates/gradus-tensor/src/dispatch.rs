//! From an element type known at run time to one known at compile time.

/// Evaluates an expression with `$t` naming the Rust type of any [`DType`](crate::DType).
macro_rules! for_dtype {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            $crate::DType::F64 => {
                type $t = f64;
                $body
            }
            $crate::DType::F32 => {
                type $t = f32;
                $body
            }
            $crate::DType::BF16 => {
                type $t = half::bf16;
                $body
            }
            $crate::DType::F16 => {
                type $t = half::f16;
                $body
            }
            $crate::DType::I64 => {
                type $t = i64;
                $body
            }
            $crate::DType::U8 => {
                type $t = u8;
                $body
            }
            $crate::DType::I8 => {
                type $t = i8;
                $body
            }
        }
    };
}

/// Evaluates an expression with `$t` naming `f32` or `f64`; other types are an error. Ops widen half types first
/// (see [`through_f32`]).
macro_rules! for_real {
    ($op:expr, $dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            $crate::DType::F64 => {
                type $t = f64;
                $body
            }
            $crate::DType::F32 => {
                type $t = f32;
                $body
            }
            got @ ($crate::DType::BF16
            | $crate::DType::F16
            | $crate::DType::I64
            | $crate::DType::U8
            | $crate::DType::I8) => Err($crate::Error::UnsupportedDType {
                op: $op,
                got,
                expected: "a float type",
            }),
        }
    };
}

pub(crate) use {for_dtype, for_real};

use crate::{DType, Result, Tensor};

/// Runs an op on half-precision input through `f32` and rounds its result once. Gradients flow through both
/// conversions. `None` when `x` is not a half type and the op should go on as it is.
pub(crate) fn through_f32(x: &Tensor, op: impl FnOnce(Tensor) -> Result<Tensor>) -> Option<Result<Tensor>> {
    if !x.dtype().is_half() {
        return None;
    }
    Some(
        x.to_dtype(DType::F32)
            .and_then(op)
            .and_then(|y| y.to_dtype(x.dtype())),
    )
}
