//! Instruction data: what is learned of it, and how it is packed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use gradus_data::text::{
    ChatTemplate, InstructionCounts, InstructionData, InstructionLoader, InstructionLoaderConfig,
    InstructionOptions, Packing, TextError, TokenBatch, Tokenizer, Truncation,
};
use gradus_kernels::pool;
use serde::Deserialize;
use serde_json::Value;

use crate::support::write;

const GOLDEN: &str = include_str!("../../../../golden/instruction.json");
const TOKENIZERS: &str = include_str!("../../../../golden/tokenizers.json");

#[derive(Deserialize)]
struct Golden {
    templates: BTreeMap<String, String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    tokenizer: String,
    template: String,
    line: String,
    ids: Vec<u32>,
    learned: Vec<u8>,
}

fn tokenizer(kind: &str) -> Tokenizer {
    let golden: Value = serde_json::from_str(TOKENIZERS).unwrap();
    Tokenizer::from_json(golden["tokenizers"][kind]["json"].as_str().unwrap(), None).unwrap()
}

fn options(seq_len: usize) -> InstructionOptions {
    InstructionOptions {
        seq_len,
        truncation: Truncation::KeepStart,
    }
}

fn read(folder: &Path, lines: &str, options: &InstructionOptions) -> Result<InstructionData, TextError> {
    let path = write(folder, "data.jsonl", lines);
    InstructionData::open(&path, &tokenizer("gpt2"), &ChatTemplate::chatml(), options)
}

/// The text of what is learned of an example, special tokens spelled out.
fn learned_text(data: &InstructionData, index: usize) -> String {
    let ids: Vec<u32> = data
        .example(index)
        .filter(|(_, learned)| *learned)
        .map(|(id, _)| id)
        .collect();
    tokenizer("gpt2").decode_with_special(&ids).unwrap()
}

#[test]
fn learns_what_transformers_says_the_assistant_wrote() {
    let golden: Golden = serde_json::from_str(GOLDEN).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for case in &golden.cases {
        let path = write(folder.path(), "line.jsonl", &case.line);
        let template = ChatTemplate::new(&golden.templates[&case.template], &Default::default()).unwrap();
        let data =
            InstructionData::open(&path, &tokenizer(&case.tokenizer), &template, &options(1000)).unwrap();
        let got: Vec<(u32, u8)> = data
            .example(0)
            .map(|(id, learned)| (id, u8::from(learned)))
            .collect();
        let expected: Vec<(u32, u8)> = case
            .ids
            .iter()
            .copied()
            .zip(case.learned.iter().copied())
            .collect();
        assert_eq!(got, expected, "{}", case.name);
    }
    assert!(golden.cases.len() > 20);
}

#[test]
fn only_the_completion_of_a_prompt_is_learned() {
    let folder = tempfile::tempdir().unwrap();
    let lines = r#"
        {"prompt": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "not this"}, {"role": "user", "content": "b"}], "completion": [{"role": "assistant", "content": "this"}]}
        {"instruction": "a", "input": "b", "output": "that"}
        {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "one"}, {"from": "human", "value": "b"}, {"from": "gpt", "value": "two"}]}
    "#;
    let data = read(folder.path(), lines, &options(1000)).unwrap();
    let learned: Vec<String> = (0..3).map(|index| learned_text(&data, index)).collect();
    assert_eq!(
        learned,
        ["this<|im_end|>", "that<|im_end|>", "one<|im_end|>two<|im_end|>"]
    );
}

/// Templates that drop the thoughts of earlier answers: those answers are context.
#[test]
fn answers_that_the_template_rewrites_are_not_learned() {
    let folder = tempfile::tempdir().unwrap();
    let source = "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and not loop.last %}\
        {{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}\
        {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    let template = ChatTemplate::new(source, &Default::default()).unwrap();
    let lines = r#"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "<think>x</think>one"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "<think>y</think>two"}]}"#;
    let path = write(folder.path(), "data.jsonl", lines);
    let data = InstructionData::open(&path, &tokenizer("gpt2"), &template, &options(1000)).unwrap();
    // The template's newlines after a tag are trimmed, as everywhere in Jinja.
    assert_eq!(learned_text(&data, 0), "<think>y</think>two<|im_end|>");
}

#[test]
fn a_token_never_reaches_into_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let source = "{% for m in messages %}{{ m.content }}{% endfor %}";
    let template = ChatTemplate::new(source, &Default::default()).unwrap();
    // " the" is one token, so the space before the answer would be swallowed by it.
    let path = write(
        folder.path(),
        "data.jsonl",
        r#"{"prompt": "light of ", "completion": "the day"}"#,
    );
    let data = InstructionData::open(&path, &tokenizer("gpt2"), &template, &options(1000)).unwrap();
    assert_eq!(learned_text(&data, 0), "the day");
    let prompt: Vec<u32> = data
        .example(0)
        .filter(|(_, learned)| !learned)
        .map(|(id, _)| id)
        .collect();
    assert_eq!(prompt, tokenizer("gpt2").encode("light of ").unwrap());
}

