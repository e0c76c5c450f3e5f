//! The frequencies of rotary position embedding, and the ways published models stretch them over longer texts.
//!
//! [`RopeParameters`] is read from Hugging Face's `config.json`, from the old keys (`rope_theta`, `rope_scaling` with its
//! `type` or `rope_type`) and from the newer `rope_parameters`, flat or by layer type. The formulas are those of
//! transformers' `modeling_rope_utils`, in `f64`. [`RopeTables`] turns them into tables of angles.

use std::sync::{Mutex, PoisonError};

use gradus_tensor::RopeTable;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::Result;

/// The base of the wavelengths where a config gives none.
const DEFAULT_THETA: f64 = 10_000.0;

/// YaRN's bounds, in turns over the original context: dimensions that turn more often are left as they are, those that
/// turn less are interpolated (Peng et al. 2023, section 3.2).
const YARN_BETAS: [f64; 2] = [32.0, 1.0];

/// How the rotation of a model's heads is computed.
///
/// ```
/// use gradus_nn::families::transformer::rope_scaling::RopeParameters;
/// let config = serde_json::json!({
///     "rope_theta": 500000.0,
///     "rope_scaling": {"rope_type": "linear", "factor": 4.0},
/// });
/// let rope = RopeParameters::from_huggingface(config.as_object().expect("an object"), 64, 8192)?;
/// assert_eq!(rope.frequencies(1).inverse[0], 0.25);
/// # Ok::<(), gradus_nn::families::transformer::rope_scaling::RopeProblem>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RopeParameters {
    /// Base of the wavelengths: pair `i` of `rotary_dim / 2` turns by `theta^(−2i / rotary_dim)` per position.
    pub theta: f64,
    /// Elements of each head that turn.
    pub rotary_dim: usize,
    /// The longest text the model is made for, in tokens; the start of dynamic scaling.
    pub max_position_embeddings: usize,
    /// How frequencies are stretched.
    pub scaling: RopeScaling,
}

/// The published ways of stretching frequencies, under the names that `rope_type` gives them.
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    /// As trained (Su et al. 2021).
    Default,
    /// All positions divided by a factor (Chen et al. 2023).
    Linear {
        /// The divisor.
        factor: f64,
    },
    /// The base grows with texts beyond `max_position_embeddings` ("dynamic NTK").
    Dynamic {
        /// How strongly.
        factor: f64,
    },
    /// High frequencies as trained, low ones divided, a ramp between (Peng et al. 2023).
    Yarn(Yarn),
    /// Each frequency has its own divisor, from one of two lists by the length of the text (Ding et al. 2024).
    LongRope(LongRope),
    /// High frequencies as trained, low ones divided, smooth between (Llama 3.1).
    Llama3(Llama3),
    /// Only the first of the head's frequencies turn; the others are 0 and leave their elements alone.
    Proportional {
        /// Divisor of all frequencies.
        factor: f64,
        /// Frequencies that turn.
        turning: usize,
    },
}

/// Settings of YaRN.
#[derive(Clone, Debug, PartialEq)]
pub struct Yarn {
    /// Divisor of the low frequencies.
    pub factor: f64,
    /// Length of the texts before stretching, in tokens.
    pub original_max_position_embeddings: f64,
    /// Turns over the original length above which a frequency stays, and below which it is divided.
    pub betas: [f64; 2],
    /// Whether the ramp begins and ends at whole dimensions.
    pub truncate: bool,
    /// Factor of all cosines and sines.
    pub attention_factor: f64,
}

/// Settings of LongRoPE.
#[derive(Clone, Debug, PartialEq)]
pub struct LongRope {
    /// Divisors of the frequencies for texts up to the original length.
    pub short_factor: Vec<f64>,
    /// Divisors beyond it.
    pub long_factor: Vec<f64>,
    /// The original length, in tokens.
    pub original_max_position_embeddings: f64,
    /// Factor of all cosines and sines.
    pub attention_factor: f64,
}

/// Settings of Llama 3.1's scaling.
#[derive(Clone, Debug, PartialEq)]
pub struct Llama3 {
    /// Divisor of the low frequencies.
    pub factor: f64,
    /// Wavelengths above `original / low_freq_factor` are divided.
    pub low_freq_factor: f64,
    /// Wavelengths below `original / high_freq_factor` stay.
    pub high_freq_factor: f64,
    /// The original length, in tokens.
    pub original_max_position_embeddings: f64,
}

