//! Tables: CSV and Parquet give the same data set, preparation follows its definition, and errors name the place.

use std::fs;
use std::path::Path;

use crate::support::{fixture, write};
use gradus_data::{
    Cell, ColumnChoice, DataConfig, Error, Normalize, Preprocessing, RowPlace, Split, Splits, Table,
    Transform, load, load_inputs, load_labelled, read_csv, read_parquet,
};
use serde_json::{Value, json};

fn config(train: &str) -> DataConfig {
    DataConfig {
        label: Some("grade".into()),
        ..DataConfig::new(train)
    }
}

fn load_csv(text: impl AsRef<[u8]>, label: &str) -> Result<Splits, Error> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "data.csv", text);
    let config = DataConfig {
        label: Some(label.into()),
        ..DataConfig::new("data.csv")
    };
    load(&config, folder.path())
}

fn assert_cells(name: &str, table: &Table, expected: &Value) {
    for (column, cells) in expected.as_object().unwrap() {
        let found = table
            .column(column)
            .unwrap_or_else(|| panic!("{name} lacks {column}"));
        for (row, cell) in cells.as_array().unwrap().iter().enumerate() {
            let place = format!("{name}, column {column}, row {row}");
            match (cell, found.cell(row)) {
                (Value::Null, Cell::Missing) => (),
                (Value::Bool(expected), Cell::Text(text)) => {
                    assert_eq!(text, expected.to_string(), "{place}")
                }
                (Value::String(expected), Cell::Text(text)) => assert_eq!(text, expected, "{place}"),
                (Value::Number(expected), Cell::Number(number)) => {
                    assert_eq!(number, expected.as_f64().unwrap(), "{place}");
                }
                (expected, found) => panic!("{place}: {expected} became {found:?}"),
            }
        }
    }
}

#[test]
fn csv_and_every_kind_of_parquet_hold_the_same_cells() {
    let expected: Value = serde_json::from_slice(&fs::read(fixture("parquet.json")).unwrap()).unwrap();
    let csv = read_csv(&fixture("table.csv"), ColumnChoice::default()).unwrap();
    assert_eq!(csv.rows(), 30);
    assert_cells("csv", &csv, &expected);
    for file in ["plain", "snappy", "gzip", "brotli", "lz4", "v2"] {
        let path = fixture(&format!("parquet/{file}.parquet"));
        let table = read_parquet(&path, ColumnChoice::default()).unwrap();
        assert_cells(file, &table, &expected);
    }
}

#[test]
fn csv_and_parquet_give_one_data_set() {
    let csv = load(&config("table.csv"), &fixture("")).unwrap();
    let parquet = load(&config("parquet/plain.parquet"), &fixture("")).unwrap();
    assert_eq!(csv.preprocessing, parquet.preprocessing);
    assert_eq!(csv.train.fingerprint(), parquet.train.fingerprint());
    assert_eq!(csv.train.label_names(), ["1", "2", "10"]);
    assert_eq!(csv.train.labels()[..3], [1, 2, 0]);
    let Preprocessing::Table(table) = &csv.preprocessing else {
        panic!("a table is prepared as images")
    };
    assert_eq!(
        table.input_names(),
        [
            "length",
            "count",
            "big",
            "ratio",
            "price",
            "colour=deep blue",
            "colour=green",
            "colour=red",
            "open=false",
            "open=true"
        ]
    );
    assert_eq!(csv.train.sample_shape(), [10]);
}

#[test]
fn numbers_are_standardised_and_gaps_filled_with_the_median() {
    let splits = load_csv("x,grade\n1,a\n2,b\n,a\n9,b\n", "grade").unwrap();
    let Preprocessing::Table(table) = &splits.preprocessing else {
        unreachable!()
    };
    let std = (38.0f64 / 3.0).sqrt();
    let Transform::Numeric {
        mean,
        std: found,
        fill,
    } = table.columns[0].transform
    else {
        panic!("x is a number")
    };
    assert!((mean - 4.0).abs() < 1e-12 && (found - std).abs() < 1e-12 && fill == 2.0);
    let values = splits.train.samples().tensor(0..4).to_vec::<f32>().unwrap();
    for (value, raw) in values.iter().zip([1.0, 2.0, 2.0, 9.0]) {
        assert!((f64::from(*value) - (raw - 4.0) / std).abs() < 1e-6);
    }
}

