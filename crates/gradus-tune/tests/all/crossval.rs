//! Cross-validations: what they give, and what they do not depend on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gradus_data::split::{Parts, SplitError};
use gradus_data::{Preprocessing, Unprepared};
use gradus_evaluate::Predictor;
use gradus_train::Recipe;
use gradus_train::recipe::TableRecipe;
use gradus_tune::Error;
use gradus_tune::crossval::{Crossval, CrossvalEvent, CrossvalOptions, Division, crossval};

const ROWS: usize = 120;

/// A table of two classes that a model can tell apart but for one row in ten, with missing cells, a text column, a user
/// and a day.
fn table(folder: &Path) -> PathBuf {
    let mut text = "name,size,colour,user,day,class\n".to_owned();
    for row in 0..ROWS {
        let class = (row * 7 + row / 5) % 2;
        let shown = if row % 10 == 3 { 1 - class } else { class };
        let size = match row % 11 {
            0 => String::new(),
            _ => format!("{}", shown as f64 * 2.0 + (row % 13) as f64 * 0.1),
        };
        let colour = ["red", "blue"][(shown + row / 40) % 2];
        let line = format!(
            "\"row, {row}\",{size},{colour},u{},2026-01-{:02},c{class}\n",
            row % 17,
            1 + row / 4
        );
        text.push_str(&line);
    }
    let path = folder.join("table.csv");
    fs::write(&path, text).unwrap();
    path
}

fn recipe(table: &Path, overrides: &[&str]) -> Recipe {
    let text = TableRecipe::new(table, "class", &["user".into(), "day".into()])
        .unwrap()
        .text;
    let overrides: Vec<String> = [
        "train.epochs=8",
        "model.hidden_sizes=[8]",
        "train.learning_rate=0.02",
    ]
    .iter()
    .chain(overrides)
    .map(|text| (*text).to_owned())
    .collect();
    Recipe::parse(&text, &overrides).unwrap()
}

fn options(folder: PathBuf, division: Division) -> CrossvalOptions {
    CrossvalOptions {
        folder,
        division,
        repeats: 1,
        seed: 5,
        jobs: 1,
        keep_models: false,
        stop: Arc::default(),
    }
}

fn run(recipe: &Recipe, options: &CrossvalOptions) -> Crossval {
    crossval(recipe, options, &mut |_| {}).unwrap().unwrap()
}

fn stratified(folds: usize) -> Division {
    Division::Stratified { folds }
}

/// Files of a result by name, without the paths that the summary holds.
fn files(result: &Path) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = fs::read_dir(result.join("folds"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .chain([result.join("predictions.csv")])
        .map(|path| {
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                fs::read_to_string(path).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_row_is_predicted_once_by_a_model_that_never_saw_it() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(folder.path());
    let result = run(
        &recipe(&table, &[]),
        &options(folder.path().join("cv"), stratified(4)),
    );
    assert_eq!(result.folds.len(), 4);
    for fold in &result.folds {
        assert_eq!(fold.test_rows, 30);
        assert_eq!(fold.train_rows + fold.validation_rows, 90);
        assert_eq!(fold.validation_rows, 9);
    }
    let accuracy = result.metric("accuracy").unwrap();
    assert!(accuracy.interval.mean > 0.7, "{accuracy:?}");
    assert!(accuracy.interval.corrected_half_width > accuracy.interval.half_width);
    let text = fs::read_to_string(&result.predictions).unwrap();
    let mut lines = text.lines();
    assert_eq!(
        lines.next().unwrap(),
        "repeat,fold,row,truth,prediction,p_c0,p_c1"
    );
    let mut right = 0;
    let mut rows: Vec<usize> = Vec::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        rows.push(cells[2].parse().unwrap());
        right += usize::from(cells[3] == cells[4]);
        let probabilities: Vec<f64> = cells[5..].iter().map(|cell| cell.parse().unwrap()).collect();
        assert!((probabilities[0] + probabilities[1] - 1.0).abs() < 1e-6);
        assert_eq!(probabilities[1] > probabilities[0], cells[4] == "c1");
    }
    rows.sort_unstable();
    assert_eq!(rows, (0..ROWS).collect::<Vec<_>>());
    // Folds of one size: the mean of their accuracies is that of all predictions.
    assert!((right as f64 / ROWS as f64 - accuracy.interval.mean).abs() < 1e-12);
}

#[test]
fn jobs_and_interruptions_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(&table(folder.path()), &["train.checkpoint_every_steps=3"]);
    let plain = CrossvalOptions {
        repeats: 2,
        ..options(folder.path().join("plain"), stratified(3))
    };
    run(&recipe, &plain);
    let jobs = CrossvalOptions {
        jobs: 3,
        folder: folder.path().join("jobs"),
        ..plain.clone()
    };
    run(&recipe, &jobs);
    assert_eq!(files(&plain.folder), files(&jobs.folder));

    // Stopped after the second fold, and gone on with: the two are not trained again.
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = CrossvalOptions {
        stop: stop.clone(),
        folder: folder.path().join("stopped"),
        ..plain.clone()
    };
    let mut finished = 0;
    let outcome = crossval(&recipe, &stopped, &mut |event| {
        if let CrossvalEvent::Finished(_) = event {
            finished += 1;
            stop.store(finished == 2, Ordering::Relaxed);
        }
    });
    assert!(outcome.unwrap().is_none());
    stop.store(false, Ordering::Relaxed);
    let mut started = 0;
    crossval(&recipe, &stopped, &mut |event| {
        started += usize::from(matches!(event, CrossvalEvent::Started(_)));
    })
    .unwrap();
    assert_eq!((finished, started), (2, 4));
    assert_eq!(files(&plain.folder), files(&stopped.folder));
}

#[test]
fn preparation_is_fitted_to_the_training_rows_of_each_fold() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(folder.path());
    let recipe = recipe(&table, &["data.validation_fraction=0"]);
    let options = CrossvalOptions {
        keep_models: true,
        ..options(folder.path().join("cv"), stratified(3))
    };
    let result = run(&recipe, &options);
    let data = &recipe.task.supervised().unwrap().data;
    let samples = Unprepared::read(data, recipe.folder()).unwrap();
    let predictions = fs::read_to_string(&result.predictions).unwrap();
    let mut seen: Vec<Preprocessing> = Vec::new();
    for fold in 0..3 {
        let prefix = format!("0,{fold},");
        let tested: Vec<usize> = predictions
            .lines()
            .filter_map(|line| line.strip_prefix(&prefix)?.split(',').next()?.parse().ok())
            .collect();
        let train = (0..ROWS).filter(|row| !tested.contains(row)).collect();
        let fitted = samples
            .prepare(&Parts {
                train,
                ..Parts::default()
            })
            .unwrap()
            .preprocessing;
        let model = options.folder.join(format!("runs/r001-f{:03}/model", fold + 1));
        assert_eq!(*Predictor::open(model).unwrap().preprocessing(), fitted);
        assert!(!seen.contains(&fitted));
        seen.push(fitted);
    }
}

