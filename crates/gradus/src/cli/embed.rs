//! `gradus embed`: texts become vectors.

use std::io::BufRead;
use std::path::PathBuf;

use anyhow::Context;
use gradus_evaluate::TextEmbedder;
use serde::Serialize;

use super::{Global, output};

/// Turn texts into vectors whose cosines say how alike the texts are, one line each.
///
/// Example: gradus embed all-MiniLM-L6-v2 --text "a small cat" --text "a kitten"
#[derive(clap::Args)]
pub(crate) struct Args {
    /// An encoder such as MiniLM: a package, a Hugging Face folder, or a GGUF file.
    model: PathBuf,
    /// A text; may be given again.
    #[arg(long, value_name = "TEXT")]
    text: Vec<String>,
    /// A file with a text on each line; - for standard input.
    #[arg(long, value_name = "FILE", required_unless_present = "text")]
    input: Option<PathBuf>,
    /// Print the cosine of each pair of texts instead of the vectors.
    #[arg(long)]
    similarity: bool,
}

/// A text with its vector.
#[derive(Serialize)]
struct Embedded<'a> {
    text: &'a str,
    embedding: &'a [f32],
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    let embedder = TextEmbedder::open(&args.model)?;
    let mut texts = args.text.clone();
    if let Some(path) = &args.input {
        texts.extend(lines(path)?);
    }
    let vectors = embedder.embed(&texts)?;
    if args.similarity {
        let cosines: Vec<Vec<f64>> = vectors
            .iter()
            .map(|a| vectors.iter().map(|b| cosine(a, b)).collect())
            .collect();
        if global.json {
            return output::json(&cosines);
        }
        return output::write(similarity_table(&texts, &cosines).to_string().as_bytes());
    }
    if global.json {
        let embedded = texts
            .iter()
            .zip(&vectors)
            .map(|(text, embedding)| Embedded { text, embedding });
        return output::json(&embedded.collect::<Vec<_>>());
    }
    for vector in &vectors {
        let numbers: Vec<String> = vector.iter().map(f32::to_string).collect();
        output::write(format!("{}\n", numbers.join(" ")).as_bytes())?;
    }
    Ok(())
}

fn lines(path: &PathBuf) -> anyhow::Result<Vec<String>> {
    let what = || format!("cannot read {}", path.display());
    let reader: Box<dyn BufRead> = match path.as_os_str() == "-" {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(std::io::BufReader::new(
            std::fs::File::open(path).with_context(what)?,
        )),
    };
    reader.lines().collect::<Result<_, _>>().with_context(what)
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| {
        a.iter()
            .zip(b)
            .map(|(&a, &b)| f64::from(a) * f64::from(b))
            .sum::<f64>()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f64::MIN_POSITIVE)
}

fn similarity_table(texts: &[String], cosines: &[Vec<f64>]) -> output::Table {
    let numbers: Vec<String> = (1..=texts.len()).map(|number| number.to_string()).collect();
    let heading: Vec<&str> = std::iter::once("text")
        .chain(numbers.iter().map(String::as_str))
        .collect();
    let mut table = output::Table::new(&heading);
    for ((text, row), number) in texts.iter().zip(cosines).zip(1..) {
        let label = format!("{number}  {}", text.chars().take(40).collect::<String>());
        table.row(std::iter::once(label).chain(row.iter().map(|cosine| format!("{cosine:.4}"))));
    }
    table
}
