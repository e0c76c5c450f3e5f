//! Rules for an integral from 0 to 1.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How the integral along a path is approximated. The rules and their weights are Captum's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quadrature {
    /// Gauss and Legendre's points: exact for polynomials of degree `2 × points − 1`.
    #[default]
    GaussLegendre,
    /// Equal steps, at the left end of each.
    RiemannLeft,
    /// Equal steps, in the middle of each.
    RiemannMiddle,
    /// Equal steps, at the right end of each.
    RiemannRight,
    /// Points from 0 to 1, the ends counting half; as in Captum every point weighs 1/points, so the weights sum to a little
    /// less than 1.
    RiemannTrapezoid,
}

/// A point of a rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Node {
    /// Where, from 0 to 1.
    pub at: f64,
    /// How much it counts.
    pub weight: f64,
}

impl Quadrature {
    /// The rule's points.
    ///
    /// # Errors
    /// [`Error::ExplainOption`] for fewer points than the rule takes.
    pub(super) fn nodes(self, points: usize) -> Result<Vec<Node>> {
        let least = match self {
            Quadrature::GaussLegendre => 1,
            Quadrature::RiemannLeft
            | Quadrature::RiemannMiddle
            | Quadrature::RiemannRight
            | Quadrature::RiemannTrapezoid => 2,
        };
        if points < least || points > MOST_POINTS {
            return Err(Error::ExplainOption {
                option: "steps",
                value: points.to_string(),
                expected: "at least 1 (2 for riemann rules), at most 100,000",
            });
        }
        let step = 1.0 / points as f64;
        let evenly = |offset: f64| {
            let node = |index| Node {
                at: (index as f64 + offset) * step,
                weight: step,
            };
            (0..points).map(node).collect::<Vec<_>>()
        };
        Ok(match self {
            Quadrature::GaussLegendre => gauss_legendre(points),
            Quadrature::RiemannLeft => evenly(0.0),
            Quadrature::RiemannMiddle => evenly(0.5),
            Quadrature::RiemannRight => evenly(1.0),
            Quadrature::RiemannTrapezoid => trapezoid(points),
        })
    }
}

/// Far more than any network needs, few enough that finding the points takes no time.
const MOST_POINTS: usize = 100_000;

fn trapezoid(points: usize) -> Vec<Node> {
    let node = |index| Node {
        at: index as f64 / (points - 1) as f64,
        weight: match index == 0 || index == points - 1 {
            true => 0.5 / points as f64,
            false => 1.0 / points as f64,
        },
    };
    (0..points).map(node).collect()
}

/// The roots of the Legendre polynomial by Newton's method from Tricomi's estimates, moved from [-1, 1] to [0, 1].
fn gauss_legendre(points: usize) -> Vec<Node> {
    let n = points as f64;
    let node = |index: usize| {
        let mut x = -((index as f64 + 0.75) / (n + 0.5) * std::f64::consts::PI).cos();
        // Quadratic convergence from an estimate that is right to some digits: a few rounds reach the last bit.
        for _ in 0..8 {
            let (value, slope) = legendre(points, x);
            x -= value / slope;
        }
        let (_, slope) = legendre(points, x);
        Node {
            at: 0.5 * (1.0 + x),
            weight: 1.0 / ((1.0 - x * x) * slope * slope),
        }
    };
    (0..points).map(node).collect()
}

/// The Legendre polynomial of a degree and its slope, by the three-term recurrence.
fn legendre(degree: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for k in 2..=degree {
        let k = k as f64;
        (before, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k);
    }
    let slope = degree as f64 * (x * value - before) / (x * x - 1.0);
    (value, slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integral(rule: Quadrature, points: usize, f: impl Fn(f64) -> f64) -> f64 {
        let nodes = rule.nodes(points).unwrap();
        nodes.iter().map(|node| node.weight * f(node.at)).sum()
    }

    #[test]
    fn gauss_legendre_is_exact_for_polynomials() {
        for points in [1, 2, 3, 10, 50, 301] {
            for degree in [0, 1, 2 * points as i32 - 1] {
                let sum = integral(Quadrature::GaussLegendre, points, |x| x.powi(degree));
                let exact = 1.0 / f64::from(degree + 1);
                assert!(
                    (sum - exact).abs() < 1e-12,
                    "{points} {degree}: {sum}, expected {exact}"
                );
            }
        }
    }

    #[test]
    fn riemann_rules_stand_where_they_say() {
        let places = |rule: Quadrature| {
            rule.nodes(4)
                .unwrap()
                .iter()
                .map(|node| node.at)
                .collect::<Vec<_>>()
        };
        assert_eq!(places(Quadrature::RiemannLeft), [0.0, 0.25, 0.5, 0.75]);
        assert_eq!(places(Quadrature::RiemannMiddle), [0.125, 0.375, 0.625, 0.875]);
        assert_eq!(places(Quadrature::RiemannRight), [0.25, 0.5, 0.75, 1.0]);
        assert_eq!(integral(Quadrature::RiemannTrapezoid, 4, |_| 1.0), 0.75);
    }

    #[test]
    fn refuses_no_steps_and_too_many() {
        for (rule, points) in [
            (Quadrature::GaussLegendre, 0),
            (Quadrature::RiemannLeft, 1),
            (Quadrature::GaussLegendre, usize::MAX),
        ] {
            let message = rule.nodes(points).unwrap_err().to_string();
            assert!(message.contains("steps"), "{message}");
        }
    }
}
