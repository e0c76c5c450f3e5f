//! The bytes behind tensors.

use std::sync::Arc;

use gradus_kernels::aligned::Line;

use crate::device::Device;
use crate::dtype::Element;
use crate::mapped::MappedFile;
use crate::pool;

/// A tensor's memory. Tensors share it by `Arc`; only an unshared one is ever written to.
pub(crate) enum Storage {
    /// Pooled host memory.
    Pooled(PooledBuffer),
    /// A range of a memory-mapped file; read-only.
    Mapped {
        file: Arc<MappedFile>,
        start: usize,
        end: usize,
    },
}

/// Lines from the pool, given back when dropped.
pub(crate) struct PooledBuffer {
    lines: Vec<Line>,
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        pool::give(std::mem::take(&mut self.lines));
    }
}

impl Storage {
    /// Memory for `len` elements of `T`; contents are arbitrary.
    pub(crate) fn uninit<T: Element>(len: usize) -> Storage {
        Storage::Pooled(PooledBuffer {
            lines: pool::take(len * size_of::<T>()),
        })
    }

    pub(crate) fn device(&self) -> Device {
        match self {
            Storage::Pooled(_) | Storage::Mapped { .. } => Device::Cpu,
        }
    }

    /// All elements, viewed as `T`. May be longer than the tensor that was asked for.
    pub(crate) fn view<T: Element>(&self) -> &[T] {
        match self {
            Storage::Pooled(buffer) => bytemuck::cast_slice(&buffer.lines),
            // Alignment was checked when the tensor was made.
            Storage::Mapped { file, start, end } => bytemuck::cast_slice(&file.bytes()[*start..*end]),
        }
    }

    /// All elements, writable; `None` when the memory belongs to a file.
    pub(crate) fn view_mut<T: Element>(&mut self) -> Option<&mut [T]> {
        match self {
            Storage::Pooled(buffer) => Some(bytemuck::cast_slice_mut(&mut buffer.lines)),
            Storage::Mapped { .. } => None,
        }
    }
}