/// Frequencies for one length of text.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeFrequencies {
    /// Radians per position, `[rotary_dim / 2]`.
    pub inverse: Vec<f64>,
    /// Factor of all cosines and sines.
    pub attention_scaling: f64,
}

/// What is wrong with a config's rotary settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rope: {value}; {rule}")]
pub struct RopeProblem {
    /// The key and what it holds.
    pub value: String,
    /// What is allowed, in words.
    pub rule: &'static str,
}

impl RopeProblem {
    fn new(value: impl Into<String>, rule: &'static str) -> RopeProblem {
        RopeProblem {
            value: value.into(),
            rule,
        }
    }
}

/// The keys of `rope_scaling` and `rope_parameters`, and of the config around them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Keys {
    rope_type: Option<String>,
    #[serde(rename = "type")]
    old_type: Option<String>,
    rope_theta: Option<f64>,
    partial_rotary_factor: Option<f64>,
    factor: Option<f64>,
    original_max_position_embeddings: Option<f64>,
    attention_factor: Option<f64>,
    beta_fast: Option<f64>,
    beta_slow: Option<f64>,
    mscale: Option<f64>,
    mscale_all_dim: Option<f64>,
    truncate: Option<bool>,
    short_factor: Option<Vec<f64>>,
    long_factor: Option<Vec<f64>>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
}

/// The keys of `config.json` outside the rotary settings that stand for one of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Outside {
    #[serde(alias = "rotary_emb_base")]
    rope_theta: Option<f64>,
    #[serde(alias = "rotary_pct")]
    partial_rotary_factor: Option<f64>,
    original_max_position_embeddings: Option<f64>,
    rope_local_base_freq: Option<f64>,
}

/// Names of the layers with and without a window, under which newer configs keep separate settings.
const FULL: &str = "full_attention";
const SLIDING: &str = "sliding_attention";

fn read<T: for<'de> Deserialize<'de>>(value: Value) -> Result<T, RopeProblem> {
    serde_json::from_value(value)
        .map_err(|error| RopeProblem::new(error.to_string(), "the keys hold what transformers writes"))
}

/// The settings in a config for one type of layer, the old key preferred as transformers does; and whether they stood
/// apart from those of other layers.
fn settings(config: &Map<String, Value>, layer_type: &str) -> Result<(Keys, bool), RopeProblem> {
    let found = ["rope_scaling", "rope_parameters"]
        .into_iter()
        .filter_map(|key| config.get(key))
        .find(|value| !value.is_null());
    let Some(Value::Object(found)) = found else {
        return match found {
            None => Ok((Keys::default(), false)),
            Some(other) => Err(RopeProblem::new(
                other.to_string(),
                "rotary settings are an object",
            )),
        };
    };
    let by_layer = [FULL, SLIDING].iter().any(|layer| found.contains_key(*layer));
    let own = match by_layer {
        true => found.get(layer_type).cloned().filter(|own| !own.is_null()),
        false => Some(Value::Object(found.clone())),
    };
    Ok((own.map(read).transpose()?.unwrap_or_default(), by_layer))
}

impl RopeParameters {
    /// The settings of a `config.json`, those of layers without a window where the two differ.
    ///
    /// # Errors
    /// [`RopeProblem`] for an unknown type, a missing key, or a number that makes no frequency.
    pub fn from_huggingface(
        config: &Map<String, Value>,
        head_dim: usize,
        max_position_embeddings: usize,
    ) -> Result<RopeParameters, RopeProblem> {
        let (keys, _) = settings(config, FULL)?;
        let outside = read(Value::Object(config.clone()))?;
        Reader {
            keys,
            outside,
            head_dim,
            max_position_embeddings,
        }
        .parameters()
    }

    /// The settings of layers with a window, where the config has some of their own (Gemma 3): in `rope_parameters` by
    /// layer type, or as `rope_local_base_freq`.
    ///
    /// # Errors
    /// As [`from_huggingface`](RopeParameters::from_huggingface).
    pub fn local_from_huggingface(
        config: &Map<String, Value>,
        head_dim: usize,
        max_position_embeddings: usize,
    ) -> Result<Option<RopeParameters>, RopeProblem> {
        let (keys, by_layer) = settings(config, SLIDING)?;
        let outside: Outside = read(Value::Object(config.clone()))?;
        let local = match (by_layer, outside.rope_local_base_freq) {
            (true, _) => keys,
            (false, Some(base)) => Keys {
                rope_theta: Some(base),
                ..Keys::default()
            },
            (false, None) => return Ok(None),
        };
        let reader = Reader {
            keys: local,
            outside,
            head_dim,
            max_position_embeddings,
        };
        reader.parameters().map(Some)
    }