#[test]
fn says_which_line_is_wrong_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let good = r#"{"prompt": "a", "completion": "b"}"#;
    for (line, is_right) in [
        (
            "{",
            (|e| matches!(e, TextError::Json { .. })) as fn(&TextError) -> bool,
        ),
        (r#"{"prompt": "a"}"#, |e| matches!(e, TextError::ExampleForm)),
        (r#"{"messages": [{"role": "user", "content": "a"}]}"#, |e| {
            matches!(e, TextError::NoAnswer)
        }),
        (r#"{"conversations": [{"from": "x", "value": "a"}]}"#, |e| {
            matches!(e, TextError::Speaker { .. })
        }),
    ] {
        let error = read(folder.path(), &format!("{good}\n\n{line}\n{good}"), &options(100)).unwrap_err();
        let TextError::AtLine { line: 3, source, .. } = error else {
            panic!("{error:?}")
        };
        assert!(is_right(&source), "{line}: {source:?}");
    }
    let template = ChatTemplate::new("{{ messages | length }}", &Default::default()).unwrap();
    let path = write(folder.path(), "data.jsonl", good);
    let error = InstructionData::open(&path, &tokenizer("gpt2"), &template, &options(100)).unwrap_err();
    assert!(
        matches!(error, TextError::AtLine { source, .. } if matches!(*source, TextError::AnswerNotFound))
    );
    assert!(matches!(
        read(folder.path(), "\n \n", &options(100)),
        Err(TextError::NoExamples { dropped: 0, .. })
    ));
    assert!(matches!(
        read(folder.path(), good, &options(2)),
        Err(TextError::NoExamples { dropped: 1, .. })
    ));
}

#[test]
fn long_examples_are_cut_as_told() {
    let folder = tempfile::tempdir().unwrap();
    let (long, short) = ("word ".repeat(100), "short");
    let example = |prompt: &str, completion: &str| {
        serde_json::json!({ "prompt": prompt, "completion": completion }).to_string()
    };
    let lines = [
        example(short, &long),
        example(&long, short),
        example(short, short),
    ]
    .join("\n");
    for (truncation, examples, truncated) in [
        (Truncation::KeepStart, 2, 1),
        (Truncation::KeepEnd, 3, 2),
        (Truncation::Drop, 1, 0),
    ] {
        let data = read(
            folder.path(),
            &lines,
            &InstructionOptions {
                seq_len: 60,
                truncation,
            },
        )
        .unwrap();
        let InstructionCounts {
            examples: got,
            truncated: cut,
            dropped,
            tokens,
            learned_tokens,
        } = data.counts();
        assert_eq!(
            (got, cut, dropped),
            (examples, truncated, 3 - examples),
            "{truncation:?}"
        );
        let lengths: Vec<usize> = (0..examples).map(|index| data.example(index).len()).collect();
        assert_eq!(lengths.iter().sum::<usize>(), tokens);
        assert!(lengths.iter().all(|&length| length <= 61));
        let learned = (0..examples).map(|index| {
            data.example(index)
                .skip(1)
                .filter(|(_, learned)| *learned)
                .count()
        });
        assert_eq!(learned.sum::<usize>(), learned_tokens);
    }
}

/// Questions and answers of many lengths.
fn many(folder: &Path) -> Arc<InstructionData> {
    let line = |index: usize| serde_json::json!({ "prompt": format!("question {index}"), "completion": "the light ".repeat(1 + index * 7 % 23) });
    let lines: String = (0..120).map(|index| line(index).to_string() + "\n").collect();
    Arc::new(read(folder, &lines, &options(128)).unwrap())
}

fn loader(data: &Arc<InstructionData>, packing: Packing) -> InstructionLoader {
    let config = InstructionLoaderConfig {
        batch_size: 4,
        seq_len: 128,
        seed: 3,
        packing,
        pad: 0,
    };
    InstructionLoader::new(Arc::clone(data), config).unwrap()
}

fn rows(tensor: &gradus_tensor::Tensor) -> Vec<Vec<i64>> {
    tensor
        .to_vec::<i64>()
        .unwrap()
        .chunks(tensor.shape()[1])
        .map(<[i64]>::to_vec)
        .collect()
}

