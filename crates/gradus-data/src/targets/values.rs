//! Numbers to be learnt: out of columns of a table, standardised by what the training rows show.

use super::columns::missing;
use super::{TargetScale, Targets, ValueColumn};
use crate::error::{Error, Result};
use crate::locate::Location;
use crate::preprocess::standard_scale;
use crate::table::{Cell, Column, ColumnValues, parse_number};

/// The numbers of columns, row by row, not standardised yet.
///
/// # Errors
/// For a cell without a number or with something else, with its place.
pub(crate) fn values_of_columns(location: &Location, columns: Vec<Column>) -> Result<Targets> {
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let columns: Vec<Vec<f64>> = columns
        .into_iter()
        .map(|column| numbers(location, column))
        .collect::<Result<_>>()?;
    let rows = columns.first().map_or(0, Vec::len);
    let values = (0..rows)
        .flat_map(|row| columns.iter().map(move |column| column[row]))
        .collect();
    let scales = vec![TargetScale::IDENTITY; names.len()];
    Ok(Targets::Values {
        values,
        scales,
        names,
    })
}

fn numbers(location: &Location, column: Column) -> Result<Vec<f64>> {
    let numbers = match column.values {
        ColumnValues::Number(numbers) => numbers,
        ColumnValues::Text(text) => {
            let read = |row| match text.get(row) {
                Some(word) => parse_number(word).ok_or_else(|| Error::TargetNotANumber {
                    path: location.path().to_owned(),
                    place: location.place(row),
                    column: column.name.clone(),
                    found: word.to_owned(),
                }),
                None => Ok(f64::NAN),
            };
            (0..text.len()).map(read).collect::<Result<_>>()?
        }
    };
    match numbers
        .iter()
        .position(|&number| Cell::from_number(number) == Cell::Missing)
    {
        Some(row) => Err(missing(location, row, &column.name)),
        None => Ok(numbers),
    }
}

/// How each output is standardised, by the rows at `rows`: to mean 0 and standard deviation 1.
pub(super) fn fit(values: &[f64], names: &[String], rows: &[usize]) -> Vec<ValueColumn> {
    let outputs = names.len();
    let of_output = |(output, name): (usize, &String)| {
        let numbers: Vec<f64> = rows.iter().map(|&row| values[row * outputs + output]).collect();
        let (mean, std) = standard_scale(&numbers);
        ValueColumn {
            name: name.clone(),
            mean,
            std,
        }
    };
    names.iter().enumerate().map(of_output).collect()
}

/// One scale for each output, and numbers that stay numbers in the model's 32 bits.
pub(super) fn check(values: &[f64], scales: &[TargetScale], names: &[String]) -> Result<()> {
    if scales.len() != names.len() {
        return Err(Error::TargetScales {
            scales: scales.len(),
            outputs: names.len(),
        });
    }
    for (index, row) in values.chunks_exact(names.len()).enumerate() {
        for ((&value, scale), name) in row.iter().zip(scales).zip(names) {
            if !scale.standardize(value).is_finite() {
                return Err(Error::TargetOutOfRange {
                    column: name.clone(),
                    index,
                    value,
                });
            }
        }
    }
    Ok(())
}
