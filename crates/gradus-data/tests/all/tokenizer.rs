//! Tokenizers: the ids and texts of Hugging Face's library, whole, in pieces, from damaged files.

use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;

use gradus_data::text::{BpeOptions, StreamDecoder, TextError, Tokenizer};
use gradus_kernels::pool;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

const GOLDEN: &str = include_str!("../../../../golden/tokenizers.json");

#[derive(Deserialize)]
struct Golden {
    tokenizers: BTreeMap<String, Kind>,
    corpus: String,
    trained: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Kind {
    json: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    ids: Vec<u32>,
    with_special: Vec<u32>,
    decoded: String,
    with_special_decoded: String,
}

fn golden() -> Golden {
    serde_json::from_str(GOLDEN).unwrap()
}

fn kind(name: &str) -> Tokenizer {
    Tokenizer::from_json(golden().tokenizers[name].json.as_str(), None).unwrap()
}

fn one_text(text: &str) -> impl Iterator<Item = Result<String, TextError>> + Send {
    std::iter::once(Ok(text.to_owned()))
}

fn stream(tokenizer: &Tokenizer, ids: &[u32]) -> (String, Vec<String>) {
    let mut decoder = StreamDecoder::new(tokenizer);
    let mut pieces: Vec<String> = ids.iter().map(|&id| decoder.push(id).unwrap()).collect();
    pieces.push(decoder.finish().unwrap());
    (pieces.concat(), pieces)
}

#[test]
fn encodes_and_decodes_as_hugging_face() {
    for (name, kind) in golden().tokenizers {
        let tokenizer = Tokenizer::from_json(kind.json, None).unwrap();
        for case in &kind.cases {
            let text = &case.text;
            assert_eq!(tokenizer.encode(text).unwrap(), case.ids, "{name} {text:?}");
            assert_eq!(
                tokenizer.encode_with_special(text).unwrap(),
                case.with_special,
                "{name} {text:?}"
            );
            assert_eq!(
                tokenizer.encode_with_offsets(text).unwrap().0,
                case.ids,
                "{name} {text:?}"
            );
            assert_eq!(
                tokenizer.decode(&case.ids).unwrap(),
                case.decoded,
                "{name} {text:?}"
            );
            assert_eq!(
                tokenizer.decode_with_special(&case.ids).unwrap(),
                case.with_special_decoded,
                "{name} {text:?}"
            );
        }
        let texts: Vec<&str> = kind.cases.iter().map(|case| case.text.as_str()).collect();
        let batch = tokenizer.encode_batch(&texts).unwrap();
        assert!(batch.iter().eq(kind.cases.iter().map(|case| &case.ids)), "{name}");
    }
}

#[test]
fn streams_whole_characters_that_add_up_to_the_text() {
    for (name, kind) in golden().tokenizers {
        let tokenizer = Tokenizer::from_json(kind.json, None).unwrap();
        for case in &kind.cases {
            let (text, pieces) = stream(&tokenizer, &case.ids);
            assert_eq!(text, case.decoded, "{name} {:?}", case.text);
            if !case.text.contains('\u{fffd}') && name != "bert" {
                assert!(
                    pieces.iter().all(|piece| !piece.contains('\u{fffd}')),
                    "{name} {pieces:?}"
                );
            }
        }
    }
}

#[test]
fn streams_text_as_soon_as_it_is_whole() {
    let kind = &golden().tokenizers["gpt2"];
    let tokenizer = Tokenizer::from_json(kind.json.as_str(), None).unwrap();
    let ids = tokenizer.encode(" the €").unwrap();
    let (_, pieces) = stream(&tokenizer, &ids);
    assert_eq!(pieces, [" the", " ", "", "", "€", ""]);
    // The first two bytes of the sign, and then something else.
    let [the, .., first, second, _] = ids[..] else {
        panic!("{ids:?}")
    };
    assert_eq!(stream(&tokenizer, &[first, second, the]).0, "\u{fffd} the");
    assert_eq!(stream(&tokenizer, &[first, second]).0, "\u{fffd}");
}

proptest! {
    #[test]
    fn any_ids_stream_to_the_text_of_the_whole(ids in prop::collection::vec(0u32..520, 0..40)) {
        static TOKENIZERS: LazyLock<[Tokenizer; 2]> = LazyLock::new(|| ["gpt2", "llama3"].map(kind));
        for tokenizer in TOKENIZERS.iter() {
            prop_assert_eq!(stream(tokenizer, &ids).0, tokenizer.decode(&ids).unwrap());
        }
    }

    #[test]
    fn any_text_comes_back(text in "\\PC{0,60}|[ \\n\\ta-zß🙂]{0,60}") {
        static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| kind("gpt2"));
        let tokenizer = &*TOKENIZER;
        prop_assert_eq!(tokenizer.decode_with_special(&tokenizer.encode(&text).unwrap()).unwrap(), text.clone());
        prop_assert_eq!(tokenizer.decode(&tokenizer.encode_plain(&text).unwrap()).unwrap(), text);
    }
}

