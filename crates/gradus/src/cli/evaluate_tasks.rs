//! `gradus evaluate --tasks`: a language model's answers to questions.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use gradus_evaluate::bootstrap::BootstrapOptions;
use gradus_evaluate::html::QuestionsPage;
use gradus_evaluate::language_model::LanguageModel;
use gradus_evaluate::language_model::tasks::{
    ChoiceReport, Document, Examinee, ExamineeOptions, GenerationReport, Sample, Task, TaskReport, TextReport,
};
use serde::Serialize;

use super::evaluate::figure;
use super::output::{self, Table};

/// What a language model is asked, and how.
#[derive(clap::Args)]
pub(crate) struct TaskArgs {
    /// Questions for a language model, as JSON Lines in lm-evaluation-harness' shape: query, choices and gold; query and
    /// target; or text. Several files are several tasks.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["data", "text"])]
    pub(crate) tasks: Vec<PathBuf>,
    /// Questions with their answers that are shown before every question: the first K of --shots-from.
    #[arg(long, value_name = "K", requires_all = ["tasks", "shots_from"])]
    shots: Option<usize>,
    /// The file that the shown questions come from; without --shots, all of it.
    #[arg(long, value_name = "FILE", requires = "tasks")]
    shots_from: Option<PathBuf>,
    /// Ask only the first N documents of each task.
    #[arg(long, value_name = "N", requires = "tasks", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Write every question with its answer to this file, one line of JSON each.
    #[arg(long, value_name = "FILE", requires = "tasks")]
    samples: Option<PathBuf>,
    /// End written answers before this text, where the document does not say; may be given again. Default: an empty line.
    #[arg(long, value_name = "TEXT", requires = "tasks")]
    stop: Vec<String>,
    /// The longest written answer in tokens, where the document does not say.
    #[arg(long, value_name = "N", requires = "tasks", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: u32,
}

/// What a run needs besides its questions.
pub(crate) struct Run<'a> {
    /// The model.
    pub(crate) model: &'a LanguageModel,
    /// What it is called.
    pub(crate) title: String,
    /// How intervals are drawn.
    pub(crate) bootstrap: Option<BootstrapOptions>,
    /// Where a report for people goes.
    pub(crate) report: Option<&'a Path>,
    /// Whether the result is printed as JSON.
    pub(crate) json: bool,
}

#[derive(Serialize)]
struct Outcome<'a> {
    model: &'a str,
    shots: usize,
    tasks: Vec<TaskReport>,
}

/// Asks the model every question and prints how well it did.
pub(crate) fn run(args: &TaskArgs, run: &Run) -> anyhow::Result<()> {
    let tasks = read_tasks(args)?;
    let shots = shots(args)?;
    let mut samples_file = args.samples.as_deref().map(create).transpose()?;
    let mut options = ExamineeOptions {
        max_tokens: args.max_tokens as usize,
        ..ExamineeOptions::default()
    };
    if !args.stop.is_empty() {
        options.stop.clone_from(&args.stop);
    }
    let mut examinee = Examinee::new(run.model, &shots, options)?;
    let (mut reports, mut answered) = (Vec::new(), Vec::new());
    for task in &tasks {
        let samples = ask(&mut examinee, task, samples_file.as_mut())?;
        reports.push(TaskReport::of(&task.name, &samples, run.bootstrap.as_ref())?);
        answered.push(samples);
    }
    if let Some(path) = run.report {
        let page = QuestionsPage {
            title: run.title.clone(),
            shots: shots.len(),
            tasks: reports
                .iter()
                .zip(&answered)
                .map(|(report, samples)| (report, samples.as_slice()))
                .collect(),
        };
        gradus_package::write_atomic(path, page.render()?.as_bytes())?;
        output::say(format_args!("report: {}", path.display()));
    }
    if run.json {
        return output::json(&Outcome {
            model: &run.title,
            shots: shots.len(),
            tasks: reports,
        });
    }
    output::write(summary(&reports).as_bytes())
}

fn read_tasks(args: &TaskArgs) -> anyhow::Result<Vec<Task>> {
    let limit = args.limit.map(|limit| limit as usize);
    let open = |path: &PathBuf| Ok(Task::open(path, limit)?);
    args.tasks.iter().map(open).collect()
}

