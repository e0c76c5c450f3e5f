//! What a package remembers of how its data were divided, and what it refuses to be scored on.

use crate::common::recipe;
use gradus_data::{Dataset, Split, load_labelled};
use gradus_evaluate::trained_rows::{TOLERATED_SHARE, TrainedRows, check_unseen, recorded_part};
use gradus_evaluate::{Error, Predictor};
use gradus_package::Package;
use gradus_train::training::Silent;
use gradus_train::{Recipe, TrainOptions, TrainingData, train};
use std::path::{Path, PathBuf};

/// A table in which each row is another.
fn table(folder: &Path) -> PathBuf {
    let lines: String = (0..200)
        .map(|row| format!("{},{},c{}\n", row * row % 997, row as f64 / 7.0, row % 2))
        .collect();
    let path = folder.join("t.csv");
    std::fs::write(&path, format!("x,y,class\n{lines}")).unwrap();
    path
}

fn split_recipe(table: &Path) -> Recipe {
    let text = format!(
        "[data]\ntrain = {:?}\nlabel = \"class\"\n[data.split]\ntrain = 0.7\nvalidation = 0.1\ntest = 0.2\nseed = 9\n\
         [model]\nmodel_type = \"mlp\"\nhidden_sizes = [4]\n[train]\nepochs = 1\n",
        table.display().to_string()
    );
    Recipe::parse(&text, &[]).unwrap()
}

fn package(recipe: &Recipe, folder: &Path) -> Package {
    let run = folder.join("run");
    train(recipe, &TrainOptions::new(&run), &mut Silent).unwrap();
    Package::open(run.join("model")).unwrap()
}

fn read(package: &Package, path: &Path) -> Dataset {
    let predictor = Predictor::from_package(package).unwrap();
    load_labelled(path, Split::Test, predictor.preprocessing(), predictor.labels()).unwrap()
}

#[test]
fn the_parts_of_a_recipes_split_are_found_again_in_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = table(folder.path());
    let recipe = split_recipe(&path);
    let package = package(&recipe, folder.path());
    let record = package.manifest().lineage.split.as_ref().unwrap();
    assert_eq!((record.train.rows, record.test.as_ref().unwrap().rows), (140, 40));
    let whole = read(&package, &path);
    let data = TrainingData::load(&recipe).unwrap();
    let parts = [
        (Split::Train, Some(data.train)),
        (Split::Validation, data.validation),
        (Split::Test, data.test),
    ];
    for (split, expected) in parts {
        let found = recorded_part(&package, &whole, &path, split).unwrap().unwrap();
        assert_eq!(found.dataset.fingerprint(), expected.unwrap().fingerprint());
        assert_eq!(found.rows.len(), found.dataset.len());
    }
    let metric = &package.manifest().metrics[0];
    assert_eq!((metric.split.as_str(), metric.n), ("test", 40));

    // The cells differ: these are other data, in which nobody knows the parts.
    let text = std::fs::read_to_string(&path)
        .unwrap()
        .replace(",c", "5,c")
        .replace("y5,class", "y,class");
    let other = folder.path().join("other.csv");
    std::fs::write(&other, text).unwrap();
    assert!(
        recorded_part(&package, &read(&package, &other), &other, Split::Test)
            .unwrap()
            .is_none()
    );
}

#[test]
fn rows_that_were_trained_on_are_refused_and_new_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = table(folder.path());
    let recipe = split_recipe(&path);
    let package = package(&recipe, folder.path());
    let data = TrainingData::load(&recipe).unwrap();
    let refused = |dataset: &Dataset| match check_unseen(&package, dataset) {
        Err(Error::TrainedOn { known, rows, .. }) => Some((known, rows)),
        Ok(_) => None,
        Err(other) => panic!("{other}"),
    };
    assert_eq!(refused(&data.train), Some((140, 140)));
    assert_eq!(refused(&read(&package, &path)), Some((140, 200)));
    assert_eq!(refused(data.test.as_ref().unwrap()), None);
    // What is tolerated and one row are borne, a row more is not.
    let whole = read(&package, &path);
    let hashes = whole.sample_hashes();
    let trained = data.train.sample_hashes();
    let (known, new): (Vec<usize>, Vec<usize>) = (0..200).partition(|&row| trained.contains(&hashes[row]));
    let mixed = |count: usize| {
        whole
            .subset(&[&known[..count], &new[..50 - count]].concat())
            .unwrap()
    };
    let borne = (50.0 * TOLERATED_SHARE) as usize + 1;
    assert_eq!(refused(&mixed(borne)), None);
    assert_eq!(refused(&mixed(borne + 1)), Some((borne + 1, 50)));
}

#[test]
fn rows_that_repeat_by_chance_are_no_reason_to_refuse() {
    let folder = tempfile::tempdir().unwrap();
    // Twelve different rows, some hundred times over.
    let lines: String = (0..300)
        .map(|row| format!("{},c{}\n", row % 4, row % 3 % 2))
        .collect();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, format!("x,class\n{lines}")).unwrap();
    let recipe = split_recipe(&path);
    let package = package(&recipe, folder.path());
    let test = TrainingData::load(&recipe).unwrap().test.unwrap();
    let known = check_unseen(&package, &test).unwrap().unwrap();
    assert_eq!(known.rows, 60);
    assert!(known.known > 50 && known.expected_share > 0.9, "{known:?}");
    assert!(check_unseen(&package, &TrainingData::load(&recipe).unwrap().train).is_err());
}

#[test]
fn a_million_trained_rows_would_take_four_bytes_each() {
    let recipe = recipe(&[]);
    let data = TrainingData::load(&recipe).unwrap();
    assert_eq!(
        TrainedRows::new(&data.train).to_bytes().len(),
        4 * data.train.len()
    );
}
