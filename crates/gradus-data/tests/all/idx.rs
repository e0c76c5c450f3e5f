//! IDX: what is read, and every way in which a file can lie.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::support::{fixture, idx_bytes, write};
use flate2::Compression;
use flate2::write::GzEncoder;
use gradus_data::{
    DataConfig, Error, Format, Normalize, Preprocessing, Split, load, load_inputs, load_labelled,
    read_idx_images, read_idx_labels,
};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A folder with a training part made of `images` and `labels`.
fn folder_of(images: &[u8], labels: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "train-images-idx3-ubyte", images);
    write(folder.path(), "train-labels-idx1-ubyte", labels);
    folder
}

fn load_error(folder: &Path) -> Error {
    load(&DataConfig::new("."), folder).unwrap_err()
}

#[test]
fn reads_the_sample_of_fashion_mnist() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/fashion-mnist-sample");
    let config = DataConfig {
        validation_fraction: 0.1,
        ..DataConfig::new(".")
    };
    let splits = load(&config, &sample).unwrap();
    let validation = splits.validation.unwrap();
    let test = splits.test.unwrap();
    assert_eq!(
        (splits.train.len(), validation.len(), test.len()),
        (5400, 600, 1000)
    );
    assert_eq!(splits.train.sample_shape(), [1, 28, 28]);
    assert_eq!(splits.train.label_names().len(), 10);
    for class in 0..10 {
        let count = |labels: &[i64]| labels.iter().filter(|&&label| label == class).count();
        assert_eq!(
            (
                count(splits.train.labels()),
                count(validation.labels()),
                count(test.labels())
            ),
            (540, 60, 100)
        );
    }
    // Computed by numpy over the whole set of 60 000: mean 0.2860, standard deviation 0.3530.
    let Preprocessing::Image(image) = &splits.preprocessing else {
        panic!("images are prepared as tables")
    };
    assert!(
        (image.mean[0] - 0.2860).abs() < 0.005 && (image.std[0] - 0.3530).abs() < 0.005,
        "{image:?}"
    );
    // The prepared training samples have mean 0 and variance 1.
    let values = splits.train.samples().tensor(0..5400).to_vec::<f32>().unwrap();
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / values.len() as f64;
    assert!(
        mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-5,
        "{mean} {variance}"
    );
}

#[test]
fn reads_plain_and_gzip_files_alike() {
    let plain = fixture("idx/train-images-idx3-ubyte");
    let folder = tempfile::tempdir().unwrap();
    let packed = write(
        folder.path(),
        "train-images-idx3-ubyte.gz",
        gzip(&fs::read(&plain).unwrap()),
    );
    let images = read_idx_images(&plain).unwrap();
    assert_eq!((images.count, images.height, images.width), (12, 4, 3));
    assert_eq!(read_idx_images(&packed).unwrap(), images);
    assert_eq!(images.pixels, fs::read(&plain).unwrap()[16..]);
    assert_eq!(
        read_idx_labels(&fixture("idx/train-labels-idx1-ubyte")).unwrap(),
        [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]
    );
}

#[test]
fn serving_gives_the_same_bits_as_the_loader() {
    let splits = load(&DataConfig::new("idx"), &fixture("")).unwrap();
    let train = &splits.train;
    let expected = train.samples().tensor(3..4).to_vec::<f32>().unwrap();
    let pixels = train.pixels(3).unwrap();
    let mut served = vec![0.0; 12];
    splits
        .preprocessing
        .json_sample(&serde_json::json!(pixels), &mut served)
        .unwrap();
    assert_eq!(served, expected);
    let rows: Vec<&[u8]> = pixels.chunks(3).collect();
    splits
        .preprocessing
        .json_sample(&serde_json::json!(rows), &mut served)
        .unwrap();
    assert_eq!(served, expected);

    let stored = serde_json::to_string(&splits.preprocessing).unwrap();
    let restored: Preprocessing = serde_json::from_str(&stored).unwrap();
    assert_eq!(restored, splits.preprocessing);
    restored.validate().unwrap();
}

#[test]
fn a_trained_model_reads_data_with_its_own_preparation_and_classes() {
    let config = DataConfig {
        normalize: Normalize::Unit,
        ..DataConfig::new("idx")
    };
    let splits = load(&config, &fixture("")).unwrap();
    let names = splits.train.label_names();
    let test = load_labelled(&fixture("idx"), Split::Test, &splits.preprocessing, names).unwrap();
    assert_eq!(test.fingerprint(), splits.test.unwrap().fingerprint());
    let file = fixture("idx/train-images-idx3-ubyte");
    let train = load_labelled(&file, Split::Test, &splits.preprocessing, names).unwrap();
    assert_eq!(train.fingerprint(), splits.train.fingerprint());
    let inputs = load_inputs(&file, &splits.preprocessing).unwrap();
    assert_eq!(&inputs.samples, splits.train.samples());
    assert_eq!(inputs.names[11], "11");
}

#[test]
fn refuses_a_file_shorter_or_longer_than_its_header_says() {
    for (elements, found) in [(23, 39), (25, 41)] {
        let folder = folder_of(
            &idx_bytes(&[2, 4, 3], &vec![7; elements]),
            &idx_bytes(&[2], &[0, 1]),
        );
        let error = load_error(folder.path());
        assert!(
            matches!(error, Error::IdxLength { expected: 40, found: f, .. } if f == found),
            "{error:?}"
        );
    }
}

#[test]
fn refuses_headers_that_lie_about_huge_sizes() {
    let folder = folder_of(&idx_bytes(&[u32::MAX; 3], &[1]), &idx_bytes(&[2], &[0, 1]));
    assert!(
        matches!(load_error(folder.path()), Error::IdxLength { expected, .. } if expected > u128::from(u64::MAX))
    );
}

