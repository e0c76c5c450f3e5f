//! Points drawn independently.

use super::super::trial::History;
use gradus_tensor::Rng;

/// Keeps this stream apart from the others of a seed.
const STREAM: u64 = 1;

pub(super) fn point(history: &History<'_>, number: u64) -> Vec<f64> {
    let mut rng = Rng::derive(history.seed, &[STREAM, number]);
    let parameters = history.space.parameters();
    parameters
        .iter()
        .map(|parameter| parameter.domain.at(rng.uniform()))
        .collect()
}
