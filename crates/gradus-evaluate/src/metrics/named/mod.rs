//! Metrics by name: what `--metrics` and a search's objective say.

mod answers;
mod classes;
mod labels;
mod orders;
mod ratio;
mod statistic;
mod table;
mod values;

use std::fmt;
use std::str::FromStr;

use gradus_data::TargetKind;
use serde::{Deserialize, Serialize};

pub use answers::Answers;
pub(crate) use statistic::{Counted, Statistic};
use table::{Better, Definition, definitions};

use super::MetricError;

/// What kind of answers a metric is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MetricTask {
    /// One class a sample.
    Classification,
    /// Any number of labels a sample.
    Multilabel,
    /// Numbers.
    Regression,
    /// An order of documents.
    Ranking,
}

impl MetricTask {
    const ALL: [MetricTask; 4] = [
        Self::Classification,
        Self::Multilabel,
        Self::Regression,
        Self::Ranking,
    ];

    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classification => TargetKind::Classification.name(),
            Self::Multilabel => TargetKind::Multilabel.name(),
            Self::Regression => TargetKind::Regression.name(),
            Self::Ranking => "ranking",
        }
    }
}

impl From<TargetKind> for MetricTask {
    fn from(kind: TargetKind) -> Self {
        match kind {
            TargetKind::Classification => Self::Classification,
            TargetKind::Multilabel => Self::Multilabel,
            TargetKind::Regression => Self::Regression,
        }
    }
}

/// How a named precision, recall, F1 or Jaccard's index is averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NamedAverage {
    /// Of class 1 of two.
    Binary,
    /// Mean over classes or labels.
    Macro,
    /// All decisions pooled.
    Micro,
    /// Mean weighted by support.
    Weighted,
    /// Mean over samples with several labels.
    Samples,
}

/// A metric as a person names it, with scikit-learn's words: `accuracy`, `macro_f1` (or `f1_macro`), `roc_auc`, `rmse`.
///
/// ```
/// use gradus_evaluate::metrics::{MetricName, MetricTask};
/// let metric: MetricName = "f1_macro".parse()?;
/// assert_eq!(metric.to_string(), "macro_f1");
/// assert!(metric.higher_is_better() && metric.applies_to(MetricTask::Classification));
/// # Ok::<(), gradus_evaluate::metrics::MetricError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum MetricName {
    /// `accuracy`; of several labels, the share of samples whose labels are all right.
    Accuracy,
    /// `balanced_accuracy`
    BalancedAccuracy,
    /// `precision` (of class 1 of two), `macro_precision`, ...
    Precision(NamedAverage),
    /// `recall`, `macro_recall`, ...
    Recall(NamedAverage),
    /// `f1`, `macro_f1`, ...
    F1(NamedAverage),
    /// `jaccard`, `macro_jaccard`, ...
    Jaccard(NamedAverage),
    /// `matthews_corrcoef`
    MatthewsCorrelation,
    /// `cohen_kappa`
    CohenKappa,
    /// `hamming_loss`
    HammingLoss,
    /// `log_loss`
    LogLoss,
    /// `brier_score`
    BrierScore,
    /// `ece`, over 15 bins
    CalibrationError,
    /// `top_2_accuracy`
    Top2Accuracy,
    /// `top_5_accuracy`
    Top5Accuracy,
    /// `roc_auc`: of class 1 of two; of more classes or of labels, the mean of each against the rest.
    RocAuc,
    /// `weighted_roc_auc`: each class or label against the rest, weighted by support.
    WeightedRocAuc,
    /// `roc_auc_ovo`: the mean over pairs of classes.
    RocAucOneVsOne,
    /// `average_precision`: of class 1 of two; of more classes or of labels, the mean of each against the rest.
    AveragePrecision,
    /// `mse`
    MeanSquaredError,
    /// `rmse`
    RootMeanSquaredError,
    /// `mae`
    MeanAbsoluteError,
    /// `mape`
    MeanAbsolutePercentageError,
    /// `median_absolute_error`
    MedianAbsoluteError,
    /// `r2`
    R2,
    /// `explained_variance`
    ExplainedVariance,
    /// `ndcg`
    Ndcg,
    /// `mrr`
    MeanReciprocalRank,
    /// `map`
    MeanAveragePrecision,
}

