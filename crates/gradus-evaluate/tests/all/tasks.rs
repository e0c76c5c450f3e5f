//! Tasks for language models: likelihoods against transformers (`golden/make_lm_tasks.py`), and what becomes of bad files.

use std::path::{Path, PathBuf};

use gradus_evaluate::Error;
use gradus_evaluate::bootstrap::BootstrapOptions;
use gradus_evaluate::language_model::LanguageModel;
use gradus_evaluate::language_model::tasks::{
    Answer, Document, Examinee, ExamineeOptions, Sample, Task, TaskReport,
};
use gradus_nn::families::transformer::WeightType;
use serde::Deserialize;
use tempfile::TempDir;

/// How far a log-likelihood of a tiny model may be from transformers', in nats per token.
const TINY: f64 = 1e-4;
/// The same of a choice of a real model.
const REAL: f64 = 1e-3;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    model: String,
    likelihoods: Vec<Vec<(f64, bool, usize)>>,
    shots: Vec<Vec<(f64, bool, usize)>>,
    texts: Vec<(f64, usize)>,
    answers: Option<Vec<Vec<u32>>>,
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../golden")
        .join(name)
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(golden("lm_tasks.json")).expect("a golden file");
    serde_json::from_str::<Golden>(&text)
        .expect("a golden file")
        .cases
}

fn task(name: &str) -> Task {
    Task::open(&golden("lm_tasks").join(format!("{name}.jsonl")), None).expect("a valid fixture")
}

/// A golden model with the tokenizer of the tasks, as a folder that a user has.
fn tiny(name: &str) -> (TempDir, LanguageModel) {
    let folder = tempfile::tempdir().expect("a folder");
    let files = ["config.json", "model.safetensors"].map(|file| golden("transformers").join(name).join(file));
    let tokenizer = ["tokenizer.json", "tokenizer_config.json"].map(|file| golden("lm_tasks").join(file));
    for file in files.iter().chain(&tokenizer) {
        std::fs::copy(file, folder.path().join(file.file_name().expect("a file"))).expect("a copy");
    }
    let model = LanguageModel::open(folder.path(), WeightType::F32).expect("a golden model");
    (folder, model)
}

fn examinee<'m>(model: &'m LanguageModel, examples: &[Document]) -> Examinee<'m> {
    Examinee::new(model, examples, ExamineeOptions::default()).expect("a model that can be asked")
}

fn answers(examinee: &mut Examinee, documents: &[Document]) -> Vec<Sample> {
    let answer = |(index, document)| examinee.answer(index, document).expect("an answer");
    documents.iter().enumerate().map(answer).collect()
}

/// The largest difference of log-likelihoods, checked to be within `tolerance` each.
fn check(
    name: &str,
    samples: &[Sample],
    want: &[Vec<(f64, bool, usize)>],
    tolerance: impl Fn(usize) -> f64,
) -> f64 {
    assert_eq!(samples.len(), want.len());
    let mut worst = 0.0_f64;
    for (sample, want) in samples.iter().zip(want) {
        let Answer::Choice(choice) = &sample.answer else {
            panic!("not a choice: {sample:?}");
        };
        assert_eq!(choice.filtered_resps.len(), want.len());
        for (place, (got, want)) in choice.filtered_resps.iter().zip(want).enumerate() {
            let what = format!("{name}, {:?}", choice.arguments[place]);
            assert_eq!(got.tokens, want.2, "{what}");
            let off = (got.log_likelihood - want.0).abs();
            assert!(
                off <= tolerance(got.tokens),
                "{what}: {}, transformers has {}",
                got.log_likelihood,
                want.0
            );
            assert_eq!(got.greedy, want.1, "{what}");
            worst = worst.max(off);
        }
    }
    worst
}

