//! Speed of the matrix products on shapes named for their use, against the `gemm` crate and the naive loop.
//!
//! `cargo run --release -p gradus-kernels --example gemm_speed [THREADS]`

use std::hint::black_box;
use std::time::{Duration, Instant};

use gradus_kernels::gemm::{Epilogue, MatRef, PackedF32, gemm_f32, gemm_packed_f32};
use gradus_kernels::{isa, pool};

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
    Shape("gpt mlp up, width 384", 3072, 384, 1536, false, true),
    Shape("gpt attention out, width 384", 3072, 384, 384, false, true),
    Shape("gpt mlp up, width 768", 1024, 768, 3072, false, true),
    Shape("square 2048", 2048, 2048, 2048, false, false),
];

fn main() {
    if let Some(threads) = std::env::args().nth(1).and_then(|arg| arg.parse().ok()) {
        pool::set_threads(threads);
    }
    println!("{} on {} threads", isa::isa(), pool::threads());
    println!(
        "{:32} {:>9} {:>8} {:>9} {:>9} {:>9}",
        "shape (m, k, n)", "us", "GFLOP/s", "packed", "crate", "naive"
    );
    SHAPES.iter().for_each(report);
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
    let ours = best(|| gemm_f32(&mut out, a, b, false, Epilogue::default()));
    let packed = PackedF32::new(b);
    let prepacked = best(|| gemm_packed_f32(&mut out, a, &packed, false, Epilogue::default()));
    let library = best(|| by_crate(&mut out, a, b));
    let naive = if m * n * k > 1 << 28 {
        f64::NAN
    } else {
        gflops(best(|| by_definition(&mut out, a, b)))
    };
    println!(
        "{name:32} {:9.2} {:8.1} {:9.1} {:9.1} {naive:9.1}",
        ours.as_secs_f64() * 1e6,
        gflops(ours),
        gflops(prepacked),
        gflops(library),
    );
}

fn fill(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let next = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..len).map(|_| next(&mut state)).collect()
}

/// Median time of a call, of 15 samples that each last at least 2 ms.
fn best(mut call: impl FnMut()) -> Duration {
    let start = Instant::now();
    call();
    let rounds = (2e-3 / start.elapsed().as_secs_f64()).clamp(1.0, 1e6) as u32;
    let mut sample = || {
        let start = Instant::now();
        (0..rounds).for_each(|_| call());
        start.elapsed() / rounds
    };
    let mut samples: Vec<Duration> = (0..15).map(|_| sample()).collect();
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
