//! Language models.

use std::io::IsTerminal;
use std::path::Path;

use anyhow::{Context, bail};
use gradus_evaluate::explain::{TextExplanation, TextOptions, explain_text};
use gradus_evaluate::html::ExplainContent;
use gradus_evaluate::language_model::LanguageModel;
use serde::Deserialize;

use super::Args;
use crate::cli::Global;
use crate::cli::output::{self, Table};

/// A text, and what is said after it.
#[derive(Deserialize)]
pub(super) struct Prompt {
    #[serde(alias = "text")]
    prompt: String,
    #[serde(default, alias = "completion")]
    answer: Option<String>,
}

impl Prompt {
    pub(super) fn new(prompt: &str, answer: Option<&str>) -> Prompt {
        Prompt {
            prompt: prompt.to_owned(),
            answer: answer.map(str::to_owned),
        }
    }
}

/// Whether a file holds texts: lines of them, or of JSON.
pub(super) fn is_text(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        extension.eq_ignore_ascii_case("txt") || extension.eq_ignore_ascii_case("jsonl")
    })
}

/// The prompts in a file, line by line.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Prompt>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let is_json = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("jsonl"));
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let prompt = |(index, line): (usize, &str)| match is_json {
        true => serde_json::from_str(line).with_context(|| format!("{}, line {}", path.display(), index + 1)),
        false => Ok(Prompt::new(line, None)),
    };
    lines.map(prompt).collect()
}

pub(super) fn run(args: &Args, mut prompts: Vec<Prompt>, global: Global) -> anyhow::Result<()> {
    let Some(method) = args.method.for_text() else {
        bail!("permutation is of labelled data sets; choose another --method for a text");
    };
    let Some(baseline) = args.method.text_baseline() else {
        bail!("a text has no black or white; use --baseline zero or mean");
    };
    if args.target != "predicted" {
        bail!("--target names a class; what a language model is to say is given by --answer");
    }
    let options = TextOptions { method, baseline };
    let model = LanguageModel::open(&args.model, args.weights.into())?;
    prompts.truncate(args.samples as usize);
    let mut explanations = Vec::with_capacity(prompts.len());
    for prompt in &prompts {
        let answer = prompt.answer.as_deref().unwrap_or_default();
        let (prompt, answer) = (model.prompt(&prompt.prompt)?, model.tokenizer().encode(answer)?);
        let explanation = explain_text(&model, &prompt, &answer, &options)?;
        warn_of_gap(&explanation);
        explanations.push(explanation);
    }
    let place = args
        .data
        .as_ref()
        .map_or_else(String::new, |path| path.display().to_string());
    args.write_report(&place, ExplainContent::Texts(&explanations))?;
    if global.json {
        return output::json(&explanations);
    }
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let described = explanations
        .iter()
        .map(|explanation| described(explanation, colours));
    output::write(described.collect::<Vec<_>>().join("\n").as_bytes())
}

/// The share of the change that attributions may miss before a person is told.
const TOLD_GAP: f64 = 0.05;

/// Says so when attributions that should add up to a change do not.
fn warn_of_gap(explanation: &TextExplanation) {
    if let (Some(baseline), Some(delta)) = (explanation.baseline_score, explanation.convergence_delta) {
        let change = explanation.score - baseline;
        if delta.abs() > TOLD_GAP * change.abs() {
            output::say(format_args!(
                "note: the attributions sum to {:.2}, but the log-probability changed by {change:.2}: between this baseline and \
                 the text the model answers too roughly to be integrated; --method occlusion or kernel-shap do not depend on that",
                change + delta
            ));
        }
    }
}

/// The prompt with its tokens coloured on a terminal, one a line elsewhere, and what is explained.
fn described(explanation: &TextExplanation, colours: bool) -> String {
    let answer: String = explanation
        .answer
        .iter()
        .map(|token| token.text.as_str())
        .collect();
    let probability = explanation.score.exp();
    let mut lines = match colours {
        true => format!("{}\n\n", coloured(explanation)),
        false => format!("{}\n", listed(explanation)),
    };
    lines.push_str(&format!(
        "→ {answer:?}: log-probability {:.4} ({probability:.4})",
        explanation.score
    ));
    if let (Some(baseline), Some(delta)) = (explanation.baseline_score, explanation.convergence_delta) {
        lines.push_str(&format!(
            ", baseline {baseline:.4}, attributions off by {delta:.1e}"
        ));
    }
    lines.push_str(&format!("; {}\n", explanation.method.name()));
    lines
}

fn listed(explanation: &TextExplanation) -> String {
    let mut table = Table::new(&["token", "attribution"]);
    for token in &explanation.tokens {
        let number = match explanation.method.is_signed() {
            true => format!("{:+.4}", token.attribution),
            false => format!("{:.4}", token.attribution),
        };
        table.row([format!("{:?}", token.text), number]);
    }
    table.to_string()
}

/// Blue speaks for the answer, red against it; the stronger, the more.
fn coloured(explanation: &TextExplanation) -> String {
    let sizes = explanation.tokens.iter().map(|token| token.attribution.abs());
    let largest = sizes.fold(f32::MIN_POSITIVE, f32::max);
    let token = |token: &gradus_evaluate::explain::TokenAttribution| {
        let strength = (token.attribution.abs() / largest).sqrt();
        let full = if token.attribution < 0.0 {
            [192, 49, 31]
        } else {
            [31, 85, 196]
        };
        let mixed = full.map(|channel| (255.0 - strength * (255.0 - f32::from(channel as u8))).round() as u8);
        let ink = if strength > 0.6 { 97 } else { 30 };
        let [red, green, blue] = mixed;
        let text = token.text.replace('\n', "⏎");
        format!("\u{1b}[48;2;{red};{green};{blue};{ink}m{text}\u{1b}[0m")
    };
    explanation.tokens.iter().map(token).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_read_from_lines_and_from_json() {
        let folder = std::env::temp_dir().join(format!("gradus-explain-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (text, json) = (folder.join("a.txt"), folder.join("a.jsonl"));
        std::fs::write(&text, "one\n\n two\n").unwrap();
        std::fs::write(
            &json,
            "{\"prompt\": \"2+2=\", \"answer\": \"4\"}\n{\"text\": \"x\"}\n",
        )
        .unwrap();
        let prompts = read(&text).unwrap();
        assert_eq!(
            prompts
                .iter()
                .map(|prompt| prompt.prompt.as_str())
                .collect::<Vec<_>>(),
            ["one", " two"]
        );
        let prompts = read(&json).unwrap();
        assert_eq!(prompts[0].answer.as_deref(), Some("4"));
        assert_eq!(
            (prompts[1].prompt.as_str(), prompts[1].answer.as_deref()),
            ("x", None)
        );
        std::fs::write(&json, "{}\n").unwrap();
        let error = format!("{:#}", read(&json).err().unwrap());
        assert!(error.contains("line 1"), "{error}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
