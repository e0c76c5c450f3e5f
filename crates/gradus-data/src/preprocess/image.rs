//! Preparation of pictures: one affine function per channel.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json_kind;
use crate::config::Normalize;
use crate::error::{Error, Result};
use crate::limits::MAX_IMAGE_SIDE;
use crate::read::picture::{self, PixelShape};

/// How messages call a picture that did not come from a file.
const UPLOADED: &str = "the picture";

/// Preparation of pictures: `(pixel · scale − mean) / std` with the channel's mean and standard deviation.
///
/// It is computed as `pixel · a + b` with the two factors of [`affine`](Self::affine), which are rounded to f32 once:
/// the same bits for a pixel in a training file and for the same pixel sent to a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagePreprocessing {
    /// `[channels, height, width]`; channels are 1 (grey), 3 (RGB) or 4 (RGBA), sides from 1 to 4096.
    pub shape: [usize; 3],
    /// What raw pixel values from 0 to 255 are multiplied with: 1/255 maps them to 0…1.
    pub scale: f64,
    /// Mean of each channel after scaling.
    pub mean: Vec<f64>,
    /// Standard deviation of each channel after scaling; greater than 0.
    pub std: Vec<f64>,
}

/// The two factors of each channel: `value = pixel · scale + shift`.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelAffine {
    /// Factor per channel.
    pub scale: Vec<f32>,
    /// Summand per channel.
    pub shift: Vec<f32>,
}

impl ImagePreprocessing {
    /// Fits the preparation to pictures `[n, channels, height, width]`, of which those at `indices` are the training
    /// samples.
    pub(crate) fn fit(
        pixels: &[u8],
        shape: [usize; 3],
        indices: &[usize],
        normalize: Normalize,
    ) -> ImagePreprocessing {
        let channels = shape[0];
        let (zeros, ones) = (vec![0.0; channels], vec![1.0; channels]);
        match normalize {
            Normalize::None => ImagePreprocessing {
                shape,
                scale: 1.0,
                mean: zeros,
                std: ones,
            },
            Normalize::Unit => ImagePreprocessing {
                shape,
                scale: 1.0 / 255.0,
                mean: zeros,
                std: ones,
            },
            Normalize::Standard => {
                let (mean, std) = channel_moments(pixels, shape, indices).into_iter().unzip();
                ImagePreprocessing {
                    shape,
                    scale: 1.0 / 255.0,
                    mean,
                    std,
                }
            }
        }
    }

    /// The factors that stand for scale, mean and standard deviation.
    pub fn affine(&self) -> ChannelAffine {
        ChannelAffine {
            scale: self.std.iter().map(|std| (self.scale / std) as f32).collect(),
            shift: self
                .mean
                .iter()
                .zip(&self.std)
                .map(|(mean, std)| (-mean / std) as f32)
                .collect(),
        }
    }

    pub(crate) fn pixel_shape(&self) -> PixelShape {
        let [channels, height, width] = self.shape;
        PixelShape {
            channels,
            height,
            width,
        }
    }

    pub(super) fn validate(&self) -> Result<()> {
        let invalid = |field, expected: String, found: String| {
            Err(Error::PreprocessingValue {
                field,
                expected,
                found,
            })
        };
        let [channels, height, width] = self.shape;
        if !matches!(channels, 1 | 3 | 4)
            || [height, width]
                .iter()
                .any(|side| !(1..=MAX_IMAGE_SIDE).contains(side))
        {
            let expected = format!("1, 3 or 4 channels and sides from 1 to {MAX_IMAGE_SIDE}");
            return invalid("shape", expected, format!("{:?}", self.shape));
        }
        for (field, values) in [("mean", &self.mean), ("std", &self.std)] {
            if values.len() != channels {
                return invalid(
                    field,
                    format!("{channels} values, one per channel"),
                    values.len().to_string(),
                );
            }
        }
        if !self.scale.is_finite() || self.mean.iter().any(|mean| !mean.is_finite()) {
            return invalid(
                "mean",
                "finite numbers".into(),
                format!("{:?} with scale {}", self.mean, self.scale),
            );
        }
        if self.std.iter().any(|std| !(std.is_finite() && *std > 0.0)) {
            return invalid("std", "numbers greater than 0".into(), format!("{:?}", self.std));
        }
        Ok(())
    }

    pub(super) fn describe_input(&self) -> String {
        let [channels, height, width] = self.shape;
        match channels {
            1 => format!(
                "{} pixel values from 0 to 255, flat or [{height}][{width}]",
                height * width
            ),
            _ => format!(
                "{} pixel values from 0 to 255, flat (channel by channel), [{channels}][{height}][{width}] or \
                 [{height}][{width}][{channels}]",
                self.pixel_shape().len()
            ),
        }
    }

