//! The fully connected layer with int8 weights, for inference.

use std::sync::{Arc, Mutex, PoisonError};

use gradus_kernels::int8::{MAX_IN_FEATURES, PackedI8, linear_i8, quantize_rows_i8};
use gradus_kernels::matrix::Epilogue;
use gradus_tensor::{Activation, DType, Tensor, grad_enabled};

use super::linear::{Linear, LinearConfig};
use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::layer::Layer;

const NAME: &str = "int8 linear";

/// As [`Linear`], with weights of 8 bits: `[.., in_features]` to `[.., out_features]`, `f32`.
///
/// Each output feature's weights are integers times one scale; each row of the input is quantised as it comes, and the
/// products are summed exactly. Tensors: `weight` `I8` `[out_features, in_features]`, `weight_scale` `F32`
/// `[out_features]`, `bias` `F32` `[out_features]`. They are buffers: the layer cannot be trained, and refuses an
/// input that gradients should flow through.
///
/// ```
/// use gradus_nn::{Int8Linear, Layer, Linear};
/// use gradus_tensor::{Rng, Tensor};
/// let linear = Linear::new(64, 4, &mut Rng::seed_from(0));
/// let small = Int8Linear::quantize(&linear)?;
/// let x = Tensor::from_vec(vec![0.25f32; 64], [1, 64])?;
/// let (exact, near) = (linear.forward(&x)?.to_vec::<f32>()?, small.forward(&x)?.to_vec::<f32>()?);
/// assert!(exact.iter().zip(&near).all(|(e, n)| (e - n).abs() < 0.01));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(crate::Module)]
pub struct Int8Linear {
    weight: Buffer,
    weight_scale: Buffer,
    bias: Option<Buffer>,
    #[module(skip)]
    packed: Mutex<Option<(CacheKey, Arc<Packed>)>>,
}

/// Versions of the three buffers, read before their values.
type CacheKey = [Option<u64>; 3];

/// The buffers as the kernel wants them.
struct Packed {
    weight: PackedI8,
    bias: Option<Vec<f32>>,
}

impl Int8Linear {
    /// A layer of zeros, to load tensors into. The rule for initial weights does not apply.
    pub fn empty(config: &LinearConfig) -> Int8Linear {
        let &LinearConfig {
            in_features,
            out_features,
            bias,
            ..
        } = config;
        Int8Linear {
            weight: Buffer::new(Tensor::zeros([out_features, in_features], DType::I8)),
            weight_scale: Buffer::new(Tensor::zeros([out_features], DType::F32)),
            bias: bias.then(|| Buffer::new(Tensor::zeros([out_features], DType::F32))),
            packed: Mutex::new(None),
        }
    }

    /// The quantised likeness of a layer.
    ///
    /// # Errors
    /// As [`quantize_weight`].
    pub fn quantize(linear: &Linear) -> Result<Int8Linear> {
        let (weight, scale) = quantize_weight(&linear.weight().value())?;
        Ok(Int8Linear {
            weight: Buffer::new(weight),
            weight_scale: Buffer::new(scale),
            bias: linear.bias().map(|bias| Buffer::new(bias.value())),
            packed: Mutex::new(None),
        })
    }

    fn packed(&self) -> Result<Arc<Packed>> {
        let bias_version = self.bias.as_ref().map(Buffer::version);
        let key = [
            Some(self.weight.version()),
            Some(self.weight_scale.version()),
            bias_version,
        ];
        let mut slot = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, packed)) = slot.as_ref().filter(|(made_from, _)| *made_from == key) {
            return Ok(packed.clone());
        }
        let packed = Arc::new(self.pack()?);
        *slot = Some((key, packed.clone()));
        Ok(packed)
    }

    fn pack(&self) -> Result<Packed> {
        let weight = self.weight.value().contiguous()?;
        let [out_features, in_features] = matrix_shape(&weight)?;
        let values = weight.as_slice::<i8>()?;
        if values.contains(&i8::MIN) {
            let rule = "codes are symmetric, from -127 to 127";
            let value = "one that holds -128".to_owned();
            return Err(Error::InvalidSetting {
                owner: NAME,
                setting: "weight",
                value,
                rule,
            });
        }
        let scales = self.weight_scale.value().to_vec::<f32>()?;
        let bias = self
            .bias
            .as_ref()
            .map(|bias| bias.value().to_vec::<f32>())
            .transpose()?;
        Ok(Packed {
            weight: PackedI8::new(values, &scales, out_features, in_features),
            bias,
        })
    }
}

impl Layer for Int8Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_activated(x, Activation::Identity)
    }

    fn forward_activated(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        if grad_enabled() && x.is_tracked() {
            return Err(Error::InferenceOnly { layer: NAME });
        }
        let packed = self.packed()?;
        let (input, output) = (packed.weight.in_features(), packed.weight.out_features());
        let Some((_, outer)) = x.shape().split_last().filter(|(last, _)| **last == input) else {
            let expected = format!("[.., {input}]");
            return Err(Error::InputShape {
                layer: NAME,
                expected,
                got: x.shape().to_vec(),
            });
        };
        let relu = activation == Activation::Relu;
        let x = x.detach().contiguous()?;
        let values = x.as_slice::<f32>()?;
        let epilogue = Epilogue {
            bias: packed.bias.as_deref(),
            relu,
        };
        let rows = outer.iter().product();
        let out = Tensor::build([outer, &[output]].concat(), |out| {
            linear_i8(out, values, rows, &packed.weight, epilogue);
        });
        Ok(if relu { out } else { out.activate(activation)? })
    }
}

