//! Which of the rows that were read a model is scored on.

use std::path::Path;

use gradus_data::{Dataset, Split};
use gradus_evaluate::trained_rows::{RecordedPart, check_unseen, recorded_part};
use gradus_package::Package;

use super::output::grouped;

/// The rows of `dataset`, read from `data`, that are the part `split` of the model's training, where the training made
/// its parts of these very data, and which rows these are; else all of them, unless the model was trained on them.
pub(crate) fn rows_to_score(
    model: &Path,
    dataset: Dataset,
    data: &Path,
    split: Split,
    allow_trained_rows: bool,
) -> anyhow::Result<(Dataset, Option<Vec<usize>>)> {
    let package = Package::open(model)?;
    if let Some(RecordedPart { rows, dataset: part }) = recorded_part(&package, &dataset, data, split)? {
        let (scored, all) = (grouped(rows.len() as u64), grouped(dataset.len() as u64));
        super::output::say(format_args!(
            "scoring the {scored} {} rows that training divided off these {all}",
            split.name()
        ));
        return Ok((part, Some(rows)));
    }
    // Who asks for the training part by name knows what it is.
    if allow_trained_rows || split == Split::Train {
        return Ok((dataset, None));
    }
    if let Some(known) = check_unseen(&package, &dataset)?.filter(|known| known.known > 0) {
        let (known, rows) = (grouped(known.known as u64), grouped(known.rows as u64));
        super::output::say(format_args!(
            "note: {known} of {rows} rows equal a row that the model was trained on"
        ));
    }
    Ok((dataset, None))
}
