//! From the vocabulary in a file's metadata to `tokenizer.json` and the files that go with it.

mod byte_level;
mod pre_tokenizers;
mod sentence_piece;
mod settings;
mod tokens;
mod word_piece;

pub(super) use pre_tokenizers::{PRE_TOKENIZERS, PreTokenizer};
pub(super) use tokens::TokenKind;

use crate::files::ExtraFiles;
use crate::foreign::gguf::metadata::GgufMetadata;
use crate::foreign::gguf::vocabulary::tokens::Tokens;
use crate::foreign::gguf::{GgufProblem, VocabularyProblem};
use crate::foreign::hugging_face::TOKENIZER_FILE;

/// The files that `transformers` would have beside the weights: none where the file has no vocabulary.
pub(super) fn files(metadata: &GgufMetadata<'_>) -> Result<ExtraFiles, GgufProblem> {
    let mut files = ExtraFiles::new();
    let Some(model) = metadata.text("tokenizer.ggml.model")? else {
        return Ok(files);
    };
    let Some(tokens) = Tokens::read(metadata)? else {
        return Ok(files);
    };
    let tokenizer = match model {
        "gpt2" => byte_level::tokenizer(metadata, &tokens)?,
        "llama" => sentence_piece::tokenizer(metadata, &tokens)?,
        "bert" => word_piece::tokenizer(&tokens)?,
        _ => {
            let model = model.to_owned();
            return Err(VocabularyProblem::Model { model }.into());
        }
    };
    files.insert(TOKENIZER_FILE.to_owned(), tokenizer.into());
    files.extend(settings::files(metadata, &tokens)?);
    Ok(files)
}
