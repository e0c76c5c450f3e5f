//! One line of a task.

use serde_json::{Map, Value};

use crate::{Error, Result};

/// The names under which a question, its right choice, and the answer to be written are found.
const QUERY: [&str; 5] = ["query", "question", "context", "prompt", "input"];
const GOLD: [&str; 4] = ["gold", "label", "answer", "answerKey"];
const TARGET: [&str; 5] = ["target", "targets", "answer", "answers", "output"];
const STOP: [&str; 2] = ["stop", "until"];
const MAX_TOKENS: [&str; 2] = ["max_tokens", "max_gen_toks"];

/// The most choices of one question, and the most answers that count as right.
const MAX_LIST: usize = 1024;

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// Which of several continuations is likeliest.
    Choice {
        /// What stands before them.
        query: String,
        /// The continuations.
        choices: Vec<String>,
        /// Which are right, at least one.
        gold: Vec<usize>,
    },
    /// What the model writes.
    Generation {
        /// What stands before it.
        query: String,
        /// Answers that are right, at least one.
        targets: Vec<String>,
        /// Texts that end the answer, instead of the run's.
        stop: Option<Vec<String>>,
        /// The longest answer in tokens, instead of the run's.
        max_tokens: Option<usize>,
    },
    /// How well the model predicts a text.
    Text {
        /// The text.
        text: String,
    },
}

/// A question and the line it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What is asked.
    pub question: Question,
    /// All fields of the line, those that are not used too.
    pub fields: Map<String, Value>,
}

impl Document {
    /// Understands a line: `choices` make it a multiple choice, else a `target` a text to be written, else a `text` one to be
    /// predicted. A question may be called `query`, `question`, `context`, `prompt` or `input`; the right choice `gold`,
    /// `label`, `answer` or `answerKey`, and be its place from 0, the choice itself, or its letter; what is to be written
    /// `target`, `answer` or `output`, one text or several.
    ///
    /// # Errors
    /// [`Error::TaskJson`] for a line that is no JSON object, [`Error::TaskField`] for the first field that cannot be used,
    /// [`Error::TaskForm`] when there is nothing to ask, [`Error::TaskFields`] for two names of the same thing.
    pub fn parse(line: &str) -> Result<Document> {
        let fields: Map<String, Value> =
            serde_json::from_str(line).map_err(|source| Error::TaskJson { source })?;
        let question = if fields.contains_key("choices") {
            choice(&fields)?
        } else if let Some((name, value)) = one_of(&fields, &TARGET)? {
            Question::Generation {
                query: query(&fields)?,
                targets: texts(name, value)?,
                stop: one_of(&fields, &STOP)?
                    .map(|(name, value)| texts(name, value))
                    .transpose()?,
                max_tokens: one_of(&fields, &MAX_TOKENS)?
                    .map(|(name, value)| positive(name, value))
                    .transpose()?,
            }
        } else if let Some(value) = fields.get("text") {
            Question::Text {
                text: not_empty("text", value)?,
            }
        } else {
            return Err(Error::TaskForm);
        };
        Ok(Document { question, fields })
    }
}

