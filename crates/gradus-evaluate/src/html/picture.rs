//! Pictures inside the page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use crate::Picture;
use crate::{Error, Result};

/// The picture as a `data:` address of a PNG.
pub(super) fn data_uri(picture: &Picture) -> Result<String> {
    let [channels, height, width] = picture.shape;
    let color = match channels {
        1 => ExtendedColorType::L8,
        3 => ExtendedColorType::Rgb8,
        4 => ExtendedColorType::Rgba8,
        _ => return Err(Error::PictureChannels { channels }),
    };
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(&interleaved(picture), width as u32, height as u32, color)
        .map_err(|source| Error::Picture { source })?;
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(png)))
}

/// Channel planes as pixels.
fn interleaved(picture: &Picture) -> Vec<u8> {
    let [channels, height, width] = picture.shape;
    let plane = height * width;
    (0..plane)
        .flat_map(|at| (0..channels).map(move |channel| picture.pixels[channel * plane + at]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_survives_its_address() {
        let picture = Picture {
            shape: [3, 1, 2],
            pixels: vec![10, 20, 30, 40, 50, 60],
        };
        let address = data_uri(&picture).unwrap();
        let encoded = address.strip_prefix("data:image/png;base64,").unwrap();
        let decoded = image::load_from_memory(&STANDARD.decode(encoded).unwrap())
            .unwrap()
            .to_rgb8();
        assert_eq!(decoded.into_raw(), [10, 30, 50, 20, 40, 60]);
    }
}
