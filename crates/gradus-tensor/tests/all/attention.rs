//! Attention at its edges, and the key-value cache against attention without one.

use crate::golden_file::{Case, GoldenFile};
use gradus_tensor::{AttentionOptions, CacheType, DType, Error, KvCache, KvCacheOptions, Tensor, no_grad};

/// Largest difference, relative to the largest output, between cached and uncached attention on standard noise: rounding
/// of sums; of bf16's 8 bits; of 8-bit integers, of the probabilities too.
const TOLERANCES: [(CacheType, f64); 3] = [
    (CacheType::F32, 2e-6),
    (CacheType::Bf16, 1.2e-2),
    (CacheType::Int8, 3e-2),
];

fn noise(shape: [usize; 4], seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 22) as f32 - 2.0
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
    Tensor::from_vec(values, shape).unwrap()
}

fn cache(cache_type: CacheType, [batch, kv_heads, head_dim]: [usize; 3]) -> KvCache {
    KvCache::new(KvCacheOptions {
        layers: 1,
        batch,
        kv_heads,
        head_dim,
        max_len: 200,
        cache_type,
    })
}

/// Feeds `q`, `k` and `v` through the cache in chunks that end at the given positions; gives the outputs joined.
fn chunked(
    cache: &mut KvCache,
    [q, k, v]: [&Tensor; 3],
    ends: &[usize],
    options: &AttentionOptions,
) -> Tensor {
    let mut outs = vec![];
    let mut start = cache.len();
    for &end in ends {
        let [q, k, v] = [q, k, v].map(|x| x.narrow(1, start, end - start).unwrap());
        let layer = &mut cache.layers_mut()[0];
        outs.push(q.attention_cached(&k, &v, layer, options).unwrap());
        start = end;
    }
    Tensor::cat(&outs, 1).unwrap()
}

fn worst(got: &Tensor, want: &Tensor) -> f64 {
    assert_eq!(got.shape(), want.shape());
    let numbers = |x: &Tensor| x.to_dtype(DType::F64).unwrap().to_vec::<f64>().unwrap();
    let (got, want) = (numbers(got), numbers(want));
    let largest = want.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
    got.iter()
        .zip(&want)
        .fold(0.0_f64, |worst, (got, want)| worst.max((got - want).abs()))
        / largest
}

#[test]
fn cached_attention_equals_uncached_for_every_cache_type_and_chunking() {
    let (len, sizes) = (150, [2, 2, 24]);
    let [q, k, v] = [(6, 1), (2, 2), (2, 3)].map(|(heads, seed)| noise([2, len, heads, 24], seed));
    let capped = AttentionOptions {
        window: Some(40),
        softcap: Some(3.0),
        ..AttentionOptions::causal()
    };
    for options in [AttentionOptions::causal(), capped] {
        let whole = q.attention(&k, &v, &options).unwrap();
        for (cache_type, tolerance) in TOLERANCES {
            let mut by_chunk = vec![];
            for ends in [vec![150], vec![37, 53, 149, 150], (1..=150).collect()] {
                let mut cache = cache(cache_type, sizes);
                let out = chunked(&mut cache, [&q, &k, &v], &ends, &options);
                let error = worst(&out, &whole);
                assert!(
                    error <= tolerance,
                    "{cache_type:?}, {} chunks: {error:e}",
                    ends.len()
                );
                by_chunk.push(out);
            }
            for other in &by_chunk[1..] {
                let error = worst(other, &by_chunk[0]);
                assert!(
                    error <= 2e-6,
                    "{cache_type:?}: chunking changes the result by {error:e}"
                );
            }
        }
    }
}

#[test]
fn a_truncated_cache_goes_on_from_the_common_beginning() {
    let options = AttentionOptions::causal();
    for (cache_type, _) in TOLERANCES {
        let [q, k, v] = [(3, 1), (3, 2), (3, 3)].map(|(heads, seed)| noise([1, 40, heads, 16], seed));
        let mut fresh = cache(cache_type, [1, 3, 16]);
        let want = chunked(&mut fresh, [&q, &k, &v], &[25, 40], &options)
            .narrow(1, 25, 15)
            .unwrap();
        let mut reused = cache(cache_type, [1, 3, 16]);
        let [other_q, other_k, other_v] = [4, 5, 6].map(|seed| noise([1, 10, 3, 16], seed));
        chunked(&mut reused, [&q, &k, &v], &[25], &options);
        let layer = &mut reused.layers_mut()[0];
        other_q
            .attention_cached(&other_k, &other_v, layer, &options)
            .unwrap();
        assert_eq!(reused.len(), 35);
        let bytes = reused.bytes();
        reused.truncate(25);
        reused.truncate(30);
        assert_eq!((reused.len(), reused.bytes()), (25, bytes));
        let got = chunked(&mut reused, [&q, &k, &v], &[40], &options);
        assert_eq!(got.to_vec::<f32>().unwrap(), want.to_vec::<f32>().unwrap());
    }
}

