//! What this machine's products can do, so that a run can say how much of it it uses.

use crate::Result;
use gradus_tensor::{Precision, Rng, Tensor, no_grad};
use std::time::{Duration, Instant};

/// Width of the square product that is timed: large enough to run at full speed, 2 GFLOP.
const WIDTH: usize = 1024;

/// How long it is timed for: enough to find the clock's speed after a pause, short beside the shortest run.
const TIME: Duration = Duration::from_millis(150);

/// Floating-point operations a second of our own matrix product with all threads: the best of the runs in a short
/// while, of square matrices that fit the caches. It is what [`Plan`](super::Plan)'s share of the peak refers to; the
/// processor's theoretical peak lies above it.
///
/// # Errors
/// [`Error::Tensor`](crate::Error::Tensor) from the product.
pub fn product_peak(precision: Precision) -> Result<f64> {
    let _no_grad = no_grad();
    let mut rng = Rng::seed_from(0);
    let mut square = || {
        let values: Vec<f32> = (0..WIDTH * WIDTH).map(|_| rng.uniform() as f32 - 0.5).collect();
        Tensor::from_vec(values, [WIDTH, WIDTH])
    };
    let (a, b) = (square()?, square()?);
    let flops = 2.0 * (WIDTH as f64).powi(3);
    let (start, mut best) = (Instant::now(), 0.0f64);
    while start.elapsed() < TIME {
        let run = Instant::now();
        a.linear_in(&b, None, gradus_tensor::Activation::Identity, precision)?;
        best = best.max(flops / run.elapsed().as_secs_f64());
    }
    Ok(best)
}
