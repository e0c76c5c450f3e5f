//! How many rows of new data chance makes equal to training rows.
//!
//! Rows are taken for draws from one population. The probability that the next draw is of a kind that was drawn `r` times
//! among `n` is about (r+1)·N[r+1]/n, where N[r] kinds were drawn r times (Good, Biometrika 40, 1953); that it is of a
//! kind drawn before, 1 − N[1]/n. Rows that were trained on are themselves of kinds drawn `r` times with the frequency
//! r·N[r]/n, which is what tells them from new rows of the same kinds.

/// The share of rows, above what chance gives, from which a score is refused: a model that is always right on these rows and
/// on half of the others has its accuracy lifted by half a point.
pub const TOLERATED_SHARE: f64 = 0.01;

/// Standard errors beyond which a share is no chance: one in a thousand honest data sets lies there.
const STANDARD_ERRORS: f64 = 3.0;

/// Kinds drawn more often than this are as frequent among new rows as among training rows, as far as can be seen.
const MOST_REPEATS: usize = 4;

/// Kinds drawn equally often are looked at alone where they make up this share of the training rows: with fewer, a leak
/// hardly shows in them.
const LEAST_SHARE: f64 = 0.1;

/// How often kinds of rows were drawn.
#[derive(Clone, Debug)]
pub(super) struct Frequencies {
    /// How many kinds were drawn so often.
    kinds: Vec<usize>,
    rows: usize,
}

/// A share that chance gives, and the variance of what is known of it.
struct Share {
    mean: f64,
    variance: f64,
}

impl Frequencies {
    /// Of the hashes of rows, sorted.
    pub(super) fn new(sorted: &[u32]) -> Frequencies {
        let mut kinds = vec![0; MOST_REPEATS + 3];
        for equal in sorted.chunk_by(|a, b| a == b) {
            if let Some(kinds) = kinds.get_mut(equal.len()) {
                *kinds += 1;
            }
        }
        let rows = sorted.len();
        Frequencies { kinds, rows }
    }

    /// The share of new rows that equal a training row by chance.
    pub(super) fn expected_share(&self) -> f64 {
        1.0 - self.share_of(1)
    }

    /// Whether more of `rows` rows are known than chance gives, of all kinds or of those that training has equally often:
    /// `known[r]` rows equal a row that training has r times.
    pub(super) fn are_exceeded(&self, known: &[usize], rows: usize) -> bool {
        let any = known.iter().sum();
        let alone = (1..=MOST_REPEATS).filter(|&repeats| self.share_of(repeats) >= LEAST_SHARE);
        self.of_any().is_exceeded(any, rows)
            || alone
                .into_iter()
                .any(|repeats| self.of_kinds(repeats).is_exceeded(known[repeats], rows))
    }

    /// The share of training rows that training has so often.
    fn share_of(&self, repeats: usize) -> f64 {
        (repeats * self.kinds[repeats]) as f64 / self.rows.max(1) as f64
    }

    /// Of kinds that were drawn before; the variance is Esty's (Annals of Statistics 11, 1983).
    fn of_any(&self) -> Share {
        let rows = self.rows.max(1) as f64;
        let once = self.share_of(1);
        Share {
            mean: 1.0 - once,
            variance: (once * (1.0 - once) + self.share_of(2)) / rows,
        }
    }

    /// Of kinds that were drawn `repeats` times. Counts of kinds vary as Poisson's do; one more kind than there is keeps
    /// the variance from being nothing where chance left none.
    fn of_kinds(&self, repeats: usize) -> Share {
        let rows = self.rows.max(1) as f64;
        let [next, after] = [1, 2].map(|more| (repeats + more) as f64);
        let kinds = (self.kinds[repeats + 1] + 1) as f64;
        Share {
            mean: self.share_of(repeats + 1),
            variance: next * (next * kinds + after * self.kinds[repeats + 2] as f64) / (rows * rows),
        }
    }
}

impl Share {
    fn is_exceeded(&self, known: usize, rows: usize) -> bool {
        let n = rows.max(1) as f64;
        let mean = self.mean.min(1.0);
        let error = (self.variance + mean * (1.0 - mean) / n).sqrt();
        // One row more, so that a single known row is never a reason.
        known as f64 > n * (mean + TOLERATED_SHARE + STANDARD_ERRORS * error) + 1.0
    }
}

/// How many rows equal a row that training has r times, by r; more than [`MOST_REPEATS`] times are counted together at 0.
pub(super) fn count_by_repeats(trained: &[u32], rows: impl Iterator<Item = u32>) -> Vec<usize> {
    let mut known = vec![0; MOST_REPEATS + 1];
    for row in rows {
        let first = trained.partition_point(|&hash| hash < row);
        let repeats = trained[first..].iter().take_while(|&&hash| hash == row);
        match repeats.take(MOST_REPEATS + 1).count() {
            0 => {}
            count => known[count % (MOST_REPEATS + 1)] += 1,
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use gradus_tensor::Rng;

    use super::*;

    /// Draws from kinds of which the k-th is as frequent as 1/√k.
    fn draws(rng: &mut Rng, kinds: u32, count: usize) -> Vec<u32> {
        (0..count)
            .map(|_| (rng.uniform().powi(2) * f64::from(kinds)) as u32)
            .collect()
    }

    /// How many of a hundred data sets are refused when this share of their rows was trained on.
    fn refused(leaked: f64, repeat: usize) -> usize {
        let mut rng = Rng::seed_from(7);
        let is_refused = |rng: &mut Rng| {
            let mut trained = draws(rng, 3000, 700).repeat(repeat);
            let mut rows = draws(rng, 3000, 180);
            let count = (leaked * rows.len() as f64) as usize;
            rows[..count].copy_from_slice(&trained[..count]);
            trained.sort_unstable();
            let known = count_by_repeats(&trained, rows.iter().copied());
            Frequencies::new(&trained).are_exceeded(&known, rows.len())
        };
        (0..100).filter(|_| is_refused(&mut rng)).count()
    }

    #[test]
    fn new_rows_that_repeat_pass_and_the_same_with_a_third_of_leaked_rows_do_not() {
        assert!(refused(0.0, 1) <= 2, "{}", refused(0.0, 1));
        assert!(refused(0.33, 1) >= 95, "{}", refused(0.33, 1));
    }

    #[test]
    fn a_training_table_that_holds_each_row_twice_hides_no_leak() {
        // Every training row repeats, so that any share of known rows would be chance's.
        assert_eq!(Frequencies::new(&[1, 1, 2, 2, 3, 3]).expected_share(), 1.0);
        assert!(refused(0.33, 2) >= 95, "{}", refused(0.33, 2));
    }

    #[test]
    fn rows_are_counted_by_how_often_training_has_them() {
        let trained = [1, 2, 2, 9, 9, 9, 9, 9];
        assert_eq!(
            count_by_repeats(&trained, [1, 1, 2, 3, 9].into_iter()),
            [1, 2, 1, 0, 0]
        );
    }
}
