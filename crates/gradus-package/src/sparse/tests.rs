use std::path::Path;

use gradus_tensor::DType;
use proptest::prelude::*;

use super::*;
use crate::safetensors::read_safetensors;

/// Files of the compressed-tensors library; see tests/golden/make.py.
fn golden() -> BTreeMap<String, Tensor> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/sparse_bitmask.safetensors");
    read_safetensors(&path).unwrap().tensors.into_iter().collect()
}

fn assert_same<T: Element>(name: &str, got: &Tensor, want: &Tensor) {
    assert_eq!((got.dtype(), got.shape()), (want.dtype(), want.shape()), "{name}");
    assert_eq!(got.to_vec::<T>().unwrap(), want.to_vec::<T>().unwrap(), "{name}");
}

#[test]
fn unpacks_what_compressed_tensors_packed() {
    let mut stored = golden();
    unpack("a", &mut stored).unwrap();
    unpack("b", &mut stored).unwrap();
    assert_same::<f32>("a", &stored["a"], &stored["a.dense"]);
    assert_same::<i8>("b", &stored["b"], &stored["b.dense"]);
    assert_eq!(stored.len(), 4);
}

#[test]
fn packs_as_compressed_tensors_does() {
    let stored = golden();
    let packed = pack("a", &stored["a.dense"]).unwrap().unwrap();
    assert_eq!(packed.len(), 4);
    for (name, part) in packed {
        match part.dtype() {
            DType::F32 => assert_same::<f32>(&name, &part, &stored[&name]),
            DType::U8 => assert_same::<u8>(&name, &part, &stored[&name]),
            DType::I64 => assert_same::<i64>(&name, &part, &stored[&name]),
            other => panic!("{name} is {other}"),
        }
    }
}

#[test]
fn a_tensor_that_would_not_shrink_is_left_whole() {
    let full = Tensor::ones([16, 16], DType::F32);
    let empty = Tensor::zeros([0, 4], DType::F32);
    let scalar = Tensor::scalar(0.0f32);
    for tensor in [full, empty, scalar] {
        assert!(pack("x", &tensor).unwrap().is_none());
    }
}

/// The parts of a sparse tensor, one of them replaced.
fn with_part(suffix: &str, part: Tensor) -> SparseProblem {
    let mut values = vec![0.0f32; 64];
    values[5] = 1.0;
    values[40] = 2.0;
    let tensor = Tensor::from_vec(values, [2, 32]).unwrap();
    let mut stored: BTreeMap<_, _> = pack("x", &tensor).unwrap().unwrap().into_iter().collect();
    stored.insert(format!("x.{suffix}"), part);
    unpack("x", &mut stored).unwrap_err()
}

#[test]
fn refuses_parts_that_do_not_fit() {
    let i64s = |values: &[i64]| Tensor::from_slice(values, [values.len()]).unwrap();
    assert!(matches!(
        unpack("x", &mut BTreeMap::new()),
        Err(SparseProblem::MissingPart(_))
    ));
    assert!(matches!(
        with_part("compressed", Tensor::ones([3], DType::F32)),
        SparseProblem::Count { .. }
    ));
    assert!(matches!(
        with_part("compressed", Tensor::ones([2, 1], DType::F32)),
        SparseProblem::PartType { .. }
    ));
    assert!(matches!(
        with_part("bitmask", Tensor::ones([2, 4], DType::I8)),
        SparseProblem::PartType { .. }
    ));
    assert!(matches!(
        with_part("bitmask", Tensor::ones([4, 2], DType::U8)),
        SparseProblem::MaskShape { .. }
    ));
    assert!(matches!(
        with_part("bitmask", Tensor::zeros([2, 4], DType::U8)),
        SparseProblem::RowOffset { .. }
    ));
    for shape in [&[2, -32][..], &[i64::MAX, i64::MAX], &[2, 33], &[0, 32], &[64]] {
        assert!(
            matches!(with_part("shape", i64s(shape)), SparseProblem::MaskShape { .. }),
            "{shape:?}"
        );
    }
    assert!(matches!(
        with_part("row_offsets", i64s(&[0, 2])),
        SparseProblem::RowOffset { row: 1, .. }
    ));
    assert!(matches!(
        with_part("row_offsets", i64s(&[0])),
        SparseProblem::PartType { .. }
    ));
    let mut whole = BTreeMap::from([("x".to_owned(), Tensor::scalar(1u8))]);
    assert!(matches!(unpack("x", &mut whole), Err(SparseProblem::AlsoWhole)));
}

proptest! {
    #[test]
    fn what_is_packed_is_unpacked(
        shape in prop::sample::select(vec![vec![60], vec![5, 12], vec![1, 60], vec![60, 1], vec![3, 2, 5, 2]]),
        values in prop::collection::vec(prop_oneof![6 => Just(0.0f32), 1 => Just(-0.0), 1 => any::<f32>()], 60),
    ) {
        let tensor = Tensor::from_vec(values.clone(), &shape).unwrap();
        if let Some(parts) = pack("x", &tensor).unwrap() {
            let mut stored = parts.into_iter().collect();
            unpack("x", &mut stored).unwrap();
            let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(stored["x"].as_slice().unwrap()), bits(&values));
            prop_assert_eq!(stored["x"].shape(), &shape[..]);
        }
    }
}
