//! Quantised weights that gradus itself wrote into a folder: bytes in the file, and their format in the config.

use std::path::Path;

use gradus_kernels::quant::BlockType;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::foreign::ForeignTensor;
use crate::foreign::hugging_face::HuggingFaceProblem;
use crate::foreign::model::QUANTIZATION_KEY;
use crate::package::CONFIG_FILE;

/// Makes quantised weights of the bytes that the config lists, and takes the list out of the config.
pub(super) fn restore(folder: &Path, config: &mut Value, tensors: &mut [ForeignTensor]) -> Result<()> {
    let quantization = config
        .as_object_mut()
        .and_then(|config| config.remove(QUANTIZATION_KEY));
    let listed = quantization
        .as_ref()
        .and_then(|value| value.get("tensors"))
        .and_then(Value::as_object);
    let Some(listed) = listed else {
        return Ok(());
    };
    let mut restored = 0;
    for tensor in tensors {
        let Some(kind) = listed.get(tensor.name()) else {
            continue;
        };
        let blocks = kind.as_str().and_then(BlockType::from_name);
        let made = blocks
            .and_then(|blocks| ForeignTensor::from_blocks(tensor.name(), tensor.tensor().clone(), blocks));
        let misfit = || HuggingFaceProblem::Blocks {
            tensor: tensor.name().to_owned(),
            kind: kind.to_string(),
        };
        *tensor = made.ok_or_else(|| Error::hugging_face(&folder.join(CONFIG_FILE))(misfit()))?;
        restored += 1;
    }
    if restored == listed.len() {
        return Ok(());
    }
    let problem = HuggingFaceProblem::BlocksMissing {
        missing: listed.len() - restored,
    };
    Err(Error::hugging_face(&folder.join(CONFIG_FILE))(problem))
}
