use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gradus_tensor::{DType, Tensor, bf16, f16};
use proptest::prelude::*;

use super::header::{Header, Malformed};
use super::*;
use crate::error::Error;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// A file with a header of our choosing.
fn file(header: &str, data_bytes: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.resize(bytes.len() + data_bytes, 0);
    bytes
}

fn refused(header: &str, data_bytes: usize) -> Malformed {
    Header::parse(&file(header, data_bytes))
        .err()
        .unwrap_or_else(|| panic!("accepted {header}"))
}

#[test]
fn reads_every_type_as_the_reference_wrote_it() {
    let read = read_safetensors(&golden("all_dtypes.safetensors")).unwrap();
    assert_eq!(
        read.metadata,
        BTreeMap::from([("format".to_owned(), "pt".to_owned())])
    );
    let tensors: BTreeMap<_, _> = read.tensors.into_iter().collect();
    let values = [1.0, -2.5, 0.0, 0.15625, 100.0, -0.0];
    assert_eq!(tensors["f64"].to_vec::<f64>().unwrap(), values);
    assert_eq!(tensors["f32"].to_vec::<f32>().unwrap(), values.map(|x| x as f32));
    assert_eq!(
        tensors["bf16"].to_vec::<bf16>().unwrap(),
        values.map(bf16::from_f64)
    );
    assert_eq!(tensors["f16"].to_vec::<f16>().unwrap(), values.map(f16::from_f64));
    assert_eq!(tensors["i64"].to_vec::<i64>().unwrap(), [-(1 << 62), 0, 1 << 62]);
    assert_eq!(tensors["u8"].to_vec::<u8>().unwrap(), [0, 128, 255]);
    assert_eq!(tensors["i8"].to_vec::<i8>().unwrap(), [-128, 0, 127]);
    assert_eq!(tensors["scalar"].item::<f64>().unwrap(), 0.1);
    assert_eq!(
        (tensors["empty"].shape(), tensors["bf16"].shape()),
        (&[0, 3][..], &[2, 3][..])
    );
    assert_eq!(
        DType::ALL.len(),
        7,
        "a new type needs a tensor in the golden file"
    );
}

#[test]
fn writes_the_very_bytes_of_the_reference() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("again.safetensors");
    let mut read = read_safetensors(&golden("all_dtypes.safetensors")).unwrap();
    read.tensors.reverse();
    write_safetensors(&path, &read.tensors, &read.metadata).unwrap();
    assert_eq!(
        std::fs::read(path).unwrap(),
        std::fs::read(golden("all_dtypes.safetensors")).unwrap()
    );
}

