//! Python's methods of strings and dictionaries: those of `minijinja-contrib`, and a few that templates use besides.

use minijinja::value::from_args;
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback;

/// Calls a method of a value as Python would.
pub(super) fn call(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        match method {
            "removeprefix" => {
                let (prefix,): (&str,) = from_args(args)?;
                return Ok(Value::from(text.strip_prefix(prefix).unwrap_or(text)));
            }
            "removesuffix" => {
                let (suffix,): (&str,) = from_args(args)?;
                return Ok(Value::from(text.strip_suffix(suffix).unwrap_or(text)));
            }
            "partition" => {
                let (separator,): (&str,) = from_args(args)?;
                let parts = text.split_once(separator_of(separator)?);
                let (before, after) = parts.unwrap_or((text, ""));
                return Ok(three(before, parts.map_or("", |_| separator), after));
            }
            "rpartition" => {
                let (separator,): (&str,) = from_args(args)?;
                let parts = text.rsplit_once(separator_of(separator)?);
                let (before, after) = parts.unwrap_or(("", text));
                return Ok(three(before, parts.map_or("", |_| separator), after));
            }
            "rsplit" => {
                let (separator, most): (Option<&str>, Option<i64>) = from_args(args)?;
                return rsplit(text, separator, most);
            }
            _ => {}
        }
    }
    unknown_method_callback(state, value, method, args)
}

fn three(before: &str, separator: &str, after: &str) -> Value {
    [before, separator, after].into_iter().map(Value::from).collect()
}

fn separator_of(separator: &str) -> Result<&str, Error> {
    if separator.is_empty() {
        return Err(Error::new(ErrorKind::InvalidOperation, "empty separator"));
    }
    Ok(separator)
}

fn rsplit(text: &str, separator: Option<&str>, most: Option<i64>) -> Result<Value, Error> {
    let parts_wanted = most
        .and_then(|most| usize::try_from(most).ok())
        .map_or(usize::MAX, |most| most.saturating_add(1));
    let mut parts: Vec<&str> = match separator {
        Some(separator) => text.rsplitn(parts_wanted, separator_of(separator)?).collect(),
        None => rsplit_whitespace(text, parts_wanted),
    };
    parts.reverse();
    Ok(parts.into_iter().map(Value::from).collect())
}

/// Words from the end; what is left after `parts_wanted - 1` of them stays in one piece.
fn rsplit_whitespace(text: &str, parts_wanted: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_end();
    while !rest.is_empty() {
        if parts.len() + 1 == parts_wanted {
            parts.push(rest);
            break;
        }
        let start = rest
            .rfind(char::is_whitespace)
            .map_or(0, |at| at + rest[at..].chars().next().map_or(0, char::len_utf8));
        parts.push(&rest[start..]);
        rest = rest[..start].trim_end();
    }
    parts
}
