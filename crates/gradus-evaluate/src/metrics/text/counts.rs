//! How often each n-gram occurs.

use std::collections::HashMap;
use std::hash::Hash;

/// N-grams of a sequence with how often each occurs.
pub(super) type Counts<'a, T> = HashMap<&'a [T], u64>;

/// The n-grams of `order` in `sequence`, none if it is shorter.
pub(super) fn ngrams<T: Eq + Hash>(sequence: &[T], order: usize) -> Counts<'_, T> {
    let mut counts = Counts::new();
    for ngram in sequence.windows(order) {
        *counts.entry(ngram).or_default() += 1;
    }
    counts
}

/// How many n-grams the two have in common, each as often as the one that has it less often.
pub(super) fn overlap<T: Eq + Hash>(a: &Counts<T>, b: &Counts<T>) -> u64 {
    let (fewer, more) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    fewer
        .iter()
        .map(|(ngram, &count)| count.min(more.get(ngram).copied().unwrap_or(0)))
        .sum()
}
