//! From logits to the next token.

use std::cmp::Ordering;

use gradus_tensor::Rng;

use crate::error::{Error, Result};

/// How a token is chosen. The limits apply in the order of the fields, as Hugging Face's `generate` applies its own.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingOptions {
    /// Logits of tokens that the context holds already are divided by this where positive and multiplied where negative
    /// (Keskar et al. 2019); above 0, 1 for none.
    pub repetition_penalty: f64,
    /// Logits are divided by this; 0 always takes the most likely token.
    pub temperature: f64,
    /// Only this many most likely tokens; 0 for all.
    pub top_k: usize,
    /// Only the most likely tokens that together reach this probability (Holtzman et al. 2020); above 0, 1 for all.
    pub top_p: f64,
    /// Only tokens at least this many times as likely as the most likely one (Nguyen et al. 2024); from 0 to 1.
    pub min_p: f64,
    /// Where the random numbers start: the same seed, model and prompt give the same text.
    pub seed: u64,
}

impl Default for SamplingOptions {
    /// Greedy: the most likely token each time.
    fn default() -> Self {
        SamplingOptions {
            repetition_penalty: 1.0,
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            seed: 0,
        }
    }
}

impl SamplingOptions {
    /// # Errors
    /// [`Error::InvalidSetting`] for a number outside its range.
    pub fn validate(&self) -> Result<()> {
        let rules = [
            (
                "repetition_penalty",
                self.repetition_penalty,
                self.repetition_penalty > 0.0 && self.repetition_penalty.is_finite(),
                "it must be a number above 0",
            ),
            (
                "temperature",
                self.temperature,
                self.temperature >= 0.0 && self.temperature.is_finite(),
                "it must be a number of at least 0",
            ),
            (
                "top_p",
                self.top_p,
                self.top_p > 0.0 && self.top_p <= 1.0,
                "it must be above 0 and at most 1",
            ),
            (
                "min_p",
                self.min_p,
                (0.0..=1.0).contains(&self.min_p),
                "it must be from 0 to 1",
            ),
        ];
        for (setting, value, valid, rule) in rules {
            if !valid {
                return Err(Error::InvalidSetting {
                    owner: "sampling",
                    setting,
                    value: value.to_string(),
                    rule,
                });
            }
        }
        Ok(())
    }
}

/// Chooses tokens by [`SamplingOptions`], from its own stream of random numbers.
///
/// ```
/// use gradus_nn::generation::{Sampler, SamplingOptions};
/// let mut sampler = Sampler::new(SamplingOptions::default())?;
/// assert_eq!(sampler.choose(&[0.5, 2.0, 1.0], &[]).0, 1);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
pub struct Sampler {
    options: SamplingOptions,
    rng: Rng,
    candidates: Vec<Candidate>,
    penalized: Vec<f32>,
}

#[derive(Clone, Copy)]
struct Candidate {
    id: u32,
    /// After the penalty, divided by the temperature.
    score: f32,
}

/// More likely first; of equals, the lower id.
fn by_rank(a: &Candidate, b: &Candidate) -> Ordering {
    b.score.total_cmp(&a.score).then(a.id.cmp(&b.id))
}

impl Sampler {
    /// A sampler at the start of its seed's stream.
    ///
    /// # Errors
    /// As [`SamplingOptions::validate`].
    pub fn new(options: SamplingOptions) -> Result<Sampler> {
        options.validate()?;
        Ok(Sampler {
            rng: Rng::seed_from(options.seed),
            options,
            candidates: Vec::new(),
            penalized: Vec::new(),
        })
    }

    /// The next token after `context`, and its natural log-probability in the model's own distribution (before any
    /// option changes it). `logits` has one number per token of the vocabulary, at least one.
    pub fn choose(&mut self, logits: &[f32], context: &[u32]) -> (u32, f32) {
        let penalized = self.options.repetition_penalty != 1.0;
        if penalized {
            self.penalize(logits, context);
        }
        let scores = std::mem::take(&mut self.penalized);
        let chosen = {
            let scores: &[f32] = if penalized { &scores } else { logits };
            match self.options.temperature {
                0.0 => argmax(scores),
                _ => self.draw(scores),
            }
        };
        self.penalized = scores;
        (chosen, log_probability(logits, chosen))
    }

