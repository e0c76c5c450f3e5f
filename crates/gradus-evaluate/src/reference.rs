//! What training data look like, for a server to compare live data with.

use gradus_data::{Dataset, Features, Preprocessing, Targets};
use gradus_package::{FeatureStatistics, Histogram, ReferenceStatistics};

/// Bins of a histogram. Edges are quantiles, so each holds about a twentieth of the values, wherever they lie: a
/// drift statistic over them is not blinded by one outlier.
const BINS: usize = 20;

/// Statistics of a data set in the model's input units: per input of a table, or per channel of pictures.
///
/// An empty data set has no features in its statistics.
pub fn reference_statistics(dataset: &Dataset, preprocessing: &Preprocessing) -> ReferenceStatistics {
    let features = match dataset.samples().features() {
        _ if dataset.is_empty() => Vec::new(),
        Features::U8 { pixels, affine } => {
            let plane_len = dataset.samples().sample_len() / affine.scale.len();
            let factors = affine.scale.iter().zip(&affine.shift).enumerate();
            let of_channel = |(channel, (&scale, &shift))| {
                let counts = channel_counts(pixels, [affine.scale.len(), plane_len], channel);
                let values = (0..=255u8).map(|pixel| f64::from(f32::from(pixel) * scale + shift));
                summarize(format!("channel_{channel}"), values.zip(counts).collect())
            };
            factors.map(of_channel).collect()
        }
        Features::F32(values) => {
            let width = dataset.samples().sample_len();
            let names = input_names(preprocessing, width).into_iter().enumerate();
            names
                .map(|(at, name)| summarize(name, weighted_column(values, width, at)))
                .collect()
        }
    };
    ReferenceStatistics {
        samples: dataset.len() as u64,
        features,
        class_fractions: class_fractions(dataset.targets()),
    }
}

fn input_names(preprocessing: &Preprocessing, width: usize) -> Vec<String> {
    match preprocessing {
        Preprocessing::Table(table) if table.width() == width => table.input_names(),
        Preprocessing::Table(_) | Preprocessing::Image(_) => {
            (0..width).map(|at| format!("input_{at}")).collect()
        }
    }
}

/// How often each pixel value occurs in one channel of `[n, channels, plane_len]`.
fn channel_counts(pixels: &[u8], [channels, plane_len]: [usize; 2], channel: usize) -> [u64; 256] {
    let mut counts = [0; 256];
    for plane in pixels.chunks_exact(plane_len).skip(channel).step_by(channels) {
        for &pixel in plane {
            counts[usize::from(pixel)] += 1;
        }
    }
    counts
}

/// A column of `[n, width]` as distinct values with their counts.
fn weighted_column(values: &[f32], width: usize, at: usize) -> Vec<(f64, u64)> {
    let mut column: Vec<f32> = values.iter().skip(at).step_by(width).copied().collect();
    column.sort_by(f32::total_cmp);
    let distinct = column.chunk_by(|a, b| a == b);
    distinct
        .map(|equal| (f64::from(equal[0]), equal.len() as u64))
        .collect()
}

/// Statistics of (value, count) pairs in ascending order of value, or descending where a scale is negative.
fn summarize(name: String, mut values: Vec<(f64, u64)>) -> FeatureStatistics {
    values.retain(|(_, count)| *count > 0);
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n = values.iter().map(|(_, count)| count).sum::<u64>() as f64;
    let mean = values
        .iter()
        .map(|(value, count)| value * *count as f64)
        .sum::<f64>()
        / n;
    let squares = values
        .iter()
        .map(|(value, count)| (value - mean).powi(2) * *count as f64);
    FeatureStatistics {
        name,
        mean,
        std: (squares.sum::<f64>() / n).sqrt(),
        min: values.first().map_or(f64::NAN, |first| first.0),
        max: values.last().map_or(f64::NAN, |last| last.0),
        histogram: histogram(&values),
    }
}

