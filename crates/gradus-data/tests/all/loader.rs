//! The loader: which batches, in which order, by whom.

use std::sync::Arc;

use crate::support::pictures;
use gradus_data::{Batch, Dataset, Error, Features, Loader, LoaderConfig, Prefetch, Samples};
use proptest::prelude::*;

fn batches(loader: &Loader, epoch: u64, skip: usize) -> Vec<Batch> {
    loader.epoch(epoch, skip).map(|batch| batch.unwrap()).collect()
}

fn values(batch: &Batch) -> (Vec<f32>, Vec<i64>) {
    (batch.inputs.to_vec().unwrap(), batch.targets.to_vec().unwrap())
}

/// What a batch must hold, by the definition.
fn expected(dataset: &Dataset, indices: &[usize]) -> (Vec<f32>, Vec<i64>) {
    let Features::U8 { affine, .. } = dataset.samples().features() else {
        unreachable!()
    };
    let plane = dataset.sample_shape()[1..].iter().product::<usize>();
    let inputs = indices.iter().flat_map(|&index| {
        let pixels = dataset.pixels(index).unwrap().iter().enumerate();
        pixels.map(|(i, &pixel)| f32::from(pixel) * affine.scale[i / plane] + affine.shift[i / plane])
    });
    (
        inputs.collect(),
        indices.iter().map(|&index| dataset.labels()[index]).collect(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_route_gives_the_defined_batches(
        len in 1usize..60, batch_size in 1usize..20, seed: u64, epoch in 0u64..5, skip in 0usize..8,
        channels in prop::sample::select(vec![1usize, 3]), drop_last: bool,
    ) {
        prop_assume!(!drop_last || batch_size <= len);
        let dataset = Arc::new(pictures(len, [channels, 2, 3]));
        let config = LoaderConfig { shuffle_seed: Some(seed), drop_last, ..LoaderConfig::new(batch_size) };
        let mut all_routes = Vec::new();
        for prefetch in [Prefetch::Inline, Prefetch::Thread, Prefetch::Auto] {
            let loader = Loader::new(Arc::clone(&dataset), LoaderConfig { prefetch, ..config }).unwrap();
            let full = batches(&loader, epoch, 0);
            prop_assert_eq!(full.len(), loader.num_batches());
            for batch in &full {
                prop_assert_eq!(batch.inputs.shape(), &[batch.len(), channels, 2, 3]);
                prop_assert_eq!(values(batch), expected(&dataset, batch.indices()));
            }
            let resumed: Vec<_> = batches(&loader, epoch, skip).iter().map(values).collect();
            let full_values: Vec<_> = full.iter().map(values).collect();
            prop_assert_eq!(&resumed[..], &full_values[skip.min(full.len())..]);
            let mut seen: Vec<usize> = full.iter().flat_map(|batch| batch.indices().to_vec()).collect();
            seen.sort_unstable();
            seen.dedup();
            let drawn = if drop_last { len / batch_size * batch_size } else { len };
            prop_assert_eq!(seen.len(), drawn);
            all_routes.push(full_values);
        }
        prop_assert_eq!(&all_routes[0], &all_routes[1]);
        prop_assert_eq!(&all_routes[0], &all_routes[2]);
    }
}

#[test]
fn the_order_depends_on_seed_and_epoch_alone() {
    let dataset = Arc::new(pictures(50, [1, 2, 2]));
    let order = |seed, epoch| {
        let config = LoaderConfig {
            shuffle_seed: Some(seed),
            ..LoaderConfig::new(50)
        };
        batches(&Loader::new(Arc::clone(&dataset), config).unwrap(), epoch, 0)[0]
            .indices()
            .to_vec()
    };
    assert_eq!(order(1, 2), order(1, 2));
    assert_ne!(order(1, 2), order(1, 3));
    assert_ne!(order(1, 2), order(2, 2));
}

#[test]
fn without_a_seed_the_order_is_that_of_the_data() {
    let loader = Loader::new(Arc::new(pictures(5, [1, 2, 2])), LoaderConfig::new(2)).unwrap();
    let indices: Vec<Vec<usize>> = batches(&loader, 7, 0)
        .iter()
        .map(|batch| batch.indices().to_vec())
        .collect();
    assert_eq!(indices, [vec![0, 1], vec![2, 3], vec![4]]);
}

#[test]
fn large_batches_are_the_same_with_one_thread_and_with_more() {
    let dataset = Arc::new(pictures(300, [1, 28, 28]));
    let loader = Loader::new(
        dataset,
        LoaderConfig {
            shuffle_seed: Some(3),
            ..LoaderConfig::new(256)
        },
    )
    .unwrap();
    let draw = |threads| {
        gradus_kernels::pool::set_threads(threads);
        batches(&loader, 0, 0).iter().map(values).collect::<Vec<_>>()
    };
    assert_eq!(draw(1), draw(3));
}

#[test]
fn an_epoch_can_be_left_early() {
    let config = LoaderConfig {
        prefetch: Prefetch::Thread,
        ..LoaderConfig::new(1)
    };
    let loader = Loader::new(Arc::new(pictures(100, [1, 4, 4])), config).unwrap();
    for taken in 0..5 {
        assert_eq!(loader.epoch(0, 0).take(taken).count(), taken);
    }
}

#[test]
fn refuses_to_draw_nothing() {
    let dataset = Arc::new(pictures(3, [1, 2, 2]));
    let refuse = |config| Loader::new(Arc::clone(&dataset), config).unwrap_err();
    assert!(matches!(refuse(LoaderConfig::new(0)), Error::NoBatch { .. }));
    assert!(matches!(
        refuse(LoaderConfig {
            drop_last: true,
            ..LoaderConfig::new(4)
        }),
        Error::NoBatch { .. }
    ));
    let samples = Samples::new(Features::F32(vec![]), vec![2], 0).unwrap();
    let empty = Arc::new(Dataset::new(samples, vec![], vec![]).unwrap());
    assert!(matches!(
        Loader::new(empty, LoaderConfig::new(1)),
        Err(Error::NoBatch { samples: 0, .. })
    ));
}

#[test]
fn data_sets_made_by_hand_are_checked() {
    let samples = || Samples::new(Features::F32(vec![1.0, 2.0, 3.0, 4.0]), vec![2], 2).unwrap();
    let names = || vec!["a".to_owned(), "b".to_owned()];
    assert!(matches!(
        Samples::new(Features::F32(vec![1.0; 5]), vec![2], 2),
        Err(Error::FeatureCount { .. })
    ));
    assert!(matches!(
        Samples::new(Features::F32(vec![]), vec![usize::MAX, 2], 2),
        Err(Error::FeatureCount { .. })
    ));
    assert!(matches!(
        Dataset::new(samples(), vec![0], names()),
        Err(Error::LabelsPerSample { .. })
    ));
    assert!(matches!(
        Dataset::new(samples(), vec![0, 2], names()),
        Err(Error::LabelIndex {
            index: 1,
            label: 2,
            ..
        })
    ));
    let dataset = Dataset::new(samples(), vec![0, 1], names()).unwrap();
    let subset = dataset.subset(&[1, 1, 0]).unwrap();
    assert_eq!(subset.labels(), [1, 1, 0]);
    assert_eq!(
        subset.samples().tensor(0..3).to_vec::<f32>().unwrap(),
        [3.0, 4.0, 3.0, 4.0, 1.0, 2.0]
    );
    assert!(matches!(
        dataset.subset(&[2]),
        Err(Error::NoSample { index: 2, len: 2 })
    ));
}

#[test]
fn fingerprints_tell_contents_apart() {
    let dataset = pictures(4, [1, 2, 2]);
    assert_eq!(dataset.fingerprint(), pictures(4, [1, 2, 2]).fingerprint());
    assert_eq!(dataset.fingerprint().len(), 64);
    assert_ne!(
        dataset.fingerprint(),
        dataset.subset(&[0, 1, 3, 2]).unwrap().fingerprint()
    );
    assert_ne!(dataset.fingerprint(), pictures(4, [1, 1, 4]).fingerprint());
}
