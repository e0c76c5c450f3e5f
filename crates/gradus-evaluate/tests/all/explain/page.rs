//! The page of explanations: complete, escaped, and in need of nothing else.

use gradus_evaluate::Predictor;
use gradus_evaluate::explain::{
    AnswerToken, Baseline, ExplainData, ExplainOptions, FeatureImportance, GlobalImportance,
    IntegratedGradients, Method, PermutationImportance, PermutationOptions, PermutationScore, Target,
    TextExplanation, TextMethod, TokenAttribution, explain,
};
use gradus_evaluate::html::{ExplainContent, ExplainPage};
use gradus_package::Package;

use crate::support::{LABELS, contents, dataset};

fn page(explained: ExplainContent<'_>) -> String {
    let page = ExplainPage {
        title: "a <model>".into(),
        data: "data & more".into(),
        explained,
    };
    let markup = page.render().expect("a page");
    assert!(
        markup.contains("a &lt;model&gt;") && markup.contains("data &amp; more"),
        "{markup}"
    );
    assert!(!markup.contains("<script") && !markup.contains("http:") && !markup.contains("https:"));
    markup
}

#[test]
fn pictures_stand_beside_their_maps() {
    let folder = tempfile::tempdir().unwrap();
    Package::save(folder.path().join("model"), &contents()).unwrap();
    let predictor = Predictor::open(folder.path().join("model")).unwrap();
    let data = dataset();
    let asked = ExplainData {
        samples: data.samples(),
        labels: Some(data.labels()),
        indices: &[0, 1, 5],
    };
    let options = ExplainOptions {
        method: Method::IntegratedGradients(IntegratedGradients::default()),
        target: Target::Predicted,
        baseline: Baseline::Black,
    };
    let found = explain(&predictor, &asked, &options).unwrap();
    // The brightest of three pixels is the class, and its logit is that pixel alone.
    for (sample, brightest) in found.samples.iter().zip([0, 1, 2]) {
        assert_eq!(sample.target, brightest);
        let change = sample.score - sample.baseline_score.unwrap();
        for (at, &value) in sample.attributions.iter().enumerate() {
            let expected = if at == brightest { change } else { 0.0 };
            assert!(
                (f64::from(value) - expected).abs() < 1e-5,
                "{at}: {value}, expected {expected}"
            );
        }
    }
    let markup = page(ExplainContent::Samples(&found));
    // A picture, the same faint, and a map for each; one map for all.
    assert_eq!(markup.matches("src=\"data:image").count(), 3 * 3 + 1);
    assert!(markup.contains("&lt;script&gt;left"), "{}", LABELS[0]);
}

#[test]
fn importances_of_columns_and_texts_are_escaped() {
    let importance = GlobalImportance {
        metric: PermutationScore::Accuracy,
        options: PermutationOptions::default(),
        n: 100,
        columns: vec!["<age>".into(), "deck".into()],
        importance: PermutationImportance {
            score: 0.8,
            features: vec![
                FeatureImportance { mean: 0.2, std: 0.01 },
                FeatureImportance {
                    mean: -0.01,
                    std: 0.02,
                },
            ],
        },
    };
    let markup = page(ExplainContent::Model {
        importance: &importance,
        cells: 7,
    });
    assert!(markup.contains("&lt;age&gt;") && markup.contains("0.8000"));
    let text = TextExplanation {
        method: TextMethod::Saliency,
        baseline: None,
        tokens: vec![TokenAttribution {
            id: 1,
            text: "<script>".into(),
            attribution: 0.5,
        }],
        answer: vec![AnswerToken {
            id: 2,
            text: "&".into(),
            log_probability: -0.1,
        }],
        score: -0.1,
        baseline_score: None,
        convergence_delta: None,
    };
    let markup = page(ExplainContent::Texts(&[text]));
    assert!(
        markup.contains("&lt;script&gt;") && markup.contains("90.5"),
        "{markup}"
    );
}
