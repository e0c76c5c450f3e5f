//! From a recipe's text to tokens on the disk, once.

use crate::Result;
use crate::recipe::{TextDataConfig, TokenizerChoice};
use crate::training::observer::{Event, Observer};
use gradus_data::text::{
    BpeOptions, Holdout, Part, Piece, TextError, TextSource, TokenSet, TokenizeOptions, Tokenizer, tokenize,
};
use gradus_package::write_atomic;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the folder of a tokenizer was made of.
const ORIGIN: &str = "origin.json";

/// A text as tokens.
pub(crate) struct Corpus {
    pub tokenizer: Tokenizer,
    pub train: Arc<TokenSet>,
    pub validation: Option<Arc<TokenSet>>,
}

/// Where a corpus is kept, who watches it being made, and who may stop that.
pub(crate) struct Workshop<'a> {
    pub folder: &'a Path,
    pub observer: &'a mut dyn Observer,
    pub stop: &'a AtomicBool,
}

impl Corpus {
    /// The tokens of a recipe's text (`data` with paths that need no folder), made or opened.
    pub fn prepare(data: &TextDataConfig, workshop: &mut Workshop<'_>) -> Result<Corpus> {
        let source = TextSource::open(&data.text, &data.text_column)?;
        let holdout = Holdout::new(data.held_out_fraction(), data.seed)?;
        let part = match holdout.fraction > 0.0 {
            true => Part::Train(holdout),
            false => Part::All,
        };
        let tokenizer = make_tokenizer(data, &source, part, &workshop.folder.join("tokenizer"))?;
        let train = workshop.tokens("train", &source, &tokenizer, part)?;
        let validation = if !data.validation.is_empty() {
            let source = TextSource::open(&data.validation, &data.text_column)?;
            Some(workshop.tokens("validation", &source, &tokenizer, Part::All)?)
        } else if holdout.fraction > 0.0 {
            match workshop.tokens("validation", &source, &tokenizer, Part::Validation(holdout)) {
                Ok(set) => Some(set),
                // A small text may have no line that was drawn.
                Err(crate::Error::Text(TextError::NoText)) => None,
                Err(error) => return Err(error),
            }
        } else {
            None
        };
        Ok(Corpus {
            tokenizer,
            train,
            validation,
        })
    }

    /// What a run was trained on, in 64 digits.
    pub fn fingerprint(&self) -> String {
        self.train
            .fingerprint()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

impl Workshop<'_> {
    fn tokens(
        &mut self,
        name: &'static str,
        source: &TextSource,
        tokenizer: &Tokenizer,
        part: Part,
    ) -> Result<Arc<TokenSet>> {
        let (observer, stop) = (&mut *self.observer, self.stop);
        let progress = |progress| {
            observer.on_event(&Event::Tokenizing { part: name, progress });
            match stop.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let options = TokenizeOptions::new(part);
        Ok(Arc::new(tokenize(
            source,
            tokenizer,
            &self.folder.join(name),
            &options,
            progress,
        )?))
    }
}

/// What decides a trained tokenizer.
#[derive(PartialEq, Serialize, Deserialize)]
struct Origin {
    tokenizer: String,
    vocab_size: Option<usize>,
    part: Part,
    source: TextSource,
}

/// The tokenizer that a recipe names: read, or made of the training part and kept, so that a resumed run does not make it
/// again.
fn make_tokenizer(
    data: &TextDataConfig,
    source: &TextSource,
    part: Part,
    folder: &Path,
) -> Result<Tokenizer> {
    let choice = data.tokenizer_choice();
    if let TokenizerChoice::File(path) = &choice {
        return Ok(Tokenizer::open(path)?);
    }
    let origin = Origin {
        tokenizer: data.tokenizer.clone(),
        vocab_size: data.vocab_size,
        part,
        source: source.clone(),
    };
    let kept = std::fs::read(folder.join(ORIGIN))
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Origin>(&bytes).ok());
    if kept.as_ref() == Some(&origin)
        && let Ok(tokenizer) = Tokenizer::open(folder)
    {
        return Ok(tokenizer);
    }
    let texts = source
        .pieces(part)
        .map(|piece| piece.map(|Piece { text, .. }| text));
    let tokenizer = match choice {
        TokenizerChoice::Bpe(vocab_size) => Tokenizer::train_bpe(texts, &BpeOptions::new(vocab_size))?,
        TokenizerChoice::Characters => Tokenizer::characters(texts)?,
        TokenizerChoice::File(path) => Tokenizer::open(path)?,
    };
    keep(&tokenizer, &origin, folder)?;
    Ok(tokenizer)
}

/// Writes a tokenizer down; what it was made of comes last, and says that the rest is whole.
fn keep(tokenizer: &Tokenizer, origin: &Origin, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|source| TextError::Io {
        action: "create",
        path: folder.to_owned(),
        source,
    })?;
    for (name, bytes) in tokenizer.files() {
        write_atomic(&folder.join(name), &bytes)?;
    }
    let origin = serde_json::to_vec_pretty(origin).expect("bug: what a tokenizer was made of is plain data");
    Ok(write_atomic(&folder.join(ORIGIN), &origin)?)
}
