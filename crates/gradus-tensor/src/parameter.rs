//! A trained value: a tensor that an optimiser replaces or updates in place, and its gradient.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::autograd::{Edge, Leaf};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// A shared cell that holds a tensor and gathers its gradient. Clones name the same cell.
///
/// ```
/// use gradus_tensor::{Parameter, Tensor};
/// let weight = Parameter::new(Tensor::from_vec(vec![3.0f32], [1])?)?;
/// weight.value().mul(&weight.value())?.sum_all()?.backward()?;
/// assert_eq!(weight.grad().expect("a gradient").to_vec::<f32>()?, [6.0]);
/// # Ok::<(), gradus_tensor::Error>(())
/// ```
#[derive(Clone)]
pub struct Parameter {
    cell: Arc<Cell>,
}

struct Cell {
    /// Always a contiguous tensor whose edge is `leaf`.
    value: RwLock<Tensor>,
    leaf: Arc<Leaf>,
    requires_grad: AtomicBool,
    version: AtomicU64,
}

impl Parameter {
    /// A parameter that starts at `value`.
    ///
    /// # Errors
    /// [`Error::UnsupportedDType`] when the elements are not floats.
    pub fn new(value: Tensor) -> Result<Parameter> {
        if !value.dtype().is_float() {
            return Err(Error::UnsupportedDType {
                op: "parameter",
                got: value.dtype(),
                expected: "a float type",
            });
        }
        let leaf = Arc::new(Leaf::default());
        let value = value.detach().contiguous()?.with_edge(Edge::Leaf(leaf.clone()));
        let cell = Cell {
            value: RwLock::new(value),
            leaf,
            requires_grad: AtomicBool::new(true),
            version: AtomicU64::new(0),
        };
        Ok(Parameter { cell: Arc::new(cell) })
    }

    /// The current value; tracked unless [`set_requires_grad`](Parameter::set_requires_grad) turned that off.
    pub fn value(&self) -> Tensor {
        let value = self.read().clone();
        if self.requires_grad() {
            value
        } else {
            value.detach()
        }
    }

    /// Length of each axis.
    pub fn shape(&self) -> Vec<usize> {
        self.read().shape().to_vec()
    }

    /// Number of elements.
    pub fn numel(&self) -> usize {
        self.read().numel()
    }

    /// Type of the elements.
    pub fn dtype(&self) -> DType {
        self.read().dtype()
    }

    /// The gradient gathered since it was last cleared.
    pub fn grad(&self) -> Option<Tensor> {
        self.cell.leaf.grad()
    }

    /// Removes and returns the gradient.
    pub fn take_grad(&self) -> Option<Tensor> {
        self.cell.leaf.take_grad()
    }

    /// Replaces the gradient.
    pub fn set_grad(&self, grad: Option<Tensor>) {
        self.cell.leaf.set_grad(grad);
    }

    /// Clears the gradient; its memory returns to the pool.
    pub fn zero_grad(&self) {
        self.set_grad(None);
    }

    /// Whether gradients are gathered; `true` at first. A frozen parameter costs no backward work.
    pub fn requires_grad(&self) -> bool {
        self.cell.requires_grad.load(Ordering::Relaxed)
    }

    /// Turns the gathering of gradients on or off.
    pub fn set_requires_grad(&self, on: bool) {
        self.cell.requires_grad.store(on, Ordering::Relaxed);
    }

    /// A count that grows with every change of the value: whoever keeps something derived from it compares.
    pub fn version(&self) -> u64 {
        self.cell.version.load(Ordering::Acquire)
    }

    /// Whether two handles name the same parameter.
    pub fn is_same(&self, other: &Parameter) -> bool {
        Arc::ptr_eq(&self.cell, &other.cell)
    }

    /// Replaces the value.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] or [`Error::DTypeMismatch`] when `value` is not like the old one.
    pub fn set(&self, value: Tensor) -> Result<()> {
        let mut slot = self.write();
        if value.shape() != slot.shape() {
            let (lhs, rhs) = (slot.shape().to_vec(), value.shape().to_vec());
            let rule = "a parameter keeps its shape";
            return Err(Error::ShapeMismatch {
                op: "set parameter",
                lhs,
                rhs,
                rule,
            });
        }
        if value.dtype() != slot.dtype() {
            return Err(Error::DTypeMismatch {
                op: "set parameter",
                lhs: slot.dtype(),
                rhs: value.dtype(),
            });
        }
        *slot = value
            .detach()
            .contiguous()?
            .with_edge(Edge::Leaf(self.cell.leaf.clone()));
        self.cell.version.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Changes the value in place: `update` receives the elements and, when there is one, the gradient's.
    ///
    /// Works without copying when no other handle on the value's memory is alive, which is so after a backward pass
    /// has freed its graph; otherwise the parameter moves to memory of its own first, and the other handles keep the
    /// old value.
    ///
    /// # Errors
    /// [`Error::UnsupportedDType`] when the parameter or its gradient does not hold `f32`.
    pub fn update_f32(&self, update: impl FnOnce(&mut [f32], Option<&[f32]>)) -> Result<()> {
        let grad = self.grad();
        let grad = grad.as_ref().map(|g| g.as_slice::<f32>()).transpose()?;
        let mut slot = self.write();
        if slot.unshared_mut::<f32>().is_none() {
            let own = Tensor::from_slice(slot.as_slice::<f32>()?, slot.shape())?;
            *slot = own.with_edge(Edge::Leaf(self.cell.leaf.clone()));
        }
        let value = slot.unshared_mut::<f32>().expect("bug: a fresh copy is unshared");
        update(value, grad);
        self.cell.version.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Changes the gradient, if there is one: in place when no other handle on it is alive, else in a copy.
    ///
    /// # Errors
    /// [`Error::UnsupportedDType`] when the gradient does not hold `f32`.
    pub fn update_grad_f32(&self, update: impl FnOnce(&mut [f32])) -> Result<()> {
        let Some(mut grad) = self.take_grad() else {
            return Ok(());
        };
        if grad.dtype() != DType::F32 {
            let got = grad.dtype();
            self.set_grad(Some(grad));
            return Err(Error::UnsupportedDType {
                op: "update gradient",
                got,
                expected: "f32",
            });
        }
        if let Some(values) = grad.unshared_mut::<f32>() {
            update(values);
            self.set_grad(Some(grad));
            return Ok(());
        }
        let old = grad.contiguous()?;
        let old = old.as_slice::<f32>()?;
        let changed = Tensor::build(grad.shape(), |out: &mut [f32]| {
            out.copy_from_slice(old);
            update(out);
        });
        self.set_grad(Some(changed));
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Tensor> {
        self.cell.value.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tensor> {
        self.cell.value.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Parameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parameter({:?})", self.value())
    }
}