    /// Whole heads turned without scaling.
    pub fn unscaled(theta: f64, head_dim: usize) -> RopeParameters {
        RopeParameters {
            theta,
            rotary_dim: head_dim,
            max_position_embeddings: usize::MAX,
            scaling: RopeScaling::Default,
        }
    }

    /// The frequencies for a text of `seq_len` tokens in all, those in a cache included.
    pub fn frequencies(&self, seq_len: usize) -> RopeFrequencies {
        let plain = || self.inverse(self.theta);
        let (inverse, attention_scaling) = match &self.scaling {
            RopeScaling::Default => (plain(), 1.0),
            RopeScaling::Linear { factor } => (divided(plain(), *factor), 1.0),
            RopeScaling::Dynamic { factor } => (self.inverse(self.dynamic_theta(seq_len, *factor)), 1.0),
            RopeScaling::Yarn(yarn) => (
                yarn.scaled(plain(), self.theta, self.rotary_dim),
                yarn.attention_factor,
            ),
            RopeScaling::LongRope(long) => (long.scaled(plain(), seq_len), long.attention_factor),
            RopeScaling::Llama3(llama3) => (llama3.scaled(plain()), 1.0),
            RopeScaling::Proportional { factor, turning } => {
                let mut inverse = divided(plain(), *factor);
                inverse[*turning..].fill(0.0);
                (inverse, 1.0)
            }
        };
        RopeFrequencies {
            inverse,
            attention_scaling,
        }
    }

    /// Texts of lengths with the same number share their frequencies.
    fn regime(&self, seq_len: usize) -> usize {
        match &self.scaling {
            RopeScaling::Default
            | RopeScaling::Linear { .. }
            | RopeScaling::Yarn(_)
            | RopeScaling::Llama3(_)
            | RopeScaling::Proportional { .. } => 0,
            RopeScaling::Dynamic { .. } => seq_len.max(self.max_position_embeddings),
            RopeScaling::LongRope(long) => usize::from(long.is_long(seq_len)),
        }
    }

    fn inverse(&self, theta: f64) -> Vec<f64> {
        let dim = self.rotary_dim as f64;
        (0..self.rotary_dim)
            .step_by(2)
            .map(|i| theta.powf(-(i as f64) / dim))
            .collect()
    }

    fn dynamic_theta(&self, seq_len: usize, factor: f64) -> f64 {
        let most = self.max_position_embeddings as f64;
        let stretch = factor * (seq_len as f64).max(most) / most - (factor - 1.0);
        let dim = self.rotary_dim as f64;
        self.theta * stretch.powf(dim / (dim - 2.0))
    }
}

fn divided(mut inverse: Vec<f64>, factor: f64) -> Vec<f64> {
    inverse.iter_mut().for_each(|inverse| *inverse /= factor);
    inverse
}

impl Yarn {
    fn scaled(&self, inverse: Vec<f64>, theta: f64, rotary_dim: usize) -> Vec<f64> {
        let dim = rotary_dim as f64;
        let dimension_of = |turns: f64| {
            let wavelengths = self.original_max_position_embeddings / (turns * std::f64::consts::TAU);
            dim * wavelengths.ln() / (2.0 * theta.ln())
        };
        let [mut low, mut high] = self.betas.map(dimension_of);
        if self.truncate {
            (low, high) = (low.floor(), high.ceil());
        }
        (low, high) = (low.max(0.0), high.min(dim - 1.0));
        if low == high {
            // As transformers does, so that the ramp has no division by zero.
            high += 0.001;
        }
        let share_divided = |i: usize| ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
        let mix = |(i, inverse): (usize, f64)| {
            let divided = share_divided(i);
            inverse / self.factor * divided + inverse * (1.0 - divided)
        };
        inverse.into_iter().enumerate().map(mix).collect()
    }
}

impl LongRope {
    fn is_long(&self, seq_len: usize) -> bool {
        seq_len as f64 > self.original_max_position_embeddings
    }

    fn scaled(&self, inverse: Vec<f64>, seq_len: usize) -> Vec<f64> {
        let factors = match self.is_long(seq_len) {
            true => &self.long_factor,
            false => &self.short_factor,
        };
        inverse
            .into_iter()
            .zip(factors)
            .map(|(inverse, factor)| inverse / factor)
            .collect()
    }
}

