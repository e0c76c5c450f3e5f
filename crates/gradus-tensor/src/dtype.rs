//! Element types of tensors.

use half::{bf16, f16};

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// 64-bit IEEE float; for gradient checks and sums that must not drift.
    F64,
    /// 32-bit IEEE float; the default.
    F32,
    /// bfloat16: the upper half of an `F32`.
    BF16,
    /// 16-bit IEEE float.
    F16,
    /// Signed 64-bit integer; indices and class labels.
    I64,
    /// Unsigned byte; pixels and truth values (0 or 1).
    U8,
    /// Signed byte; quantised weights.
    I8,
}

impl DType {
    /// Every element type, widest float first.
    pub const ALL: [DType; 7] = [
        DType::F64,
        DType::F32,
        DType::BF16,
        DType::F16,
        DType::I64,
        DType::U8,
        DType::I8,
    ];

    /// Bytes of one element.
    pub const fn size_bytes(self) -> usize {
        match self {
            DType::F64 | DType::I64 => 8,
            DType::F32 => 4,
            DType::BF16 | DType::F16 => 2,
            DType::U8 | DType::I8 => 1,
        }
    }

    /// The name used in messages and files: `f64`, `f32`, `bf16`, `f16`, `i64`, `u8`, `i8`.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F64 => "f64",
            DType::F32 => "f32",
            DType::BF16 => "bf16",
            DType::F16 => "f16",
            DType::I64 => "i64",
            DType::U8 => "u8",
            DType::I8 => "i8",
        }
    }

    /// Whether gradients can flow through elements of this type.
    pub const fn is_float(self) -> bool {
        match self {
            DType::F64 | DType::F32 | DType::BF16 | DType::F16 => true,
            DType::I64 | DType::U8 | DType::I8 => false,
        }
    }

    /// Whether this is a 16-bit float, which ops compute through `F32` and round once.
    pub const fn is_half(self) -> bool {
        match self {
            DType::BF16 | DType::F16 => true,
            DType::F64 | DType::F32 | DType::I64 | DType::U8 | DType::I8 => false,
        }
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A Rust number type that can be a tensor's element.
pub trait Element: bytemuck::Pod + Send + Sync + PartialEq + std::fmt::Debug + 'static {
    /// The tensor type that stores this number.
    const DTYPE: DType;
    /// The nearest value to `x` (integers truncate toward zero and saturate).
    fn from_f64(x: f64) -> Self;
    /// The value as a double.
    fn to_f64(self) -> f64;
}

macro_rules! element {
    ($($t:ty, $dtype:ident, $from:expr, $to:expr;)*) => {$(
        impl Element for $t {
            const DTYPE: DType = DType::$dtype;
            fn from_f64(x: f64) -> Self { $from(x) }
            fn to_f64(self) -> f64 { $to(self) }
        }
    )*};
}

element! {
    f64, F64, |x| x, |x| x;
    f32, F32, |x| x as f32, f64::from;
    bf16, BF16, bf16::from_f64, bf16::to_f64;
    f16, F16, f16::from_f64, f16::to_f64;
    i64, I64, |x| x as i64, |x| x as f64;
    u8, U8, |x| x as u8, f64::from;
    i8, I8, |x| x as i8, f64::from;
}
