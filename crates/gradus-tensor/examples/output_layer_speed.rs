//! Time of the output layer's loss with its gradients, beside that of its three products alone; and the gradients of a
//! tied embedding.
//!
//! `cargo run --release -p gradus-tensor --example output_layer_speed [THREADS]`
//!
//! Shapes are those of GPT-2's 124 million parameters and a batch of 1,024 tokens.

use std::hint::black_box;
use std::time::{Duration, Instant};

use gradus_kernels::gemm::{Epilogue, MatRef, gemm_bf16, gemm_f32};
use gradus_kernels::pool;
use gradus_tensor::{DType, LinearCrossEntropyOptions, Precision, Result, Rng, Tensor, pool_stats};

const TOKENS: usize = 1024;
const WIDTH: usize = 768;
const VOCAB: usize = 50_304;

fn main() -> Result<()> {
    if let Some(threads) = std::env::args().nth(1).and_then(|arg| arg.parse().ok()) {
        pool::set_threads(threads);
    }
    let rng = &mut Rng::seed_from(1);
    let hidden = Tensor::randn([TOKENS, WIDTH], 0.0, 1.0, rng);
    let weight = Tensor::randn([VOCAB, WIDTH], 0.0, 0.02, rng);
    let targets: Vec<i64> = (0..TOKENS as i64).map(|i| i * 7919 % VOCAB as i64).collect();
    let targets = Tensor::from_vec(targets, [TOKENS])?;
    for precision in [Precision::F32, Precision::Bf16] {
        products(&hidden, &weight, precision)?;
        loss(&hidden, &weight, &targets, precision)?;
    }
    tied(&weight, &targets)
}

/// The three products of the layer, all logits at once.
fn products(hidden: &Tensor, weight: &Tensor, precision: Precision) -> Result<()> {
    let x = MatRef::row_major(hidden.as_slice::<f32>()?, TOKENS, WIDTH);
    let w = MatRef::row_major(weight.as_slice::<f32>()?, VOCAB, WIDTH);
    let mut logits = vec![0.0f32; TOKENS * VOCAB];
    let (mut d_x, mut d_w) = (vec![0.0f32; TOKENS * WIDTH], vec![0.0f32; VOCAB * WIDTH]);
    let product = |out: &mut [f32], a: MatRef<f32>, b: MatRef<f32>| match precision {
        Precision::F32 => gemm_f32(out, a, b, false, Epilogue::default()),
        Precision::Bf16 => gemm_bf16(out, a.into(), b.into(), false, Epilogue::default()),
    };
    report(&format!("{precision:?}: three products"), || {
        product(&mut logits, x, w.t());
        let d = MatRef::row_major(&logits, TOKENS, VOCAB);
        product(&mut d_x, d, w);
        product(&mut d_w, d.t(), x);
        Ok(())
    })
}

fn loss(hidden: &Tensor, weight: &Tensor, targets: &Tensor, precision: Precision) -> Result<()> {
    let options = LinearCrossEntropyOptions {
        precision,
        ..LinearCrossEntropyOptions::default()
    };
    report(&format!("{precision:?}: loss and gradients"), || {
        let (hidden, weight) = (hidden.with_grad()?, weight.with_grad()?);
        hidden
            .linear_cross_entropy(&weight, targets, &options)?
            .backward()?;
        black_box((hidden.grad(), weight.grad()));
        Ok(())
    })?;
    report(&format!("{precision:?}: losses of tokens"), || {
        black_box(hidden.linear_token_losses(weight, targets, &options)?);
        Ok(())
    })
}

/// The gradient of an embedding whose table already has one, as a tied output layer leaves it.
fn tied(table: &Tensor, ids: &Tensor) -> Result<()> {
    let table = table.with_grad()?;
    let d_out = Tensor::ones([TOKENS, WIDTH], DType::F32);
    let before = pool_stats().allocations;
    report("embedding gradient into a sum", || {
        table.embedding(ids)?.backward_with(&d_out)
    })?;
    println!("allocations: {}", pool_stats().allocations - before);
    Ok(())
}

/// Prints the least time of five calls.
fn report(name: &str, mut body: impl FnMut() -> Result<()>) -> Result<()> {
    let mut least = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        body()?;
        least = least.min(start.elapsed());
    }
    println!("{name:32} {:9.2} ms", least.as_secs_f64() * 1e3);
    Ok(())
}
