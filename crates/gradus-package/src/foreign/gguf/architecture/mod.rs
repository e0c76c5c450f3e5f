//! The architectures that both GGUF and gradus's families know, and how each side names their tensors.
//!
//! The tables are read in both directions. Names stand without `.weight` and `.bias`, which both sides share, and with
//! `{}` for the number of the layer. Source: `gguf-py/gguf/tensor_mapping.py` and `conversion/` of llama.cpp.

mod config;
mod names;
mod rope;

pub(super) use config::{Known, config};
pub(super) use rope::{FREQUENCY_TENSORS, Factors, LONG_FACTORS, ROPE_FREQS, SHORT_FACTORS, llama3_factors};

use crate::foreign::gguf::GgufProblem;

/// One architecture.
#[derive(Debug)]
pub(super) struct Architecture {
    /// `general.architecture`.
    pub(super) name: &'static str,
    /// `model_type` of a config made from a file.
    pub(super) model_type: &'static str,
    /// The class in `transformers`.
    pub(super) class: &'static str,
    pub(super) family: Family,
    pub(super) names: &'static [Name],
}

/// Architectures whose configs are made alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Gpt2,
    Llama,
    Qwen2,
    Qwen3,
    Gemma2,
    Gemma3,
    Bert,
}

/// One tensor, or one of each layer.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) gguf: &'static str,
    pub(super) hugging_face: &'static str,
    pub(super) layout: Layout,
}

/// How the two sides lay out a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Alike.
    Same,
    /// The rows of each query head: GGUF has the two halves of a rotated pair beside each other.
    QueryRows,
    /// As before, for key heads.
    KeyRows,
    /// GPT-2 in `transformers` stores `[in, out]`.
    Transposed,
    /// Gemma in `transformers` stores a gain without the 1 that the model adds to it.
    Gain,
}

pub(super) const ARCHITECTURES: [Architecture; 7] = [
    Architecture {
        name: "llama",
        model_type: "llama",
        class: "LlamaForCausalLM",
        family: Family::Llama,
        names: &names::LLAMA,
    },
    Architecture {
        name: "qwen2",
        model_type: "qwen2",
        class: "Qwen2ForCausalLM",
        family: Family::Qwen2,
        names: &names::QWEN,
    },
    Architecture {
        name: "qwen3",
        model_type: "qwen3",
        class: "Qwen3ForCausalLM",
        family: Family::Qwen3,
        names: &names::QWEN,
    },
    Architecture {
        name: "gpt2",
        model_type: "gpt2",
        class: "GPT2LMHeadModel",
        family: Family::Gpt2,
        names: &names::GPT2,
    },
    Architecture {
        name: "gemma2",
        model_type: "gemma2",
        class: "Gemma2ForCausalLM",
        family: Family::Gemma2,
        names: &names::GEMMA,
    },
    Architecture {
        name: "gemma3",
        model_type: "gemma3_text",
        class: "Gemma3ForCausalLM",
        family: Family::Gemma3,
        names: &names::GEMMA,
    },
    Architecture {
        name: "bert",
        model_type: "bert",
        class: "BertModel",
        family: Family::Bert,
        names: &names::BERT,
    },
];

impl Architecture {
    /// The architecture that a file names.
    pub(super) fn of_file(name: &str) -> Result<&'static Architecture, GgufProblem> {
        let found = ARCHITECTURES.iter().find(|known| known.name == name);
        found.ok_or_else(|| GgufProblem::Architecture {
            architecture: name.to_owned(),
            known: ARCHITECTURES.iter().map(|known| known.name).collect(),
        })
    }

    /// The architecture that a config's `model_type` names: Mistral is a llama with a window.
    pub(super) fn of_config(model_type: &str) -> Result<&'static Architecture, GgufProblem> {
        let model_type = if model_type == "mistral" {
            "llama"
        } else {
            model_type
        };
        let found = ARCHITECTURES.iter().find(|known| known.model_type == model_type);
        found.ok_or_else(|| GgufProblem::Architecture {
            architecture: model_type.to_owned(),
            known: ARCHITECTURES.iter().map(|known| known.model_type).collect(),
        })
    }

    /// What a tensor of a file is called in `transformers`, and how it is laid out there.
    pub(super) fn to_hugging_face(&self, gguf: &str) -> Option<(String, Layout)> {
        self.names.iter().find_map(|name| {
            let translated = translate(gguf, name.gguf, name.hugging_face)?;
            Some((translated, name.layout))
        })
    }

    /// What a tensor of `transformers` is called in a file, and how it is laid out here.
    pub(super) fn to_gguf(&self, hugging_face: &str) -> Option<(String, Layout)> {
        self.names.iter().find_map(|name| {
            let translated = translate(hugging_face, name.hugging_face, name.gguf)?;
            Some((translated, name.layout))
        })
    }
}

/// `name` in the other pattern, if it fits the first: the same number stands for `{}` and the same ending follows.
fn translate(name: &str, from: &str, to: &str) -> Option<String> {
    let (stem, ending) = split_ending(name)?;
    match from.split_once("{}") {
        None => (stem == from).then(|| format!("{to}{ending}")),
        Some((head, tail)) => {
            let number = stem.strip_prefix(head)?.strip_suffix(tail)?;
            let plain =
                number.len() <= 4 && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| format!("{}{ending}", to.replace("{}", number)))
        }
    }
}

fn split_ending(name: &str) -> Option<(&str, &str)> {
    let stem = name
        .strip_suffix(".weight")
        .or_else(|| name.strip_suffix(".bias"))?;
    Some((stem, &name[stem.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_there_and_back() {
        for architecture in &ARCHITECTURES {
            for name in architecture.names {
                let gguf = format!("{}.weight", name.gguf.replace("{}", "17"));
                let (there, layout) = architecture.to_hugging_face(&gguf).unwrap();
                assert_eq!(
                    architecture.to_gguf(&there),
                    Some((gguf, layout)),
                    "{}",
                    architecture.name
                );
            }
        }
        let llama = Architecture::of_file("llama").unwrap();
        assert_eq!(
            llama.to_hugging_face("blk.3.attn_q.bias"),
            Some((
                "model.layers.3.self_attn.q_proj.bias".to_owned(),
                Layout::QueryRows
            ))
        );
        for strange in [
            "blk.x.attn_q.weight",
            "blk..attn_q.weight",
            "blk.0.attn_q",
            "blk.0.attn_qkv.weight",
        ] {
            assert_eq!(llama.to_hugging_face(strange), None, "{strange}");
        }
        assert!(Architecture::of_file("mamba").is_err());
        assert_eq!(Architecture::of_config("mistral").unwrap().name, "llama");
    }
}
