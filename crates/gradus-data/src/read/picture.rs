//! One PNG or JPEG into pixels of a wanted size and number of channels.
//!
//! Training, evaluation and serving all come through [`decode`], so they agree on every rule below:
//! - The orientation a camera recorded (Exif) is applied.
//! - 16-bit samples are rounded to 8 bits; palettes are expanded.
//! - One channel: ITU-R 601 luma in the integer arithmetic of Pillow's `convert("L")`. Three channels: RGB, with grey
//!   repeated. Four: RGBA, opaque where the file has no alpha. Otherwise alpha is dropped, not blended.
//! - Another size is scaled to fit exactly (the aspect ratio is not kept) with a triangle filter whose support grows
//!   when shrinking, as Pillow's `BILINEAR` and torchvision's `Resize(antialias=True)` do.

use std::io::Cursor;

use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

use crate::error::{Error, Result};
use crate::limits::{MAX_IMAGE_FILE_BYTES, MAX_IMAGE_PIXELS, expansion_is_justified};

/// What a decoded picture is turned into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PixelShape {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

impl PixelShape {
    /// Bytes of one picture.
    pub(crate) fn len(self) -> usize {
        self.channels * self.height * self.width
    }

    pub(crate) fn dims(self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }
}

/// The size and colour of a picture as its header states them, before any conversion but the orientation.
pub(crate) fn probe(origin: &str, bytes: &[u8]) -> Result<PixelShape> {
    let mut decoder = checked_decoder(origin, bytes)?;
    let (width, height) = decoder.dimensions();
    let sideways = decoder.orientation().is_ok_and(swaps_sides);
    let (width, height) = if sideways {
        (height, width)
    } else {
        (width, height)
    };
    let channels = if decoder.color_type().has_color() { 3 } else { 1 };
    Ok(PixelShape {
        channels,
        height: height as usize,
        width: width as usize,
    })
}

/// Decodes a picture into `out`, `[channels, height, width]`.
pub(crate) fn decode(origin: &str, bytes: &[u8], shape: PixelShape, out: &mut [u8]) -> Result<()> {
    let failed = |source| Error::Picture {
        origin: origin.to_owned(),
        source,
    };
    let mut decoder = checked_decoder(origin, bytes)?;
    let orientation = decoder.orientation().map_err(failed)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(failed)?;
    picture.apply_orientation(orientation);
    write_planes(convert(picture, shape), shape, out);
    Ok(())
}

/// Refuses files that are not PNG or JPEG and headers that claim more pixels than the file can hold.
fn checked_decoder<'a>(origin: &str, bytes: &'a [u8]) -> Result<impl ImageDecoder + 'a> {
    if bytes.len() as u64 > MAX_IMAGE_FILE_BYTES {
        let (bytes, limit) = (bytes.len() as u64, MAX_IMAGE_FILE_BYTES);
        return Err(Error::PictureFileTooLarge {
            origin: origin.to_owned(),
            bytes,
            limit,
        });
    }
    let format = match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) => format,
        Ok(_) | Err(_) => {
            return Err(Error::NotAPicture {
                origin: origin.to_owned(),
            });
        }
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_IMAGE_PIXELS * 8);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|source| Error::Picture {
        origin: origin.to_owned(),
        source,
    })?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_IMAGE_PIXELS || !expansion_is_justified(bytes.len() as u64, decoder.total_bytes()) {
        let (width, height, limit) = (width.into(), height.into(), MAX_IMAGE_PIXELS);
        let origin = origin.to_owned();
        return Err(Error::PictureTooLarge {
            origin,
            width,
            height,
            bytes: bytes.len() as u64,
            limit,
        });
    }
    Ok(decoder)
}

fn swaps_sides(orientation: image::metadata::Orientation) -> bool {
    use image::metadata::Orientation as O;
    match orientation {
        O::Rotate90 | O::Rotate270 | O::Rotate90FlipH | O::Rotate270FlipH => true,
        O::NoTransforms | O::Rotate180 | O::FlipHorizontal | O::FlipVertical => false,
    }
}

/// The wanted colours first, so that grey is scaled as one plane, then the wanted size.
fn convert(picture: DynamicImage, shape: PixelShape) -> DynamicImage {
    let coloured = match shape.channels {
        1 if picture.color().has_color() => DynamicImage::ImageLuma8(luma(&picture.into_rgb8())),
        1 => DynamicImage::ImageLuma8(picture.into_luma8()),
        3 => DynamicImage::ImageRgb8(picture.into_rgb8()),
        _ => DynamicImage::ImageRgba8(picture.into_rgba8()),
    };
    let (width, height) = (shape.width as u32, shape.height as u32);
    if (coloured.width(), coloured.height()) == (width, height) {
        coloured
    } else {
        coloured.resize_exact(width, height, FilterType::Triangle)
    }
}

/// ITU-R 601 luma with the 16-bit weights of Pillow (`Convert.c`, `L24`).
fn luma(rgb: &RgbImage) -> image::GrayImage {
    let grey = rgb.as_raw().as_chunks::<3>().0.iter().map(|&[r, g, b]| {
        ((u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471 + 0x8000) >> 16) as u8
    });
    image::GrayImage::from_vec(rgb.width(), rgb.height(), grey.collect())
        .expect("one grey byte was collected for each RGB pixel")
}

/// Interleaved pixels into planes.
fn write_planes(picture: DynamicImage, shape: PixelShape, out: &mut [u8]) {
    let interleaved = picture.as_bytes();
    if shape.channels == 1 {
        return out.copy_from_slice(interleaved);
    }
    let plane_len = shape.height * shape.width;
    for (channel, plane) in out.chunks_exact_mut(plane_len).enumerate() {
        for (value, pixel) in plane.iter_mut().zip(interleaved.chunks_exact(shape.channels)) {
            *value = pixel[channel];
        }
    }
}
