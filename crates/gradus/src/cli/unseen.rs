//! Which of the rows that were read a model is scored on.

use std::path::Path;

use gradus_data::{Dataset, Split, load_labelled};
use gradus_evaluate::trained_rows::{RecordedPart, check_unseen, recorded_part, was_divided_off};
use gradus_package::Package;

use super::output::{grouped, say};

/// The flag of every command that scores a model.
#[derive(clap::Args, Clone, Copy)]
pub(crate) struct UnseenArgs {
    /// Score even on rows that the model was trained on, which says little about new ones.
    #[arg(long)]
    pub(crate) allow_trained_rows: bool,
}

/// What a model is to be scored on.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) data: &'a Path,
    pub(crate) split: Split,
    pub(crate) unseen: UnseenArgs,
}

/// The samples that a model is scored on.
pub(crate) struct Scored {
    pub(crate) dataset: Dataset,
    /// Which rows of the data they are; all of them where that is `None`.
    pub(crate) rows: Option<Vec<usize>>,
}

impl Wanted<'_> {
    /// The rows that are the wanted part of the model's training, where the training divided its parts off these very data;
    /// else all of them, unless the model was trained on them.
    pub(crate) fn rows_for(&self, package: &Package) -> anyhow::Result<Scored> {
        if let Some((part, all)) = self.recorded(package)? {
            let (scored, all) = (grouped(part.rows.len() as u64), grouped(all as u64));
            let name = self.split.name();
            say(format_args!(
                "scoring the {scored} {name} rows that training divided off these {all}"
            ));
            return Ok(Scored {
                dataset: part.dataset,
                rows: Some(part.rows),
            });
        }
        let dataset = self.read(package, self.split)?;
        self.check(package, &dataset)?;
        Ok(Scored { dataset, rows: None })
    }

    /// The same rows for two models: those that neither was trained on, as far as their packages tell.
    pub(crate) fn rows_for_both(&self, packages: [&Package; 2]) -> anyhow::Result<[Scored; 2]> {
        let [a, b] = packages.map(|package| self.recorded(package));
        let rows = match (a?, b?) {
            (None, None) => None,
            (Some((part, _)), None) | (None, Some((part, _))) => Some(part.rows),
            (Some((a, _)), Some((b, _))) => Some(in_both(&a.rows, &b.rows)),
        };
        if rows.as_ref().is_some_and(Vec::is_empty) {
            anyhow::bail!(
                "the models' trainings divided these data differently, and no row is among the {} rows of both; compare \
                 them on data of its own",
                self.split.name()
            );
        }
        let of = |package: &Package| -> anyhow::Result<Scored> {
            // Rows are numbered in what the parts were divided off.
            let source = if rows.is_some() { Split::Train } else { self.split };
            let mut dataset = self.read(package, source)?;
            if let Some(rows) = &rows {
                dataset = dataset.subset(rows)?;
            }
            self.check(package, &dataset)?;
            Ok(Scored {
                dataset,
                rows: rows.clone(),
            })
        };
        let [a, b] = packages.map(of);
        Ok([a?, b?])
    }

    /// The wanted part of a model's training among the data, and how many rows these have.
    fn recorded(&self, package: &Package) -> anyhow::Result<Option<(RecordedPart, usize)>> {
        if !was_divided_off(package, self.split) {
            return Ok(None);
        }
        // What cannot be read as the training data are other data.
        let Ok(whole) = self.read(package, Split::Train) else {
            return Ok(None);
        };
        let found = recorded_part(package, &whole, self.data, self.split)?;
        Ok(found.map(|part| (part, whole.len())))
    }

    fn read(&self, package: &Package, split: Split) -> anyhow::Result<Dataset> {
        let manifest = package.manifest();
        let preprocessing = manifest
            .preprocessing
            .as_ref()
            .ok_or(gradus_evaluate::Error::NoPreprocessing)?;
        Ok(load_labelled(
            self.data,
            split,
            preprocessing,
            &manifest.signature.labels,
        )?)
    }

    /// Refuses rows that the model was trained on, and says how many are known where they may be scored.
    fn check(&self, package: &Package, dataset: &Dataset) -> anyhow::Result<()> {
        // Who asks for the training part by name knows what it is.
        if self.unseen.allow_trained_rows || self.split == Split::Train {
            return Ok(());
        }
        match check_unseen(package, dataset)? {
            Some(found) => say(format_args!(
                "{} of {} rows equal a row that the model was trained on; chance explains about {}",
                grouped(found.known as u64),
                grouped(found.rows as u64),
                grouped(found.expected() as u64)
            )),
            None => {
                say("note: the package does not tell which rows it was trained on; they may be among these")
            }
        }
        Ok(())
    }
}

/// Rows, ascending, that are in both of two lists of such.
fn in_both(a: &[usize], b: &[usize]) -> Vec<usize> {
    a.iter()
        .copied()
        .filter(|row| b.binary_search(row).is_ok())
        .collect()
}
