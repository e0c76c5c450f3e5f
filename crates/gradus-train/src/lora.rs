//! LoRA adapters on the disk, in the format of Hugging Face's PEFT.
//!
//! A folder with `adapter_config.json` and `adapter_model.safetensors`, whose tensors are named
//! `base_model.model.<module>.lora_A.weight` and `….lora_B.weight` after the modules of the model's class in
//! `transformers`. What PEFT writes is read here, and what is written here PEFT reads. The adapters themselves are layers
//! (`gradus_nn::layers::Lora`); they stay beside the weights until [`Transformer::merge_lora`] adds them.

use crate::{Error, Result};
use gradus_nn::families::transformer::{Family, Transformer};
use gradus_nn::layers::LoraConfig;
use gradus_package::safetensors::{read_safetensors, write_safetensors};
use gradus_package::write_atomic;
use gradus_tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The settings of an adapter.
pub const ADAPTER_CONFIG: &str = "adapter_config.json";
/// Its weights.
pub const ADAPTER_WEIGHTS: &str = "adapter_model.safetensors";

/// What PEFT puts in front of every name.
const PREFIX: &str = "base_model.model.";

/// The longest `adapter_config.json` that is read: a thousand times a real one.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// What adapters are made of and where they stand: `adapter_config.json`.
///
/// ```
/// use gradus_nn::layers::LoraConfig;
/// use gradus_train::lora::Adapter;
/// let adapter = Adapter::new(LoraConfig { rank: 16, alpha: 32.0, dropout: 0.0 }, vec!["q_proj".to_owned()]);
/// assert_eq!(adapter.config().scaling(), 2.0);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adapter {
    peft_type: String,
    #[serde(default)]
    task_type: Option<String>,
    #[serde(default)]
    base_model_name_or_path: Option<String>,
    r: usize,
    lora_alpha: f64,
    #[serde(default)]
    lora_dropout: f64,
    target_modules: Targets,
    #[serde(default = "no_bias")]
    bias: String,
    /// Whether the adapted modules hold their weights `[in, out]`, as GPT-2's do; adapters are the same either way.
    #[serde(default)]
    fan_in_fan_out: bool,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    use_dora: bool,
    #[serde(default)]
    modules_to_save: Option<Vec<String>>,
    #[serde(default)]
    rank_pattern: BTreeMap<String, usize>,
    #[serde(default)]
    alpha_pattern: BTreeMap<String, f64>,
    #[serde(default = "yes")]
    inference_mode: bool,
    #[serde(default = "initial", skip_deserializing)]
    init_lora_weights: bool,
}

fn no_bias() -> String {
    "none".to_owned()
}

fn yes() -> bool {
    true
}

fn initial() -> bool {
    true
}

/// PEFT's `target_modules`: the last parts of modules' paths, or a regular expression over whole paths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Targets {
    Names(Vec<String>),
    Pattern(String),
}

impl Adapter {
    /// Adapters of this make beside every module whose path ends in one of `targets`.
    pub fn new(config: LoraConfig, targets: Vec<String>) -> Adapter {
        Adapter {
            peft_type: "LORA".to_owned(),
            task_type: Some("CAUSAL_LM".to_owned()),
            base_model_name_or_path: None,
            r: config.rank,
            lora_alpha: config.alpha,
            lora_dropout: config.dropout,
            target_modules: Targets::Names(targets),
            bias: no_bias(),
            fan_in_fan_out: false,
            use_rslora: false,
            use_dora: false,
            modules_to_save: None,
            rank_pattern: BTreeMap::new(),
            alpha_pattern: BTreeMap::new(),
            inference_mode: true,
            init_lora_weights: true,
        }
    }

    /// Rank, scale and dropout.
    pub fn config(&self) -> LoraConfig {
        LoraConfig {
            rank: self.r,
            alpha: self.lora_alpha,
            dropout: self.lora_dropout,
        }
    }

