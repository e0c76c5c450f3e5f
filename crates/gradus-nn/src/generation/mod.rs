//! Continuing text, token by token: choosing the next token, and the session that feeds it back.
//!
//! [`Sampler`] turns logits into a token; [`Session`] holds a model's cache of keys and values together with the tokens
//! in it, generates, and scores given continuations. Tokens are numbers here; text and templates are `gradus-data`'s.

mod sampler;
mod score;
mod session;

pub use sampler::{Sampler, SamplingOptions};
pub use score::{Continuation, Scores, TokenScore};
pub use session::{GenerateOptions, Generation, Session, StopReason, Token};
