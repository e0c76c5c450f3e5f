//! Speed of products with quantised weights, on the shapes of a 135M and a 1B language model.
//!
//! `cargo run --release -p gradus-kernels --example quant_speed [decode|prefill|model|all] [THREADS] [FORMAT...]`
//!
//! `decode` multiplies one row and is bound by memory: GB/s of weights, beside a plain read of as many bytes in the
//! same minute. `prefill` multiplies many rows: GOP/s, beside the peak of the byte dot product. `model` runs all products of
//! one token, which is where hand-overs count.

use std::time::Instant;

use gradus_kernels::quant::{BlockType, Product, QuantizedMatrix, linear_quantized, linear_quantized_shared};
use gradus_kernels::{isa, pool};

/// A model's layers: width, width of keys and values, hidden width, vocabulary, layers.
struct Model {
    name: &'static str,
    width: usize,
    kv: usize,
    hidden: usize,
    vocabulary: usize,
    layers: usize,
}

const MODELS: [Model; 2] = [
    Model {
        name: "135M",
        width: 576,
        kv: 192,
        hidden: 1536,
        vocabulary: 49152,
        layers: 30,
    },
    Model {
        name: "1B",
        width: 2048,
        kv: 512,
        hidden: 8192,
        vocabulary: 32000,
        layers: 16,
    },
];

/// More than the last-level cache, so that a pass over this many bytes of weights comes from memory.
const STREAM_BYTES: usize = 256 << 20;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let what = args.first().map_or("all", String::as_str);
    if let Some(threads) = args.get(1).and_then(|arg| arg.parse().ok()) {
        pool::set_threads(threads);
    }
    let named: Vec<BlockType> = args.iter().filter_map(|arg| BlockType::from_name(arg)).collect();
    let formats = if named.is_empty() {
        BlockType::ALL.to_vec()
    } else {
        named
    };
    println!("{} on {} threads", isa::isa(), pool::threads());
    if matches!(what, "decode" | "all") {
        decode(&formats);
    }
    if matches!(what, "prefill" | "all") {
        prefill(&formats);
    }
    if matches!(what, "model" | "all") {
        formats
            .iter()
            .for_each(|&ty| MODELS.iter().for_each(|model| one_token(ty, model)));
    }
}

/// One row by weights that come from memory; the plain read is measured before and after each.
fn decode(formats: &[BlockType]) {
    println!(
        "{:6} {:>14} {:>9} {:>9} {:>9}",
        "format", "n x k", "ms", "GB/s", "of read"
    );
    let read = vec![1_u64; STREAM_BYTES / 8];
    for &ty in formats {
        for (n, k) in [(2048, 2048), (8192, 2048), (2048, 8192), (1536, 576), (576, 1536)] {
            let Some(bytes) = ty.row_bytes(k).map(|bytes| bytes * n) else {
                continue;
            };
            let matrices = vec![matrix(ty, n, k); STREAM_BYTES / bytes];
            let total: usize = matrices.iter().map(QuantizedMatrix::bytes).sum();
            let (x, mut out) = (noise(k), vec![0.0; n]);
            let (mut best, mut best_read) = (f64::INFINITY, f64::INFINITY);
            for _ in 0..5 {
                best_read = best_read.min(time(|| sum_in_parallel(&read)));
                best = best.min(time(|| {
                    matrices
                        .iter()
                        .for_each(|matrix| linear_quantized(&mut out, &x, 1, matrix, None));
                }));
            }
            let (rate, read_rate) = (total as f64 / best / 1e9, STREAM_BYTES as f64 / best_read / 1e9);
            println!(
                "{ty:6} {n:>7}x{k:<6} {:9.3} {rate:9.1} {:8.0}%",
                best / matrices.len() as f64 * 1e3,
                rate / read_rate * 100.0
            );
        }
    }
}

fn prefill(formats: &[BlockType]) {
    let peak = dot_peak();
    println!("peak of the byte dot product: {peak:.0} GOP/s");
    println!(
        "{:6} {:>18} {:>9} {:>9} {:>9}",
        "format", "rows x n x k", "ms", "GOP/s", "of peak"
    );
    for &ty in formats {
        for (rows, n, k) in [
            (512, 2048, 2048),
            (512, 8192, 2048),
            (512, 2048, 8192),
            (512, 1536, 576),
            (64, 2048, 2048),
            (8, 2048, 2048),
            (4, 2048, 2048),
            (2, 2048, 2048),
        ] {
            if ty.row_bytes(k).is_none() {
                continue;
            }
            let (weight, x, mut out) = (matrix(ty, n, k), noise(rows * k), vec![0.0; rows * n]);
            let best = best_of(|| linear_quantized(&mut out, &x, rows, &weight, None));
            let rate = 2.0 * (rows * n * k) as f64 / best / 1e9;
            println!(
                "{ty:6} {rows:>5}x{n:>6}x{k:<6} {:9.3} {rate:9.0} {:8.0}%",
                best * 1e3,
                rate / peak * 100.0
            );
        }
    }
}

