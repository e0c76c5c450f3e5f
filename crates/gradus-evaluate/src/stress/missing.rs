//! Missing values.

use gradus_data::{TablePreprocessing, Transform};
use gradus_kernels::pool::parallel_chunks_mut;
use gradus_tensor::Rng;

use super::inputs::{Batch, Inputs};

/// Keeps its draws apart from those of other tests.
const STREAM: u64 = 2;

/// Loses each cell of a table with probability `share`; the model's preparation stands in for it as for any missing value. Of
/// pictures, each pixel becomes 0 in all its channels with that probability.
pub(super) fn apply(inputs: &Inputs<'_>, batch: &Batch, share: f64, seed: u64) -> Vec<f32> {
    let mut values = batch.values.clone();
    parallel_chunks_mut(&mut values, inputs.sample_len(), |row, sample| {
        let mut rng = Rng::derive(seed, &[STREAM, batch.indices[row] as u64]);
        let mut is_lost = || rng.uniform() < share;
        match (inputs.table(), inputs.picture_shape()) {
            (Some(table), _) => lose_cells(table, sample, &mut is_lost),
            (None, Some([channels, height, width])) => {
                let plane = height * width;
                for at in (0..plane).filter(|_| is_lost()) {
                    (0..channels).for_each(|channel| sample[channel * plane + at] = 0.0);
                }
            }
            (None, None) => {}
        }
    });
    values
}

fn lose_cells(table: &TablePreprocessing, mut rest: &mut [f32], is_lost: &mut dyn FnMut() -> bool) {
    for column in &table.columns {
        let (cell, after) = rest.split_at_mut(column.transform.width());
        if is_lost() {
            // As the preparation of tables encodes a missing value.
            match &column.transform {
                Transform::Numeric { mean, std, fill } => cell.fill(((fill - mean) / std) as f32),
                Transform::Categorical { .. } => cell.fill(0.0),
            }
        }
        rest = after;
    }
}
