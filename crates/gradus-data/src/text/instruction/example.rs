//! One line of instruction data, in the forms that are in use.

use serde::Deserialize;

use crate::text::chat::{ChatExtra, ChatMessage};
use crate::text::error::{Result, TextError};

/// A conversation, and from where on its answers are learned.
#[derive(Clone, Debug)]
pub(super) struct Example {
    pub(super) messages: Vec<ChatMessage>,
    /// Answers before this message are context.
    pub(super) learned_from: usize,
    pub(super) extra: ChatExtra,
}

/// The fields of all forms. Others are ignored.
#[derive(Deserialize)]
struct Line {
    messages: Option<Vec<ChatMessage>>,
    conversations: Option<Vec<Turn>>,
    system: Option<String>,
    prompt: Option<Side>,
    completion: Option<Side>,
    instruction: Option<String>,
    input: Option<String>,
    output: Option<String>,
    response: Option<String>,
    tools: Option<Box<serde_json::value::RawValue>>,
}

/// A turn as ShareGPT writes it, or as a message.
#[derive(Deserialize)]
#[serde(untagged)]
enum Turn {
    Said { from: String, value: String },
    Message(ChatMessage),
}

/// A prompt or a completion: a text, or messages.
#[derive(Deserialize)]
#[serde(untagged)]
enum Side {
    Text(String),
    Messages(Vec<ChatMessage>),
}

impl Side {
    fn messages(self, role: &str) -> Vec<ChatMessage> {
        match self {
            Side::Text(text) => vec![ChatMessage::new(role, text)],
            Side::Messages(messages) => messages,
        }
    }
}

impl Example {
    /// Understands a line: `messages`, `conversations`, `prompt` and `completion`, or `instruction`, perhaps `input`,
    /// and `output` or `response`; in all of them perhaps `system` and `tools`.
    pub(super) fn parse(line: &[u8]) -> Result<Example> {
        let origin = || "the line".to_owned();
        let text = std::str::from_utf8(line).map_err(|_| TextError::NotUtf8 { origin: origin() })?;
        let line: Line = serde_json::from_str(text).map_err(|source| TextError::Json {
            origin: origin(),
            source,
        })?;
        let extra = match &line.tools {
            Some(tools) if tools.get() != "null" => ChatExtra::none().with_json("tools", tools.get())?,
            Some(_) | None => ChatExtra::none(),
        };
        let system = line.system.clone().filter(|text| !text.is_empty());
        let (mut messages, mut learned_from) = line.into_messages()?;
        let has_system = messages.first().is_some_and(|message| message.role() == "system");
        if let Some(system) = system.filter(|_| !has_system) {
            messages.insert(0, ChatMessage::new("system", system));
            learned_from += usize::from(learned_from > 0);
        }
        let mut answers = messages[learned_from.min(messages.len())..]
            .iter()
            .filter(|message| is_answer(message));
        if answers.next().is_none() {
            return Err(TextError::NoAnswer);
        }
        Ok(Example {
            messages,
            learned_from,
            extra,
        })
    }
}

impl Line {
    fn into_messages(self) -> Result<(Vec<ChatMessage>, usize)> {
        if let Some(messages) = self.messages {
            return Ok((messages, 0));
        }
        if let Some(turns) = self.conversations {
            let messages = turns.into_iter().map(|turn| match turn {
                Turn::Said { from, value } => Ok(ChatMessage::new(role_of(&from)?, value)),
                Turn::Message(message) => Ok(message),
            });
            return Ok((messages.collect::<Result<_>>()?, 0));
        }
        if let (Some(prompt), Some(completion)) = (self.prompt, self.completion) {
            let mut messages = prompt.messages("user");
            let learned_from = messages.len();
            messages.extend(completion.messages("assistant"));
            return Ok((messages, learned_from));
        }
        if let (Some(instruction), Some(answer)) = (self.instruction, self.output.or(self.response)) {
            let question = match self.input.filter(|input| !input.is_empty()) {
                Some(input) => format!("{instruction}\n\n{input}"),
                None => instruction,
            };
            return Ok((
                vec![
                    ChatMessage::new("user", question),
                    ChatMessage::new("assistant", answer),
                ],
                1,
            ));
        }
        Err(TextError::ExampleForm)
    }
}

