//! What samples are labelled with: a class, numbers, or any number of labels.

mod columns;
mod encoding;
mod labels;
mod values;

use gradus_tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::samples::select_rows;

pub(crate) use columns::{RawTargets, TargetColumns};
pub use encoding::{TargetEncoding, ValueColumn};
pub(crate) use labels::{Separated, flags_of_columns};
pub(crate) use values::values_of_columns;

/// What there is to learn about a sample: the `task` of a recipe's `[data]` and of a package's manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// Which one of several classes it belongs to.
    #[default]
    Classification,
    /// One number or several.
    Regression,
    /// Which of several labels apply to it: none, some or all.
    Multilabel,
}

impl TargetKind {
    /// All kinds.
    pub const ALL: [TargetKind; 3] = [
        TargetKind::Classification,
        TargetKind::Regression,
        TargetKind::Multilabel,
    ];

    /// Its name in recipes and manifests.
    pub fn name(self) -> &'static str {
        match self {
            TargetKind::Classification => "classification",
            TargetKind::Regression => "regression",
            TargetKind::Multilabel => "multilabel",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<TargetKind> {
        TargetKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// How a target's numbers become the numbers that a model learns: `(value − mean) / std`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TargetScale {
    /// Subtracted.
    pub mean: f64,
    /// Divided by; above 0.
    pub std: f64,
}

impl TargetScale {
    /// Leaves numbers as they are.
    pub const IDENTITY: TargetScale = TargetScale { mean: 0.0, std: 1.0 };

    /// A value in the target's unit as the model sees it.
    pub fn standardize(self, value: f64) -> f32 {
        ((value - self.mean) / self.std) as f32
    }

    /// What a model answered, in the target's unit.
    pub fn restore(self, output: f32) -> f64 {
        f64::from(output) * self.std + self.mean
    }
}

/// What the samples of a data set are labelled with, in their order.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// Each sample belongs to one class.
    Classes {
        /// The class of each sample, an index into `names`.
        indices: Vec<i64>,
        /// Names of the classes.
        names: Vec<String>,
    },
    /// Each sample has a number for each output.
    Values {
        /// `[n, outputs]`, in the targets' units.
        values: Vec<f64>,
        /// How each output's numbers are standardised for the model.
        scales: Vec<TargetScale>,
        /// Names of the outputs.
        names: Vec<String>,
    },
    /// Each label applies to a sample or does not.
    Labels {
        /// `[n, labels]`: 1 where the label applies, else 0.
        flags: Vec<u8>,
        /// Names of the labels.
        names: Vec<String>,
    },
}

impl Targets {
    /// What there is to learn.
    pub fn kind(&self) -> TargetKind {
        match self {
            Targets::Classes { .. } => TargetKind::Classification,
            Targets::Values { .. } => TargetKind::Regression,
            Targets::Labels { .. } => TargetKind::Multilabel,
        }
    }

    /// Names of the classes, the outputs or the labels: one for each number that a model answers with.
    pub fn names(&self) -> &[String] {
        match self {
            Targets::Classes { names, .. }
            | Targets::Values { names, .. }
            | Targets::Labels { names, .. } => names,
        }
    }

    /// Numbers of a sample in a batch: none but the class's index itself for classes.
    pub(crate) fn width(&self) -> usize {
        match self {
            Targets::Classes { .. } => 1,
            Targets::Values { names, .. } | Targets::Labels { names, .. } => names.len(),
        }
    }

