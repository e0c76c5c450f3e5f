//! Occlusion: what is lost without a part of the input.

use super::{Attributions, Explained, Features, Questions};
use crate::{Error, Result};

/// What is taken away, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub enum Occlusion<'a> {
    /// Each group of inputs.
    Features(&'a Features),
    /// A window over pictures `[channels, height, width]`, through all channels.
    Window {
        /// Shape of a row.
        shape: [usize; 3],
        /// Height and width of the window.
        size: [usize; 2],
        /// How far it moves down and across.
        stride: [usize; 2],
    },
}

/// How much the explained output falls when a part of the row gives way to `baseline` (one row): the output of the row less
/// the output without the part (Zeiler and Fergus 2014), as Captum's `Occlusion` for windows and `FeatureAblation` for groups.
/// Where windows overlap, a pixel has the mean over the windows that hide it. `values` are `[rows, row_len]` for windows,
/// `[rows, features]` for groups.
///
/// # Errors
/// [`Error::ExplainOption`] for a window that is larger than the picture, a stride larger than the window, or 0; [`Error::LengthMismatch`] for a
/// baseline or groups of another model; those of [`Explained::check`] and [`Explained::evaluate`].
pub fn occlusion(
    model: &Explained,
    questions: &Questions,
    baseline: &[f32],
    parts: &Occlusion,
) -> Result<Attributions> {
    let rows = model.check(questions)?;
    let row_len = model.check_baseline(baseline)?;
    let hidden = hidden_inputs(parts, row_len)?;
    let scores = model.scores(questions)?;
    let mut falls = vec![0.0f64; rows * hidden.len()];
    model.evaluate(
        rows * hidden.len(),
        |at, out| {
            let (row, part) = (at / hidden.len(), at % hidden.len());
            out.copy_from_slice(&questions.rows[row * row_len..][..row_len]);
            hidden[part]
                .iter()
                .for_each(|&input| out[input] = baseline[input]);
        },
        |at, outputs| {
            let row = at / hidden.len();
            falls[at] = scores[row] - f64::from(outputs[questions.targets[row]]);
        },
    )?;
    let values = match parts {
        Occlusion::Features(_) => falls.into_iter().map(|fall| fall as f32).collect(),
        Occlusion::Window { .. } => falls
            .chunks_exact(hidden.len())
            .flat_map(|falls| mean_over_windows(falls, &hidden, row_len))
            .collect(),
    };
    Ok(Attributions {
        values,
        scores,
        baseline_scores: None,
    })
}

/// The inputs that each part hides.
fn hidden_inputs(parts: &Occlusion, row_len: usize) -> Result<Vec<Vec<usize>>> {
    match parts {
        Occlusion::Features(features) => {
            if features.group_of().len() != row_len {
                return Err(Error::LengthMismatch {
                    left_name: "the features' inputs",
                    left: features.group_of().len(),
                    right_name: "a row of inputs",
                    right: row_len,
                });
            }
            let mut hidden = vec![Vec::new(); features.len()];
            for (input, &group) in features.group_of().iter().enumerate() {
                hidden[group].push(input);
            }
            Ok(hidden)
        }
        Occlusion::Window { shape, size, stride } => windows(*shape, *size, *stride),
    }
}

/// Windows from the top left on; the last of a row or column hangs over where the stride does not meet the edge.
fn windows(shape: [usize; 3], size: [usize; 2], stride: [usize; 2]) -> Result<Vec<Vec<usize>>> {
    let [channels, height, width] = shape;
    let fits = (1..=height).contains(&size[0]) && (1..=width).contains(&size[1]);
    // A larger stride would leave pixels that nothing hides.
    let covers = (1..=size[0]).contains(&stride[0]) && (1..=size[1]).contains(&stride[1]);
    if !fits || !covers {
        return Err(Error::ExplainOption {
            option: "window and stride",
            value: format!("{size:?} and {stride:?}"),
            expected: "a window from 1 to the picture's size, and a stride from 1 to the window's",
        });
    }
    let steps = |length: usize, size: usize, stride: usize| (length - size).div_ceil(stride) + 1;
    let mut all = Vec::new();
    for down in 0..steps(height, size[0], stride[0]) {
        for across in 0..steps(width, size[1], stride[1]) {
            let (top, left) = (down * stride[0], across * stride[1]);
            let rows = top..(top + size[0]).min(height);
            let columns = left..(left + size[1]).min(width);
            let plane = rows.flat_map(|y| columns.clone().map(move |x| y * width + x));
            let plane: Vec<usize> = plane.collect();
            let through = (0..channels).flat_map(|c| plane.iter().map(move |&at| c * height * width + at));
            all.push(through.collect());
        }
    }
    Ok(all)
}

fn mean_over_windows(falls: &[f64], windows: &[Vec<usize>], row_len: usize) -> Vec<f32> {
    let mut sums = vec![(0.0f64, 0u32); row_len];
    for (fall, window) in falls.iter().zip(windows) {
        for &input in window {
            sums[input].0 += fall;
            sums[input].1 += 1;
        }
    }
    let mean = |(sum, count): (f64, u32)| (sum / f64::from(count)) as f32;
    sums.into_iter().map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_hang_over_the_edge() {
        let all = windows([1, 3, 4], [2, 3], [2, 3]).unwrap();
        assert_eq!(
            all,
            [vec![0, 1, 2, 4, 5, 6], vec![3, 7], vec![8, 9, 10], vec![11]]
        );
    }

    #[test]
    fn windows_that_cannot_be_are_refused() {
        for (size, stride) in [
            ([0, 1], [1, 1]),
            ([4, 1], [1, 1]),
            ([1, 1], [0, 1]),
            ([2, 2], [1, 3]),
        ] {
            assert!(windows([1, 3, 4], size, stride).is_err(), "{size:?} {stride:?}");
        }
    }
}
