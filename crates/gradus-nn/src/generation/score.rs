//! How likely given tokens are: continuations that share a beginning, which is read once.

use gradus_tensor::{CacheType, Tensor, no_grad};

use super::session::{PREFILL_CHUNK, Session, ids_tensor};
use crate::error::{Error, Result};
use crate::families::transformer::Transformer;

/// Rows of logits that are held at once.
const LOGIT_ROWS: usize = 128;

/// Most rows that go forward together when continuations branch from a common beginning: products gain nothing beyond.
const BRANCH_ROWS: usize = 1024;

/// Most bytes of keys and values that are copied for branches; more than this costs more than reading weights again.
const BRANCH_BYTES: usize = 512 << 20;

/// Tokens of which the last are scored.
#[derive(Clone, Copy, Debug)]
pub struct Continuation<'a> {
    /// What is read, and then what is scored.
    pub tokens: &'a [u32],
    /// The first token that is scored, each given all before it; at least 1 and below the number of tokens.
    pub from: usize,
}

/// How likely a model found a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenScore {
    /// The natural logarithm of its probability.
    pub log_probability: f32,
    /// Whether no other token was more likely.
    pub most_likely: bool,
}

/// What [`Session::score`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// The scored tokens of each continuation.
    pub continuations: Vec<Vec<TokenScore>>,
    /// Tokens that the model read; beginnings that are shared, or that the session held, count once or not at all.
    pub tokens_read: usize,
}

/// A token whose score is wanted: where in a block of hidden states it is predicted, which it is, and whose it is.
struct Wanted {
    row: usize,
    token: u32,
    continuation: usize,
    place: usize,
}

impl Session<'_> {
    /// Scores continuations. What they have in common at their start, with each other and with what the session holds, is
    /// read once; the rest goes forward together, each on a copy of the common keys and values. The session holds the common
    /// start afterwards.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] for a continuation that scores nothing, has nothing before its first scored token or is
    /// more than one token longer than the capacity (the last token is not read); [`Error::Tensor`] for tokens outside the
    /// vocabulary.
    pub fn score(&mut self, continuations: &[Continuation]) -> Result<Scores> {
        let vocab = self.model.config().vocab_size;
        for continuation in continuations {
            check(continuation, self.capacity, vocab)?;
        }
        let _no_grad = no_grad();
        let mut scores = Scores {
            continuations: continuations
                .iter()
                .map(|continuation| vec![UNSCORED; continuation.tokens.len() - continuation.from])
                .collect(),
            tokens_read: 0,
        };
        let Some(shared) = common_start(continuations) else {
            return Ok(scores);
        };
        let first_wanted = continuations.iter().map(|c| c.from - 1).min().unwrap_or(0);
        let (start, states) = self.read_keeping(shared, first_wanted, &mut scores.tokens_read)?;
        if let Some(states) = states {
            let wanted = wanted(continuations.iter().enumerate(), |_, at| {
                (start..shared.len()).contains(&at).then(|| at - start)
            });
            fill(self.model, &states, &wanted, &mut scores)?;
        }
        for group in branches(continuations, shared.len(), self.branch_limit()) {
            self.score_branches(continuations, &group, shared.len(), &mut scores)?;
        }
        Ok(scores)
    }

    /// How many branches may hold a copy of what the session holds.
    fn branch_limit(&self) -> usize {
        (BRANCH_BYTES / self.cache.bytes().max(1)).max(1)
    }

    /// Reads `text`; the hidden states of its tokens from `from` on (`[rows, hidden]`, with the place of the first), or
    /// none if it ends before.
    fn read_keeping(
        &mut self,
        text: &[u32],
        from: usize,
        tokens_read: &mut usize,
    ) -> Result<(usize, Option<Tensor>)> {
        let held = self
            .tokens
            .iter()
            .zip(text)
            .take_while(|(a, b)| a == b)
            .count()
            .min(from);
        self.cache.truncate(held);
        self.tokens.truncate(held);
        let mut states = Vec::new();
        let mut at = held;
        while at < text.len() {
            let end = text.len().min(at + PREFILL_CHUNK);
            let read = self
                .model
                .hidden_states_cached(&ids_tensor(&text[at..end])?, &mut self.cache)?;
            self.tokens.extend_from_slice(&text[at..end]);
            *tokens_read += end - at;
            let read = read.reshape([end - at, read.shape()[2]])?;
            let skip = from.saturating_sub(at).min(end - at);
            if skip < end - at {
                states.push(read.narrow(0, skip, end - at - skip)?);
            }
            at = end;
        }
        Ok(match states.is_empty() {
            true => (from, None),
            false => (from, Some(Tensor::cat(&states, 0)?)),
        })
    }

    /// Scores what stands behind the `shared` tokens that the session holds, of the continuations in `group`.
    fn score_branches(
        &mut self,
        continuations: &[Continuation],
        group: &[usize],
        shared: usize,
        scores: &mut Scores,
    ) -> Result<()> {
        let rest = |index: usize| &inputs(&continuations[index])[shared..];
        let longest = group.iter().map(|&index| rest(index).len()).max().unwrap_or(0);
        // What stands behind the last token of a row is seen by nothing.
        let mut ids = vec![0_i64; group.len() * longest];
        for (row, &index) in ids.chunks_exact_mut(longest).zip(group) {
            for (id, &token) in row.iter_mut().zip(rest(index)) {
                *id = i64::from(token);
            }
            scores.tokens_read += rest(index).len();
        }
        let ids = Tensor::from_vec(ids, [group.len(), longest])?;
        let states = match group {
            [_] => {
                let states = self.model.hidden_states_cached(&ids, &mut self.cache)?;
                self.cache.truncate(shared);
                states
            }
            _ => {
                let mut branches = self
                    .branches
                    .take()
                    .filter(|cache| cache.options().batch == group.len());
                let cache = branches.get_or_insert_with(|| {
                    self.model
                        .new_cache(group.len(), self.capacity, self.cache_type())
                });
                cache.branch(&self.cache)?;
                let states = self.model.hidden_states_cached(&ids, cache)?;
                self.branches = branches;
                states
            }
        };
        let states = states.reshape([group.len() * longest, states.shape()[2]])?;
        let members = group.iter().map(|&index| (index, &continuations[index]));
        let row_of = |index: usize, at: usize| {
            let row = group.iter().position(|&member| member == index)?;
            (at >= shared).then(|| row * longest + at - shared)
        };
        fill(self.model, &states, &wanted(members, row_of), scores)
    }

    fn cache_type(&self) -> CacheType {
        self.cache.options().cache_type
    }
}