    fn penalize(&mut self, logits: &[f32], context: &[u32]) {
        self.penalized.clear();
        self.penalized.extend_from_slice(logits);
        let penalty = self.options.repetition_penalty as f32;
        let mut seen: Vec<u32> = context.to_vec();
        seen.sort_unstable();
        seen.dedup();
        for id in seen {
            if let Some(score) = self.penalized.get_mut(id as usize) {
                *score = if *score > 0.0 {
                    *score / penalty
                } else {
                    *score * penalty
                };
            }
        }
    }

    /// Draws from the softmax of the scores over the temperature, within the limits.
    fn draw(&mut self, scores: &[f32]) -> u32 {
        let inverse = (1.0 / self.options.temperature) as f32;
        self.candidates.clear();
        let scaled = scores.iter().zip(0..).map(|(&score, id)| Candidate {
            id,
            score: score * inverse,
        });
        self.candidates
            .extend(scaled.filter(|candidate| !candidate.score.is_nan()));
        if self.candidates.is_empty() {
            return argmax(scores);
        }
        if self.options.top_k > 0 && self.options.top_k < self.candidates.len() {
            self.candidates
                .select_nth_unstable_by(self.options.top_k - 1, by_rank);
            self.candidates.truncate(self.options.top_k);
        }
        if self.options.top_p < 1.0 {
            self.keep_top_p();
        }
        let best = self.best_score();
        if self.options.min_p > 0.0 {
            let least = best + (self.options.min_p.ln() as f32);
            self.candidates.retain(|candidate| candidate.score >= least);
        }
        // In the order of the ids, so that the draw does not depend on how the candidates were found.
        self.candidates.sort_unstable_by_key(|candidate| candidate.id);
        let weight = |candidate: &Candidate| f64::from(candidate.score - best).exp();
        let total: f64 = self.candidates.iter().map(weight).sum();
        let mut left = self.rng.uniform() * total;
        for candidate in &self.candidates {
            left -= weight(candidate);
            if left < 0.0 {
                return candidate.id;
            }
        }
        // The last rounding error left a trace above the sum.
        self.candidates.last().map_or(0, |candidate| candidate.id)
    }

    fn best_score(&self) -> f32 {
        let scores = self.candidates.iter().map(|candidate| candidate.score);
        scores.fold(f32::NEG_INFINITY, f32::max)
    }

    /// Keeps the shortest run of the most likely candidates that reaches `top_p`. Only as many are sorted as are needed.
    fn keep_top_p(&mut self) {
        /// Enough for most distributions of a language model.
        const FIRST: usize = 128;
        let best = self.best_score();
        let weight = |candidate: &Candidate| f64::from(candidate.score - best).exp();
        let wanted = self.options.top_p * self.candidates.iter().map(weight).sum::<f64>();
        let mut sorted = FIRST;
        loop {
            sorted = sorted.min(self.candidates.len());
            if sorted < self.candidates.len() {
                self.candidates.select_nth_unstable_by(sorted - 1, by_rank);
            }
            self.candidates[..sorted].sort_unstable_by(by_rank);
            let mut sum = 0.0;
            let enough = self.candidates[..sorted].iter().position(|candidate| {
                sum += weight(candidate);
                sum >= wanted
            });
            match enough {
                Some(last) => return self.candidates.truncate(last + 1),
                None if sorted == self.candidates.len() => return,
                None => sorted *= 4,
            }
        }
    }
}

/// The first of the largest; NaN never wins.
fn argmax(scores: &[f32]) -> u32 {
    let mut best = (0, f32::NEG_INFINITY);
    for (&score, id) in scores.iter().zip(0..) {
        if score > best.1 {
            best = (id, score);
        }
    }
    best.0
}