fn choice(fields: &Map<String, Value>) -> Result<Question> {
    let value = &fields["choices"];
    // ARC's shape: texts, and the names they go by.
    let (value, labels) = match value {
        Value::Object(parts) => (
            parts.get("text").unwrap_or(value),
            parts
                .get("label")
                .map(|labels| texts("choices.label", labels))
                .transpose()?,
        ),
        _ => (value, None),
    };
    let Value::Array(_) = value else {
        return Err(wrong("choices", value, "a list of texts"));
    };
    let choices = texts("choices", value)?;
    let labels = labels.unwrap_or_else(|| (0..choices.len()).filter_map(letter).collect());
    let Some((name, value)) = one_of(fields, &GOLD)? else {
        return Err(Error::TaskField {
            field: GOLD[0].to_owned(),
            found: "missing".to_owned(),
            expected: "the place of the right choice, from 0",
        });
    };
    let places = match value {
        Value::Array(places) if !places.is_empty() && places.len() <= MAX_LIST => places.as_slice(),
        single => std::slice::from_ref(single),
    };
    let place = |value: &Value| {
        let found = match value {
            Value::Number(place) => place.as_u64().and_then(|place| usize::try_from(place).ok()),
            Value::String(text) => {
                let named = |names: &[String]| names.iter().position(|name| name == text);
                named(&choices).or_else(|| named(&labels))
            }
            _ => None,
        };
        found.filter(|&place| place < choices.len()).ok_or_else(|| {
            wrong(
                name,
                value,
                "the place of one of the choices from 0, its text, or its letter",
            )
        })
    };
    let gold = places.iter().map(place).collect::<Result<_>>()?;
    Ok(Question::Choice {
        query: query(fields)?,
        choices,
        gold,
    })
}

/// `A` for 0 and so on, as far as there are letters.
fn letter(place: usize) -> Option<String> {
    let place = u8::try_from(place).ok().filter(|&place| place < 26)?;
    Some(char::from(b'A' + place).to_string())
}

fn query(fields: &Map<String, Value>) -> Result<String> {
    match one_of(fields, &QUERY)? {
        Some((_, Value::String(text))) => Ok(text.clone()),
        Some((name, value)) => Err(wrong(name, value, "a text")),
        None => Err(Error::TaskField {
            field: QUERY[0].to_owned(),
            found: "missing".to_owned(),
            expected: "a text; it may also be called question, context, prompt or input",
        }),
    }
}

/// The field that goes by one of these names. `null` is no value.
fn one_of<'a>(
    fields: &'a Map<String, Value>,
    names: &'static [&'static str],
) -> Result<Option<(&'static str, &'a Value)>> {
    let mut found = names.iter().filter_map(|&name| {
        let value = fields.get(name)?;
        (!value.is_null()).then_some((name, value))
    });
    let first = found.next();
    match (first, found.next()) {
        (Some((first, _)), Some((second, _))) => Err(Error::TaskFields { first, second }),
        (_, None) | (None, Some(_)) => Ok(first),
    }
}

/// A text or a list of texts, none of them empty.
fn texts(field: &str, value: &Value) -> Result<Vec<String>> {
    match value {
        Value::String(_) => Ok(vec![not_empty(field, value)?]),
        Value::Array(list) if (1..=MAX_LIST).contains(&list.len()) => {
            let named = |(place, value)| not_empty(&format!("{field}[{place}]"), value);
            list.iter().enumerate().map(named).collect()
        }
        _ => Err(wrong(field, value, "a text or a list of 1 to 1024 texts")),
    }
}

fn not_empty(field: &str, value: &Value) -> Result<String> {
    match value {
        Value::String(text) if !text.is_empty() => Ok(text.clone()),
        _ => Err(wrong(field, value, "a text that is not empty")),
    }
}

fn positive(field: &str, value: &Value) -> Result<usize> {
    let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
    number
        .filter(|&number| number > 0)
        .ok_or_else(|| wrong(field, value, "a whole number from 1"))
}

