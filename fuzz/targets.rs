//! One function for each format that comes from outside: any bytes go in, and nothing may panic, run long, or take
//! memory that the bytes do not justify.
//!
//! `cargo test` runs them over a corpus (`crates/gradus-package/tests/foreign/hostile.rs`); `cargo fuzz run gguf` and
//! the like, in this folder, with libFuzzer.

use std::io::Write;
use std::path::Path;

use gradus_package::foreign::ForeignModel;
use gradus_package::foreign::gguf::read_vocabulary;
use gradus_package::foreign::pickle::read_torch_file;
use gradus_package::safetensors::read_safetensors;

/// GGUF: header, metadata, tensors, the config and the vocabulary made of them.
pub fn fuzz_gguf(data: &[u8]) {
    on_disk(data, |path| {
        if let Ok(model) = ForeignModel::open(path) {
            let held: usize = model.tensors.iter().map(|tensor| tensor.tensor().numel()).sum();
            assert!(held <= data.len(), "{held} elements from {} bytes", data.len());
        }
        let _ = read_vocabulary(path);
    });
}

/// What `torch.save` writes: the archive, the pickle program, strided tensors.
pub fn fuzz_torch(data: &[u8]) {
    on_disk(data, |path| {
        let _ = read_torch_file(path);
    });
}

/// safetensors.
pub fn fuzz_safetensors(data: &[u8]) {
    on_disk(data, |path| {
        let _ = read_safetensors(path);
    });
}

/// Readers map files, so the bytes become one.
fn on_disk(data: &[u8], read: impl FnOnce(&Path)) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(data).expect("a temporary file takes bytes");
    read(file.path());
}
