//! How far apart positions turn a pair of numbers: GGUF's keys and tensors, and `rope_scaling` of configs.

use serde_json::{Map, Value, json};

use crate::foreign::gguf::GgufProblem;
use crate::foreign::gguf::metadata::{GgufMetadata, missing};

/// A factor for each frequency, which divides it.
pub(crate) const ROPE_FREQS: &str = "rope_freqs.weight";
/// The factors beyond the original context.
pub(crate) const LONG_FACTORS: &str = "rope_factors_long.weight";
/// The factors within the original context.
pub(crate) const SHORT_FACTORS: &str = "rope_factors_short.weight";
/// The tensors that belong to the config and not to the weights.
pub(crate) const FREQUENCY_TENSORS: [&str; 3] = [ROPE_FREQS, LONG_FACTORS, SHORT_FACTORS];

/// The scalings of the published Llama 3 models: factor, low and high frequency factor, original context.
const LLAMA3: [[f64; 4]; 2] = [[8.0, 1.0, 4.0, 8192.0], [32.0, 1.0, 4.0, 8192.0]];

/// What a file's tensors say of frequencies.
#[derive(Default)]
pub(in crate::foreign::gguf) struct Factors {
    pub(in crate::foreign::gguf) all: Option<Vec<f32>>,
    pub(in crate::foreign::gguf) long: Option<Vec<f32>>,
    pub(in crate::foreign::gguf) short: Option<Vec<f32>>,
}

/// `rope_scaling`, or nothing where frequencies are not scaled.
pub(super) fn scaling(
    metadata: &GgufMetadata<'_>,
    architecture: &str,
    factors: &Factors,
    context: u64,
) -> Result<Option<Value>, GgufProblem> {
    let key = |name: &str| format!("{architecture}.rope.{name}");
    if let Some(all) = &factors.all {
        let base = metadata.f64(&key("freq_base"))?.unwrap_or(10000.0);
        return Ok(Some(from_factors(all, base, context)));
    }
    let kind = metadata.text(&key("scaling.type"))?;
    let factor = metadata.f64(&key("scaling.factor"))?;
    // Before scalings had types there was one, and its key.
    let linear = metadata.f64(&key("scale_linear"))?;
    match (kind, factor.or(linear)) {
        (Some("yarn"), Some(factor)) => yarn(metadata, key, factor).map(Some),
        (Some("longrope"), _) => longrope(metadata, key, factors, context).map(Some),
        (Some("none"), _) | (_, None) => Ok(None),
        (Some("linear") | None, Some(1.0)) => Ok(None),
        (Some("linear") | None, Some(factor)) => Ok(Some(json!({ "rope_type": "linear", "factor": factor }))),
        (Some(_), Some(_)) => Err(GgufProblem::Value {
            key: key("scaling.type"),
            expected: "none, linear, yarn or longrope",
        }),
    }
}

fn yarn(
    metadata: &GgufMetadata<'_>,
    key: impl Fn(&str) -> String,
    factor: f64,
) -> Result<Value, GgufProblem> {
    let mut scaling = Map::new();
    scaling.insert("rope_type".into(), "yarn".into());
    scaling.insert("factor".into(), factor.into());
    let original = metadata.required_u64(&key("scaling.original_context_length"))?;
    scaling.insert("original_max_position_embeddings".into(), original.into());
    for (gguf, name) in [
        ("scaling.yarn_beta_fast", "beta_fast"),
        ("scaling.yarn_beta_slow", "beta_slow"),
    ] {
        if let Some(value) = metadata.f64(&key(gguf))? {
            scaling.insert(name.into(), value.into());
        }
    }
    if let Some(attention) = attention_factor(metadata, &key)? {
        scaling.insert("attention_factor".into(), attention.into());
    }
    Ok(scaling.into())
}

fn attention_factor(
    metadata: &GgufMetadata<'_>,
    key: impl Fn(&str) -> String,
) -> Result<Option<f64>, GgufProblem> {
    let newer = metadata.f64(&key("scaling.yarn_attn_factor"))?;
    Ok(newer.or(metadata.f64(&key("scaling.attn_factor"))?))
}

fn longrope(
    metadata: &GgufMetadata<'_>,
    key: impl Fn(&str) -> String,
    factors: &Factors,
    context: u64,
) -> Result<Value, GgufProblem> {
    let long = factors.long.as_ref().ok_or_else(|| missing(LONG_FACTORS))?;
    let short = factors.short.as_ref().ok_or_else(|| missing(SHORT_FACTORS))?;
    let original = metadata
        .u64(&key("scaling.original_context_length"))?
        .unwrap_or(context);
    let mut scaling = Map::new();
    scaling.insert("rope_type".into(), "longrope".into());
    scaling.insert("short_factor".into(), decimals(short));
    scaling.insert("long_factor".into(), decimals(long));
    scaling.insert("original_max_position_embeddings".into(), original.into());
    scaling.insert(
        "factor".into(),
        (context as f64 / (original as f64).max(1.0)).into(),
    );
    if let Some(attention) = attention_factor(metadata, &key)? {
        scaling.insert("attention_factor".into(), attention.into());
    }
    Ok(scaling.into())
}

/// The scaling of a Llama 3 model where the factors are the ones that it gives, else the factors themselves: in the
/// terms of LongRoPE, the same within the original context and beyond it.
fn from_factors(factors: &[f32], base: f64, context: u64) -> Value {
    let close = |a: f32, b: f32| (a - b).abs() <= 1e-4 * b.abs();
    let known = LLAMA3.iter().find(|&&[factor, low, high, original]| {
        let expected = llama3_factors(2 * factors.len(), base, [factor, low, high, original]);
        factors
            .iter()
            .zip(&expected)
            .all(|(&got, &want)| close(got, want))
    });
    match known {
        Some(&[factor, low, high, original]) => json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low,
            "high_freq_factor": high,
            "original_max_position_embeddings": original as u64,
        }),
        None => json!({
            "rope_type": "longrope",
            "short_factor": decimals(factors),
            "long_factor": decimals(factors),
            "factor": 1.0,
            "attention_factor": 1.0,
            "original_max_position_embeddings": context,
        }),
    }
}

/// What Llama 3's scaling divides each frequency by, as llama.cpp's converter computes it: slow frequencies by the
/// factor, fast ones by one, and those between by a blend. `scaling` is factor, low and high frequency factor, and the
/// original context. Returns `dimensions / 2` factors.
pub(crate) fn llama3_factors(dimensions: usize, base: f64, scaling: [f64; 4]) -> Vec<f32> {
    let [factor, low, high, original] = scaling;
    let each = |pair: usize| {
        let frequency = 1.0 / base.powf((2 * pair) as f64 / dimensions as f64);
        let wavelength = 2.0 * std::f64::consts::PI / frequency;
        if wavelength < original / high {
            1.0
        } else if wavelength > original / low {
            factor
        } else {
            let smooth = (original / wavelength - low) / (high - low);
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    };
    (0..dimensions / 2).map(|pair| each(pair) as f32).collect()
}

/// Factors as the shortest decimals that read back to them.
fn decimals(factors: &[f32]) -> Value {
    let each = |factor: &f32| factor.to_string().parse::<f64>().unwrap_or(f64::from(*factor));
    factors.iter().map(each).collect()
}
