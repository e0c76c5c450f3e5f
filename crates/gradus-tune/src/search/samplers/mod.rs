//! Ways to choose the next point of a space.
//!
//! What a sampler chooses is a function of the seed, the trial's number and the trials so far. None keeps a state of its
//! own, so that a search that was killed goes on as if it never had been.

mod cma_es;
mod eigen;
mod grid;
mod parzen;
mod random;
mod sobol;
mod sobol_directions;
mod tpe;
mod truncated_normal;

pub use cma_es::CmaEs;
pub use parzen::{Density, Kernels, ParzenEstimator};
pub use sobol::Sobol;
pub use tpe::Tpe;

pub(super) use truncated_normal::TruncatedNormal;

use super::space::Space;
use super::trial::History;
use crate::Result;
use serde::{Deserialize, Serialize};

/// Which points of a space are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampler {
    /// Every combination of all values, in order.
    Grid,
    /// Points drawn independently.
    Random,
    /// Points of a scrambled Sobol sequence, which leave no part of the space out.
    Sobol,
    /// Where good trials are dense and bad ones are not: a tree-structured Parzen estimator.
    #[default]
    Tpe,
    /// From a normal distribution that moves and stretches towards good trials.
    #[serde(rename = "cmaes")]
    CmaEs,
}

impl Sampler {
    /// How many different trials there are; `None` for no end.
    ///
    /// # Errors
    /// [`Error::SpaceKey`](crate::Error::SpaceKey) for a space that the sampler cannot choose from.
    pub fn capacity(self, space: &Space) -> Result<Option<u64>> {
        match self {
            Sampler::Grid => grid::size(space).map(Some),
            Sampler::Sobol => Sobol::check(space).map(|()| None),
            Sampler::Random | Sampler::Tpe | Sampler::CmaEs => Ok(None),
        }
    }

    /// The point of the trial with this number: for each parameter a setting, or the place of a choice.
    ///
    /// # Errors
    /// As [`Sampler::capacity`].
    pub fn suggest(self, history: &History<'_>, number: u64) -> Result<Vec<f64>> {
        match self {
            Sampler::Grid => grid::point(history.space, number),
            Sampler::Random => Ok(random::point(history, number)),
            Sampler::Sobol => Sobol::suggest(history, number),
            Sampler::Tpe => Ok(Tpe::default().suggest(history, number)),
            Sampler::CmaEs => Ok(CmaEs::suggest(history, number)),
        }
    }
}
