//! What is known of the rows of a data set beside inputs and labels.

use std::collections::BTreeMap;

use gradus_data::{Cell, Column, ColumnValues};

use crate::error::WeightFault;
use crate::{Error, Result};

/// Different values up to which a column of numbers is sliced by value.
const MAX_NUMBERS: usize = 8;

/// Parts of equal size that a column with more numbers is cut into.
const BINS: usize = 4;

/// Values of text that get a slice of their own; the rarer ones share one.
const MAX_VALUES: usize = 20;

/// What rows without a value are called, and rows with a rare one.
const MISSING: &str = "(missing)";
const OTHER: &str = "(other)";

/// What else is known of the rows; empty by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowContext {
    /// Divisions of the rows whose parts are scored alone.
    pub slices: Vec<SliceColumn>,
    /// The group of each row, such as the patient of a visit: intervals come from resampling groups whole.
    pub groups: Option<Vec<u64>>,
    /// What each row weighs in the metrics that are asked for by name.
    pub weights: Option<RowWeights>,
}

/// A weight of each row.
#[derive(Clone, Debug, PartialEq)]
pub struct RowWeights {
    /// The column that they come from.
    pub column: String,
    /// One per row, finite and not negative.
    pub values: Vec<f64>,
}

/// A division of the rows by the values of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceColumn {
    /// The column's name.
    pub name: String,
    /// What the parts are called.
    pub labels: Vec<String>,
    /// The part of each row, an index into `labels`.
    pub parts: Vec<usize>,
}

impl SliceColumn {
    /// Divides by a column: text by value, the rarest of many values together; numbers by value when there are few
    /// different ones, else by quartile. Rows without a value are a part too.
    pub fn of_column(column: &Column) -> SliceColumn {
        let rows = column.values.len();
        let words: Vec<String> = match &column.values {
            ColumnValues::Text(_) => by_value(column, rows),
            ColumnValues::Number(numbers) => by_number(numbers),
        };
        Self::of_words(column.name.clone(), &words)
    }

    fn of_words(name: String, words: &[String]) -> SliceColumn {
        let mut labels: Vec<String> = words.to_vec();
        labels.sort();
        labels.dedup();
        // Every word is among the labels.
        let parts = words
            .iter()
            .map(|word| labels.binary_search(word).unwrap_or(0))
            .collect();
        SliceColumn { name, labels, parts }
    }

    /// The rows of each part.
    pub(super) fn members(&self) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); self.labels.len()];
        for (row, &part) in self.parts.iter().enumerate() {
            members[part].push(row);
        }
        members
    }
}

/// The group of each row by the values of a column; rows without a value are groups of their own.
pub fn groups_of_column(column: &Column) -> Vec<u64> {
    let rows = column.values.len();
    let mut number_of: BTreeMap<String, u64> = BTreeMap::new();
    let group = |row: usize| match column.cell(row) {
        Cell::Missing => (rows + row) as u64,
        Cell::Number(number) => next_number(&mut number_of, number.to_string()),
        Cell::Text(text) => next_number(&mut number_of, text.to_owned()),
    };
    (0..rows).map(group).collect()
}

/// The weight of each row by a column of numbers.
///
/// # Errors
/// [`Error::WeightColumn`] when the column holds text, a row has no weight, a weight is negative or infinite, or all are 0.
pub fn weights_of_column(column: &Column) -> Result<RowWeights> {
    let refused = |fault| Error::WeightColumn {
        column: column.name.clone(),
        fault,
    };
    let ColumnValues::Number(values) = &column.values else {
        return Err(refused(WeightFault::Text));
    };
    for (row, &value) in values.iter().enumerate() {
        if value.is_nan() {
            return Err(refused(WeightFault::Missing { row }));
        }
        if value < 0.0 || value.is_infinite() {
            return Err(refused(WeightFault::Value { row, value }));
        }
    }
    if values.iter().all(|&value| value == 0.0) {
        return Err(refused(WeightFault::AllZero));
    }
    Ok(RowWeights {
        column: column.name.clone(),
        values: values.clone(),
    })
}

fn next_number(number_of: &mut BTreeMap<String, u64>, word: String) -> u64 {
    let next = number_of.len() as u64;
    *number_of.entry(word).or_insert(next)
}

