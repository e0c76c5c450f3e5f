//! Where a long text may be cut so that its tokens stay what they were.

/// Finds a place to cut `text`, which goes on after it, as late as possible.
///
/// Tokenizers split text into words before anything else. A line break with a visible character on either side is a
/// word of its own, or ends one, in all of the splits in use, so the tokens are the same with the cut and without.
/// Text without such a line is cut before a space that ends a word, and text without spaces between characters.
pub(super) fn cut(text: &str) -> usize {
    let bytes = text.as_bytes();
    let visible = |at: usize| bytes.get(at).is_some_and(|byte| !byte.is_ascii_whitespace());
    let after_line = (1..bytes.len())
        .rev()
        .find(|&at| bytes[at - 1] == b'\n' && visible(at) && at >= 2 && visible(at - 2));
    let before_space = || {
        (1..bytes.len())
            .rev()
            .find(|&at| bytes[at] == b' ' && visible(at - 1))
    };
    after_line.or_else(before_space).unwrap_or(text.len())
}

/// The pieces of a text that is whole, none longer than `most` bytes (or one character).
pub(super) fn split(text: &str, most: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > most {
        let window = &rest[..rest
            .floor_char_boundary(most)
            .max(rest.chars().next().map_or(1, char::len_utf8))];
        let (piece, after) = rest.split_at(cut(window));
        pieces.push(piece);
        rest = after;
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(rest);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cuts_after_a_line_or_before_a_space() {
        assert_eq!(
            split("one line\nand another\n\n  end", 25),
            ["one line\n", "and another\n\n  end"]
        );
        assert_eq!(split("no lines here", 8), ["no", " lines", " here"]);
        assert_eq!(split("東京東京", 4), ["東", "京", "東", "京"]);
        assert_eq!(split("東", 1), ["東"]);
        assert_eq!(split("", 4), [""]);
    }

    proptest! {
        #[test]
        fn pieces_add_up(text in "[ab \n東]{0,80}", most in 1usize..20) {
            let pieces = split(&text, most);
            prop_assert_eq!(pieces.concat(), text.clone());
            prop_assert!(pieces.iter().all(|piece| piece.len() <= most.max(3)));
        }
    }
}
