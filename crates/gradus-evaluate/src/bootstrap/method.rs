//! From resampled statistics to an interval.

use serde::{Deserialize, Serialize};

use super::{Interval, normal};

/// How the ends of an interval are read off the resamples.
///
/// [`Method::Percentile`] is the default, by measurement: of 3,000 simulated data sets of 200 rows with a rare class, the
/// 95 % intervals of macro-F1 hold the truth 94.8 % of the time by percentile, 97.1 % by BCa and 90.5 % by basic; of
/// 2,000 rows and for even classes the three are within a point of each other, but for basic at 200 rows (93.6 %).
/// `cargo run --release -p gradus-evaluate --example coverage` prints the figures.
///
/// Sources: B. Efron and R. Tibshirani, *An Introduction to the Bootstrap*, 1993, chapters 13 and 14; the numbers are
/// those of `scipy.stats.bootstrap`. Quantiles are interpolated linearly, as NumPy does by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The quantiles of the resampled statistic.
    #[default]
    Percentile,
    /// The quantiles mirrored at the statistic itself: its error is taken to fall as that of the resamples falls. The
    /// ends may lie outside the metric's range.
    Basic,
    /// Percentiles moved by a bias correction and an acceleration (BCa): second-order correct, and wider than needed where a class has a handful of rows.
    Bca,
}

impl Method {
    /// Its name in options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Method::Percentile => "percentile",
            Method::Basic => "basic",
            Method::Bca => "bca",
        }
    }

    /// The interval that holds `confidence`, in (0, 1), of a statistic whose value on the sample is `value` and on the
    /// resamples `resampled`, which is reordered. `acceleration` comes from the jackknife (see [`acceleration`]); only
    /// [`Method::Bca`] looks at it.
    ///
    /// # Panics
    /// When there are no resamples.
    pub fn interval(self, resampled: &mut [f64], value: f64, acceleration: f64, confidence: f64) -> Interval {
        let tail = (1.0 - confidence) / 2.0;
        let shares = match self {
            Method::Percentile | Method::Basic => [tail, 1.0 - tail],
            Method::Bca => {
                let correction = bias_correction(resampled, value);
                [tail, 1.0 - tail].map(|share| moved(share, correction, acceleration))
            }
        };
        let [lower, upper] = shares.map(|share| quantile(resampled, share));
        match self {
            Method::Percentile | Method::Bca => Interval { lower, upper },
            Method::Basic => Interval {
                lower: 2.0 * value - upper,
                upper: 2.0 * value - lower,
            },
        }
    }
}

/// BCa's z₀: the normal quantile of the share of resamples below the statistic's value, ties counting half.
///
/// The share is kept half a resample away from 0 and 1, where z₀ would be infinite.
pub fn bias_correction(resampled: &[f64], value: f64) -> f64 {
    let below = resampled.iter().filter(|&&other| other < value).count();
    let ties = resampled.iter().filter(|&&other| other == value).count();
    let margin = 0.5 / resampled.len() as f64;
    let share = (below as f64 + 0.5 * ties as f64) / resampled.len() as f64;
    normal::quantile(share.clamp(margin, 1.0 - margin))
}

/// The share that takes the place of `share` among the sorted resamples.
fn moved(share: f64, correction: f64, acceleration: f64) -> f64 {
    let shifted = correction + normal::quantile(share);
    let stretch = 1.0 - acceleration * shifted;
    if stretch <= 0.0 {
        // Past the pole of the formula, whose limit is the outermost resample.
        return if shifted > 0.0 { 1.0 } else { 0.0 };
    }
    normal::cumulative(correction + shifted / stretch)
}

/// The statistic with one unit left out, in turn, of one sample (or one stratum): what BCa's acceleration is made of.
///
/// Only sums are kept, of differences to the statistic's value on the whole sample, so that equal units cost one
/// evaluation however many they are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Jackknife {
    units: f64,
    sum: f64,
    squares: f64,
    cubes: f64,
}

