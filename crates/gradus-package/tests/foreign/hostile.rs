//! Files that lie. Nothing here may panic, take memory that the file does not justify, or take long.

use gradus_package::foreign::gguf::{GgufHeader, GgufProblem};
use proptest::prelude::*;

use super::targets::{fuzz_gguf, fuzz_safetensors, fuzz_torch};
use super::{chain, golden};

fn fuzz_all(data: &[u8]) {
    fuzz_gguf(data);
    fuzz_torch(data);
    fuzz_safetensors(data);
}

/// Writes GGUF headers of our choosing.
struct Writer(Vec<u8>);

impl Writer {
    fn new(tensors: u64, pairs: u64) -> Writer {
        Writer(
            [
                &b"GGUF"[..],
                &3u32.to_le_bytes(),
                &tensors.to_le_bytes(),
                &pairs.to_le_bytes(),
            ]
            .concat(),
        )
    }

    fn text(mut self, text: &str) -> Writer {
        self.0.extend((text.len() as u64).to_le_bytes());
        self.0.extend(text.bytes());
        self
    }

    fn u32(mut self, number: u32) -> Writer {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn u64(mut self, number: u64) -> Writer {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn tensor(self, name: &str, dimensions: &[u64], kind: u32, offset: u64) -> Writer {
        let named = self.text(name).u32(dimensions.len() as u32);
        let shaped = dimensions
            .iter()
            .fold(named, |writer, &length| writer.u64(length));
        shaped.u32(kind).u64(offset)
    }

    /// The problem of this header with `data` bytes behind it.
    fn problem(mut self, data: usize) -> GgufProblem {
        self.0.resize(self.0.len().next_multiple_of(32) + data, 0);
        GgufHeader::parse(&self.0).expect_err("it was accepted")
    }
}

#[test]
fn lies_about_counts_are_seen_before_memory_is_taken() {
    use GgufProblem::*;
    let most = u64::MAX;
    assert!(matches!(
        Writer::new(0, most).problem(64),
        Count {
            what: "metadata pairs",
            ..
        }
    ));
    assert!(matches!(
        Writer::new(most, 0).problem(64),
        Count { what: "tensors", .. }
    ));
    assert!(matches!(
        Writer::new(0, 1).u64(most).problem(64),
        Truncated { .. }
    ));
    let array = |kind| Writer::new(0, 1).text("a").u32(9).u32(kind);
    for kind in [0, 4, 8, 9, 12] {
        assert!(
            matches!(array(kind).u64(most).problem(64), Count { .. }),
            "{kind}"
        );
        assert!(
            matches!(array(kind).u64(1 << 40).problem(64), Count { .. }),
            "{kind}"
        );
    }
    assert!(matches!(array(13).u64(1).problem(64), ValueType { kind: 13, .. }));
    assert!(matches!(
        Writer::new(0, 1).text("a").u32(99).problem(64),
        ValueType { kind: 99, .. }
    ));
    let nested = (0..1000).fold(array(9).u64(1), |writer, _| writer.u32(9).u64(1));
    assert!(matches!(nested.problem(64), Depth { .. }));
    assert!(matches!(
        Writer::new(0, 1).text("").u32(4).u32(1).problem(64),
        Name { .. }
    ));
    let twice = Writer::new(0, 2).text("a").u32(4).u32(1).text("a").u32(4).u32(2);
    assert!(matches!(
        twice.problem(0),
        Duplicate {
            what: "metadata keys",
            ..
        }
    ));
}

#[test]
fn lies_about_tensors_are_named() {
    use GgufProblem::*;
    let one = |dimensions: &[u64], kind, offset| {
        Writer::new(1, 0)
            .tensor("t", dimensions, kind, offset)
            .problem(64)
    };
    assert!(matches!(one(&[], 0, 0), Shape { rank: 0, .. }));
    assert!(matches!(one(&[1; 5], 0, 0), Shape { rank: 5, .. }));
    assert!(matches!(one(&[1 << 33, 1 << 33], 0, 0), Shape { .. }));
    assert!(matches!(one(&[u64::MAX, 0], 0, 0), Shape { .. }));
    assert!(matches!(one(&[17], 0, 0), Place { bytes: 68, .. }));
    assert!(matches!(one(&[1], 0, 1), Place { offset: 1, .. }));
    assert!(matches!(one(&[1], 0, u64::MAX - 31), Place { .. }));
    assert!(matches!(
        one(&[33], 2, 0),
        Row {
            type_name: "Q4_0",
            ..
        }
    ));
    assert!(matches!(one(&[256], 18, 0), TensorType { type_name, .. } if type_name == "IQ3_XXS"));
    assert!(matches!(one(&[1], 4, 0), TensorType { type_name, .. } if type_name == "number 4"));
    let long = "x".repeat(64);
    assert!(matches!(
        Writer::new(1, 0).tensor(&long, &[1], 0, 0).problem(64),
        Name { .. }
    ));
    let twice = Writer::new(2, 0).tensor("t", &[1], 0, 0).tensor("t", &[1], 0, 32);
    assert!(matches!(twice.problem(64), Duplicate { what: "tensors", .. }));
    let over = Writer::new(2, 0).tensor("t", &[9], 0, 0).tensor("u", &[1], 0, 32);
    assert!(matches!(over.problem(64), Overlap { first, second } if first == "t" && second == "u"));
}

#[test]
fn other_versions_and_byte_orders_are_told() {
    let with_version = |version: u32| {
        let mut bytes = Writer::new(0, 0).0;
        bytes[4..8].copy_from_slice(&version.to_le_bytes());
        GgufHeader::parse(&bytes).map(|_| ())
    };
    assert!(with_version(2).is_ok() && with_version(3).is_ok());
    for version in [0, 1, 4, 1000] {
        assert!(
            matches!(with_version(version), Err(GgufProblem::Version { .. })),
            "{version}"
        );
    }
    assert!(matches!(
        with_version(3u32.swap_bytes()),
        Err(GgufProblem::BigEndian)
    ));
    let alignment = |number: u32| Writer::new(0, 1).text("general.alignment").u32(4).u32(number);
    for number in [0, 3, 33] {
        assert!(
            matches!(alignment(number).problem(0), GgufProblem::Alignment { .. }),
            "{number}"
        );
    }
}

#[test]
fn a_cut_file_is_an_error_at_every_length() {
    for name in ["gguf/values.gguf", "gguf/llama-q8_0.gguf"] {
        let bytes = std::fs::read(golden("foreign").join(name)).unwrap();
        // The writer pads the end; what is cut of that is not missed.
        let end = GgufHeader::parse(&bytes)
            .unwrap()
            .tensors
            .iter()
            .map(|tensor| tensor.bytes.end)
            .max()
            .unwrap();
        for length in 0..end {
            let error = GgufHeader::parse(&bytes[..length]).err();
            let error = error.unwrap_or_else(|| panic!("{name} cut to {length} was accepted"));
            assert!(!chain(&error).is_empty());
        }
    }
}

#[test]
fn every_byte_of_a_file_may_be_anything() {
    let corpus = [
        "gguf/values.gguf",
        "vocabulary/spm.gguf",
        "vocabulary/smollm.gguf",
        "torch/mixed.bin",
        "torch/nested.bin",
        "torch/protocol5.bin",
    ];
    for name in corpus {
        let good = std::fs::read(golden("foreign").join(name)).unwrap();
        for at in 0..good.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff, good[at] ^ 1] {
                let mut bytes = good.clone();
                bytes[at] = value;
                fuzz_all(&bytes);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn mutated_files_never_panic(
        which in 0..7usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let names = ["gguf/llama-q8_0.gguf", "gguf/values.gguf", "gguf/gemma3.gguf", "vocabulary/spm.gguf", "vocabulary/qwen2.gguf",
            "torch/mixed.bin", "torch/nested.bin"];
        let mut bytes = std::fs::read(golden("foreign").join(names[which])).unwrap();
        let length = bytes.len();
        // Most of what can go wrong stands at the front.
        for (at, value) in &edits {
            bytes[at.index(length.min(4096))] = *value;
        }
        fuzz_all(&bytes);
        fuzz_all(&bytes[..cut.index(length)]);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        fuzz_all(&bytes);
        fuzz_all(&[&b"GGUF\x03\0\0\0"[..], &bytes].concat());
        fuzz_all(&[&b"PK\x03\x04"[..], &bytes].concat());
    }
}
