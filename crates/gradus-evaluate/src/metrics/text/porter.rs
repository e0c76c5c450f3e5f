//! Word stems: M. F. Porter, *An algorithm for suffix stripping*, Program 14, 1980, with the changes of NLTK, whose stemmer
//! `rouge-score` uses.

/// Words whose stems the rules do not give.
const IRREGULAR: [(&str, &str); 16] = [
    ("sky", "sky"),
    ("skies", "sky"),
    ("dying", "die"),
    ("lying", "lie"),
    ("tying", "tie"),
    ("news", "news"),
    ("inning", "inning"),
    ("innings", "inning"),
    ("outing", "outing"),
    ("outings", "outing"),
    ("canning", "canning"),
    ("cannings", "canning"),
    ("howe", "howe"),
    ("proceed", "proceed"),
    ("exceed", "exceed"),
    ("succeed", "succeed"),
];

/// Endings and what takes their place: the first that a word has is the one that counts.
type Rules = [(&'static str, &'static str)];

const PLURALS: &Rules = &[("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", "")];

const AFTER_PARTICIPLES: &Rules = &[("at", "ate"), ("bl", "ble"), ("iz", "ize")];

const DOUBLE_SUFFIXES: &Rules = &[
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("fulli", "ful"),
];

const SUFFIXES: &Rules = &[
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
];

const LAST_SUFFIXES: &Rules = &[
    ("al", ""),
    ("ance", ""),
    ("ence", ""),
    ("er", ""),
    ("ic", ""),
    ("able", ""),
    ("ible", ""),
    ("ant", ""),
    ("ement", ""),
    ("ment", ""),
    ("ent", ""),
    ("ion", ""),
    ("ou", ""),
    ("ism", ""),
    ("ate", ""),
    ("iti", ""),
    ("ous", ""),
    ("ive", ""),
    ("ize", ""),
];

/// The stem of a word of ASCII lower-case letters and digits, three or more.
pub(super) fn stem(word: &str) -> String {
    if let Some((_, stem)) = IRREGULAR.iter().find(|(irregular, _)| *irregular == word) {
        return (*stem).to_owned();
    }
    let mut word = word.to_owned();
    without_plural(&mut word);
    without_participle(&mut word);
    without_y(&mut word);
    without_double_suffix(&mut word);
    apply(&mut word, SUFFIXES, |stem, _| measure(stem) > 0);
    apply(&mut word, LAST_SUFFIXES, |stem, suffix| {
        measure(stem) > 1 && (suffix != "ion" || stem.ends_with(['s', 't']))
    });
    without_e(&mut word);
    if word.ends_with("ll") && measure(&word[..word.len() - 1]) > 1 {
        word.pop();
    }
    word
}

/// Which letters are consonants: not a vowel, and not a `y` behind a consonant.
fn consonants(word: &str) -> Vec<bool> {
    let mut flags: Vec<bool> = Vec::with_capacity(word.len());
    for letter in word.bytes() {
        flags.push(match letter {
            b'a' | b'e' | b'i' | b'o' | b'u' => false,
            b'y' => flags.last().is_none_or(|before| !before),
            _ => true,
        });
    }
    flags
}

/// How often vowels are followed by consonants: Porter's m.
fn measure(stem: &str) -> usize {
    consonants(stem)
        .windows(2)
        .filter(|pair| !pair[0] && pair[1])
        .count()
}

fn has_vowel(stem: &str) -> bool {
    consonants(stem).contains(&false)
}

fn ends_in_double_consonant(word: &str) -> bool {
    let letters = word.as_bytes();
    letters.len() >= 2
        && letters[letters.len() - 1] == letters[letters.len() - 2]
        && consonants(word)[letters.len() - 1]
}

/// Porter's *o: consonant, vowel, consonant at the end, the last not w, x or y; for NLTK also a vowel and a consonant alone.
fn ends_short(word: &str) -> bool {
    match consonants(word).as_slice() {
        [false, true] => true,
        [.., true, false, true] => !word.ends_with(['w', 'x', 'y']),
        _ => false,
    }
}

/// Applies the first rule whose ending the word has, if what stands before it is fit for it. Whether there was such a rule.
fn apply(word: &mut String, rules: &Rules, is_fit: impl Fn(&str, &str) -> bool) -> bool {
    let Some((suffix, replacement)) = rules.iter().find(|(suffix, _)| word.ends_with(suffix)) else {
        return false;
    };
    let len = word.len() - suffix.len();
    if is_fit(&word[..len], suffix) {
        word.truncate(len);
        word.push_str(replacement);
    }
    true
}

fn without_plural(word: &mut String) {
    // "dies" is not "flies".
    match word.len() == 4 && word.ends_with("ies") {
        true => word.truncate(3),
        false => drop(apply(word, PLURALS, |_, _| true)),
    }
}

fn without_participle(word: &mut String) {
    if word.ends_with("ied") {
        // "died" is not "spied".
        word.truncate(word.len() - if word.len() == 4 { 1 } else { 2 });
        return;
    }
    if let Some(stem) = word.strip_suffix("eed") {
        if measure(stem) > 0 {
            word.pop();
        }
        return;
    }
    let mut stems = ["ed", "ing"]
        .into_iter()
        .filter_map(|suffix| word.strip_suffix(suffix));
    let Some(len) = stems.find(|stem| has_vowel(stem)).map(str::len) else {
        return;
    };
    word.truncate(len);
    if apply(word, AFTER_PARTICIPLES, |_, _| true) {
        return;
    }
    if ends_in_double_consonant(word) {
        if !word.ends_with(['l', 's', 'z']) {
            word.pop();
        }
    } else if measure(word) == 1 && ends_short(word) {
        word.push('e');
    }
}

fn without_y(word: &mut String) {
    let fit = |stem: &str| stem.len() > 1 && consonants(stem)[stem.len() - 1];
    if word.strip_suffix('y').is_some_and(fit) {
        word.pop();
        word.push('i');
    }
}

fn without_double_suffix(word: &mut String) {
    if word.strip_suffix("alli").is_some_and(|stem| measure(stem) > 0) {
        word.truncate(word.len() - 2);
    }
    if !apply(word, DOUBLE_SUFFIXES, |stem, _| measure(stem) > 0)
        // The l stays with the stem, so that "geo" is enough of one.
        && word.strip_suffix("ogi").is_some_and(|rest| rest.ends_with('l') && measure(rest) > 0)
    {
        word.pop();
    }
}

fn without_e(word: &mut String) {
    let fit = |stem: &str| measure(stem) > 1 || measure(stem) == 1 && !ends_short(stem);
    if word.strip_suffix('e').is_some_and(fit) {
        word.pop();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn stems_are_those_of_nltk() {
        let golden = include_str!("../../../../../golden/text_metrics.json");
        let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
        let stems = golden["stems"].as_array().unwrap();
        assert!(stems.len() >= 1000);
        for pair in stems {
            let (word, stem) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
            assert_eq!(super::stem(word), stem, "the stem of {word}");
        }
    }
}
