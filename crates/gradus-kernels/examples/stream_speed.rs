//! Bytes per second of the loops between a transformer's products, beside what a plain read of memory reaches.
//!
//! `cargo run --release -p gradus-kernels --example stream_speed [THREADS]`
//!
//! Sizes are those of GPT-2's 124 million parameters at 32,768 tokens, too large for any cache. A loop's bytes are those
//! it must read and those it must write, each once; what the caches read before writing is not counted, so loops that
//! write a new tensor cannot reach the figure of the plain read.

use std::hint::black_box;
use std::time::{Duration, Instant};

use gradus_kernels::binary::add_assign;
use gradus_kernels::dropout::dropout;
use gradus_kernels::gated::{GateActivation, GatedSaved, gated, gated_backward};
use gradus_kernels::index::{add_rows, index_select_backward};
use gradus_kernels::layer_norm::{
    Affine, LayerNormGradients, LayerNormSaved, RowStatistics, layer_norm, layer_norm_backward,
};
use gradus_kernels::optim::adam::{Adam, AdamState, WeightDecay, adam};
use gradus_kernels::reduce::{Axis, sum_of_squares};
use gradus_kernels::rms_norm::{RmsNormSaved, rms_norm, rms_norm_backward};
use gradus_kernels::rope::{Angles, Direction, Heads, Positions, rope};
use gradus_kernels::strided::Strided;
use gradus_kernels::{binary, isa, pool, unary};

const TOKENS: usize = 32_768;
const WIDTH: usize = 768;
const VOCAB: usize = 50_304;

fn main() {
    if let Some(threads) = std::env::args().nth(1).and_then(|arg| arg.parse().ok()) {
        pool::set_threads(threads);
    }
    println!("{} on {} threads", isa::isa(), pool::threads());
    let table: Vec<f32> = numbers(VOCAB * WIDTH);
    let read = report("read (sum of squares)", table.len(), None, || {
        black_box(sum_of_squares(&table));
    });
    let bench = Bench { read };
    bench.normalisation();
    bench.activations();
    bench.rest();
    bench.tables(table);
}

struct Bench {
    /// Bytes per second of a plain read.
    read: f64,
}

impl Bench {
    /// `elements`: `f32` numbers read and written by one call.
    fn run(&self, name: &str, elements: usize, body: impl FnMut()) {
        report(name, elements, Some(self.read), body);
    }

    fn normalisation(&self) {
        let n = TOKENS * WIDTH;
        let (x, d_out, weight, bias) = (numbers(n), numbers(n), numbers(WIDTH), numbers(WIDTH));
        let (mut out, mut mean, mut rstd) = (vec![0.0; n], vec![0.0; TOKENS], vec![0.0; TOKENS]);
        let (mut d_weight, mut d_bias) = (vec![0.0; WIDTH], vec![0.0; WIDTH]);
        self.run("rms_norm", 2 * n, || {
            rms_norm(&mut out, &mut rstd, &x, &weight, 1e-6);
        });
        self.run("rms_norm backward, all", 3 * n, || {
            let saved = RmsNormSaved {
                x: &x,
                rstd: &rstd,
                weight: &weight,
            };
            rms_norm_backward(Some(&mut out), Some(&mut d_weight), &d_out, saved);
        });
        self.run("layer_norm", 2 * n, || {
            let saved = RowStatistics {
                mean: &mut mean,
                rstd: &mut rstd,
            };
            let affine = Affine {
                weight: Some(&weight),
                bias: Some(&bias),
            };
            layer_norm(&mut out, saved, &x, affine, 1e-5);
        });
        self.run("layer_norm backward, all", 3 * n, || {
            let saved = LayerNormSaved {
                x: &x,
                mean: &mean,
                rstd: &rstd,
                weight: Some(&weight),
            };
            let gradients = LayerNormGradients {
                d_x: Some(&mut out),
                d_affine: Some([&mut d_weight, &mut d_bias]),
            };
            layer_norm_backward(gradients, &d_out, saved);
        });
    }

