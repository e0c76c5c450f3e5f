//! Where words end, by Python's rules: the references are Python, and a separator that only one side knows moves a score.

/// Whether Python's `str.split` splits here: Unicode's white space and the four information separators.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// The words of a text.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_where_pythons_do() {
        let text = " a\u{a0}b\u{1f}c\u{2003}\u{85}d\u{200b}e\n";
        assert_eq!(words(text).collect::<Vec<_>>(), ["a", "b", "c", "d\u{200b}e"]);
    }
}