#[test]
fn trains_what_hugging_face_trains() {
    let golden = golden();
    for (size, expected) in &golden.trained {
        let options = BpeOptions::new(size.parse().unwrap());
        let tokenizer = Tokenizer::train_bpe(one_text(&golden.corpus), &options).unwrap();
        let json: Value = serde_json::from_slice(tokenizer.json()).unwrap();
        assert_eq!(&json["model"], expected, "{size}");
        assert_eq!(tokenizer.end_of_text().unwrap(), 0);
        assert_eq!(
            tokenizer.vocab_size(),
            expected["vocab"].as_object().unwrap().len()
        );
    }
}

#[test]
fn training_does_not_depend_on_threads_or_pieces() {
    let golden = golden();
    let options = BpeOptions::new(520);
    let threads = pool::threads();
    let whole = Tokenizer::train_bpe(one_text(&golden.corpus), &options).unwrap();
    for count in [1, 2, 4] {
        pool::set_threads(count);
        let lines = golden
            .corpus
            .split_inclusive('\n')
            .map(|line| Ok::<_, TextError>(line.to_owned()));
        let tokenizer = Tokenizer::train_bpe(lines, &options).unwrap();
        let again = Tokenizer::train_bpe(one_text(&golden.corpus), &options).unwrap();
        assert_eq!(again.json(), whole.json());
        assert_eq!(
            tokenizer.fingerprint(),
            Tokenizer::train_bpe(
                golden
                    .corpus
                    .split_inclusive('\n')
                    .map(|line| Ok::<_, TextError>(line.to_owned())),
                &options
            )
            .unwrap()
            .fingerprint()
        );
    }
    pool::set_threads(threads);
}

#[test]
fn training_refuses_what_cannot_be() {
    let small = Tokenizer::train_bpe(one_text("text"), &BpeOptions::new(256));
    assert!(matches!(
        small,
        Err(TextError::TrainOption {
            field: "vocab_size",
            ..
        })
    ));
    let twice = BpeOptions {
        special_tokens: vec!["x".into(), "x".into()],
        ..BpeOptions::new(300)
    };
    assert!(matches!(
        Tokenizer::train_bpe(one_text("text"), &twice),
        Err(TextError::TrainOption {
            field: "special_tokens",
            ..
        })
    ));
    let nothing = std::iter::empty::<Result<String, TextError>>();
    assert!(matches!(
        Tokenizer::train_bpe(nothing, &BpeOptions::new(300)),
        Err(TextError::NoText)
    ));
    let failing = [
        Ok("text".to_owned()),
        Err(TextError::NotUtf8 { origin: "x".into() }),
    ];
    assert!(matches!(
        Tokenizer::train_bpe(failing.into_iter(), &BpeOptions::new(300)),
        Err(TextError::NotUtf8 { .. })
    ));
}

#[test]
fn characters_come_in_order_and_strangers_are_unknown() {
    let tokenizer = Tokenizer::characters(one_text("hello\nwörld")).unwrap();
    assert_eq!(tokenizer.vocab_size(), 2 + "\ndehlorwö".chars().count());
    let ids = tokenizer.encode("hello\nwörld").unwrap();
    assert_eq!(tokenizer.decode(&ids).unwrap(), "hello\nwörld");
    assert_eq!(ids.len(), 11);
    assert_eq!(tokenizer.encode("o?o").unwrap(), [ids[4], 1, ids[4]]);
    assert_eq!(tokenizer.encode("o<|endoftext|>").unwrap(), [ids[4], 0]);
    assert_eq!(tokenizer.decode(&[0, ids[0]]).unwrap(), "h");
    assert_eq!(stream(&tokenizer, &ids).0, "hello\nwörld");
    assert!(matches!(
        Tokenizer::characters(one_text("")),
        Err(TextError::NoText)
    ));
}

#[test]
fn special_tokens_in_a_strangers_text_are_text() {
    let tokenizer = Tokenizer::from_json(golden().tokenizers["gpt2"].json.as_str(), None).unwrap();
    assert_eq!(tokenizer.encode("<|im_end|>").unwrap(), [2]);
    let plain = tokenizer.encode_plain("<|im_end|>").unwrap();
    assert!(plain.len() > 1 && plain.iter().all(|&id| id > 2));
    assert_eq!(tokenizer.decode(&plain).unwrap(), "<|im_end|>");
    assert!(tokenizer.is_special(2) && !tokenizer.is_special(3));
}

