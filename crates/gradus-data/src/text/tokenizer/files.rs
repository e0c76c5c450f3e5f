//! The files of a tokenizer: read from a folder, written to one.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

use super::Tokenizer;
use crate::limits::{MAX_TEMPLATE_BYTES, MAX_TOKENIZER_BYTES};
use crate::text::error::{Result, TextError};

/// The vocabulary and all that turns text into ids.
pub(super) const TOKENIZER: &str = "tokenizer.json";
/// What the special tokens are for, and the chat template.
pub(super) const CONFIG: &str = "tokenizer_config.json";
/// Older models name their special tokens here.
const SPECIAL: &str = "special_tokens_map.json";
/// Where newer models keep the chat template.
const TEMPLATE: &str = "chat_template.jinja";

impl Tokenizer {
    /// Reads a tokenizer from a model's folder, or from its `tokenizer.json`; what lies beside that is read too:
    /// `tokenizer_config.json`, `special_tokens_map.json`, `chat_template.jinja`.
    ///
    /// # Errors
    /// When a file cannot be read, is damaged, too large, or contradicts the others; see [`TextError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Tokenizer> {
        let path = path.as_ref();
        let json_path = if path.is_dir() {
            path.join(TOKENIZER)
        } else {
            path.to_owned()
        };
        let folder = json_path.parent().unwrap_or(Path::new(""));
        let json = read(&json_path, MAX_TOKENIZER_BYTES)?;
        let mut config = read_object(&folder.join(SPECIAL))?;
        config.retain(|name, _| name.ends_with("_token"));
        config.extend(read_object(&folder.join(CONFIG))?);
        let template_path = folder.join(TEMPLATE);
        let template = match template_path.is_file() {
            true => Some(text_of(
                &template_path,
                read(&template_path, MAX_TEMPLATE_BYTES as u64)?,
            )?),
            false => template_in(&config)?,
        };
        Tokenizer::assemble(json, config, template.as_deref())
    }

    /// Writes `tokenizer.json` and `tokenizer_config.json` to a folder that exists, so that `transformers`'
    /// `AutoTokenizer` and [`Tokenizer::open`] read them.
    ///
    /// # Errors
    /// [`TextError::Io`] when the system refuses.
    pub fn save(&self, folder: &Path) -> Result<()> {
        for (name, bytes) in self.files() {
            let path = folder.join(name);
            fs::write(&path, bytes).map_err(TextError::io("write", &path))?;
        }
        Ok(())
    }

    /// The files that [`save`](Self::save) writes: their names and contents.
    pub fn files(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut config = self.inner.config.clone();
        if let Some(template) = &self.inner.chat_template {
            config.insert("chat_template".to_owned(), template.source().into());
        }
        let config = serde_json::to_vec_pretty(&config).expect("a JSON object can be written");
        vec![(TOKENIZER, self.inner.json.clone()), (CONFIG, config)]
    }

    /// The tokenizer with another chat template.
    ///
    /// # Errors
    /// [`TextError::Template`] when `source` is no template, [`TextError::TemplateTooLarge`].
    pub fn with_chat_template(&self, source: &str) -> Result<Tokenizer> {
        Tokenizer::assemble(self.inner.json.clone(), self.inner.config.clone(), Some(source))
    }
}

/// The template in a configuration: a text, or the one called `default` of a list.
pub(super) fn template_in(config: &Map<String, Value>) -> Result<Option<String>> {
    let template = match config.get("chat_template") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => Some(text.as_str()),
        Some(Value::Array(templates)) => templates
            .iter()
            .find(|template| template.get("name").and_then(Value::as_str) == Some("default"))
            .and_then(|template| template.get("template")?.as_str()),
        Some(_) => None,
    };
    let origin = || CONFIG.to_owned();
    template
        .map(|text| Some(text.to_owned()))
        .ok_or_else(|| TextError::TemplateForm { origin: origin() })
}

/// A JSON object in a file; an empty one where there is no file.
fn read_object(path: &Path) -> Result<Map<String, Value>> {
    if !path.is_file() {
        return Ok(Map::new());
    }
    let bytes = read(path, MAX_TOKENIZER_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|source| TextError::Json {
        origin: path.display().to_string(),
        source,
    })
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    // Looked at before it is opened: opening a pipe waits for whoever writes to it.
    let metadata = fs::metadata(path).map_err(TextError::io("read", path))?;
    if !metadata.is_file() {
        return Err(TextError::io("read", path)(std::io::Error::other(
            "it is no regular file",
        )));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(TextError::io("read", path))?;
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(TextError::io("read", path))?;
    if bytes.len() as u64 > limit {
        let bytes = metadata.len().max(bytes.len() as u64);
        return Err(TextError::FileTooLarge {
            path: path.to_owned(),
            bytes,
            limit,
        });
    }
    Ok(bytes)
}

fn text_of(path: &Path, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| TextError::NotUtf8 {
        origin: path.display().to_string(),
    })
}
