//! A steady epoch allocates no tensor memory: the pool serves every batch. Alone in its file, because the pool's counts
//! belong to the process.

use std::sync::Arc;

use gradus_data::{ChannelAffine, Dataset, Features, Loader, LoaderConfig, Prefetch, Samples};
use gradus_tensor::pool_stats;

fn pictures(len: usize) -> Dataset {
    let affine = ChannelAffine {
        scale: vec![1.0],
        shift: vec![0.0],
    };
    let features = Features::U8 {
        pixels: vec![1; len * 784],
        affine,
    };
    let samples = Samples::new(features, vec![1, 28, 28], len).expect("784 pixels a sample");
    Dataset::new(samples, vec![0; len], vec!["only".to_owned()]).expect("one label a sample")
}

#[test]
fn steady_loading_allocates_no_tensor_memory() {
    let dataset = Arc::new(pictures(640));
    for prefetch in [Prefetch::Inline, Prefetch::Thread] {
        let config = LoaderConfig {
            shuffle_seed: Some(1),
            prefetch,
            ..LoaderConfig::new(64)
        };
        let loader = Loader::new(Arc::clone(&dataset), config).unwrap();
        loader.epoch(0, 0).for_each(|batch| drop(batch.unwrap()));
        // How far the thread runs ahead varies, so the first epochs may still add a buffer; then there are enough.
        let warm = (0..50).find(|&epoch| {
            let before = pool_stats().allocations;
            loader.epoch(epoch, 0).for_each(|batch| drop(batch.unwrap()));
            pool_stats().allocations == before
        });
        assert!(warm.is_some(), "{prefetch:?} keeps allocating");
        if prefetch == Prefetch::Inline {
            let before = pool_stats();
            (0..20).for_each(|epoch| loader.epoch(epoch, 0).for_each(|batch| drop(batch.unwrap())));
            let after = pool_stats();
            assert_eq!(after.allocations, before.allocations);
            assert!(after.reuses >= before.reuses + 20 * 2 * loader.num_batches() as u64);
        }
    }
}
