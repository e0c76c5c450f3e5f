//! From a tensor as the program describes it to one over the bytes of its storage.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use gradus_tensor::{Element, MappedFile, Tensor, bf16, f16};

use crate::foreign::ForeignTensor;
use crate::foreign::narrow::NarrowType;
use crate::foreign::pickle::PickleProblem;
use crate::foreign::pickle::value::{TensorRef, TorchType};
use crate::foreign::pickle::zip::Archive;

/// How many times the file's length all copied tensors together may take. Widening takes at most four times a
/// storage's bytes; more comes only of views that repeat a storage.
const MAX_UNFOLDING: usize = 4;

/// All tensors over their storages, in order of name.
pub(super) fn tensors(
    file: &Arc<MappedFile>,
    archive: &Archive<'_>,
    state: BTreeMap<&str, TensorRef<'_>>,
) -> Result<Vec<ForeignTensor>, PickleProblem> {
    let mut reader = Reader {
        file,
        archive,
        copied_bytes: 0,
    };
    let read = |(name, tensor)| Ok(ForeignTensor::plain(name, reader.read(name, &tensor)?));
    state.into_iter().map(read).collect()
}

struct Reader<'a> {
    file: &'a Arc<MappedFile>,
    archive: &'a Archive<'a>,
    copied_bytes: usize,
}

impl Reader<'_> {
    fn read(&mut self, name: &str, tensor: &TensorRef<'_>) -> Result<Tensor, PickleProblem> {
        let storage = self.archive.storage(tensor.storage.key)?;
        match tensor.dtype {
            TorchType::F64 => self.wide::<f64>(name, tensor, storage),
            TorchType::F32 => self.wide::<f32>(name, tensor, storage),
            TorchType::F16 => self.wide::<f16>(name, tensor, storage),
            TorchType::BF16 => self.wide::<bf16>(name, tensor, storage),
            TorchType::I64 => self.wide::<i64>(name, tensor, storage),
            TorchType::I8 => self.wide::<i8>(name, tensor, storage),
            TorchType::U8 => self.wide::<u8>(name, tensor, storage),
            TorchType::I32 => self.narrow::<4>(name, tensor, storage, NarrowType::I32),
            TorchType::I16 => self.narrow::<2>(name, tensor, storage, NarrowType::I16),
            TorchType::Bool => self.narrow::<1>(name, tensor, storage, NarrowType::Bool),
            TorchType::Other(dtype) => Err(PickleProblem::DType {
                tensor: name.to_owned(),
                dtype: dtype.to_owned(),
            }),
        }
    }

    /// A tensor of the stored type: a view of the file where rows follow each other.
    fn wide<T: Element>(
        &mut self,
        name: &str,
        tensor: &TensorRef<'_>,
        storage: Range<usize>,
    ) -> Result<Tensor, PickleProblem> {
        let view = View::new(name, tensor, storage.len(), size_of::<T>())?;
        let start = storage.start + view.offset * size_of::<T>();
        let failed = |source| PickleProblem::Tensor {
            tensor: name.to_owned(),
            source: Box::new(source),
        };
        if view.is_contiguous() {
            if !start.is_multiple_of(align_of::<T>()) {
                self.count_copy(view.numel() * size_of::<T>())?;
            }
            return Tensor::from_mapped::<T>(self.file, start, &view.shape).map_err(failed);
        }
        self.count_copy(view.numel() * size_of::<T>())?;
        let bytes = &self.file.bytes()[start..storage.end];
        Ok(Tensor::build(&view.shape, |out: &mut [T]| {
            let out = bytemuck::cast_slice_mut::<T, u8>(out);
            view.gather(bytes, size_of::<T>(), out);
        }))
    }

    /// A tensor of a type that must be widened, `N` bytes an element.
    fn narrow<const N: usize>(
        &mut self,
        name: &str,
        tensor: &TensorRef<'_>,
        storage: Range<usize>,
        kind: NarrowType,
    ) -> Result<Tensor, PickleProblem> {
        let view = View::new(name, tensor, storage.len(), N)?;
        self.count_copy(view.numel() * size_of::<i64>())?;
        let mut packed = vec![0; view.numel() * N];
        view.gather(&self.file.bytes()[storage][view.offset * N..], N, &mut packed);
        Ok(kind.widen(&packed, &view.shape))
    }

    fn count_copy(&mut self, bytes: usize) -> Result<(), PickleProblem> {
        let length = self.file.bytes().len();
        self.copied_bytes = self.copied_bytes.saturating_add(bytes);
        if self.copied_bytes > length.saturating_mul(MAX_UNFOLDING) {
            return Err(PickleProblem::Unfolds { bytes: length });
        }
        Ok(())
    }
}

/// A strided view that lies within its storage.
struct View {
    /// In elements.
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl View {
    /// Checks a described tensor against its storage: no element may lie outside, and there may be no more elements
    /// than the storage has.
    fn new(
        name: &str,
        tensor: &TensorRef<'_>,
        storage_bytes: usize,
        element_bytes: usize,
    ) -> Result<View, PickleProblem> {
        View::checked(tensor, storage_bytes / element_bytes).ok_or_else(|| PickleProblem::Extent {
            tensor: name.to_owned(),
            shape: tensor.shape.clone(),
            strides: tensor.strides.clone(),
            offset: tensor.offset,
            bytes: storage_bytes,
        })
    }

    fn checked(tensor: &TensorRef<'_>, available: usize) -> Option<View> {
        let positive = |numbers: &[i64]| -> Option<Vec<usize>> {
            numbers
                .iter()
                .map(|&number| usize::try_from(number).ok())
                .collect()
        };
        let (shape, strides) = (positive(&tensor.shape)?, positive(&tensor.strides)?);
        let offset = usize::try_from(tensor.offset).ok()?;
        // Behind a length of zero, the other lengths must still be countable.
        let lengths = shape.iter().filter(|&&length| length > 0);
        let product = lengths.copied().try_fold(1usize, usize::checked_mul)?;
        product.checked_mul(size_of::<f64>())?;
        if shape.len() != strides.len() || offset > available {
            return None;
        }
        if !shape.contains(&0) {
            let mut last = offset;
            for (&length, &stride) in shape.iter().zip(&strides) {
                last = last.checked_add((length - 1).checked_mul(stride)?)?;
            }
            if last >= available || product > available {
                return None;
            }
        }
        Some(View {
            offset,
            shape,
            strides,
        })
    }

    fn numel(&self) -> usize {
        self.shape.iter().product()
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        let axes = self.shape.iter().zip(&self.strides).rev();
        self.shape.contains(&0)
            || axes.fold(true, |so_far, (&length, &stride)| {
                let fits = length == 1 || stride == expected;
                expected *= length;
                so_far && fits
            })
    }

    /// Copies the elements in row-major order; `bytes` begin at the view's first element.
    fn gather(&self, bytes: &[u8], element_bytes: usize, out: &mut [u8]) {
        let mut index = vec![0; self.shape.len()];
        for out in out.chunks_exact_mut(element_bytes) {
            let at: usize = index
                .iter()
                .zip(&self.strides)
                .map(|(i, stride)| i * stride)
                .sum();
            out.copy_from_slice(&bytes[at * element_bytes..(at + 1) * element_bytes]);
            for (i, &length) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < length {
                    break;
                }
                *i = 0;
            }
        }
    }
}
