//! The angles of rotary position embedding, computed once and shared by all layers.

use std::sync::{Arc, PoisonError, RwLock};

use crate::error::{Error, Result};

/// Positions past this are refused: far above any model's context, and a table of this many at 64 frequencies is
/// 8 GiB, which only a mistaken position asks for.
const MAX_POSITIONS: usize = 1 << 24;

/// A table that grows holds at least this many positions, so that short sequences build it once.
const MIN_POSITIONS: usize = 256;

/// Cosines and sines of `position · inverse frequency`, for [`Tensor::rope`](crate::Tensor::rope).
///
/// Angles and functions are computed in `f64` and stored as `f32`, `[positions, frequencies]`. The table grows (to a
/// power of two) when a position asks for it; growing does not change what is there. Clones share the table.
///
/// ```
/// use gradus_tensor::{RopePositions, RopeTable, Tensor};
/// let head_dim = 4;
/// let frequencies = [1.0, 0.01]; // base⁻²ⁱᐟᵈ for base 10,000
/// let table = RopeTable::new(&frequencies, 1.0)?;
/// let q = Tensor::from_vec(vec![1.0f32, 2.0, 0.0, 0.0], [1, 1, 1, head_dim])?;
/// let turned = q.rope(&table, RopePositions::From(3))?.to_vec::<f32>()?;
/// assert!((turned[0] - 3f32.cos()).abs() < 1e-6 && (turned[2] - 3f32.sin()).abs() < 1e-6);
/// # Ok::<(), gradus_tensor::Error>(())
/// ```
#[derive(Clone)]
pub struct RopeTable {
    shared: Arc<Shared>,
}

struct Shared {
    inverse_frequencies: Vec<f64>,
    attention_scaling: f64,
    rows: RwLock<Arc<AngleRows>>,
}

/// Cosines and sines, `[positions, frequencies]` each.
#[derive(Default)]
pub(crate) struct AngleRows {
    pub(crate) cos: Vec<f32>,
    pub(crate) sin: Vec<f32>,
}

impl RopeTable {
    /// A table of these inverse frequencies, in radians per position, one for each pair of elements that turns.
    /// Cosines and sines are multiplied by `attention_scaling` (1 for most models; YaRN and LongRoPE set it).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for no frequencies, or a number that is not finite.
    pub fn new(inverse_frequencies: &[f64], attention_scaling: f64) -> Result<RopeTable> {
        let refused = |name, value, rule| {
            let op = "rope table";
            Err(Error::InvalidArgument {
                op,
                name,
                value,
                rule,
            })
        };
        if inverse_frequencies.is_empty() {
            return refused("number of frequencies", 0.0, "at least one");
        }
        if let Some(&bad) = inverse_frequencies.iter().find(|f| !f.is_finite()) {
            return refused("inverse frequency", bad, "finite");
        }
        if !attention_scaling.is_finite() {
            return refused("attention_scaling", attention_scaling, "finite");
        }
        let shared = Shared {
            inverse_frequencies: inverse_frequencies.to_vec(),
            attention_scaling,
            rows: RwLock::default(),
        };
        Ok(RopeTable {
            shared: Arc::new(shared),
        })
    }

    /// Elements of each head that turn: twice the number of frequencies.
    pub fn rotary_dim(&self) -> usize {
        2 * self.frequencies()
    }

    /// The factor of all cosines and sines.
    pub fn attention_scaling(&self) -> f64 {
        self.shared.attention_scaling
    }

    pub(crate) fn frequencies(&self) -> usize {
        self.shared.inverse_frequencies.len()
    }

    /// Rows for `0..positions` at least.
    pub(crate) fn rows(&self, positions: usize) -> Result<Arc<AngleRows>> {
        if positions > MAX_POSITIONS {
            return Err(Error::InvalidArgument {
                op: "rope",
                name: "position",
                value: positions as f64 - 1.0,
                rule: "below 2^24",
            });
        }
        let enough = |rows: &AngleRows| rows.cos.len() >= positions * self.frequencies();
        {
            // A panic cannot leave the slot between two tables: it holds a whole one.
            let rows = self.shared.rows.read().unwrap_or_else(PoisonError::into_inner);
            if enough(&rows) {
                return Ok(rows.clone());
            }
        }
        let mut rows = self.shared.rows.write().unwrap_or_else(PoisonError::into_inner);
        if !enough(&rows) {
            *rows = Arc::new(
                self.shared
                    .rows_for(positions.max(MIN_POSITIONS).next_power_of_two()),
            );
        }
        Ok(rows.clone())
    }
}

impl Shared {
    fn rows_for(&self, positions: usize) -> AngleRows {
        let len = positions * self.inverse_frequencies.len();
        let (mut cos, mut sin) = (Vec::with_capacity(len), Vec::with_capacity(len));
        for position in 0..positions {
            for inverse_frequency in &self.inverse_frequencies {
                let (s, c) = (position as f64 * inverse_frequency).sin_cos();
                cos.push((c * self.attention_scaling) as f32);
                sin.push((s * self.attention_scaling) as f32);
            }
        }
        AngleRows { cos, sin }
    }
}

impl std::fmt::Debug for RopeTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RopeTable")
            .field("inverse_frequencies", &self.shared.inverse_frequencies)
            .field("attention_scaling", &self.shared.attention_scaling)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_keeps_what_is_there() {
        let table = RopeTable::new(&[1.0, 0.5, 0.001], 1.25).unwrap();
        let small = table.rows(3).unwrap();
        let large = table.rows(5000).unwrap();
        assert_eq!(small.cos.len(), 3 * MIN_POSITIONS);
        assert_eq!(large.cos.len(), 3 * 8192);
        assert_eq!(large.cos[..small.cos.len()], small.cos[..]);
        assert_eq!(large.sin[..small.sin.len()], small.sin[..]);
        assert_eq!(small.sin[4], (1.25 * 0.5f64.sin()) as f32);
    }

    #[test]
    fn refuses_what_is_no_table() {
        for (frequencies, scaling) in [(&[][..], 1.0), (&[f64::NAN], 1.0), (&[1.0], f64::INFINITY)] {
            assert!(matches!(
                RopeTable::new(frequencies, scaling),
                Err(Error::InvalidArgument { .. })
            ));
        }
        let table = RopeTable::new(&[1.0], 1.0).unwrap();
        assert!(matches!(
            table.rows(MAX_POSITIONS + 1),
            Err(Error::InvalidArgument { .. })
        ));
    }
}
