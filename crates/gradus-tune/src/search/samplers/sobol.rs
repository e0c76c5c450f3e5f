//! Sobol sequences.

use super::super::space::Space;
use super::super::trial::History;
use super::sobol_directions::{DIMENSIONS, DIRECTIONS};
use crate::{Error, Result};
use gradus_tensor::Rng;

/// Bits of a coordinate, and so the logarithm of the number of points.
const BITS: usize = 32;

/// Keeps this stream apart from the others of a seed.
const STREAM: u64 = 4;

/// A Sobol sequence: of every 2ᵏ points, each 2ᵏ-th part of every axis holds one.
///
/// Sobol (1967), with the direction numbers of Joe and Kuo (2008) and the order of Antonov and Saleev (1979).
#[derive(Clone, Debug)]
pub struct Sobol {
    /// Direction numbers of each dimension.
    directions: Vec<[u32; BITS]>,
    shift: Vec<u32>,
}

impl Sobol {
    /// The sequence itself, whose first point is the origin.
    ///
    /// # Panics
    /// For more dimensions than there are direction numbers for; a space of more is refused before.
    pub fn new(dimensions: usize) -> Sobol {
        Sobol {
            directions: (0..dimensions).map(directions).collect(),
            shift: vec![0; dimensions],
        }
    }

    /// The sequence scrambled: digits mixed by a random triangular matrix (Matoušek, 1998) and shifted. It keeps its
    /// evenness, and its points are no longer the same in every search.
    pub fn scrambled(dimensions: usize, seed: u64) -> Sobol {
        let mut sobol = Sobol::new(dimensions);
        for (dimension, directions) in sobol.directions.iter_mut().enumerate() {
            let mut rng = Rng::derive(seed, &[STREAM, dimension as u64]);
            let mut random = || (rng.next_u64() >> 32) as u32;
            sobol.shift[dimension] = random();
            // Row p mixes into digit p, counted from the highest, digits above it, and keeps the digit itself.
            let rows: [u32; BITS] = std::array::from_fn(|p| {
                let itself = 1 << (BITS - 1 - p);
                let above = !(itself | (itself - 1));
                (random() & above) | itself
            });
            for direction in directions {
                let digit = |(p, row): (usize, &u32)| ((row & *direction).count_ones() & 1) << (BITS - 1 - p);
                *direction = rows.iter().enumerate().map(digit).fold(0, |all, bit| all | bit);
            }
        }
        sobol
    }

    /// The point of this number, each coordinate from 0 to below 1.
    pub fn point(&self, number: u64) -> Vec<f64> {
        let gray = number ^ (number >> 1);
        let coordinate = |(directions, shift): (&[u32; BITS], &u32)| {
            let bits = (0..BITS)
                .filter(|bit| gray >> bit & 1 == 1)
                .fold(*shift, |bits, bit| bits ^ directions[bit]);
            f64::from(bits) / 2f64.powi(BITS as i32)
        };
        self.directions.iter().zip(&self.shift).map(coordinate).collect()
    }

    pub(super) fn check(space: &Space) -> Result<()> {
        match space.parameters().get(DIMENSIONS) {
            None => Ok(()),
            Some(beyond) => Err(Error::SpaceKey {
                key: beyond.key.clone(),
                problem: format!("it is the {}th key that varies", DIMENSIONS + 1),
                expected: format!("at most {DIMENSIONS} keys, or another sampler than sobol"),
            }),
        }
    }

    pub(super) fn suggest(history: &History<'_>, number: u64) -> Result<Vec<f64>> {
        Sobol::check(history.space)?;
        let sobol = Sobol::scrambled(history.space.len(), history.seed);
        let unit = sobol.point(number);
        let parameters = history.space.parameters().iter();
        Ok(parameters
            .zip(unit)
            .map(|(parameter, unit)| parameter.domain.at(unit))
            .collect())
    }
}

/// The direction numbers of a dimension, by the recurrence of its polynomial.
fn directions(dimension: usize) -> [u32; BITS] {
    let (polynomial, first) = DIRECTIONS[dimension];
    let mut numbers = [1u32; BITS];
    if dimension > 0 {
        let degree = first.len();
        numbers[..degree].copy_from_slice(first);
        for at in degree..BITS {
            let mut number = numbers[at - degree];
            for back in 1..=degree {
                if polynomial >> (degree - back) & 1 == 1 {
                    number ^= numbers[at - back] << back;
                }
            }
            numbers[at] = number;
        }
    }
    std::array::from_fn(|at| numbers[at] << (BITS - 1 - at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_every_axis_holds_one_of_so_many_points() {
        for sobol in [Sobol::new(16), Sobol::scrambled(16, 7)] {
            for bits in [1, 4, 8] {
                let count = 1u64 << bits;
                for dimension in 0..16 {
                    let mut parts: Vec<u64> = (0..count)
                        .map(|number| (sobol.point(number)[dimension] * count as f64) as u64)
                        .collect();
                    parts.sort_unstable();
                    assert!(
                        parts.into_iter().eq(0..count),
                        "dimension {dimension}, {count} points"
                    );
                }
            }
        }
    }

    #[test]
    fn scrambling_is_of_the_seed() {
        let [a, b, again] = [1, 2, 1].map(|seed| Sobol::scrambled(3, seed).point(5));
        assert_eq!(a, again);
        assert_ne!(a, b);
    }
}
