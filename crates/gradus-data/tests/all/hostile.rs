//! Random and mutated bytes: every reader gives `Ok` or `Err`, never a panic, and never memory the file does not
//! justify.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::support::{fixture, idx_bytes, write};
use flate2::Compression;
use flate2::write::GzEncoder;
use gradus_data::{
    ColumnChoice, DataConfig, ImagePreprocessing, Preprocessing, load, read_csv, read_idx_images,
    read_idx_labels, read_parquet,
};
use proptest::prelude::*;
use proptest::sample::Index;

/// What the address space of the process may grow by over one property: thread stacks and arenas, proptest's own, and
/// the readers' free allowance. The lies in the files are of gigabytes.
const MAX_GROWTH_KIB: u64 = 512 * 1024;

/// One change to a file.
#[derive(Clone, Debug)]
enum Mutation {
    Set(Index, u8),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Cut(Index),
    /// Numbers that look like huge sizes.
    Huge(Index),
}

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let one = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        (any::<Index>(), 0u8..8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 1..9))
            .prop_map(|(at, b)| Mutation::Insert(at, b)),
        (any::<Index>(), 1usize..16).prop_map(|(at, len)| Mutation::Remove(at, len)),
        any::<Index>().prop_map(Mutation::Cut),
        any::<Index>().prop_map(Mutation::Huge),
    ];
    prop::collection::vec(one, 1..5)
}

fn mutate(mut bytes: Vec<u8>, mutations: &[Mutation]) -> Vec<u8> {
    for mutation in mutations {
        if bytes.is_empty() {
            return bytes;
        }
        match mutation {
            Mutation::Set(at, byte) => *at.get_mut(&mut bytes) = *byte,
            Mutation::Flip(at, bit) => *at.get_mut(&mut bytes) ^= 1 << bit,
            Mutation::Insert(at, more) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
            Mutation::Remove(at, len) => {
                let at = at.index(bytes.len());
                bytes.drain(at..bytes.len().min(at + len));
            }
            Mutation::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Mutation::Huge(at) => {
                let at = at.index(bytes.len());
                bytes
                    .iter_mut()
                    .skip(at)
                    .zip([0xff, 0xff, 0xff, 0xff, 0x0f])
                    .for_each(|(to, byte)| *to = byte);
            }
        }
    }
    bytes
}

/// Peak of the address space in KiB, where the system tells.
fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Runs `read` on many hostile versions of `files`: arbitrary bytes and mutations.
fn attack(files: Vec<Vec<u8>>, name: &str, read: impl Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let before = peak_kib();
    let hostile = prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..300),
        6 => (prop::sample::select(files), mutations()).prop_map(|(file, mutations)| mutate(file, &mutations)),
    ];
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 1500,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&hostile, |bytes| {
            read(&write(folder.path(), name, &bytes));
            Ok(())
        })
        .unwrap();
    if let (Some(before), Some(after)) = (before, peak_kib()) {
        assert!(
            after - before < MAX_GROWTH_KIB,
            "the address space grew by {} KiB",
            after - before
        );
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn fixtures(folder: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(fixture(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn hostile_idx() {
    let images = fs::read(fixture("idx/train-images-idx3-ubyte")).unwrap();
    let labels = fs::read(fixture("idx/train-labels-idx1-ubyte")).unwrap();
    let files = vec![
        gzip(&images),
        gzip(&labels),
        images,
        labels,
        idx_bytes(&[u32::MAX; 3], &[0]),
    ];
    attack(files, "images", |path| {
        let _ = read_idx_images(path);
        let _ = read_idx_labels(path);
    });
}

#[test]
fn hostile_csv() {
    let table = fs::read(fixture("table.csv")).unwrap();
    let small = b"x,\"y\ny\",grade\n1,\"a,\"\"b\"\"\",u\n?,c,v\n".to_vec();
    attack(vec![gzip(&table), table, small], "data.csv", |path| {
        let _ = read_csv(path, ColumnChoice::default());
        let config = DataConfig {
            label: Some("grade".into()),
            ..DataConfig::new("data.csv")
        };
        let _ = load(&config, path.parent().unwrap());
    });
}

#[test]
fn hostile_parquet() {
    attack(fixtures("parquet"), "data.parquet", |path| {
        let _ = read_parquet(path, ColumnChoice::default());
    });
}

#[test]
fn hostile_pictures() {
    let preprocessing = Preprocessing::Image(ImagePreprocessing {
        shape: [3, 8, 8],
        scale: 1.0,
        mean: vec![0.0; 3],
        std: vec![1.0; 3],
    });
    attack(fixtures("pictures"), "picture", |path| {
        let _ = preprocessing.picture_sample(&fs::read(path).unwrap(), &mut [0.0; 192]);
    });
}

proptest! {
    #[test]
    fn hostile_json(value in json(), pick: bool) {
        let preprocessing = if pick {
            r#"{"kind":"image","shape":[1,2,2],"scale":1,"mean":[0],"std":[1]}"#
        } else {
            r#"{"kind":"table","label":"y","columns":[
                {"name":"a","transform":{"type":"numeric","mean":0,"std":1,"fill":0}},
                {"name":"b","transform":{"type":"categorical","values":["u","v","w"]}}]}"#
        };
        let preprocessing: Preprocessing = serde_json::from_str(preprocessing).unwrap();
        let mut out = [f32::NAN; 4];
        if preprocessing.json_sample(&value, &mut out).is_ok() {
            prop_assert!(out.iter().all(|number| number.is_finite()));
        }
    }
}

/// Values near those that the preparations take.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        (-10i64..300).prop_map(Into::into),
        prop::sample::select(vec!["u", "v", "3", "inf", "NaN", "1e999", ""]).prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::Array),
            prop::collection::btree_map(prop::sample::select(vec!["a", "b", "y", "z"]), inner, 0..4)
                .prop_map(|fields| fields
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect()),
        ]
    })
}