    pub(super) fn picture_sample(&self, bytes: &[u8], out: &mut [f32]) -> Result<()> {
        let mut pixels = vec![0u8; self.pixel_shape().len()];
        picture::decode(UPLOADED, bytes, self.pixel_shape(), &mut pixels)?;
        for (value, &pixel) in out.iter_mut().zip(&pixels) {
            *value = f32::from(pixel);
        }
        self.apply(out);
        Ok(())
    }

    pub(super) fn json_sample(&self, value: &Value, out: &mut [f32]) -> Result<()> {
        let shape = array_shape(value);
        if self.arrangement(&shape).is_none() {
            return Err(self.wrong_shape(describe_shape(&shape, value)));
        }
        let mut pixels = Vec::with_capacity(out.len());
        flatten(value, &shape, &mut |number| pixels.push(number))?;
        self.pixel_sample(&shape, &pixels, out)
    }

    /// Writes one sample, given as raw pixel values from 0 to 255 in the order of an array of `shape`, to `out`. The
    /// shapes are those of [`Preprocessing::json_sample`](super::Preprocessing::json_sample).
    ///
    /// # Errors
    /// [`Error::SampleShape`] for another shape or number of pixels, [`Error::PixelRange`] for a value out of range.
    ///
    /// # Panics
    /// When `out` is not as long as a sample.
    pub fn pixel_sample(&self, shape: &[usize], pixels: &[f32], out: &mut [f32]) -> Result<()> {
        assert_eq!(
            out.len(),
            self.pixel_shape().len(),
            "bug: a sample buffer of the wrong length"
        );
        let arrangement = self.arrangement(shape).filter(|_| pixels.len() == out.len());
        let Some(arrangement) = arrangement else {
            return Err(self.wrong_shape(describe_lengths(shape)));
        };
        if let Some(&pixel) = pixels.iter().find(|pixel| !(0.0..=255.0).contains(*pixel)) {
            return Err(Error::PixelRange {
                found: f64::from(pixel),
            });
        }
        match arrangement {
            Arrangement::ChannelsFirst => out.copy_from_slice(pixels),
            Arrangement::ChannelsLast => {
                let [channels, height, width] = self.shape;
                for (place, pixel) in pixels.chunks_exact(channels).enumerate() {
                    for (channel, &value) in pixel.iter().enumerate() {
                        out[channel * height * width + place] = value;
                    }
                }
            }
        }
        self.apply(out);
        Ok(())
    }

    /// How an array of this shape holds a sample, if it can.
    fn arrangement(&self, found: &[usize]) -> Option<Arrangement> {
        let [channels, height, width] = self.shape;
        let flat = [self.pixel_shape().len()];
        if found == self.shape || found == flat || (channels == 1 && found == [height, width]) {
            Some(Arrangement::ChannelsFirst)
        } else if found == [height, width, channels] {
            Some(Arrangement::ChannelsLast)
        } else {
            None
        }
    }

    fn wrong_shape(&self, found: String) -> Error {
        Error::SampleShape {
            expected: self.describe_input(),
            found,
        }
    }

    /// Raw pixel values to the model's, in place.
    fn apply(&self, sample: &mut [f32]) {
        let affine = self.affine();
        let plane_len = self.shape[1] * self.shape[2];
        for ((plane, scale), shift) in sample
            .chunks_exact_mut(plane_len)
            .zip(&affine.scale)
            .zip(&affine.shift)
        {
            for value in plane {
                *value = *value * scale + shift;
            }
        }
    }
}

/// Mean and standard deviation of each channel at scale 1/255. Sums are of integers, so their order does not matter.
fn channel_moments(pixels: &[u8], shape: [usize; 3], indices: &[usize]) -> Vec<(f64, f64)> {
    let [channels, height, width] = shape;
    let plane_len = height * width;
    let mut sums = vec![(0u64, 0u64); channels];
    for &index in indices {
        let sample = &pixels[index * channels * plane_len..][..channels * plane_len];
        for (plane, (sum, square)) in sample.chunks_exact(plane_len).zip(&mut sums) {
            let (plane_sum, plane_square) = plane_sums(plane);
            *sum += plane_sum;
            *square += plane_square;
        }
    }
    let count = (indices.len() * plane_len) as f64;
    sums.into_iter()
        .map(|(sum, square)| {
            let mean = sum as f64 / count;
            let variance = (square as f64 / count - mean * mean).max(0.0);
            // A channel of one value carries nothing; it is centred and otherwise left alone.
            let std = if variance > 0.0 {
                variance.sqrt() / 255.0
            } else {
                1.0
            };
            (mean / 255.0, std)
        })
        .collect()
}