impl MetricName {
    /// Every metric, in the order of the documentation.
    pub fn all() -> Vec<MetricName> {
        definitions().map(|definition| definition.metric).collect()
    }

    /// The metric that a task has under a name.
    ///
    /// # Errors
    /// [`MetricError::UnknownName`] and [`MetricError::NotOfTask`], which tell the names that the task has.
    ///
    /// ```
    /// use gradus_evaluate::metrics::{MetricName, MetricTask};
    /// assert_eq!(MetricName::of_task("mcc", MetricTask::Classification)?, MetricName::MatthewsCorrelation);
    /// let error = MetricName::of_task("accuracy", MetricTask::Regression).unwrap_err();
    /// assert!(error.to_string().contains("median_absolute_error"));
    /// # Ok::<(), gradus_evaluate::metrics::MetricError>(())
    /// ```
    pub fn of_task(name: &str, task: MetricTask) -> Result<MetricName, MetricError> {
        match find(name) {
            None => Err(MetricError::UnknownName {
                name: name.to_owned(),
                known: MetricName::listed(task),
            }),
            Some(definition) if definition.applies_to(task) => Ok(definition.metric),
            Some(definition) => Err(MetricError::NotOfTask {
                metric: definition.name.to_owned(),
                task: task.name(),
                known: MetricName::listed(task),
            }),
        }
    }

    /// The names of a task's metrics, for messages.
    fn listed(task: MetricTask) -> String {
        names(definitions().filter(|definition| definition.applies_to(task)))
    }

    /// The tasks that have it.
    pub fn tasks(self) -> Vec<MetricTask> {
        let tasks = MetricTask::ALL.into_iter();
        tasks.filter(|&task| self.applies_to(task)).collect()
    }

    /// Whether a task has it.
    pub fn applies_to(self, task: MetricTask) -> bool {
        self.definition().applies_to(task)
    }

    /// Whether a larger value is a better one.
    pub fn higher_is_better(self) -> bool {
        self.definition().better == Better::Higher
    }

    fn definition(self) -> &'static Definition {
        definitions()
            .find(|definition| definition.metric == self)
            .expect("every metric is in the table, which a test walks; a variant without a row is a bug")
    }
}

fn names(definitions: impl Iterator<Item = &'static Definition>) -> String {
    definitions
        .map(|definition| definition.name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// The metric of a name: those of the documentation, scikit-learn's order of words (`f1_macro`), and `-` for `_`.
fn find(name: &str) -> Option<&'static Definition> {
    let name = name.trim().to_lowercase().replace('-', "_");
    definitions().find(|definition| definition.name == name || definition.aliases.contains(&name.as_str()))
}

impl fmt::Display for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.definition().name)
    }
}

impl FromStr for MetricName {
    type Err = MetricError;

    /// Takes the names of the documentation, scikit-learn's order of words (`f1_macro`), and `-` for `_`.
    fn from_str(text: &str) -> Result<Self, MetricError> {
        find(text)
            .map(|definition| definition.metric)
            .ok_or_else(|| MetricError::UnknownName {
                name: text.to_owned(),
                known: names(definitions()),
            })
    }
}

impl TryFrom<String> for MetricName {
    type Error = MetricError;

    fn try_from(name: String) -> Result<Self, MetricError> {
        name.parse()
    }
}

impl From<MetricName> for String {
    fn from(metric: MetricName) -> String {
        metric.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back_as_itself() {
        for metric in MetricName::all() {
            let name = metric.to_string();
            assert_eq!(name.parse(), Ok(metric), "{name}");
            assert!(!metric.tasks().is_empty(), "{name}");
        }
        for definition in definitions() {
            for other in definition.aliases {
                assert_eq!(other.parse(), Ok(definition.metric), "{other}");
            }
        }
        assert_eq!("F1-Macro".parse(), Ok(MetricName::F1(NamedAverage::Macro)));
    }

    #[test]
    fn no_two_metrics_share_a_name() {
        let mut names: Vec<&str> = definitions()
            .flat_map(|definition| {
                [definition.name]
                    .into_iter()
                    .chain(definition.aliases.iter().copied())
            })
            .collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = "acuracy".parse::<MetricName>().unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("`acuracy`") && text.contains("macro_f1") && text.contains("rmse"),
            "{text}"
        );
    }
}
