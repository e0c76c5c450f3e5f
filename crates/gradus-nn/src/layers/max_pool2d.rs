//! Maximum pooling.

use gradus_tensor::{PoolOptions, Tensor};

use crate::error::Result;
use crate::layer::Layer;

/// The largest value of each window: `[batch, channels, height, width]` to `[batch, channels, height', width']`.
#[derive(Clone, Debug, crate::Module)]
pub struct MaxPool2d {
    #[module(skip)]
    options: PoolOptions,
}

impl MaxPool2d {
    /// Square windows that touch without overlap, as PyTorch's default stride.
    pub fn new(kernel_size: usize) -> MaxPool2d {
        let stride = [kernel_size; 2];
        MaxPool2d::with_options(PoolOptions {
            kernel: stride,
            stride,
            ..PoolOptions::default()
        })
    }

    /// Any windows.
    pub fn with_options(options: PoolOptions) -> MaxPool2d {
        MaxPool2d { options }
    }
}

impl Layer for MaxPool2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.max_pool2d(&self.options)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_largest_of_each_window() {
        let x = Tensor::from_vec((0..16).map(|i| (i * 7 % 16) as f32).collect(), [1, 1, 4, 4]).unwrap();
        let out = MaxPool2d::new(2).forward(&x).unwrap();
        assert_eq!(out.shape(), [1, 1, 2, 2]);
        // Rows: 0 7 14 5 / 12 3 10 1 / 8 15 6 13 / 4 11 2 9.
        assert_eq!(out.to_vec::<f32>().unwrap(), [12.0, 14.0, 15.0, 13.0]);
    }
}
