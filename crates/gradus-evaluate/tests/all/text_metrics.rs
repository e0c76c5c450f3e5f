//! Metrics of generated text against sacrebleu's, rouge-score's and SQuAD's, from `golden/text_metrics.json`
//! (`golden/make_text_metrics.py` writes it).

use gradus_evaluate::Error;
use gradus_evaluate::metrics::text::{
    ChrfOptions, Rouge, RougeScore, Stemming, bleu, chrf, exact_match, rouge_of_best, sentence_bleu,
    sentence_chrf, token_f1, tokenize_13a,
};
use serde::Deserialize;

/// Largest difference accepted, relative to scores of 1 and more.
const TOLERANCE: f64 = 1e-10;

const CHRF: ChrfOptions = ChrfOptions {
    char_order: 6,
    word_order: 0,
    beta: 2.0,
};
const CHRF_PP: ChrfOptions = ChrfOptions {
    char_order: 6,
    word_order: 2,
    beta: 2.0,
};

#[derive(Deserialize)]
struct Golden {
    corpora: Vec<Corpus>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    hypothesis: String,
    references: Vec<String>,
    tokens: String,
    bleu: f64,
    chrf: f64,
    chrf_pp: f64,
    rouge1: [f64; 3],
    rouge2: [f64; 3],
    #[serde(rename = "rougeL")]
    rouge_l: [f64; 3],
    stemmed: [f64; 3],
    exact_match: bool,
    f1: f64,
}

#[derive(Deserialize)]
struct Corpus {
    first: usize,
    count: usize,
    bleu: f64,
    bleu_precisions: [f64; 4],
    bleu_penalty: f64,
    chrf: f64,
    chrf_pp: f64,
}

fn golden() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/text_metrics.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("a valid fixture")).expect("a valid fixture")
}

fn check(what: &str, text: &str, got: f64, want: f64) {
    let close = (got - want).abs() <= TOLERANCE * want.abs().max(1.0);
    assert!(close, "{what} of {text:?} is {got}, the reference has {want}");
}

#[test]
fn tokens_are_those_of_mteval_13a() {
    for case in golden().cases {
        assert_eq!(
            tokenize_13a(&case.hypothesis),
            case.tokens,
            "{:?}",
            case.hypothesis
        );
    }
}

#[test]
fn bleu_and_chrf_of_a_sentence_are_sacrebleus() {
    let cases = golden().cases;
    assert!(cases.len() >= 100);
    for case in cases {
        let (text, references) = (case.hypothesis.as_str(), &case.references);
        check(
            "BLEU",
            text,
            sentence_bleu(text, references).unwrap().score,
            case.bleu,
        );
        let by = |options: &ChrfOptions| sentence_chrf(text, references, options).unwrap();
        check("chrF", text, by(&CHRF), case.chrf);
        check("chrF++", text, by(&CHRF_PP), case.chrf_pp);
    }
}

#[test]
fn bleu_and_chrf_of_a_corpus_are_sacrebleus() {
    let golden = golden();
    for corpus in golden.corpora {
        let cases = &golden.cases[corpus.first..corpus.first + corpus.count];
        let hypotheses: Vec<&str> = cases.iter().map(|case| case.hypothesis.as_str()).collect();
        let references: Vec<Vec<String>> = cases.iter().map(|case| case.references.clone()).collect();
        let name = format!("the {} texts from {}", corpus.count, corpus.first);
        let score = bleu(&hypotheses, &references).unwrap();
        check("BLEU", &name, score.score, corpus.bleu);
        check("the penalty", &name, score.brevity_penalty, corpus.bleu_penalty);
        for (got, want) in score.precisions.into_iter().zip(corpus.bleu_precisions) {
            check("a precision", &name, got, want);
        }
        let by = |options: &ChrfOptions| chrf(&hypotheses, &references, options).unwrap();
        check("chrF", &name, by(&CHRF), corpus.chrf);
        check("chrF++", &name, by(&CHRF_PP), corpus.chrf_pp);
    }
}

#[test]
fn rouge_is_that_of_rouge_score() {
    for case in golden().cases {
        for (variant, want) in [
            (Rouge::Rouge1, case.rouge1),
            (Rouge::Rouge2, case.rouge2),
            (Rouge::RougeL, case.rouge_l),
        ] {
            let got: RougeScore =
                rouge_of_best(variant, &case.hypothesis, &case.references, Stemming::Off).unwrap();
            let got = [got.precision, got.recall, got.f_measure];
            for (got, want) in got.into_iter().zip(want) {
                check(&format!("{variant:?}"), &case.hypothesis, got, want);
            }
        }
    }
}

#[test]
fn stemmed_rouge_is_that_of_rouge_score() {
    for case in golden().cases {
        let variants = [Rouge::Rouge1, Rouge::Rouge2, Rouge::RougeL];
        for (variant, want) in variants.into_iter().zip(case.stemmed) {
            let got = rouge_of_best(variant, &case.hypothesis, &case.references, Stemming::Porter).unwrap();
            check(
                &format!("stemmed {variant:?}"),
                &case.hypothesis,
                got.f_measure,
                want,
            );
        }
    }
}

#[test]
fn exact_match_and_f1_are_squads() {
    for case in golden().cases {
        let text = case.hypothesis.as_str();
        let matches = case.references.iter().any(|answer| exact_match(text, answer));
        assert_eq!(matches, case.exact_match, "{text:?} {:?}", case.references);
        let f1 = case.references.iter().map(|answer| token_f1(text, answer));
        check("F1", text, f1.fold(0.0, f64::max), case.f1);
    }
}

#[test]
fn texts_without_references_are_refused() {
    let none: [&str; 0] = [];
    assert!(matches!(sentence_bleu("a", &none), Err(Error::Empty { .. })));
    assert!(matches!(
        sentence_chrf("a", &none, &ChrfOptions::default()),
        Err(Error::Empty { .. })
    ));
    assert!(matches!(
        rouge_of_best(Rouge::Rouge1, "a", &none, Stemming::Off),
        Err(Error::Empty { .. })
    ));
    assert!(matches!(
        bleu(&none, &[] as &[Vec<&str>]),
        Err(Error::Empty { .. })
    ));
    assert!(matches!(
        bleu(&["a"], &[Vec::<&str>::new()]),
        Err(Error::Empty { .. })
    ));
    assert!(matches!(
        bleu(&["a", "b"], &[vec!["a"]]),
        Err(Error::LengthMismatch {
            left: 1,
            right: 2,
            ..
        })
    ));
}
