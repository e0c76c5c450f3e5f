//! Labelled samples in memory.

use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::samples::{Features, Samples};
use crate::split::{StratifiedSplit, split_stratified};
use crate::targets::Targets;

/// Labelled samples in memory, ready to be drawn in batches.
#[derive(Debug)]
pub struct Dataset {
    samples: Samples,
    targets: Targets,
    fingerprint: OnceLock<String>,
}

impl Dataset {
    /// Samples with the index of each one's class.
    ///
    /// # Errors
    /// When there is not one label per sample, or a label is not an index into `label_names`.
    pub fn new(samples: Samples, labels: Vec<i64>, label_names: Vec<String>) -> Result<Dataset> {
        let targets = Targets::Classes {
            indices: labels,
            names: label_names,
        };
        Dataset::with_targets(samples, targets)
    }

    /// Samples with what each is labelled with.
    ///
    /// # Errors
    /// When there is not one target per sample, a class is not an index into the names, a flag is neither 0 nor 1, or a
    /// number is not finite once it is standardised.
    pub fn with_targets(samples: Samples, targets: Targets) -> Result<Dataset> {
        targets.check(samples.len())?;
        Ok(Dataset {
            samples,
            targets,
            fingerprint: OnceLock::new(),
        })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The inputs.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// The shape of one input: `[channels, height, width]`, or `[inputs]`.
    pub fn sample_shape(&self) -> &[usize] {
        self.samples.shape()
    }

    /// What the samples are labelled with.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// The class of each sample, an index into [`label_names`](Self::label_names); empty where there is no class to a
    /// sample (see [`targets`](Self::targets)).
    pub fn labels(&self) -> &[i64] {
        match &self.targets {
            Targets::Classes { indices, .. } => indices,
            Targets::Values { .. } | Targets::Labels { .. } => &[],
        }
    }

    /// Names of the classes, of the labels or of the regression's outputs: [`Targets::names`].
    pub fn label_names(&self) -> &[String] {
        self.targets.names()
    }

    /// Number of classes, labels or outputs, whether or not each occurs: what a model answers about a sample.
    pub fn num_classes(&self) -> usize {
        self.targets.names().len()
    }

    /// The raw pixels `[channels, height, width]` of a picture; `None` for tables.
    ///
    /// # Panics
    /// When there is no sample `index`.
    pub fn pixels(&self, index: usize) -> Option<&[u8]> {
        self.samples.pixels(index)
    }

    /// Copies the samples at `indices`, in that order.
    ///
    /// # Errors
    /// When there is no sample at one of them.
    pub fn subset(&self, indices: &[usize]) -> Result<Dataset> {
        if let Some(&index) = indices.iter().find(|&&index| index >= self.len()) {
            return Err(Error::NoSample {
                index,
                len: self.len(),
            });
        }
        Ok(Dataset {
            samples: self.samples.select(indices),
            targets: self.targets.select(indices),
            fingerprint: OnceLock::new(),
        })
    }

    /// Divides the indices of the samples so that `held_out` has the share `fraction` of each class, up to rounding; of
    /// all samples where there are no classes. The same seed gives the same split; both parts are in ascending order.
    ///
    /// # Errors
    /// When `fraction` is not from 0 to 1.
    pub fn split_stratified(&self, fraction: f64, seed: u64) -> Result<StratifiedSplit> {
        split_stratified(&self.targets.strata(), fraction, seed)
    }

    /// SHA-256 in hexadecimal over everything the samples hold: shape, stored inputs, channel factors, targets and
    /// names. It tells two data sets apart wherever they came from. Computed on first use, at about 1.5 GB/s.
    pub fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| self.compute_fingerprint())
    }

    /// A number for each sample, made of what the model sees of it and of its target: equal samples have equal numbers,
    /// and two different ones have the same in one of 2⁶⁴ cases. It is the first 8 bytes (little-endian) of the SHA-256 of
    /// the stored inputs, then the target, in little-endian order; computed at about 1 GB/s.
    pub fn sample_hashes(&self) -> Vec<u64> {
        let sample_len = self.samples.sample_len();
        let hash_of = |row: usize| {
            let mut hash = Sha256::new();
            let stored = row * sample_len..(row + 1) * sample_len;
            match self.samples.features() {
                Features::U8 { pixels, .. } => hash.update(&pixels[stored]),
                Features::F32(values) => {
                    // −0 and 0 are one input to every model.
                    let bytes = values[stored]
                        .iter()
                        .flat_map(|value| (value + 0.0).to_le_bytes());
                    hash.update(bytes.collect::<Vec<u8>>());
                }
            }
            hash.update(self.targets.sample_bytes(row));
            let digest = hash.finalize();
            let first: [u8; 8] = std::array::from_fn(|index| digest[index]);
            u64::from_le_bytes(first)
        };
        (0..self.len()).map(hash_of).collect()
    }

    fn compute_fingerprint(&self) -> String {
        let mut hash = Fields(Sha256::new());
        hash.field(
            "shape",
            self.sample_shape()
                .iter()
                .map(|&size| (size as u64).to_le_bytes()),
        );
        match self.samples.features() {
            Features::U8 { pixels, affine } => {
                hash.field("scale", affine.scale.iter().map(|value| value.to_le_bytes()));
                hash.field("shift", affine.shift.iter().map(|value| value.to_le_bytes()));
                hash.bytes("u8", pixels);
            }
            Features::F32(values) => hash.field("f32", values.iter().map(|value| value.to_le_bytes())),
        }
        match &self.targets {
            Targets::Classes { indices, .. } => {
                hash.field("labels", indices.iter().map(|label| label.to_le_bytes()));
            }
            Targets::Values { values, scales, .. } => {
                hash.field("values", values.iter().map(|value| value.to_le_bytes()));
                hash.field("mean", scales.iter().map(|scale| scale.mean.to_le_bytes()));
                hash.field("std", scales.iter().map(|scale| scale.std.to_le_bytes()));
            }
            Targets::Labels { flags, .. } => hash.bytes("flags", flags),
        }
        for name in self.targets.names() {
            hash.bytes("name", name.as_bytes());
        }
        hash.0
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// A hash of named fields, each preceded by its length, so that no two different data sets run together to the same
/// bytes.
struct Fields(Sha256);

impl Fields {
    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.header(name, bytes.len());
        self.0.update(bytes);
    }

    fn field<const N: usize>(&mut self, name: &str, items: impl ExactSizeIterator<Item = [u8; N]>) {
        self.header(name, items.len() * N);
        let mut block = Vec::with_capacity(1 << 14);
        for item in items {
            block.extend_from_slice(&item);
            if block.len() + N > block.capacity() {
                self.0.update(&block);
                block.clear();
            }
        }
        self.0.update(&block);
    }

    fn header(&mut self, name: &str, len: usize) {
        self.0.update((name.len() as u64).to_le_bytes());
        self.0.update(name.as_bytes());
        self.0.update((len as u64).to_le_bytes());
    }
}
