//! Text files, lines and rows, whole and in parts, from any place on.

use std::fs;
use std::path::Path;

use gradus_data::text::{Holdout, PIECE_BYTES, Part, Piece, Position, TEXT_COLUMN, TextError, TextSource};
use gradus_tensor::Rng;

use crate::support::{fixture, write};

fn source(paths: &[&Path]) -> TextSource {
    TextSource::open(paths, TEXT_COLUMN).unwrap()
}

fn pieces(source: &TextSource, part: Part) -> Vec<Piece> {
    source.pieces(part).map(Result::unwrap).collect()
}

/// Documents put together again.
fn documents(pieces: &[Piece]) -> Vec<String> {
    let mut documents = vec![String::new()];
    for piece in pieces {
        documents.last_mut().unwrap().push_str(&piece.text);
        if piece.ends_document {
            documents.push(String::new());
        }
    }
    assert_eq!(documents.pop().unwrap(), "");
    documents
}

fn error(source: &TextSource) -> TextError {
    source.pieces(Part::All).find_map(Result::err).unwrap()
}

/// Lines of words, some of several bytes a letter, `bytes` of them at least.
fn prose(bytes: usize, seed: u64) -> String {
    let mut rng = Rng::seed_from(seed);
    let words = [
        "the", "größe", "of", "a", "light", "東京", "and", "was", "good.", "\n",
    ];
    let mut text = String::new();
    while text.len() < bytes {
        text.push_str(words[rng.below(words.len())]);
        if !text.ends_with('\n') {
            text.push(' ');
        }
    }
    text
}

#[test]
fn folders_are_read_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (name, contents) in [
        ("b.txt", "second"),
        ("a/z.md", "\u{feff}first"),
        (
            "c.jsonl",
            "{\"text\": \"third\", \"id\": [1, {\"text\": 2}]}\n\n{\"id\": 1, \"text\": \"fo\\u0075rth\"}",
        ),
        ("d.bin", "not text"),
        (".hidden.txt", "no"),
        ("empty.txt", ""),
    ] {
        write(path, name, contents);
    }
    let all = source(&[path]);
    assert_eq!(
        documents(&pieces(&all, Part::All)),
        ["first", "second", "third", "fourth"]
    );
    assert_eq!(all.files().len(), 4);
    assert_eq!(pieces(&all, Part::All).last().unwrap().bytes_read, all.bytes());
    let named = source(&[&path.join("d.bin"), &path.join("b.txt")]);
    assert_eq!(documents(&pieces(&named, Part::All)), ["not text", "second"]);
    for nothing in ["empty.txt", "nowhere"] {
        assert!(TextSource::open(&[path.join(nothing)], TEXT_COLUMN).is_err());
    }
    assert!(matches!(
        TextSource::open(&[path.join("empty.txt")], TEXT_COLUMN),
        Err(TextError::NoFiles { .. })
    ));
}

#[test]
fn long_texts_come_in_pieces_and_reading_goes_on_from_each() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (prose(5 * PIECE_BYTES, 1), "x".repeat(2 * PIECE_BYTES + 7));
    let third = "東".repeat(PIECE_BYTES);
    write(folder.path(), "1.txt", &first);
    write(folder.path(), "2.txt", &second);
    let line = |text: &str| serde_json::json!({ "text": text }).to_string();
    write(
        folder.path(),
        "3.jsonl",
        format!(
            "{}\n{}\n{{\"text\": \"\"}}\n{}\n",
            line("short"),
            line(&third),
            line("end")
        ),
    );
    let source = source(&[folder.path()]);
    let all = pieces(&source, Part::All);
    assert_eq!(
        documents(&all),
        [first, second, "short".into(), third, "end".into()]
    );
    assert!(
        all.iter()
            .all(|piece| piece.text.len() <= PIECE_BYTES && !piece.text.is_empty())
    );
    for (index, piece) in all.iter().enumerate() {
        if let Some(next) = piece.next {
            let rest: Vec<Piece> = source.pieces_from(Part::All, next).map(Result::unwrap).collect();
            assert_eq!(rest, all[index + 1..], "from {next:?}");
        } else {
            assert!(!piece.ends_document);
        }
    }
    assert!(
        all.windows(2)
            .all(|pair| pair[0].bytes_read <= pair[1].bytes_read)
    );
}

#[test]
fn the_end_of_a_text_and_drawn_lines_are_held_out() {
    let folder = tempfile::tempdir().unwrap();
    let text = prose(300_000, 2);
    write(folder.path(), "1.txt", &text);
    let lines: String = (0..500)
        .map(|line| format!("{{\"text\": \"line {line}\"}}\n"))
        .collect();
    write(folder.path(), "2.jsonl", lines);
    let source = source(&[folder.path()]);
    let holdout = Holdout::new(0.2, 3).unwrap();
    let (train, validation) = (
        pieces(&source, Part::Train(holdout)),
        pieces(&source, Part::Validation(holdout)),
    );
    let (train, validation) = (documents(&train), documents(&validation));
    assert_eq!(format!("{}{}", train[0], validation[0]), text);
    assert!(train[0].ends_with('\n'));
    assert!((validation[0].len() as f64 / text.len() as f64 - 0.2).abs() < 0.001);
    assert_eq!(train.len() + validation.len(), 502);
    assert!((70..130).contains(&validation.len()));
    assert!(validation[1..].iter().all(|line| !train.contains(line)));
    // Text without a line is divided between characters.
    let path = write(folder.path(), "3.txt", "東".repeat(50_000));
    let source = self::source(&[&path]);
    let part = |part| documents(&pieces(&source, part)).concat();
    assert_eq!(
        part(Part::Train(holdout)) + &part(Part::Validation(holdout)),
        "東".repeat(50_000)
    );
    let everything = Holdout::new(1.0, 0).unwrap();
    assert_eq!(pieces(&source, Part::Train(everything)), []);
    assert_eq!(part(Part::Validation(everything)), "東".repeat(50_000));
}

