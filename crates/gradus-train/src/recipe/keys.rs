//! Which real key a misspelt one was meant to be.

/// Below this similarity a suggestion would confuse more than help. Jaro-Winkler gives 0.9 and more for a swapped or
/// missing letter, and under 0.7 for most pairs of unrelated keys.
const SIMILAR: f64 = 0.7;

/// The candidate most like `key`, if any is like it at all.
pub(super) fn nearest<'a>(key: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(key, candidate), candidate));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 >= SIMILAR).then_some(best.1)
}

/// What serde reports when it meets a name it does not know.
#[derive(Debug, PartialEq)]
pub(super) struct UnknownName<'a> {
    pub is_variant: bool,
    pub name: &'a str,
    pub expected: Vec<&'a str>,
}

impl<'a> UnknownName<'a> {
    /// Reads serde's message, which has one fixed form: "unknown field `a`, expected one of `b`, `c`".
    pub(super) fn from_message(message: &'a str) -> Option<UnknownName<'a>> {
        let rest = message.strip_prefix("unknown ")?;
        let is_variant = rest.starts_with("variant ");
        if !is_variant && !rest.starts_with("field ") {
            return None;
        }
        let mut quoted = rest.split('`').skip(1).step_by(2);
        Some(UnknownName {
            is_variant,
            name: quoted.next()?,
            expected: quoted.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_key_that_was_meant() {
        let keys = ["epochs", "batch_size", "learning_rate", "seed"];
        assert_eq!(nearest("lerning_rate", keys), Some("learning_rate"));
        assert_eq!(nearest("epoch", keys), Some("epochs"));
        assert_eq!(nearest("batchsize", keys), Some("batch_size"));
        assert_eq!(nearest("zzz", keys), None);
    }

    #[test]
    fn reads_all_of_serdes_forms() {
        let one = UnknownName::from_message("unknown field `a`, expected `b`").unwrap();
        assert_eq!(
            one,
            UnknownName {
                is_variant: false,
                name: "a",
                expected: vec!["b"]
            }
        );
        let two = UnknownName::from_message("unknown variant `x`, expected `y` or `z`").unwrap();
        assert_eq!(
            two,
            UnknownName {
                is_variant: true,
                name: "x",
                expected: vec!["y", "z"]
            }
        );
        let none = UnknownName::from_message("unknown field `a`, there are no fields").unwrap();
        assert_eq!(none.expected, Vec::<&str>::new());
        assert_eq!(UnknownName::from_message("invalid type: string"), None);
    }
}
