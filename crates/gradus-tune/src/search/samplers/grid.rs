//! Every combination of all values.

use super::super::space::{Domain, Parameter, Space};
use crate::{Error, Result};

/// The number of combinations.
pub(super) fn size(space: &Space) -> Result<u64> {
    space
        .parameters()
        .iter()
        .try_fold(1u64, |size, parameter| Ok(size.saturating_mul(count(parameter)?)))
}

/// The combination of this number; the last parameter changes first.
pub(super) fn point(space: &Space, number: u64) -> Result<Vec<f64>> {
    let mut rest = number;
    let mut point = Vec::with_capacity(space.len());
    for parameter in space.parameters().iter().rev() {
        let values = count(parameter)?;
        point.push(value(&parameter.domain, rest % values, values));
        rest /= values;
    }
    point.reverse();
    Ok(point)
}

fn count(parameter: &Parameter) -> Result<u64> {
    let points = match &parameter.domain {
        Domain::Range(range) => range.points.map(u64::from),
        Domain::Choice(_) => None,
    };
    match (points, parameter.domain.size()) {
        (Some(points), Some(size)) => Ok(points.min(size)),
        (Some(points), None) => Ok(points),
        (None, Some(size)) => Ok(size),
        (None, None) => Err(Error::SpaceKey {
            key: parameter.key.clone(),
            problem: "a grid cannot have all numbers of a range".to_owned(),
            expected: "`points = 5`, a `step`, or choices".to_owned(),
        }),
    }
}

/// The value at a place of so many, spread evenly from end to end.
fn value(domain: &Domain, place: u64, values: u64) -> f64 {
    match domain {
        Domain::Choice(_) => place as f64,
        Domain::Range(range) => {
            let share = if values > 1 {
                place as f64 / (values - 1) as f64
            } else {
                0.5
            };
            let [low, high] = [range.scaled(range.low), range.scaled(range.high)];
            range.unscaled(low + share * (high - low))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_every_combination_once() {
        let space = Space::parse(
            "a.x = { choices = ['p', 'q'] }\na.y = { low = 1e-2, high = 1.0, log = true, points = 3 }\na.z = { low = 3, high = 7, step = 2 }",
        )
        .unwrap();
        assert_eq!(size(&space).unwrap(), 18);
        let mut points: Vec<String> = (0..18)
            .map(|number| format!("{:.3?}", point(&space, number).unwrap()))
            .collect();
        assert_eq!(points[0], "[0.000, 0.010, 3.000]");
        assert_eq!(points[4], "[0.000, 0.100, 5.000]");
        assert_eq!(points[17], "[1.000, 1.000, 7.000]");
        points.dedup();
        points.sort();
        points.dedup();
        assert_eq!(points.len(), 18);
    }

    #[test]
    fn a_range_without_points_has_no_grid() {
        let space = Space::parse("a.x = { low = 0.0, high = 1.0 }").unwrap();
        assert!(matches!(size(&space), Err(Error::SpaceKey { .. })));
    }
}
