//! The page of a language model's answers to the questions of tasks.

use serde::Serialize;

use super::page::render;
use super::view::Tile;
use crate::language_model::tasks::{Answer, ChoiceSample, Sample, TaskReport};
use crate::{Estimate, Result};

/// Wrong answers that are shown of each task.
const MAX_WRONG: usize = 200;

/// Characters of a question or an answer that are shown.
const MAX_CHARACTERS: usize = 600;

/// How a language model answered the questions of tasks, for people.
#[derive(Clone, Debug)]
pub struct QuestionsPage<'a> {
    /// Name of the model, for the heading.
    pub title: String,
    /// Examples that stood before every question.
    pub shots: usize,
    /// Each task's scores and answers.
    pub tasks: Vec<(&'a TaskReport, &'a [Sample])>,
}

#[derive(Serialize)]
struct View<'a> {
    title: &'a str,
    shots: usize,
    tasks: Vec<TaskView<'a>>,
}

#[derive(Serialize)]
struct TaskView<'a> {
    name: &'a str,
    documents: usize,
    tiles: Vec<Tile>,
    wrong: Vec<Wrong>,
    wrong_in_all: usize,
}

#[derive(Serialize)]
struct Wrong {
    index: usize,
    question: String,
    given: String,
    right: String,
    /// How sure the model was, in words.
    lead: String,
    #[serde(skip)]
    worst: f64,
}

impl QuestionsPage<'_> {
    /// The page: one file that needs no network and runs no script.
    ///
    /// # Errors
    /// [`Error::Template`](crate::Error::Template) when the template fails, which is not expected.
    pub fn render(&self) -> Result<String> {
        let view = View {
            title: &self.title,
            shots: self.shots,
            tasks: self
                .tasks
                .iter()
                .map(|(report, samples)| task_view(report, samples))
                .collect(),
        };
        render("questions.html", &view)
    }
}

fn task_view<'a>(report: &'a TaskReport, samples: &[Sample]) -> TaskView<'a> {
    let mut wrong: Vec<Wrong> = samples.iter().filter_map(wrong_answer).collect();
    wrong.sort_by(|a, b| b.worst.total_cmp(&a.worst));
    let wrong_in_all = wrong.len();
    wrong.truncate(MAX_WRONG);
    TaskView {
        name: &report.task,
        documents: report.documents,
        tiles: tiles(report),
        wrong,
        wrong_in_all,
    }
}

fn tiles(report: &TaskReport) -> Vec<Tile> {
    let share = |name, estimate: Estimate| Tile {
        name,
        value: format!("{:.1} %", 100.0 * estimate.value),
        note: estimate
            .interval
            .map(|interval| format!("{:.1}–{:.1} %", 100.0 * interval.lower, 100.0 * interval.upper)),
    };
    let plain = |name, value: String| Tile {
        name,
        value,
        note: None,
    };
    let mut tiles = Vec::new();
    if let Some(choice) = &report.multiple_choice {
        tiles.push(share("accuracy", choice.acc));
        tiles.push(share("accuracy per character", choice.acc_norm));
        tiles.push(share("accuracy per token", choice.acc_token));
    }
    if let Some(generation) = &report.generation {
        tiles.push(share("exact match", generation.exact_match));
        tiles.push(plain("F1", format!("{:.3}", generation.f1)));
        tiles.push(plain("ROUGE-L", format!("{:.3}", generation.rouge_l)));
        tiles.push(plain("BLEU", format!("{:.1}", generation.bleu)));
        tiles.push(plain("chrF", format!("{:.1}", generation.chrf)));
    }
    if let Some(text) = &report.perplexity {
        tiles.push(plain("word perplexity", format!("{:.2}", text.word_perplexity)));
        tiles.push(plain("bits per byte", format!("{:.4}", text.bits_per_byte)));
    }
    tiles
}

/// What is to be shown of an answer, if it is wrong.
fn wrong_answer(sample: &Sample) -> Option<Wrong> {
    match &sample.answer {
        Answer::Choice(choice) => (!choice.acc).then(|| wrong_choice(sample.doc_id, choice)),
        Answer::Generation(generation) => (!generation.exact_match).then(|| Wrong {
            index: sample.doc_id,
            question: shortened(&generation.arguments[0]),
            given: shortened(&generation.filtered_resps[0]),
            right: shortened(&generation.target.join(" / ")),
            lead: format!("F1 {:.2}", generation.f1),
            worst: -generation.f1,
        }),
        Answer::Text(_) => None,
    }
}

fn wrong_choice(index: usize, choice: &ChoiceSample) -> Wrong {
    let likelihood = |place: usize| choice.filtered_resps[place].log_likelihood;
    let best_right = choice
        .target
        .iter()
        .map(|&place| likelihood(place))
        .fold(f64::NEG_INFINITY, f64::max);
    let lead = likelihood(choice.chosen) - best_right;
    let right: Vec<&str> = choice
        .target
        .iter()
        .map(|&place| choice.arguments[place][1].trim())
        .collect();
    Wrong {
        index,
        question: shortened(&choice.arguments[choice.chosen][0]),
        given: shortened(choice.arguments[choice.chosen][1].trim()),
        right: shortened(&right.join(" / ")),
        lead: format!("{lead:.2} nats"),
        worst: lead,
    }
}

/// The end of a text: where the question stands, behind the examples.
fn shortened(text: &str) -> String {
    let characters = text.chars().count();
    match characters > MAX_CHARACTERS {
        true => format!(
            "… {}",
            text.chars().skip(characters - MAX_CHARACTERS).collect::<String>()
        ),
        false => text.to_owned(),
    }
}