/// The examples of a batch, as (id, target) pairs, found by where positions restart.
fn unpack(batch: &TokenBatch) -> Vec<Vec<(i64, i64)>> {
    let (ids, targets) = (rows(&batch.ids), rows(&batch.targets));
    let first_key = batch.first_key.as_ref().map(rows);
    let mut examples = Vec::new();
    for row in 0..ids.len() {
        let key = |place: usize| first_key.as_ref().map_or(0, |keys| keys[row][place]);
        let mut place = 0;
        while place < ids[row].len() {
            let end = (place..ids[row].len())
                .find(|&at| key(at) != key(place))
                .unwrap_or(ids[row].len());
            let example: Vec<(i64, i64)> = (place..end).map(|at| (ids[row][at], targets[row][at])).collect();
            if let Some(positions) = &batch.positions {
                assert!(
                    rows(positions)[row][place..end]
                        .iter()
                        .copied()
                        .eq(0..(end - place) as i64)
                );
                assert_eq!(key(place), place as i64);
            }
            examples.push(example);
            place = end;
        }
    }
    // What fills a row up is not learned, and each such place is alone.
    examples.retain(|example| !(example.len() == 1 && example[0] == (0, -100)));
    examples
}

fn expected(data: &InstructionData, padded_to: Option<usize>) -> Vec<Vec<(i64, i64)>> {
    let mut all: Vec<Vec<(i64, i64)>> = (0..data.counts().examples)
        .map(|index| {
            let marked: Vec<(u32, bool)> = data.example(index).collect();
            let pairs = marked.windows(2).map(|pair| {
                (
                    i64::from(pair[0].0),
                    if pair[1].1 { i64::from(pair[1].0) } else { -100 },
                )
            });
            pairs.collect::<Vec<_>>()
        })
        .collect();
    if let Some(length) = padded_to {
        all.iter_mut()
            .for_each(|example| example.resize(length, (0, -100)));
    }
    all.sort();
    all
}

#[test]
fn packs_every_example_once_and_out_of_each_others_sight() {
    let folder = tempfile::tempdir().unwrap();
    let data = many(folder.path());
    let loader = loader(&data, Packing::Packed);
    let epoch: Vec<TokenBatch> = loader.epoch(0, 0).collect();
    assert_eq!(epoch.len(), loader.num_batches());
    let mut got: Vec<_> = epoch.iter().flat_map(unpack).collect();
    got.sort();
    assert_eq!(got, expected(&data, None));
    let learned: usize = epoch.iter().map(|batch| batch.learned_tokens).sum();
    assert_eq!(learned, data.counts().learned_tokens);
    let filled = (data.counts().tokens - data.counts().examples) as f64 / (loader.num_rows() * 128) as f64;
    assert!(filled > 0.95, "{filled}");
}

#[test]
fn pads_every_example_when_it_is_to_have_its_own_row() {
    let folder = tempfile::tempdir().unwrap();
    let data = many(folder.path());
    let loader = loader(&data, Packing::Padded);
    let batches: Vec<TokenBatch> = loader.evaluation().collect();
    assert_eq!(
        batches.iter().map(|batch| batch.ids.shape()[0]).sum::<usize>(),
        120
    );
    assert!(batches.iter().all(|batch| batch.first_key.is_none()
        && batch.positions.is_none()
        && batch.ids.shape()[1] % 64 == 0));
    let mut got: Vec<Vec<(i64, i64)>> = batches.iter().flat_map(unpack).collect();
    got.iter_mut().for_each(|example| example.resize(128, (0, -100)));
    got.sort();
    assert_eq!(got, expected(&data, Some(128)));
}

#[test]
fn batches_depend_on_seed_and_epoch_alone() {
    let folder = tempfile::tempdir().unwrap();
    let threads = pool::threads();
    pool::set_threads(3);
    let data = many(folder.path());
    pool::set_threads(1);
    assert_eq!(many(folder.path()).fingerprint(), data.fingerprint());
    let again = loader(&many(folder.path()), Packing::Packed);
    pool::set_threads(threads);
    let loader = loader(&data, Packing::Packed);
    let ids = |loader: &InstructionLoader, epoch, skip| {
        loader
            .epoch(epoch, skip)
            .map(|batch| rows(&batch.ids))
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&loader, 4, 0), ids(&again, 4, 0));
    assert_eq!(ids(&loader, 4, 2), ids(&loader, 4, 0)[2..]);
    assert_ne!(ids(&loader, 4, 0), ids(&loader, 5, 0));
    assert!(ids(&loader, 4, 1000).is_empty());
    let short = InstructionLoaderConfig {
        batch_size: 4,
        seq_len: 20,
        seed: 0,
        packing: Packing::Packed,
        pad: 0,
    };
    assert!(matches!(
        InstructionLoader::new(data, short),
        Err(TextError::NoBatch { .. })
    ));
}
