//! `gradus predict`: a packaged model's answers for a file of inputs.

use std::path::PathBuf;

use gradus_data::load_inputs;
use gradus_evaluate::Predictor;
use serde::Serialize;

use super::Global;
use super::evaluate::model_folder;
use super::output::{self, Table};

/// Predict the class of each input in a file: pictures, an IDX file, a CSV or a Parquet file.
///
/// Example: gradus predict runs/my/model --input data/fashion-mnist-sample/t10k-images-idx3-ubyte.gz
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A package, or a training run's folder.
    model: PathBuf,
    /// What to predict on: a picture, a folder of pictures, IDX images, or a table without labels.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// How many classes to name for each input, the most probable first.
    #[arg(long, value_name = "K", default_value_t = 1)]
    top: usize,
}

/// Rows that go through the model at once; it changes speed, not answers.
const BATCH_SIZE: usize = 256;

/// The answer for one input.
#[derive(Serialize)]
struct Answer<'a> {
    input: &'a str,
    classes: Vec<Choice<'a>>,
}

/// A class and how probable the model finds it.
#[derive(Serialize)]
struct Choice<'a> {
    label: &'a str,
    probability: f64,
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
            classes: most_probable(&predictions.probabilities(index), predictor.labels(), args.top),
        })
        .collect();
    if global.json {
        return output::json(&answers);
    }
    let mut table = Table::new(&["input", "class", "probability"]);
    for answer in &answers {
        for choice in &answer.classes {
            table.row([
                answer.input.to_owned(),
                choice.label.to_owned(),
                format!("{:.4}", choice.probability),
            ]);
        }
    }
    output::write(table.to_string().as_bytes())
}

fn most_probable<'a>(probabilities: &[f64], labels: &'a [String], top: usize) -> Vec<Choice<'a>> {
    let mut choices: Vec<Choice<'a>> = labels
        .iter()
        .zip(probabilities)
        .map(|(label, &probability)| Choice { label, probability })
        .collect();
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