#[test]
fn saves_what_it_opens() {
    let folder = tempfile::tempdir().unwrap();
    let tokenizer = Tokenizer::train_bpe(one_text(&golden().corpus), &BpeOptions::new(300)).unwrap();
    let tokenizer = tokenizer
        .with_chat_template("{{ eos_token }}{{ messages[0].content }}")
        .unwrap();
    tokenizer.save(folder.path()).unwrap();
    for path in [folder.path().to_owned(), folder.path().join("tokenizer.json")] {
        let opened = Tokenizer::open(&path).unwrap();
        assert_eq!(opened.fingerprint(), tokenizer.fingerprint());
        assert_eq!(opened.special(), tokenizer.special());
        assert_eq!(
            opened.chat_template().unwrap().source(),
            "{{ eos_token }}{{ messages[0].content }}"
        );
    }
    fs::write(folder.path().join("chat_template.jinja"), "newer").unwrap();
    assert_eq!(
        Tokenizer::open(folder.path())
            .unwrap()
            .chat_template()
            .unwrap()
            .source(),
        "newer"
    );
    fs::write(
        folder.path().join("special_tokens_map.json"),
        r#"{"pad_token": {"content": "a"}, "eos_token": "b"}"#,
    )
    .unwrap();
    let opened = Tokenizer::open(folder.path()).unwrap();
    assert_eq!(opened.special().pad.as_ref().unwrap().text, "a");
    assert_eq!(opened.special().eos.as_ref().unwrap().text, "<|endoftext|>");
}

#[test]
fn says_what_is_wrong_with_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(matches!(
        Tokenizer::open(path),
        Err(TextError::Io { action: "read", .. })
    ));
    fs::write(path.join("tokenizer.json"), "{}").unwrap();
    assert!(matches!(Tokenizer::open(path), Err(TextError::Tokenizer { .. })));
    fs::write(path.join("tokenizer.json"), &golden().tokenizers["gpt2"].json).unwrap();
    for (config, is_right) in [
        (
            "{",
            (|e| matches!(e, TextError::Json { .. })) as fn(&TextError) -> bool,
        ),
        ("[]", |e| matches!(e, TextError::Json { .. })),
        (r#"{"eos_token": "nowhere"}"#, |e| {
            matches!(e, TextError::UnknownSpecialToken { role: "eos", .. })
        }),
        (r#"{"chat_template": 3}"#, |e| {
            matches!(e, TextError::TemplateForm { .. })
        }),
        (
            r#"{"chat_template": [{"name": "other", "template": "x"}]}"#,
            |e| matches!(e, TextError::TemplateForm { .. }),
        ),
        (r#"{"chat_template": "{% if"}"#, |e| {
            matches!(e, TextError::Template { .. })
        }),
    ] {
        fs::write(path.join("tokenizer_config.json"), config).unwrap();
        let error = Tokenizer::open(path).unwrap_err();
        assert!(is_right(&error), "{config}: {error:?}");
    }
}

/// Cut short or with bytes changed, a tokenizer is refused or works; it does not break.
#[test]
fn damaged_tokenizers_do_not_panic() {
    let mut rng = gradus_tensor::Rng::seed_from(5);
    std::panic::set_hook(Box::new(|_| {}));
    for (name, kind) in golden().tokenizers {
        let json = kind.json.as_bytes();
        for round in 0..40 {
            let mut damaged = json.to_vec();
            if round % 3 == 0 {
                damaged.truncate(rng.below(json.len()));
            } else {
                for _ in 0..1 + rng.below(4) {
                    let at = rng.below(damaged.len());
                    damaged[at] = b"0123456789\"[]{},:ax \xff"[rng.below(21)];
                }
            }
            if let Ok(tokenizer) = Tokenizer::from_json(damaged, None) {
                for case in &kind.cases {
                    let _ = tokenizer.encode(&case.text);
                    let _ = tokenizer.decode(&case.ids);
                }
                assert!(tokenizer.vocab_size() > 0, "{name}");
            }
        }
    }
    let _ = std::panic::take_hook();
    let ids = r#"{"version":"1.0","added_tokens":[{"id":4294967295,"content":"x","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],"model":{"type":"BPE","vocab":{"x":4294967295},"merges":[]}}"#;
    assert!(matches!(
        Tokenizer::from_json(ids, None),
        Err(TextError::Tokenizer { .. })
    ));
    assert!(Tokenizer::from_json("[".repeat(1 << 20), None).is_err());
}
