//! Seeded random numbers: the same seed gives the same numbers on every machine and for any number of threads.

use std::cell::Cell;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng};

use crate::tensor::Tensor;

/// A seeded stream of random numbers (ChaCha with 8 rounds).
#[derive(Clone, Debug)]
pub struct Rng {
    chacha: ChaCha8Rng,
}

impl Rng {
    /// The stream of a seed.
    pub fn seed_from(seed: u64) -> Rng {
        Rng {
            chacha: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// A stream of its own for each path below a seed, such as `[epoch]` or `[layer, step]`: no state to carry from
    /// one to the next, so a resumed run draws the same numbers.
    pub fn derive(seed: u64, path: &[u64]) -> Rng {
        Rng::seed_from(
            path.iter()
                .fold(seed, |mixed, &step| mix(mixed.rotate_left(17) ^ mix(step))),
        )
    }

    /// A uniform 64-bit number.
    pub fn next_u64(&mut self) -> u64 {
        self.chacha.next_u64()
    }

    /// Uniform in `[0, 1)`, with 53 random bits.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Standard normal (Box and Muller, 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Uniform in `0..bound`, without bias (Lemire, 2019).
    ///
    /// # Panics
    /// When `bound` is 0: there is nothing to draw.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "bug: drew an index below 0");
        let bound = bound as u64;
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(bound);
            if wide as u64 >= threshold {
                return (wide >> 64) as usize;
            }
        }
    }

    /// Reorders a slice uniformly (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

impl Tensor {
    /// `f32` values drawn uniformly from `[low, high)`.
    pub fn rand_uniform(shape: impl AsRef<[usize]>, low: f64, high: f64, rng: &mut Rng) -> Tensor {
        Tensor::build(shape, |out: &mut [f32]| {
            out.fill_with(|| (low + (high - low) * rng.uniform()) as f32)
        })
    }

    /// `f32` values drawn from the normal distribution of this mean and standard deviation.
    pub fn randn(shape: impl AsRef<[usize]>, mean: f64, std: f64, rng: &mut Rng) -> Tensor {
        Tensor::build(shape, |out: &mut [f32]| {
            out.fill_with(|| (mean + std * rng.normal()) as f32)
        })
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): a bijection that spreads every bit.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

thread_local! {
    static FORWARD_SEED: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Starts this thread's stream of forward seeds, from which layers such as dropout draw. The training loop calls it
/// before each step with a seed made of the run's seed and the step, so a resumed run drops the same units.
pub fn set_forward_seed(seed: u64) {
    FORWARD_SEED.set((seed, 0));
}

/// The next seed of this thread's forward stream.
pub fn next_forward_seed() -> u64 {
    let (seed, count) = FORWARD_SEED.get();
    FORWARD_SEED.set((seed, count + 1));
    mix(seed ^ mix(count))
}

/// Where this thread's forward stream stands.
pub(crate) fn forward_position() -> (u64, u64) {
    FORWARD_SEED.get()
}

/// Puts this thread's forward stream where it stood.
pub(crate) fn set_forward_position(position: (u64, u64)) {
    FORWARD_SEED.set(position);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_is_uniform_and_in_range() {
        let mut rng = Rng::seed_from(3);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[rng.below(7)] += 1;
        }
        // Standard deviation of each count is 93; five of them.
        assert!(counts.iter().all(|&c| c.abs_diff(10_000) < 465), "{counts:?}");
    }

    #[test]
    fn normal_has_mean_zero_and_variance_one() {
        let mut rng = Rng::seed_from(4);
        let draws: Vec<f64> = (0..100_000).map(|_| rng.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1e5;
        assert!(
            mean.abs() < 0.016 && (variance - 1.0).abs() < 0.023,
            "{mean} {variance}"
        );
    }

    #[test]
    fn derived_streams_differ_and_repeat() {
        let first = |seed, path: &[u64]| Rng::derive(seed, path).next_u64();
        assert_eq!(first(1, &[2, 3]), first(1, &[2, 3]));
        assert_ne!(first(1, &[2, 3]), first(1, &[3, 2]));
        assert_ne!(first(1, &[2]), first(2, &[2]));
        assert_ne!(first(1, &[]), first(1, &[0]));
    }

    #[test]
    fn forward_seeds_restart_with_the_step() {
        set_forward_seed(9);
        let first = [next_forward_seed(), next_forward_seed()];
        set_forward_seed(9);
        assert_eq!(first, [next_forward_seed(), next_forward_seed()]);
        assert_ne!(first[0], first[1]);
    }
}
