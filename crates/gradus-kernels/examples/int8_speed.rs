//! Speed of the int8 linear layer, activation quantisation included, on shapes named for their use.
//!
//! `cargo run --release -p gradus-kernels --example int8_speed [THREADS]`

use std::time::{Duration, Instant};

use gradus_kernels::int8::{PackedI8, linear_i8};
use gradus_kernels::matrix::Epilogue;
use gradus_kernels::{isa, pool};

/// Name, rows, in_features, out_features.
struct Shape(&'static str, usize, usize, usize);

/// The network of the quickstart, and layers of transformers.
const SHAPES: &[Shape] = &[
    Shape("mlp hidden, one row", 1, 784, 128),
    Shape("mlp hidden, 64 rows", 64, 784, 128),
    Shape("mlp logits, 64 rows", 64, 128, 10),
    Shape("mlp hidden, 256 rows", 256, 784, 128),
    Shape("gpt mlp up, width 768, 64 rows", 64, 768, 3072),
    Shape("gpt mlp up, width 768, 1024 rows", 1024, 768, 3072),
];

fn main() {
    if let Some(threads) = std::env::args().nth(1).and_then(|arg| arg.parse().ok()) {
        pool::set_threads(threads);
    }
    println!("{} on {} threads", isa::isa(), pool::threads());
    println!("{:34} {:>9} {:>8}", "shape", "us", "GOP/s");
    SHAPES.iter().for_each(report);
    let hidden = layer(784, 128);
    let logits = layer(128, 10);
    let (x, mut h, mut y) = (fill(64 * 784), vec![0.0; 64 * 128], vec![0.0; 64 * 10]);
    let time = median(|| {
        linear_i8(
            &mut h,
            &x,
            64,
            &hidden,
            Epilogue {
                bias: None,
                relu: true,
            },
        );
        linear_i8(&mut y, &h, 64, &logits, Epilogue::default());
    });
    println!(
        "{:34} {:9.2}",
        "mlp, both layers, 64 rows",
        time.as_secs_f64() * 1e6
    );
}

fn report(&Shape(name, rows, k, n): &Shape) {
    let (weight, x, mut out) = (layer(k, n), fill(rows * k), vec![0.0; rows * n]);
    let time = median(|| linear_i8(&mut out, &x, rows, &weight, Epilogue::default())).as_secs_f64();
    println!(
        "{name:34} {:9.2} {:8.1}",
        time * 1e6,
        2.0 * (rows * n * k) as f64 / time / 1e9
    );
}

fn layer(k: usize, n: usize) -> PackedI8 {
    let weight: Vec<i8> = (0..n * k)
        .map(|i| (i * 37 % 255) as i8)
        .map(|w| w.max(-127))
        .collect();
    PackedI8::new(&weight, &vec![0.01; n], n, k)
}

fn fill(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 37 % 255) as f32 / 128.0 - 1.0).collect()
}

/// Median time of a call, of 15 samples that each last at least 2 ms.
fn median(mut call: impl FnMut()) -> Duration {
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
