//! Ending a stream of text at a given string, though it may arrive in pieces.

/// Why a stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Which of the stop strings came: the one that was whole first, the longest of those that end at one place.
    pub index: usize,
    /// What had arrived after it.
    pub rest: String,
}

/// Passes text through until one of the stop strings comes. Text that may be the beginning of one is held back, so
/// nobody sees half of a stop string.
#[derive(Clone, Debug, Default)]
pub struct StopMatcher {
    stops: Vec<String>,
    held: String,
    stopped: Option<Stopped>,
}

impl StopMatcher {
    /// A matcher of these strings; empty ones are ignored.
    pub fn new(stops: impl IntoIterator<Item = impl Into<String>>) -> StopMatcher {
        StopMatcher {
            stops: stops.into_iter().map(Into::into).collect(),
            ..StopMatcher::default()
        }
    }

    /// Takes the next piece and gives what may be shown now; once stopped, nothing.
    pub fn push(&mut self, piece: &str) -> String {
        if self.stopped.is_some() {
            return String::new();
        }
        self.held.push_str(piece);
        if let Some((start, index)) = self.first_match() {
            let rest = self.held.split_off(start)[self.stops[index].len()..].to_owned();
            self.stopped = Some(Stopped { index, rest });
            return std::mem::take(&mut self.held);
        }
        let held_back = self.held.split_off(self.held.len() - self.possible_start());
        std::mem::replace(&mut self.held, held_back)
    }

    /// What was held back, when the stream ends without a stop string.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Whether a stop string came, and which.
    pub fn stopped(&self) -> Option<&Stopped> {
        self.stopped.as_ref()
    }

    /// The stop string that is whole first, as its start and its index; the longest of those that end together.
    fn first_match(&self) -> Option<(usize, usize)> {
        let stops = self.stops.iter().enumerate().filter(|(_, stop)| !stop.is_empty());
        let matches = stops.filter_map(|(index, stop)| {
            let start = self.held.find(stop.as_str())?;
            Some((start + stop.len(), start, index))
        });
        matches.min().map(|(_, start, index)| (start, index))
    }

    /// Length of the longest end of the held text that a stop string starts with.
    fn possible_start(&self) -> usize {
        let longest = self
            .stops
            .iter()
            .map(|stop| stop.len().saturating_sub(1))
            .max()
            .unwrap_or(0);
        let from = self.held.len().saturating_sub(longest);
        let starts = (from..self.held.len()).filter(|&start| self.held.is_char_boundary(start));
        starts
            .map(|start| &self.held[start..])
            .find(|end| self.stops.iter().any(|stop| stop.starts_with(end)))
            .map_or(0, str::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn holds_back_what_may_become_a_stop_string() {
        let mut matcher = StopMatcher::new(["</s>", "\n\n"]);
        assert_eq!(matcher.push("one\n"), "one");
        assert_eq!(matcher.push("two<"), "\ntwo");
        assert_eq!(matcher.push("/"), "");
        assert_eq!(matcher.push("b></"), "</b>");
        assert_eq!(matcher.push("s>more"), "");
        assert_eq!(
            matcher.stopped(),
            Some(&Stopped {
                index: 0,
                rest: "more".into()
            })
        );
        assert_eq!(
            (matcher.push("text"), matcher.finish()),
            (String::new(), String::new())
        );
    }

    #[test]
    fn gives_back_what_was_held_at_the_end() {
        let mut matcher = StopMatcher::new(["ende", ""]);
        assert_eq!(matcher.push("dress enden"), "dress ");
        let mut matcher = StopMatcher::new(["ende"]);
        assert_eq!(matcher.push("dress en"), "dress ");
        assert_eq!((matcher.finish().as_str(), matcher.stopped()), ("en", None));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[abß]{0,40}", stops in prop::collection::vec("[abß]{0,3}", 0..4), cuts in prop::collection::vec(0usize..41, 0..8)) {
            let whole = stops.iter().enumerate().filter(|(_, stop)| !stop.is_empty())
                .filter_map(|(index, stop)| Some((text.find(stop.as_str())? + stop.len(), text.find(stop.as_str())?, index)))
                .min().map(|(_, start, index)| (start, index));
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|&cut| cut <= text.len() && text.is_char_boundary(cut)).collect();
            cuts.sort_unstable();
            let mut matcher = StopMatcher::new(stops);
            let (mut shown, mut start) = (String::new(), 0);
            for cut in cuts.into_iter().chain([text.len()]) {
                shown += &matcher.push(&text[start..cut]);
                start = cut;
            }
            shown += &matcher.finish();
            let expected = whole.map_or(text.as_str(), |(at, _)| &text[..at]);
            prop_assert_eq!(shown, expected);
            prop_assert_eq!(matcher.stopped().map(|stopped| stopped.index), whole.map(|(_, index)| index));
        }
    }
}