#[test]
fn tiny_models_give_the_likelihoods_of_transformers() {
    let (choices, shots, texts) = (task("choices"), task("shots"), task("texts"));
    let mut models = 0;
    for case in cases().iter().filter(|case| !case.model.ends_with(".gguf")) {
        let (_folder, model) = tiny(&case.model);
        let per_token = |tokens| TINY * tokens as f64;
        let samples = answers(&mut examinee(&model, &[]), &choices.documents);
        check(&case.model, &samples, &case.likelihoods, per_token);
        let mut shown = examinee(&model, &shots.documents);
        let samples = answers(&mut shown, &choices.documents[..case.shots.len()]);
        check(&case.model, &samples, &case.shots, per_token);
        let samples = answers(&mut examinee(&model, &[]), &texts.documents);
        for (sample, want) in samples.iter().zip(&case.texts) {
            let Answer::Text(text) = &sample.answer else {
                panic!("not a text: {sample:?}");
            };
            assert_eq!(text.tokens, want.1, "{}", case.model);
            assert!(
                (text.filtered_resps[0] - want.0).abs() <= per_token(want.1),
                "{}",
                case.model
            );
        }
        models += 1;
    }
    assert!(models >= 7);
}

#[test]
fn a_real_model_gives_the_likelihoods_of_transformers() {
    let case = cases().pop().expect("a golden file");
    let Some(folder) = std::env::var_os("GRADUS_REAL_MODELS") else {
        eprintln!(
            "skipped: run golden/real_models.sh DIR and set GRADUS_REAL_MODELS=DIR to test {}",
            case.model
        );
        return;
    };
    let model = LanguageModel::open(PathBuf::from(folder).join(&case.model), WeightType::F32).unwrap();
    let (choices, shots) = (task("choices"), task("shots"));
    assert!(choices.documents.len() >= 30);
    let samples = answers(&mut examinee(&model, &[]), &choices.documents);
    let worst = check(&case.model, &samples, &case.likelihoods, |_| REAL);
    let mut shown = examinee(&model, &shots.documents);
    let with_shots = answers(&mut shown, &choices.documents[..case.shots.len()]);
    let worst_shots = check(&case.model, &with_shots, &case.shots, |_| REAL);
    let report = TaskReport::of("choices", &samples, Some(&BootstrapOptions::default())).unwrap();
    println!("largest difference {worst:.1e}, with examples {worst_shots:.1e}; {report:?}");
    let written = answers(&mut examinee(&model, &[]), &task("answers").documents);
    for ((sample, want), document) in written
        .iter()
        .zip(case.answers.as_ref().unwrap())
        .zip(&task("answers").documents)
    {
        let Answer::Generation(got) = &sample.answer else {
            panic!("not written: {sample:?}");
        };
        let want = model.tokenizer().decode(want).unwrap();
        let (got, want) = (got.filtered_resps[0].as_str(), want.trim());
        assert!(
            got.starts_with(want) || want.starts_with(got),
            "{got:?}, transformers has {want:?} after {document:?}"
        );
    }
    for (sample, want) in answers(&mut examinee(&model, &[]), &task("texts").documents)
        .iter()
        .zip(&case.texts)
    {
        let Answer::Text(text) = &sample.answer else {
            panic!("not a text: {sample:?}");
        };
        assert!(
            (text.filtered_resps[0] - want.0).abs() <= REAL,
            "{text:?}, transformers has {want:?}"
        );
    }
}

#[test]
fn what_questions_share_is_read_once_and_order_changes_nothing() {
    let (_folder, model) = tiny("llama");
    let documents = task("choices").documents;
    let mut forwards = examinee(&model, &[]);
    let once = answers(&mut forwards, &documents);
    let report = TaskReport::of("choices", &once, None)
        .unwrap()
        .multiple_choice
        .unwrap();
    assert!(report.tokens_read * 2 < report.tokens_given, "{report:?}");
    let reversed: Vec<Document> = documents.iter().rev().cloned().collect();
    for (got, want) in answers(&mut forwards, &reversed).iter().rev().zip(&once) {
        let (Answer::Choice(got), Answer::Choice(want)) = (&got.answer, &want.answer) else {
            panic!("not choices");
        };
        for (got, want) in got.filtered_resps.iter().zip(&want.filtered_resps) {
            assert!((got.log_likelihood - want.log_likelihood).abs() < 1e-4);
        }
    }
}

