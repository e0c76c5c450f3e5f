//! Labelled samples in memory.

use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::samples::{Features, Samples};
use crate::split::{StratifiedSplit, split_stratified};

/// Labelled samples in memory, ready to be drawn in batches.
#[derive(Debug)]
pub struct Dataset {
    samples: Samples,
    labels: Vec<i64>,
    label_names: Vec<String>,
    fingerprint: OnceLock<String>,
}

impl Dataset {
    /// Samples with the index of each one's class.
    ///
    /// # Errors
    /// When there is not one label per sample, or a label is not an index into `label_names`.
    pub fn new(samples: Samples, labels: Vec<i64>, label_names: Vec<String>) -> Result<Dataset> {
        if labels.len() != samples.len() {
            return Err(Error::LabelsPerSample {
                samples: samples.len(),
                labels: labels.len(),
            });
        }
        let classes = label_names.len();
        if let Some(index) = labels
            .iter()
            .position(|label| !(0..classes as i64).contains(label))
        {
            return Err(Error::LabelIndex {
                index,
                label: labels[index],
                classes,
            });
        }
        Ok(Dataset {
            samples,
            labels,
            label_names,
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

    /// The class of each sample, an index into [`label_names`](Self::label_names).
    pub fn labels(&self) -> &[i64] {
        &self.labels
    }

    /// Names of the classes.
    pub fn label_names(&self) -> &[String] {
        &self.label_names
    }

    /// Number of classes, whether or not each occurs.
    pub fn num_classes(&self) -> usize {
        self.label_names.len()
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
        let labels = indices.iter().map(|&index| self.labels[index]).collect();
        Ok(Dataset {
            samples: self.samples.select(indices),
            labels,
            label_names: self.label_names.clone(),
            fingerprint: OnceLock::new(),
        })
    }

    /// Divides the indices of the samples so that `held_out` has the share `fraction` of each class, up to rounding.
    /// The same seed gives the same split; both parts are in ascending order.
    ///
    /// # Errors
    /// When `fraction` is not from 0 to 1.
    pub fn split_stratified(&self, fraction: f64, seed: u64) -> Result<StratifiedSplit> {
        split_stratified(&self.labels, fraction, seed)
    }

    /// SHA-256 in hexadecimal over everything the samples hold: shape, stored inputs, channel factors, labels and
    /// names. It tells two data sets apart wherever they came from. Computed on first use, at about 1.5 GB/s.
    pub fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| self.compute_fingerprint())
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
        hash.field("labels", self.labels.iter().map(|label| label.to_le_bytes()));
        for name in &self.label_names {
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