impl Jackknife {
    /// Adds `units` equal units, without any one of which the statistic changes by `difference`.
    pub fn add(&mut self, difference: f64, units: u64) {
        let units = units as f64;
        self.units += units;
        self.sum += units * difference;
        self.squares += units * difference * difference;
        self.cubes += units * difference * difference * difference;
    }

    /// Second and third moments of the influence of the units, scaled for adding up over strata.
    fn moments(&self) -> [f64; 2] {
        if self.units < 2.0 {
            return [0.0, 0.0];
        }
        let mean = self.sum / self.units;
        let squares = self.squares - self.units * mean * mean;
        let cubes = 2.0 * self.units * mean.powi(3) - 3.0 * mean * self.squares + self.cubes;
        let scale = (self.units - 1.0) / self.units;
        // A unit that raises the statistic lowers it by its absence.
        [squares.max(0.0) * scale.powi(2), -cubes * scale.powi(3)]
    }
}

/// BCa's acceleration from the jackknife of each stratum; one for a sample without strata.
///
/// It is `Σ U³ / (6 (Σ U²)^(3/2))` with the units' influences U, as Efron and Tibshirani have it in equation 14.15 and
/// `scipy.stats.bootstrap` for several samples. 0 when no unit changes the statistic.
pub fn acceleration(strata: impl IntoIterator<Item = Jackknife>) -> f64 {
    let [squares, cubes] = strata.into_iter().fold([0.0, 0.0], |sums, stratum| {
        let moments = stratum.moments();
        [sums[0] + moments[0], sums[1] + moments[1]]
    });
    if squares > 0.0 {
        cubes / (6.0 * squares.powf(1.5))
    } else {
        0.0
    }
}

/// The quantile with linear interpolation between order statistics: NumPy's default. Reorders `values`.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    let position = share * (values.len() - 1) as f64;
    let fraction = position.fract();
    let (_, &mut below, above) = values.select_nth_unstable_by(position as usize, f64::total_cmp);
    let next = above.iter().copied().min_by(f64::total_cmp).unwrap_or(below);
    below + (next - below) * fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_as_numpy_does() {
        let mut values = [7.0, 1.0, 4.0, 2.0];
        assert_eq!(quantile(&mut values, 0.0), 1.0);
        assert_eq!(quantile(&mut values, 0.25), 1.75);
        assert_eq!(quantile(&mut values, 0.5), 3.0);
        assert_eq!(quantile(&mut values, 1.0), 7.0);
    }

    #[test]
    fn methods_agree_on_symmetric_resamples() {
        let resampled: Vec<f64> = (0..=1000).map(f64::from).collect();
        let of = |method: Method| method.interval(&mut resampled.clone(), 500.0, 0.0, 0.95);
        for method in [Method::Percentile, Method::Basic, Method::Bca] {
            let interval = of(method);
            assert!((interval.lower - 25.0).abs() < 1e-9, "{interval:?}");
            assert!((interval.upper - 975.0).abs() < 1e-9, "{interval:?}");
        }
    }

    #[test]
    fn constant_statistics_have_intervals_without_width() {
        for method in [Method::Percentile, Method::Basic, Method::Bca] {
            let interval = method.interval(&mut [1.0; 100], 1.0, acceleration([]), 0.95);
            assert_eq!((interval.lower, interval.upper), (1.0, 1.0));
        }
    }

    #[test]
    fn extreme_corrections_stay_among_the_resamples() {
        let resampled: Vec<f64> = (0..200).map(f64::from).collect();
        for (value, acceleration) in [(-5.0, 0.0), (500.0, 0.9), (-5.0, -0.9), (100.0, 3.0)] {
            let interval = Method::Bca.interval(&mut resampled.clone(), value, acceleration, 0.99);
            assert!((0.0..=199.0).contains(&interval.lower), "{interval:?}");
            assert!((0.0..=199.0).contains(&interval.upper), "{interval:?}");
        }
    }
}