#[test]
fn sequences_padded_on_the_left_equal_the_same_sequences_alone() {
    let [q, k, v] = [1, 2, 3].map(|seed| noise([1, 20, 2, 16], seed));
    let alone = q.attention(&k, &v, &AttentionOptions::causal()).unwrap();
    let padded = |x: &Tensor| {
        let front = Tensor::full([1, 5, 2, 16], 9.0, DType::F32);
        Tensor::cat(&[front, x.clone()], 1).unwrap()
    };
    let options = AttentionOptions {
        first_key: Some(Tensor::full([1, 25], 5.0, DType::I64)),
        ..AttentionOptions::causal()
    };
    let mut cache = cache(CacheType::F32, [1, 2, 16]);
    let layer = &mut cache.layers_mut()[0];
    let out = padded(&q)
        .attention_cached(&padded(&k), &padded(&v), layer, &options)
        .unwrap();
    assert!(
        out.narrow(1, 0, 5)
            .unwrap()
            .to_vec::<f32>()
            .unwrap()
            .iter()
            .all(|&x| x == 0.0)
    );
    assert!(worst(&out.narrow(1, 5, 20).unwrap(), &alone) <= 2e-6);
}

#[test]
fn a_cache_says_what_it_takes_and_stops_at_its_limit() {
    let mut cache = cache(CacheType::Int8, [1, 2, 16]);
    assert_eq!((cache.bytes(), cache.len(), cache.is_empty()), (0, 0, true));
    let step = |cache: &mut KvCache, seq: usize| {
        let [q, k, v] = [1, 2, 3].map(|seed| noise([1, seq, 2, 16], seed));
        q.attention_cached(&k, &v, &mut cache.layers_mut()[0], &AttentionOptions::causal())
    };
    step(&mut cache, 130).unwrap();
    // A byte an element, and a scale of four a position, head and side; up to a line more.
    assert!(cache.bytes() <= 208 * 2 * 2 * (16 + 4) && cache.bytes() >= 130 * 2 * 2 * (16 + 4));
    let error = step(&mut cache, 71).unwrap_err();
    assert_eq!(
        error,
        Error::CacheFull {
            held: 130,
            added: 71,
            limit: 200
        }
    );
    step(&mut cache, 70).unwrap();
    assert_eq!(cache.len(), 200);
    let tracked = noise([1, 1, 2, 16], 1).with_grad().unwrap();
    cache.truncate(0);
    let layer = &mut cache.layers_mut()[0];
    let refused = tracked.attention_cached(&tracked, &tracked, layer, &AttentionOptions::causal());
    assert_eq!(
        refused.unwrap_err(),
        Error::NoGradient {
            op: "attention_cached"
        }
    );
    let _guard = no_grad();
    assert!(
        tracked
            .attention_cached(&tracked, &tracked, layer, &AttentionOptions::causal())
            .is_ok()
    );
    let narrow = noise([1, 1, 2, 8], 1);
    let refused = narrow.attention_cached(&narrow, &narrow, layer, &AttentionOptions::causal());
    assert!(matches!(refused, Err(Error::ShapeMismatch { .. })));
}

