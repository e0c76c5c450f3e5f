//! Inputs in memory, as compact as they were read: a byte per pixel until a batch is assembled.

use std::ops::Range;

use gradus_kernels::pool::parallel_chunks_mut;
use gradus_kernels::rows::{gather_rows_f32, gather_rows_u8_affine};
use gradus_tensor::Tensor;

use crate::error::{Error, Result};
use crate::preprocess::ChannelAffine;

/// The stored inputs of all samples, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Features {
    /// Pixels `[n, channels, height, width]`, which `affine` turns into the model's numbers.
    U8 {
        /// Raw pixels from 0 to 255.
        pixels: Vec<u8>,
        /// Factors of each channel.
        affine: ChannelAffine,
    },
    /// The model's numbers themselves, `[n, inputs]`.
    F32(Vec<f32>),
}

/// Inputs without labels.
#[derive(Clone, PartialEq)]
pub struct Samples {
    features: Features,
    shape: Vec<usize>,
    len: usize,
}

impl Samples {
    /// `len` samples of `shape` each.
    ///
    /// # Errors
    /// When the features are not exactly `len` samples of that shape, or the channel factors do not match it.
    pub fn new(features: Features, shape: Vec<usize>, len: usize) -> Result<Samples> {
        let sample_len = shape
            .iter()
            .try_fold(1usize, |product, &size| product.checked_mul(size))
            .unwrap_or(0);
        let stored = match &features {
            Features::U8 { pixels, .. } => pixels.len(),
            Features::F32(values) => values.len(),
        };
        if sample_len.checked_mul(len) != Some(stored) || sample_len == 0 {
            return Err(Error::FeatureCount { shape, len, stored });
        }
        if let Features::U8 { affine, .. } = &features {
            let channels = shape[0];
            if affine.scale.len() != channels || affine.shift.len() != channels {
                return Err(Error::ChannelCount {
                    channels,
                    scale: affine.scale.len(),
                    shift: affine.shift.len(),
                });
            }
        }
        Ok(Samples { features, shape, len })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The shape of one: `[channels, height, width]`, or `[inputs]`.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Numbers in one.
    pub fn sample_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The stored inputs.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The raw pixels `[channels, height, width]` of a picture, for showing it; `None` for tables.
    ///
    /// # Panics
    /// When there is no sample `index`.
    pub fn pixels(&self, index: usize) -> Option<&[u8]> {
        match &self.features {
            Features::U8 { pixels, .. } => Some(&pixels[index * self.sample_len()..][..self.sample_len()]),
            Features::F32(_) => None,
        }
    }

    /// Writes the samples at `indices` as the model takes them to `out`, `[indices, ..shape]`. Nothing is allocated; a
    /// large batch is shared among the threads of the pool.
    ///
    /// # Panics
    /// When there is no such sample, or `out` has another length.
    pub fn gather(&self, indices: &[usize], out: &mut [f32]) {
        let sample_len = self.sample_len();
        assert_eq!(
            out.len(),
            indices.len() * sample_len,
            "bug: a batch buffer of the wrong length"
        );
        match &self.features {
            Features::F32(values) => gather_rows_f32(out, values, sample_len, indices),
            Features::U8 { pixels, affine } => match (affine.scale.as_slice(), affine.shift.as_slice()) {
                (&[scale], &[shift]) => gather_rows_u8_affine(out, pixels, indices, [scale, shift]),
                _ => parallel_chunks_mut(out, sample_len, |row, out| self.gather_one(indices[row], out)),
            },
        }
    }

    /// As [`gather`](Self::gather), on the calling thread alone: the compute pool stays free for others.
    pub(crate) fn gather_alone(&self, indices: &[usize], out: &mut [f32]) {
        for (&index, out) in indices.iter().zip(out.chunks_exact_mut(self.sample_len())) {
            self.gather_one(index, out);
        }
    }

    /// Writes one sample. The kernels share rows among threads, never one row.
    fn gather_one(&self, index: usize, out: &mut [f32]) {
        match &self.features {
            Features::F32(values) => gather_rows_f32(out, values, self.sample_len(), &[index]),
            Features::U8 { pixels, affine } => {
                let channels = affine.scale.len();
                let plane_len = out.len() / channels;
                let factors = affine.scale.iter().zip(&affine.shift);
                for ((channel, out), (&scale, &shift)) in
                    out.chunks_exact_mut(plane_len).enumerate().zip(factors)
                {
                    gather_rows_u8_affine(out, pixels, &[index * channels + channel], [scale, shift]);
                }
            }
        }
    }

    /// The samples of a range as the model takes them: f32 `[range, ..shape]`.
    ///
    /// # Panics
    /// When the range goes beyond the samples.
    pub fn tensor(&self, range: Range<usize>) -> Tensor {
        let indices: Vec<usize> = range.collect();
        Tensor::build(self.batch_shape(indices.len()), |out| self.gather(&indices, out))
    }

    /// `[batch, ..shape]`.
    pub(crate) fn batch_shape(&self, batch: usize) -> Vec<usize> {
        [&[batch], self.shape.as_slice()].concat()
    }

    /// Copies the samples at `indices`, in that order.
    pub(crate) fn select(&self, indices: &[usize]) -> Samples {
        let features = match &self.features {
            Features::U8 { pixels, affine } => {
                let pixels = select_rows(pixels, self.sample_len(), indices);
                Features::U8 {
                    pixels,
                    affine: affine.clone(),
                }
            }
            Features::F32(values) => Features::F32(select_rows(values, self.sample_len(), indices)),
        };
        Samples {
            features,
            shape: self.shape.clone(),
            len: indices.len(),
        }
    }
}

impl std::fmt::Debug for Samples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Samples")
            .field("len", &self.len)
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

/// Copies rows of `row_len` elements.
pub(crate) fn select_rows<T: Copy>(rows: &[T], row_len: usize, indices: &[usize]) -> Vec<T> {
    let mut selected = Vec::with_capacity(indices.len() * row_len);
    for &index in indices {
        selected.extend_from_slice(&rows[index * row_len..][..row_len]);
    }
    selected
}
