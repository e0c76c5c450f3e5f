//! Numbers to learn and labels of which several apply: how tables name them, and what is refused.

use std::sync::Arc;

use crate::support::{fixture, write};
use gradus_data::{
    DataConfig, Dataset, Error, Features, Loader, LoaderConfig, Preprocessing, RowPlace, Samples, Split,
    Splits, TargetEncoding, TargetKind, TargetScale, Targets, load, load_inputs, load_labelled,
};

fn regression() -> DataConfig {
    DataConfig {
        task: TargetKind::Regression,
        label: Some("price".into()),
        ..DataConfig::new("data.csv")
    }
}

fn multilabel(labels: &[&str]) -> DataConfig {
    DataConfig {
        task: TargetKind::Multilabel,
        labels: labels.iter().map(|&label| label.to_owned()).collect(),
        ..DataConfig::new("data.csv")
    }
}

fn separated(separator: &str) -> DataConfig {
    DataConfig {
        label: Some("genres".into()),
        label_separator: Some(separator.into()),
        ..multilabel(&[])
    }
}

fn load_text(config: &DataConfig, text: &str) -> Result<Splits, Error> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "data.csv", text);
    load(config, folder.path())
}

fn flags(dataset: &Dataset) -> &[u8] {
    match dataset.targets() {
        Targets::Labels { flags, .. } => flags,
        other => panic!("{other:?}"),
    }
}

#[test]
fn numbers_are_kept_in_their_unit_and_standardised_in_batches() {
    let splits = load_text(&regression(), "area,price\n1,100\n2,300\n3,200\n4,400\n").unwrap();
    let Targets::Values {
        values,
        scales,
        names,
    } = splits.train.targets()
    else {
        panic!("{:?}", splits.train.targets())
    };
    assert_eq!(
        (values.as_slice(), names.as_slice()),
        (&[100.0, 300.0, 200.0, 400.0][..], &["price".to_owned()][..])
    );
    // numpy: mean 250, population standard deviation sqrt(12500).
    assert_eq!(scales[0].mean, 250.0);
    assert!((scales[0].std - 12500f64.sqrt()).abs() < 1e-10);
    assert_eq!(splits.preprocessing.target_kind(), TargetKind::Regression);
    assert_eq!(splits.preprocessing.target_scales(), *scales);
    assert_eq!(splits.preprocessing.sample_shape(), [1], "the target is no input");

    let scale = scales[0];
    let loader = Loader::new(Arc::new(splits.train), LoaderConfig::new(3)).unwrap();
    let batch = loader.epoch(0, 0).next().unwrap().unwrap();
    assert_eq!(batch.targets.shape(), [3, 1]);
    let standardised = batch.targets.to_vec::<f32>().unwrap();
    let restored: Vec<f64> = standardised
        .iter()
        .map(|&value| scale.restore(value).round())
        .collect();
    assert_eq!(restored, [100.0, 300.0, 200.0]);
    assert!(standardised[0] < 0.0 && standardised[1] > 0.0);
}

#[test]
fn the_scale_is_that_of_the_training_rows_and_goes_with_the_package() {
    let text: String = (0..40).map(|i| format!("{i},{}\n", i * i)).collect();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "data.csv", format!("x,price\n{text}"));
    let config = DataConfig {
        validation_fraction: 0.25,
        ..regression()
    };
    let splits = load(&config, folder.path()).unwrap();
    let validation = splits.validation.unwrap();
    assert_eq!((splits.train.len(), validation.len()), (30, 10));
    let Targets::Values { values, scales, .. } = splits.train.targets() else {
        panic!()
    };
    let mean = values.iter().sum::<f64>() / 30.0;
    assert!((scales[0].mean - mean).abs() < 1e-9 * mean);
    let Targets::Values { scales: held_out, .. } = validation.targets() else {
        panic!()
    };
    assert_eq!(held_out, scales);

    // Through JSON, as a package keeps it, and back to the same data set.
    let json = serde_json::to_string(&splits.preprocessing).unwrap();
    let preprocessing: Preprocessing = serde_json::from_str(&json).unwrap();
    preprocessing.validate().unwrap();
    let names = splits.train.label_names();
    let all = load_labelled(
        &folder.path().join("data.csv"),
        Split::Test,
        &preprocessing,
        names,
    )
    .unwrap();
    assert_eq!((all.len(), all.targets().kind()), (40, TargetKind::Regression));

    let inputs = write(folder.path(), "inputs.csv", "x\n1\n2\n");
    assert_eq!(load_inputs(&inputs, &preprocessing).unwrap().samples.len(), 2);
}