#[test]
fn rows_of_parquet_are_documents() {
    let source = source(&[&fixture("text.parquet")]);
    let all = pieces(&source, Part::All);
    let expected: Vec<String> = (0..300)
        .filter(|row| row % 7 != 3)
        .map(|row| format!("row {row} {}", "ü".repeat(row)))
        .collect();
    assert_eq!(documents(&all), expected);
    for index in [0, 100, 200] {
        let rest: Vec<Piece> = source
            .pieces_from(Part::All, all[index].next.unwrap())
            .map(Result::unwrap)
            .collect();
        assert_eq!(rest, all[index + 1..]);
    }
    let holdout = Holdout::new(0.5, 1).unwrap();
    let parts = [Part::Train(holdout), Part::Validation(holdout)].map(|part| pieces(&source, part).len());
    assert_eq!(parts[0] + parts[1], expected.len());
    let other = TextSource::open(&[fixture("text.parquet")], "nothing").unwrap();
    assert!(matches!(error(&other), TextError::Table(_)));
    for column in ["id", "nested"] {
        let other = TextSource::open(&[fixture("text.parquet")], column).unwrap();
        assert!(matches!(error(&other), TextError::Table(_)), "{column}");
    }
}

#[test]
fn damaged_parquet_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read(fixture("text.parquet")).unwrap();
    let mut rng = Rng::seed_from(9);
    std::panic::set_hook(Box::new(|_| {}));
    for round in 0..200 {
        let mut damaged = whole.clone();
        if round % 4 == 0 {
            damaged.truncate(rng.below(whole.len()));
        } else {
            let at = rng.below(whole.len());
            damaged[at] ^= 1 << rng.below(8);
        }
        let path = write(folder.path(), "damaged.parquet", damaged);
        if let Ok(source) = TextSource::open(&[path], TEXT_COLUMN) {
            let rows = source.pieces(Part::All).take_while(Result::is_ok).count();
            assert!(rows <= 300);
        }
    }
    let _ = std::panic::take_hook();
}

#[test]
fn says_where_a_text_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let mut latin = (prose(PIECE_BYTES + 100, 4) + "the end").into_bytes();
    let at = latin.len() - 3;
    latin[at] = 0xff;
    let path = write(folder.path(), "latin.txt", latin);
    assert!(matches!(error(&source(&[&path])), TextError::NotUtf8At { offset, .. } if offset == at as u64));
    let path = write(folder.path(), "cut.txt", b"ab\xc3");
    assert!(matches!(
        error(&source(&[&path])),
        TextError::NotUtf8At { offset: 2, .. }
    ));
    for (line, is_right) in [
        (
            "{\"text\": 3}",
            (|e| matches!(e, TextError::Line { line: 3, .. })) as fn(&TextError) -> bool,
        ),
        ("{\"text\": null}", |e| {
            matches!(e, TextError::Line { line: 3, .. })
        }),
        ("{\"text\": \"x\"", |e| {
            matches!(e, TextError::Line { line: 3, .. })
        }),
        ("{\"text\": \"x\"} x", |e| {
            matches!(e, TextError::Line { line: 3, .. })
        }),
        ("\"text\"", |e| matches!(e, TextError::Line { line: 3, .. })),
        ("{\"texts\": \"x\"}", |e| {
            matches!(e, TextError::NoField { line: 3, .. })
        }),
    ] {
        let path = write(
            folder.path(),
            "lines.jsonl",
            format!("{{\"text\": \"a\"}}\n\n{line}\n"),
        );
        let error = error(&source(&[&path]));
        assert!(is_right(&error), "{line}: {error:?}");
    }
    let path = write(folder.path(), "latin.jsonl", b"{\"text\": \"\xff\"}\n");
    assert!(matches!(
        error(&source(&[&path])),
        TextError::Line { line: 1, .. }
    ));
    let deep = "[".repeat(1 << 20);
    let path = write(folder.path(), "deep.jsonl", format!("{{\"a\": {deep}"));
    assert!(matches!(
        error(&source(&[&path])),
        TextError::Line { line: 1, .. }
    ));
}

#[test]
fn a_position_past_the_end_gives_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.txt", "text");
    let source = source(&[&path]);
    for position in [
        Position {
            file: 1,
            offset: 0,
            record: 0,
        },
        Position {
            file: 0,
            offset: 4,
            record: 0,
        },
    ] {
        assert!(source.pieces_from(Part::All, position).next().is_none());
    }
}