#[test]
fn branches_of_a_cache_continue_as_the_cache_itself_would() {
    for (cache_type, _) in TOLERANCES {
        // Beginnings that fill a group of keys, or do not.
        for held in [1, 15, 16, 37] {
            let one = [1, 2, 3].map(|seed| noise([1, held + 9, 2, 16], seed));
            let mut prefix = cache(cache_type, [1, 2, 16]);
            let read = |cache: &mut KvCache, [q, k, v]: &[Tensor; 3], from: usize, to: usize| {
                let [q, k, v] = [q, k, v].map(|x| x.narrow(1, from, to - from).unwrap());
                let layer = &mut cache.layers_mut()[0];
                q.attention_cached(&k, &v, layer, &AttentionOptions::causal())
                    .unwrap()
            };
            // More than is kept, so that what was forgotten must not come back.
            read(&mut prefix, &one, 0, held + 3);
            prefix.truncate(held);
            let mut branches = cache(cache_type, [3, 2, 16]);
            for _again in 0..2 {
                branches.branch(&prefix).unwrap();
                assert_eq!(branches.len(), held);
                let three = one
                    .each_ref()
                    .map(|x| Tensor::cat(&[x.clone(), x.clone(), x.clone()], 0).unwrap());
                let got = read(&mut branches, &three, held, held + 9);
                let want = read(&mut prefix, &one, held, held + 9);
                prefix.truncate(held);
                for branch in 0..3 {
                    let got = got.narrow(0, branch, 1).unwrap().to_vec::<f32>().unwrap();
                    assert_eq!(got, want.to_vec::<f32>().unwrap(), "{cache_type:?}, {held} held");
                }
            }
        }
    }
    let mut branches = cache(CacheType::F32, [2, 2, 16]);
    for other in [
        cache(CacheType::F32, [2, 2, 16]),
        cache(CacheType::F32, [1, 1, 16]),
        cache(CacheType::Bf16, [1, 2, 16]),
    ] {
        assert!(matches!(branches.branch(&other), Err(Error::InvalidShape { .. })));
    }
}

#[test]
fn queries_that_see_no_key_give_zeros_and_zero_gradients() {
    let options = AttentionOptions {
        key_lengths: Some(Tensor::from_vec(vec![0_i64, 2], [2]).unwrap()),
        ..AttentionOptions::default()
    };
    let [q, k, v] = [1, 2, 3].map(|seed| noise([2, 3, 2, 16], seed).with_grad().unwrap());
    let out = q.attention(&k, &v, &options).unwrap();
    let zeros = |x: &Tensor| {
        x.narrow(0, 0, 1)
            .unwrap()
            .to_vec::<f32>()
            .unwrap()
            .iter()
            .all(|&x| x == 0.0)
    };
    assert!(zeros(&out));
    out.sum_all().unwrap().backward().unwrap();
    for x in [&q, &k, &v] {
        let grad = x.grad().unwrap();
        assert!(zeros(&grad) && grad.to_vec::<f32>().unwrap().iter().all(|x| x.is_finite()));
    }
    let last = k
        .grad()
        .unwrap()
        .narrow(0, 1, 1)
        .unwrap()
        .narrow(1, 2, 1)
        .unwrap();
    assert!(
        last.to_vec::<f32>().unwrap().iter().all(|&x| x == 0.0),
        "padding has a gradient"
    );
}

#[test]
fn attention_of_nothing_is_nothing() {
    for shape in [[0, 3, 2, 4], [2, 0, 2, 4], [2, 3, 0, 4], [2, 3, 2, 0]] {
        let x = Tensor::ones(shape, DType::F32).with_grad().unwrap();
        let out = x.attention(&x, &x, &AttentionOptions::causal()).unwrap();
        assert_eq!(out.shape(), shape);
        out.sum_all().unwrap().backward().unwrap();
        assert_eq!(x.grad().unwrap().shape(), shape);
    }
    let (q, k) = (
        Tensor::ones([1, 2, 1, 4], DType::F32),
        Tensor::ones([1, 0, 1, 4], DType::F32),
    );
    let out = q.attention(&k, &k, &AttentionOptions::default()).unwrap();
    assert_eq!(out.to_vec::<f32>().unwrap(), [0.0; 8]);
}

#[test]
fn half_types_go_through_f32() {
    let [q, k, v] = [1, 2, 3].map(|seed| noise([1, 5, 2, 16], seed).to_dtype(DType::BF16).unwrap());
    let out = q.attention(&k, &v, &AttentionOptions::causal()).unwrap();
    let wide = [&q, &k, &v].map(|x| x.to_dtype(DType::F32).unwrap());
    let want = wide[0]
        .attention(&wide[1], &wide[2], &AttentionOptions::causal())
        .unwrap();
    let want = want.to_dtype(DType::BF16).unwrap();
    assert_eq!(
        out.to_vec::<gradus_tensor::bf16>().unwrap(),
        want.to_vec::<gradus_tensor::bf16>().unwrap()
    );
}