#[test]
fn several_numbers_are_several_outputs() {
    let config = DataConfig {
        label: None,
        labels: vec!["b".into(), "a".into()],
        ..regression()
    };
    let splits = load_text(&config, "a,x,b\n1,0,10\n2,1,20\n").unwrap();
    assert_eq!(splits.train.label_names(), ["b", "a"]);
    let batch = splits.train.targets().batch(&[1, 0]);
    assert_eq!(batch.shape(), [2, 2]);
    assert_eq!(batch.to_vec::<f32>().unwrap(), [1.0, 1.0, -1.0, -1.0]);
}

#[test]
fn a_target_that_never_changes_is_centred_alone() {
    let splits = load_text(&regression(), "x,price\n1,7\n2,7\n").unwrap();
    assert_eq!(
        splits.preprocessing.target_scales(),
        [TargetScale { mean: 7.0, std: 1.0 }]
    );
}

#[test]
fn targets_that_are_no_numbers_are_named_with_their_line() {
    let error = load_text(&regression(), "x,price\n1,10\n\n2,cheap\n").unwrap_err();
    let Error::TargetNotANumber {
        place, column, found, ..
    } = &error
    else {
        panic!("{error:?}")
    };
    assert_eq!(
        (*place, column.as_str(), found.as_str()),
        (RowPlace::Line(4), "price", "cheap")
    );
    for missing in ["", "NaN", "?"] {
        let error = load_text(&regression(), &format!("x,price\n1,10\n2,{missing}\n3,4\n")).unwrap_err();
        assert!(
            matches!(&error, Error::MissingLabel { place: RowPlace::Line(3), column: Some(column), .. } if column == "price"),
            "{error:?}"
        );
    }
    let error = load_text(&regression(), "x,price\n1,inf\n2,3\n").unwrap_err();
    assert!(matches!(error, Error::TargetNotANumber { .. }), "{error:?}");
    let error = load_text(&regression(), "x,price\n1,1e308\n2,-1e308\n").unwrap_err();
    assert!(
        matches!(&error, Error::InFile { source, .. } if matches!(**source, Error::TargetOutOfRange { .. })),
        "{error:?}"
    );
    let error = load_text(&regression(), "x,cost\n1,2\n").unwrap_err();
    assert!(
        matches!(&error, Error::NoColumn { name, .. } if name == "price"),
        "{error:?}"
    );
}

