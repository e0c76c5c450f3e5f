//! Attributions to tokens against Captum, and attention against transformers (`golden/explain_text.safetensors`).

use gradus_data::text::{TextError, Tokenizer};
use gradus_evaluate::TextParts;
use gradus_evaluate::explain::{
    IntegratedGradients, KernelShap, TextBaseline, TextExplanation, TextMethod, TextOptions,
    attention_rollout, explain_text, mean_attention,
};
use gradus_evaluate::language_model::LanguageModel;
use gradus_nn::families::transformer::{TransformerOptions, WeightType};
use gradus_package::foreign::ForeignModel;
use gradus_tensor::Tensor;

use super::golden::{assert_close, path, tensor};

const MODELS: [&str; 5] = ["gpt2", "llama", "gemma2", "qwen3", "mistral"];

struct Asked {
    model: LanguageModel,
    ids: Vec<u32>,
    bytes: Vec<u8>,
    name: &'static str,
}

impl Asked {
    /// A golden model with a tokenizer of as many characters as it has tokens.
    fn open(name: &'static str) -> Asked {
        let mut parts =
            TextParts::from(ForeignModel::open(path("transformers").join(name)).expect("a golden file"));
        let vocabulary = ('!'..='~').take(60).map(|letter| letter.to_string());
        let tokenizer = Tokenizer::characters(vocabulary.map(Ok::<_, TextError>)).expect("a golden file");
        parts
            .files
            .insert("tokenizer.json".into(), tokenizer.json().to_vec().into());
        let model = LanguageModel::from_parts(parts, WeightType::F32, TransformerOptions::default())
            .expect("a golden file");
        let bytes = std::fs::read(path("explain_text.safetensors")).expect("a golden file");
        let ids = tensor(&bytes, &format!("{name}.ids")).1;
        Asked {
            model,
            ids: ids.into_iter().map(|id| id as u32).collect(),
            bytes,
            name,
        }
    }

    fn expected(&self, what: &str) -> Vec<f32> {
        tensor(&self.bytes, &format!("{}.{what}", self.name)).1
    }

    fn explained(&self, method: TextMethod, baseline: TextBaseline, answer: &[u32]) -> TextExplanation {
        explain_text(&self.model, &self.ids, answer, &TextOptions { method, baseline })
            .expect("a golden file")
    }
}

fn attributions(found: &TextExplanation) -> Vec<f32> {
    found.tokens.iter().map(|token| token.attribution).collect()
}

#[test]
fn token_attributions_are_captums() {
    for name in MODELS {
        let asked = Asked::open(name);
        let integrated = TextMethod::IntegratedGradients(IntegratedGradients::default());
        let found = asked.explained(integrated, TextBaseline::Zero, &[]);
        assert_eq!(found.answer[0].id as f32, asked.expected("token")[0], "{name}");
        assert!(
            (found.score as f32 - asked.expected("score")[0]).abs() < 1e-4,
            "{name}"
        );
        assert_close(name, &attributions(&found), &asked.expected("ig"), 1e-4);
        let found = asked.explained(integrated, TextBaseline::Token(3), &[]);
        assert_close(
            name,
            &attributions(&found),
            &asked.expected("ig_from_token"),
            1e-4,
        );
        let found = asked.explained(TextMethod::Saliency, TextBaseline::Zero, &[]);
        assert_close(
            name,
            &attributions(&found),
            &asked.expected("gradient_norm"),
            1e-4,
        );
    }
}

#[test]
fn attributions_of_an_answer_add_up() {
    let asked = Asked::open("llama");
    let answer = [7, 12, 30];
    let integrated = TextMethod::IntegratedGradients(IntegratedGradients {
        tolerance: Some(1e-3),
        ..IntegratedGradients::default()
    });
    let shap = TextMethod::KernelShap(KernelShap::default());
    for (method, baseline) in [
        (integrated, TextBaseline::Mean),
        (shap, TextBaseline::Zero),
        (shap, TextBaseline::Token(5)),
    ] {
        let found = asked.explained(method, baseline, &answer);
        let change = found.score - found.baseline_score.unwrap();
        let sum: f64 = attributions(&found).iter().map(|&value| f64::from(value)).sum();
        assert!(
            (sum - change).abs() <= 1e-3 * change.abs().max(1.0),
            "{sum}, expected {change}"
        );
        let losses = asked
            .model
            .losses(&[&asked.ids[..], &answer[..]].concat(), asked.ids.len() - 1)
            .unwrap();
        let expected: f64 = losses.iter().map(|&loss| -f64::from(loss)).sum();
        assert!(
            (found.score - expected).abs() < 1e-4,
            "{} {expected}",
            found.score
        );
    }
}

#[test]
fn attention_probabilities_are_transformers() {
    for name in MODELS {
        let asked = Asked::open(name);
        let ids: Vec<i64> = asked.ids.iter().map(|&id| i64::from(id)).collect();
        let ids = Tensor::from_vec(ids.clone(), [1, ids.len()]).unwrap();
        let layers = asked.model.model().attention_probabilities(&ids).unwrap();
        for (index, layer) in layers.iter().enumerate() {
            let expected = asked.expected(&format!("attention.{index}"));
            assert_close(name, &layer.to_vec::<f32>().unwrap(), &expected, 1e-5);
        }
    }
}

#[test]
fn attention_of_the_last_place_is_the_mean_over_layers_and_heads() {
    let asked = Asked::open("gpt2");
    let seq = asked.ids.len();
    let layers: Vec<Vec<f32>> = (0..2)
        .map(|index| asked.expected(&format!("attention.{index}")))
        .collect();
    let heads = layers[0].len() / (seq * seq);
    let mean = |column: usize| {
        let last = |layer: &Vec<f32>, head: usize| layer[(head * seq + seq - 1) * seq + column];
        let all = layers
            .iter()
            .flat_map(|layer| (0..heads).map(move |head| last(layer, head)));
        all.sum::<f32>() / (2 * heads) as f32
    };
    let found = mean_attention(asked.model.model(), &asked.ids).unwrap();
    assert_close("mean", &found, &(0..seq).map(mean).collect::<Vec<_>>(), 1e-5);
    assert!((found.iter().sum::<f32>() - 1.0).abs() < 1e-5);
}

#[test]
fn rollout_is_the_product_of_the_layers_and_sums_to_1() {
    let asked = Asked::open("gpt2");
    let seq = asked.ids.len();
    let mut expected = vec![0.0f64; seq * seq];
    (0..seq).for_each(|at| expected[at * seq + at] = 1.0);
    for index in 0..2 {
        let layer = asked.expected(&format!("attention.{index}"));
        let heads = layer.len() / (seq * seq);
        let mixing = |row: usize, column: usize| {
            let mean = (0..heads)
                .map(|head| f64::from(layer[(head * seq + row) * seq + column]))
                .sum::<f64>();
            0.5 * mean / heads as f64 + if row == column { 0.5 } else { 0.0 }
        };
        let product = |at: usize| {
            (0..seq)
                .map(|k| mixing(at / seq, k) * expected[k * seq + at % seq])
                .sum()
        };
        expected = (0..seq * seq).map(product).collect();
    }
    let found = attention_rollout(asked.model.model(), &asked.ids).unwrap();
    let last: Vec<f32> = expected[(seq - 1) * seq..]
        .iter()
        .map(|&value| value as f32)
        .collect();
    assert_close("rollout", &found, &last, 1e-6);
    assert!((found.iter().sum::<f32>() - 1.0).abs() < 1e-5);
}