impl Llama3 {
    fn scaled(&self, inverse: Vec<f64>) -> Vec<f64> {
        let original = self.original_max_position_embeddings;
        let span = self.high_freq_factor - self.low_freq_factor;
        let scale = |inverse: f64| {
            let wavelength = std::f64::consts::TAU / inverse;
            if wavelength < original / self.high_freq_factor {
                inverse
            } else if wavelength > original / self.low_freq_factor {
                inverse / self.factor
            } else {
                let smooth = (original / wavelength - self.low_freq_factor) / span;
                (1.0 - smooth) * inverse / self.factor + smooth * inverse
            }
        };
        inverse.into_iter().map(scale).collect()
    }
}

/// From keys to parameters.
struct Reader {
    keys: Keys,
    outside: Outside,
    head_dim: usize,
    max_position_embeddings: usize,
}

impl Reader {
    fn parameters(&self) -> Result<RopeParameters, RopeProblem> {
        let theta = self
            .keys
            .rope_theta
            .or(self.outside.rope_theta)
            .unwrap_or(DEFAULT_THETA);
        above_zero("rope_theta", theta)?;
        let partial = self
            .keys
            .partial_rotary_factor
            .or(self.outside.partial_rotary_factor)
            .unwrap_or(1.0);
        let part = (self.head_dim as f64 * partial) as usize;
        if !(partial > 0.0 && partial <= 1.0) || part == 0 || self.head_dim < 2 {
            let value = format!("partial_rotary_factor {partial} of heads of {}", self.head_dim);
            return Err(RopeProblem::new(value, "part of a head turns, or all of it"));
        }
        let kind = self.keys.rope_type.as_deref().or(self.keys.old_type.as_deref());
        let kind = kind.unwrap_or("default");
        let rotary_dim = match kind {
            "proportional" => self.head_dim,
            _ => part,
        };
        Ok(RopeParameters {
            theta,
            rotary_dim,
            max_position_embeddings: self.max_position_embeddings,
            scaling: self.scaling(kind, rotary_dim, part)?,
        })
    }

    fn scaling(&self, kind: &str, rotary_dim: usize, part: usize) -> Result<RopeScaling, RopeProblem> {
        Ok(match kind {
            // Multi-axis RoPE of one axis, which text is, is the plain one.
            "default" | "mrope" => RopeScaling::Default,
            "linear" => RopeScaling::Linear {
                factor: self.factor()?,
            },
            "dynamic" if rotary_dim > 2 => RopeScaling::Dynamic {
                factor: self.factor()?,
            },
            "yarn" => RopeScaling::Yarn(self.yarn()?),
            "longrope" | "su" => RopeScaling::LongRope(self.long_rope(rotary_dim.div_ceil(2))?),
            "llama3" => RopeScaling::Llama3(self.llama3()?),
            "proportional" => RopeScaling::Proportional {
                factor: above_zero("factor", self.keys.factor.unwrap_or(1.0))?,
                turning: part / 2,
            },
            "dynamic" => {
                let value = format!("rope_type dynamic with {rotary_dim} rotated elements");
                return Err(RopeProblem::new(value, "dynamic scaling needs more than 2"));
            }
            other => {
                return Err(RopeProblem::new(
                    format!("rope_type {other}"),
                    "known are default, linear, dynamic, yarn, longrope, llama3 and proportional",
                ));
            }
        })
    }

    fn factor(&self) -> Result<f64, RopeProblem> {
        above_zero("factor", self.needed("factor", self.keys.factor)?)
    }

    fn needed(&self, key: &'static str, value: Option<f64>) -> Result<f64, RopeProblem> {
        value.ok_or_else(|| RopeProblem::new(format!("{key} is missing"), "this rope_type needs it"))
    }

    /// Phi-3 keeps the original length outside the settings, and it counts before the one inside.
    fn original(&self) -> Result<f64, RopeProblem> {
        let original = self
            .outside
            .original_max_position_embeddings
            .or(self.keys.original_max_position_embeddings)
            .unwrap_or(self.max_position_embeddings as f64);
        above_zero("original_max_position_embeddings", original)
    }