#[test]
fn labels_of_columns_are_zero_one_true_and_false() {
    let text = "x,cat,dog,bird\n0,1,true,0\n1,0,False,1.0\n2,0,0,0\n";
    let splits = load_text(&multilabel(&["cat", "dog", "bird"]), text).unwrap();
    assert_eq!(flags(&splits.train), [1, 1, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(splits.train.label_names(), ["cat", "dog", "bird"]);
    assert_eq!(splits.preprocessing.target_kind(), TargetKind::Multilabel);
    assert!(splits.train.labels().is_empty(), "there is no class to a sample");
    let batch = splits.train.targets().batch(&[1]);
    assert_eq!(
        (batch.shape(), batch.to_vec::<f32>().unwrap()),
        (&[1, 3][..], vec![0.0, 0.0, 1.0])
    );
    assert_eq!(
        splits
            .train
            .subset(&[2, 0])
            .unwrap()
            .targets()
            .batch(&[1])
            .to_vec::<f32>()
            .unwrap(),
        [1.0, 1.0, 0.0]
    );

    for (cell, is_missing) in [
        ("2", false),
        ("yes", false),
        ("0.5", false),
        ("-1", false),
        ("", true),
        ("NA", true),
    ] {
        let error = load_text(
            &multilabel(&["cat", "dog"]),
            &format!("x,cat,dog\n0,1,0\n0,1,{cell}\n"),
        )
        .unwrap_err();
        match &error {
            Error::NotAFlag { place, column, .. } if !is_missing => {
                assert_eq!((*place, column.as_str()), (RowPlace::Line(3), "dog"));
            }
            Error::MissingLabel {
                place: RowPlace::Line(3),
                ..
            } if is_missing => (),
            other => panic!("{cell}: {other:?}"),
        }
    }
}

#[test]
fn labels_of_one_column_are_cut_at_the_separator() {
    let text = "year,genres\n1999,drama|comedy\n2001,\n2002, comedy | war |\n2003,war\n";
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "data.csv", text);
    let splits = load(&separated("|"), folder.path()).unwrap();
    assert_eq!(splits.train.label_names(), ["comedy", "drama", "war"]);
    assert_eq!(flags(&splits.train), [1, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1]);

    let other = write(folder.path(), "other.csv", "year,genres\n1,war\n2,noir\n");
    let names = splits.train.label_names();
    let error = load_labelled(&other, Split::Test, &splits.preprocessing, names).unwrap_err();
    assert!(
        matches!(&error, Error::UnknownLabel { label, place: RowPlace::Line(3), .. } if label == "noir"),
        "{error:?}"
    );
    // Without a separator in any cell a file of new rows reads all the same; a training file is a mistake.
    let single = write(folder.path(), "single.csv", "year,genres\n1,war\n");
    assert_eq!(
        flags(&load_labelled(&single, Split::Test, &splits.preprocessing, names).unwrap()),
        [0, 0, 1]
    );
    let error = load_text(&separated(";"), text).unwrap_err();
    assert!(matches!(error, Error::NothingSeparated { .. }), "{error:?}");

    let named = DataConfig {
        class_names: vec!["war".into(), "comedy".into(), "drama".into(), "noir".into()],
        ..separated("|")
    };
    let splits = load_text(&named, text).unwrap();
    assert_eq!(flags(&splits.train)[..4], [0, 1, 1, 0]);
}

#[test]
fn parquet_gives_the_same_targets_as_csv() {
    let regression = |train: &str| DataConfig {
        task: TargetKind::Regression,
        label: Some("grade".into()),
        ..DataConfig::new(train)
    };
    let csv = load(&regression("table.csv"), &fixture("")).unwrap();
    let parquet = load(&regression("parquet/plain.parquet"), &fixture("")).unwrap();
    assert_eq!(csv.train.fingerprint(), parquet.train.fingerprint());
    assert_eq!(csv.preprocessing, parquet.preprocessing);
}

#[test]
fn settings_that_contradict_the_task_are_refused() {
    let text = "x,price,genres\n1,2,a|b\n2,3,c\n";
    let refused = |config: DataConfig| load_text(&config, text).unwrap_err();
    let classification = DataConfig {
        task: TargetKind::Classification,
        ..regression()
    };
    for (config, field) in [
        (
            DataConfig {
                labels: vec!["price".into()],
                ..classification.clone()
            },
            "labels",
        ),
        (
            DataConfig {
                label_separator: Some("|".into()),
                ..classification
            },
            "label_separator",
        ),
        (
            DataConfig {
                class_names: vec!["a".into()],
                ..regression()
            },
            "class_names",
        ),
        (
            DataConfig {
                label_separator: Some("|".into()),
                ..multilabel(&["price"])
            },
            "label_separator",
        ),
    ] {
        let error = refused(config);
        assert!(
            matches!(error, Error::ConfigTask { field: found, .. } if found == field),
            "{error:?}"
        );
    }
    let both = DataConfig {
        labels: vec!["x".into()],
        ..regression()
    };
    assert!(matches!(refused(both), Error::LabelAndLabels { .. }));
    let unseparated = DataConfig {
        label_separator: None,
        ..separated("|")
    };
    assert!(matches!(refused(unseparated), Error::LabelNotSeparated { .. }));
    let unnamed = DataConfig {
        label: None,
        ..regression()
    };
    let error = refused(unnamed);
    assert!(
        error.to_string().contains("`label` to the column of the number"),
        "{error}"
    );
    let twice = DataConfig {
        labels: vec!["x".into(), "price".into(), "x".into()],
        ..multilabel(&[])
    };
    assert!(matches!(
        refused(twice),
        Error::ConfigValue { field: "labels", .. }
    ));
    let nothing_left = multilabel(&["x", "price", "genres"]);
    assert!(matches!(refused(nothing_left), Error::Empty { .. }));
    let pictures = DataConfig {
        task: TargetKind::Regression,
        ..DataConfig::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../data/fashion-mnist-sample"
        ))
    };
    assert!(matches!(refused(pictures), Error::TaskNeedsTable { .. }));
}

