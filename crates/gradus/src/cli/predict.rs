//! `gradus predict`: a packaged model's answers for a file of inputs.

use std::path::PathBuf;

use gradus_data::{TargetKind, load_inputs};
use gradus_evaluate::Predictor;
use serde::Serialize;

use super::Global;
use super::evaluate::model_folder;
use super::output::{self, Table};

/// Tell the class, the numbers or the labels of each input in a file: pictures, an IDX file, a CSV or a Parquet file.
///
/// Example: gradus predict runs/my/model --input data/fashion-mnist-sample/t10k-images-idx3-ubyte.gz
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A package, or a training run's folder.
    model: PathBuf,
    /// What to predict on: a picture, a folder of pictures, IDX images, or a table without labels.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Classification: how many classes to name for each input, the most probable first.
    #[arg(long, value_name = "K", default_value_t = 1)]
    top: usize,
}

/// Rows that go through the model at once; it changes speed, not answers.
const BATCH_SIZE: usize = 256;

/// The answer for one input.
#[derive(Serialize)]
struct Answer<'a> {
    input: &'a str,
    #[serde(flatten)]
    told: Told<'a>,
}

/// What a model tells about an input, by its task.
#[derive(Serialize)]
#[serde(untagged)]
enum Told<'a> {
    /// The most probable classes, the first one first.
    Classes { classes: Vec<Choice<'a>> },
    /// A number for each target, in its unit.
    Values { values: Vec<Value<'a>> },
    /// The labels that are more probable than not, and the probability of each there is.
    Labels {
        labels: Vec<&'a str>,
        probabilities: Vec<Choice<'a>>,
    },
}

/// A class or a label, and how probable the model finds it.
#[derive(Serialize)]
struct Choice<'a> {
    label: &'a str,
    probability: f64,
}

/// A number to which a regression came.
#[derive(Serialize)]
struct Value<'a> {
    target: &'a str,
    value: f64,
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    let predictor = Predictor::open(model_folder(&args.model))?;
    let inputs = load_inputs(&args.input, predictor.preprocessing())?;
    let predictions = predictor.predict_samples(&inputs.samples, BATCH_SIZE)?;
    let answers: Vec<Answer<'_>> = inputs
        .names
        .iter()
        .enumerate()
        .map(|(index, input)| Answer {
            input,
            told: Told::of(&predictor, &predictor.answer(&predictions, index), args.top),
        })
        .collect();
    if global.json {
        return output::json(&answers);
    }
    let mut table = Table::new(match predictor.task() {
        TargetKind::Classification => &["input", "class", "probability"],
        TargetKind::Regression => &["input", "target", "value"],
        TargetKind::Multilabel => &["input", "labels", "probabilities"],
    });
    for answer in &answers {
        for [name, number] in answer.told.rows() {
            table.row([answer.input.to_owned(), name, number]);
        }
    }
    output::write(table.to_string().as_bytes())
}

impl<'a> Told<'a> {
    fn of(predictor: &'a Predictor, answer: &[f64], top: usize) -> Told<'a> {
        let labels = predictor.labels();
        match predictor.task() {
            TargetKind::Classification => Told::Classes {
                classes: most_probable(answer, labels, top),
            },
            TargetKind::Regression => Told::Values {
                values: labels
                    .iter()
                    .zip(answer)
                    .map(|(target, &value)| Value { target, value })
                    .collect(),
            },
            TargetKind::Multilabel => {
                let probabilities = choices(answer, labels);
                let applies = probabilities.iter().filter(|choice| choice.probability >= 0.5);
                Told::Labels {
                    labels: applies.map(|choice| choice.label).collect(),
                    probabilities,
                }
            }
        }
    }

    /// The rows of a table for people: a name and a number. Labels come in one, `-` for none.
    fn rows(&self) -> Vec<[String; 2]> {
        let choice = |choice: &Choice<'_>| [choice.label.to_owned(), format!("{:.4}", choice.probability)];
        match self {
            Told::Classes { classes } => classes.iter().map(choice).collect(),
            Told::Values { values } => values
                .iter()
                .map(|value| [value.target.to_owned(), significant(value.value)])
                .collect(),
            Told::Labels {
                labels,
                probabilities,
            } if labels.is_empty() => {
                let highest = probabilities
                    .iter()
                    .map(|choice| choice.probability)
                    .fold(0.0, f64::max);
                vec![["-".to_owned(), format!("all below {:.4}", highest + 0.000_05)]]
            }
            Told::Labels { probabilities, .. } => {
                let applies = probabilities
                    .iter()
                    .filter(|choice| choice.probability >= 0.5)
                    .map(choice);
                let (names, numbers): (Vec<String>, Vec<String>) =
                    applies.map(|[name, number]| (name, number)).unzip();
                vec![[names.join(", "), numbers.join(", ")]]
            }
        }
    }
}

/// Six significant digits: about what 32 bits hold.
fn significant(value: f64) -> String {
    let text = format!("{value:.5e}");
    text.parse::<f64>().map_or(text, |short| short.to_string())
}

fn choices<'a>(probabilities: &[f64], labels: &'a [String]) -> Vec<Choice<'a>> {
    let pairs = labels.iter().zip(probabilities);
    pairs
        .map(|(label, &probability)| Choice { label, probability })
        .collect()
}

fn most_probable<'a>(probabilities: &[f64], labels: &'a [String], top: usize) -> Vec<Choice<'a>> {
    let mut choices = choices(probabilities, labels);
    choices.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    choices.truncate(top.max(1));
    choices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_most_probable_classes_first() {
        let labels = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let top = most_probable(&[0.2, 0.5, 0.3], &labels, 2);
        assert_eq!(
            top.iter().map(|choice| choice.label).collect::<Vec<_>>(),
            ["b", "c"]
        );
        assert_eq!(most_probable(&[0.2, 0.5, 0.3], &labels, 0).len(), 1);
    }
}