    /// Stored numbers: [`width`](Self::width) for each sample.
    fn stored(&self) -> usize {
        match self {
            Targets::Classes { indices, .. } => indices.len(),
            Targets::Values { values, .. } => values.len(),
            Targets::Labels { flags, .. } => flags.len(),
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.stored() / self.width().max(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The classes that a division of the samples keeps the shares of; one for all where there are no classes.
    pub(crate) fn strata(&self) -> Vec<i64> {
        match self {
            Targets::Classes { indices, .. } => indices.clone(),
            Targets::Values { .. } | Targets::Labels { .. } => vec![0; self.len()],
        }
    }

    /// The target of one sample as bytes.
    pub(crate) fn sample_bytes(&self, row: usize) -> Vec<u8> {
        let width = self.width();
        let stored = row * width..(row + 1) * width;
        match self {
            Targets::Classes { indices, .. } => indices[row].to_le_bytes().to_vec(),
            Targets::Values { values, .. } => values[stored]
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            Targets::Labels { flags, .. } => flags[stored].to_vec(),
        }
    }

    /// Checks that these are targets of `samples` samples.
    pub(crate) fn check(&self, samples: usize) -> Result<()> {
        let width = self.width();
        if width == 0 {
            return Err(Error::NoTargets);
        }
        if samples.checked_mul(width) != Some(self.stored()) {
            return Err(Error::LabelsPerSample {
                samples,
                labels: self.stored() / width,
            });
        }
        match self {
            Targets::Classes { indices, names } => check_indices(indices, names.len()),
            Targets::Values {
                values,
                scales,
                names,
            } => values::check(values, scales, names),
            Targets::Labels { flags, names } => labels::check(flags, names),
        }
    }

    /// The targets of the samples at `rows` as a loss takes them: classes i64 `[rows]`, standardised numbers f32
    /// `[rows, outputs]`, labels f32 `[rows, labels]`.
    ///
    /// # Panics
    /// When there is no such sample.
    pub fn batch(&self, rows: &[usize]) -> Tensor {
        match self {
            Targets::Classes { indices, .. } => Tensor::build([rows.len()], |out: &mut [i64]| {
                for (target, &row) in out.iter_mut().zip(rows) {
                    *target = indices[row];
                }
            }),
            Targets::Values { values, scales, .. } => {
                self.gather(rows, |at, column| scales[column].standardize(values[at]))
            }
            Targets::Labels { flags, .. } => self.gather(rows, |at, _| f32::from(flags[at])),
        }
    }

    /// `[rows, width]` numbers, each made of its place in what is stored and of its column.
    fn gather(&self, rows: &[usize], number: impl Fn(usize, usize) -> f32) -> Tensor {
        let width = self.width();
        Tensor::build([rows.len(), width], |out: &mut [f32]| {
            for (out, &row) in out.chunks_exact_mut(width).zip(rows) {
                for (column, out) in out.iter_mut().enumerate() {
                    *out = number(row * width + column, column);
                }
            }
        })
    }

    /// The same, with numbers standardised so for the model; classes and labels have nothing to standardise.
    pub(crate) fn scaled(self, by: &[TargetScale]) -> Targets {
        match self {
            Targets::Values { values, names, .. } => Targets::Values {
                values,
                scales: by.to_vec(),
                names,
            },
            Targets::Classes { .. } | Targets::Labels { .. } => self,
        }
    }

    /// Copies those of the samples at `indices`, which must be there.
    pub(crate) fn select(&self, rows: &[usize]) -> Targets {
        let width = self.width();
        match self {
            Targets::Classes { indices, names } => Targets::Classes {
                indices: select_rows(indices, width, rows),
                names: names.clone(),
            },
            Targets::Values {
                values,
                scales,
                names,
            } => Targets::Values {
                values: select_rows(values, width, rows),
                scales: scales.clone(),
                names: names.clone(),
            },
            Targets::Labels { flags, names } => Targets::Labels {
                flags: select_rows(flags, width, rows),
                names: names.clone(),
            },
        }
    }
}

fn check_indices(indices: &[i64], classes: usize) -> Result<()> {
    let is_class = |label: &i64| (0..classes as i64).contains(label);
    match indices.iter().position(|label| !is_class(label)) {
        None => Ok(()),
        Some(index) => Err(Error::LabelIndex {
            index,
            label: indices[index],
            classes,
        }),
    }
}