#[test]
fn a_report_sums_up_each_kind() {
    let (_folder, model) = tiny("gpt2");
    let mut examinee = examinee(&model, &[]);
    let documents: Vec<Document> = ["choices", "answers", "texts"]
        .iter()
        .flat_map(|name| task(name).documents)
        .collect();
    let samples = answers(&mut examinee, &documents);
    let report = TaskReport::of("all", &samples, Some(&BootstrapOptions::default())).unwrap();
    assert_eq!(report.documents, documents.len());
    let choice = report.multiple_choice.unwrap();
    let right = samples
        .iter()
        .filter(|sample| matches!(&sample.answer, Answer::Choice(choice) if choice.acc));
    assert_eq!(choice.acc.value, right.count() as f64 / choice.documents as f64);
    let interval = choice.acc.interval.unwrap();
    assert!(interval.lower <= choice.acc.value && choice.acc.value <= interval.upper);
    assert_eq!(report.generation.unwrap().documents, 6);
    let texts = report.perplexity.unwrap();
    assert!((texts.byte_perplexity.log2() - texts.bits_per_byte).abs() < 1e-12);
    let line = serde_json::to_value(&samples[0]).unwrap();
    for field in [
        "doc_id",
        "doc",
        "target",
        "arguments",
        "filtered_resps",
        "acc",
        "acc_norm",
    ] {
        assert!(line.get(field).is_some(), "{field} is missing in {line}");
    }
    assert!(line["filtered_resps"][0][0].is_f64() && line["filtered_resps"][0][1].is_boolean());
    assert!(matches!(
        TaskReport::of("none", &[], None),
        Err(Error::Empty { .. })
    ));
}

#[test]
fn a_choice_longer_than_the_context_is_refused() {
    let (_folder, model) = tiny("gpt2");
    let line = format!(
        r#"{{"query": "q", "choices": ["{}"], "gold": 0}}"#,
        "z".repeat(500)
    );
    let document = Document::parse(&line).unwrap();
    let refused = examinee(&model, &[]).answer(0, &document);
    assert!(
        matches!(refused, Err(Error::TaskTooLong { limit: 48, .. })),
        "{refused:?}"
    );
}

#[test]
fn an_example_needs_a_question() {
    let (_folder, model) = tiny("gpt2");
    let text = Document::parse(r#"{"text": "t"}"#).unwrap();
    let refused = Examinee::new(&model, &[text], ExamineeOptions::default());
    assert!(matches!(refused.err(), Some(Error::TaskExample { index: 0 })));
}

#[test]
fn a_bad_file_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("task.jsonl");
    let open = |bytes: &[u8], limit| {
        std::fs::write(&path, bytes).unwrap();
        Task::open(&path, limit)
    };
    let good = "\u{feff}{\"text\": \"a\"}\r\n\n  \n{\"text\": \"b\"}";
    assert_eq!(open(good.as_bytes(), None).unwrap().documents.len(), 2);
    assert_eq!(open(good.as_bytes(), Some(1)).unwrap().documents.len(), 1);
    assert_eq!(open(good.as_bytes(), None).unwrap().name, "task");
    let bad = open(b"{\"text\": \"a\"}\n\n{\"query\": 1, \"target\": \"x\"}", None).unwrap_err();
    assert!(
        matches!(&bad, Error::InTask { line: 3, source, .. } if matches!(**source, Error::TaskField { .. })),
        "{bad}"
    );
    // What stands behind the limit is not looked at.
    assert!(open(b"{\"text\": \"a\"}\nnonsense", Some(1)).is_ok());
    assert!(matches!(open(b"\n \n", None), Err(Error::Empty { .. })));
    assert!(matches!(open(b"{\"text\": \"\xff\"}", None), Err(Error::Text(_))));
    let huge = [br#"{"text": ""#.as_slice(), &vec![b'a'; 17 << 20], br#""}"#].concat();
    assert!(matches!(open(&huge, None), Err(Error::Text(_))));
    assert!(matches!(
        Task::open(&folder.path().join("absent"), None),
        Err(Error::Text(_))
    ));
}
