//! Attributions as a picture to lay over another: blue speaks for the answer, red against it.

use super::picture;
use crate::{Picture, Result};

/// The style sheet's colours for data; a picture cannot follow the page's theme, and these stand out on both.
const FOR: [u8; 3] = [43, 101, 217];
const AGAINST: [u8; 3] = [208, 58, 38];

/// Attributions beyond this share of all are drawn as strongly as this one: a single pixel would pale the rest.
const STRONGEST: f64 = 0.99;

/// The `data:` address of a map of attributions `[channels, height, width]`, whose channels are added up.
pub(super) fn data_uri(attributions: &[f64], shape: [usize; 3]) -> Result<String> {
    let [channels, height, width] = shape;
    let plane = height * width;
    let sum = |at: usize| {
        (0..channels)
            .map(|channel| attributions[channel * plane + at])
            .sum::<f64>()
    };
    let sums: Vec<f64> = (0..plane).map(sum).collect();
    let full = strongest(&sums);
    let mut pixels = vec![0u8; 4 * plane];
    for (at, value) in sums.iter().enumerate() {
        let colour = if *value < 0.0 { AGAINST } else { FOR };
        for (channel, colour) in colour.into_iter().enumerate() {
            pixels[channel * plane + at] = colour;
        }
        let strength = (value.abs() / full).min(1.0);
        pixels[3 * plane + at] = (255.0 * strength).round() as u8;
    }
    picture::data_uri(&Picture {
        shape: [4, height, width],
        pixels,
    })
}

fn strongest(sums: &[f64]) -> f64 {
    let mut sizes: Vec<f64> = sums.iter().map(|sum| sum.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let at = (STRONGEST * (sizes.len().max(1) - 1) as f64).ceil() as usize;
    let high = sizes.get(at).copied().unwrap_or(0.0);
    // A map of a few pixels amid zeros has its strongest beyond the share.
    let full = if high > 0.0 {
        high
    } else {
        sizes.last().copied().unwrap_or(0.0)
    };
    full.max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_is_opaque_and_outliers_do_not_pale_the_rest() {
        assert_eq!(strongest(&[0.0, -2.0, 1.0]), 2.0);
        let mut many = vec![1.0; 1000];
        many[0] = 1e9;
        assert_eq!(strongest(&many), 1.0);
        let mut lone = vec![0.0; 1000];
        lone[5] = -3.0;
        assert_eq!(strongest(&lone), 3.0);
        assert!(strongest(&[0.0]) > 0.0);
    }

    #[test]
    fn channels_are_added_up() {
        let address = data_uri(&[1.0, 0.0, -1.0, -4.0], [2, 1, 2]).unwrap();
        assert!(address.starts_with("data:image/png;base64,"), "{address}");
    }
}
