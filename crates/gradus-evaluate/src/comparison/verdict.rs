//! What two models' differences amount to, in plain words.

use serde::{Deserialize, Serialize};

use super::{ComparedMetric, Difference, McNemar};

/// One of two models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

/// Who is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// At least one metric tells that A is, and none that B is.
    ABetter,
    /// At least one metric tells that B is, and none that A is.
    BBetter,
    /// Some metrics tell that A is, others that B is.
    Divided,
    /// No metric tells.
    NoDifference,
}

impl Verdict {
    /// A metric tells a difference when the interval of the difference leaves out 0; accuracy also needs McNemar's test
    /// to be significant, where it applies, because the two can part when few rows tell the models apart.
    pub(super) fn of(differences: &[Difference], test: Option<&McNemar>, confidence: f64) -> Verdict {
        let significant = test.is_none_or(|test| test.p_value < 1.0 - confidence);
        let told = differences
            .iter()
            .filter(|difference| difference.metric != ComparedMetric::Accuracy || significant)
            .filter_map(Difference::better);
        let [a, b] = told.fold([false; 2], |[a, b], side| match side {
            Side::A => [true, b],
            Side::B => [a, true],
        });
        match (a, b) {
            (true, false) => Verdict::ABetter,
            (false, true) => Verdict::BBetter,
            (true, true) => Verdict::Divided,
            (false, false) => Verdict::NoDifference,
        }
    }

    /// In words, with the figures of the first metric or of those that matter.
    pub(super) fn sentence(self, differences: &[Difference], rows: usize) -> String {
        let of = |wanted: Option<Side>| -> String {
            let told = differences.iter().filter(|difference| match wanted {
                None => true,
                side => difference.better() == side,
            });
            told.map(Difference::in_words).collect::<Vec<_>>().join(", ")
        };
        match self {
            Verdict::ABetter => format!("A is better: {} (B less A)", of(Some(Side::A))),
            Verdict::BBetter => format!("B is better: {} (B less A)", of(Some(Side::B))),
            Verdict::Divided => format!(
                "it depends on the metric (B less A): A is better by {}; B is better by {}",
                of(Some(Side::A)),
                of(Some(Side::B))
            ),
            Verdict::NoDifference => {
                let first = differences.first().map(Difference::in_words).unwrap_or_default();
                let rows = if rows == 1 {
                    "1 row".to_owned()
                } else {
                    format!("{rows} rows")
                };
                format!("no difference can be told with {rows}: {first} (B less A)")
            }
        }
    }
}

impl Difference {
    /// Who is better by this metric, when the interval of the difference leaves out 0.
    pub fn better(&self) -> Option<Side> {
        let interval = self.difference.interval?;
        let up = interval.lower > 0.0;
        let down = interval.upper < 0.0;
        match (up || down, up == self.metric.higher_is_better()) {
            (false, _) => None,
            (true, true) => Some(Side::B),
            (true, false) => Some(Side::A),
        }
    }

    /// `accuracy +0.0120 (+0.0040 to +0.0200)`.
    fn in_words(&self) -> String {
        let name = self.metric.name().replace('_', " ");
        let value = self.difference.value;
        match self.difference.interval {
            Some(interval) => format!(
                "{name} {value:+.4} ({:+.4} to {:+.4})",
                interval.lower, interval.upper
            ),
            None => format!("{name} {value:+.4}"),
        }
    }
}
