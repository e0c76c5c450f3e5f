//! Integrated gradients: what each input added on the way from a baseline.

use serde::{Deserialize, Serialize};

use super::quadrature::Node;
use super::{Attributions, Explained, Quadrature, Questions};
use crate::{Error, Result};

/// How the integral is computed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IntegratedGradients {
    /// Gradients along the path; default 50, Captum's.
    pub steps: usize,
    /// Where they are taken; default Gauss and Legendre's points, Captum's.
    pub rule: Quadrature,
    /// The most that attributions may miss of the change in the output, as a share of it (of 1 for a smaller change). Where
    /// they miss more, the path is halved where the misses are, and the halves again, until they do not. `None`, the default,
    /// takes exactly `steps` gradients, as Captum does.
    pub tolerance: Option<f64>,
    /// Gradients that halving may take for one row; default 8192. What is still missed then shows in the convergence delta.
    pub most_steps: usize,
}

impl Default for IntegratedGradients {
    fn default() -> Self {
        IntegratedGradients {
            steps: 50,
            rule: Quadrature::default(),
            tolerance: None,
            most_steps: 8192,
        }
    }
}

/// Attributes the change of the explained output between `baseline` (one row) and each row to the inputs: the path integral
/// of the gradient times the distance (Sundararajan, Taly and Yan 2017), as Captum's `IntegratedGradients`. Attributions sum
/// to the change, up to [`Attributions::convergence_deltas`]. `values` are `[rows, row_len]`.
///
/// A network of ReLUs has a kink wherever the path crosses a unit's threshold, and no rule of fixed steps sees kinks well.
/// With a `tolerance` the parts of the path that hold them are found by their own completeness: over any part, gradients
/// times distance must sum to the change of the output over it.
///
/// # Errors
/// [`Error::ExplainOption`] for steps that the rule does not take or a tolerance of 0 or less, [`Error::LengthMismatch`] for
/// a baseline that is no row; those of [`Explained::check`] and [`Explained::gradients`].
pub fn integrated_gradients(
    model: &Explained,
    questions: &Questions,
    baseline: &[f32],
    options: &IntegratedGradients,
) -> Result<Attributions> {
    let rows = model.check(questions)?;
    let row_len = model.check_baseline(baseline)?;
    let nodes = options.rule.nodes(options.steps)?;
    let path = Path {
        model,
        questions,
        baseline,
    };
    let whole: Vec<Part> = (0..rows)
        .map(|row| Part {
            row,
            from: 0.0,
            to: 1.0,
        })
        .collect();
    let mut sums = vec![0.0f64; rows * row_len];
    path.integrals(&whole, &nodes, |row, pieces| {
        let sums = &mut sums[row * row_len..][..row_len];
        sums.iter_mut().zip(pieces).for_each(|(sum, piece)| *sum += piece);
    })?;
    let scores = model.scores(questions)?;
    let baseline_scores = model.baseline_scores(questions, baseline)?;
    if let Some(tolerance) = options.tolerance {
        check_tolerance(tolerance)?;
        for row in 0..rows {
            let change = scores[row] - baseline_scores[row];
            let missed = sums[row * row_len..][..row_len].iter().sum::<f64>() - change;
            let allowed = tolerance * change.abs().max(1.0);
            if missed.abs() > allowed {
                let goal = Goal {
                    ends: [baseline_scores[row], scores[row]],
                    allowed,
                    // Every stretch is looked at while halving and once more for its integral.
                    most_stretches: (options.most_steps / (2 * POINTS)).max(FIRST_STRETCHES),
                };
                path.refine(row, &goal, &mut sums[row * row_len..][..row_len])?;
            }
        }
    }
    Ok(Attributions {
        values: sums.into_iter().map(|sum| sum as f32).collect(),
        scores,
        baseline_scores: Some(baseline_scores),
    })
}

fn check_tolerance(tolerance: f64) -> Result<()> {
    match tolerance > 0.0 {
        true => Ok(()),
        false => Err(Error::ExplainOption {
            option: "tolerance",
            value: tolerance.to_string(),
            expected: "a share of the change, above 0",
        }),
    }
}

/// The straight lines from a baseline to each row.
struct Path<'a> {
    model: &'a Explained<'a>,
    questions: &'a Questions<'a>,
    baseline: &'a [f32],
}

/// A stretch of a row's line.
#[derive(Clone, Copy)]
struct Part {
    row: usize,
    from: f64,
    to: f64,
}

/// A stretch with the outputs at its ends.
#[derive(Clone, Copy)]
struct Stretch {
    from: f64,
    to: f64,
    ends: [f64; 2],
}

/// Points on each stretch while refining: enough to be exact where a network is smooth.
const POINTS: usize = 4;
/// Stretches that a refined path starts from.
const FIRST_STRETCHES: usize = 16;

/// What refining a row is for.
struct Goal {
    /// Outputs of the baseline and of the row.
    ends: [f64; 2],
    /// What all stretches together may miss.
    allowed: f64,
    most_stretches: usize,
}