#[test]
fn targets_made_by_hand_are_checked() {
    let samples = || Samples::new(Features::F32(vec![0.0; 4]), vec![2], 2).unwrap();
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let values = |values: &[f64]| Targets::Values {
        values: values.to_vec(),
        scales: vec![TargetScale::IDENTITY; 2],
        names: names(&["a", "b"]),
    };
    assert!(Dataset::with_targets(samples(), values(&[1.0, 2.0, 3.0, 4.0])).is_ok());
    let error = |targets| Dataset::with_targets(samples(), targets).unwrap_err();
    assert!(matches!(
        error(values(&[1.0, 2.0])),
        Error::LabelsPerSample {
            samples: 2,
            labels: 1
        }
    ));
    assert!(matches!(
        error(values(&[1.0, 2.0, 3.0, f64::NAN])),
        Error::TargetOutOfRange { index: 1, .. }
    ));
    assert!(matches!(
        error(values(&[1.0, 2.0, 3.0, 1e300])),
        Error::TargetOutOfRange { .. }
    ));
    let labels = |flags: &[u8], labels: &[&str]| Targets::Labels {
        flags: flags.to_vec(),
        names: names(labels),
    };
    assert!(matches!(
        error(labels(&[0, 2], &["a"])),
        Error::FlagValue {
            index: 1,
            value: 2,
            ..
        }
    ));
    assert!(matches!(error(labels(&[], &[])), Error::NoTargets));
}

#[test]
fn a_damaged_encoding_in_a_package_is_refused() {
    let splits = load_text(&regression(), "x,price\n1,2\n2,3\n").unwrap();
    let Preprocessing::Table(table) = &splits.preprocessing else {
        panic!()
    };
    let refused = |targets| {
        let table = gradus_data::TablePreprocessing {
            targets: Some(targets),
            ..table.clone()
        };
        assert!(matches!(
            Preprocessing::Table(table).validate(),
            Err(Error::TransformValue { .. })
        ));
    };
    refused(TargetEncoding::Values { columns: vec![] });
    refused(TargetEncoding::Labels {
        columns: vec!["a".into(), "a".into()],
    });
    refused(TargetEncoding::Labels {
        columns: vec!["x".into()],
    });
    refused(TargetEncoding::SeparatedLabels {
        column: "a".into(),
        separator: String::new(),
    });
    for std in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let column = gradus_data::ValueColumn {
            name: "price".into(),
            mean: 0.0,
            std,
        };
        refused(TargetEncoding::Values {
            columns: vec![column],
        });
    }
}
