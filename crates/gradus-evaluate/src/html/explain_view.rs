//! What the template of explanations sees: texts and markup, nothing left to compute.

use serde::Serialize;

use super::explain_page::{ExplainContent, ExplainPage};
use super::importance_chart::{self, Bar};
use super::{format, heat_map, picture};
use crate::explain::{Explanations, GlobalImportance, Method, SampleExplanation, TextExplanation};
use crate::{Result, Sample};

/// Samples shown at most: a page of many pictures is slow to open.
const MOST_SHOWN: usize = 200;

/// Columns of a row shown at most, the most important first.
const MOST_COLUMNS: usize = 12;

#[derive(Serialize)]
pub(super) struct View {
    title: String,
    data: String,
    verdict: String,
    note: String,
    signed: bool,
    global_title: String,
    global_chart: Option<String>,
    global_map: Option<String>,
    pictures: Vec<PictureView>,
    rows: Vec<RowView>,
    texts: Vec<TextView>,
    left_out: usize,
}

/// What every sample has.
#[derive(Serialize)]
struct About {
    index: String,
    target: String,
    truth: Option<String>,
    right: bool,
    score: String,
    baseline: Option<String>,
    delta: Option<String>,
}

#[derive(Serialize)]
struct PictureView {
    about: About,
    picture: Option<String>,
    map: String,
}

#[derive(Serialize)]
struct RowView {
    about: About,
    bars: Vec<BarView>,
    others: usize,
}

#[derive(Serialize)]
struct BarView {
    name: String,
    value: String,
    attribution: String,
    /// From 0 to 50, in per cent of the width.
    length: String,
    against: bool,
}

#[derive(Serialize)]
struct TextView {
    tokens: Vec<TokenView>,
    answer: String,
    probability: String,
    score: String,
    baseline: Option<String>,
    delta: Option<String>,
}

#[derive(Serialize)]
struct TokenView {
    text: String,
    attribution: String,
    /// From 0 to 100.
    strength: String,
    against: bool,
    strong: bool,
    breaks: bool,
}

impl View {
    pub(super) fn new(page: &ExplainPage<'_>) -> Result<View> {
        let blank = View {
            title: page.title.clone(),
            data: page.data.clone(),
            verdict: String::new(),
            note: String::new(),
            signed: true,
            global_title: String::new(),
            global_chart: None,
            global_map: None,
            pictures: Vec::new(),
            rows: Vec::new(),
            texts: Vec::new(),
            left_out: 0,
        };
        match page.explained {
            ExplainContent::Samples(explanations) => of_samples(blank, explanations),
            ExplainContent::Model { importance, cells } => of_model(blank, importance, cells),
            ExplainContent::Texts(texts) => Ok(of_texts(blank, texts)),
        }
    }
}

fn of_samples(mut view: View, explanations: &Explanations) -> Result<View> {
    let (method, count) = (&explanations.method, explanations.samples.len());
    view.verdict = format!(
        "{} explained by {}.",
        counted(count, "sample"),
        title_of(method.name())
    );
    view.note = note(
        method.name(),
        explanations.baseline.map(|baseline| baseline.name()),
    );
    view.signed = method.is_signed();
    view.left_out = count.saturating_sub(MOST_SHOWN);
    view.global_title = "What counts over all samples".to_owned();
    let shown = explanations.samples.iter().take(MOST_SHOWN);
    match explanations.shape.as_slice() {
        &[channels, height, width] => {
            let shape = [channels, height, width];
            view.global_map = Some(heat_map::data_uri(&explanations.importances, shape)?);
            let pictures = shown.map(|sample| picture_view(explanations, sample, shape));
            view.pictures = pictures.collect::<Result<_>>()?;
        }
        _ => {
            let named = explanations.columns.iter().zip(&explanations.importances);
            let bars = named.map(|(name, &value)| Bar {
                name: name.clone(),
                value,
                spread: None,
            });
            view.global_chart = Some(importance_chart::draw(
                "Mean size of the attributions",
                bars.collect(),
            )?);
            view.rows = shown.map(|sample| row_view(explanations, sample)).collect();
        }
    }
    Ok(view)
}

fn of_model(mut view: View, found: &GlobalImportance, cells: usize) -> Result<View> {
    let features = &found.importance.features;
    let score = found.metric.name();
    view.verdict = format!(
        "The {score} of {} is {:.4} as they are.",
        counted(found.n, "sample"),
        found.importance.score
    );
    view.note = format!(
        "Permutation importance: what is lost of the {score} when the values of one feature change places between samples; \
         the mean of {} permutations, whiskers are their standard deviation. Features that tell the same hide each other.",
        found.options.repeats
    );
    view.global_title = format!("Loss of {score} without each feature");
    if found.columns.is_empty() {
        let values: Vec<f64> = features.iter().map(|feature| feature.mean).collect();
        let width = cells.min(values.len()).max(1);
        view.global_map = Some(heat_map::data_uri(&values, [1, values.len() / width, width])?);
        return Ok(view);
    }
    let bars = found.columns.iter().zip(features).map(|(name, feature)| Bar {
        name: name.clone(),
        value: feature.mean,
        spread: Some(feature.std),
    });
    view.global_chart = Some(importance_chart::draw(&view.global_title, bars.collect())?);
    Ok(view)
}

