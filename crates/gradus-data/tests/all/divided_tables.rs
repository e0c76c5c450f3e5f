//! Tables cut into files of their rows, and recipes that divide their data.

use std::fs;
use std::path::Path;

use gradus_data::{DataConfig, Error, Split, SplitConfig, TableFile, Unprepared, load};

use crate::support::{fixture, write};

fn shares(train: f64, validation: f64, test: f64) -> SplitConfig {
    SplitConfig {
        train,
        validation,
        test,
        stratify: None,
        group: None,
        time: None,
        seed: Some(3),
    }
}

/// The part's files, in order, as text.
fn cut(path: &Path, split: &SplitConfig) -> Vec<String> {
    let table = TableFile::read(path).unwrap();
    let files = table.part_files(&table.divide(split).unwrap(), split.shares());
    [files.train, files.validation, files.test]
        .into_iter()
        .flatten()
        .map(|bytes| String::from_utf8(bytes).unwrap())
        .collect()
}

#[test]
fn rows_are_copied_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    // A byte order mark, Windows line breaks, quotes that need not be, a line break and a quote in a cell, blank lines,
    // and no line break at the end.
    let rows = [
        "1, \"a\"",
        "2,\"b\r\nb, \"\"b\"\"\"",
        "3.50,  c ",
        "4,",
        "\"5\",é",
    ];
    let text = format!(
        "\u{feff}x,\"y\"\r\n{}\r\n\r\n{}\r\n\r\n\r\n{}",
        rows[0],
        rows[1],
        rows[2..].join("\r\n")
    );
    let path = write(folder.path(), "t.csv", &text);
    let parts = cut(&path, &shares(0.6, 0.2, 0.2));
    assert_eq!(parts.len(), 3);
    let mut copied: Vec<&&str> = Vec::new();
    for part in &parts {
        let body = part.strip_prefix("\u{feff}x,\"y\"\r\n").unwrap();
        assert!(body.ends_with("\r\n"));
        copied.extend(rows.iter().filter(|row| body.contains(&format!("{row}\r\n"))));
        let len: usize = rows
            .iter()
            .filter(|row| body.contains(*row))
            .map(|row| row.len() + 2)
            .sum();
        assert_eq!(body.len(), len);
    }
    copied.sort_unstable();
    let mut expected: Vec<&&str> = rows.iter().collect();
    expected.sort_unstable();
    assert_eq!(copied, expected);
}

#[test]
fn groups_are_not_torn_and_time_does_not_run_back() {
    let folder = tempfile::tempdir().unwrap();
    let lines: String = (0..60)
        .map(|row| format!("u{},2026-03-{:02},{row}\n", row % 12, 1 + row % 29))
        .collect();
    let path = write(
        folder.path(),
        "t.tsv",
        format!("user,day,x\n{lines}").replace(',', "\t"),
    );
    let columns = |text: &str, column: usize| -> Vec<String> {
        text.lines()
            .skip(1)
            .map(|line| line.split('\t').nth(column).unwrap().to_owned())
            .collect()
    };
    let group = SplitConfig {
        group: Some("user".to_owned()),
        ..shares(0.6, 0.2, 0.2)
    };
    let parts = cut(&path, &group);
    let test = columns(&parts[2], 0);
    assert!(!test.is_empty() && columns(&parts[0], 0).iter().all(|user| !test.contains(user)));
    let time = SplitConfig {
        time: Some("day".to_owned()),
        ..shares(0.6, 0.2, 0.2)
    };
    let parts = cut(&path, &time);
    assert!(columns(&parts[0], 1).iter().max() < columns(&parts[1], 1).iter().min());
    assert!(columns(&parts[1], 1).iter().max() < columns(&parts[2], 1).iter().min());
    assert_eq!(TableFile::read(&path).unwrap().part_name(Split::Test), "test.tsv");
}