    /// Writes the adapters of `model`, made by [`Transformer::add_lora`] with this configuration, to a folder that PEFT
    /// reads. `base` is what PEFT is told the adapted model is called.
    ///
    /// # Errors
    /// [`Error::Package`] from the system; [`Error::Adapter`] when the model has no adapters.
    pub fn save(&self, model: &Transformer, base: Option<&str>, folder: &Path) -> Result<()> {
        let state = model.lora_state();
        if state.is_empty() {
            return Err(refuse(folder, "the model has no adapters to save"));
        }
        std::fs::create_dir_all(folder).map_err(|source| Error::AdapterFile {
            path: folder.to_owned(),
            source,
        })?;
        let named: Vec<(String, Tensor)> = state
            .into_iter()
            .map(|(name, tensor)| (format!("{PREFIX}{name}"), tensor))
            .collect();
        let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        write_safetensors(&folder.join(ADAPTER_WEIGHTS), &named, &metadata)?;
        let config = Adapter {
            base_model_name_or_path: base.map(str::to_owned),
            fan_in_fan_out: model.config().family == Family::Gpt2,
            ..self.clone()
        };
        let json = serde_json::to_vec_pretty(&config).expect("bug: an adapter's config is plain data");
        Ok(write_atomic(&folder.join(ADAPTER_CONFIG), &json)?)
    }

    /// Puts the adapters of a folder beside the weights of `model`, unmerged, and freezes all other parameters.
    /// [`Transformer::merge_lora`] then adds them.
    ///
    /// # Errors
    /// [`Error::Adapter`] for kinds of adapters that there are none of here (DoRA, rank patterns, trained biases and the
    /// like), [`Error::Nn`] with every tensor that does not fit the model, [`Error::Package`] and
    /// [`Error::AdapterFile`] for files that cannot be read.
    pub fn load(model: &Transformer, folder: &Path) -> Result<Adapter> {
        let adapter = read_config(&folder.join(ADAPTER_CONFIG))?;
        adapter.check(folder)?;
        let file = read_safetensors(&folder.join(ADAPTER_WEIGHTS))?;
        let state: Vec<(String, Tensor)> = file
            .tensors
            .into_iter()
            .map(|(name, tensor)| {
                Ok((
                    name.strip_prefix(PREFIX).unwrap_or(&name).to_owned(),
                    tensor.to_dtype(gradus_tensor::DType::F32)?,
                ))
            })
            .collect::<Result<_>>()?;
        // The seed does not matter: every value is loaded over.
        model.add_lora(&adapter.config(), &targets(&state), 0)?;
        model.load_lora(&state)?;
        Ok(adapter)
    }

    fn check(&self, folder: &Path) -> Result<()> {
        let problems = [
            (self.peft_type != "LORA", "its peft_type is not LORA"),
            (self.bias != "none", "it trains biases"),
            (self.use_dora, "it uses DoRA"),
            (self.use_rslora, "it uses rank-stabilised scaling (use_rslora)"),
            (
                !self.rank_pattern.is_empty(),
                "its ranks differ by module (rank_pattern)",
            ),
            (
                !self.alpha_pattern.is_empty(),
                "its scales differ by module (alpha_pattern)",
            ),
            (
                self.modules_to_save
                    .as_ref()
                    .is_some_and(|modules| !modules.is_empty()),
                "it replaces whole modules (modules_to_save)",
            ),
        ];
        match problems.into_iter().find(|(found, _)| *found) {
            Some((_, problem)) => Err(refuse(folder, problem)),
            None => Ok(()),
        }
    }
}

fn refuse(folder: &Path, problem: &'static str) -> Error {
    Error::Adapter {
        path: folder.to_owned(),
        problem,
    }
}

fn read_config(path: &Path) -> Result<Adapter> {
    use std::io::Read;
    let failed = |source| Error::AdapterFile {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_CONFIG_BYTES)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    serde_json::from_slice(&bytes).map_err(|source| failed(source.into()))
}

/// The last parts of the paths of all adapted modules: `model.layers.0.self_attn.q_proj.lora_A.weight` is of `q_proj`.
fn targets(state: &[(String, Tensor)]) -> Vec<String> {
    let modules = state
        .iter()
        .filter_map(|(name, _)| name.split(".lora_").next()?.rsplit('.').next());
    let unique: std::collections::BTreeSet<&str> = modules.collect();
    unique.into_iter().map(str::to_owned).collect()
}
