//! `pytorch_model.bin`: what `torch.save` writes, read without running it.
//!
//! The file is a zip archive of stored entries: `data.pkl`, a pickle program that builds the dictionary of tensors, and
//! `data/KEY`, the bytes of each storage. A pickle program can call any function of any Python module; the machine here
//! has no functions. It keeps a stack of plain values, and knows of a short list of names what they would have built:
//! an ordered dictionary, a tensor over a storage, a parameter. Any other name ends the reading with an error that
//! tells it.
//!
//! The format: Python's `pickletools`, opcodes of protocols 0 to 5; the archive: `torch/serialization.py` and
//! `caffe2/serialize` of PyTorch; the container: PKWARE's APPNOTE.TXT with its zip64 records.

mod machine;
mod opcodes;
mod problem;
mod storage;
mod value;
mod zip;

pub use problem::PickleProblem;

use std::path::Path;

use crate::error::{Error, Result};
use crate::foreign::ForeignTensor;
use crate::safetensors::map;

/// The longest program that is run: some 50,000 tensors, ten times what the largest models have. Values on the stack
/// take up to fifty times the bytes of the instructions that make them.
const MAX_PROGRAM_BYTES: u64 = 16 << 20;

/// Reads the tensors of a file that `torch.save` wrote, in order of name: a dictionary of tensors by name, or one that
/// holds such a dictionary (`state_dict`, `model`, …) among other things. Contiguous tensors are views of the mapped
/// file; others are copied into row-major order. The integer types that tensors do not have are widened.
///
/// # Errors
/// [`Error::Pickle`] with what is wrong: the format before PyTorch 1.6, compressed entries, a name that is not on the
/// list, a tensor that leaves its storage; [`Error::MissingFile`] and [`Error::Map`] from the system.
pub fn read_torch_file(path: &Path) -> Result<Vec<ForeignTensor>> {
    let file = map(path)?;
    let wrong = |problem| Error::pickle(path)(problem);
    let archive = zip::Archive::parse(file.bytes()).map_err(wrong)?;
    let program = archive.program().map_err(wrong)?;
    if program.len() as u64 > MAX_PROGRAM_BYTES {
        return Err(wrong(PickleProblem::ProgramLength {
            bytes: program.len() as u64,
            limit: MAX_PROGRAM_BYTES,
        }));
    }
    let state = machine::run(program)
        .and_then(|built| built.into_tensors())
        .map_err(wrong)?;
    storage::tensors(&file, &archive, state).map_err(wrong)
}
