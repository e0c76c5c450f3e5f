//! Text: from characters to tokens and back, for training language models and for talking to them.
//!
//! For pretraining, a [`TextSource`] names files, [`tokenize`] writes their tokens to disk once, and a [`TokenLoader`]
//! draws batches from there. For fine-tuning, [`InstructionData`] reads conversations of which only the answers are
//! learned, and an [`InstructionLoader`] packs them into rows.
//!
//! A [`Tokenizer`] is read from a `tokenizer.json`, trained ([`Tokenizer::train_bpe`]) or made of a text's characters
//! ([`Tokenizer::characters`]); whichever it is, it is saved as files that Hugging Face's libraries read. A
//! [`StreamDecoder`] turns ids into text as they are drawn, a [`StopMatcher`] ends it at a given string, and a
//! [`ChatTemplate`] writes a conversation the way a model was taught to read it.

mod chat;
mod error;
mod instruction;
mod source;
mod stop;
mod stream;
mod tokenizer;
mod tokens;

pub use chat::{ChatExtra, ChatMessage, ChatTemplate, GenerationPrompt};
pub use error::{Result, TextError};
pub use instruction::{
    InstructionBatches, InstructionCounts, InstructionData, InstructionLoader, InstructionLoaderConfig,
    InstructionOptions, Packing, Truncation,
};
pub use source::{
    Holdout, PIECE_BYTES, Part, Piece, Pieces, Position, SourceFile, TEXT_COLUMN, TextFormat, TextSource,
};
pub use stop::{StopMatcher, Stopped};
pub use stream::StreamDecoder;
pub use tokenizer::{BpeOptions, SpecialToken, SpecialTokens, Tokenizer};
pub use tokens::{
    EpochBatches, EvaluationBatches, TokenBatch, TokenLoader, TokenLoaderConfig, TokenSet, TokenizeOptions,
    TokenizeProgress, tokenize,
};
