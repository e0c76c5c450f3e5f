//! Real models against the answers of llama.cpp and sentence-transformers (`golden/make_smollm2.py`,
//! `golden/make_minilm.py`). The models are too large to commit: `golden/real_models.sh DIR` fetches them, and
//! `GRADUS_REAL_MODELS=DIR` names them. Without it the tests say that they are skipped.

use std::path::{Path, PathBuf};

use gradus_evaluate::language_model::{LanguageModel, PerplexityOptions};
use gradus_evaluate::{TextEmbedder, TextParts};
use gradus_nn::families::transformer::WeightType;
use gradus_nn::generation::GenerateOptions;
use gradus_tensor::CacheType;
use safetensors::SafeTensors;
use serde::Deserialize;

/// How far a perplexity may be from llama.cpp's, relative.
const PERPLEXITY: f64 = 0.005;
/// llama.cpp's rounding of activations moves a token's lead over the next by up to this (against its own answers in f32),
/// so an implementation that rounds otherwise may choose the other token below it.
const ROUNDING: f32 = 0.6;
/// The least cosine of an embedding with sentence-transformers'.
const COSINE: f64 = 0.99999;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../golden")
        .join(name)
}

/// The path of a real model, or `None` after saying how to get it.
fn real_model(name: &str) -> Option<PathBuf> {
    let found = std::env::var_os("GRADUS_REAL_MODELS").map(|folder| PathBuf::from(folder).join(name));
    if found.is_none() {
        eprintln!("skipped: run golden/real_models.sh DIR and set GRADUS_REAL_MODELS=DIR to test {name}");
    }
    found
}

#[derive(Deserialize)]
struct Smollm2 {
    model: String,
    /// Leads of the chosen token that rounding may decide.
    close: f32,
    window: usize,
    text_tokens: usize,
    perplexity: f64,
    exact_perplexity: f64,
    cases: Vec<Continuation>,
}

#[derive(Deserialize)]
struct Continuation {
    prompt: String,
    ids: Vec<u32>,
    tokens: Vec<u32>,
    margins: Vec<f32>,
    exact_tokens: Vec<u32>,
    exact_margins: Vec<f32>,
}

impl Smollm2 {
    fn read() -> Smollm2 {
        let text = std::fs::read_to_string(golden("smollm2.json")).expect("a golden file");
        serde_json::from_str(&text).expect("a golden file")
    }
}

/// Greedy tokens after `ids`; those that end an answer are given out like others.
fn continue_greedily(model: &LanguageModel, ids: &[u32], count: usize) -> Vec<u32> {
    let options = GenerateOptions {
        max_tokens: count,
        ..GenerateOptions::default()
    };
    let mut session = model.session(ids.len() + count, CacheType::F32);
    let generation = session.generate(ids, &options).expect("a prompt that fits");
    generation.map(|token| token.expect("a token").id).collect()
}

/// Every place where greedy tokens leave `want`, as (place, margin). After each, the model goes on from the tokens of
/// `want`, so that all of them are compared.
fn differences(model: &LanguageModel, ids: &[u32], want: &[u32], margins: &[f32]) -> Vec<(usize, f32)> {
    let (mut found, mut done) = (Vec::new(), 0);
    while done < want.len() {
        let prompt = [ids, &want[..done]].concat();
        let got = continue_greedily(model, &prompt, want.len() - done);
        let Some(place) = got.iter().zip(&want[done..]).position(|(got, want)| got != want) else {
            assert_eq!(got.len(), want.len() - done, "the continuation is cut short");
            break;
        };
        found.push((done + place, margins[done + place]));
        done += place + 1;
    }
    found
}

#[test]
fn prompts_become_the_tokens_that_llama_cpp_makes() {
    let want = Smollm2::read();
    let Some(path) = real_model(&want.model) else {
        return;
    };
    let model = LanguageModel::open(path, WeightType::AsStored).unwrap();
    for case in &want.cases {
        assert_eq!(model.prompt(&case.prompt).unwrap(), case.ids, "{:?}", case.prompt);
    }
    let text = std::fs::read_to_string(golden("smollm2_text.txt")).unwrap();
    assert_eq!(model.prompt(&text).unwrap().len(), want.text_tokens);
}

