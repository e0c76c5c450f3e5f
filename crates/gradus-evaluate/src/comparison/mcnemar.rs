//! McNemar's test: do two models err equally often?

use serde::{Deserialize, Serialize};

use crate::bootstrap::normal;

/// Discordant pairs below which the p-value is exact: the usual bound of the chi-square approximation.
const EXACT_BELOW: u64 = 25;

/// The test on the rows that only one of two models has right. Rows that both or neither has right say nothing about
/// which is better.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Rows that only A has right.
    pub only_a: u64,
    /// Rows that only B has right.
    pub only_b: u64,
    /// How the p-value was found.
    pub method: McNemarMethod,
    /// Chance of a division as uneven as this, or more, if both models erred equally often.
    pub p_value: f64,
}

/// How a p-value was found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum McNemarMethod {
    /// From the binomial distribution with probability ½.
    Exact,
    /// From the chi-square distribution with one degree of freedom, with Edwards' continuity correction.
    ChiSquare {
        /// `(|only_a − only_b| − 1)² / (only_a + only_b)`.
        statistic: f64,
    },
}

impl McNemar {
    /// The test: exact when fewer than 25 rows tell the models apart, by chi-square otherwise.
    ///
    /// Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    /// Psychometrika 12 (1947); the exact form is the two-sided binomial test.
    ///
    /// ```
    /// use gradus_evaluate::McNemar;
    /// assert!(McNemar::new(2, 15).p_value < 0.01);
    /// assert_eq!(McNemar::new(8, 8).p_value, 1.0);
    /// ```
    pub fn new(only_a: u64, only_b: u64) -> Self {
        let (method, p_value) = if only_a + only_b < EXACT_BELOW {
            (McNemarMethod::Exact, exact(only_a, only_b))
        } else {
            let statistic = statistic(only_a, only_b);
            (McNemarMethod::ChiSquare { statistic }, chi_square_tail(statistic))
        };
        Self {
            only_a,
            only_b,
            method,
            p_value,
        }
    }
}

/// Two-sided binomial test of a fair coin: twice the tail up to the rarer side.
fn exact(only_a: u64, only_b: u64) -> f64 {
    let (rarer, trials) = (only_a.min(only_b), only_a + only_b);
    // Exact in f64 while the coefficients are below 2^53, which `EXACT_BELOW` keeps them.
    let mut coefficient = 1.0;
    let mut ways = 0.0;
    for k in 0..=rarer {
        ways += coefficient;
        coefficient = coefficient * (trials - k) as f64 / (k + 1) as f64;
    }
    (2.0 * ways * 0.5f64.powi(trials as i32)).min(1.0)
}

fn statistic(only_a: u64, only_b: u64) -> f64 {
    let excess = only_a.abs_diff(only_b).saturating_sub(1) as f64;
    excess * excess / (only_a + only_b).max(1) as f64
}

/// Chance that a chi-square with one degree of freedom, the square of a normal number, is larger.
fn chi_square_tail(statistic: f64) -> f64 {
    2.0 * normal::cumulative(-statistic.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        cases: Vec<serde_json::Value>,
    }

    #[derive(Deserialize)]
    struct Case {
        only_a: u64,
        only_b: u64,
        exact: f64,
        statistic: f64,
        chi_square: f64,
    }

    /// From `golden/bootstrap.json` (`golden/make_bootstrap.py` writes it).
    #[test]
    fn both_forms_are_those_of_scipy() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/bootstrap.json");
        let golden: Golden = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let tests = golden.cases.into_iter().filter(|case| case["kind"] == "mcnemar");
        let mut seen = 0;
        for case in tests {
            let case: Case = serde_json::from_value(case).unwrap();
            let (a, b) = (case.only_a, case.only_b);
            assert!(
                (statistic(a, b) - case.statistic).abs() <= 1e-12 * case.statistic,
                "{a} {b}"
            );
            let tail = chi_square_tail(case.statistic);
            assert!(
                (tail - case.chi_square).abs() <= 1e-12 * case.chi_square,
                "{a} {b}: {tail}"
            );
            assert!(
                (exact(a, b) - case.exact).abs() <= 1e-12 * case.exact,
                "{a} {b}: {}",
                exact(a, b)
            );
            let expected = if a + b < EXACT_BELOW {
                case.exact
            } else {
                case.chi_square
            };
            assert!((McNemar::new(a, b).p_value - expected).abs() <= 1e-12);
            seen += 1;
        }
        assert!(seen > 5);
    }

    #[test]
    fn models_that_agree_everywhere_are_not_told_apart() {
        assert_eq!(McNemar::new(0, 0).p_value, 1.0);
    }
}
