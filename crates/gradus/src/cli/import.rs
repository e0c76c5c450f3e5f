//! `gradus import`: another program's model becomes a package.

use std::path::PathBuf;

use gradus_evaluate::TextParts;
use gradus_nn::families::transformer::TransformerConfig;
use gradus_package::Lineage;
use serde::Serialize;

use super::overwrite::refuse_to_replace;
use super::{Global, output};

/// Make a package of a Hugging Face folder or a GGUF file, with its tokenizer. Weights stay as they are, blocks included.
///
/// Example: gradus import SmolLM2-135M-Instruct.Q4_1.gguf --out models/smollm2
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A folder with config.json and weights (safetensors or pytorch_model.bin, whole or in shards), or a GGUF file.
    model: PathBuf,
    /// The package's folder.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace the package that is there.
    #[arg(long)]
    force: bool,
}

/// What was imported.
#[derive(Serialize)]
struct Imported<'a> {
    package: &'a PathBuf,
    fingerprint: String,
    model_type: &'static str,
    parameters: usize,
    tokenizer: bool,
    bytes: u64,
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    refuse_to_replace(&args.out, args.force)?;
    let parts = TextParts::open(&args.model)?;
    let config = TransformerConfig::from_huggingface(&parts.config)?;
    let saved = parts.save(&args.out, Lineage::by_this_build())?;
    let imported = Imported {
        package: &args.out,
        fingerprint: saved.fingerprint,
        model_type: config.family.name(),
        parameters: config.num_parameters(),
        tokenizer: parts.tokenizer().is_ok(),
        bytes: saved.bytes,
    };
    if global.json {
        return output::json(&imported);
    }
    let tokenizer = match imported.tokenizer {
        true => "with its tokenizer",
        false => {
            "without a tokenizer: put tokenizer.json beside the model and import it again to use it on text"
        }
    };
    output::write(
        format!(
            "{} with {} parameters, {}, {tokenizer}\npackage  {}\n",
            imported.model_type,
            output::grouped(imported.parameters as u64),
            output::bytes(imported.bytes),
            args.out.display()
        )
        .as_bytes(),
    )
}