fn shots(args: &TaskArgs) -> anyhow::Result<Vec<Document>> {
    let Some(path) = &args.shots_from else {
        return Ok(Vec::new());
    };
    if args.shots == Some(0) {
        return Ok(Vec::new());
    }
    let documents = Task::open(path, args.shots)?.documents;
    if let Some(wanted) = args.shots.filter(|&wanted| documents.len() < wanted) {
        anyhow::bail!(
            "--shots is {wanted}, but {} has {} documents",
            path.display(),
            documents.len()
        );
    }
    Ok(documents)
}

fn create(path: &Path) -> anyhow::Result<std::io::BufWriter<std::fs::File>> {
    let file = std::fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(std::io::BufWriter::new(file))
}

fn ask(
    examinee: &mut Examinee,
    task: &Task,
    mut file: Option<&mut std::io::BufWriter<std::fs::File>>,
) -> anyhow::Result<Vec<Sample>> {
    let bar = indicatif::ProgressBar::new(task.documents.len() as u64);
    let mut samples = Vec::with_capacity(task.documents.len());
    for (index, document) in task.documents.iter().enumerate() {
        let sample = examinee
            .answer(index, document)
            .with_context(|| format!("document {index} of {}", task.name))?;
        if let Some(file) = &mut file {
            write_sample(file, &task.name, &sample).context("cannot write the samples")?;
        }
        samples.push(sample);
        bar.inc(1);
    }
    if let Some(file) = file {
        file.flush().context("cannot write the samples")?;
    }
    bar.finish_and_clear();
    Ok(samples)
}

fn write_sample(file: &mut impl Write, task: &str, sample: &Sample) -> std::io::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        task: &'a str,
        #[serde(flatten)]
        sample: &'a Sample,
    }
    serde_json::to_writer(&mut *file, &Line { task, sample })?;
    file.write_all(b"\n")
}

fn summary(reports: &[TaskReport]) -> String {
    let mut table = Table::new(&["task", "measure", "value (95 % interval)"]);
    let mut row =
        |task: &str, measure: &str, value: String| table.row([task.to_owned(), measure.to_owned(), value]);
    let mut notes = String::new();
    for report in reports {
        let task = report.task.as_str();
        if let Some(choice) = &report.multiple_choice {
            choice_rows(choice, &mut |measure, value| row(task, measure, value));
            let (read, given) = (choice.tokens_read as u64, choice.tokens_given as u64);
            let (read, given) = (output::grouped(read), output::grouped(given));
            notes += &format!("{task}: {read} of {given} tokens read, the others shared\n");
        }
        if let Some(generation) = &report.generation {
            generation_rows(generation, &mut |measure, value| row(task, measure, value));
        }
        if let Some(text) = &report.perplexity {
            text_rows(text, &mut |measure, value| row(task, measure, value));
        }
        row(task, "documents", output::grouped(report.documents as u64));
    }
    match notes.is_empty() {
        true => table.to_string(),
        false => format!("{table}\n{notes}"),
    }
}

fn choice_rows(report: &ChoiceReport, row: &mut dyn FnMut(&str, String)) {
    row("acc", figure(report.acc));
    row("acc_norm", figure(report.acc_norm));
    row("acc_bytes", figure(report.acc_bytes));
    row("acc_token", figure(report.acc_token));
}

fn generation_rows(report: &GenerationReport, row: &mut dyn FnMut(&str, String)) {
    row("exact_match", figure(report.exact_match));
    for (measure, value) in [
        ("f1", report.f1),
        ("rouge1", report.rouge1),
        ("rouge2", report.rouge2),
        ("rougeL", report.rouge_l),
    ] {
        row(measure, format!("{value:.4}"));
    }
    row("bleu", format!("{:.2}", report.bleu));
    row("chrf", format!("{:.2}", report.chrf));
}

fn text_rows(report: &TextReport, row: &mut dyn FnMut(&str, String)) {
    for (measure, value) in [
        ("token_perplexity", report.token_perplexity),
        ("word_perplexity", report.word_perplexity),
        ("byte_perplexity", report.byte_perplexity),
        ("bits_per_byte", report.bits_per_byte),
    ] {
        row(measure, format!("{value:.4}"));
    }
}