/// Whether the model says it.
pub(super) fn is_answer(message: &ChatMessage) -> bool {
    message.role() == "assistant"
}

/// What ShareGPT calls a speaker, as templates do.
fn role_of(speaker: &str) -> Result<&'static str> {
    match speaker {
        "human" | "user" => Ok("user"),
        "gpt" | "assistant" | "model" | "chatgpt" | "bot" => Ok("assistant"),
        "system" => Ok("system"),
        "tool" | "function" | "observation" => Ok("tool"),
        other => Err(TextError::Speaker {
            found: other.chars().take(80).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(line: &str) -> (Vec<(String, String)>, usize) {
        let example = Example::parse(line.as_bytes()).unwrap();
        let messages = example
            .messages
            .iter()
            .map(|message| (message.role().to_owned(), message.content().to_owned()));
        (messages.collect(), example.learned_from)
    }

    fn said(turns: &[(&str, &str)]) -> Vec<(String, String)> {
        turns
            .iter()
            .map(|(role, content)| ((*role).to_owned(), (*content).to_owned()))
            .collect()
    }

    #[test]
    fn understands_the_forms_in_use() {
        for (line, turns, learned_from) in [
            (
                r#"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "id": 3}"#,
                &[("user", "a"), ("assistant", "b")][..],
                0,
            ),
            (
                r#"{"conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}"#,
                &[("system", "s"), ("user", "a"), ("assistant", "b")],
                0,
            ),
            (
                r#"{"conversations": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}"#,
                &[("user", "a"), ("assistant", "b")],
                0,
            ),
            (
                r#"{"prompt": "a", "completion": "b", "system": ""}"#,
                &[("user", "a"), ("assistant", "b")],
                1,
            ),
            (
                r#"{"prompt": "a", "completion": "b", "system": "s"}"#,
                &[("system", "s"), ("user", "a"), ("assistant", "b")],
                2,
            ),
            (
                r#"{"prompt": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}], "completion": [{"role": "assistant", "content": "d"}]}"#,
                &[
                    ("user", "a"),
                    ("assistant", "b"),
                    ("user", "c"),
                    ("assistant", "d"),
                ],
                3,
            ),
            (
                r#"{"instruction": "a", "input": "", "output": "b"}"#,
                &[("user", "a"), ("assistant", "b")],
                1,
            ),
            (
                r#"{"instruction": "a", "input": "i", "response": "b", "tools": null}"#,
                &[("user", "a\n\ni"), ("assistant", "b")],
                1,
            ),
        ] {
            assert_eq!(roles(line), (said(turns), learned_from), "{line}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_line() {
        let error = |line: &str| Example::parse(line.as_bytes()).unwrap_err();
        for line in [
            "{",
            "[1]",
            "3",
            r#"{"prompt": 3, "completion": "b"}"#,
            r#"{"messages": "x"}"#,
            r#"{"messages": [{"content": "x"}]}"#,
        ] {
            assert!(matches!(error(line), TextError::Json { .. }), "{line}");
        }
        for line in [
            "{}",
            r#"{"prompt": "a"}"#,
            r#"{"text": "a"}"#,
            r#"{"messages": null}"#,
        ] {
            assert!(matches!(error(line), TextError::ExampleForm), "{line}");
        }
        assert!(matches!(error(r#"{"messages": []}"#), TextError::NoAnswer));
        assert!(matches!(
            error(r#"{"messages": [{"role": "user", "content": "x"}]}"#),
            TextError::NoAnswer
        ));
        assert!(
            matches!(error(r#"{"conversations": [{"from": "alien", "value": "x"}]}"#), TextError::Speaker { found } if found == "alien")
        );
        assert!(matches!(
            Example::parse(b"{\"prompt\": \"\xff\"}").unwrap_err(),
            TextError::NotUtf8 { .. }
        ));
    }
}
