//! All axes after the batch into one.

use gradus_tensor::Tensor;

use crate::error::{Error, Result};
use crate::layer::Layer;

/// `[batch, ..]` to `[batch, features]`, without copying where the input is contiguous. An input `[batch]` becomes
/// `[batch, 1]`.
#[derive(Clone, Copy, Debug, Default, crate::Module)]
pub struct Flatten;

impl Layer for Flatten {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Some((&batch, rest)) = x.shape().split_first() else {
            let expected = "at least one axis, the batch".to_owned();
            return Err(Error::InputShape {
                layer: "flatten",
                expected,
                got: Vec::new(),
            });
        };
        Ok(x.reshape([batch, rest.iter().product()])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::DType;

    #[test]
    fn joins_all_but_the_batch() {
        for (shape, expected) in [(&[5, 1, 2, 3][..], [5, 6]), (&[5], [5, 1]), (&[0, 3, 2], [0, 6])] {
            assert_eq!(
                Flatten
                    .forward(&Tensor::zeros(shape, DType::F32))
                    .unwrap()
                    .shape(),
                expected
            );
        }
        assert!(matches!(
            Flatten.forward(&Tensor::scalar(1f32)),
            Err(Error::InputShape { .. })
        ));
    }
}
