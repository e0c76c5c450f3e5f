//! Speed of attention on shapes named for their use, against the speed of a large matrix product in the same arithmetic.
//!
//! `cargo run --release -p gradus-kernels --example attention_speed [THREADS]`
//!
//! Only the work that a causal mask leaves is counted: two products forward, five backward, of the visible pairs.

use std::time::{Duration, Instant};

use gradus_kernels::attention::{
    Gradients, Heads, Inputs, Rule, Saved, Shape, attention, attention_backward,
};
use gradus_kernels::gemm::{Epilogue, MatRef, Precision, gemm_f32};
use gradus_kernels::{isa, pool};

/// Batch, queries, keys, heads, heads of the keys, head dimension.
const SHAPES: &[(&str, [usize; 6])] = &[
    ("gpt s, 12 x 64, 4 x 32", [12, 64, 64, 4, 4, 32]),
    ("gpt m, 12 x 256, 6 x 64", [12, 256, 256, 6, 6, 64]),
    ("gpt l, 2 x 512, 12 x 64", [2, 512, 512, 12, 12, 64]),
    ("135m, 1 x 2048, 9/3 x 64", [1, 2048, 2048, 9, 3, 64]),
    ("1b, 1 x 1024, 32/8 x 64", [1, 1024, 1024, 32, 8, 64]),
    ("llama, 1 x 512, 8/2 x 128", [1, 512, 512, 8, 2, 128]),
];

fn main() {
    if let Some(threads) = std::env::args().nth(1).and_then(|arg| arg.parse().ok()) {
        pool::set_threads(threads);
    }
    println!("{} on {} threads", isa::isa(), pool::threads());
    let peak = product_speed();
    println!("f32 product, 1024 cubed: {peak:.0} GFLOP/s");
    println!(
        "{:28} {:>8} {:>10} {:>9} {:>6} {:>10} {:>9} {:>6}",
        "shape", "products", "forward us", "GFLOP/s", "share", "backward us", "GFLOP/s", "share"
    );
    for (name, dims) in SHAPES {
        for precision in Precision::ALL {
            report(name, *dims, precision, peak);
        }
    }
}

fn report(
    name: &str,
    [batch, seq_q, seq_k, heads, kv_heads, head_dim]: [usize; 6],
    precision: Precision,
    peak: f64,
) {
    let shape = Shape {
        batch,
        seq_q,
        seq_k,
        heads,
        kv_heads,
        head_dim,
    };
    let rule = Rule {
        causal: true,
        scale: 1.0 / (head_dim as f64).sqrt(),
        precision,
        ..Rule::default()
    };
    let [q, k, v, d_out] = [
        (shape.queries_len(), 1),
        (shape.keys_len(), 2),
        (shape.keys_len(), 3),
        (shape.queries_len(), 4),
    ]
    .map(|(len, seed)| fill(len, seed));
    let keys = |x| Heads::dense(x, seq_k, kv_heads, head_dim);
    let queries = |x| Heads::dense(x, seq_q, heads, head_dim);
    let inputs = Inputs {
        q: queries(&q),
        k: keys(&k),
        v: keys(&v),
    };
    let (mut out, mut log_sum) = (vec![0.0; q.len()], vec![0.0; shape.rows()]);
    let forward = median(|| attention(&mut out, &mut log_sum, &inputs, &shape, &rule));
    let [mut d_q, mut d_k, mut d_v] = [q.len(), k.len(), v.len()].map(|len| vec![0.0; len]);
    let backward = median(|| {
        let saved = Saved {
            out: &out,
            log_sum: &log_sum,
        };
        let gradients = Gradients {
            d_q: &mut d_q,
            d_k: &mut d_k,
            d_v: &mut d_v,
        };
        attention_backward(gradients, &inputs, (&saved, &queries(&d_out)), &shape, &rule);
    });
    let pairs: usize = (0..seq_q).map(|i| rule.visible(&shape, 0, i).len()).sum();
    let product = 2.0 * (batch * heads * pairs * head_dim) as f64;
    let speed = |products: f64, time: Duration| products * product / time.as_secs_f64() / 1e9;
    let (ahead, back) = (speed(2.0, forward), speed(5.0, backward));
    println!(
        "{name:28} {:>8} {:10.0} {ahead:9.1} {:5.0}% {:10.0} {back:9.1} {:5.0}%",
        precision.name(),
        forward.as_secs_f64() * 1e6,
        100.0 * ahead / peak,
        backward.as_secs_f64() * 1e6,
        100.0 * back / peak,
    );
}

/// GFLOP/s of a square f32 product that no cache limits.
fn product_speed() -> f64 {
    let n = 1024;
    let (a, b) = (fill(n * n, 1), fill(n * n, 2));
    let mut out = vec![0.0; n * n];
    let time = median(|| {
        let [a, b] = [&a, &b].map(|x| MatRef::row_major(x, n, n));
        gemm_f32(&mut out, a, b, false, Epilogue::default());
    });
    2.0 * (n * n * n) as f64 / time.as_secs_f64() / 1e9
}

fn fill(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let next = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next(&mut state)).collect()
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
