//! Searches against the answers of Optuna, cmaes and SciPy, and on functions whose best point is known.

#[cfg(test)]
mod finding;
#[cfg(test)]
mod golden;
