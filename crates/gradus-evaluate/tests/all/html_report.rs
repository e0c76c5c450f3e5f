//! The page stands alone, escapes what comes from data and describes its pictures.

use crate::support::{contents, dataset, dataset_with_labels};
use gradus_evaluate::html::{HtmlReport, LearningCurves};
use gradus_evaluate::{EvaluateOptions, Predictor, RowContext, SliceColumn, evaluate};
use gradus_package::{CompressionMethod, CompressionStep, Package, TensorChange};
use serde_json::json;

fn page() -> String {
    let folder = tempfile::tempdir().expect("a valid fixture");
    let mut contents = contents();
    contents.manifest.lineage.recipe = Some("[data]\ntrain = \"</pre><script>\"\n".to_owned());
    contents.manifest.compression.push(CompressionStep {
        method: CompressionMethod::Clip { limit: 0.5 },
        bytes_before: 4000,
        bytes_after: 1000,
        tensors: vec![TensorChange {
            name: "layers.0.weight".into(),
            elements: 9,
            changed: 3,
            zeros: 6,
            max_abs_error: 0.5,
            relative_error: 0.5,
        }],
    });
    Package::save(folder.path().join("model"), &contents).expect("a valid fixture");
    let package = Package::open(folder.path().join("model")).expect("a valid fixture");
    let predictor = Predictor::from_package(&package).expect("a valid fixture");
    let slices = SliceColumn {
        name: "side <of> light".into(),
        labels: vec!["left & dim".into(), "right".into()],
        parts: (0..30).map(|row| row % 2).collect(),
    };
    let options = EvaluateOptions {
        rows: RowContext {
            slices: vec![slices],
            groups: Some((0..30).map(|row| row / 2).collect()),
            weights: None,
        },
        ..EvaluateOptions::default()
    };
    let evaluation = evaluate(&predictor, &dataset(), &options).expect("a valid fixture");
    let records: Vec<_> = (1..300)
        .map(|step| json!({"step": step, "loss": 1.0 / f64::from(step)}))
        .collect();
    let report = HtmlReport::new("<b>title</b>", "a & b", &evaluation)
        .with_package(&package)
        .with_curves(LearningCurves::from_records(&records));
    report.render().expect("a valid fixture")
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    let page = page();
    for forbidden in [
        "<script",
        "http:",
        "https:",
        "<link",
        "@import",
        "url(",
        "javascript:",
        "<iframe",
    ] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn text_from_data_is_escaped() {
    let page = page();
    assert!(page.contains("&lt;script&gt;left&lt;"), "class names are shown");
    assert!(page.contains("<h1>&lt;b&gt;title&lt;"));
    assert!(page.contains("a &amp; b"));
    assert!(page.contains("By side &lt;of&gt; light") && page.contains("left &amp; dim"));
    assert!(page.matches("<pre>").count() == 1 && page.matches("</pre>").count() == 1);
}

#[test]
fn every_part_is_there() {
    let page = page();
    for part in [
        "summary",
        "training",
        "confusion",
        "classes",
        "slices",
        "worst",
        "model",
    ] {
        assert!(page.contains(&format!("<h2 id=\"{part}\"")), "{part}");
    }
    assert!(page.contains("resamples of 15 groups of samples"));
    assert!(page.contains("80.0\u{202f}%") && page.contains("24 of 30 samples are right."));
    assert!(
        page.contains("clipped weights to ±0.5") && page.contains("4.0\u{202f}kB → 1.0\u{202f}kB (4.0×)")
    );
}

#[test]
fn pictures_and_charts_are_described() {
    let page = page();
    assert_eq!(page.matches("<img ").count(), 6);
    assert_eq!(page.matches("alt=\"Sample ").count(), 6);
    assert_eq!(page.matches("<svg ").count(), 5);
    assert_eq!(page.matches("role=\"img\" aria-label=\"").count(), 5);
    assert!(
        page.contains("<html lang=\"en\">") && page.contains("<caption>") && page.contains("scope=\"col\"")
    );
}

#[test]
fn a_perfect_model_and_one_without_intervals_have_a_page_too() {
    let predictor = {
        let contents = contents();
        let config: gradus_nn::ModelConfig = serde_json::from_value(contents.config).unwrap();
        Predictor::from_parts(config.load(&contents.tensors).unwrap(), contents.manifest).unwrap()
    };
    let right: Vec<usize> = (0..30).filter(|at| at % 5 != 0).collect();
    let dataset = dataset_with_labels(crate::support::LABELS)
        .subset(&right)
        .unwrap();
    let options = EvaluateOptions {
        bootstrap: None,
        ..EvaluateOptions::default()
    };
    let evaluation = evaluate(&predictor, &dataset, &options).unwrap();
    let page = HtmlReport::new("perfect", "data", &evaluation).render().unwrap();
    assert!(page.contains("No intervals were drawn.") && !page.contains("<h2 id=\"worst\""));
    let evaluation = evaluate(&predictor, &dataset, &EvaluateOptions::default()).unwrap();
    let page = HtmlReport::new("perfect", "data", &evaluation).render().unwrap();
    // 1 - 0.05^(1/24)
    assert!(page.contains("up to 11.7\u{202f}% of such samples may be"));
}
