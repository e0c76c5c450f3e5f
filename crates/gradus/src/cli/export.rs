//! `gradus export`: a model in the format of another program.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use gradus_evaluate::TextParts;
use gradus_package::foreign::gguf::{self, GgufType};
use gradus_package::foreign::hugging_face::{self, HuggingFaceType};
use serde::Serialize;

use super::overwrite::{refuse_to_replace, replacing_hugging_face};
use super::{Global, output};

/// Write a language model or encoder as a Hugging Face folder or a GGUF file.
///
/// Example: gradus export models/smollm2 --format gguf --type q8_0 --out smollm2.gguf
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A package, a training run's folder, a Hugging Face folder, or a GGUF file.
    model: PathBuf,
    /// The format to write.
    #[arg(long, value_enum)]
    format: Format,
    /// The type of the weights: `held`, as they are, or f32, f16, bf16, and in GGUF files q8_0, q6_k, q5_k_m, q5_1, q5_0,
    /// q4_k_m, q4_1, q4_0, q3_k_m, q2_k. A Hugging Face folder has no blocks: there they become floats.
    #[arg(long = "type", value_name = "TYPE", default_value = "held")]
    kind: String,
    /// The folder or file to write. Default: beside the model, named after it.
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Replace what is there.
    #[arg(long)]
    force: bool,
}

/// Formats, as flags name them.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// A folder that transformers' from_pretrained opens.
    Hf,
    /// A file that llama.cpp opens.
    Gguf,
}

/// What was written.
#[derive(Serialize)]
struct Exported<'a> {
    path: &'a PathBuf,
    bytes: u64,
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    let out = args.out.clone().unwrap_or_else(|| match args.format {
        Format::Hf => args.model.with_extension("hf"),
        Format::Gguf => args.model.with_extension(format!("{}.gguf", args.kind)),
    });
    refuse_to_replace(&out, args.force)?;
    let model = TextParts::open(&args.model)?.to_foreign()?;
    let bytes = match args.format {
        Format::Gguf => gguf::write(&out, &model, gguf_type(&args.kind)?)?.bytes,
        Format::Hf => {
            let kind = hugging_face_type(&args.kind)?;
            replacing_hugging_face(&out, || Ok(hugging_face::write(&out, &model, kind)?))?;
            folder_bytes(&out)?
        }
    };
    let exported = Exported { path: &out, bytes };
    if global.json {
        return output::json(&exported);
    }
    output::write(format!("{}  {}\n", exported.path.display(), output::bytes(bytes)).as_bytes())
}

fn gguf_type(name: &str) -> anyhow::Result<GgufType> {
    let known: Vec<&str> = GgufType::ALL.iter().map(|kind| kind.name()).collect();
    GgufType::from_name(name)
        .with_context(|| format!("--type is {name}; GGUF files have {}", known.join(", ")))
}

fn hugging_face_type(name: &str) -> anyhow::Result<HuggingFaceType> {
    match name {
        "held" => Ok(HuggingFaceType::Held),
        "f32" => Ok(HuggingFaceType::F32),
        "f16" => Ok(HuggingFaceType::F16),
        "bf16" => Ok(HuggingFaceType::Bf16),
        _ => bail!("--type is {name}; Hugging Face folders have held, f32, f16, bf16"),
    }
}

/// Bytes of all files of a folder.
fn folder_bytes(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}
