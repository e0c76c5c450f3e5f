//! The tensor: an immutable, strided view over shared storage, with its place in the gradient graph.

use std::sync::Arc;

use crate::autograd::{Edge, Leaf};
use crate::device::Device;
use crate::dtype::{DType, Element};
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::mapped::MappedFile;
use crate::storage::Storage;

/// A multi-dimensional array. Cloning is cheap and shares memory; no operation changes a tensor that exists.
///
/// ```
/// use gradus_tensor::Tensor;
/// let x = Tensor::from_vec(vec![1.0f32, 2.0, 3.0, 4.0], [2, 2])?;
/// assert_eq!(x.t()?.to_vec::<f32>()?, [1.0, 3.0, 2.0, 4.0]);
/// # Ok::<(), gradus_tensor::Error>(())
/// ```
#[derive(Clone)]
pub struct Tensor {
    inner: Arc<Inner>,
}

struct Inner {
    storage: Arc<Storage>,
    layout: Layout,
    dtype: DType,
    edge: Option<Edge>,
}

/// Constructors.
impl Tensor {
    /// A tensor of the elements of `data` in row-major order.
    ///
    /// # Errors
    /// [`Error::ElementCount`] when `data` does not fill `shape` exactly.
    pub fn from_vec<T: Element>(data: Vec<T>, shape: impl AsRef<[usize]>) -> Result<Tensor> {
        Tensor::from_slice(&data, shape)
    }

    /// As [`from_vec`](Tensor::from_vec), copying from a slice.
    ///
    /// # Errors
    /// [`Error::ElementCount`] when `data` does not fill `shape` exactly.
    pub fn from_slice<T: Element>(data: &[T], shape: impl AsRef<[usize]>) -> Result<Tensor> {
        let shape = shape.as_ref();
        check_count("from_slice", shape, data.len())?;
        Ok(Tensor::build(shape, |out: &mut [T]| out.copy_from_slice(data)))
    }

    /// A tensor of rank 0.
    pub fn scalar<T: Element>(value: T) -> Tensor {
        Tensor::build([], |out: &mut [T]| out[0] = value)
    }

    /// All zeros.
    pub fn zeros(shape: impl AsRef<[usize]>, dtype: DType) -> Tensor {
        Tensor::full(shape, 0.0, dtype)
    }

    /// All ones.
    pub fn ones(shape: impl AsRef<[usize]>, dtype: DType) -> Tensor {
        Tensor::full(shape, 1.0, dtype)
    }

    /// Every element the value nearest to `value` in `dtype`.
    pub fn full(shape: impl AsRef<[usize]>, value: f64, dtype: DType) -> Tensor {
        fn filled<T: Element>(shape: &[usize], value: f64) -> Tensor {
            Tensor::build(shape, |out: &mut [T]| out.fill(T::from_f64(value)))
        }
        let shape = shape.as_ref();
        crate::dispatch::for_dtype!(dtype, T => filled::<T>(shape, value))
    }

    /// A contiguous tensor whose elements `fill` writes, in row-major order.
    ///
    /// The slice comes from the buffer pool with arbitrary old contents, so `fill` must write every element. This is
    /// how loaders and ops make tensors without allocating in a steady loop.
    pub fn build<T: Element>(shape: impl AsRef<[usize]>, fill: impl FnOnce(&mut [T])) -> Tensor {
        match Tensor::try_build(shape, |out| {
            fill(out);
            Ok::<(), std::convert::Infallible>(())
        }) {
            Ok(tensor) => tensor,
            Err(never) => match never {},
        }
    }

    /// As [`build`](Tensor::build), for a `fill` that can fail.
    ///
    /// # Errors
    /// Whatever `fill` returns.
    pub fn try_build<T: Element, E>(
        shape: impl AsRef<[usize]>,
        fill: impl FnOnce(&mut [T]) -> Result<(), E>,
    ) -> Result<Tensor, E> {
        let layout = Layout::contiguous(shape.as_ref());
        let len = layout.numel();
        let mut storage = Storage::uninit::<T>(len);
        let out = storage.view_mut::<T>().expect("bug: pooled storage is writable");
        fill(&mut out[..len])?;
        Ok(Tensor::from_parts(Arc::new(storage), layout, T::DTYPE, None))
    }

