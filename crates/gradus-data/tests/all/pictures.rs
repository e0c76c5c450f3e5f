//! Pictures: agreement with Pillow, folders by class, and files that are none.

use std::collections::BTreeMap;
use std::fs;

use crate::support::{fixture, write};
use gradus_data::{
    DataConfig, Error, ImagePreprocessing, Preprocessing, Split, load, load_inputs, load_labelled,
};
use serde::Deserialize;

/// Decoders of JPEG differ in rounding, and in how they interpolate colour that is stored at half the size; 4 is the
/// worst pixel of these files. PNG is exact.
const JPEG_TOLERANCE: f32 = 4.0;

/// Pillow scales in fixed point, horizontally and then vertically, and rounds in between.
const RESIZE_TOLERANCE: f32 = 1.0;

/// What Pillow makes of a picture.
#[derive(Deserialize)]
struct Expected {
    size: [usize; 2],
    grey: Vec<f32>,
    rgb: Vec<f32>,
    grey_4x6: Vec<f32>,
}

fn expectations() -> BTreeMap<String, Expected> {
    serde_json::from_slice(&fs::read(fixture("pictures.json")).unwrap()).unwrap()
}

fn raw(shape: [usize; 3]) -> Preprocessing {
    let channels = shape[0];
    Preprocessing::Image(ImagePreprocessing {
        shape,
        scale: 1.0,
        mean: vec![0.0; channels],
        std: vec![1.0; channels],
    })
}

fn decode(bytes: &[u8], shape: [usize; 3]) -> Result<Vec<f32>, Error> {
    let mut out = vec![0.0; shape.iter().product()];
    raw(shape).picture_sample(bytes, &mut out).map(|()| out)
}

fn assert_close(name: &str, got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len(), "{name}");
    let worst = got
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(worst <= tolerance, "{name}: off by {worst}, allowed {tolerance}");
}

#[test]
fn decodes_converts_and_scales_as_pillow_does() {
    for (name, expected) in expectations() {
        let bytes = fs::read(fixture("pictures").join(&name)).unwrap();
        let tolerance = if name.ends_with("jpg") {
            JPEG_TOLERANCE
        } else {
            0.0
        };
        let [height, width] = expected.size;
        let grey = decode(&bytes, [1, height, width]).unwrap();
        assert_close(&name, &grey, &expected.grey, tolerance);
        let rgb = decode(&bytes, [3, height, width]).unwrap();
        assert_close(&name, &rgb, &expected.rgb, tolerance);
        let small = decode(&bytes, [1, 4, 6]).unwrap();
        assert_close(&name, &small, &expected.grey_4x6, tolerance + RESIZE_TOLERANCE);
    }
}

#[test]
fn alpha_is_kept_only_where_the_model_takes_it() {
    let bytes = fs::read(fixture("pictures/rgba.png")).unwrap();
    let rgba = decode(&bytes, [4, 9, 12]).unwrap();
    assert_eq!(rgba[..3 * 108], decode(&bytes, [3, 9, 12]).unwrap());
    assert!(rgba[3 * 108..].iter().any(|&alpha| alpha != 255.0));
    let opaque = decode(&fs::read(fixture("pictures/rgb.png")).unwrap(), [4, 9, 12]).unwrap();
    assert!(opaque[3 * 108..].iter().all(|&alpha| alpha == 255.0));
}

#[test]
fn a_folder_of_classes_is_read_in_order() {
    let splits = load(&DataConfig::new("classes"), &fixture("")).unwrap();
    assert_eq!(splits.train.label_names(), ["ant", "bee", "cat 10"]);
    assert_eq!(splits.train.labels(), [0, 0, 1, 1, 2, 2]);
    assert_eq!(splits.train.sample_shape(), [3, 6, 6]);
    let names = splits.train.label_names();
    let again = load_labelled(&fixture("classes"), Split::Test, &splits.preprocessing, names).unwrap();
    assert_eq!(again.fingerprint(), splits.train.fingerprint());

    // A picture sent to a server is what the loader gives for its file.
    let bytes = fs::read(fixture("classes/bee/1.jpg")).unwrap();
    let mut served = vec![0.0; 108];
    splits.preprocessing.picture_sample(&bytes, &mut served).unwrap();
    assert_eq!(
        served,
        splits.train.samples().tensor(3..4).to_vec::<f32>().unwrap()
    );
}

