//! One turn of a conversation, and what else a template may be told.

use minijinja::Value;
use minijinja::value::ValueKind;
use serde::{Deserialize, Deserializer};

use crate::text::error::{Result, TextError};

/// One message: a role, a content, and whatever else a template may look at (`tool_calls`, `reasoning_content`, …).
#[derive(Clone, Debug)]
pub struct ChatMessage {
    role: String,
    content: String,
    value: Value,
}

impl ChatMessage {
    /// A message of a role (`system`, `user`, `assistant`, …).
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> ChatMessage {
        let (role, content) = (role.into(), content.into());
        let value = Value::from_pairs([("role", role.as_str()), ("content", content.as_str())]);
        ChatMessage { role, content, value }
    }

    /// A message from a JSON object with a text `role`; other fields go to the template as they are, and those that
    /// are null are left out, as `transformers` does.
    ///
    /// # Errors
    /// [`TextError::Json`] for text that is no JSON, [`TextError::Message`] for JSON that is no message.
    pub fn from_json(text: &str) -> Result<ChatMessage> {
        let value: Value = serde_json::from_str(text).map_err(|source| TextError::Json {
            origin: "the message".to_owned(),
            source,
        })?;
        ChatMessage::from_value(&value)
    }

    /// As [`from_json`](Self::from_json), of what was parsed already.
    pub(crate) fn from_value(value: &Value) -> Result<ChatMessage> {
        let refuse = || TextError::Message {
            found: describe(value),
        };
        if value.kind() != ValueKind::Map {
            return Err(refuse());
        }
        let mut fields = Vec::new();
        for key in value.try_iter().map_err(|_| refuse())? {
            let field = value.get_item(&key).map_err(|_| refuse())?;
            if !field.is_none() {
                fields.push((key, field));
            }
        }
        let field = |name: &str| {
            fields
                .iter()
                .find(|(key, _)| key.as_str() == Some(name))
                .map(|(_, field)| field)
        };
        let role = field("role")
            .and_then(Value::as_str)
            .ok_or_else(refuse)?
            .to_owned();
        let content = field("content").map_or(String::new(), text_of);
        Ok(ChatMessage {
            role,
            content,
            value: Value::from_pairs(fields),
        })
    }

    /// Who speaks.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// What is said: the content, or of a content in parts those that are text, one after the other.
    pub fn content(&self) -> &str {
        &self.content
    }

    /// As the template sees it.
    pub(crate) fn value(&self) -> Value {
        self.value.clone()
    }
}

impl<'de> Deserialize<'de> for ChatMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<ChatMessage, D::Error> {
        let value = Value::deserialize(deserializer)?;
        ChatMessage::from_value(&value).map_err(serde::de::Error::custom)
    }
}

fn text_of(content: &Value) -> String {
    if let Some(text) = content.as_str() {
        return text.to_owned();
    }
    let parts = content.try_iter().into_iter().flatten();
    parts
        .filter_map(|part| part.get_attr("text").ok()?.as_str().map(str::to_owned))
        .collect()
}

/// Enough of a value for a person to find it.
fn describe(value: &Value) -> String {
    const SHOWN: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// What a template is told besides the messages: `tools`, `documents`, `enable_thinking`, `date_string`, ….
#[derive(Clone, Debug, Default)]
pub struct ChatExtra {
    values: Vec<(String, Value)>,
}

impl ChatExtra {
    /// Nothing.
    pub fn none() -> ChatExtra {
        ChatExtra::default()
    }

    /// Adds a variable that is true or false.
    pub fn with_flag(mut self, name: impl Into<String>, flag: bool) -> ChatExtra {
        self.values.push((name.into(), Value::from(flag)));
        self
    }

    /// Adds a variable that is a text.
    pub fn with_text(mut self, name: impl Into<String>, text: &str) -> ChatExtra {
        self.values.push((name.into(), Value::from(text)));
        self
    }

    /// Adds a variable from JSON; objects keep the order of their keys.
    ///
    /// # Errors
    /// [`TextError::Json`] when `text` is not JSON.
    pub fn with_json(mut self, name: impl Into<String>, text: &str) -> Result<ChatExtra> {
        let name = name.into();
        let value = serde_json::from_str(text).map_err(|source| TextError::Json {
            origin: format!("`{name}`"),
            source,
        })?;
        self.values.push((name, value));
        Ok(self)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = (&str, Value)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
    }
}
