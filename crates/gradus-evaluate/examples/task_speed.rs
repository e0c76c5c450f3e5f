//! How much sooner a multiple choice is answered when its shared beginning is read once:
//! `cargo run --release -p gradus-evaluate --example task_speed -- MODEL QUESTIONS.jsonl [EXAMPLES.jsonl]`

use std::path::Path;
use std::time::Instant;

use gradus_evaluate::language_model::LanguageModel;
use gradus_evaluate::language_model::tasks::{Answer, Document, Examinee, ExamineeOptions, Question, Task};
use gradus_nn::families::transformer::WeightType;

/// Turns in which both ways are measured; the best of each counts.
const TURNS: usize = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, questions, examples @ ..] = arguments.as_slice() else {
        return Err("give a model and a file of questions".into());
    };
    let model = LanguageModel::open(model, WeightType::AsStored)?;
    let documents = Task::open(Path::new(questions), None)?.documents;
    let mut shown = Vec::new();
    for file in examples {
        shown.extend(Task::open(Path::new(file), None)?.documents);
    }
    let (mut shared, mut alone) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..TURNS {
        let start = Instant::now();
        let mut examinee = Examinee::new(&model, &shown, ExamineeOptions::default())?;
        let (mut read, mut given) = (0, 0);
        for (index, document) in documents.iter().enumerate() {
            if let Answer::Choice(choice) = examinee.answer(index, document)?.answer {
                read += choice.tokens_read;
                given += choice.tokens_given;
            }
        }
        shared = shared.min(start.elapsed().as_secs_f64());
        println!("{read} of {given} tokens read");

        let start = Instant::now();
        for document in documents.iter().flat_map(one_choice_each) {
            Examinee::new(&model, &shown, ExamineeOptions::default())?.answer(0, &document)?;
        }
        alone = alone.min(start.elapsed().as_secs_f64());
    }
    println!(
        "shared {shared:.2} s, each choice alone {alone:.2} s: {:.1} times as fast",
        alone / shared
    );
    Ok(())
}

/// The question once for each choice, which shares with nobody.
fn one_choice_each(document: &Document) -> Vec<Document> {
    let Question::Choice { query, choices, .. } = &document.question else {
        return Vec::new();
    };
    let alone = |choice: &String| Document {
        question: Question::Choice {
            query: query.clone(),
            choices: vec![choice.clone()],
            gold: vec![0],
        },
        fields: document.fields.clone(),
    };
    choices.iter().map(alone).collect()
}
