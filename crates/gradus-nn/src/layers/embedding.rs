//! A table of vectors looked up by index.

use gradus_tensor::{Parameter, Rng, Tensor};

use crate::error::Result;
use crate::init::Init;
use crate::layer::Layer;

/// Row `id` of `weight` for each id: `I64` of any shape `[..]` to `[.., embedding_dim]`.
///
/// Tensors: `weight` `[num_embeddings, embedding_dim]`.
#[derive(crate::Module)]
pub struct Embedding {
    weight: Parameter,
}

impl Embedding {
    /// A table from `N(0, 1)`, as PyTorch starts it.
    pub fn new(num_embeddings: usize, embedding_dim: usize, rng: &mut Rng) -> Embedding {
        let weight = Init::Normal { mean: 0.0, std: 1.0 }.tensor(&[num_embeddings, embedding_dim], rng);
        let weight = weight.expect("bug: a normal needs no fans");
        Embedding {
            weight: Parameter::new(weight).expect("bug: initialisers give floats"),
        }
    }

    /// The table, `[num_embeddings, embedding_dim]`.
    pub fn weight(&self) -> &Parameter {
        &self.weight
    }
}

impl Layer for Embedding {
    /// # Errors
    /// When an id lies outside the table, or the ids are not `I64`.
    fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        Ok(self.weight.value().embedding(ids)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_rows_up_and_adds_gradients_of_repeats() {
        let table = Embedding::new(5, 2, &mut Rng::seed_from(0));
        table
            .weight()
            .set(Tensor::from_vec((0..10).map(|i| i as f32).collect(), [5, 2]).unwrap())
            .unwrap();
        let ids = Tensor::from_vec(vec![4i64, 0, 4, 1], [2, 2]).unwrap();
        let out = table.forward(&ids).unwrap();
        assert_eq!(out.shape(), [2, 2, 2]);
        assert_eq!(
            out.to_vec::<f32>().unwrap(),
            [8.0, 9.0, 0.0, 1.0, 8.0, 9.0, 2.0, 3.0]
        );
        out.sum_all().unwrap().backward().unwrap();
        let grad = table.weight().grad().unwrap().to_vec::<f32>().unwrap();
        assert_eq!(grad, [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 2.0, 2.0]);
        assert!(
            table
                .forward(&Tensor::from_vec(vec![5i64], [1]).unwrap())
                .is_err()
        );
    }

    #[test]
    fn starts_standard_normal() {
        let table = Embedding::new(200, 100, &mut Rng::seed_from(8));
        let values = table.weight().value().to_vec::<f32>().unwrap();
        let n = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        assert!(
            mean.abs() < 0.036 && (variance - 1.0).abs() < 0.05,
            "{mean} {variance}"
        );
    }
}