#[test]
fn folders_called_as_parts_are_parts() {
    let folder = tempfile::tempdir().unwrap();
    let png = fs::read(fixture("classes/bee/0.png")).unwrap();
    for part in ["train", "test", "val"] {
        for class in ["x", "y"] {
            write(folder.path(), &format!("{part}/{class}/0.png"), &png);
        }
    }
    let splits = load(&DataConfig::new("."), folder.path()).unwrap();
    assert_eq!(splits.train.label_names(), ["x", "y"]);
    assert_eq!(
        (splits.test.unwrap().len(), splits.validation.unwrap().len()),
        (2, 2)
    );

    // With a folder of another name beside them they are classes.
    write(folder.path(), "bus/0.png", &png);
    for class in ["train", "test", "val"] {
        write(folder.path(), &format!("{class}/0.png"), &png);
    }
    let splits = load(&DataConfig::new("."), folder.path()).unwrap();
    assert_eq!(splits.train.label_names(), ["bus", "test", "train", "val"]);
}

#[test]
fn predicts_on_one_picture_and_on_folders() {
    let Preprocessing::Image(image) = raw([1, 5, 5]) else {
        unreachable!()
    };
    let model = Preprocessing::Image(image);
    let one = load_inputs(&fixture("pictures/rgb.png"), &model).unwrap();
    assert_eq!((one.samples.len(), one.samples.shape()), (1, &[1, 5, 5][..]));
    let loose = load_inputs(&fixture("pictures"), &model).unwrap();
    assert_eq!(loose.samples.len(), 6);
    assert!(loose.names[0].ends_with("grey.png"), "{:?}", loose.names);
    assert_eq!(load_inputs(&fixture("classes"), &model).unwrap().samples.len(), 6);
}

#[test]
fn refuses_pictures_of_several_sizes_unless_told_to_scale() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "a/0.png",
        fs::read(fixture("pictures/rgb.png")).unwrap(),
    );
    write(
        folder.path(),
        "b/0.png",
        fs::read(fixture("pictures/grey.png")).unwrap(),
    );
    let config = DataConfig::new(".");
    let error = load(&config, folder.path()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::MixedPictureSizes {
                expected: [9, 12],
                found: [7, 5],
                ..
            }
        ),
        "{error:?}"
    );
    let config = DataConfig {
        image_size: Some([8, 8]),
        channels: Some(1),
        ..config
    };
    assert_eq!(
        load(&config, folder.path()).unwrap().train.sample_shape(),
        [1, 8, 8]
    );
}

#[test]
fn refuses_files_that_are_no_pictures() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "a/0.png",
        fs::read(fixture("pictures/rgb.png")).unwrap(),
    );
    write(folder.path(), "b/0.png", "not a picture");
    write(folder.path(), "b/1.png", "nor this");
    let error = load(&DataConfig::new("."), folder.path()).unwrap_err();
    assert!(
        matches!(&error, Error::NotAPicture { origin } if origin.ends_with("b/0.png")),
        "{error:?}"
    );

    let png = fs::read(fixture("pictures/rgb.png")).unwrap();
    assert!(matches!(
        decode(&png[..png.len() / 2], [1, 9, 12]),
        Err(Error::Picture { .. })
    ));
    assert!(matches!(decode(&[], [1, 9, 12]), Err(Error::NotAPicture { .. })));
    assert!(matches!(
        decode(b"GIF89a", [1, 9, 12]),
        Err(Error::NotAPicture { .. })
    ));
}

#[test]
fn refuses_a_header_that_claims_more_pixels_than_the_file_can_hold() {
    let mut png = fs::read(fixture("pictures/rgb.png")).unwrap();
    // IHDR: length, type, width, height, …, then a CRC over type and data.
    png[16..24].copy_from_slice(&[0, 0, 0x1f, 0xff, 0, 0, 0x1f, 0xff]);
    let mut crc = flate2::Crc::new();
    crc.update(&png[12..29]);
    png[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    let error = decode(&png, [1, 9, 12]).unwrap_err();
    assert!(
        matches!(
            error,
            Error::PictureTooLarge {
                width: 8191,
                height: 8191,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn names_empty_folders_and_lonely_classes() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("a")).unwrap();
    let error = load(&DataConfig::new("."), folder.path()).unwrap_err();
    assert!(
        matches!(&error, Error::Empty { path, what: "PNG or JPEG files" } if path.ends_with("a")),
        "{error:?}"
    );
    write(
        folder.path(),
        "a/0.png",
        fs::read(fixture("pictures/rgb.png")).unwrap(),
    );
    let error = load(&DataConfig::new("."), folder.path()).unwrap_err();
    assert!(
        matches!(&error, Error::SingleClass { name, .. } if name == "a"),
        "{error:?}"
    );
}

#[test]
fn a_class_the_model_does_not_know_is_named() {
    let splits = load(&DataConfig::new("classes"), &fixture("")).unwrap();
    let names = ["ant".to_owned(), "bee".to_owned()];
    let error = load_labelled(&fixture("classes"), Split::Test, &splits.preprocessing, &names).unwrap_err();
    assert!(
        matches!(&error, Error::UnknownLabel { label, .. } if label == "cat 10"),
        "{error:?}"
    );
}
