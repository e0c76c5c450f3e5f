//! `tojson` as `transformers` defines it for templates: Python's `json.dumps(value, ensure_ascii=False)`.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

/// Deeper nesting is refused; it is also what `serde_json` parses at most.
const MAX_DEPTH: usize = 128;

/// What a value costs besides its text: to find the next item of a list that was put together of many takes a while.
const FUEL_PER_VALUE: u64 = 4;

/// Writes a value as `json.dumps` would, with its options `indent`, `separators`, `sort_keys` and `ensure_ascii`.
pub(super) fn to_json(state: &State, value: &Value, options: Kwargs) -> Result<String, Error> {
    let ensure_ascii: Option<bool> = options.get("ensure_ascii")?;
    let indent: Option<Value> = options.get("indent")?;
    let sort_keys: Option<bool> = options.get("sort_keys")?;
    let separators: Option<Vec<String>> = options.get("separators")?;
    options.assert_all_used()?;
    let indent = indent.as_ref().and_then(indent_text);
    let separators = separators.filter(|separators| separators.len() == 2);
    let default_item = if indent.is_some() { "," } else { ", " };
    let (item, key) = match &separators {
        Some(pair) => (pair[0].as_str(), pair[1].as_str()),
        None => (default_item, ": "),
    };
    let mut writer = Writer {
        state,
        text: String::new(),
        indent: indent.as_deref(),
        item_separator: item,
        key_separator: key,
        sort_keys: sort_keys.unwrap_or(false),
        ensure_ascii: ensure_ascii.unwrap_or(false),
    };
    writer.value(value, 0)?;
    Ok(writer.text)
}

/// Python takes a number of spaces or a text.
fn indent_text(indent: &Value) -> Option<String> {
    const WIDEST: usize = 64;
    match indent.as_str() {
        Some(text) => Some(text.to_owned()),
        None => indent.as_usize().map(|spaces| " ".repeat(spaces.min(WIDEST))),
    }
}

struct Writer<'a> {
    state: &'a State<'a, 'a>,
    text: String,
    indent: Option<&'a str>,
    item_separator: &'a str,
    key_separator: &'a str,
    sort_keys: bool,
    ensure_ascii: bool,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        // Output is memory that the engine does not see until it is whole: paid for as it grows.
        self.state.consume_fuel(FUEL_PER_VALUE)?;
        if depth > MAX_DEPTH {
            return Err(refuse("nested too deeply"));
        }
        match value.kind() {
            ValueKind::None => self.text.push_str("null"),
            ValueKind::Bool => self.text.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.number(value)?,
            ValueKind::String => self.string(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => {
                // Not collected first: a template can describe lists that nothing could hold.
                let items = value.try_iter()?;
                self.container(['[', ']'], items, depth, |writer, item| {
                    writer.value(&item, depth + 1)
                })?;
            }
            ValueKind::Map => self.map(value, depth)?,
            kind => return Err(refuse(&format!("{kind} is not JSON serializable"))),
        }
        Ok(())
    }

    fn map(&mut self, map: &Value, depth: usize) -> Result<(), Error> {
        let mut entries = Vec::new();
        for key in map.try_iter()? {
            let value = map.get_item(&key)?;
            let name = match key.as_str() {
                Some(name) => name.to_owned(),
                None => key.to_string(),
            };
            entries.push((name, value));
        }
        if self.sort_keys {
            entries.sort_by(|left, right| left.0.cmp(&right.0));
        }
        self.container(['{', '}'], entries, depth, |writer, (name, value)| {
            writer.string(&name);
            writer.text.push_str(writer.key_separator);
            writer.value(&value, depth + 1)
        })
    }

    fn container<T>(
        &mut self,
        [open, close]: [char; 2],
        items: impl IntoIterator<Item = T>,
        depth: usize,
        write: impl Fn(&mut Self, T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.text.push(open);
        let mut is_empty = true;
        for item in items {
            if !is_empty {
                self.text.push_str(self.item_separator);
            }
            is_empty = false;
            self.line(depth + 1);
            write(self, item)?;
        }
        if !is_empty {
            self.line(depth);
        }
        self.text.push(close);
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if let Some(indent) = self.indent {
            self.text.push('\n');
            for _ in 0..depth {
                self.text.push_str(indent);
            }
        }
    }

    fn number(&mut self, value: &Value) -> Result<(), Error> {
        if value.is_integer() {
            self.text.push_str(&value.to_string());
        } else {
            let number = f64::try_from(value.clone())?;
            self.text.push_str(&python_float(number));
        }
        Ok(())
    }

    fn string(&mut self, text: &str) {
        self.text.push('"');
        for character in text.chars() {
            match character {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                '\u{8}' => self.text.push_str("\\b"),
                '\u{c}' => self.text.push_str("\\f"),
                control if control < ' ' => self.text.push_str(&format!("\\u{:04x}", control as u32)),
                wide if self.ensure_ascii && wide > '~' => {
                    for unit in wide.encode_utf16(&mut [0; 2]) {
                        self.text.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                plain => self.text.push(plain),
            }
        }
        self.text.push('"');
    }
}

/// Python's `repr` of a float: as Rust's, but for the exponent's sign and its two digits.
fn python_float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let text = format!("{number:?}");
    match text.split_once('e') {
        None => text,
        Some((digits, exponent)) => {
            let digits = digits.strip_suffix(".0").unwrap_or(digits);
            match exponent.strip_prefix('-') {
                Some(exponent) => format!("{digits}e-{exponent:0>2}"),
                None => format!("{digits}e+{exponent:0>2}"),
            }
        }
    }
}

fn refuse(reason: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("tojson: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::python_float;

    #[test]
    fn floats_are_spelled_as_python_does() {
        for (number, expected) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (-2.5e-7, "-2.5e-07"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (123456789012345.6, "123456789012345.6"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(python_float(number), expected);
        }
    }
}