#[test]
fn in_f32_every_token_is_llama_cpps() {
    let want = Smollm2::read();
    let Some(path) = real_model(&want.model) else {
        return;
    };
    let model = LanguageModel::open(path, WeightType::F32).unwrap();
    for case in &want.cases {
        for (place, margin) in differences(&model, &case.ids, &case.exact_tokens, &case.exact_margins) {
            assert!(
                margin <= want.close,
                "{:?}: token {place} differs, margin {margin}",
                case.prompt
            );
        }
    }
    check_perplexity(&model, want.window, want.exact_perplexity);
}

#[test]
fn in_blocks_tokens_differ_only_where_rounding_decides() {
    let want = Smollm2::read();
    let Some(path) = real_model(&want.model) else {
        return;
    };
    let model = LanguageModel::open(path, WeightType::AsStored).unwrap();
    let (mut differ, mut beyond_close) = (0, 0);
    for case in &want.cases {
        for (place, margin) in differences(&model, &case.ids, &case.tokens, &case.margins) {
            differ += 1;
            beyond_close += usize::from(margin > want.close);
            assert!(
                margin <= ROUNDING,
                "{:?}: token {place} differs, margin {margin}",
                case.prompt
            );
        }
    }
    let tokens: usize = want.cases.iter().map(|case| case.tokens.len()).sum();
    println!(
        "{differ} of {tokens} tokens differ from llama.cpp's, {beyond_close} of them by more than {}",
        want.close
    );
    check_perplexity(&model, want.window, want.perplexity);
}

fn check_perplexity(model: &LanguageModel, window: usize, want: f64) {
    let text = std::fs::read_to_string(golden("smollm2_text.txt")).expect("a golden file");
    let options = PerplexityOptions { context: window };
    let got = model
        .perplexity(&text, &options, &mut |_, _| {})
        .expect("the text is longer than a window")
        .perplexity;
    println!("perplexity {got:.4}, llama.cpp {want:.4}");
    assert!(
        (got / want - 1.0).abs() <= PERPLEXITY,
        "perplexity is {got}, llama.cpp has {want}"
    );
}

#[derive(Deserialize)]
struct Minilm {
    max_tokens: usize,
    cases: Vec<Sentence>,
}

#[derive(Deserialize)]
struct Sentence {
    text: String,
    ids: Vec<u32>,
}

#[test]
fn sentences_become_the_vectors_of_sentence_transformers() {
    let Some(folder) = real_model("all-MiniLM-L6-v2") else {
        return;
    };
    let want: Minilm = serde_json::from_str(&std::fs::read_to_string(golden("minilm.json")).unwrap())
        .expect("a golden file");
    let tokenizer = TextParts::open(&folder).unwrap().tokenizer().unwrap();
    for case in want.cases.iter().filter(|case| case.ids.len() < want.max_tokens) {
        assert_eq!(
            tokenizer.encode_with_special(&case.text).unwrap(),
            case.ids,
            "{:?}",
            case.text
        );
    }
    let texts: Vec<&str> = want.cases.iter().map(|case| case.text.as_str()).collect();
    let got = TextEmbedder::open(&folder).unwrap().embed(&texts).unwrap();

    let bytes = std::fs::read(golden("minilm.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let view = file.tensor("embeddings").unwrap();
    let numbers = view.data().chunks_exact(4);
    let values: Vec<f32> = numbers
        .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("4 bytes")))
        .collect();
    let rows = values.chunks_exact(view.shape()[1]);
    for ((text, got), want) in texts.iter().zip(&got).zip(rows) {
        let cosine = cosine(got, want);
        assert!(cosine >= COSINE, "{text:?}: cosine {cosine}");
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot =
        |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum() };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