impl Path<'_> {
    /// What the integral of the gradient over each part, times the distance to the baseline, adds up to over the inputs.
    /// `add` gets each piece of it: the row, its input and the piece.
    fn integrals(
        &self,
        parts: &[Part],
        nodes: &[Node],
        mut add: impl FnMut(usize, &[f64]),
    ) -> Result<Vec<f64>> {
        let row_len = self.baseline.len();
        let mut totals = vec![0.0; parts.len()];
        let mut pieces = vec![0.0f64; row_len];
        self.model.gradients(
            parts.len() * nodes.len(),
            |at, out| {
                let (part, node) = (parts[at / nodes.len()], nodes[at % nodes.len()]);
                self.point(part.row, part.from + (part.to - part.from) * node.at, out);
            },
            |at| self.questions.targets[parts[at / nodes.len()].row],
            |at, _, gradient| {
                let (index, node) = (at / nodes.len(), nodes[at % nodes.len()]);
                let part = parts[index];
                let weight = node.weight * (part.to - part.from);
                let distances = self.row(part.row).iter().zip(self.baseline);
                for ((piece, &slope), (&x, &start)) in pieces.iter_mut().zip(gradient).zip(distances) {
                    *piece = weight * f64::from(slope) * (f64::from(x) - f64::from(start));
                }
                totals[index] += pieces.iter().sum::<f64>();
                add(part.row, &pieces);
            },
        )?;
        Ok(totals)
    }

    fn row(&self, row: usize) -> &[f32] {
        let row_len = self.baseline.len();
        &self.questions.rows[row * row_len..][..row_len]
    }

    /// The point that lies a share of the way from the baseline to a row.
    fn point(&self, row: usize, share: f64, out: &mut [f32]) {
        for ((out, &x), &start) in out.iter_mut().zip(self.row(row)).zip(self.baseline) {
            *out = (f64::from(start) + share * (f64::from(x) - f64::from(start))) as f32;
        }
    }

    /// The integral of one row from anew: the path is cut where it misses most until all stretches together miss no more than
    /// they may.
    fn refine(&self, row: usize, goal: &Goal, sums: &mut [f64]) -> Result<()> {
        let nodes = Quadrature::GaussLegendre.nodes(POINTS)?;
        let whole = Stretch {
            from: 0.0,
            to: 1.0,
            ends: goal.ends,
        };
        let mut settled: Vec<Part> = Vec::new();
        let mut open = self.cut(row, &[whole], FIRST_STRETCHES)?;
        while !open.is_empty() {
            let parts: Vec<Part> = open.iter().map(|stretch| stretch.part(row)).collect();
            let totals = self.integrals(&parts, &nodes, |_, _| {})?;
            let count = settled.len() + open.len();
            // Stretches that miss less than this cannot miss half of what is allowed together.
            let share = 0.5 * goal.allowed / count as f64;
            let missed = open.iter().zip(&totals);
            let mut missed: Vec<(f64, Stretch)> = missed
                .map(|(stretch, total)| ((total - (stretch.ends[1] - stretch.ends[0])).abs(), *stretch))
                .collect();
            missed.sort_by(|a, b| b.0.total_cmp(&a.0));
            let wanting = missed.partition_point(|(miss, _)| *miss > share);
            let (halved, fine) = missed.split_at(wanting.min(goal.most_stretches.saturating_sub(count)));
            settled.extend(fine.iter().map(|(_, stretch)| stretch.part(row)));
            let halved: Vec<Stretch> = halved.iter().map(|(_, stretch)| *stretch).collect();
            open = self.cut(row, &halved, 2)?;
        }
        sums.fill(0.0);
        self.integrals(&settled, &nodes, |_, pieces| {
            sums.iter_mut().zip(pieces).for_each(|(sum, piece)| *sum += piece);
        })?;
        Ok(())
    }

    /// Each stretch cut into `count` equal ones.
    fn cut(&self, row: usize, stretches: &[Stretch], count: usize) -> Result<Vec<Stretch>> {
        let inner = count - 1;
        let place = |at: usize| {
            let stretch = stretches[at / inner];
            let share = (at % inner + 1) as f64 / count as f64;
            stretch.from + (stretch.to - stretch.from) * share
        };
        let mut outputs = Vec::with_capacity(stretches.len() * inner);
        self.model.evaluate(
            stretches.len() * inner,
            |at, out| self.point(row, place(at), out),
            |_, values| outputs.push(f64::from(values[self.questions.targets[row]])),
        )?;
        let mut cut = Vec::with_capacity(stretches.len() * count);
        for (index, stretch) in stretches.iter().enumerate() {
            let (mut from, mut value) = (stretch.from, stretch.ends[0]);
            let cuts = (index * inner..(index + 1) * inner).map(|at| (place(at), outputs[at]));
            for (to, next) in cuts.chain([(stretch.to, stretch.ends[1])]) {
                let ends = [value, next];
                cut.push(Stretch { from, to, ends });
                (from, value) = (to, next);
            }
        }
        Ok(cut)
    }
}

impl Stretch {
    fn part(&self, row: usize) -> Part {
        Part {
            row,
            from: self.from,
            to: self.to,
        }
    }
}
