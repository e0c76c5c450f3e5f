//! One moment of a training in one file: tensors and the loop's state, sealed by a checksum.
//!
//! A checkpoint is a safetensors file whose metadata begins with `sha256`, the digest of the whole file with zeros in
//! that place, followed by `state`, a JSON text. Any safetensors reader can open it; only this one checks it.

use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use gradus_tensor::Tensor;
use serde_json::Value;

use crate::atomic::write_atomic_with;
use crate::digest::{HashingWriter, ZERO_HEX};
use crate::error::{Error, Result};
use crate::safetensors::{Layout, held, map, parse, tensors_of};
use crate::seal::check_seal;

const SEAL_KEY: &str = "sha256";
const STATE_KEY: &str = "state";

/// What stands between the header's length and the digits of the digest.
const BEFORE_SEAL: &[u8] = br#"{"__metadata__":{"sha256":""#;

/// Where the digits of the digest begin.
const SEAL_PLACE: usize = size_of::<u64>() + BEFORE_SEAL.len();

/// Large enough that many small tensors become few system calls.
const BUFFER_BYTES: usize = 1 << 20;

/// Tensors and the state of whoever saves them.
#[derive(Clone)]
pub struct Checkpoint {
    /// The tensors by name: parameters, buffers, the optimiser's moments.
    pub tensors: Vec<(String, Tensor)>,
    /// Everything else a training needs to go on: step, epoch, best metric, lengths of the logs.
    pub state: Value,
}

impl Checkpoint {
    /// Writes the checkpoint, all or nothing. Equal checkpoints give equal bytes.
    ///
    /// # Errors
    /// [`Error::DuplicateTensor`] and [`Error::ReservedName`] for names that cannot be stored, [`Error::Io`] from the
    /// system; the old file, if any, is then as it was.
    pub fn save(&self, path: &Path) -> Result<()> {
        let state = serde_json::to_string(&self.state).map_err(Error::encode(path))?;
        let layout = Layout::new(
            path,
            held(&self.tensors),
            &[(SEAL_KEY, ZERO_HEX), (STATE_KEY, &state)],
        )?;
        write_atomic_with(path, |file, temporary| {
            let mut hashing = HashingWriter::new(&mut *file);
            let mut out = BufWriter::with_capacity(BUFFER_BYTES, &mut hashing);
            layout.write(&mut out, temporary)?;
            out.flush().map_err(Error::io("write", temporary))?;
            drop(out);
            let digest = hashing.digest();
            file.seek(SeekFrom::Start(SEAL_PLACE as u64))
                .map_err(Error::io("write", temporary))?;
            file.write_all(digest.as_bytes())
                .map_err(Error::io("write", temporary))
        })
    }

    /// Reads a checkpoint and verifies every byte of it. Tensors are views of the mapped file, in order of name.
    ///
    /// # Errors
    /// [`Error::Unsealed`] for a file that is no checkpoint or lost its checksum's place, [`Error::Checksum`] for one
    /// that was changed or cut, [`Error::MissingFile`] and [`Error::Map`] from the system.
    pub fn load(path: &Path) -> Result<Checkpoint> {
        let file = map(path)?;
        let begins_right = file.bytes().get(size_of::<u64>()..SEAL_PLACE) == Some(BEFORE_SEAL);
        if !begins_right {
            return Err(Error::Unsealed {
                path: path.to_path_buf(),
                field: SEAL_KEY,
            });
        }
        check_seal(path, file.bytes(), SEAL_PLACE, SEAL_KEY)?;
        let header = parse(path, file.bytes())?;
        let state = header.metadata.get(STATE_KEY).map_or("null", String::as_str);
        let state = serde_json::from_str(state).map_err(Error::json(path))?;
        let mut tensors = tensors_of(path, &file, &header.tensors)?;
        tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(Checkpoint { tensors, state })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Checkpoint {
        let weight = Tensor::from_vec(vec![1.5f32, -2.0, 0.25, 8.0], [2, 2]).unwrap();
        let steps = Tensor::scalar(7i64);
        Checkpoint {
            tensors: vec![("weight".into(), weight), ("steps".into(), steps)],
            state: serde_json::json!({"step": 7, "best": 0.1 + 0.2}),
        }
    }

    #[test]
    fn comes_back_as_it_was_saved() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("step.safetensors");
        example().save(&path).unwrap();
        let back = Checkpoint::load(&path).unwrap();
        assert_eq!(back.state, example().state);
        assert_eq!(back.tensors[0].0, "steps");
        assert_eq!(back.tensors[0].1.item::<i64>().unwrap(), 7);
        assert_eq!(back.tensors[1].1.to_vec::<f32>().unwrap(), [1.5, -2.0, 0.25, 8.0]);
        assert!(::safetensors::SafeTensors::deserialize(&std::fs::read(&path).unwrap()).is_ok());
    }

    #[test]
    fn equal_checkpoints_are_equal_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| {
            example().save(&dir.path().join(name)).unwrap();
            std::fs::read(dir.path().join(name)).unwrap()
        });
        assert_eq!(a, b);
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("step.safetensors");
        example().save(&path).unwrap();
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            std::fs::write(&path, &bad).unwrap();
            let error = Checkpoint::load(&path)
                .err()
                .unwrap_or_else(|| panic!("byte {at} flipped unnoticed"));
            assert!(
                matches!(error, Error::Checksum { .. } | Error::Unsealed { .. }),
                "byte {at}: {error:?}"
            );
            std::fs::write(&path, &good[..at]).unwrap();
            assert!(Checkpoint::load(&path).is_err(), "cut at {at} unnoticed");
        }
    }
}