/// A score that is still to come.
const UNSCORED: TokenScore = TokenScore {
    log_probability: f32::NAN,
    most_likely: false,
};

fn check(continuation: &Continuation, capacity: usize, vocab: usize) -> Result<()> {
    let (len, from) = (continuation.tokens.len(), continuation.from);
    let refuse = |value: String, rule| {
        Err(Error::InvalidSetting {
            owner: "score",
            setting: "continuation",
            value,
            rule,
        })
    };
    if from == 0 || from >= len {
        let value = format!("{len} tokens scored from {from}");
        return refuse(
            value,
            "it needs a token before the first scored one, and one to score",
        );
    }
    if len > capacity + 1 {
        let value = format!("{len} tokens long");
        return refuse(value, "it must fit the model's context; cut its beginning off");
    }
    match continuation.tokens.iter().find(|&&token| token as usize >= vocab) {
        Some(token) => refuse(format!("token {token}"), "it must be in the model's vocabulary"),
        None => Ok(()),
    }
}

/// What of a continuation is read: the last token predicts nothing.
fn inputs<'a>(continuation: &Continuation<'a>) -> &'a [u32] {
    &continuation.tokens[..continuation.tokens.len() - 1]
}

/// The tokens that all inputs start with; `None` if there are no continuations.
fn common_start<'a>(continuations: &[Continuation<'a>]) -> Option<&'a [u32]> {
    let (first, others) = continuations.split_first()?;
    let first = inputs(first);
    let common = |len: usize, other: &Continuation| {
        let pairs = first[..len].iter().zip(inputs(other));
        pairs.take_while(|(a, b)| a == b).count()
    };
    Some(&first[..others.iter().fold(first.len(), common)])
}

/// The continuations that are longer than `shared`, in groups that go forward together: of similar length, so that at most
/// half of the rows are padding.
fn branches(continuations: &[Continuation], shared: usize, limit: usize) -> Vec<Vec<usize>> {
    let rest = |&index: &usize| inputs(&continuations[index]).len() - shared;
    let mut order: Vec<usize> = (0..continuations.len()).filter(|index| rest(index) > 0).collect();
    order.sort_by_key(|index| std::cmp::Reverse(rest(index)));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let (mut longest, mut tokens) = (0, 0);
    for index in order {
        match groups.last_mut() {
            Some(group)
                if group.len() < limit
                    && (group.len() + 1) * longest <= (2 * (tokens + rest(&index))).min(BRANCH_ROWS) =>
            {
                group.push(index);
                tokens += rest(&index);
            }
            Some(_) | None => {
                (longest, tokens) = (rest(&index), rest(&index));
                groups.push(vec![index]);
            }
        }
    }
    groups
}

/// The scored tokens that `row_of` (by continuation and the place of the token before) knows a row for.
fn wanted<'a, 'c: 'a>(
    continuations: impl Iterator<Item = (usize, &'a Continuation<'c>)>,
    row_of: impl Fn(usize, usize) -> Option<usize>,
) -> Vec<Wanted> {
    let mut found = Vec::new();
    for (index, continuation) in continuations {
        for at in continuation.from..continuation.tokens.len() {
            if let Some(row) = row_of(index, at - 1) {
                found.push(Wanted {
                    row,
                    token: continuation.tokens[at],
                    continuation: index,
                    place: at - continuation.from,
                });
            }
        }
    }
    found.sort_by_key(|wanted| wanted.row);
    found
}

/// Scores tokens by the hidden states `[rows, hidden]` that predict them. A row that predicts several has its logits
/// computed once.
fn fill(model: &Transformer, states: &Tensor, wanted: &[Wanted], scores: &mut Scores) -> Result<()> {
    let vocab = model.config().vocab_size;
    let rows: Vec<&[Wanted]> = wanted.chunk_by(|a, b| a.row == b.row).collect();
    for rows in rows.chunks(LOGIT_ROWS) {
        let places: Vec<i64> = rows.iter().map(|row| row[0].row as i64).collect();
        let places = Tensor::from_vec(places, [rows.len()])?;
        let logits = model.logits(&states.index_select(0, &places)?)?;
        let logarithms = logits.log_softmax(1)?;
        let logarithms = logarithms.as_slice::<f32>()?;
        for (row, logarithms) in rows.iter().zip(logarithms.chunks_exact(vocab)) {
            let most = logarithms.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for token in *row {
                let log_probability = logarithms[token.token as usize];
                scores.continuations[token.continuation][token.place] = TokenScore {
                    log_probability,
                    most_likely: log_probability >= most,
                };
            }
        }
    }
    Ok(())
}
