//! What the splitters give: folds, made one at a time.

use std::ops::Range;

use gradus_tensor::Rng;

use super::STREAM_REPEATS;

/// The rows of one fold, ascending on either side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// What is trained on.
    pub train: Vec<usize>,
    /// What is tested on.
    pub test: Vec<usize>,
}

/// All folds of a division. Four bytes a row whatever their number; [`get`](Self::get) makes a fold's lists when they
/// are wanted, so leaving each of ten thousand rows out once does not hold ten thousand lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folds {
    division: Division,
    scarce: Option<ScarceClass>,
}

/// A class with fewer rows than there are folds: some folds test none of it. scikit-learn warns of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScarceClass {
    /// The class, by its place among the sorted labels.
    pub class: usize,
    /// Its rows.
    pub rows: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Division {
    /// The fold that tests each row.
    Partition { fold_of: Vec<u32>, folds: usize },
    /// Rows in order of time, and what each fold takes of them.
    Windows {
        order: Vec<u32>,
        windows: Vec<(Range<usize>, Range<usize>)>,
    },
}

impl Folds {
    pub(super) fn partition(fold_of: Vec<u32>, folds: usize) -> Folds {
        Folds {
            division: Division::Partition { fold_of, folds },
            scarce: None,
        }
    }

    pub(super) fn windows(order: Vec<u32>, windows: Vec<(Range<usize>, Range<usize>)>) -> Folds {
        Folds {
            division: Division::Windows { order, windows },
            scarce: None,
        }
    }

    pub(super) fn with_scarce(self, scarce: Option<ScarceClass>) -> Folds {
        Folds { scarce, ..self }
    }

    /// Number of folds.
    pub fn len(&self) -> usize {
        match &self.division {
            Division::Partition { folds, .. } => *folds,
            Division::Windows { windows, .. } => windows.len(),
        }
    }

    /// Whether there are none; a splitter never gives that.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The smallest class with fewer rows than folds, of a stratified division.
    pub fn scarce_class(&self) -> Option<ScarceClass> {
        self.scarce
    }

    /// One fold.
    ///
    /// # Panics
    /// When there is no fold `index`.
    pub fn get(&self, index: usize) -> Fold {
        match &self.division {
            Division::Partition { fold_of, folds } => {
                assert!(index < *folds, "there is no fold {index}, there are {folds}");
                let (test, train) = (0..fold_of.len()).partition(|&row| fold_of[row] as usize == index);
                Fold { train, test }
            }
            Division::Windows { order, windows } => {
                let (train, test) = &windows[index];
                let rows = |range: &Range<usize>| {
                    let mut rows: Vec<usize> = order[range.clone()].iter().map(|&row| row as usize).collect();
                    rows.sort_unstable();
                    rows
                };
                Fold {
                    train: rows(train),
                    test: rows(test),
                }
            }
        }
    }

    /// The folds, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Fold> {
        (0..self.len()).map(|index| self.get(index))
    }
}

/// The seed of a repetition of a shuffled division: the seed itself for the first, so that one repetition is the
/// division without repetitions.
pub fn repeat_seed(seed: u64, repeat: usize) -> u64 {
    match repeat {
        0 => seed,
        _ => Rng::derive(seed, &[STREAM_REPEATS, repeat as u64]).next_u64(),
    }
}
