//! One sample of a data set, for people to look at.

use gradus_data::{Features, Preprocessing, Samples, TablePreprocessing, Transform};

/// A sample as it was before preparation.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// A picture.
    Picture(Picture),
    /// A row of a table, column by column.
    Row(Vec<ColumnValue>),
}

/// Raw pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// `[channels, height, width]`.
    pub shape: [usize; 3],
    /// One byte per channel and pixel, channel by channel.
    pub pixels: Vec<u8>,
}

/// A value with the name of its column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnValue {
    /// The column's name.
    pub name: String,
    /// The value, `(missing)` where there is none that training knew.
    pub value: String,
}

impl Sample {
    /// The sample `index`, if the data or its preparation lets it be shown.
    pub(crate) fn of(samples: &Samples, preprocessing: Option<&Preprocessing>, index: usize) -> Option<Self> {
        if let (Some(pixels), &[channels, height, width]) = (samples.pixels(index), samples.shape()) {
            return Some(Self::Picture(Picture {
                shape: [channels, height, width],
                pixels: pixels.to_vec(),
            }));
        }
        match (samples.features(), preprocessing) {
            (Features::F32(values), Some(Preprocessing::Table(table))) => {
                let width = samples.sample_len();
                (table.width() == width)
                    .then(|| Self::Row(restored(table, &values[index * width..][..width])))
            }
            _ => None,
        }
    }
}

/// Undoes the preparation of a row. A missing number shows as the number that stood in for it.
fn restored(table: &TablePreprocessing, mut row: &[f32]) -> Vec<ColumnValue> {
    let restore = |(name, transform): (&String, &Transform)| {
        let width = match transform {
            Transform::Numeric { .. } => 1,
            Transform::Categorical { values } => values.len(),
        };
        let (inputs, rest) = row.split_at(width);
        row = rest;
        let value = match transform {
            Transform::Numeric { mean, std, .. } => rounded(f64::from(inputs[0]) * std + mean),
            Transform::Categorical { values } => {
                let known = inputs.iter().position(|&input| input > 0.5);
                known.map_or_else(|| "(missing)".to_owned(), |at| values[at].clone())
            }
        };
        ColumnValue {
            name: name.clone(),
            value,
        }
    };
    table
        .columns
        .iter()
        .map(|column| (&column.name, &column.transform))
        .map(restore)
        .collect()
}

/// Five significant digits: what f32 keeps after being centred and scaled.
fn rounded(value: f64) -> String {
    let text = format!("{value:.4e}");
    text.parse::<f64>().map_or(text, |short| short.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_data::ColumnTransform;

    #[test]
    fn rows_show_what_they_were_before_preparation() {
        let numeric = Transform::Numeric {
            mean: 30.0,
            std: 12.5,
            fill: 28.0,
        };
        let categorical = Transform::Categorical {
            values: vec!["first".into(), "second".into()],
        };
        let column = |name: &str, transform| ColumnTransform {
            name: name.into(),
            transform,
        };
        let columns = vec![
            column("age", numeric),
            column("class", categorical.clone()),
            column("deck", categorical),
        ];
        let table = TablePreprocessing {
            label: "survived".into(),
            columns,
            targets: None,
        };
        let shown = restored(&table, &[(22.0 - 30.0) / 12.5, 0.0, 1.0, 0.0, 0.0]);
        let shown: Vec<_> = shown
            .iter()
            .map(|c| (c.name.as_str(), c.value.as_str()))
            .collect();
        assert_eq!(shown, [("age", "22"), ("class", "second"), ("deck", "(missing)")]);
    }

    #[test]
    fn numbers_lose_the_noise_of_f32() {
        assert_eq!(rounded(21.999998), "22");
        assert_eq!(rounded(0.0), "0");
        assert_eq!(rounded(-1234567.8), "-1234600");
    }
}