fn of_texts(mut view: View, texts: &[TextExplanation]) -> View {
    let (name, baseline, signed) = texts.first().map_or(("", None, true), |text| {
        let baseline = text.baseline.map(|baseline| baseline.name());
        (text.method.name(), baseline, text.method.is_signed())
    });
    view.verdict = format!(
        "{} explained by {}.",
        counted(texts.len(), "text"),
        title_of(name)
    );
    view.note = note(name, baseline);
    view.signed = signed;
    view.left_out = texts.len().saturating_sub(MOST_SHOWN);
    view.texts = texts.iter().take(MOST_SHOWN).map(text_view).collect();
    view
}

fn counted(count: usize, what: &str) -> String {
    let count_text = format::count(count as u64);
    format!("{count_text} {what}{}", if count == 1 { "" } else { "s" })
}

/// A method's name in a sentence.
fn title_of(name: &str) -> String {
    name.replace('-', " ")
}

/// What the numbers mean.
fn note(method: &str, baseline: Option<&str>) -> String {
    let compared = baseline.map_or_else(String::new, |baseline| {
        format!(" Compared with the baseline “{baseline}”.")
    });
    let meaning = match method {
        "saliency" => {
            "How strongly the explained output changes with each input: the size of its gradient, without a sign."
        }
        "smoothgrad" => {
            "How strongly the explained output changes with each input, averaged over noise; without a sign."
        }
        "integrated-gradients" => {
            "What each input added to the explained output on the straight way from a baseline; attributions sum to the change."
        }
        "occlusion" => "How much the explained output falls when a part of the input is hidden.",
        "kernel-shap" => {
            "Each feature's Shapley value: its fair share of the output's change from what stands in for it."
        }
        "attention" => {
            "What the place where the answer begins attends to, the mean over layers and heads; where the model looks, not what \
             it makes of it. Models put attention that they have no use for on the first token."
        }
        _ => "",
    };
    format!("{meaning}{compared}")
}

fn about(explanations: &Explanations, sample: &SampleExplanation) -> About {
    let name = |output: usize| explanations.labels.get(output).cloned().unwrap_or_default();
    About {
        index: format::count(sample.index as u64),
        target: name(sample.target),
        truth: sample.label.map(name),
        right: sample.label == Some(sample.target),
        score: format!("{:.3}", sample.score),
        baseline: sample.baseline_score.map(|score| format!("{score:.3}")),
        delta: sample.convergence_delta.map(|delta| format!("{delta:.1e}")),
    }
}

fn picture_view(
    explanations: &Explanations,
    sample: &SampleExplanation,
    shape: [usize; 3],
) -> Result<PictureView> {
    let attributions: Vec<f64> = sample
        .attributions
        .iter()
        .map(|&value| f64::from(value))
        .collect();
    Ok(PictureView {
        about: about(explanations, sample),
        picture: match &sample.sample {
            Some(Sample::Picture(picture)) => Some(picture::data_uri(picture)?),
            Some(Sample::Row(_)) | None => None,
        },
        map: heat_map::data_uri(&attributions, shape)?,
    })
}

fn row_view(explanations: &Explanations, sample: &SampleExplanation) -> RowView {
    let sizes = sample.attributions.iter().map(|value| value.abs());
    let largest = sizes.fold(f32::MIN_POSITIVE, f32::max);
    let mut order: Vec<usize> = (0..sample.attributions.len()).collect();
    order.sort_by(|&a, &b| {
        sample.attributions[b]
            .abs()
            .total_cmp(&sample.attributions[a].abs())
    });
    let value_of = |at: usize| match &sample.sample {
        Some(Sample::Row(row)) => row
            .get(at)
            .map_or_else(String::new, |column| column.value.clone()),
        Some(Sample::Picture(_)) | None => String::new(),
    };
    let bar = |&at: &usize| {
        let attribution = sample.attributions[at];
        BarView {
            name: explanations.columns[at].clone(),
            value: value_of(at),
            attribution: number(attribution, explanations.method.is_signed()),
            length: format!(
                "{:.1}",
                half_or_whole(&explanations.method) * attribution.abs() / largest
            ),
            against: attribution < 0.0,
        }
    };
    RowView {
        about: about(explanations, sample),
        bars: order.iter().take(MOST_COLUMNS).map(bar).collect(),
        others: order.len().saturating_sub(MOST_COLUMNS),
    }
}

/// Per cent of the width that the longest bar takes: half where bars go both ways.
fn half_or_whole(method: &Method) -> f32 {
    if method.is_signed() { 50.0 } else { 100.0 }
}

fn number(value: f32, signed: bool) -> String {
    match signed {
        true => format!("{value:+.4}").replace('-', "−"),
        false => format!("{value:.4}"),
    }
}

fn text_view(text: &TextExplanation) -> TextView {
    let sizes = text.tokens.iter().map(|token| token.attribution.abs());
    let largest = sizes.fold(f32::MIN_POSITIVE, f32::max);
    let token = |token: &crate::explain::TokenAttribution| {
        let strength = 100.0 * token.attribution.abs() / largest;
        TokenView {
            text: token.text.replace('\n', "⏎"),
            attribution: number(token.attribution, text.method.is_signed()),
            strength: format!("{strength:.1}"),
            against: token.attribution < 0.0,
            strong: strength > 70.0,
            breaks: token.text.contains('\n'),
        }
    };
    TextView {
        tokens: text.tokens.iter().map(token).collect(),
        answer: text.answer.iter().map(|token| token.text.as_str()).collect(),
        probability: format::probability(text.score.exp()),
        score: format!("{:.3}", text.score),
        baseline: text.baseline_score.map(|score| format!("{score:.3}")),
        delta: text.convergence_delta.map(|delta| format!("{delta:.1e}")),
    }
}