#[test]
fn parquet_parts_read_back_as_csv() {
    let path = fs::read_dir(fixture("parquet"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| TableFile::read(path).is_ok_and(|table| table.rows() >= 4))
        .unwrap();
    let table = TableFile::read(&path).unwrap();
    assert!(!table.is_copied());
    let folder = tempfile::tempdir().unwrap();
    let parts = cut(&path, &shares(0.5, 0.0, 0.5));
    let rows: usize = parts
        .iter()
        .map(|part| {
            TableFile::read(&write(folder.path(), "part.csv", part))
                .unwrap()
                .rows()
        })
        .sum();
    assert_eq!(rows, table.rows());
}

#[test]
fn says_what_cannot_divide_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(
        folder.path(),
        "t.csv",
        "x,day,user\n1,monday,\n2,tuesday,b\n3,sunday,c\n",
    );
    let table = TableFile::read(&path).unwrap();
    let fails = |split: SplitConfig| table.divide(&split).unwrap_err().to_string();
    let column = |name: &str| Some(name.to_owned());
    let half = || shares(0.5, 0.0, 0.5);
    let text = fails(SplitConfig {
        time: column("day"),
        ..half()
    });
    assert!(text.contains("`day`") && text.contains("no time"), "{text}");
    let text = fails(SplitConfig {
        group: column("user"),
        ..half()
    });
    assert!(text.contains("`user`, row 0"), "{text}");
    let text = fails(SplitConfig {
        stratify: column("size"),
        ..half()
    });
    assert!(text.contains("no column `size`"), "{text}");
    let text = fails(SplitConfig {
        group: column("user"),
        time: column("day"),
        ..half()
    });
    assert!(text.contains("2 of them"), "{text}");
    assert!(matches!(
        TableFile::read(&fixture("idx")),
        Err(Error::NotATable { .. } | Error::UnknownFormat { .. })
    ));
}

fn labelled(folder: &Path) -> DataConfig {
    let lines: String = (0..100)
        .map(|row| format!("{row},u{},c{}\n", row % 20, row % 2))
        .collect();
    write(folder, "t.csv", format!("x,user,class\n{lines}"));
    DataConfig {
        label: Some("class".to_owned()),
        ..DataConfig::new("t.csv")
    }
}

#[test]
fn a_recipe_divides_its_data_and_whoever_reads_them_whole_finds_the_parts_again() {
    let folder = tempfile::tempdir().unwrap();
    let split = SplitConfig {
        group: Some("user".to_owned()),
        ..shares(0.6, 0.2, 0.2)
    };
    let config = DataConfig {
        split: Some(Box::new(split.clone())),
        ..labelled(folder.path())
    };
    let parts = load(&config, folder.path()).unwrap();
    let (validation, test) = (parts.validation.unwrap(), parts.test.unwrap());
    assert_eq!((parts.train.len(), validation.len(), test.len()), (60, 20, 20));
    assert_eq!(
        parts.train.sample_shape(),
        [1],
        "the column that divides is no input"
    );
    let path = folder.path().join("t.csv");
    let names = test.label_names();
    let whole = gradus_data::load_labelled(&path, Split::Test, &parts.preprocessing, names).unwrap();
    let again = whole.subset(&whole.divide(&path, &split).unwrap().test).unwrap();
    assert_eq!(again.sample_hashes(), test.sample_hashes());
    // Folds are made of what is not kept for the last test.
    assert_eq!(Unprepared::read(&config, folder.path()).unwrap().len(), 80);
}

#[test]
fn a_part_comes_from_one_place() {
    let folder = tempfile::tempdir().unwrap();
    let split = Some(Box::new(shares(0.6, 0.2, 0.2)));
    let config = DataConfig {
        split,
        validation_fraction: 0.1,
        ..labelled(folder.path())
    };
    let field = |config: &DataConfig| match load(config, folder.path()).unwrap_err() {
        Error::ConfigSplitTwice { field } => field,
        other => panic!("{other}"),
    };
    assert_eq!(field(&config), "validation_fraction");
    let config = DataConfig {
        validation_fraction: 0.0,
        test: Some("t.csv".into()),
        ..config
    };
    assert_eq!(field(&config), "test");
}

#[test]
fn sample_hashes_tell_rows_and_targets_apart() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "t.csv", "x,y\n1,a\n2,a\n1,b\n1,a\n");
    let config = DataConfig {
        label: Some("y".to_owned()),
        ..DataConfig::new("t.csv")
    };
    let hashes = load(&config, folder.path()).unwrap().train.sample_hashes();
    assert_eq!(hashes[0], hashes[3]);
    assert!(hashes[0] != hashes[1] && hashes[0] != hashes[2] && hashes[1] != hashes[2]);
}