    /// A tensor over `len × size_of::<T>()` bytes of a mapped file from byte `start`, read in place where the file's
    /// alignment allows it and copied otherwise.
    ///
    /// # Errors
    /// [`Error::MapRange`] when the range leaves the file.
    pub fn from_mapped<T: Element>(
        file: &Arc<MappedFile>,
        start: usize,
        shape: impl AsRef<[usize]>,
    ) -> Result<Tensor> {
        let shape = shape.as_ref();
        let bytes = shape.iter().try_fold(size_of::<T>(), |n, &d| n.checked_mul(d));
        let end = bytes
            .and_then(|bytes| start.checked_add(bytes))
            .unwrap_or(usize::MAX);
        let range = file.bytes().get(start..end);
        let range = range.ok_or(Error::MapRange {
            start,
            end,
            len: file.bytes().len(),
        })?;
        if bytemuck::try_cast_slice::<u8, T>(range).is_err() {
            return Ok(Tensor::build(shape, |out: &mut [T]| {
                bytemuck::cast_slice_mut::<T, u8>(out).copy_from_slice(range);
            }));
        }
        let storage = Storage::Mapped {
            file: file.clone(),
            start,
            end,
        };
        Ok(Tensor::from_parts(
            Arc::new(storage),
            Layout::contiguous(shape),
            T::DTYPE,
            None,
        ))
    }

    fn from_parts(storage: Arc<Storage>, layout: Layout, dtype: DType, edge: Option<Edge>) -> Tensor {
        Tensor {
            inner: Arc::new(Inner {
                storage,
                layout,
                dtype,
                edge,
            }),
        }
    }
}

/// What a tensor is, and its elements.
impl Tensor {
    /// Length of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.inner.layout.shape
    }

    /// Distance of neighbours along each axis, in elements.
    pub fn strides(&self) -> &[usize] {
        &self.inner.layout.strides
    }

    /// Number of axes; 0 for a scalar.
    pub fn rank(&self) -> usize {
        self.shape().len()
    }

    /// Number of elements.
    pub fn numel(&self) -> usize {
        self.inner.layout.numel()
    }

    /// Type of the elements.
    pub fn dtype(&self) -> DType {
        self.inner.dtype
    }

    /// Where the elements lie.
    pub fn device(&self) -> Device {
        self.inner.storage.device()
    }

    /// Whether the elements lie in row-major order without gaps.
    pub fn is_contiguous(&self) -> bool {
        self.inner.layout.is_contiguous()
    }

    /// The elements in row-major order.
    ///
    /// # Errors
    /// [`Error::UnsupportedDType`] when the tensor does not hold `T`s.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        Ok(self.detach().contiguous()?.as_slice::<T>()?.to_vec())
    }

    /// The only element of a tensor with one element.
    ///
    /// # Errors
    /// [`Error::UnsupportedDType`] for another type, [`Error::NotScalar`] for another number of elements.
    pub fn item<T: Element>(&self) -> Result<T> {
        if self.numel() != 1 {
            return Err(Error::NotScalar {
                shape: self.shape().to_vec(),
            });
        }
        Ok(self.storage_from_offset::<T>("item")?[0])
    }

    /// The elements of a contiguous tensor, without copying.
    ///
    /// # Errors
    /// [`Error::UnsupportedDType`] when the tensor does not hold `T`s, [`Error::NotContiguous`] for a strided view.
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        if !self.is_contiguous() {
            return Err(Error::NotContiguous {
                op: "as_slice",
                shape: self.shape().to_vec(),
            });
        }
        Ok(&self.storage_from_offset::<T>("as_slice")?[..self.numel()])
    }

    /// The storage from this view's first element on, for kernels that take strides.
    pub(crate) fn storage_from_offset<T: Element>(&self, op: &'static str) -> Result<&[T]> {
        if T::DTYPE != self.dtype() {
            return Err(Error::UnsupportedDType {
                op,
                got: self.dtype(),
                expected: T::DTYPE.name(),
            });
        }
        Ok(&self.inner.storage.view::<T>()[self.inner.layout.offset..])
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.inner.layout
    }

    /// Another view of the same storage, outside the gradient graph.
    pub(crate) fn view_as(&self, layout: Layout) -> Tensor {
        Tensor::from_parts(self.inner.storage.clone(), layout, self.dtype(), None)
    }
}

