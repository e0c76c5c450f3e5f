//! `gradus explain`: why a packaged model answers as it does.

mod method_args;
mod samples;
mod text;

use std::path::PathBuf;

use anyhow::bail;
use gradus_evaluate::html::{ExplainContent, ExplainPage};

use super::Global;
use super::evaluate::{SplitName, model_folder, model_title};
use super::generation_args::WeightsName;
use super::output;
use super::unseen::UnseenArgs;
use method_args::MethodArgs;

/// Say why a model answers as it does: how much each pixel, column or token had to do with an answer, and what the model
/// goes by over all samples.
///
/// Examples: gradus explain runs/my/model --data data/fashion-mnist-sample --report why.html
/// and gradus explain runs/titanic/model --data titanic.csv --method kernel-shap --background 50
/// and gradus explain runs/titanic/model --data titanic.csv --method permutation
/// and gradus explain smollm2.gguf --text "The capital of France is" --answer " Paris"
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A package, or a training run's folder; of a language model also a Hugging Face folder or a GGUF file.
    model: PathBuf,
    /// What to explain: anything that `evaluate` or `predict` reads; for a language model lines of text (.txt), or of JSON
    /// (.jsonl) with a `text`, or with a `prompt` and an `answer`.
    #[arg(long, value_name = "PATH", required_unless_present = "text")]
    data: Option<PathBuf>,
    /// A text for a language model: why it would go on as it does.
    #[arg(long, value_name = "TEXT", conflicts_with = "data")]
    text: Option<String>,
    /// With --text: explain why it would say this. Default: the token that it finds most probable.
    #[arg(long, value_name = "TEXT", requires = "text")]
    answer: Option<String>,
    /// How a language model's weights are held: as in the file, or widened to f32.
    #[arg(long, value_enum, default_value_t = WeightsName::Stored)]
    weights: WeightsName,
    /// The part of the data, where the folder holds several.
    #[arg(long, value_enum, default_value_t = SplitName::Test)]
    split: SplitName,
    #[command(flatten)]
    unseen: UnseenArgs,
    /// How many samples to explain, spread over the data; `permutation` takes all of them.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    samples: u32,
    /// Explain these samples, by their places in the data counted from 0.
    #[arg(long, value_name = "I,J,…", value_delimiter = ',', conflicts_with = "samples")]
    index: Vec<usize>,
    /// What to explain: `predicted`, `truth`, or the name of a class, label or output.
    #[arg(long, value_name = "CLASS", default_value = "predicted")]
    target: String,
    #[command(flatten)]
    method: MethodArgs,
    /// Also write a report for people: one HTML file.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

impl Args {
    /// Writes the report, if one is wanted.
    fn write_report(&self, data: &str, explained: ExplainContent<'_>) -> anyhow::Result<()> {
        let Some(path) = &self.report else {
            return Ok(());
        };
        let page = ExplainPage {
            title: model_title(&model_folder(&self.model)),
            data: data.to_owned(),
            explained,
        };
        gradus_package::write_atomic(path, page.render()?.as_bytes())?;
        output::say(format_args!("report: {}", path.display()));
        Ok(())
    }
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    match (&args.text, &args.data) {
        (Some(text), _) => text::run(
            args,
            vec![text::Prompt::new(text, args.answer.as_deref())],
            global,
        ),
        (None, Some(data)) if text::is_text(data) => text::run(args, text::read(data)?, global),
        (None, Some(data)) => samples::run(args, data, global),
        (None, None) => bail!("give --data or --text"),
    }
}
