//! Named tensors in one file, in Hugging Face's safetensors format.
//!
//! The layout is the format's own: a little-endian length, a JSON header that says where each tensor lies, the
//! tensors' bytes one after the other. The header is read by the `safetensors` crate, which checks that the tensors
//! fill the file without gap or overlap; it is written here, because the crate writes the metadata in an order that
//! changes from run to run, and equal tensors must give equal bytes.

mod header;
mod read;
mod write;

pub use header::{Malformed, TensorEntry};
pub use read::{TensorFile, read_safetensors};
pub use write::write_safetensors;

pub(crate) use read::{map, parse, tensor_of, tensors_of};
pub(crate) use write::{Layout, LazyTensor, held, stored_bytes, write_tensors};

/// Runs an expression with `$t` standing for the Rust type of a [`DType`](gradus_tensor::DType).
macro_rules! with_element {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            gradus_tensor::DType::F64 => {
                type $t = f64;
                $body
            }
            gradus_tensor::DType::F32 => {
                type $t = f32;
                $body
            }
            gradus_tensor::DType::BF16 => {
                type $t = gradus_tensor::bf16;
                $body
            }
            gradus_tensor::DType::F16 => {
                type $t = gradus_tensor::f16;
                $body
            }
            gradus_tensor::DType::I64 => {
                type $t = i64;
                $body
            }
            gradus_tensor::DType::U8 => {
                type $t = u8;
                $body
            }
            gradus_tensor::DType::I8 => {
                type $t = i8;
                $body
            }
        }
    };
}
pub(crate) use with_element;

#[cfg(target_endian = "big")]
compile_error!("safetensors files are little-endian and are mapped in place");

#[cfg(test)]
mod tests;