#[test]
fn groups_stay_whole_and_their_column_is_no_input() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(&table(folder.path()), &["data.drop=[\"name\", \"day\"]"]);
    for stratify in [false, true] {
        let division = Division::Group {
            folds: 3,
            column: "user".to_owned(),
            stratify,
        };
        let folder = folder.path().join(format!("{stratify}"));
        let options = CrossvalOptions {
            keep_models: true,
            ..options(folder, division)
        };
        let result = run(&recipe, &options);
        let text = fs::read_to_string(&result.predictions).unwrap();
        let mut fold_of = [None; 17];
        for line in text.lines().skip(1) {
            let cells: Vec<usize> = line
                .split(',')
                .take(3)
                .map(|cell| cell.parse().unwrap())
                .collect();
            assert_eq!(*fold_of[cells[2] % 17].get_or_insert(cells[1]), cells[1]);
        }
        let model = Predictor::open(options.folder.join("runs/r001-f001/model")).unwrap();
        assert!(!model.preprocessing().describe_input().contains("user"));
    }
}

#[test]
fn along_time_later_folds_are_trained_on_all_that_went_before_or_on_a_window() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(
        &table(folder.path()),
        &["data.drop=[\"name\", \"user\"]", "data.validation_fraction=0"],
    );
    let rows = |sliding: bool| -> Vec<usize> {
        let division = Division::Time {
            folds: 3,
            column: "day".to_owned(),
            sliding,
            gap: 0,
        };
        let folder = folder.path().join(format!("{sliding}"));
        let result = run(&recipe, &options(folder, division));
        result.folds.iter().map(|fold| fold.train_rows).collect()
    };
    // 120 rows in four quarters; days of four rows each are not parted.
    let expanding = rows(false);
    assert!(
        expanding.windows(2).all(|pair| pair[0] < pair[1]),
        "{expanding:?}"
    );
    assert_eq!(rows(true), [expanding[0]; 3]);
}

#[test]
fn each_row_can_be_left_out_alone() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(
        &table(folder.path()),
        &[
            "data.max_samples=12",
            "train.epochs=2",
            "data.validation_fraction=0",
        ],
    );
    let result = run(&recipe, &options(folder.path().join("cv"), Division::LeaveOneOut));
    assert_eq!(result.folds.len(), 12);
    assert!(
        result
            .folds
            .iter()
            .all(|fold| (fold.train_rows, fold.test_rows) == (11, 1))
    );
}

#[test]
fn refuses_to_go_on_with_another_recipe_and_what_cannot_be_divided() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(folder.path());
    let options = |division| options(folder.path().join("cv"), division);
    run(&recipe(&table, &["train.epochs=1"]), &options(stratified(2)));
    let fails = |overrides: &[&str], division| {
        crossval(&recipe(&table, overrides), &options(division), &mut |_| {}).unwrap_err()
    };
    let error = fails(&["train.epochs=2"], stratified(2));
    assert!(
        matches!(error, Error::CrossvalChanged { what: "recipe", .. }),
        "{error}"
    );
    let error = fails(&["train.epochs=1"], stratified(3));
    assert!(
        matches!(error, Error::CrossvalChanged { what: "division", .. }),
        "{error}"
    );
    let error = fails(
        &["data.validation_fraction=0", "data.validation=\"x.csv\""],
        stratified(3),
    );
    assert!(matches!(error, Error::HeldOutFile { .. }), "{error}");
    let error = fails(&[], stratified(1000));
    let division = gradus_data::Error::Division(SplitError::TooManyFolds {
        folds: 1000,
        needed: 1000,
        found: ROWS,
        unit: "rows",
    });
    assert_eq!(error.to_string(), division.to_string());
}
