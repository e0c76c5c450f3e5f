//! Columns that say how to divide a table's rows, and are no inputs: groups and times.

use crate::error::Result;
use crate::locate::Location;
use crate::read::csv::read_csv;
use crate::read::parquet::read_parquet;
use crate::split::SplitError;
use crate::table::{ColumnChoice, ColumnValues, TextColumn};
use std::collections::HashMap;

/// A number for each row's group: the same for equal cells.
pub(crate) fn read_groups(location: &Location, column: &str) -> Result<Vec<i64>> {
    let name = column.to_owned();
    match read_column(location, column, &[name])? {
        ColumnValues::Text(words) => groups_of(&words, column),
        ColumnValues::Number(_) => unreachable!("bug: a column asked for as text was read as numbers"),
    }
}

/// Each row's time: the column's number, or the place of its date among all dates of the column.
pub(crate) fn read_times(location: &Location, column: &str) -> Result<Vec<f64>> {
    match read_column(location, column, &[])? {
        ColumnValues::Number(times) => Ok(times),
        ColumnValues::Text(words) => times_of(&words, column),
    }
}

fn read_column(location: &Location, column: &str, text: &[String]) -> Result<ColumnValues> {
    let keep = [column.to_owned()];
    let choice = ColumnChoice {
        keep: Some(&keep),
        text,
        ..ColumnChoice::default()
    };
    let mut table = match location {
        Location::Csv(path) => read_csv(path, choice)?,
        Location::Parquet(path) => read_parquet(path, choice)?,
        Location::Idx(_) | Location::Folder(_) => {
            let column = column.to_owned();
            return Err(SplitError::NeedsTable { column }.into());
        }
    };
    let taken = table
        .take_column(column)
        .expect("bug: a reader left out the one column asked for");
    Ok(taken.values)
}

fn groups_of(words: &TextColumn, column: &str) -> Result<Vec<i64>> {
    let mut number_of: HashMap<&str, i64> = HashMap::new();
    let group = |row: usize| {
        let word = words.get(row).ok_or_else(|| SplitError::NoGroup {
            column: column.to_owned(),
            row,
        })?;
        let next = number_of.len() as i64;
        Ok(*number_of.entry(word).or_insert(next))
    };
    (0..words.len()).map(group).collect()
}

fn times_of(words: &TextColumn, column: &str) -> Result<Vec<f64>> {
    let mut dates: Vec<&str> = (0..words.len()).filter_map(|row| words.get(row)).collect();
    dates.sort_unstable();
    dates.dedup();
    if let Some(found) = dates.iter().find(|date| !is_iso_date(date)) {
        return Err(SplitError::NotATime {
            column: column.to_owned(),
            found: (*found).to_owned(),
        }
        .into());
    }
    let place: HashMap<&str, usize> = dates
        .iter()
        .enumerate()
        .map(|(place, &date)| (date, place))
        .collect();
    let time = |row| words.get(row).map_or(f64::NAN, |date| place[date] as f64);
    Ok((0..words.len()).map(time).collect())
}

/// Whether a text starts as `2026-03-31` does. Such texts are in order of time when they are in order of their characters.
fn is_iso_date(text: &str) -> bool {
    let shape = b"dddd-dd-dd";
    text.len() >= shape.len()
        && text.bytes().zip(shape).all(|(byte, &expected)| match expected {
            b'd' => byte.is_ascii_digit(),
            _ => byte == expected,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_told_from_other_text() {
        assert!(is_iso_date("2026-03-31") && is_iso_date("2026-03-31T10:00:00Z"));
        assert!(!is_iso_date("31.03.2026") && !is_iso_date("2026-3-31") && !is_iso_date("2026"));
    }
}