/// Counts between quantiles; `None` when all values are equal, as there is nothing between them.
fn histogram(values: &[(f64, u64)]) -> Option<Histogram> {
    let (first, last) = (values.first()?.0, values.last()?.0);
    let n: u64 = values.iter().map(|(_, count)| count).sum();
    let full = n.div_ceil(BINS as u64);
    let mut edges = vec![first];
    let mut in_bin = 0;
    for &(value, count) in values {
        if in_bin >= full && value < last {
            edges.push(value);
            in_bin = 0;
        }
        in_bin += count;
    }
    edges.push(last);
    let mut counts = vec![0; edges.len() - 1];
    for &(value, count) in values {
        let bin = edges[1..edges.len() - 1].partition_point(|&edge| edge <= value);
        counts[bin] += count;
    }
    (last > first).then_some(Histogram { edges, counts })
}

/// The share of the samples that each class has or each label applies to; empty for a regression.
fn class_fractions(targets: &Targets) -> Vec<f64> {
    let mut counts = vec![0u64; targets.names().len()];
    match targets {
        Targets::Classes { indices, .. } => indices.iter().for_each(|&class| counts[class as usize] += 1),
        Targets::Labels { flags, .. } => {
            for row in flags.chunks_exact(counts.len()) {
                counts
                    .iter_mut()
                    .zip(row)
                    .for_each(|(count, &flag)| *count += u64::from(flag));
            }
        }
        Targets::Values { .. } => return Vec::new(),
    }
    let samples = targets.len().max(1) as f64;
    counts.iter().map(|&count| count as f64 / samples).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_data::{ChannelAffine, ImagePreprocessing, Samples};

    fn pictures(pixels: Vec<u8>) -> (Dataset, Preprocessing) {
        let affine = ChannelAffine {
            scale: vec![0.5, -1.0],
            shift: vec![0.0, 10.0],
        };
        let len = pixels.len() / 4;
        let samples = Samples::new(Features::U8 { pixels, affine }, vec![2, 1, 2], len).unwrap();
        let labels = (0..len).map(|i| (i % 2) as i64).collect();
        let dataset = Dataset::new(samples, labels, vec!["a".into(), "b".into(), "c".into()]).unwrap();
        let (mean, std) = (vec![0.0; 2], vec![1.0; 2]);
        (
            dataset,
            Preprocessing::Image(ImagePreprocessing {
                shape: [2, 1, 2],
                scale: 1.0,
                mean,
                std,
            }),
        )
    }

    #[test]
    fn channels_are_summed_up_in_input_units() {
        let (dataset, preprocessing) = pictures(vec![0, 2, 10, 10, 4, 6, 10, 10]);
        let statistics = reference_statistics(&dataset, &preprocessing);
        assert_eq!(statistics.samples, 2);
        assert_eq!(statistics.class_fractions, [0.5, 0.5, 0.0]);
        let [first, second] = statistics.features.as_slice() else {
            panic!("{statistics:?}")
        };
        assert_eq!((first.min, first.max, first.mean), (0.0, 3.0, 1.5));
        assert!((first.std - 1.25f64.sqrt()).abs() < 1e-12);
        assert_eq!((second.mean, second.std), (0.0, 0.0));
        assert!(second.histogram.is_none());
    }

    #[test]
    fn histograms_hold_every_value_and_split_it_evenly() {
        let values: Vec<(f64, u64)> = (0..1000).map(|i| (f64::from(i).powi(3), 1)).collect();
        let histogram = histogram(&values).unwrap();
        assert_eq!(histogram.counts.len(), BINS);
        assert_eq!(histogram.counts, [50; BINS]);
        assert!(histogram.edges.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_value_that_dominates_gets_one_bin() {
        let mut values = vec![(0.0, 900)];
        values.extend((1..=100).map(|i| (f64::from(i), 1)));
        let histogram = histogram(&values).unwrap();
        assert_eq!(histogram.counts.iter().sum::<u64>(), 1000);
        assert_eq!(histogram.counts[0], 900);
        assert!(
            histogram.edges.windows(2).all(|pair| pair[0] < pair[1]),
            "{:?}",
            histogram.edges
        );
    }
}
