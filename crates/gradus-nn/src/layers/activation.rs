//! Activation functions as layers. A table: each row is a layer without settings or state.

use gradus_tensor::{Activation, Tensor};

use crate::error::Result;
use crate::layer::Layer;

macro_rules! activation_layers {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, crate::Module)]
        pub struct $name;

        impl Layer for $name {
            fn forward(&self, x: &Tensor) -> Result<Tensor> {
                Ok(x.activate(Activation::$name)?)
            }

            fn as_activation(&self) -> Option<Activation> {
                Some(Activation::$name)
            }
        }
    )*};
}

activation_layers! {
    /// `max(x, 0)`, any shape.
    Relu;
    /// `x Φ(x)`, exact, any shape (Hendrycks and Gimpel, 2016).
    Gelu;
    /// GELU's tanh approximation, any shape.
    GeluTanh;
    /// `x σ(x)`, any shape.
    Silu;
    /// Hyperbolic tangent, any shape.
    Tanh;
    /// The logistic function, any shape.
    Sigmoid;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_layer_is_its_function() {
        let x = Tensor::from_vec(vec![-1.5f32, 0.0, 2.0], [3]).unwrap();
        let layers: [(&dyn Layer, Tensor); 6] = [
            (&Relu, x.relu().unwrap()),
            (&Gelu, x.gelu().unwrap()),
            (&GeluTanh, x.gelu_tanh().unwrap()),
            (&Silu, x.silu().unwrap()),
            (&Tanh, x.tanh().unwrap()),
            (&Sigmoid, x.sigmoid().unwrap()),
        ];
        for (layer, expected) in layers {
            let got = layer.forward(&x).unwrap().to_vec::<f32>().unwrap();
            assert_eq!(
                got,
                expected.to_vec::<f32>().unwrap(),
                "{:?}",
                layer.as_activation()
            );
            assert!(layer.parameters().is_empty());
        }
    }
}