#[test]
fn misfits_are_errors_that_name_the_rule() {
    let ones = |shape: [usize; 4]| Tensor::ones(shape, DType::F32);
    let x = ones([1, 3, 4, 8]);
    let plain = AttentionOptions::default();
    for (q, k) in [
        ([1, 3, 4, 8], [1, 3, 3, 8]),
        ([1, 3, 4, 8], [2, 3, 4, 8]),
        ([1, 3, 4, 8], [1, 3, 4, 4]),
    ] {
        let result = ones(q).attention(&ones(k), &ones(k), &plain);
        assert!(
            matches!(result, Err(Error::ShapeMismatch { op: "attention", .. })),
            "{q:?} {k:?}"
        );
    }
    let shorter = ones([1, 2, 4, 8]);
    assert!(matches!(
        x.attention(&shorter, &shorter, &AttentionOptions::causal()),
        Err(Error::ShapeMismatch { .. })
    ));
    assert!(matches!(
        x.attention(&x, &shorter, &plain),
        Err(Error::ShapeMismatch { .. })
    ));
    let refused = |options: AttentionOptions| x.attention(&x, &x, &options).unwrap_err();
    let window = AttentionOptions {
        window: Some(0),
        ..AttentionOptions::default()
    };
    assert!(matches!(
        refused(window),
        Error::InvalidArgument { name: "window", .. }
    ));
    for softcap in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let options = AttentionOptions {
            softcap: Some(softcap),
            ..AttentionOptions::default()
        };
        assert!(matches!(
            refused(options),
            Error::InvalidArgument { name: "softcap", .. }
        ));
    }
    let floats = AttentionOptions {
        key_lengths: Some(Tensor::ones([1], DType::F32)),
        ..AttentionOptions::default()
    };
    assert!(matches!(refused(floats), Error::UnsupportedDType { .. }));
    let short = AttentionOptions {
        first_key: Some(Tensor::zeros([1, 2], DType::I64)),
        ..AttentionOptions::default()
    };
    assert!(matches!(refused(short), Error::ShapeMismatch { .. }));
}

/// Allowed error against PyTorch, absolute and relative: the answers are `f64` results rounded once to `f32`.
const GOLDEN: [(DType, [f64; 2]); 2] = [(DType::F32, [2e-6, 4e-6]), (DType::F64, [1e-9, 1.2e-7])];

#[test]
fn attention_equals_pytorch() {
    let golden = GoldenFile::open("attention.safetensors");
    for (dtype, tolerance) in GOLDEN {
        for case in golden.cases() {
            equals_pytorch(&golden, case, dtype, tolerance);
        }
    }
}

fn equals_pytorch(golden: &GoldenFile, case: &Case, dtype: DType, [absolute, relative]: [f64; 2]) {
    let number = |key: &str| case.has(key).then(|| case.number(key));
    let mask = |name: &str| {
        let name = case.inputs.iter().find(|input| input.ends_with(name));
        name.map(|name| golden.tensor(name))
    };
    let options = AttentionOptions {
        causal: case.flag("causal"),
        window: case.has("window").then(|| case.integer("window") as usize),
        scale: number("scale"),
        softcap: number("softcap"),
        first_key: mask(".first_key"),
        key_lengths: mask(".key_lengths"),
        ..AttentionOptions::default()
    };
    let wide = |name: &String| golden.tensor(name).to_dtype(dtype).unwrap();
    let [q, k, v] = [0, 1, 2].map(|i| wide(&case.inputs[i]).with_grad().unwrap());
    let out = q.attention(&k, &v, &options).unwrap();
    out.backward_with(&wide(&case.upstream[0])).unwrap();
    let got = [out, q.grad().unwrap(), k.grad().unwrap(), v.grad().unwrap()];
    let names = case.outputs.iter().chain(&case.grads);
    for (got, name) in got.iter().zip(names) {
        let numbers = |x: &Tensor| x.to_dtype(DType::F64).unwrap().to_vec::<f64>().unwrap();
        for (at, (got, want)) in numbers(got)
            .into_iter()
            .zip(numbers(&golden.tensor(name)))
            .enumerate()
        {
            let error = (got - want).abs();
            assert!(
                error <= absolute + relative * want.abs(),
                "{name}[{at}] {}: {got:e}, want {want:e}, off by {error:e}",
                case.attrs
            );
        }
    }
}
