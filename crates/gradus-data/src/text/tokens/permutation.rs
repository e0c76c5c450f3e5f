//! A random order of `0..len` that is computed and not stored: ten million windows need no list, and a run that resumes
//! in the middle of an epoch starts there at once.
//!
//! A Feistel network (Luby and Rackoff, 1988) permutes the numbers below a power of four; those past `len` are sent
//! through again until they fall below it ("cycle walking", Black and Rogaway, 2002), at most four times on average.

use gradus_tensor::Rng;

/// Three rounds make it look random; a few more cost nothing beside reading a window.
const ROUNDS: usize = 6;

/// A permutation of `0..len`.
#[derive(Clone, Debug)]
pub(super) struct Permutation {
    len: u64,
    half_bits: u32,
    keys: [u64; ROUNDS],
}

impl Permutation {
    pub(super) fn new(len: u64, rng: &mut Rng) -> Permutation {
        let bits = u64::BITS - len.saturating_sub(1).leading_zeros();
        Permutation {
            len,
            half_bits: bits.div_ceil(2).max(1),
            keys: std::array::from_fn(|_| rng.next_u64()),
        }
    }

    /// Where `index`, which is below `len`, goes.
    pub(super) fn of(&self, index: u64) -> u64 {
        debug_assert!(index < self.len, "bug: an index past the end");
        let mut value = index;
        loop {
            value = self.network(value);
            if value < self.len {
                return value;
            }
        }
    }

    fn network(&self, value: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (value >> self.half_bits, value & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (scramble(right ^ key) & mask));
        }
        left << self.half_bits | right
    }
}

/// The finaliser of MurmurHash3 (Appleby).
fn scramble(value: u64) -> u64 {
    let value = (value ^ (value >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let value = (value ^ (value >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ (value >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_once() {
        for len in [1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 1000, 4097] {
            let permutation = Permutation::new(len, &mut Rng::seed_from(len));
            let mut images: Vec<u64> = (0..len).map(|index| permutation.of(index)).collect();
            if len > 60 {
                assert_ne!(images, (0..len).collect::<Vec<_>>());
            }
            images.sort_unstable();
            assert_eq!(images, (0..len).collect::<Vec<_>>());
        }
    }

    #[test]
    fn looks_random() {
        // The first of 64 places over many seeds: uniform, and not tied to the second.
        let mut counts = [[0u32; 8]; 8];
        for seed in 0..12_800 {
            let permutation = Permutation::new(64, &mut Rng::seed_from(seed));
            counts[permutation.of(0) as usize / 8][permutation.of(1) as usize / 8] += 1;
        }
        // 200 expected in each cell, a little less on the diagonal; 14 is a standard deviation.
        assert!(
            counts.iter().flatten().all(|&count| count.abs_diff(200) < 75),
            "{counts:?}"
        );
    }
}