/// Sum and sum of squares. Blocks are short enough for 32-bit sums, which the compiler turns into wide instructions.
fn plane_sums(plane: &[u8]) -> (u64, u64) {
    const BLOCK: usize = 1 << 15;
    plane.chunks(BLOCK).fold((0, 0), |(sum, square), block| {
        let (block_sum, block_square) = block.iter().fold((0u32, 0u32), |(sum, square), &pixel| {
            (
                sum + u32::from(pixel),
                square + u32::from(pixel) * u32::from(pixel),
            )
        });
        (sum + u64::from(block_sum), square + u64::from(block_square))
    })
}

/// The order of a sample's numbers.
#[derive(Clone, Copy)]
enum Arrangement {
    ChannelsFirst,
    ChannelsLast,
}

/// The lengths of nested arrays along their first elements.
fn array_shape(value: &Value) -> Vec<usize> {
    let mut shape = Vec::new();
    let mut value = Some(value);
    while let Some(Value::Array(items)) = value {
        shape.push(items.len());
        value = items.first();
    }
    shape
}

fn describe_shape(shape: &[usize], value: &Value) -> String {
    match shape {
        [] => json_kind(value).to_owned(),
        _ => describe_lengths(shape),
    }
}

fn describe_lengths(shape: &[usize]) -> String {
    match shape {
        [] => "a number".to_owned(),
        [len] => format!("{len} values"),
        _ => shape.iter().map(|len| format!("[{len}]")).collect(),
    }
}

/// Calls `visit` with each number of nested arrays that all have the lengths of `shape`.
fn flatten(value: &Value, shape: &[usize], visit: &mut dyn FnMut(f32)) -> Result<()> {
    let Some((len, inner)) = shape.split_first() else {
        visit(pixel_value(value)?);
        return Ok(());
    };
    match value {
        Value::Array(items) if items.len() == *len => {
            items.iter().try_for_each(|item| flatten(item, inner, visit))
        }
        Value::Array(items) => Err(Error::RaggedSample {
            expected: *len,
            found: items.len(),
        }),
        other => Err(Error::PixelType {
            found: json_kind(other),
        }),
    }
}

fn pixel_value(value: &Value) -> Result<f32> {
    let number = value.as_f64().ok_or_else(|| Error::PixelType {
        found: json_kind(value),
    })?;
    Ok(number as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn colour() -> ImagePreprocessing {
        ImagePreprocessing {
            shape: [3, 1, 2],
            scale: 1.0,
            mean: vec![0.0; 3],
            std: vec![1.0; 3],
        }
    }

    fn sample(preprocessing: &ImagePreprocessing, value: Value) -> Result<Vec<f32>> {
        let mut out = vec![0.0; preprocessing.pixel_shape().len()];
        preprocessing.json_sample(&value, &mut out).map(|()| out)
    }

    #[test]
    fn flat_planar_and_interleaved_arrays_are_one_picture() {
        let expected = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(sample(&colour(), json!([1, 2, 3, 4, 5, 6])).unwrap(), expected);
        assert_eq!(
            sample(&colour(), json!([[[1, 2]], [[3, 4]], [[5, 6]]])).unwrap(),
            expected
        );
        assert_eq!(
            sample(&colour(), json!([[[1, 3, 5], [2, 4, 6]]])).unwrap(),
            expected
        );
    }

    #[test]
    fn wrong_shapes_types_and_ranges_are_told_apart() {
        let refuse = |value| sample(&colour(), value).unwrap_err();
        assert!(matches!(refuse(json!([1, 2])), Error::SampleShape { .. }));
        assert!(matches!(refuse(json!("x")), Error::SampleShape { .. }));
        assert!(matches!(
            refuse(json!([1, 2, 3, 4, 5, "6"])),
            Error::PixelType { found: "a string" }
        ));
        assert!(matches!(
            refuse(json!([1, 2, 3, 4, 5, 256])),
            Error::PixelRange { .. }
        ));
        assert!(matches!(
            refuse(json!([[[1, 2]], [[3, 4]], [[5]]])),
            Error::RaggedSample {
                expected: 2,
                found: 1
            }
        ));
    }

    #[test]
    fn moments_match_the_definition() {
        let pixels: Vec<u8> = (0..24).map(|i| (i * 37 % 256) as u8).collect();
        let moments = channel_moments(&pixels, [2, 2, 2], &[0, 2]);
        let first: Vec<f64> = [0, 1, 2, 3, 16, 17, 18, 19]
            .map(|i: usize| f64::from(pixels[i]) / 255.0)
            .to_vec();
        let mean = first.iter().sum::<f64>() / 8.0;
        let std = (first.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 8.0).sqrt();
        assert!((moments[0].0 - mean).abs() < 1e-12 && (moments[0].1 - std).abs() < 1e-12);
    }
}