    fn activations(&self) {
        let n = TOKENS * WIDTH;
        let (x, up, d_out) = (numbers(n), numbers(n), numbers(n));
        let (mut out, mut other) = (vec![0.0; n], vec![0.0; n]);
        self.run("gelu", 2 * n, || unary::gelu(&mut out, &x));
        self.run("gelu backward", 3 * n, || {
            unary::gelu_backward(&mut out, &x, &d_out)
        });
        self.run("gelu_tanh", 2 * n, || unary::gelu_tanh(&mut out, &x));
        self.run("gelu_tanh backward", 3 * n, || {
            unary::gelu_tanh_backward(&mut out, &x, &d_out)
        });
        self.run("silu", 2 * n, || unary::silu(&mut out, &x));
        self.run("silu backward", 3 * n, || {
            unary::silu_backward(&mut out, &x, &d_out)
        });
        for (name, activation) in [
            ("silu", GateActivation::Silu),
            ("gelu", GateActivation::Gelu),
            ("gelu_tanh", GateActivation::GeluTanh),
        ] {
            self.run(&format!("gated {name}"), 3 * n, || {
                gated(&mut out, &x, &up, activation)
            });
            self.run(&format!("gated {name} backward"), 5 * n, || {
                let saved = GatedSaved { gate: &x, up: &up };
                gated_backward(&mut out, &mut other, &d_out, saved, activation);
            });
        }
    }

    fn rest(&self) {
        let n = TOKENS * WIDTH;
        let (x, y) = (numbers(n), numbers(n));
        let mut out = vec![0.0; n];
        let (cos, sin) = (numbers(1024 * 32), numbers(1024 * 32));
        self.run("rope, heads of 64", 2 * n, || {
            let heads = Heads {
                data: &x,
                shape: [TOKENS / 1024, 1024, WIDTH / 64, 64],
                strides: [1024 * WIDTH, WIDTH, 64],
            };
            let angles = Angles {
                cos: &cos,
                sin: &sin,
                half: 32,
            };
            let positions = Positions::From { start: 0, seq: 1024 };
            rope(&mut out, heads, angles, positions, Direction::Forward);
        });
        self.run("residual add", 3 * n, || {
            let of = |data| Strided { data, strides: &[1] };
            binary::add(&mut out, &[n], of(&x), of(&y));
        });
        self.run("gradient add in place", 3 * n, || add_assign(&mut out, &x));
        self.run("dropout", 2 * n, || dropout(&mut out, &x, 0.1, 7));
    }

    fn tables(&self, mut table: Vec<f32>) {
        let (n, ids) = (VOCAB * WIDTH, 1024);
        let rows = numbers(ids * WIDTH);
        let ids: Vec<i64> = (0..ids as i64).map(|i| i * 7919 % VOCAB as i64).collect();
        let dims = Axis {
            outer: 1,
            axis: VOCAB,
            inner: WIDTH,
        };
        let mut total = vec![0.0; n];
        self.run("embedding gradient, new table", n + rows.len(), || {
            index_select_backward(&mut total, &rows, &ids, dims);
        });
        self.run("embedding gradient, into a sum", 3 * rows.len(), || {
            add_rows(&mut total, &rows, &ids, dims);
        });
        let (grad, mut mean, mut square) = (numbers(n), vec![0.0; n], vec![1e-4; n]);
        let options = Adam {
            learning_rate: 1e-4,
            betas: [0.9, 0.95],
            epsilon: 1e-8,
            weight_decay: 0.1,
            decay_mode: WeightDecay::Decoupled,
            gradient_scale: 0.5,
        };
        self.run("adamw with clipping", 7 * n, || {
            let state = AdamState {
                exp_avg: &mut mean,
                exp_avg_sq: &mut square,
                max_exp_avg_sq: None,
            };
            adam(&mut table, state, &grad, &options, 100);
        });
    }
}

fn numbers(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i * 7919 % 8191) as f32 / 2048.0 - 2.0).collect()
}

/// Prints and returns the bytes per second of the fastest call in a tenth of a second, five at least.
fn report(name: &str, elements: usize, read: Option<f64>, mut body: impl FnMut()) -> f64 {
    let (begin, mut least, mut calls) = (Instant::now(), Duration::MAX, 0);
    while begin.elapsed() < Duration::from_millis(100) || calls < 5 {
        let start = Instant::now();
        body();
        least = least.min(start.elapsed());
        calls += 1;
    }
    let rate = (elements * size_of::<f32>()) as f64 / least.as_secs_f64();
    let share = read.map_or(String::new(), |read| format!("{:5.0} %", 100.0 * rate / read));
    println!(
        "{name:32} {:9.2} ms {:7.2} GB/s {share}",
        least.as_secs_f64() * 1e3,
        rate / 1e9
    );
    rate
}
