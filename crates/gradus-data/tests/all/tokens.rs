//! Tokens on disk: what is in them, what a kill leaves, what batches come out.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use gradus_data::text::{
    BpeOptions, Holdout, Part, TEXT_COLUMN, TextError, TextSource, TokenBatch, TokenLoader,
    TokenLoaderConfig, TokenSet, TokenizeOptions, TokenizeProgress, Tokenizer, tokenize,
};
use gradus_kernels::pool;
use gradus_tensor::Tensor;

use crate::support::write;

/// Lines of stories, in a folder with a text file.
struct Corpus {
    folder: tempfile::TempDir,
    source: TextSource,
    tokenizer: Tokenizer,
}

fn corpus() -> Corpus {
    let folder = tempfile::tempdir().unwrap();
    let story = |index: usize| {
        format!("Story {index}: the light was good, and the größe of the day <|endoftext|> too.\n")
            .repeat(1 + index % 5)
    };
    let lines: String = (0..400)
        .map(|index| serde_json::json!({ "text": story(index) }).to_string() + "\n")
        .collect();
    write(folder.path(), "text/a.jsonl", lines);
    write(
        folder.path(),
        "text/b.txt",
        (0..900).map(story).collect::<String>(),
    );
    let source = TextSource::open(&[folder.path().join("text")], TEXT_COLUMN).unwrap();
    let texts = source
        .pieces(Part::All)
        .map(|piece| piece.map(|piece| piece.text));
    let tokenizer = Tokenizer::train_bpe(texts, &BpeOptions::new(400)).unwrap();
    Corpus {
        folder,
        source,
        tokenizer,
    }
}

fn options() -> TokenizeOptions {
    TokenizeOptions {
        shard_bytes: 60_000,
        ..TokenizeOptions::new(Part::All)
    }
}