/// `ln softmax(logits)[id]`.
fn log_probability(logits: &[f32], id: u32) -> f32 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from((logit - most).exp())).sum();
    (f64::from(logits[id as usize] - most) - sum.ln()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 6] = [0.3, 2.0, -1.0, 1.7, 0.0, -4.0];

    fn frequencies(options: SamplingOptions, draws: usize) -> Vec<f64> {
        let mut sampler = Sampler::new(options).unwrap();
        let mut counts = [0u32; LOGITS.len()];
        for _ in 0..draws {
            counts[sampler.choose(&LOGITS, &[]).0 as usize] += 1;
        }
        counts
            .iter()
            .map(|&count| f64::from(count) / draws as f64)
            .collect()
    }

    fn softmax(logits: &[f64]) -> Vec<f64> {
        let weights: Vec<f64> = logits.iter().map(|logit| logit.exp()).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / sum).collect()
    }

    /// Of 40,000 draws a frequency is within 0.0125 of its probability at five standard deviations.
    fn assert_drawn_from(options: SamplingOptions, expected: &[f64]) {
        let found = frequencies(options.clone(), 40_000);
        for (id, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!(
                (found - expected).abs() < 0.0125,
                "{options:?}, token {id}: {found}, expected {expected}"
            );
            assert!(
                *expected > 0.0 || *found == 0.0,
                "token {id} should never be drawn"
            );
        }
    }

    #[test]
    fn draws_follow_the_softmax_within_each_limit() {
        let at = |temperature: f64| LOGITS.map(|logit| f64::from(logit) / temperature);
        let base = SamplingOptions {
            temperature: 0.7,
            seed: 5,
            ..SamplingOptions::default()
        };
        assert_drawn_from(base.clone(), &softmax(&at(0.7)));
        let only = |kept: &[usize], logits: [f64; 6]| {
            let masked: Vec<f64> = (0..6)
                .map(|id| {
                    if kept.contains(&id) {
                        logits[id]
                    } else {
                        f64::NEG_INFINITY
                    }
                })
                .collect();
            softmax(&masked)
        };
        let top_k = SamplingOptions {
            top_k: 3,
            ..base.clone()
        };
        assert_drawn_from(top_k, &only(&[0, 1, 3], at(0.7)));
        // Probabilities 0.54, 0.35, 0.05, 0.03, ...: two reach 0.85, three reach 0.93.
        let top_p = SamplingOptions {
            top_p: 0.85,
            ..base.clone()
        };
        assert_drawn_from(top_p, &only(&[1, 3], at(0.7)));
        let min_p = SamplingOptions { min_p: 0.08, ..base };
        assert_drawn_from(min_p, &only(&[0, 1, 3], at(0.7)));
    }

    #[test]
    fn greedy_takes_the_first_of_the_best_and_gives_its_log_probability() {
        let mut sampler = Sampler::new(SamplingOptions::default()).unwrap();
        let (id, log_probability) = sampler.choose(&LOGITS, &[]);
        let expected = softmax(&LOGITS.map(f64::from))[1].ln();
        assert_eq!(id, 1);
        assert!((f64::from(log_probability) - expected).abs() < 1e-6);
        assert_eq!(sampler.choose(&[1.0, 3.0, 3.0], &[]).0, 1);
        assert_eq!(sampler.choose(&[f32::NAN, -2.0, -3.0], &[]).0, 1);
    }

    #[test]
    fn a_penalty_lowers_what_was_said() {
        let options = SamplingOptions {
            repetition_penalty: 1.5,
            ..SamplingOptions::default()
        };
        let mut sampler = Sampler::new(options).unwrap();
        assert_eq!(sampler.choose(&LOGITS, &[1, 1, 99]).0, 3);
        assert_eq!(sampler.choose(&[-1.0, -1.2], &[0]).0, 1);
    }

    #[test]
    fn the_seed_decides_the_draws() {
        let draw = |seed| {
            let options = SamplingOptions {
                temperature: 1.0,
                seed,
                ..SamplingOptions::default()
            };
            let mut sampler = Sampler::new(options).unwrap();
            (0..50)
                .map(|_| sampler.choose(&LOGITS, &[]).0)
                .collect::<Vec<u32>>()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }

    #[test]
    fn top_p_sorts_as_far_as_it_must() {
        // A flat distribution over more tokens than are sorted at first.
        let logits = vec![0.0f32; 2000];
        let options = SamplingOptions {
            temperature: 1.0,
            top_p: 0.5,
            seed: 1,
            ..SamplingOptions::default()
        };
        let mut sampler = Sampler::new(options).unwrap();
        let drawn: Vec<u32> = (0..3000).map(|_| sampler.choose(&logits, &[]).0).collect();
        assert!(drawn.iter().all(|&id| id < 1000));
        assert!(drawn.iter().any(|&id| id > 900));
    }

    #[test]
    fn refuses_numbers_outside_their_ranges() {
        for (options, setting) in [
            (
                SamplingOptions {
                    temperature: -1.0,
                    ..Default::default()
                },
                "temperature",
            ),
            (
                SamplingOptions {
                    top_p: 0.0,
                    ..Default::default()
                },
                "top_p",
            ),
            (
                SamplingOptions {
                    min_p: 1.5,
                    ..Default::default()
                },
                "min_p",
            ),
            (
                SamplingOptions {
                    repetition_penalty: f64::NAN,
                    ..Default::default()
                },
                "repetition_penalty",
            ),
        ] {
            let error = Sampler::new(options).err().unwrap().to_string();
            assert!(error.contains(setting), "{error}");
        }
    }
}