#[test]
fn views_are_written_in_their_own_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.safetensors");
    let x = Tensor::from_vec(vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3]).unwrap();
    let turned = x.t().unwrap().with_grad().unwrap();
    write_safetensors(&path, &[("turned".into(), turned)], &BTreeMap::new()).unwrap();
    let back = read_safetensors(&path).unwrap().tensors;
    assert_eq!(back[0].1.shape(), [3, 2]);
    assert_eq!(back[0].1.to_vec::<f32>().unwrap(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
}

#[test]
fn refuses_names_that_cannot_be_stored() {
    let path = Path::new("never-written.safetensors");
    let x = Tensor::scalar(1.0f32);
    let twice = [("x".to_owned(), x.clone()), ("x".to_owned(), x.clone())];
    let reserved = [("__metadata__".to_owned(), x)];
    let write = |tensors| write_safetensors(path, tensors, &BTreeMap::new());
    assert!(matches!(write(&twice), Err(Error::DuplicateTensor { name }) if name == "x"));
    assert!(matches!(write(&reserved), Err(Error::ReservedName { .. })));
    assert!(!path.exists());
}

#[test]
fn names_a_type_it_does_not_hold() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("i32.safetensors");
    std::fs::write(
        &path,
        file(r#"{"ids":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}}"#, 8),
    )
    .unwrap();
    let error = read_safetensors(&path).err().unwrap();
    assert!(
        matches!(&error, Error::UnsupportedDType { tensor, dtype, .. } if tensor == "ids" && dtype == "I32")
    );
}

#[test]
fn refuses_files_too_short_for_what_they_claim() {
    assert!(matches!(Header::parse(b""), Err(Malformed::NoLength { got: 0 })));
    assert!(matches!(
        Header::parse(&[0; 7]),
        Err(Malformed::NoLength { got: 7 })
    ));
    let claims = |length: u64| Header::parse(&length.to_le_bytes()).err().unwrap();
    for claimed in [1, 1 << 40, u64::MAX] {
        assert!(matches!(
            claims(claimed),
            Malformed::HeaderLength { available: 0, .. }
        ));
    }
    assert!(matches!(refused("", 0), Malformed::Header(_)));
    assert!(matches!(refused("[]", 0), Malformed::Header(_)));
    assert!(matches!(refused("{\"a\":", 0), Malformed::Header(_)));
    let deep = "[".repeat(100_000);
    assert!(matches!(refused(&deep, 0), Malformed::Header(_)));
}

#[test]
fn refuses_offsets_that_lie() {
    let one = |shape: &str, offsets: &str| {
        format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    // Past the end, before the beginning, backwards, not what the shape takes.
    assert!(matches!(
        refused(&one("[2]", "[0,8]"), 4),
        Malformed::DataLength {
            claimed: 8,
            available: 4
        }
    ));
    assert!(matches!(
        refused(&one("[2]", "[0,8]"), 12),
        Malformed::DataLength {
            claimed: 8,
            available: 12
        }
    ));
    for (shape, offsets) in [
        ("[2]", "[4,12]"),
        ("[2]", "[8,0]"),
        ("[3]", "[0,8]"),
        ("[-1]", "[0,8]"),
    ] {
        assert!(
            matches!(refused(&one(shape, offsets), 8), Malformed::Header(_)),
            "{shape} {offsets}"
        );
    }
    // Two tensors over the same bytes.
    let overlap = r#"{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[4,12]}}"#;
    assert!(matches!(refused(overlap, 12), Malformed::Header(_)));
}

#[test]
fn refuses_counts_that_overflow() {
    let max = usize::MAX;
    let huge = format!(r#"{{"a":{{"dtype":"F32","shape":[{max},{max}],"data_offsets":[0,8]}}}}"#);
    assert!(matches!(refused(&huge, 8), Malformed::Header(_)));
    let hidden = format!(r#"{{"a":{{"dtype":"F32","shape":[0,{max},4],"data_offsets":[0,0]}}}}"#);
    assert!(matches!(refused(&hidden, 0), Malformed::Shape { .. }));
    // Tensors end to end up to the last address: adding the header's length to that must not overflow.
    let size = usize::MAX / 8;
    let entries = (0..8).map(|i| {
        let (start, end) = (i * size, (i + 1) * size);
        format!(r#""t{i}":{{"dtype":"U8","shape":[{size}],"data_offsets":[{start},{end}]}}"#)
    });
    let full = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
    assert!(matches!(
        refused(&full, 8),
        Malformed::DataLength { available: 8, .. }
    ));
}

fn any_tensor() -> impl Strategy<Value = Tensor> {
    let shape = prop::collection::vec(0usize..5, 0..4);
    (shape, prop::sample::select(&DType::ALL[..]), any::<u8>()).prop_map(|(shape, dtype, seed)| {
        let count = shape.iter().product::<usize>() * dtype.size_bytes();
        let bytes: Vec<u8> = (0..count)
            .map(|i| (i as u8).wrapping_mul(37).wrapping_add(seed))
            .collect();
        with_element!(dtype, T => Tensor::build(&shape, |out: &mut [T]| {
            bytemuck::cast_slice_mut::<T, u8>(out).copy_from_slice(&bytes);
        }))
    })
}

fn raw(tensor: &Tensor) -> Vec<u8> {
    with_element!(tensor.dtype(), T => bytemuck::cast_slice(tensor.as_slice::<T>().unwrap()).to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_written_is_read(
        tensors in prop::collection::btree_map(".{1,8}", any_tensor(), 0..6),
        metadata in prop::collection::btree_map(".{0,8}", ".{0,8}", 0..4),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.safetensors");
        let named: Vec<_> = tensors.clone().into_iter().collect();
        write_safetensors(&path, &named, &metadata).unwrap();
        let read = read_safetensors(&path).unwrap();
        prop_assert_eq!(read.metadata, metadata);
        prop_assert_eq!(read.tensors.len(), tensors.len());
        for (name, tensor) in &read.tensors {
            prop_assert_eq!(tensor.shape(), tensors[name].shape());
            prop_assert_eq!(tensor.dtype(), tensors[name].dtype());
            prop_assert_eq!(raw(tensor), raw(&tensors[name]));
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Header::parse(&bytes);
    }

    #[test]
    fn mutated_files_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = std::fs::read(golden("all_dtypes.safetensors")).unwrap();
        for (at, value) in &edits {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        let dir = tempfile::tempdir().unwrap();
        for length in [bytes.len(), cut.index(bytes.len())] {
            let path = dir.path().join("mutated.safetensors");
            std::fs::write(&path, &bytes[..length]).unwrap();
            if let Ok(read) = read_safetensors(&path) {
                let held: usize = read.tensors.iter().map(|(_, tensor)| stored_bytes(tensor)).sum();
                prop_assert!(held <= length, "tensors of {held} bytes from a file of {length}");
            }
        }
    }
}
