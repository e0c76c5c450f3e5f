//! The tokenization of mteval-v13a, which WMT uses and BLEU scores are published with.

use super::whitespace::words;

/// Marks that always stand alone; full stop, comma and dash have rules of their own.
fn is_mark(c: char) -> bool {
    matches!(c, '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/')
}

/// A text as tokens with one space between them, as sacrebleu's `13a` makes it: entities unescaped, punctuation apart,
/// full stops and commas kept inside numbers.
///
/// ```
/// use gradus_evaluate::metrics::text::tokenize_13a;
/// assert_eq!(tokenize_13a("It costs 1,000.50 (or so), \"they\" said."), "It costs 1,000.50 ( or so ) , \" they \" said .");
/// ```
pub fn tokenize_13a(text: &str) -> String {
    let mut text = text
        .replace("<skipped>", "")
        .replace("-\n", "")
        .replace('\n', " ");
    if text.contains('&') {
        for (entity, mark) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
            text = text.replace(entity, mark);
        }
    }
    let mut line: Vec<char> = Vec::with_capacity(text.len() + 2);
    line.push(' ');
    line.extend(text.chars());
    line.push(' ');

    let line = marks_apart(&line);
    let point = |c: char| c == '.' || c == ',';
    // A point goes apart unless a digit stands on that side of it.
    let line = pairs_apart(
        &line,
        |a, b| !a.is_ascii_digit() && point(b),
        |a, b| [a, ' ', b, ' '],
    );
    let line = pairs_apart(
        &line,
        |a, b| point(a) && !b.is_ascii_digit(),
        |a, b| [' ', a, ' ', b],
    );
    let line = pairs_apart(
        &line,
        |a, b| a.is_ascii_digit() && b == '-',
        |a, b| [a, ' ', b, ' '],
    );
    let line: String = line.into_iter().collect();
    words(&line).collect::<Vec<_>>().join(" ")
}

fn marks_apart(line: &[char]) -> Vec<char> {
    let mut out = Vec::with_capacity(line.len() * 2);
    for &c in line {
        match is_mark(c) {
            true => out.extend([' ', c, ' ']),
            false => out.push(c),
        }
    }
    out
}

/// Rewrites neighbouring pairs from the left, none of which share a character, as a regular expression's `sub` does.
fn pairs_apart(
    line: &[char],
    matches: impl Fn(char, char) -> bool,
    apart: impl Fn(char, char) -> [char; 4],
) -> Vec<char> {
    let mut out = Vec::with_capacity(line.len() * 2);
    let mut at = 0;
    while at < line.len() {
        match line.get(at + 1) {
            Some(&next) if matches(line[at], next) => {
                out.extend(apart(line[at], next));
                at += 2;
            }
            Some(_) | None => {
                out.push(line[at]);
                at += 1;
            }
        }
    }
    out
}
