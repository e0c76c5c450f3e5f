//! Time of the loops around the products in one training step of the 784-128-10 network, batch 64.
//!
//! `cargo run --release -p gradus-kernels --example loop_speed [THREADS]`

use std::hint::black_box;
use std::time::{Duration, Instant};

use gradus_kernels::cross_entropy::{CrossEntropy, Reduction, cross_entropy};
use gradus_kernels::optim::adam::{Adam, AdamState, WeightDecay, adam};
use gradus_kernels::optim::sgd::{Sgd, sgd, sgd_momentum};
use gradus_kernels::reduce::{Axis, sum};
use gradus_kernels::rows::{gather_rows_f32, gather_rows_u8_affine};
use gradus_kernels::{isa, pool, unary};

const WEIGHT: usize = 784 * 128;

fn main() {
    if let Some(threads) = std::env::args().nth(1).and_then(|arg| arg.parse().ok()) {
        pool::set_threads(threads);
    }
    println!("{} on {} threads", isa::isa(), pool::threads());
    loader();
    network();
    optimisers();
    functions();
}

fn loader() {
    let pixels: Vec<u8> = (0..60_000 * 784).map(|i| (i % 251) as u8).collect();
    let numbers: Vec<f32> = (0..6_000 * 784).map(|i| i as f32).collect();
    let mut batch = vec![0.0; 64 * 784];
    let mut start = 0;
    let mut indices = |rows: usize| {
        start += 64;
        (start..start + 64).map(|i| i * 7919 % rows).collect::<Vec<_>>()
    };
    report("gather 64 rows of 784 bytes", || {
        gather_rows_u8_affine(&mut batch, &pixels, &indices(60_000), [1.0 / 255.0, -0.5]);
    });
    report("gather 64 rows of 784 floats", || {
        gather_rows_f32(&mut batch, &numbers, 784, &indices(6_000))
    });
}

fn network() {
    let logits: Vec<f32> = (0..640).map(|i| (i as f32).sin()).collect();
    let targets: Vec<i64> = (0..64).map(|i| i % 10).collect();
    let options = CrossEntropy {
        targets: &targets,
        class_weights: None,
        label_smoothing: 0.0,
        ignore_index: -100,
        reduction: Reduction::Mean,
    };
    let (mut losses, mut d_logits) = (vec![0.0; 64], vec![0.0; 640]);
    report("cross-entropy and gradient, 64 x 10", || {
        cross_entropy(&mut losses, Some(&mut d_logits), &logits, 10, &options);
    });
    let (y, d_y) = (vec![0.5_f32; 64 * 128], vec![1.0_f32; 64 * 128]);
    let mut d_x = vec![0.0; 64 * 128];
    report("relu backward, 64 x 128", || {
        unary::relu_backward(&mut d_x, &y, &d_y)
    });
    let mut d_bias = vec![0.0; 128];
    report("bias gradient, 64 x 128", || {
        sum(
            &mut d_bias,
            &d_y,
            Axis {
                outer: 1,
                axis: 64,
                inner: 128,
            },
        )
    });
    let mut d_bias = vec![0.0; 10];
    report("bias gradient, 64 x 10", || {
        sum(
            &mut d_bias,
            &d_logits,
            Axis {
                outer: 1,
                axis: 64,
                inner: 10,
            },
        )
    });
}

fn optimisers() {
    let (mut value, mut mean, mut square) = (vec![0.1; WEIGHT], vec![0.0; WEIGHT], vec![0.0; WEIGHT]);
    let grad: Vec<f32> = (0..WEIGHT).map(|i| (i as f32).cos()).collect();
    let plain = Sgd {
        learning_rate: 1e-3,
        momentum: 0.0,
        dampening: 0.0,
        weight_decay: 0.0,
        nesterov: false,
    };
    report("sgd, 784 x 128", || sgd(&mut value, &grad, &plain));
    report("sgd, 128", || sgd(&mut value[..128], &grad[..128], &plain));
    let momentum = Sgd {
        momentum: 0.9,
        ..plain
    };
    report("sgd with momentum, 784 x 128", || {
        sgd_momentum(&mut value, &mut mean, &grad, &momentum, false);
    });
    let options = Adam {
        learning_rate: 1e-3,
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        weight_decay: 0.0,
        decay_mode: WeightDecay::Coupled,
        gradient_scale: 1.0,
    };
    report("adam, 784 x 128", || {
        let state = AdamState {
            exp_avg: &mut mean,
            exp_avg_sq: &mut square,
            max_exp_avg_sq: None,
        };
        adam(&mut value, state, &grad, &options, 100);
    });
}

fn functions() {
    let x: Vec<f32> = (0..8192).map(|i| (i as f32).sin() * 4.0).collect();
    let mut y = vec![0.0; 8192];
    report("relu, 64 x 128", || unary::relu(&mut y, &x));
    report("exp, 64 x 128", || unary::exp(&mut y, &x));
    report("tanh, 64 x 128", || unary::tanh(&mut y, &x));
    report("gelu, 64 x 128", || unary::gelu(&mut y, &x));
}

/// Prints the least time of a call, over batches that together take a quarter of a second.
fn report(name: &str, mut body: impl FnMut()) {
    let (begin, mut least) = (Instant::now(), Duration::MAX);
    while begin.elapsed() < Duration::from_millis(250) {
        let start = Instant::now();
        for _ in 0..20 {
            body();
            black_box(());
        }
        least = least.min(start.elapsed() / 20);
    }
    println!("{name:40} {:9.2} us", least.as_secs_f64() * 1e6);
}