fn go_on(_: TokenizeProgress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Every id of a set.
fn ids(set: &TokenSet) -> Vec<i64> {
    let mut ids = vec![0; set.tokens() as usize];
    set.read(0, &mut ids);
    ids
}

/// Every file of a folder of tokens.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

#[test]
fn holds_the_tokens_of_the_text() {
    let Corpus {
        folder,
        source,
        tokenizer,
    } = corpus();
    let mut seen = Vec::new();
    let set = tokenize(
        &source,
        &tokenizer,
        &folder.path().join("tokens"),
        &options(),
        |progress| {
            seen.push(progress);
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    let mut expected = Vec::new();
    let mut bytes = 0;
    for piece in source.pieces(Part::All).map(Result::unwrap) {
        expected.extend(
            tokenizer
                .encode_plain(&piece.text)
                .unwrap()
                .into_iter()
                .map(i64::from),
        );
        expected.extend(piece.ends_document.then_some(0));
        bytes += piece.text.len() as u64;
    }
    assert_eq!(ids(&set), expected);
    assert_eq!(
        (set.text_bytes(), set.documents(), set.tokens()),
        (bytes, 401, expected.len() as u64)
    );
    assert_eq!(set.tokenizer_fingerprint(), Some(tokenizer.fingerprint()));
    assert_eq!(expected.iter().filter(|&&id| id == 0).count(), 401);
    assert!(
        contents(&folder.path().join("tokens")).len() > 4,
        "several shards"
    );
    let last = seen.last().unwrap();
    assert_eq!(
        (last.bytes_done, last.bytes_total, last.tokens),
        (source.bytes(), source.bytes(), set.tokens())
    );
    assert!(
        seen.windows(2)
            .all(|pair| pair[0].bytes_done <= pair[1].bytes_done && pair[0].tokens < pair[1].tokens)
    );
    let opened = TokenSet::open(&folder.path().join("tokens")).unwrap();
    opened.verify().unwrap();
    assert_eq!(opened.fingerprint(), set.fingerprint());
    // Reads across the border between two files.
    let mut window = vec![0; 40_000];
    set.read(7, &mut window);
    assert_eq!(window, expected[7..40_007]);
}

#[test]
fn the_same_bytes_on_any_number_of_threads() {
    let Corpus {
        folder,
        source,
        tokenizer,
    } = corpus();
    let threads = pool::threads();
    let mut made = Vec::new();
    for count in [1, 3] {
        pool::set_threads(count);
        let tokens = folder.path().join(format!("tokens{count}"));
        tokenize(&source, &tokenizer, &tokens, &options(), go_on).unwrap();
        made.push(contents(&tokens));
    }
    pool::set_threads(threads);
    assert_eq!(made[0], made[1]);
}

#[test]
fn goes_on_after_it_was_stopped_and_gives_the_same_bytes() {
    let Corpus {
        folder,
        source,
        tokenizer,
    } = corpus();
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    tokenize(&source, &tokenizer, &whole, &options(), go_on).unwrap();
    let expected = contents(&whole);
    let mut rounds = 0;
    loop {
        // Each call is stopped after one report, and leaves half a file behind as a kill would.
        let stopped = tokenize(&source, &tokenizer, &broken, &options(), |_| {
            ControlFlow::Break(())
        });
        rounds += 1;
        match stopped {
            Err(TextError::Stopped) => {
                write(
                    &broken,
                    &format!("shard-{rounds:05}.tokens.tmp"),
                    b"GRADUSTK half",
                );
            }
            Ok(_) => break,
            Err(error) => panic!("{error:?}"),
        }
        assert!(rounds < 100);
    }
    assert!(rounds > 3, "{rounds}");
    let left: Vec<_> = contents(&broken)
        .into_iter()
        .filter(|(name, _)| !name.ends_with(".tmp"))
        .collect();
    assert_eq!(left, expected);
}

#[test]
fn damaged_files_are_made_again_and_whole_ones_kept() {
    let Corpus {
        folder,
        source,
        tokenizer,
    } = corpus();
    let tokens = folder.path().join("tokens");
    tokenize(&source, &tokenizer, &tokens, &options(), go_on).unwrap();
    let expected = contents(&tokens);
    let first_written = fs::metadata(tokens.join("shard-00000.tokens"))
        .unwrap()
        .modified()
        .unwrap();
    let damage: [fn(&mut Vec<u8>); 5] = [
        |bytes| *bytes.last_mut().unwrap() ^= 1,
        |bytes| bytes.truncate(bytes.len() - 2),
        |bytes| bytes[80] ^= 1,
        |bytes| bytes.clear(),
        |bytes| bytes[30] = 0xff,
    ];
    for damage in damage {
        let path = tokens.join("shard-00001.tokens");
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let opened = TokenSet::open(&tokens).and_then(|set| set.verify());
        assert!(matches!(opened, Err(TextError::Shard { .. })), "{opened:?}");
        tokenize(&source, &tokenizer, &tokens, &options(), go_on).unwrap();
        assert_eq!(contents(&tokens), expected);
    }
    fs::remove_file(tokens.join("shard-00002.tokens")).unwrap();
    assert!(TokenSet::open(&tokens).is_err());
    tokenize(&source, &tokenizer, &tokens, &options(), go_on).unwrap();
    assert_eq!(contents(&tokens), expected);
    assert_eq!(
        fs::metadata(tokens.join("shard-00000.tokens"))
            .unwrap()
            .modified()
            .unwrap(),
        first_written
    );
}

#[test]
fn another_text_tokenizer_or_part_makes_them_anew() {
    let Corpus {
        folder,
        source,
        tokenizer,
    } = corpus();
    let tokens = folder.path().join("tokens");
    let first = tokenize(&source, &tokenizer, &tokens, &options(), go_on)
        .unwrap()
        .fingerprint();
    let small = Tokenizer::characters(
        source
            .pieces(Part::All)
            .map(|piece| piece.map(|piece| piece.text)),
    )
    .unwrap();
    let second = tokenize(&source, &small, &tokens, &options(), go_on).unwrap();
    assert_ne!(second.fingerprint(), first);
    assert!(second.tokens() > 100_000, "a token for every character");
    let part = TokenizeOptions {
        part: Part::Validation(Holdout::new(0.1, 0).unwrap()),
        ..options()
    };
    let third = tokenize(&source, &tokenizer, &tokens, &part, go_on).unwrap();
    assert!(third.text_bytes() < source.bytes() / 5);
    write(folder.path(), "text/a.jsonl", "{\"text\": \"new\"}\n");
    let source = TextSource::open(&[folder.path().join("text")], TEXT_COLUMN).unwrap();
    let fourth = tokenize(&source, &tokenizer, &tokens, &options(), go_on).unwrap();
    assert_eq!(fourth.documents(), 2);
    let nothing = TokenizeOptions {
        part: Part::Train(Holdout::new(1.0, 0).unwrap()),
        ..options()
    };
    assert!(matches!(
        tokenize(&source, &tokenizer, &tokens, &nothing, go_on),
        Err(TextError::NoText)
    ));
}

fn rows(tensor: &Tensor) -> Vec<Vec<i64>> {
    tensor
        .to_vec::<i64>()
        .unwrap()
        .chunks(tensor.shape()[1])
        .map(<[i64]>::to_vec)
        .collect()
}

/// A set of the tokens of one short text, and all its ids.
fn small_set(folder: &Path) -> (Arc<TokenSet>, Vec<i64>) {
    let lines: String = (0..40)
        .map(|line| format!("{{\"text\": \"{}\"}}\n", "abcdefg".repeat(1 + line % 4)))
        .collect();
    let path = write(folder, "lines.jsonl", lines);
    let source = TextSource::open(&[path], TEXT_COLUMN).unwrap();
    let tokenizer = Tokenizer::characters([Ok::<_, TextError>("abcdefg".to_owned())]).unwrap();
    let options = TokenizeOptions {
        shard_bytes: 100,
        ..options()
    };
    let set = tokenize(&source, &tokenizer, &folder.join("tokens"), &options, go_on).unwrap();
    let ids = ids(&set);
    (Arc::new(set), ids)
}

#[test]
fn targets_are_the_next_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let (set, ids) = small_set(folder.path());
    let loader = TokenLoader::new(
        Arc::clone(&set),
        TokenLoaderConfig {
            seed: 5,
            ..TokenLoaderConfig::new(3, 16)
        },
    )
    .unwrap();
    let check = |batch: &TokenBatch| {
        assert_eq!(
            (batch.ids.shape(), batch.targets.shape()),
            (&[3, 16][..], &[3, 16][..])
        );
        for (row, targets) in rows(&batch.ids).iter().zip(rows(&batch.targets)) {
            let window = [&row[..], &targets[15..]].concat();
            assert_eq!(window[1..], targets);
            assert!(ids.windows(17).any(|ids| ids == window));
        }
        assert_eq!(batch.learned_tokens, 48);
    };
    for step in 0..50 {
        check(&loader.random(step));
        assert_eq!(rows(&loader.random(step).ids), rows(&loader.random(step).ids));
    }
    assert_ne!(rows(&loader.random(0).ids), rows(&loader.random(1).ids));
    // Every place of the text is drawn sooner or later, the last one included.
    let last = ids[ids.len() - 17..].to_vec();
    let drawn = (0..4000).any(|step| {
        let batch = loader.random(step);
        rows(&batch.ids)
            .iter()
            .zip(rows(&batch.targets))
            .any(|(row, targets)| [&row[..], &targets[15..]].concat() == last)
    });
    assert!(drawn);
    assert_eq!(loader.num_windows(), (ids.len() as u64 - 1) / 16);
    let epoch: Vec<TokenBatch> = loader.epoch(2, 0).collect();
    epoch.iter().for_each(check);
    assert_eq!(epoch.len() as u64, loader.num_batches());
    let resumed: Vec<_> = loader.epoch(2, 3).map(|batch| rows(&batch.ids)).collect();
    assert_eq!(
        resumed,
        epoch[3..]
            .iter()
            .map(|batch| rows(&batch.ids))
            .collect::<Vec<_>>()
    );
    assert_ne!(rows(&loader.epoch(3, 0).next().unwrap().ids), rows(&epoch[0].ids));
    assert!(loader.epoch(0, 10_000).next().is_none());
}

#[test]
fn an_evaluation_sees_every_row_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (set, ids) = small_set(folder.path());
    let loader = TokenLoader::new(Arc::clone(&set), TokenLoaderConfig::new(4, 10)).unwrap();
    let all: Vec<i64> = loader
        .evaluation(None)
        .flat_map(|batch| rows(&batch.ids).concat())
        .collect();
    assert_eq!(all, ids[..loader.num_windows() as usize * 10]);
    let some: Vec<_> = loader.evaluation(Some(3)).map(|batch| rows(&batch.ids)).collect();
    assert_eq!(some.len(), 3);
    assert_eq!(some[0], rows(&loader.evaluation(None).next().unwrap().ids));
    let everything: Vec<_> = loader.evaluation(None).map(|batch| rows(&batch.ids)).collect();
    assert!(some.iter().all(|batch| everything.contains(batch)));
    let bytes_per_token = set.text_bytes() as f64 / ids.len() as f64;
    assert!((loader.bits_per_byte(1.0) - 1.0 / 2f64.ln() / bytes_per_token).abs() < 1e-12);
}

#[test]
fn documents_can_be_kept_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (set, _) = small_set(folder.path());
    let config = TokenLoaderConfig {
        separate_documents: Some(0),
        ..TokenLoaderConfig::new(2, 40)
    };
    let loader = TokenLoader::new(set, config).unwrap();
    for step in 0..20 {
        let batch = loader.random(step);
        let (first_key, positions) = (batch.first_key.unwrap(), batch.positions.unwrap());
        for ((ids, keys), positions) in rows(&batch.ids)
            .iter()
            .zip(rows(&first_key))
            .zip(rows(&positions))
        {
            for place in 0..40 {
                let expected = (0..place)
                    .rev()
                    .find(|&before| ids[before] == 0)
                    .map_or(0, |end| end as i64 + 1);
                assert_eq!(keys[place], expected);
                assert_eq!(positions[place], place as i64 - expected);
            }
        }
    }
}

#[test]
fn a_row_must_fit() {
    let folder = tempfile::tempdir().unwrap();
    let (set, ids) = small_set(folder.path());
    let fits = |batch_size, seq_len| {
        TokenLoader::new(Arc::clone(&set), TokenLoaderConfig::new(batch_size, seq_len)).is_ok()
    };
    assert!(fits(1, ids.len() - 1) && !fits(1, ids.len()) && !fits(0, 4) && !fits(4, 0));
    let one = TokenLoader::new(Arc::clone(&set), TokenLoaderConfig::new(9, ids.len() - 1)).unwrap();
    assert_eq!(
        one.epoch(0, 0)
            .map(|batch| batch.ids.shape()[0])
            .collect::<Vec<_>>(),
        [1]
    );
    assert_eq!(rows(&one.random(0).targets)[0], ids[1..]);
}
