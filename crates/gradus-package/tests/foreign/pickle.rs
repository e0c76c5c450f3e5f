use std::collections::BTreeMap;
use std::fs;

use gradus_package::Error;
use gradus_package::foreign::pickle::{PickleProblem, read_torch_file};
use gradus_package::safetensors::read_safetensors;
use gradus_tensor::{DType, Tensor};

use super::golden;

/// The bits of a tensor, whatever it holds.
fn bits(tensor: &Tensor) -> Vec<u64> {
    match tensor.dtype() {
        DType::I64 => tensor
            .to_vec::<i64>()
            .unwrap()
            .iter()
            .map(|&x| x as u64)
            .collect(),
        DType::F64 => tensor
            .to_vec::<f64>()
            .unwrap()
            .iter()
            .map(|x| x.to_bits())
            .collect(),
        _ => {
            let wide = tensor.to_dtype(DType::F32).unwrap().to_vec::<f32>().unwrap();
            wide.iter().map(|x| u64::from(x.to_bits())).collect()
        }
    }
}

fn problem(name: &str) -> PickleProblem {
    match read_torch_file(&golden("foreign/torch").join(name)) {
        Err(Error::Pickle { source, .. }) => *source,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("{name} was read"),
    }
}

#[test]
fn every_type_stride_and_shared_storage_is_read_as_pytorch_reads_it() {
    let read = read_torch_file(&golden("foreign/torch/mixed.bin")).unwrap();
    let expected = read_safetensors(&golden("foreign/torch/mixed.safetensors")).unwrap();
    let expected: BTreeMap<_, _> = expected.tensors.into_iter().collect();
    assert_eq!(
        read.iter().map(|tensor| tensor.name()).collect::<Vec<_>>(),
        expected.keys().map(String::as_str).collect::<Vec<_>>()
    );
    for tensor in &read {
        let want = &expected[tensor.name()];
        assert_eq!(
            (tensor.tensor().dtype(), tensor.shape(), bits(tensor.tensor())),
            (want.dtype(), want.shape(), bits(want)),
            "{}",
            tensor.name()
        );
    }
}

#[test]
fn a_state_dictionary_is_found_in_a_checkpoint() {
    let read = read_torch_file(&golden("foreign/torch/nested.bin")).unwrap();
    let names: Vec<_> = read.iter().map(|tensor| tensor.name()).collect();
    assert_eq!(
        names,
        [
            "0.bias",
            "0.weight",
            "1.bias",
            "1.num_batches_tracked",
            "1.running_mean",
            "1.running_var",
            "1.weight"
        ]
    );
    assert_eq!(read[1].shape(), [2, 3]);
    let newest = read_torch_file(&golden("foreign/torch/protocol5.bin")).unwrap();
    assert_eq!(newest[0].tensor().to_vec::<f32>().unwrap(), [1.0, 2.0]);
    assert_eq!(newest[1].tensor().to_vec::<i64>().unwrap(), [3]);
}

#[test]
fn what_is_no_plain_state_dictionary_is_told() {
    assert!(matches!(problem("legacy.bin"), PickleProblem::Legacy));
    assert!(
        matches!(problem("hostile.bin"), PickleProblem::Global { global } if global == "posix.system" || global == "os.system")
    );
    assert!(matches!(
        problem("compressed.bin"),
        PickleProblem::NotStored { .. }
    ));
    assert!(matches!(
        problem("mixed.safetensors"),
        PickleProblem::NotAnArchive
    ));
}

#[test]
fn a_cut_file_is_an_error_at_every_length() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.bin");
    let bytes = fs::read(golden("foreign/torch/nested.bin")).unwrap();
    for length in 0..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        assert!(read_torch_file(&path).is_err(), "{length}");
    }
}
