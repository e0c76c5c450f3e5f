//! Random numbers from the binomial distribution.

use gradus_tensor::Rng;

/// Expected counts below this are drawn by [`inversion`]; Hörmann's rejection is made for 10 and above.
const REJECTION_FROM_MEAN: f64 = 10.0;

/// The number of successes in `trials` independent trials of the given success probability.
///
/// `probability` must lie in [0, 1].
pub(super) fn sample(rng: &mut Rng, trials: u64, probability: f64) -> u64 {
    debug_assert!(
        (0.0..=1.0).contains(&probability),
        "bug: probability {probability}"
    );
    if probability > 0.5 {
        return trials - sample_at_most_half(rng, trials, 1.0 - probability);
    }
    sample_at_most_half(rng, trials, probability)
}

fn sample_at_most_half(rng: &mut Rng, trials: u64, probability: f64) -> u64 {
    if trials == 0 || probability <= 0.0 {
        0
    } else if trials as f64 * probability < REJECTION_FROM_MEAN {
        inversion(rng, trials, probability)
    } else {
        transformed_rejection(rng, trials as f64, probability)
    }
}

/// Walks the cumulative distribution from 0 until it passes a uniform number: as many steps as the result.
fn inversion(rng: &mut Rng, trials: u64, probability: f64) -> u64 {
    let odds = probability / (1.0 - probability);
    let mut mass = (trials as f64 * (-probability).ln_1p()).exp();
    let mut remaining = rng.uniform();
    let mut successes = 0;
    while remaining >= mass && successes < trials {
        remaining -= mass;
        successes += 1;
        mass *= odds * (trials - successes + 1) as f64 / successes as f64;
    }
    successes
}

/// Algorithm BTRS of W. Hörmann, "The generation of binomial random variates", Journal of Statistical Computation
/// and Simulation 46 (1993); the constants are the paper's. About 1.15 attempts, each of two uniform numbers.
fn transformed_rejection(rng: &mut Rng, trials: f64, probability: f64) -> u64 {
    let spread = (trials * probability * (1.0 - probability)).sqrt();
    let b = 1.15 + 2.53 * spread;
    let a = -0.0873 + 0.0248 * b + 0.01 * probability;
    let center = trials * probability + 0.5;
    let squeeze = 0.92 - 4.2 / b;
    loop {
        let u = rng.uniform() - 0.5;
        let v = 1.0 - rng.uniform();
        let us = 0.5 - u.abs();
        let candidate = ((2.0 * a / us + b) * u + center).floor();
        if us >= 0.07 && v <= squeeze {
            return candidate as u64;
        }
        if !(0.0..=trials).contains(&candidate) {
            continue;
        }
        let alpha = (2.83 + 5.1 / b) * spread;
        let height = (v * alpha / (a / (us * us) + b)).ln();
        if height <= log_mass_below_mode(candidate, trials, probability) {
            return candidate as u64;
        }
    }
}

/// Logarithm of the binomial mass at `successes`, less that at the mode.
fn log_mass_below_mode(successes: f64, trials: f64, probability: f64) -> f64 {
    let odds = probability / (1.0 - probability);
    let mode = ((trials + 1.0) * probability).floor();
    (mode + 0.5) * ((mode + 1.0) / (odds * (trials - mode + 1.0))).ln()
        + (trials + 1.0) * ((trials - mode + 1.0) / (trials - successes + 1.0)).ln()
        + (successes + 0.5) * (odds * (trials - successes + 1.0) / (successes + 1.0)).ln()
        + stirling_tail(mode)
        + stirling_tail(trials - mode)
        - stirling_tail(successes)
        - stirling_tail(trials - successes)
}

/// `ln(k!)` less Stirling's approximation of it, `(k + ½)·ln(k + 1) − (k + 1) + ½·ln(2π)`.
fn stirling_tail(k: f64) -> f64 {
    /// The first values, where the series below is not yet exact to f64's needs.
    const TAIL: [f64; 10] = [
        0.0810614667953272,
        0.0413406959554092,
        0.0276779256849983,
        0.0207906721037650,
        0.0166446911898211,
        0.0138761288230707,
        0.0118967099458917,
        0.0104112652619720,
        0.0092554621827127,
        0.0083305634333631,
    ];
    if let Some(&tail) = TAIL.get(k as usize) {
        return tail;
    }
    let next = k + 1.0;
    (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / (next * next)) / (next * next)) / next
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chi-square statistic of `draws` samples against the exact distribution, and its degrees of freedom.
    fn chi_square(trials: u64, probability: f64, draws: usize) -> (f64, usize) {
        let mut rng = Rng::seed_from(trials ^ probability.to_bits());
        let mut observed = vec![0usize; trials as usize + 1];
        for _ in 0..draws {
            observed[sample(&mut rng, trials, probability) as usize] += 1;
        }
        let mut log_factorial = vec![0.0f64; trials as usize + 1];
        for k in 1..=trials as usize {
            log_factorial[k] = log_factorial[k - 1] + (k as f64).ln();
        }
        let n = trials as usize;
        let (mut statistic, mut cells) = (0.0, 0usize);
        let (mut rest_expected, mut rest_observed) = (0.0, 0.0);
        for k in 0..=n {
            let log_mass = log_factorial[n] - log_factorial[k] - log_factorial[n - k]
                + k as f64 * probability.ln()
                + (n - k) as f64 * (1.0 - probability).ln();
            rest_expected += log_mass.exp() * draws as f64;
            rest_observed += observed[k] as f64;
            if rest_expected >= 8.0 {
                statistic += (rest_observed - rest_expected).powi(2) / rest_expected;
                cells += 1;
                (rest_expected, rest_observed) = (0.0, 0.0);
            }
        }
        (statistic, cells - 1)
    }

    #[test]
    fn draws_follow_the_exact_distribution() {
        for (trials, probability) in [
            (1, 0.3),
            (5, 0.5),
            (40, 0.02),
            (19, 0.5),
            (21, 0.5),
            (200, 0.06),
            (1000, 0.9),
            (5000, 0.31),
        ] {
            let (statistic, freedom) = chi_square(trials, probability, 200_000);
            // Mean + 5 standard deviations of a chi-square; the seeds are fixed, so this cannot flicker.
            let limit = freedom as f64 + 5.0 * (2.0 * freedom as f64).sqrt() + 5.0;
            assert!(
                statistic < limit,
                "n={trials} p={probability}: {statistic} over {limit}"
            );
        }
    }

    #[test]
    fn stirling_tail_is_what_stirling_leaves() {
        let mut log_factorial = 0.0f64;
        for k in 0..60 {
            let k = k as f64;
            log_factorial += if k > 0.0 { k.ln() } else { 0.0 };
            let stirling = (k + 0.5) * (k + 1.0).ln() - (k + 1.0) + 0.5 * std::f64::consts::TAU.ln();
            assert!(
                (stirling_tail(k) - (log_factorial - stirling)).abs() < 1e-9,
                "{k}"
            );
        }
    }

    #[test]
    fn certain_outcomes_are_certain() {
        let mut rng = Rng::seed_from(3);
        assert_eq!(sample(&mut rng, 100, 1.0), 100);
        assert_eq!(sample(&mut rng, 100, 0.0), 0);
        assert_eq!(sample(&mut rng, 0, 0.5), 0);
    }
}
