//! Dropout whose mask is a pure function of a seed and the element's index: nothing is stored for the backward, and
//! neither threads nor a resumed run change it.

use crate::partition::{PARALLEL_CHEAP, for_pieces};
use crate::real::Real;
use crate::vectorize::vectorize;

/// Zeroes each element with probability `p` and divides the others by `1 − p` (Srivastava et al. 2014, inverted).
/// Overwrites `out`. The gradient is the same function of `d_out`, with the same `p` and `seed`.
pub fn dropout<T: Real>(out: &mut [T], x: &[T], p: f64, seed: u64) {
    debug_assert!(out.len() == x.len() && (0.0..=1.0).contains(&p));
    if p >= 1.0 {
        return out.fill(T::ZERO);
    }
    let threshold = (p * 2.0_f64.powi(32)) as u32;
    let scale = T::from_f64(1.0 / (1.0 - p));
    for_pieces(out, PARALLEL_CHEAP, |out, range| {
        // Pieces of 2³² elements have keys of their own, so that 32-bit counters suffice inside.
        let mut start = range.start;
        while start < range.end {
            let block = start as u64 >> 32;
            let end = (((block + 1) << 32) as usize).min(range.end);
            let part = &mut out[start - range.start..end - range.start];
            dropout_piece(
                part,
                &x[start..end],
                Mask {
                    keys: keys(seed, block),
                    threshold,
                    first: start as u32,
                },
                scale,
            );
            start = end;
        }
    });
}

#[derive(Clone, Copy)]
struct Mask {
    keys: [u32; 2],
    threshold: u32,
    first: u32,
}

impl Mask {
    /// Whether the element at `index` stays: two keyed rounds of C. Wellons' `lowbias32` give 32 even bits.
    #[inline(always)]
    fn keeps(&self, index: u32) -> bool {
        let mut h = index.wrapping_add(self.first) ^ self.keys[0];
        h = (h ^ (h >> 16)).wrapping_mul(0x7feb_352d);
        h = (h ^ (h >> 15)).wrapping_mul(0x846c_a68b);
        h = (h ^ (h >> 16)).wrapping_add(self.keys[1]);
        h = (h ^ (h >> 16)).wrapping_mul(0x7feb_352d);
        h = (h ^ (h >> 15)).wrapping_mul(0x846c_a68b);
        h ^ (h >> 16) >= self.threshold
    }
}

/// Two keys from a seed and a block number, by SplitMix64 (Steele, Lea & Flood 2014).
fn keys(seed: u64, block: u64) -> [u32; 2] {
    let mut z = seed.wrapping_add((block + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    [z as u32, (z >> 32) as u32]
}

vectorize! {
    fn dropout_piece[T: Real](out: &mut [T], x: &[T], mask: Mask, scale: T) {
        for (i, (out, &x)) in out.iter_mut().zip(x).enumerate() {
            *out = if mask.keeps(i as u32) { x * scale } else { T::ZERO };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::same_for_every_thread_count;

    fn mask(n: usize, p: f64, seed: u64) -> Vec<bool> {
        let mut out = vec![f32::NAN; n];
        dropout(&mut out, &vec![1.0; n], p, seed);
        out.iter().map(|&x| x != 0.0).collect()
    }

    #[test]
    fn keeps_the_right_share_scaled_to_the_same_mean() {
        for p in [0.0, 0.1, 0.5, 0.9, 1.0] {
            let mut out = vec![f64::NAN; 100_000];
            dropout(&mut out, &vec![2.0; 100_000], p, 7);
            let kept = out.iter().filter(|&&x| x != 0.0).count() as f64 / 1e5;
            // Five standard deviations of a share of 100,000.
            assert!(
                (kept - (1.0 - p)).abs() <= 5.0 * (p * (1.0 - p) / 1e5).sqrt(),
                "{p}: {kept}"
            );
            assert!(
                out.iter()
                    .all(|&x| x == 0.0 || (x - 2.0 / (1.0 - p)).abs() < 1e-12)
            );
        }
    }

    #[test]
    fn masks_of_neighbours_and_of_other_seeds_are_independent() {
        let n = 200_000;
        let a = mask(n, 0.5, 1);
        let agree = |b: &[bool]| a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / b.len() as f64;
        for (name, b) in [
            ("seed 2", mask(n, 0.5, 2)),
            ("seed 2^32", mask(n, 0.5, 1 << 32)),
            ("shift 1", a[1..].to_vec()),
            ("shift 128", a[128..].to_vec()),
        ] {
            assert!((agree(&b) - 0.5).abs() < 0.006, "{name}: {}", agree(&b));
        }
    }

    #[test]
    fn mask_depends_on_seed_and_index_alone() {
        same_for_every_thread_count(|| mask(100_003, 0.3, 9));
        assert_eq!(mask(100, 0.3, 9), mask(70_000, 0.3, 9)[..100]);
    }
}
