//! The `[data]` of a language model.

use crate::settings::Checks;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where the text lies, how much of it is held out, and how it becomes tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextDataConfig {
    /// Files and folders of text: `.txt` and `.md` files are documents, as are the lines of `.jsonl` and the rows of
    /// `.parquet` files. Relative paths start at the recipe's folder.
    pub text: Vec<PathBuf>,
    /// Held-out text. Default: `validation_fraction` of `text`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validation: Vec<PathBuf>,
    /// Share of the text that is held out, from 0 to below 1: the last bytes of text files, drawn lines and rows of
    /// others. Default 0.05; not with `validation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_fraction: Option<f64>,
    /// The field or column that holds the text of `.jsonl` and `.parquet` files. Default `text`.
    #[serde(default = "default_column")]
    pub text_column: String,
    /// `bpe` trains a byte-level byte-pair encoding on the text, `characters` takes its characters, anything else is a
    /// `tokenizer.json` or the folder of one. Default `bpe`.
    #[serde(default = "default_tokenizer")]
    pub tokenizer: String,
    /// Tokens of a trained byte-pair encoding, from 257. Default 4096.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocab_size: Option<usize>,
    /// Whether documents that share a row are kept from seeing each other. Default false, as GPT-2 was trained.
    #[serde(default)]
    pub separate_documents: bool,
    /// Draws the lines and rows that are held out. Default 0.
    #[serde(default)]
    pub seed: u64,
    /// The folder that tokens are kept in, to be shared by runs on the same text. Default: `tokens` in the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<PathBuf>,
}

fn default_column() -> String {
    "text".to_owned()
}

fn default_tokenizer() -> String {
    BPE.to_owned()
}

const BPE: &str = "bpe";
const CHARACTERS: &str = "characters";

/// How text becomes tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenizerChoice {
    /// A byte-pair encoding trained on the text, of at most so many tokens.
    Bpe(usize),
    /// The characters of the text.
    Characters,
    /// One that is there.
    File(PathBuf),
}

impl TextDataConfig {
    const DEFAULT_VALIDATION_FRACTION: f64 = 0.05;

    /// Small enough to learn quickly, large enough to halve a text's length three times over.
    const DEFAULT_VOCAB_SIZE: usize = 4096;

    /// All of `text` with the defaults.
    pub fn new(text: impl Into<PathBuf>) -> TextDataConfig {
        TextDataConfig {
            text: vec![text.into()],
            validation: Vec::new(),
            validation_fraction: None,
            text_column: default_column(),
            tokenizer: default_tokenizer(),
            vocab_size: None,
            separate_documents: false,
            seed: 0,
            tokens: None,
        }
    }

    /// The share of the text that is held out.
    pub fn held_out_fraction(&self) -> f64 {
        let default = match self.validation.is_empty() {
            true => TextDataConfig::DEFAULT_VALIDATION_FRACTION,
            false => 0.0,
        };
        self.validation_fraction.unwrap_or(default)
    }

    /// What `tokenizer` and `vocab_size` mean.
    pub fn tokenizer_choice(&self) -> TokenizerChoice {
        match self.tokenizer.as_str() {
            BPE => TokenizerChoice::Bpe(self.vocab_size.unwrap_or(TextDataConfig::DEFAULT_VOCAB_SIZE)),
            CHARACTERS => TokenizerChoice::Characters,
            path => TokenizerChoice::File(path.into()),
        }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        checks.require(!self.text.is_empty(), "text", "[]", "at least one file or folder");
        checks.below_one("validation_fraction", self.validation_fraction.unwrap_or(0.0));
        let both = !self.validation.is_empty() && self.validation_fraction.is_some_and(|share| share > 0.0);
        let share = self.validation_fraction.unwrap_or(0.0);
        checks.require(
            !both,
            "validation_fraction",
            share,
            "0 where `validation` names the text; keep one",
        );
        let is_bpe = self.tokenizer == BPE;
        if let Some(size) = self.vocab_size {
            checks.require(
                is_bpe,
                "vocab_size",
                size,
                "no value: only a trained `bpe` has a size to choose",
            );
        }
    }

    /// The same with paths that start at `folder`.
    pub(crate) fn located(&self, folder: &Path) -> TextDataConfig {
        let join = |paths: &[PathBuf]| paths.iter().map(|path| folder.join(path)).collect();
        TextDataConfig {
            text: join(&self.text),
            validation: join(&self.validation),
            tokenizer: match self.tokenizer_choice() {
                TokenizerChoice::File(path) => folder.join(path).display().to_string(),
                TokenizerChoice::Bpe(_) | TokenizerChoice::Characters => self.tokenizer.clone(),
            },
            tokens: self.tokens.as_ref().map(|path| folder.join(path)),
            ..self.clone()
        }
    }
}
