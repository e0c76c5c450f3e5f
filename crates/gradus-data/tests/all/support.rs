//! Files and data sets that several tests use.

use std::fs;
use std::path::{Path, PathBuf};

use gradus_data::{ChannelAffine, Dataset, Features, Samples};

/// A file or folder of `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// A file of a temporary folder.
pub fn write(folder: &Path, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, contents).unwrap();
    path
}

/// An IDX file of unsigned bytes.
pub fn idx_bytes(sizes: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sizes.len() as u8];
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(elements);
    bytes
}

/// `len` pictures of `shape` whose pixels tell the sample apart, in three classes.
pub fn pictures(len: usize, shape: [usize; 3]) -> Dataset {
    let sample_len: usize = shape.iter().product();
    let pixels = (0..len * sample_len)
        .map(|i| ((i / sample_len) * 7 + i % sample_len) as u8)
        .collect();
    let scale = (1..=shape[0]).map(|channel| channel as f32 * 0.5).collect();
    let shift = (1..=shape[0]).map(|channel| channel as f32 - 3.0).collect();
    let features = Features::U8 {
        pixels,
        affine: ChannelAffine { scale, shift },
    };
    let samples = Samples::new(features, shape.to_vec(), len).unwrap();
    let labels = (0..len as i64).map(|i| i % 3).collect();
    Dataset::new(samples, labels, vec!["a".into(), "b".into(), "c".into()]).unwrap()
}
