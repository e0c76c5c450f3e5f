//! Int8: weights as bytes with one scale for each output channel.

use std::collections::BTreeMap;

use gradus_kernels::int8::quantize_rows_i8;
use gradus_nn::Module;
use gradus_nn::families::QuantizationConfig;
use gradus_package::{CompressionMethod, Package, PackageContents, TensorChange};
use gradus_tensor::{DType, Tensor};

use crate::error::{Error, Result};
use crate::plan::{Plan, Work, compress};
use crate::weights::{change, finite_values};

/// Quantises the fully connected layers of a package's model to int8.
///
/// A weight `[out, in]` becomes `NAME.weight` (I8) and `NAME.weight_scale` (F32 `[out]`): symmetric, with
/// `scale = amax / 127` for each output channel and codes rounded half to even, so that `code * scale` is within half a
/// scale of the weight. Activations are quantised row by row as the model runs. Which layers run in int8 is the model
/// family's to say; the others keep their floats. The architecture gets a `quantization_config`.
///
/// # Errors
/// [`Error::NothingToCompress`] for a model without such layers, [`Error::NotFinite`] for one that is broken; those of
/// [`compress`].
pub fn quantize_int8(package: &Package) -> Result<PackageContents> {
    compress(
        package,
        &Plan {
            quantize_int8: true,
            ..Plan::default()
        },
    )
}

pub(crate) fn apply(work: &mut Work) -> Result<()> {
    let method = CompressionMethod::QuantizeInt8 {
        activations: "dynamic_per_row".to_owned(),
    };
    work.record(method, quantize_weights)
}

fn quantize_weights(work: &mut Work) -> Result<Vec<TensorChange>> {
    work.config = work
        .config
        .clone()
        .with_quantization(Some(QuantizationConfig::default()));
    // The quantised model itself knows which of its tensors are integers.
    let model = work.config.build(0).map_err(Error::model)?;
    let wanted = model
        .state_dict()
        .into_iter()
        .filter(|(_, tensor)| tensor.dtype() == DType::I8);
    let mut tensors: BTreeMap<String, Tensor> =
        std::mem::take(&mut work.contents.tensors).into_iter().collect();
    let mut changes = Vec::new();
    for (name, _) in wanted {
        let weight = tensors
            .get(&name)
            .ok_or_else(|| Error::MissingTensor { tensor: name.clone() })?;
        let quantized = QuantizedRows::new(&name, weight)?;
        changes.push(quantized.change);
        tensors.insert(format!("{name}_scale"), quantized.scales);
        tensors.insert(name, quantized.codes);
    }
    work.contents.tensors = tensors.into_iter().collect();
    if changes.is_empty() {
        Err(Error::NothingToCompress { step: "quantize" })
    } else {
        Ok(changes)
    }
}

/// A weight in bytes.
struct QuantizedRows {
    codes: Tensor,
    scales: Tensor,
    change: TensorChange,
}

impl QuantizedRows {
    fn new(name: &str, weight: &Tensor) -> Result<QuantizedRows> {
        let before = finite_values(name, weight)?;
        let narrow = weight
            .to_dtype(DType::F32)
            .and_then(|w| w.to_vec::<f32>())
            .map_err(Error::tensor(name))?;
        let (rows, cols) = (weight.shape()[0], weight.shape()[1..].iter().product());
        let (mut codes, mut scales) = (vec![0i8; narrow.len()], vec![0f32; rows]);
        quantize_rows_i8(&mut codes, &mut scales, &narrow, cols);
        let scale_of = |i: usize| f64::from(scales[i / cols]);
        let after: Vec<f64> = codes
            .iter()
            .enumerate()
            .map(|(i, &code)| f64::from(code) * scale_of(i))
            .collect();
        Ok(QuantizedRows {
            change: change(name, &before, &after),
            codes: Tensor::from_vec(codes, weight.shape()).map_err(Error::tensor(name))?,
            scales: Tensor::from_vec(scales, [rows]).map_err(Error::tensor(name))?,
        })
    }
}
