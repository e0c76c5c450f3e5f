//! Many trainings, as a caller of the crate sees them; searches against the answers of Optuna, cmaes and SciPy, and on functions
//! whose best point is known.

#[cfg(test)]
mod crossval;
#[cfg(test)]
mod finding;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod intervals;