/// Gradients.
impl Tensor {
    /// The same elements outside the gradient graph.
    pub fn detach(&self) -> Tensor {
        match &self.inner.edge {
            None => self.clone(),
            Some(_) => self.view_as(self.inner.layout.clone()),
        }
    }

    /// The same elements as a tracked leaf: operations on it are recorded, and [`backward`](Tensor::backward)
    /// leaves its gradient in [`grad`](Tensor::grad). For trained values, [`Parameter`](crate::Parameter) does this.
    ///
    /// # Errors
    /// [`Error::UnsupportedDType`] when the elements are not floats.
    pub fn with_grad(&self) -> Result<Tensor> {
        if !self.dtype().is_float() {
            return Err(Error::UnsupportedDType {
                op: "with_grad",
                got: self.dtype(),
                expected: "a float type",
            });
        }
        Ok(self.with_edge(Edge::Leaf(Arc::new(Leaf::default()))))
    }

    /// The gradient that backward passes have left in this leaf, if any.
    pub fn grad(&self) -> Option<Tensor> {
        match &self.inner.edge {
            Some(Edge::Leaf(leaf)) => leaf.grad(),
            Some(Edge::Node(_)) | None => None,
        }
    }

    /// Whether operations on this tensor are recorded.
    pub fn is_tracked(&self) -> bool {
        self.inner.edge.is_some()
    }

    pub(crate) fn edge(&self) -> Option<&Edge> {
        self.inner.edge.as_ref()
    }

    pub(crate) fn with_edge(&self, edge: Edge) -> Tensor {
        let inner = &self.inner;
        Tensor::from_parts(
            inner.storage.clone(),
            inner.layout.clone(),
            inner.dtype,
            Some(edge),
        )
    }

    /// The elements, writable, when this is the only handle on contiguous memory; `None` otherwise.
    pub(crate) fn unshared_mut<T: Element>(&mut self) -> Option<&mut [T]> {
        let inner = Arc::get_mut(&mut self.inner)?;
        if inner.dtype != T::DTYPE || !inner.layout.is_contiguous() {
            return None;
        }
        let range = inner.layout.offset..inner.layout.offset + inner.layout.numel();
        Some(&mut Arc::get_mut(&mut inner.storage)?.view_mut::<T>()?[range])
    }
}

impl std::fmt::Debug for Tensor {
    /// Shape, type and the first elements.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        /// Enough to recognise a tensor by, short enough for one line.
        const SHOWN: usize = 8;
        let flat = self.detach().to_dtype(DType::F64).and_then(|t| t.to_vec::<f64>());
        let values = flat.map_err(|_| std::fmt::Error)?;
        write!(f, "Tensor {} {:?} ", self.dtype(), self.shape())?;
        f.debug_list().entries(values.iter().take(SHOWN)).finish()?;
        if values.len() > SHOWN {
            f.write_str(" …")
        } else {
            Ok(())
        }
    }
}

/// Whether `len` elements fill `shape`.
pub(crate) fn check_count(op: &'static str, shape: &[usize], len: usize) -> Result<()> {
    let expected = shape
        .iter()
        .try_fold(1usize, |n, &d| n.checked_mul(d))
        .unwrap_or(usize::MAX);
    if expected == len {
        return Ok(());
    }
    Err(Error::ElementCount {
        op,
        shape: shape.to_vec(),
        expected,
        got: len,
    })
}