#[test]
fn unit_scaling_maps_to_0_and_1_and_none_leaves_numbers_alone() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "data.csv", "x,same,grade\n1,5,a\n2,5,b\n9,5,b\n");
    let values = |normalize| {
        let config = DataConfig {
            normalize,
            ..config("data.csv")
        };
        load(&config, folder.path())
            .unwrap()
            .train
            .samples()
            .tensor(0..3)
            .to_vec::<f32>()
            .unwrap()
    };
    assert_eq!(values(Normalize::Unit), [0.0, 0.0, 0.125, 0.0, 1.0, 0.0]);
    assert_eq!(values(Normalize::None), [1.0, 5.0, 2.0, 5.0, 9.0, 5.0]);
    assert_eq!(values(Normalize::Standard)[1], 0.0);
}

#[test]
fn rows_of_clients_are_prepared_like_rows_of_files() {
    let splits = load(&config("table.csv"), &fixture("")).unwrap();
    let expected: Value = serde_json::from_slice(&fs::read(fixture("parquet.json")).unwrap()).unwrap();
    let names = ["length", "count", "big", "ratio", "price", "colour", "open"];
    for row in 0..splits.train.len() {
        let prepared = splits
            .train
            .samples()
            .tensor(row..row + 1)
            .to_vec::<f32>()
            .unwrap();
        let array: Vec<&Value> = names.iter().map(|name| &expected[name][row]).collect();
        let object: Value = names
            .iter()
            .zip(&array)
            .map(|(name, value)| (name.to_string(), (*value).clone()))
            .collect();
        let mut out = vec![f32::NAN; prepared.len()];
        splits.preprocessing.json_sample(&json!(array), &mut out).unwrap();
        assert_eq!(out, prepared);
        splits.preprocessing.json_sample(&object, &mut out).unwrap();
        assert_eq!(out, prepared);
    }
}

#[test]
fn unseen_and_missing_categories_are_zeros() {
    let splits = load_csv("c,grade\nred,a\nblue,b\n", "grade").unwrap();
    let encode = |value: Value| {
        let mut out = [9.0; 2];
        splits.preprocessing.json_sample(&value, &mut out).map(|()| out)
    };
    assert_eq!(encode(json!(["red"])).unwrap(), [0.0, 1.0]);
    assert_eq!(encode(json!(["green"])).unwrap(), [0.0, 0.0]);
    assert_eq!(encode(json!({"c": null})).unwrap(), [0.0, 0.0]);
    assert_eq!(encode(json!({"c": "blue", "grade": "a"})).unwrap(), [1.0, 0.0]);
}

#[test]
fn rows_of_clients_that_do_not_fit_are_refused_by_name() {
    let splits = load_csv("x,c,grade\n1,red,a\n2,blue,b\n", "grade").unwrap();
    let refuse = |value: Value| {
        splits
            .preprocessing
            .json_sample(&value, &mut [0.0; 3])
            .unwrap_err()
    };
    assert!(matches!(refuse(json!([1])), Error::SampleShape { .. }));
    assert!(matches!(refuse(json!(1)), Error::SampleShape { .. }));
    assert!(matches!(refuse(json!({"x": 1})), Error::MissingField { column } if column == "c"));
    assert!(
        matches!(refuse(json!({"x": 1, "c": "red", "d": 1})), Error::UnknownField { field, .. } if field == "d")
    );
    assert!(matches!(refuse(json!(["many", "red"])), Error::BadNumber { column, .. } if column == "x"));
    assert!(matches!(refuse(json!([[1], "red"])), Error::BadNumber { column, .. } if column == "x"));
    assert!(matches!(refuse(json!(["inf", "red"])), Error::BadNumber { .. }));
    assert!(matches!(refuse(json!([1e300, "red"])), Error::BadNumber { .. }));
    assert!(matches!(
        splits.preprocessing.picture_sample(&[], &mut [0.0; 3]),
        Err(Error::PictureForTable { .. })
    ));
}

#[test]
fn a_trained_model_ignores_columns_it_does_not_use_and_needs_no_label_to_predict() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "train.csv",
        "x,code,name,grade\n1,1,n,a\n2,2,m,b\n3,1,o,b\n",
    );
    let config = DataConfig {
        drop: vec!["name".into()],
        categorical: vec!["code".into()],
        ..config("train.csv")
    };
    let splits = load(&config, folder.path()).unwrap();
    let test = write(folder.path(), "test.csv", "code;grade;x;more\n2;b;2;1\n1;a;1;1\n");
    let names = splits.train.label_names();
    let test_set = load_labelled(&test, Split::Test, &splits.preprocessing, names).unwrap();
    assert_eq!(test_set.labels(), [1, 0]);
    let unlabelled = write(folder.path(), "new.csv", "x\tcode\n2\t2\n1\t1\n");
    let inputs = load_inputs(&unlabelled, &splits.preprocessing).unwrap();
    assert_eq!(&inputs.samples, test_set.samples());
}