fn by_value(column: &Column, rows: usize) -> Vec<String> {
    let word = |row: usize| match column.cell(row) {
        Cell::Missing => MISSING.to_owned(),
        Cell::Number(number) => number.to_string(),
        Cell::Text(text) => text.to_owned(),
    };
    let mut words: Vec<String> = (0..rows).map(word).collect();
    let mut count_of: BTreeMap<&str, usize> = BTreeMap::new();
    for word in &words {
        *count_of.entry(word).or_default() += 1;
    }
    if count_of.len() > MAX_VALUES {
        let mut by_count: Vec<(&str, usize)> = count_of.into_iter().collect();
        by_count.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        let frequent: Vec<String> = by_count[..MAX_VALUES]
            .iter()
            .map(|(word, _)| (*word).to_owned())
            .collect();
        for word in words.iter_mut().filter(|word| !frequent.contains(word)) {
            *word = OTHER.to_owned();
        }
    }
    words
}

fn by_number(numbers: &[f64]) -> Vec<String> {
    let mut sorted: Vec<f64> = numbers
        .iter()
        .copied()
        .filter(|number| !number.is_nan())
        .collect();
    sorted.sort_by(f64::total_cmp);
    let mut different = sorted.clone();
    different.dedup();
    if different.len() <= MAX_NUMBERS {
        let word = |number: &f64| {
            if number.is_nan() {
                MISSING.to_owned()
            } else {
                number.to_string()
            }
        };
        return numbers.iter().map(word).collect();
    }
    // Lower ends of the parts: the values that start each quarter of the sorted numbers, once each.
    let mut ends: Vec<f64> = (1..BINS).map(|bin| sorted[bin * sorted.len() / BINS]).collect();
    ends.dedup();
    ends.retain(|&end| end > sorted[0]);
    let label = |part: usize| match (part.checked_sub(1).map(|below| ends[below]), ends.get(part)) {
        (None, Some(end)) => format!("below {end}"),
        (Some(start), Some(end)) => format!("{start} to below {end}"),
        (Some(start), None) => format!("{start} and above"),
        (None, None) => "all".to_owned(),
    };
    let word = |number: &f64| match number {
        number if number.is_nan() => MISSING.to_owned(),
        number => label(ends.partition_point(|end| end <= number)),
    };
    numbers.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: Vec<f64>) -> SliceColumn {
        SliceColumn::of_column(&Column {
            name: "age".into(),
            values: ColumnValues::Number(values),
        })
    }

    #[test]
    fn weights_that_say_nothing_are_refused() {
        let weights = |values| {
            weights_of_column(&Column {
                name: "w".into(),
                values: ColumnValues::Number(values),
            })
        };
        assert_eq!(weights(vec![0.0, 2.5]).unwrap().values, [0.0, 2.5]);
        for (values, said) in [
            (vec![1.0, f64::NAN], "row 1 has none"),
            (vec![-1.0, 1.0], "that of row 0 is -1"),
            (vec![1.0, f64::INFINITY], "that of row 1 is inf"),
            (vec![0.0, 0.0], "all of them are 0"),
        ] {
            let error = weights(values).unwrap_err().to_string();
            assert!(error.contains("`w`") && error.contains(said), "{error}");
        }
    }

    #[test]
    fn few_numbers_are_values_and_many_are_quartiles() {
        let few = numbers(vec![1.0, 3.0, f64::NAN, 1.0]);
        assert_eq!(few.labels, ["(missing)", "1", "3"]);
        assert_eq!(few.parts, [1, 2, 0, 1]);
        let many = numbers((0..100).map(f64::from).collect());
        assert_eq!(many.labels.len(), 4);
        assert!(
            many.labels.contains(&"25 to below 50".to_owned()),
            "{:?}",
            many.labels
        );
        assert!(many.members().iter().all(|rows| rows.len() == 25));
    }

    #[test]
    fn a_number_that_most_rows_have_makes_fewer_parts() {
        let mut values = vec![0.0; 80];
        values.extend((1..=20).map(f64::from));
        let column = numbers(values);
        assert_eq!(column.parts.len(), 100);
        assert_eq!(column.labels, ["all"]);
    }
}