/// All products of one token.
fn one_token(ty: BlockType, model: &Model) {
    let Model {
        width, kv, hidden, ..
    } = *model;
    if ty.row_bytes(width).is_none() {
        return;
    }
    let layer = || {
        let parts = [
            (width, width),
            (kv, width),
            (kv, width),
            (width, width),
            (hidden, width),
            (hidden, width),
            (width, hidden),
        ];
        parts.map(|(n, k)| matrix(ty, n, k))
    };
    let layers: Vec<[QuantizedMatrix; 7]> = (0..model.layers).map(|_| layer()).collect();
    let head = matrix(ty, model.vocabulary, width);
    let bytes = layers.iter().flatten().map(QuantizedMatrix::bytes).sum::<usize>() + head.bytes();
    let (x, h) = (noise(width), noise(hidden));
    let (mut q, mut k, mut v) = (vec![0.0; width], vec![0.0; kv], vec![0.0; kv]);
    let (mut gate, mut up, mut logits) = (vec![0.0; hidden], vec![0.0; hidden], vec![0.0; model.vocabulary]);
    let best = best_of(|| {
        for [wq, wk, wv, wo, wg, wu, wd] in &layers {
            linear_quantized_shared(
                &mut [product(&mut q, wq), product(&mut k, wk), product(&mut v, wv)],
                &x,
                1,
            );
            linear_quantized(&mut q, &x, 1, wo, None);
            linear_quantized_shared(&mut [product(&mut gate, wg), product(&mut up, wu)], &x, 1);
            linear_quantized(&mut q, &h, 1, wd, None);
        }
        linear_quantized(&mut logits, &x, 1, &head, None);
    });
    println!(
        "{:5} {ty:6} {:8.3} ms a token, {:7.1} tokens/s, {:.3} GB, {:.1} GB/s",
        model.name,
        best * 1e3,
        1.0 / best,
        bytes as f64 / 1e9,
        bytes as f64 / best / 1e9
    );
}

fn product<'a>(out: &'a mut [f32], weight: &'a QuantizedMatrix) -> Product<'a> {
    Product {
        out,
        weight,
        bias: None,
    }
}

/// Random blocks with scales around one hundredth.
fn matrix(ty: BlockType, n: usize, k: usize) -> QuantizedMatrix {
    let bytes = ty.row_bytes(n * k).unwrap_or_default();
    let mut state = 7_u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // High bytes of halves stay small, wherever they lie.
        (state >> 24) as u8 & 0x1f
    };
    let blocks: Vec<u8> = (0..bytes).map(|_| byte()).collect();
    QuantizedMatrix::from_blocks(ty, &blocks, n, k)
        .unwrap_or_else(|error| panic!("{ty} {n} x {k}: {error:?}"))
}

fn noise(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 37 % 255) as f32 / 128.0 - 1.0).collect()
}

/// What reading memory costs when nothing is done with it.
fn sum_in_parallel(words: &[u64]) {
    const PIECE: usize = 64 * 1024;
    pool::parallel_for(words.len() / PIECE, |i| {
        let sums = words[i * PIECE..][..PIECE]
            .chunks_exact(32)
            .fold([0_u64; 32], |mut sums, chunk| {
                sums.iter_mut().zip(chunk).for_each(|(sum, word)| *sum ^= word);
                sums
            });
        std::hint::black_box(sums);
    });
}

/// The best rate of the instruction behind the products, with all operands in registers or the first cache.
fn dot_peak() -> f64 {
    #[cfg(target_arch = "x86_64")]
    {
        if matches!(isa::isa(), isa::Isa::Avx512 { vnni: true, .. }) {
            const ROUNDS: usize = 20_000;
            let parts = pool::threads();
            // SAFETY: the machine has the features.
            let best = best_of(|| pool::parallel_for(parts, |_| unsafe { dots(ROUNDS) }));
            return (parts * ROUNDS * 12 * 128) as f64 / best / 1e9;
        }
    }
    f64::NAN
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn dots(rounds: usize) {
    use std::arch::x86_64::*;
    let mut sums = [_mm512_setzero_si512(); 12];
    let factors = std::hint::black_box([_mm512_set1_epi8(3), _mm512_set1_epi8(5)]);
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = _mm512_dpbusd_epi32(*sum, factors[0], factors[1]);
        }
    }
    std::hint::black_box(sums);
}

fn time(call: impl FnOnce()) -> f64 {
    let start = Instant::now();
    call();
    start.elapsed().as_secs_f64()
}

/// The best of several calls, which last at least a fifth of a second together.
fn best_of(mut call: impl FnMut()) -> f64 {
    call();
    let (start, mut best) = (Instant::now(), f64::INFINITY);
    while start.elapsed().as_secs_f64() < 0.2 {
        best = best.min(time(&mut call));
    }
    best
}