#[test]
fn quoted_fields_may_hold_delimiters_quotes_and_line_breaks() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(
        folder.path(),
        "q.csv",
        "\u{feff}\"a, b\",c\r\n\"x \"\"y\"\", z\",1\r\n\"two\nlines\",2\r\n",
    );
    let table = read_csv(&path, ColumnChoice::default()).unwrap();
    let column = table.column("a, b").unwrap();
    assert_eq!(column.cell(0), Cell::Text("x \"y\", z"));
    assert_eq!(column.cell(1), Cell::Text("two\nlines"));
    assert_eq!(table.column("c").unwrap().cell(1), Cell::Number(2.0));
}

#[test]
fn ragged_rows_are_named_by_their_line() {
    let error = load_csv("x,grade\n1,a\n\"2\n2\",b\n3\n", "grade").unwrap_err();
    assert!(
        matches!(
            error,
            Error::RaggedRow {
                line: 5,
                expected: 2,
                found: 1,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn missing_columns_are_named_with_those_there_are() {
    let error = load_csv("x,y\n1,a\n", "grade").unwrap_err();
    assert_eq!(
        error.to_string().split_once(" has no").unwrap().1,
        " column `grade`; it has `x`, `y`"
    );
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "data.csv", "x,grade\n1,a\n2,b\n");
    for (drop, categorical) in [(vec!["z".to_owned()], vec![]), (vec![], vec!["z".to_owned()])] {
        let error = load(
            &DataConfig {
                drop,
                categorical,
                ..config("data.csv")
            },
            folder.path(),
        )
        .unwrap_err();
        assert!(
            matches!(&error, Error::NoColumn { name, .. } if name == "z"),
            "{error:?}"
        );
    }
}

#[test]
fn bad_labels_are_named_by_their_line() {
    let error = load_csv("x,grade\n1,a\n2,\n", "grade").unwrap_err();
    assert!(
        matches!(
            error,
            Error::MissingLabel {
                place: RowPlace::Line(3),
                ..
            }
        ),
        "{error:?}"
    );

    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "data.csv", "x,grade\n1,a\n2,b\n");
    write(folder.path(), "test.csv", "x,grade\n1,a\n\n2,c\n");
    let error = load(
        &DataConfig {
            test: Some("test.csv".into()),
            ..config("data.csv")
        },
        folder.path(),
    )
    .unwrap_err();
    assert!(
        matches!(&error, Error::UnknownLabel { place: RowPlace::Line(4), label, .. } if label == "c"),
        "{error:?}"
    );
    write(folder.path(), "test.csv", "x,grade\n1,a\ntwo,b\n");
    let error = load(
        &DataConfig {
            test: Some("test.csv".into()),
            ..config("data.csv")
        },
        folder.path(),
    )
    .unwrap_err();
    let Error::AtRow {
        place: RowPlace::Line(3),
        source,
        ..
    } = error
    else {
        panic!("{error:?}")
    };
    assert!(matches!(*source, Error::BadNumber { column, .. } if column == "x"));
}

#[test]
fn labels_that_are_no_classes_are_refused() {
    let rows: String = (0..30).map(|i| format!("{i},{}\n", f64::from(i) / 7.0)).collect();
    let error = load_csv(format!("x,grade\n{rows}"), "grade").unwrap_err();
    assert!(
        matches!(
            error,
            Error::TooManyClasses {
                found: 30,
                rows: 30,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(matches!(
        load_csv("x,grade\n1,a\n2,a\n", "grade"),
        Err(Error::SingleClass { .. })
    ));
}

#[test]
fn text_that_is_no_category_is_refused() {
    let rows: String = (0..300).map(|i| format!("name {i},{}\n", i % 2)).collect();
    let error = load_csv(format!("who,grade\n{rows}"), "grade").unwrap_err();
    let Error::InFile { source, .. } = error else {
        panic!("{error:?}")
    };
    assert!(matches!(*source, Error::TooManyCategories { found: 300, .. }));
    let error = load_csv("x,nothing,grade\n1,,a\n2,NA,b\n", "grade").unwrap_err();
    let Error::InFile { source, .. } = error else {
        panic!("{error:?}")
    };
    assert!(matches!(*source, Error::EmptyColumn { column } if column == "nothing"));
}

#[test]
fn empty_and_nameless_tables_are_refused() {
    assert!(matches!(
        load_csv("", "grade"),
        Err(Error::Empty {
            what: "header line",
            ..
        })
    ));
    assert!(matches!(
        load_csv("x,grade\n", "grade"),
        Err(Error::Empty { what: "rows", .. })
    ));
    assert!(matches!(
        load_csv("grade\na\nb\n", "grade"),
        Err(Error::Empty { .. })
    ));
    assert!(matches!(
        load_csv(",grade\n1,a\n2,b\n", "grade"),
        Err(Error::UnnamedColumn { column: 1, .. })
    ));
    assert!(matches!(
        load_csv("x,x,grade\n1,2,a\n", "grade"),
        Err(Error::DuplicateColumn { .. })
    ));
}

#[test]
fn other_encodings_are_named_by_their_line() {
    let error = load_csv(b"x,grade\n1,a\n2,caf\xe9\n", "grade").unwrap_err();
    assert!(matches!(error, Error::NotUtf8 { line: 3, .. }), "{error:?}");
}

#[test]
fn a_table_needs_a_label() {
    let error = load(&DataConfig::new("table.csv"), &fixture("")).unwrap_err();
    assert!(matches!(error, Error::LabelNotNamed { .. }), "{error:?}");
}

#[test]
fn parquet_that_cannot_be_read_says_what_to_do() {
    let read =
        |name: &str| read_parquet(&fixture("parquet").join(name), ColumnChoice::default()).unwrap_err();
    let error = read("zstd.parquet");
    assert!(
        matches!(&error, Error::ParquetCodec { codec: "zstd", .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("snappy"), "{error}");
    assert!(matches!(read("nested.parquet"), Error::NestedColumn { column, .. } if column == "point"));
    assert!(matches!(read("dates.parquet"), Error::UnsupportedColumn { column, .. } if column == "day"));
    let error = read_parquet(&fixture("table.csv"), ColumnChoice::default()).unwrap_err();
    assert!(matches!(error, Error::ParquetMagic { .. }), "{error:?}");
    let drop = ["day".to_owned()];
    let choice = ColumnChoice {
        drop: &drop,
        ..ColumnChoice::default()
    };
    assert_eq!(
        read_parquet(&fixture("parquet/dates.parquet"), choice)
            .unwrap()
            .columns()
            .len(),
        1
    );
}

#[test]
fn parquet_cut_short_is_refused() {
    let bytes = fs::read(fixture("parquet/snappy.parquet")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for len in [0, 4, 11, bytes.len() / 2, bytes.len() - 1] {
        let path = write(folder.path(), "cut.parquet", &bytes[..len]);
        assert!(
            read_parquet(&path, ColumnChoice::default()).is_err(),
            "{len} bytes"
        );
    }
    // A footer that claims to be longer than the file.
    let mut lying = bytes.clone();
    let at = lying.len() - 8;
    lying[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let path = write(folder.path(), "lying.parquet", lying);
    let error = read_parquet(&path, ColumnChoice::default()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::ParquetMalformed {
                what: "footer length",
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn parquet_whose_dictionary_lies_about_the_length_of_a_string_is_refused() {
    let mut bytes = fs::read(fixture("parquet/snappy.parquet")).unwrap();
    let word = bytes.windows(5).position(|window| window == b"green").unwrap();
    bytes[word + 1..word + 6].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "lying.parquet", bytes);
    let error = read_parquet(&path, ColumnChoice::default()).unwrap_err();
    assert!(
        matches!(&error, Error::ParquetDecoder { reason, .. } if reason.contains("assertion failed")),
        "{error:?}"
    );
}

#[test]
fn a_stored_preparation_is_checked() {
    let splits = load(&config("table.csv"), &fixture("")).unwrap();
    let stored = serde_json::to_value(&splits.preprocessing).unwrap();
    let restored: Preprocessing = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(restored, splits.preprocessing);
    restored.validate().unwrap();

    let broken = |path: &str, value: Value| {
        let mut stored = stored.clone();
        *stored.pointer_mut(path).unwrap() = value;
        serde_json::from_value::<Preprocessing>(stored)
            .map_err(|_| ())
            .and_then(|p| p.validate().map_err(|_| ()))
    };
    assert!(broken("/columns/0/transform/std", json!(0)).is_err());
    assert!(broken("/columns/0/name", json!("count")).is_err());
    assert!(broken("/columns/5/transform/values", json!(["b", "a"])).is_err());
    assert!(broken("/columns", json!([])).is_err());
    let mut misspelt = stored.clone();
    misspelt["colums"] = json!([]);
    assert!(serde_json::from_value::<Preprocessing>(misspelt).is_err());
}

#[test]
fn paths_are_relative_to_the_recipe() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "deep/data.csv", "x,grade\n1,a\n2,b\n");
    assert!(load(&config("deep/data.csv"), folder.path()).is_ok());
    assert!(load(&config("data.csv"), Path::new(&folder.path().join("deep"))).is_ok());
}
