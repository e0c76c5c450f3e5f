//! Average pooling.

use gradus_tensor::{PoolOptions, Tensor};

use crate::error::Result;
use crate::layer::Layer;

/// The mean of each window: `[batch, channels, height, width]` to `[batch, channels, height', width']`.
#[derive(Clone, Debug, crate::Module)]
pub struct AvgPool2d {
    #[module(skip)]
    options: PoolOptions,
}

impl AvgPool2d {
    /// Square windows that touch without overlap, as PyTorch's default stride.
    pub fn new(kernel_size: usize) -> AvgPool2d {
        let stride = [kernel_size; 2];
        AvgPool2d::with_options(PoolOptions {
            kernel: stride,
            stride,
            ..PoolOptions::default()
        })
    }

    /// Any windows.
    pub fn with_options(options: PoolOptions) -> AvgPool2d {
        AvgPool2d { options }
    }
}

impl Layer for AvgPool2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.avg_pool2d(&self.options)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_each_window() {
        let x = Tensor::from_vec((0..8).map(|i| i as f32).collect(), [1, 1, 2, 4]).unwrap();
        let out = AvgPool2d::new(2).forward(&x).unwrap();
        assert_eq!(
            (out.shape(), out.to_vec::<f32>().unwrap()),
            (&[1, 1, 1, 2][..], vec![2.5, 4.5])
        );
    }
}
