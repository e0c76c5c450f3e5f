//! Scores of continuations against transformers' logits, and with shared beginnings against one forward each.

use gradus_nn::Error;
use gradus_nn::families::transformer::{TextInput, Transformer};
use gradus_nn::generation::{Continuation, Session, TokenScore};
use gradus_tensor::{CacheType, Tensor, no_grad};

use super::transformers::{Golden, causal, values};

/// Logits of order 1 to 10 are certain to about 1e-5, and a score is a difference of two.
const SCORE: f64 = 1e-4;

/// Models whose keys, once cached, keep the rotation of their time; one long forward turns them all anew.
const TURNED_ANEW: [&str; 2] = ["llama-dynamic", "llama-longrope"];

fn rows(golden: &Golden) -> Vec<Vec<u32>> {
    let ids = golden.expected("input_ids");
    let tokens = ids.to_vec::<i64>().expect("a golden file");
    let tokens: Vec<u32> = tokens.into_iter().map(|id| id as u32).collect();
    tokens.chunks_exact(ids.shape()[1]).map(<[u32]>::to_vec).collect()
}

/// The log-probability of `token` by logits, in f64, and whether it is the largest.
fn by_logits(logits: &[f64], token: u32) -> (f64, bool) {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|x| (x - most).exp()).sum();
    let logit = logits[token as usize];
    (logit - most - sum.ln(), logit == most)
}

/// The scores of `tokens[from..]` by logits `[tokens, vocab]`.
fn expected(logits: &[f64], vocab: usize, tokens: &[u32], from: usize) -> Vec<(f64, bool)> {
    (from..tokens.len())
        .map(|at| by_logits(&logits[(at - 1) * vocab..at * vocab], tokens[at]))
        .collect()
}

fn assert_scores(what: &str, got: &[TokenScore], want: &[(f64, bool)]) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (at, (got, want)) in got.iter().zip(want).enumerate() {
        let off = (f64::from(got.log_probability) - want.0).abs();
        assert!(off <= SCORE, "{what}: token {at} is {got:?}, expected {want:?}");
        assert_eq!(got.most_likely, want.1, "{what}: token {at}");
    }
}

fn forward(model: &Transformer, tokens: &[u32]) -> Vec<f64> {
    let ids: Vec<i64> = tokens.iter().map(|&id| i64::from(id)).collect();
    let ids = Tensor::from_slice(&ids, [1, ids.len()]).expect("a valid fixture");
    let hidden = model
        .hidden_states(&TextInput::from(&ids))
        .expect("ids in the vocabulary");
    values(&model.logits(&hidden).expect("a model with a head"))
}

#[test]
fn scores_are_those_of_transformers_logits() {
    for golden in causal().filter(|golden| !TURNED_ANEW.contains(&golden.name.as_str())) {
        let model = golden.model();
        let vocab = golden.config.vocab_size;
        let logits = values(golden.expected("logits"));
        let rows = rows(&golden);
        let mut session = Session::new(&model, 64, CacheType::F32);
        for (row, tokens) in rows.iter().enumerate() {
            let logits = &logits[row * tokens.len() * vocab..];
            // Nested beginnings of one text: the shortest is all that they share.
            let parts = [(tokens.len(), 1), (tokens.len(), 9), (12, 9), (10, 9), (14, 13)];
            let continuations: Vec<Continuation> = parts
                .iter()
                .map(|&(len, from)| Continuation {
                    tokens: &tokens[..len],
                    from,
                })
                .collect();
            for _again in 0..2 {
                let scores = session.score(&continuations).unwrap();
                for (scores, continuation) in scores.continuations.iter().zip(&continuations) {
                    let want = expected(logits, vocab, continuation.tokens, continuation.from);
                    assert_scores(&golden.name, scores, &want);
                }
            }
        }
    }
}

#[test]
fn a_shared_beginning_is_read_once_and_changes_no_score() {
    let _no_grad = no_grad();
    for golden in causal().filter(|golden| !TURNED_ANEW.contains(&golden.name.as_str())) {
        let model = golden.model();
        let vocab = golden.config.vocab_size;
        let query = &rows(&golden)[0][..11];
        let endings: [&[u32]; 7] = [
            &[5, 6, 7],
            &[5, 6, 8, 9, 10],
            &[3],
            &[3],
            &[66, 1, 2],
            &[4; 20],
            &[5, 6, 7, 8],
        ];
        let texts: Vec<Vec<u32>> = endings.iter().map(|ending| [query, ending].concat()).collect();
        let continuations: Vec<Continuation> = texts
            .iter()
            .map(|tokens| Continuation { tokens, from: 11 })
            .collect();
        for cache_type in [CacheType::F32, CacheType::Bf16, CacheType::Int8] {
            let mut session = Session::new(&model, 64, cache_type);
            let scores = session.score(&continuations).unwrap();
            let rest: usize = endings.iter().map(|ending| ending.len() - 1).sum();
            assert_eq!(scores.tokens_read, query.len() + rest, "{}", golden.name);
            assert_eq!(session.tokens(), query);
            if cache_type != CacheType::F32 {
                continue;
            }
            for (scores, tokens) in scores.continuations.iter().zip(&texts) {
                let want = expected(&forward(&model, tokens), vocab, tokens, 11);
                assert_scores(&golden.name, scores, &want);
            }
            // The last token of the query is read again, for its state; nothing else of it is.
            let again = session.score(&continuations).unwrap();
            assert_eq!(again.tokens_read, 1 + rest, "{}", golden.name);
        }
    }
}

#[test]
fn continuations_that_cannot_be_scored_are_refused() {
    let golden = causal()
        .find(|golden| golden.name == "llama")
        .expect("a golden model");
    let model = golden.model();
    let mut session = Session::new(&model, 8, CacheType::F32);
    let long = [1; 10];
    for (tokens, from) in [
        (&[1, 2, 3][..], 0),
        (&[1, 2, 3], 3),
        (&[], 0),
        (&[1], 1),
        (&long, 1),
        (&[1, 67], 1),
    ] {
        let refused = session.score(&[Continuation { tokens, from }]);
        assert!(
            matches!(refused, Err(Error::InvalidSetting { .. })),
            "{tokens:?} from {from}"
        );
    }
    assert!(
        session
            .score(&[Continuation {
                tokens: &long[..9],
                from: 8
            }])
            .is_ok()
    );
    assert!(session.score(&[]).unwrap().continuations.is_empty());
}
