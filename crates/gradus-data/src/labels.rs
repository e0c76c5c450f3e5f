//! Class labels: from the words of a file to indices, the same way every time.
//!
//! Names are the words themselves. When every label spells a number, the classes are in order of the numbers, and `1`,
//! `1.0` and a Parquet integer 1 are one class called `1`; otherwise they are in order of their characters. A word with
//! leading zeros such as `007` is a name and keeps them.

use std::collections::HashMap;

use crate::table::parse_number;

/// The class name of a word: whole numbers lose a fraction of zeros.
pub(crate) fn canonical(word: &str) -> &str {
    let Some((whole, fraction)) = word.split_once('.') else {
        return word;
    };
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    let fraction_is_zero = !fraction.is_empty() && fraction.bytes().all(|byte| byte == b'0');
    if is_whole && !leading_zero && fraction_is_zero {
        whole
    } else {
        word
    }
}

/// Class names for the words that occur, in their order.
pub(crate) fn class_names<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<&str> = words.into_iter().map(canonical).collect();
    names.sort_unstable();
    names.dedup();
    let numbers: Option<Vec<f64>> = names.iter().map(|name| parse_number(name)).collect();
    if let Some(numbers) = numbers {
        let mut keyed: Vec<(f64, &str)> = numbers.into_iter().zip(names).collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
        return keyed.into_iter().map(|(_, name)| name.to_owned()).collect();
    }
    names.into_iter().map(str::to_owned).collect()
}

/// Indices of known classes.
pub(crate) struct ClassIndex<'a> {
    index_of: HashMap<&'a str, i64>,
}

impl<'a> ClassIndex<'a> {
    pub(crate) fn new(names: &'a [String]) -> ClassIndex<'a> {
        let index_of = names
            .iter()
            .enumerate()
            .map(|(index, name)| (canonical(name), index as i64))
            .collect();
        ClassIndex { index_of }
    }

    /// The index of a word's class, where it is known.
    pub(crate) fn get(&self, word: &str) -> Option<i64> {
        self.index_of.get(canonical(word)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_numeric_order_and_words_in_theirs() {
        assert_eq!(class_names(["10", "2", "1.0", "1", "-3"]), ["-3", "1", "2", "10"]);
        assert_eq!(class_names(["10", "2", "x"]), ["10", "2", "x"]);
        assert_eq!(class_names(["0.5", "0.25"]), ["0.25", "0.5"]);
    }

    #[test]
    fn leading_zeros_are_part_of_a_name() {
        assert_eq!(canonical("007.0"), "007.0");
        assert_eq!(canonical("0.0"), "0");
        assert_eq!(canonical("-4.000"), "-4");
        assert_eq!(canonical("1."), "1.");
        assert_eq!(canonical(".0"), ".0");
    }

    #[test]
    fn an_index_finds_other_spellings_of_a_number() {
        let names = class_names(["1", "2"]);
        assert_eq!(ClassIndex::new(&names).get("2.0"), Some(1));
        assert_eq!(ClassIndex::new(&names).get("3"), None);
    }
}
