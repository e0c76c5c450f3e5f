//! The files that say how a tokenizer is used: `tokenizer_config.json` and `generation_config.json`.

use serde_json::{Map, Value, json};

use crate::files::ExtraFiles;
use crate::foreign::gguf::GgufProblem;
use crate::foreign::gguf::metadata::GgufMetadata;
use crate::foreign::gguf::vocabulary::tokens::Tokens;
use crate::foreign::hugging_face::{GENERATION_CONFIG_FILE, TOKENIZER_CONFIG_FILE};

/// Both files.
pub(super) fn files(metadata: &GgufMetadata<'_>, tokens: &Tokens<'_>) -> Result<ExtraFiles, GgufProblem> {
    let written = |value: Value| {
        let mut bytes = serde_json::to_vec_pretty(&value).expect("bug: these keys are texts");
        bytes.push(b'\n');
        bytes.into()
    };
    Ok(ExtraFiles::from([
        (
            TOKENIZER_CONFIG_FILE.to_owned(),
            written(tokenizer_config(metadata, tokens)?),
        ),
        (
            GENERATION_CONFIG_FILE.to_owned(),
            written(generation_config(metadata, tokens)?),
        ),
    ]))
}

fn tokenizer_config(metadata: &GgufMetadata<'_>, tokens: &Tokens<'_>) -> Result<Value, GgufProblem> {
    let mut config = Map::new();
    for (name, id) in [
        ("bos_token", tokens.bos),
        ("eos_token", tokens.eos),
        ("unk_token", tokens.unknown),
        ("pad_token", tokens.padding),
        ("sep_token", tokens.separator),
    ] {
        if let Some((token, _)) = tokens.named(id) {
            config.insert(name.into(), token.into());
        }
    }
    config.insert("add_bos_token".into(), tokens.add_bos.into());
    config.insert("add_eos_token".into(), tokens.add_eos.into());
    config.insert("clean_up_tokenization_spaces".into(), false.into());
    let architecture = metadata.text("general.architecture")?.unwrap_or_default();
    if let Some(context) = metadata.u64(&format!("{architecture}.context_length"))? {
        config.insert("model_max_length".into(), context.into());
    }
    if let Some(template) = metadata.text("tokenizer.chat_template")? {
        config.insert("chat_template".into(), template.into());
    }
    config.insert("tokenizer_class".into(), "PreTrainedTokenizerFast".into());
    Ok(config.into())
}

fn generation_config(metadata: &GgufMetadata<'_>, tokens: &Tokens<'_>) -> Result<Value, GgufProblem> {
    let mut config = Map::new();
    if let Some(bos) = tokens.bos {
        config.insert("bos_token_id".into(), bos.into());
    }
    if let Some(eos) = tokens.eos {
        // A turn of a chat may end by another token than a text.
        let turn = metadata.u64("tokenizer.ggml.eot_token_id")?;
        let turn = turn.filter(|&turn| turn != eos as u64 && turn < tokens.texts.len() as u64);
        let ends = turn.map_or(json!(eos), |turn| json!([eos, turn]));
        config.insert("eos_token_id".into(), ends);
    }
    if let Some(padding) = tokens.padding {
        config.insert("pad_token_id".into(), padding.into());
    }
    Ok(config.into())
}
