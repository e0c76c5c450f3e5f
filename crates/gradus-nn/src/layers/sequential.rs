//! Layers in a row.

use gradus_tensor::{Activation, Tensor};

use crate::error::Result;
use crate::layer::Layer;
use crate::module::{Module, ModuleVisitor};

/// A list of layers, each fed with the output of the one before. An activation that follows a layer able to fuse it
/// is computed in the same pass.
///
/// ```
/// use gradus_nn::{Flatten, Layer, Linear, Module, Relu, Sequential};
/// use gradus_tensor::{DType, Rng, Tensor};
/// let rng = &mut Rng::seed_from(0);
/// let model = Sequential::new()
///     .then(Flatten)
///     .then(Linear::new(784, 128, rng))
///     .then(Relu)
///     .then(Linear::new(128, 10, rng));
/// assert_eq!(model.forward(&Tensor::zeros([2, 28, 28], DType::F32))?.shape(), [2, 10]);
/// assert_eq!(model.named_parameters()[0].0, "1.weight");
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Default)]
pub struct Sequential {
    layers: Vec<Box<dyn Layer>>,
}

impl Sequential {
    /// No layers yet: the identity.
    pub fn new() -> Sequential {
        Sequential::default()
    }

    /// The same with `layer` at the end.
    #[must_use]
    pub fn then(mut self, layer: impl Layer + 'static) -> Sequential {
        self.layers.push(Box::new(layer));
        self
    }

    /// Number of layers.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there are no layers.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }
}

impl From<Vec<Box<dyn Layer>>> for Sequential {
    fn from(layers: Vec<Box<dyn Layer>>) -> Sequential {
        Sequential { layers }
    }
}

impl FromIterator<Box<dyn Layer>> for Sequential {
    fn from_iter<I: IntoIterator<Item = Box<dyn Layer>>>(layers: I) -> Sequential {
        Sequential {
            layers: layers.into_iter().collect(),
        }
    }
}

impl Module for Sequential {
    fn visit(&self, visitor: &mut dyn ModuleVisitor) {
        self.layers.visit(visitor);
    }
}

impl Layer for Sequential {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        let mut layers = self.layers.iter().enumerate().peekable();
        while let Some((index, layer)) = layers.next() {
            let activation = layers.peek().and_then(|(_, next)| next.as_activation());
            x = match activation {
                Some(activation) => layer.forward_activated(&x, activation),
                None => layer.forward(&x),
            }
            .map_err(|error| error.in_layer(index))?;
            if activation.is_some() {
                layers.next();
            }
        }
        Ok(x)
    }

    fn as_activation(&self) -> Option<Activation> {
        match self.layers.as_slice() {
            [only] => only.as_activation(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dropout, Error, Linear, Relu, Tanh};
    use gradus_tensor::{DType, Rng};

    #[test]
    fn is_its_layers_one_after_another() {
        let rng = &mut Rng::seed_from(3);
        let (first, second) = (Linear::new(4, 5, rng), Linear::new(5, 2, rng));
        let x = Tensor::from_vec((0..12).map(|i| i as f32 / 6.0 - 1.0).collect(), [3, 4]).unwrap();
        let hidden = first.forward(&x).unwrap().relu().unwrap().tanh().unwrap();
        let expected = second.forward(&hidden).unwrap().to_vec::<f32>().unwrap();

        let model = Sequential::new().then(first).then(Relu).then(Tanh).then(second);
        let got = model.forward(&x).unwrap().to_vec::<f32>().unwrap();
        for (g, e) in got.iter().zip(&expected) {
            assert!((g - e).abs() < 1e-6, "{g}, expected {e}");
        }
    }

    #[test]
    fn modes_and_names_reach_nested_layers() {
        let rng = &mut Rng::seed_from(3);
        let inner = Sequential::new()
            .then(Dropout::new(1.0).unwrap())
            .then(Linear::new(2, 2, rng));
        let model = Sequential::new().then(Relu).then(inner);
        assert_eq!(model.named_parameters()[1].0, "1.1.bias");
        let x = Tensor::ones([1, 2], DType::F32);
        let zeros = Tensor::zeros([1, 2], DType::F32);
        let outputs = |x: &Tensor| model.forward(x).unwrap().to_vec::<f32>().unwrap();
        assert_eq!(outputs(&x), outputs(&zeros), "everything is dropped in training");
        model.eval();
        assert_ne!(outputs(&x), outputs(&zeros));
    }

    #[test]
    fn errors_name_the_layer() {
        let rng = &mut Rng::seed_from(3);
        let inner = Sequential::new().then(Linear::new(4, 2, rng));
        let model = Sequential::new().then(Linear::new(2, 3, rng)).then(inner);
        let error = model.forward(&Tensor::zeros([1, 2], DType::F32)).unwrap_err();
        assert!(
            matches!(&error, Error::InLayer { layer, .. } if layer == "1.0"),
            "{error}"
        );
    }

    #[test]
    fn the_empty_model_is_the_identity() {
        let x = Tensor::ones([2], DType::F32);
        assert_eq!(
            Sequential::new().forward(&x).unwrap().to_vec::<f32>().unwrap(),
            [1.0, 1.0]
        );
    }
}