fn wrong(field: &str, value: &Value, expected: &'static str) -> Error {
    let found = match value {
        Value::Null => "null".to_owned(),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        short => short.to_string().chars().take(80).collect(),
    };
    Error::TaskField {
        field: field.to_owned(),
        found,
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(line: &str) -> Question {
        Document::parse(line).unwrap().question
    }

    #[test]
    fn understands_the_names_in_use() {
        let expected = Question::Choice {
            query: "q".into(),
            choices: vec!["x".into(), "y".into()],
            gold: vec![1],
        };
        for line in [
            r#"{"query": "q", "choices": ["x", "y"], "gold": 1, "extra": {}}"#,
            r#"{"question": "q", "choices": ["x", "y"], "label": 1}"#,
            r#"{"context": "q", "choices": ["x", "y"], "answer": "y"}"#,
            r#"{"prompt": "q", "choices": ["x", "y"], "gold": [1], "answer": null}"#,
            r#"{"question": "q", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answerKey": "2"}"#,
            r#"{"input": "q", "choices": ["x", "y"], "answer": "B"}"#,
        ] {
            assert_eq!(question(line), expected, "{line}");
        }
        let expected = Question::Generation {
            query: "q".into(),
            targets: vec!["x".into(), "y".into()],
            stop: Some(vec!["\n".into()]),
            max_tokens: Some(5),
        };
        for line in [
            r#"{"query": "q", "target": ["x", "y"], "stop": "\n", "max_tokens": 5}"#,
            r#"{"question": "q", "answers": ["x", "y"], "until": ["\n"], "max_gen_toks": 5, "text": "t"}"#,
        ] {
            assert_eq!(question(line), expected, "{line}");
        }
        let text = Question::Text { text: "t".into() };
        assert_eq!(question(r#"{"text": "t", "meta": 1}"#), text);
    }

    #[test]
    fn says_which_field_is_wrong() {
        for (line, name) in [
            (r#"{"choices": ["x"], "gold": 0}"#, "query"),
            (r#"{"query": 3, "choices": ["x"], "gold": 0}"#, "query"),
            (r#"{"query": "q", "choices": [], "gold": 0}"#, "choices"),
            (r#"{"query": "q", "choices": "x", "gold": 0}"#, "choices"),
            (r#"{"query": "q", "choices": {}, "gold": 0}"#, "choices"),
            (r#"{"query": "q", "choices": ["x", ""], "gold": 0}"#, "choices[1]"),
            (r#"{"query": "q", "choices": ["x", 2], "gold": 0}"#, "choices[1]"),
            (r#"{"query": "q", "choices": ["x"]}"#, "gold"),
            (r#"{"query": "q", "choices": ["x"], "gold": 1}"#, "gold"),
            (r#"{"query": "q", "choices": ["x"], "gold": -1}"#, "gold"),
            (r#"{"query": "q", "choices": ["x"], "gold": 0.5}"#, "gold"),
            (r#"{"query": "q", "choices": ["x"], "gold": "z"}"#, "gold"),
            (r#"{"query": "q", "choices": ["x"], "gold": []}"#, "gold"),
            (r#"{"query": "q", "choices": ["x"], "gold": [0, 1]}"#, "gold"),
            (
                r#"{"query": "q", "choices": ["x"], "gold": 99999999999999999999}"#,
                "gold",
            ),
            (r#"{"query": "q", "target": 3}"#, "target"),
            (r#"{"query": "q", "target": []}"#, "target"),
            (r#"{"query": "q", "target": "x", "max_tokens": 0}"#, "max_tokens"),
            (r#"{"query": "q", "target": "x", "stop": [""]}"#, "stop[0]"),
            (r#"{"target": "x"}"#, "query"),
            (r#"{"text": ""}"#, "text"),
            (r#"{"text": ["a"]}"#, "text"),
        ] {
            let error = Document::parse(line).unwrap_err();
            assert!(
                matches!(&error, Error::TaskField { field, .. } if field == name),
                "{line}: {error}"
            );
        }
        for line in ["{}", r#"{"query": "q"}"#, r#"{"text": null, "target": null}"#] {
            let error = Document::parse(line).unwrap_err();
            let expected = matches!(error, Error::TaskForm | Error::TaskField { .. });
            assert!(expected, "{line}: {error}");
        }
        for line in ["", "[]", "3", "{\"a\": 1", &"[".repeat(10_000)] {
            assert!(
                matches!(Document::parse(line), Err(Error::TaskJson { .. })),
                "{line:.20}"
            );
        }
        let two = r#"{"question": "q", "context": "c", "choices": ["x"], "gold": 0}"#;
        let error = Document::parse(two).unwrap_err();
        assert!(matches!(
            error,
            Error::TaskFields {
                first: "question",
                second: "context"
            }
        ));
    }
}
