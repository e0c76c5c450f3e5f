//! In-place update loops of the optimisers, one step over one parameter.
//!
//! Each follows `torch.optim`'s single-tensor formulas in their order; hyper-parameters arrive as `f64`, factors that
//! PyTorch computes in Python are computed in `f64` here, and state is `f32`. Every function overwrites `value` and
//! its state and reads `grad`.

pub mod adadelta;
pub mod adagrad;
pub mod adam;
pub mod in_place;
pub mod lion;
pub mod rmsprop;
pub mod sgd;