#[test]
fn refuses_headers_cut_short_empty_files_and_no_images() {
    for bytes in [&[][..], &[0, 0], &[0, 0, 8, 3, 0, 0]] {
        let folder = folder_of(bytes, &idx_bytes(&[1], &[0]));
        assert!(matches!(load_error(folder.path()), Error::IdxLength { .. }));
    }
    let folder = folder_of(&idx_bytes(&[0, 4, 3], &[]), &idx_bytes(&[0], &[]));
    assert!(matches!(
        load_error(folder.path()),
        Error::Empty { what: "images", .. }
    ));
}

#[test]
fn refuses_other_element_types_and_ranks() {
    let mut floats = idx_bytes(&[1, 1, 1], &[0; 4]);
    floats[2] = 0x0d;
    for bytes in [floats, idx_bytes(&[1], &[1]), b"PK\x03\x04".to_vec()] {
        let error = load_error(folder_of(&bytes, &idx_bytes(&[1], &[0])).path());
        assert!(
            matches!(
                error,
                Error::IdxMagic {
                    expected: [0, 0, 8, 3],
                    ..
                }
            ),
            "{error:?}"
        );
    }
}

#[test]
fn refuses_gzip_cut_short_or_damaged() {
    let packed = gzip(&idx_bytes(&[2, 4, 3], &(0..24).collect::<Vec<u8>>()));
    let mut damaged = packed.clone();
    let checksum = damaged.len() - 6;
    damaged[checksum] ^= 1;
    for bytes in [&packed[..packed.len() / 2], &packed[..packed.len() - 3], &damaged] {
        let error = load_error(folder_of(bytes, &idx_bytes(&[2], &[0, 1])).path());
        assert!(matches!(error, Error::Gzip { .. }), "{error:?}");
    }
}

#[test]
fn refuses_labels_of_another_number_than_images() {
    let folder = folder_of(&idx_bytes(&[2, 1, 1], &[1, 2]), &idx_bytes(&[3], &[0, 1, 0]));
    assert!(matches!(
        load_error(folder.path()),
        Error::LabelCount {
            images: 2,
            labels: 3,
            ..
        }
    ));
}

#[test]
fn refuses_labels_out_of_range() {
    let folder = folder_of(&idx_bytes(&[3, 1, 1], &[1, 2, 3]), &idx_bytes(&[3], &[0, 1, 2]));
    let config = DataConfig {
        class_names: vec!["no".into(), "yes".into()],
        ..DataConfig::new(".")
    };
    let error = load(&config, folder.path()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::LabelOutOfRange {
                index: 2,
                label: 2,
                classes: 2,
                ..
            }
        ),
        "{error:?}"
    );

    // The test part may not have a class that the training part does not.
    write(
        folder.path(),
        "t10k-images-idx3-ubyte",
        idx_bytes(&[1, 1, 1], &[1]),
    );
    write(folder.path(), "t10k-labels-idx1-ubyte", idx_bytes(&[1], &[3]));
    let error = load_error(folder.path());
    assert!(
        matches!(
            error,
            Error::LabelOutOfRange {
                index: 0,
                label: 3,
                classes: 3,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn refuses_images_of_another_shape_than_the_models() {
    let folder = folder_of(&idx_bytes(&[2, 4, 3], &[0; 24]), &idx_bytes(&[2], &[0, 1]));
    write(
        folder.path(),
        "t10k-images-idx3-ubyte",
        idx_bytes(&[1, 3, 4], &[0; 12]),
    );
    write(folder.path(), "t10k-labels-idx1-ubyte", idx_bytes(&[1], &[0]));
    let error = load_error(folder.path());
    assert!(
        matches!(
            error,
            Error::IdxShape {
                expected: [1, 4, 3],
                found: [1, 3, 4],
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn names_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(load_error(folder.path()), Error::UnknownFormat { .. }));
    assert!(matches!(
        load_error(&folder.path().join("nowhere")),
        Error::Io { .. }
    ));
    write(
        folder.path(),
        "t10k-images-idx3-ubyte",
        idx_bytes(&[1, 1, 1], &[0]),
    );
    assert!(matches!(
        load_error(folder.path()),
        Error::NoIdxPart {
            split: Split::Train,
            ..
        }
    ));
    write(
        folder.path(),
        "train-images-idx3-ubyte",
        idx_bytes(&[1, 1, 1], &[0]),
    );
    let error = load_error(folder.path());
    assert!(
        matches!(&error, Error::Io { path, .. } if path.ends_with("train-labels-idx1-ubyte")),
        "{error:?}"
    );
    assert_eq!(Format::infer(folder.path()).unwrap(), Format::Idx);
}

#[test]
fn limits_the_training_samples_to_a_stratified_draw() {
    let config = DataConfig {
        max_samples: Some(6),
        ..DataConfig::new("idx")
    };
    let splits = load(&config, &fixture("")).unwrap();
    let mut labels = splits.train.labels().to_vec();
    labels.sort_unstable();
    assert_eq!(labels, [0, 0, 1, 1, 2, 2]);
    assert_eq!(splits.test.unwrap().len(), 6);
}

#[test]
fn settings_of_another_format_are_refused() {
    let config = DataConfig {
        label: Some("x".into()),
        ..DataConfig::new("idx")
    };
    let error = load(&config, &fixture("")).unwrap_err();
    assert!(matches!(
        error,
        Error::ConfigUnused {
            field: "label",
            format: Format::Idx
        }
    ));
    let config = DataConfig {
        validation_fraction: 1.0,
        ..DataConfig::new("idx")
    };
    let error = load(&config, &fixture("")).unwrap_err();
    assert!(matches!(
        error,
        Error::ConfigValue {
            field: "validation_fraction",
            ..
        }
    ));
}
