//! Speed of the matrix products on shapes named for their use, in f32 and in bf16, against the `gemm` crate on one thread
//! and the naive loop; then of products with few rows, which stream a weight from memory.
//!
//! `cargo run --release -p gradus-kernels --example gemm_speed [THREADS] [PART OF A NAME]`

use std::hint::black_box;
use std::time::{Duration, Instant};

use gradus_kernels::gemm::{
    Epilogue, MatRef, PackedBf16, PackedF32, gemm_bf16, gemm_f32, gemm_packed_bf16, gemm_packed_f32,
};
use gradus_kernels::{isa, pool};
use half::bf16;

/// A product by use: name, m, k, n, and whether A and B are stored transposed.
struct Shape(&'static str, usize, usize, usize, bool, bool);

/// The network of the quickstart at its two batch sizes, transformer layers, and large squares.
const SHAPES: &[Shape] = &[
    Shape("mlp hidden forward, batch 64", 64, 784, 128, false, true),
    Shape("mlp hidden d_weight, batch 64", 128, 64, 784, true, false),
    Shape("mlp logits forward, batch 64", 64, 128, 10, false, true),
    Shape("mlp logits d_input, batch 64", 64, 10, 128, false, false),
    Shape("mlp logits d_weight, batch 64", 10, 64, 128, true, false),
    Shape("mlp hidden forward, batch 256", 256, 784, 128, false, true),
    Shape("mlp hidden d_weight, batch 256", 128, 256, 784, true, false),
    Shape("mlp logits forward, batch 256", 256, 128, 10, false, true),
    Shape("mlp logits d_input, batch 256", 256, 10, 128, false, false),
    Shape("mlp logits d_weight, batch 256", 10, 256, 128, true, false),
    Shape("mlp hidden forward, one row", 1, 784, 128, false, true),
    Shape("mlp hidden forward, 2 rows", 2, 784, 128, false, true),
    Shape("mlp hidden forward, 4 rows", 4, 784, 128, false, true),
    Shape("mlp hidden forward, 8 rows", 8, 784, 128, false, true),
    Shape("mlp hidden forward, 16 rows", 16, 784, 128, false, true),
    Shape("matrix times vector", 2048, 2048, 1, false, false),
    Shape("vector times matrix", 1, 2048, 2048, false, false),
    Shape("gpt qkv forward, width 384", 3072, 384, 1152, false, true),
    Shape("gpt attention out, width 384", 3072, 384, 384, false, true),
    Shape("gpt mlp up, width 384", 3072, 384, 1536, false, true),
    Shape("gpt mlp up d_input, width 384", 3072, 1536, 384, false, false),
    Shape("gpt mlp up d_weight, width 384", 1536, 3072, 384, true, false),
    Shape("gpt logits, 65 characters", 3072, 384, 65, false, true),
    Shape("gpt mlp up, width 128", 768, 128, 512, false, true),
    Shape("gpt mlp up d_input, width 128", 768, 512, 128, false, false),
    Shape("gpt mlp up d_weight, width 128", 512, 768, 128, true, false),
    Shape("gpt mlp up, width 768", 1024, 768, 3072, false, true),
    Shape("gpt mlp up d_input, width 768", 1024, 3072, 768, false, false),
    Shape("gpt mlp up d_weight, width 768", 3072, 1024, 768, true, false),
    Shape("gpt logits, width 768", 1024, 768, 50304, false, true),
    Shape("gpt logits d_input, width 768", 1024, 50304, 768, false, false),
    Shape("gpt logits d_weight, width 768", 50304, 1024, 768, true, false),
    Shape("prefill 512, mlp up, width 2048", 512, 2048, 8192, false, true),
    Shape("prefill 512, mlp up, width 576", 512, 576, 1536, false, true),
    Shape("square 2048", 2048, 2048, 2048, false, false),
];

/// Weights `[out, in]` that decoding streams: a feed-forward layer and a vocabulary.
const WEIGHTS: &[(&str, usize, usize)] = &[
    ("decode, mlp up, width 2048", 8192, 2048),
    ("decode, logits, width 2048", 32000, 2048),
    ("decode, mlp up, width 576", 1536, 576),
];

/// Bytes of weights that are read before one is read again: more than the caches hold.
const STREAMED_BYTES: usize = 256 << 20;

fn main() {
    let (mut threads, mut part) = (None, String::new());
    for arg in std::env::args().skip(1) {
        match arg.parse() {
            Ok(number) => threads = Some(number),
            Err(_) => part = arg,
        }
    }
    if let Some(threads) = threads {
        pool::set_threads(threads);
    }
    println!("{} on {} threads", isa::isa(), pool::threads());
    println!(
        "{:32} {:>10} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "GFLOP/s", "f32, us", "f32", "packed", "bf16", "packed", "crate", "naive"
    );
    SHAPES
        .iter()
        .filter(|shape| shape.0.contains(&part))
        .for_each(report);
    println!(
        "\n{:32} {:>5} {:>10} {:>10} {:>10} {:>10}",
        "GB/s of weights", "rows", "f32", "packed", "bf16", "packed"
    );
    WEIGHTS
        .iter()
        .filter(|weight| weight.0.contains(&part))
        .for_each(stream);
}

fn report(&Shape(name, m, k, n, a_transposed, b_transposed): &Shape) {
    let (a, b) = (fill(m * k, 1), fill(k * n, 2));
    let mut out = vec![0.0; m * n];
    let view = |data, rows, cols, transposed| match transposed {
        true => MatRef::row_major(data, cols, rows).t(),
        false => MatRef::row_major(data, rows, cols),
    };
    let (a, b) = (view(&a, m, k, a_transposed), view(&b, k, n, b_transposed));
    let gflops = |time: Duration| 2.0 * (m * n * k) as f64 / time.as_secs_f64() / 1e9;
    let plain = Epilogue::default();
    let ours = median(|| gemm_f32(&mut out, a, b, false, plain));
    let narrow = median(|| gemm_bf16(&mut out, a.into(), b.into(), false, plain));
    let packed = PackedF32::new(b);
    let packed = median(|| gemm_packed_f32(&mut out, a, &packed, false, plain));
    let narrow_packed = PackedBf16::new(b.into());
    let narrow_packed = median(|| gemm_packed_bf16(&mut out, a.into(), &narrow_packed, false, plain));
    let slow = |most: usize, run: &mut dyn FnMut()| match m * n * k > most {
        true => f64::NAN,
        false => gflops(median(run)),
    };
    println!(
        "{name:32} {:10.2} {:8.1} {:8.1} {:8.1} {:8.1} {:8.1} {:8.1}",
        ours.as_secs_f64() * 1e6,
        gflops(ours),
        gflops(packed),
        gflops(narrow),
        gflops(narrow_packed),
        slow(1 << 34, &mut || by_crate(&mut out, a, b)),
        slow(1 << 26, &mut || by_definition(&mut out, a, b)),
    );
}

/// Products of 1 to 4 rows with weights that are not in a cache.
fn stream(&(name, out_features, in_features): &(&str, usize, usize)) {
    let len = out_features * in_features;
    let weight = fill(len, 2);
    let rounded: Vec<bf16> = weight.iter().copied().map(bf16::from_f32).collect();
    let view = MatRef::row_major(&weight, out_features, in_features).t();
    let wide = vec![weight.clone(); (STREAMED_BYTES / (4 * len)).max(1)];
    let narrow = vec![rounded; (STREAMED_BYTES / (2 * len)).max(1)];
    let wide_packed = vec![PackedF32::new(view); wide.len()];
    let narrow_packed = vec![PackedBf16::new(view.into()); narrow.len()];
    let plain = Epilogue::default();
    for rows in 1..=4 {
        let x = fill(rows * in_features, 1);
        let x = MatRef::row_major(&x, rows, in_features);
        let mut out = vec![0.0; rows * out_features];
        let rate = |bytes: usize, time: Duration| bytes as f64 / time.as_secs_f64() / 1e9;
        let f32_bytes = 4 * len * wide.len();
        let bf16_bytes = 2 * len * narrow.len();
        let in_place = median(|| {
            for weight in &wide {
                let weight = MatRef::row_major(weight, out_features, in_features).t();
                gemm_f32(&mut out, x, weight, false, plain);
            }
        });
        let packed = median(|| {
            for weight in &wide_packed {
                gemm_packed_f32(&mut out, x, weight, false, plain);
            }
        });
        let narrow_in_place = median(|| {
            for weight in &narrow {
                let weight = MatRef::row_major(weight, out_features, in_features).t();
                gemm_bf16(&mut out, x.into(), weight.into(), false, plain);
            }
        });
        let narrow_packed = median(|| {
            for weight in &narrow_packed {
                gemm_packed_bf16(&mut out, x.into(), weight, false, plain);
            }
        });
        println!(
            "{name:32} {rows:5} {:10.1} {:10.1} {:10.1} {:10.1}",
            rate(f32_bytes, in_place),
            rate(f32_bytes, packed),
            rate(bf16_bytes, narrow_in_place),
            rate(bf16_bytes, narrow_packed),
        );
    }
}

fn fill(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let next = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..len).map(|_| next(&mut state)).collect()
}

/// Median time of a call, of samples that each last at least 2 ms: 15, or as many as half a second allows.
fn median(mut call: impl FnMut()) -> Duration {
    let start = Instant::now();
    call();
    let rounds = (2e-3 / start.elapsed().as_secs_f64()).clamp(1.0, 1e6) as u32;
    let mut sample = || {
        let start = Instant::now();
        (0..rounds).for_each(|_| call());
        start.elapsed() / rounds
    };
    let first = sample();
    let count = (0.5 / (first.as_secs_f64() * f64::from(rounds))).clamp(3.0, 15.0) as usize;
    let mut samples: Vec<Duration> = (0..count).map(|_| sample()).collect();
    samples.sort_unstable();
    samples[samples.len() / 2]
}

fn by_crate(out: &mut [f32], a: MatRef<f32>, b: MatRef<f32>) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    // SAFETY: the views and the output have the sizes given.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
    black_box(out);
}

fn by_definition(out: &mut [f32], a: MatRef<f32>, b: MatRef<f32>) {
    use gradus_kernels::gemm::{Product, naive};
    naive::gemm(out, &Product::new(a, b, false, Epilogue::default()));
}
