//! `{% generation %}`: a tag of `transformers` that marks what the model says, for its own bookkeeping.
//!
//! It renders its body. Jinja does not know it, so it becomes a condition that always holds, with the same whitespace
//! marks; the marks decide what is trimmed around it.

/// The template with `generation` blocks turned into `if true` blocks.
pub(super) fn without_tracking(source: &str) -> String {
    let mut rest = source;
    let mut result = String::with_capacity(source.len());
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        result.push_str(before);
        match Tag::parse(tag) {
            Some(parsed) => {
                result.push_str(&parsed.spelled());
                rest = &tag[parsed.len..];
            }
            None => {
                result.push_str("{%");
                rest = &tag[2..];
            }
        }
    }
    result.push_str(rest);
    result
}

struct Tag<'a> {
    open: &'a str,
    replacement: &'static str,
    close: &'a str,
    len: usize,
}

impl<'a> Tag<'a> {
    /// The tag at the start of `text`, if it is one of the two.
    fn parse(text: &'a str) -> Option<Tag<'a>> {
        let inner_len = text[2..].find("%}")?;
        let inner = &text[2..2 + inner_len];
        let open_len = usize::from(inner.starts_with(['-', '+']));
        let close_len = usize::from(inner.len() > open_len && inner.ends_with(['-', '+']));
        let replacement = match inner[open_len..inner.len() - close_len].trim() {
            "generation" => "if true",
            "endgeneration" => "endif",
            _ => return None,
        };
        Some(Tag {
            open: &inner[..open_len],
            replacement,
            close: &inner[inner.len() - close_len..],
            len: inner_len + 4,
        })
    }

    fn spelled(&self) -> String {
        format!("{{%{} {} {}%}}", self.open, self.replacement, self.close)
    }
}

#[cfg(test)]
mod tests {
    use super::without_tracking;

    #[test]
    fn keeps_whitespace_marks_and_other_tags() {
        assert_eq!(
            without_tracking("a {%- generation -%} b{% endgeneration%}{% if x %}{%"),
            "a {%- if true -%} b{% endif %}{% if x %}{%"
        );
        assert_eq!(
            without_tracking("no tags, {{ generation }}"),
            "no tags, {{ generation }}"
        );
        assert_eq!(without_tracking("{%-%}{%+%}"), "{%-%}{%+%}");
    }
}
