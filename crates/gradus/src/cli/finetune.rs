//! `gradus finetune`: a language model learns to answer as conversations do.

use std::path::{Path, PathBuf};

use anyhow::bail;
use gradus_train::recipe::Recipe;
use toml::Value;

use super::Global;
use super::train;

/// Tune a language model on conversations: all of it, or LoRA adapters beside it. Only answers are learnt.
///
/// The run is one of `gradus train`, with checkpoints: Ctrl-C saves and stops, --resume goes on. Adapters are kept in
/// PEFT's format in the run's folder `adapter`, and added to the weights in its `model`.
///
/// Example: gradus finetune model.gguf --data chat.jsonl --lora rank=16,alpha=32,targets=q_proj,v_proj
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A package, a training run's folder, a Hugging Face folder, or a GGUF file.
    model: PathBuf,
    /// A JSON Lines file with an example a line: messages, conversations, prompt and completion, or instruction, input
    /// and output.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Examples to measure on, in a file of the same kind.
    #[arg(long, value_name = "FILE")]
    validation: Option<PathBuf>,
    /// Train adapters and leave the weights alone; without, all weights are trained. Any of rank=, alpha=, dropout= and
    /// targets=, which comes last.
    #[arg(long, value_name = "SETTINGS", num_args = 0..=1, default_missing_value = "")]
    lora: Option<String>,
    /// Passes over the data. Default: 3.
    #[arg(long, value_name = "N")]
    epochs: Option<u64>,
    /// Step size at the top of the schedule. Default: 2e-4 for adapters, 2e-5 for all weights.
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Rows in a batch. Default: 4.
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Tokens in a row; shorter examples share one. Default: 512.
    #[arg(long, value_name = "N")]
    block_size: Option<usize>,
    /// Override one key of the recipe (`gradus new finetune` prints all), such as train.accumulate=4; may be given again.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// The run's folder. Default: runs/ and the data's name.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on from the last checkpoint of an earlier run in the same folder, to the very same result.
    #[arg(long)]
    resume: bool,
}

/// Step sizes that are gentle enough for most models.
const ADAPTER_LEARNING_RATE: f64 = 2e-4;
const FULL_LEARNING_RATE: f64 = 2e-5;

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    let recipe = Recipe::parse(Recipe::template("finetune")?, &overrides(args)?)?;
    let out = args.out.clone().unwrap_or_else(|| train::default_out(&args.data));
    train::run_recipe(&recipe, &out, args.resume, global)
}

/// The flags as settings of the recipe.
fn overrides(args: &Args) -> anyhow::Result<Vec<String>> {
    let mut settings = vec![
        set("data.chat", path(&args.data)?),
        set("model.path", path(&args.model)?),
    ];
    if let Some(validation) = &args.validation {
        settings.push(set("data.validation", path(validation)?));
    }
    let rate = match &args.lora {
        Some(text) => {
            settings.push(set("model.lora", Value::Table(lora_settings(text)?)));
            ADAPTER_LEARNING_RATE
        }
        None => {
            settings.push("model.lora=".to_owned());
            FULL_LEARNING_RATE
        }
    };
    settings.push(set(
        "train.learning_rate",
        Value::Float(args.learning_rate.unwrap_or(rate)),
    ));
    let counts = [
        ("train.epochs", args.epochs),
        ("train.batch_size", args.batch_size.map(|count| count as u64)),
        ("train.block_size", args.block_size.map(|count| count as u64)),
    ];
    for (key, count) in counts {
        settings.extend(count.map(|count| set(key, Value::Integer(count as i64))));
    }
    settings.extend(args.overrides.iter().cloned());
    Ok(settings)
}

fn set(key: &str, value: Value) -> String {
    format!("{key}={value}")
}

/// A path that does not depend on where the recipe will lie.
fn path(path: &Path) -> anyhow::Result<Value> {
    Ok(Value::String(std::path::absolute(path)?.display().to_string()))
}

/// `rank=16,alpha=32,targets=q_proj,v_proj`: what follows `targets=` without a key of its own are further targets.
fn lora_settings(text: &str) -> anyhow::Result<toml::Table> {
    let mut settings = toml::Table::new();
    let mut targets = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some(("targets", first)) => targets.push(Value::String(first.to_owned())),
            Some((key, value)) => {
                settings.insert(key.to_owned(), number(key, value)?);
            }
            None if !targets.is_empty() => targets.push(Value::String(part.to_owned())),
            None => bail!("--lora: `{part}` is not of the form key=value, such as rank=16"),
        }
    }
    if !targets.is_empty() {
        settings.insert("targets".to_owned(), Value::Array(targets));
    }
    Ok(settings)
}

fn number(key: &str, text: &str) -> anyhow::Result<Value> {
    let value = match key {
        "rank" => text.parse().ok().map(Value::Integer),
        "alpha" | "dropout" => text.parse().ok().map(Value::Float),
        other => bail!("--lora knows rank, alpha, dropout and targets, not `{other}`"),
    };
    match value {
        Some(value) => Ok(value),
        None => bail!("--lora: {key}={text} is no number that it takes"),
    }
}

#[cfg(test)]
mod tests {
    use super::lora_settings;

    #[test]
    fn targets_may_have_commas_between_them() {
        let settings = lora_settings("rank=16,alpha=32,targets=q_proj,v_proj").unwrap();
        assert_eq!(settings["rank"].as_integer(), Some(16));
        assert_eq!(settings["alpha"].as_float(), Some(32.0));
        assert_eq!(settings["targets"].as_array().unwrap().len(), 2);
        assert!(lora_settings("").unwrap().is_empty());
    }

    #[test]
    fn says_what_it_knows() {
        for (text, expected) in [("16", "rank=16"), ("rnk=3", "rnk"), ("rank=many", "rank=many")] {
            let error = lora_settings(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
