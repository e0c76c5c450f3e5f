//! How text is split before the merges, by the names that llama.cpp gives the ways. A table.
//!
//! The patterns are those of the models' own `tokenizer.json` files, which llama.cpp quotes beside its adapted ones
//! (`src/llama-vocab.cpp`).

use serde_json::{Value, json};

use crate::foreign::tokenizer_json::{byte_level, sequence};

/// The way of one or more `tokenizer.ggml.pre`.
#[derive(Debug)]
pub(in crate::foreign::gguf) struct PreTokenizer {
    /// What files call it; the first is written.
    pub(in crate::foreign::gguf) names: &'static [&'static str],
    split: Split,
    /// Whether the text is brought to Unicode's composed form first.
    normalizes: bool,
    /// Whether a word that is a token is taken as it is.
    pub(super) ignores_merges: bool,
    /// Whether llama.cpp puts the first token before a text if the file does not say.
    pub(super) adds_bos: bool,
}

#[derive(Debug)]
enum Split {
    /// GPT-2's own.
    Gpt2,
    /// Single digits first, then as GPT-2.
    Digits,
    /// One pattern after the other.
    Patterns(&'static [&'static str]),
}

const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const DEEPSEEK3: [&str; 3] = [
    r"\p{N}{1,3}",
    r"[一-龥぀-ゟ゠-ヿ]+",
    r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##,
];
/// What llama.cpp does where a file names no way.
const DEFAULT: [&str; 4] = [
    r"[\p{P}\$\+<=>\^~\|]+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
    r"\p{N}+",
    r"[0-9][0-9][0-9]",
];

pub(in crate::foreign::gguf) const PRE_TOKENIZERS: [PreTokenizer; 9] = [
    PreTokenizer {
        names: &[
            "gpt-2",
            "phi-2",
            "mpt",
            "olmo",
            "jais",
            "trillion",
            "granite-docling",
            "exaone4",
            "mellum",
        ],
        split: Split::Gpt2,
        normalizes: false,
        ignores_merges: false,
        adds_bos: false,
    },
    PreTokenizer {
        names: &[
            "smollm",
            "starcoder",
            "refact",
            "codeshell",
            "exaone",
            "minerva-7b",
        ],
        split: Split::Digits,
        normalizes: false,
        ignores_merges: false,
        adds_bos: false,
    },
    PreTokenizer {
        names: &["command-r"],
        split: Split::Digits,
        normalizes: true,
        ignores_merges: false,
        adds_bos: false,
    },
    PreTokenizer {
        names: &[
            "llama-bpe",
            "llama3",
            "llama-v3",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
        ],
        split: Split::Patterns(&[LLAMA3]),
        normalizes: false,
        ignores_merges: true,
        adds_bos: true,
    },
    PreTokenizer {
        names: &["dbrx", "smaug-bpe", "chatglm-bpe"],
        split: Split::Patterns(&[LLAMA3]),
        normalizes: false,
        ignores_merges: false,
        adds_bos: false,
    },
    PreTokenizer {
        names: &["qwen2", "deepseek-r1-qwen", "megrez", "stablelm2", "kormo"],
        split: Split::Patterns(&[QWEN2]),
        normalizes: true,
        ignores_merges: false,
        adds_bos: false,
    },
    PreTokenizer {
        names: &["tekken"],
        split: Split::Patterns(&[TEKKEN]),
        normalizes: false,
        ignores_merges: true,
        adds_bos: true,
    },
    PreTokenizer {
        names: &["gpt-4o", "llama4", "kanana2"],
        split: Split::Patterns(&[GPT4O]),
        normalizes: false,
        ignores_merges: false,
        adds_bos: false,
    },
    PreTokenizer {
        names: &["deepseek-v3", "hunyuan-dense", "joyai-llm"],
        split: Split::Patterns(&DEEPSEEK3),
        normalizes: false,
        ignores_merges: false,
        adds_bos: false,
    },
];

const BY_DEFAULT: PreTokenizer = PreTokenizer {
    names: &["default"],
    split: Split::Patterns(&DEFAULT),
    normalizes: false,
    ignores_merges: false,
    adds_bos: false,
};

/// The way of that name.
pub(super) fn find(name: &str) -> Option<&'static PreTokenizer> {
    if BY_DEFAULT.names.contains(&name) {
        return Some(&BY_DEFAULT);
    }
    PRE_TOKENIZERS.iter().find(|known| known.names.contains(&name))
}

impl PreTokenizer {
    /// What `tokenizer.json` has as its normalizer.
    pub(in crate::foreign::gguf) fn normalizer(&self) -> Option<Value> {
        self.normalizes.then(|| json!({ "type": "NFC" }))
    }

    /// What `tokenizer.json` has as its pre-tokenizer.
    pub(in crate::foreign::gguf) fn pre_tokenizer(&self) -> Value {
        match &self.split {
            Split::Gpt2 => byte_level(true),
            Split::Digits => sequence(
                "pretokenizers",
                vec![
                    json!({ "type": "Digits", "individual_digits": true }),
                    byte_level(true),
                ],
            ),
            Split::Patterns(patterns) => {
                let split = |pattern: &&str| json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
                let steps = patterns.iter().map(split).chain([byte_level(false)]);
                sequence("pretokenizers", steps.collect())
            }
        }
    }
}