/// A float weight `[out, in]` as `I8` codes and an `F32` scale per row: `scale = max |w| / 127`, rounded half to even.
///
/// # Errors
/// When the weight is no matrix, not `f32`, wider than the kernel's exact sums allow, or holds NaN or infinity.
pub fn quantize_weight(weight: &Tensor) -> Result<(Tensor, Tensor)> {
    let shape = matrix_shape(weight)?;
    let weight = weight.detach().contiguous()?;
    let values = weight.as_slice::<f32>()?;
    let (mut codes, mut scales) = (vec![0i8; values.len()], vec![0f32; shape[0]]);
    quantize_rows_i8(&mut codes, &mut scales, values, shape[1]);
    if let Some(row) = scales.iter().position(|scale| !scale.is_finite()) {
        let (value, rule) = (
            format!("not finite in row {row}"),
            "only finite weights can be quantised",
        );
        return Err(Error::InvalidSetting {
            owner: NAME,
            setting: "weight",
            value,
            rule,
        });
    }
    Ok((
        Tensor::from_vec(codes, shape)?,
        Tensor::from_vec(scales, [shape[0]])?,
    ))
}

fn matrix_shape(weight: &Tensor) -> Result<[usize; 2]> {
    match *weight.shape() {
        [out_features, in_features] if in_features <= MAX_IN_FEATURES => Ok([out_features, in_features]),
        ref other => {
            let expected = format!("a weight [out, in] with at most {MAX_IN_FEATURES} inputs");
            Err(Error::InputShape {
                layer: NAME,
                expected,
                got: other.to_vec(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Module;
    use gradus_tensor::Rng;

    fn layer() -> Int8Linear {
        let layer = Int8Linear::empty(&LinearConfig::new(3, 2));
        let state = [
            (
                "weight".to_owned(),
                Tensor::from_vec(vec![127i8, 0, -64, 2, 1, 0], [2, 3]).unwrap(),
            ),
            (
                "weight_scale".to_owned(),
                Tensor::from_vec(vec![0.5f32, 1.0], [2]).unwrap(),
            ),
            (
                "bias".to_owned(),
                Tensor::from_vec(vec![0.0f32, -500.0], [2]).unwrap(),
            ),
        ];
        layer.load_state_dict(&state).unwrap();
        layer
    }

    #[test]
    fn computes_exactly_what_integers_can_hold() {
        let x = Tensor::from_vec(vec![1.0f32, 127.0, 0.0], [1, 1, 3]).unwrap();
        let out = layer().forward(&x).unwrap();
        assert_eq!(
            (out.shape(), out.to_vec::<f32>().unwrap()),
            (&[1, 1, 2][..], vec![63.5, -371.0])
        );
        let rectified = layer().forward_activated(&x, Activation::Relu).unwrap();
        assert_eq!(rectified.to_vec::<f32>().unwrap(), [63.5, 0.0]);
    }

    #[test]
    fn is_near_the_float_layer_and_follows_loaded_tensors() {
        let linear = Linear::new(200, 30, &mut Rng::seed_from(6));
        let quantized = Int8Linear::quantize(&linear).unwrap();
        let copy = Int8Linear::empty(&LinearConfig::new(200, 30));
        let x = (0..400).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
        let x = Tensor::from_vec::<f32>(x, [2, 200]).unwrap();
        assert_eq!(copy.forward(&x).unwrap().to_vec::<f32>().unwrap(), [0.0; 60]);
        copy.load_state_dict(&quantized.state_dict()).unwrap();
        for layer in [quantized, copy] {
            let exact = linear.forward(&x).unwrap().to_vec::<f32>().unwrap();
            let near = layer.forward(&x).unwrap().to_vec::<f32>().unwrap();
            // 200 terms, each off by at most half a step of weight and input: 1/254 of either's range, at random.
            let worst = exact
                .iter()
                .zip(&near)
                .map(|(e, n)| (e - n).abs())
                .fold(0.0, f32::max);
            assert!(worst < 0.01, "{worst}");
        }
    }

    #[test]
    fn refuses_gradients_wrong_widths_and_impossible_codes() {
        let x = Tensor::ones([1, 3], DType::F32);
        let tracked = x.with_grad().unwrap();
        assert_eq!(
            layer().forward(&tracked).unwrap_err(),
            Error::InferenceOnly { layer: NAME }
        );
        assert!(matches!(
            layer().forward(&Tensor::ones([3, 1], DType::F32)),
            Err(Error::InputShape { .. })
        ));
        let broken = layer();
        let weight = Tensor::from_vec(vec![i8::MIN; 6], [2, 3]).unwrap();
        broken.named_buffers()[0].1.set(weight).unwrap();
        assert!(broken.forward(&x).unwrap_err().to_string().contains("-128"));
        assert!(quantize_weight(&Tensor::full([1, 2], f64::NAN, DType::F32)).is_err());
        assert!(quantize_weight(&Tensor::ones([4], DType::F32)).is_err());
    }
}
