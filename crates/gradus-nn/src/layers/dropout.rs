//! Dropout.

use gradus_tensor::{Tensor, rng};

use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::mode::Mode;

/// In training, zeroes each element with probability `p` and scales the others by `1 / (1 − p)`; in evaluation, does
/// nothing (Srivastava et al., 2014). Any shape.
///
/// Which elements fall is drawn from this thread's [forward seeds](gradus_tensor::rng::set_forward_seed).
#[derive(Clone, Debug, crate::Module)]
pub struct Dropout {
    p: f64,
    mode: Mode,
}

impl Dropout {
    /// A layer that drops with probability `p` in `0..=1`.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] for other numbers.
    pub fn new(p: f64) -> Result<Dropout> {
        if !(0.0..=1.0).contains(&p) {
            let rule = "it is a probability, from 0 to 1";
            return Err(Error::InvalidSetting {
                owner: "dropout",
                setting: "p",
                value: p.to_string(),
                rule,
            });
        }
        Ok(Dropout {
            p,
            mode: Mode::default(),
        })
    }
}

impl Layer for Dropout {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if self.p == 0.0 || !self.mode.is_training() {
            return Ok(x.clone());
        }
        Ok(x.dropout(self.p, rng::next_forward_seed())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Module;
    use gradus_tensor::DType;

    #[test]
    fn drops_in_training_only_and_repeats_with_the_seed() {
        let dropout = Dropout::new(0.25).unwrap();
        let x = Tensor::ones([100, 100], DType::F32);
        let draw = || {
            rng::set_forward_seed(7);
            dropout.forward(&x).unwrap().to_vec::<f32>().unwrap()
        };
        let first = draw();
        assert_eq!(first, draw());
        assert!(first.iter().all(|&v| v == 0.0 || (v - 4.0 / 3.0).abs() < 1e-6));
        // The count is binomial with a standard deviation of 43; five of them.
        let dropped = first.iter().filter(|&&v| v == 0.0).count();
        assert!(dropped.abs_diff(2500) < 217, "{dropped}");
        dropout.eval();
        assert_eq!(draw(), vec![1.0; 10_000]);
    }

    #[test]
    fn refuses_what_is_no_probability() {
        for p in [-0.1, 1.5, f64::NAN] {
            assert!(matches!(
                Dropout::new(p),
                Err(Error::InvalidSetting { setting: "p", .. })
            ));
        }
    }
}
