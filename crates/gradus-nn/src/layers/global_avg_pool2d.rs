//! One number per channel.

use gradus_tensor::Tensor;

use crate::error::{Error, Result};
use crate::layer::Layer;

/// The mean of each channel over all its pixels: `[batch, channels, height, width]` to `[batch, channels]`.
/// PyTorch's `AdaptiveAvgPool2d(1)` followed by `Flatten`.
#[derive(Clone, Copy, Debug, Default, crate::Module)]
pub struct GlobalAvgPool2d;

impl Layer for GlobalAvgPool2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if x.rank() != 4 {
            let expected = "[batch, channels, height, width]".to_owned();
            return Err(Error::InputShape {
                layer: "global_avg_pool2d",
                expected,
                got: x.shape().to_vec(),
            });
        }
        Ok(x.mean([2, 3], false)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_each_channel() {
        let x = Tensor::from_vec((0..12).map(|i| i as f32).collect(), [1, 3, 2, 2]).unwrap();
        let out = GlobalAvgPool2d.forward(&x).unwrap();
        assert_eq!(
            (out.shape(), out.to_vec::<f32>().unwrap()),
            (&[1, 3][..], vec![1.5, 5.5, 9.5])
        );
        assert!(GlobalAvgPool2d.forward(&out).is_err());
    }
}
