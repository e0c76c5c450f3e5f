//! Integer types that files hold and tensors do not, read as a wider type that does.

use gradus_tensor::{Element, Tensor};

/// An integer type without a counterpart among tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NarrowType {
    /// One byte, zero or not; read as U8 of 0 and 1.
    Bool,
    /// Read as I64.
    I16,
    /// Read as I64.
    U16,
    /// Read as I64.
    I32,
    /// Read as I64.
    U32,
}

impl NarrowType {
    /// The type by its name in the safetensors format.
    pub(crate) fn from_safetensors(name: &str) -> Option<NarrowType> {
        match name {
            "BOOL" => Some(NarrowType::Bool),
            "I16" => Some(NarrowType::I16),
            "U16" => Some(NarrowType::U16),
            "I32" => Some(NarrowType::I32),
            "U32" => Some(NarrowType::U32),
            _ => None,
        }
    }

    /// Bytes of one stored element.
    pub(crate) fn size_bytes(self) -> usize {
        match self {
            NarrowType::Bool => 1,
            NarrowType::I16 | NarrowType::U16 => 2,
            NarrowType::I32 | NarrowType::U32 => 4,
        }
    }

    /// A tensor of little-endian elements; `bytes` hold exactly as many as `shape` has.
    pub(crate) fn widen(self, bytes: &[u8], shape: &[usize]) -> Tensor {
        match self {
            NarrowType::Bool => converted(bytes, shape, |[byte]| u8::from(byte != 0)),
            NarrowType::I16 => converted(bytes, shape, |two| i64::from(i16::from_le_bytes(two))),
            NarrowType::U16 => converted(bytes, shape, |two| i64::from(u16::from_le_bytes(two))),
            NarrowType::I32 => converted(bytes, shape, |four| i64::from(i32::from_le_bytes(four))),
            NarrowType::U32 => converted(bytes, shape, |four| i64::from(u32::from_le_bytes(four))),
        }
    }
}

fn converted<const N: usize, T: Element>(
    bytes: &[u8],
    shape: &[usize],
    convert: impl Fn([u8; N]) -> T,
) -> Tensor {
    let (elements, _) = bytes.as_chunks::<N>();
    debug_assert_eq!(elements.len(), shape.iter().product::<usize>());
    Tensor::build(shape, |out: &mut [T]| {
        for (out, &element) in out.iter_mut().zip(elements) {
            *out = convert(element);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_keep_their_values() {
        let read = |kind: NarrowType, bytes: &[u8]| kind.widen(bytes, &[2]);
        assert_eq!(read(NarrowType::Bool, &[0, 7]).to_vec::<u8>().unwrap(), [0, 1]);
        assert_eq!(
            read(NarrowType::I16, &[255, 255, 1, 1]).to_vec::<i64>().unwrap(),
            [-1, 257]
        );
        assert_eq!(
            read(NarrowType::U16, &[255, 255, 1, 1]).to_vec::<i64>().unwrap(),
            [65535, 257]
        );
        let eight = [255, 255, 255, 255, 1, 0, 0, 1];
        assert_eq!(
            read(NarrowType::I32, &eight).to_vec::<i64>().unwrap(),
            [-1, (1 << 24) + 1]
        );
        assert_eq!(
            read(NarrowType::U32, &eight).to_vec::<i64>().unwrap(),
            [u32::MAX.into(), (1 << 24) + 1]
        );
    }
}