    fn yarn(&self) -> Result<Yarn, RopeProblem> {
        let original = self.original()?;
        let factor = self
            .keys
            .factor
            .unwrap_or(self.max_position_embeddings as f64 / original);
        above_zero("factor", factor)?;
        let mscale = |mscale: f64| match factor <= 1.0 {
            true => 1.0,
            false => 0.1 * mscale * factor.ln() + 1.0,
        };
        // Transformers reads a 0 as absent.
        let given = |value: Option<f64>| value.filter(|value| *value != 0.0);
        let inferred = match (given(self.keys.mscale), given(self.keys.mscale_all_dim)) {
            (Some(one), Some(all)) => mscale(one) / mscale(all),
            _ => mscale(1.0),
        };
        let betas = [
            given(self.keys.beta_fast).unwrap_or(YARN_BETAS[0]),
            given(self.keys.beta_slow).unwrap_or(YARN_BETAS[1]),
        ];
        above_zero("beta_fast", betas[0])?;
        above_zero("beta_slow", betas[1])?;
        Ok(Yarn {
            factor,
            original_max_position_embeddings: original,
            betas,
            truncate: self.keys.truncate.unwrap_or(true),
            attention_factor: self.keys.attention_factor.unwrap_or(inferred),
        })
    }

    fn long_rope(&self, frequencies: usize) -> Result<LongRope, RopeProblem> {
        let list = |key: &'static str, list: &Option<Vec<f64>>| match list {
            Some(list) if list.len() == frequencies && list.iter().all(|f| f.is_finite() && *f > 0.0) => {
                Ok(list.clone())
            }
            _ => {
                let value = format!("{key} has {} numbers", list.as_ref().map_or(0, Vec::len));
                Err(RopeProblem::new(
                    value,
                    "longrope has one number above 0 for each rotated pair of elements",
                ))
            }
        };
        let original = self.original()?;
        let factor = self
            .keys
            .factor
            .unwrap_or(self.max_position_embeddings as f64 / original);
        let inferred = match factor <= 1.0 {
            true => 1.0,
            false => (1.0 + factor.ln() / original.ln()).sqrt(),
        };
        Ok(LongRope {
            short_factor: list("short_factor", &self.keys.short_factor)?,
            long_factor: list("long_factor", &self.keys.long_factor)?,
            original_max_position_embeddings: original,
            attention_factor: self.keys.attention_factor.unwrap_or(inferred),
        })
    }

    fn llama3(&self) -> Result<Llama3, RopeProblem> {
        let low = self.needed("low_freq_factor", self.keys.low_freq_factor)?;
        let high = self.needed("high_freq_factor", self.keys.high_freq_factor)?;
        above_zero("low_freq_factor", low)?;
        if high <= low || !high.is_finite() {
            let value = format!("high_freq_factor {high} with low_freq_factor {low}");
            return Err(RopeProblem::new(value, "the high one is larger"));
        }
        Ok(Llama3 {
            factor: self.factor()?,
            low_freq_factor: low,
            high_freq_factor: high,
            original_max_position_embeddings: self.original()?,
        })
    }
}

fn above_zero(key: &'static str, value: f64) -> Result<f64, RopeProblem> {
    match value.is_finite() && value > 0.0 {
        true => Ok(value),
        false => Err(RopeProblem::new(
            format!("{key} is {value}"),
            "it must be a number above 0",
        )),
    }
}

/// The angles of one rotation, for texts of any length: one table, made anew when scaling by length asks for other
/// frequencies than the last text's.
#[derive(Debug)]
pub struct RopeTables {
    parameters: RopeParameters,
    /// The regime of the table, and the table.
    current: Mutex<(usize, RopeTable)>,
}

impl RopeTables {
    /// Tables for these parameters.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) for parameters without frequencies.
    pub fn new(parameters: RopeParameters) -> Result<RopeTables> {
        let first = (parameters.regime(1), table(&parameters, 1)?);
        Ok(RopeTables {
            parameters,
            current: Mutex::new(first),
        })
    }

    /// The table for a text of `seq_len` tokens in all, those in a cache included. Clones share memory.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) for frequencies that are no numbers.
    pub fn for_length(&self, seq_len: usize) -> Result<RopeTable> {
        let regime = self.parameters.regime(seq_len);
        // The slot holds a whole pair; a panic cannot leave it between two.
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 != regime {
            *current = (regime, table(&self.parameters, seq_len)?);
        }
        Ok(current.1.clone())
    }
}

fn table(parameters: &RopeParameters, seq_len: usize) -> Result<RopeTable> {
    let RopeFrequencies {
        inverse,
        attention_scaling,
    } = parameters.frequencies(seq_len);
    Ok(RopeTable::new(&inverse, attention_scaling)?)
}

#[cfg(test)]
mod tests;
