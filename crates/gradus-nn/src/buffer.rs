//! State of a module that is saved with it but not trained.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use gradus_tensor::{DType, Tensor};

use crate::error::Result;

/// A shared cell for a tensor that belongs to a module's state and gets no gradient: running statistics, quantised
/// weights. Clones name the same cell.
///
/// ```
/// use gradus_nn::Buffer;
/// use gradus_tensor::{DType, Tensor};
/// let mean = Buffer::new(Tensor::zeros([2], DType::F32));
/// mean.set(Tensor::from_vec(vec![1.0f32, 2.0], [2])?)?;
/// assert_eq!(mean.value().to_vec::<f32>()?, [1.0, 2.0]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone)]
pub struct Buffer {
    cell: Arc<Cell>,
}

struct Cell {
    value: RwLock<Tensor>,
    version: AtomicU64,
}

impl Buffer {
    /// A buffer that starts at `value`, of any element type.
    pub fn new(value: Tensor) -> Buffer {
        Buffer {
            cell: Arc::new(Cell {
                value: RwLock::new(value.detach()),
                version: AtomicU64::new(0),
            }),
        }
    }

    /// The current value; never tracked.
    pub fn value(&self) -> Tensor {
        self.cell
            .value
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Length of each axis.
    pub fn shape(&self) -> Vec<usize> {
        self.value().shape().to_vec()
    }

    /// Type of the elements.
    pub fn dtype(&self) -> DType {
        self.value().dtype()
    }

    /// A count that grows with every change of the value.
    pub fn version(&self) -> u64 {
        self.cell.version.load(Ordering::Acquire)
    }

    /// Replaces the value.
    ///
    /// # Errors
    /// [`gradus_tensor::Error::ShapeMismatch`] or [`gradus_tensor::Error::DTypeMismatch`] when `value` is not like the
    /// old one.
    pub fn set(&self, value: Tensor) -> Result<()> {
        const OP: &str = "set buffer";
        let mut slot = self.cell.value.write().unwrap_or_else(PoisonError::into_inner);
        if value.shape() != slot.shape() {
            let (lhs, rhs) = (slot.shape().to_vec(), value.shape().to_vec());
            let rule = "a buffer keeps its shape";
            return Err(gradus_tensor::Error::ShapeMismatch {
                op: OP,
                lhs,
                rhs,
                rule,
            }
            .into());
        }
        if value.dtype() != slot.dtype() {
            let (lhs, rhs) = (slot.dtype(), value.dtype());
            return Err(gradus_tensor::Error::DTypeMismatch { op: OP, lhs, rhs }.into());
        }
        *slot = value.detach();
        self.cell.version.fetch_add(1, Ordering::Release);
        Ok(())
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({:?})", self.value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_its_shape_and_type_and_counts_changes() {
        let buffer = Buffer::new(Tensor::zeros([3], DType::F32));
        assert!(buffer.set(Tensor::zeros([2], DType::F32)).is_err());
        assert!(buffer.set(Tensor::zeros([3], DType::I64)).is_err());
        assert_eq!(buffer.version(), 0);
        buffer.clone().set(Tensor::ones([3], DType::F32)).unwrap();
        assert_eq!(
            (buffer.version(), buffer.value().to_vec::<f32>().unwrap()),
            (1, vec![1.0; 3])
        );
    }
}
