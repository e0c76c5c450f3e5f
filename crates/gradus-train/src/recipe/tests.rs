use super::Recipe;
use crate::Error;
use crate::optimizers::OptimizerKind;
use std::path::Path;

const TEXT: &str = "[data]\ntrain = 'digits'\n\n[model]\nmodel_type = 'mlp'\nhidden_sizes = [16]\n";

fn with(more: &str) -> Result<Recipe, Error> {
    Recipe::parse(&format!("{TEXT}\n{more}"), &[])
}

#[test]
fn the_template_is_a_recipe_and_says_what_its_comments_say() {
    for name in Recipe::templates() {
        let recipe = Recipe::parse(Recipe::template(name).unwrap(), &[]).unwrap();
        assert!(matches!(
            recipe.optimizer.kind,
            OptimizerKind::Adam(_) | OptimizerKind::AdamW(_)
        ));
        let expected = match name {
            "finetune" => 2e-4,
            "regression" => 5e-3,
            "multilabel" => 3e-3,
            _ => 1e-3,
        };
        assert_eq!(recipe.learning_rate(), expected);
    }
}

#[test]
fn a_misspelt_key_gets_the_nearest_real_one_and_its_line() {
    let error = with("[train]\nepochs = 3\nlerning_rate = 0.1").unwrap_err();
    let message = error.to_string();
    assert_eq!(
        message.split(';').next().unwrap(),
        "recipe:10: [train] has no key `lerning_rate`, did you mean `learning_rate`?"
    );
}

#[test]
fn misspelt_keys_are_found_in_every_section() {
    for (text, key, suggestion) in [
        (
            "[train.early_stopping]\npatience = 1\nmin_dleta = 0.1",
            "min_dleta",
            "min_delta",
        ),
        (
            "[optimizer]\nname = 'sgd'\nmomentun = 0.9",
            "momentun",
            "momentum",
        ),
        (
            "[optimizer]\nname = 'sgd'\nweight_decay_scop = 'all'",
            "weight_decay_scop",
            "weight_decay_scope",
        ),
        (
            "[schedule]\nname = 'step'\nstep_size = 2\ngama = 0.5",
            "gama",
            "gamma",
        ),
        (
            "[schedule]\nname = 'cosine'\nwarmup_step = 5",
            "warmup_step",
            "warmup_steps",
        ),
    ] {
        match with(text).unwrap_err() {
            Error::UnknownKey(unknown) => {
                assert_eq!(
                    (unknown.key.as_str(), unknown.suggestion.as_deref()),
                    (key, Some(suggestion))
                );
                assert!(unknown.place.line.is_some(), "{key}");
            }
            other => panic!("{key}: {other}"),
        }
    }
}

#[test]
fn misspelt_keys_of_data_and_model_are_found_too() {
    for (text, key, suggestion) in [
        (
            TEXT.replace("[model]", "normalise = 'unit'\n[model]"),
            "normalise",
            "normalize",
        ),
        (
            TEXT.replace("hidden_sizes", "hiden_sizes"),
            "hiden_sizes",
            "hidden_sizes",
        ),
    ] {
        match Recipe::parse(&text, &[]).unwrap_err() {
            Error::UnknownKey(unknown) => {
                assert_eq!(
                    (unknown.key.as_str(), unknown.suggestion.as_deref()),
                    (key, Some(suggestion))
                );
            }
            other => panic!("{key}: {other}"),
        }
    }
}

#[test]
fn a_misspelt_name_or_section_gets_the_nearest_real_one() {
    let error = with("[optimizer]\nname = 'adamm'").unwrap_err();
    assert!(error.to_string().contains("did you mean `adam`?"), "{error}");
    let error = with("[schedul]\nname = 'cosine'").unwrap_err();
    assert!(error.to_string().contains("did you mean `schedule`?"), "{error}");
}

#[test]
fn overrides_are_checked_like_the_file() {
    let set = |text: &str| Recipe::parse(TEXT, &[text.to_owned()]);
    assert_eq!(set("train.learning_rate=0.05").unwrap().learning_rate(), 0.05);
    assert_eq!(set("train.learning_rate=1").unwrap().learning_rate(), 1.0);
    let error = set("train.learning_rte=0.05").unwrap_err();
    assert!(error.to_string().contains("learning_rate"), "{error}");
    let error = set("train.epochs=many").unwrap_err();
    assert!(error.to_string().contains("train.epochs"), "{error}");
}

#[test]
fn all_bad_settings_are_reported_at_once() {
    let error = with("[train]\nepochs = 0\nclip_norm = -1.0\n[optimizer]\nname = 'adam'\nbetas = [0.9, 1.0]")
        .unwrap_err();
    let message = error.to_string();
    for key in ["train.epochs", "train.clip_norm", "optimizer.betas"] {
        assert!(message.contains(key), "{message}");
    }
}

#[test]
fn gradient_descent_takes_the_whole_set_and_no_batch_size() {
    let recipe = with("[optimizer]\nname = 'gradient_descent'").unwrap();
    assert_eq!(recipe.batch_size(1234), 1234);
    let error = with("[train]\nbatch_size = 8\n[optimizer]\nname = 'gradient_descent'").unwrap_err();
    assert!(error.to_string().contains("train.batch_size"), "{error}");
}

#[test]
fn a_recipe_survives_toml_and_finds_its_data_from_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my.toml");
    let text = format!(
        "{TEXT}[schedule]\nname = 'cosine'\nwarmup_steps = 5\n[train]\nearly_stopping = {{ patience = 2 }}"
    );
    std::fs::write(&path, text).unwrap();
    let recipe = Recipe::load(&path, &[]).unwrap();
    let back = Recipe::parse(&recipe.to_toml().unwrap(), &[]).unwrap();
    let (task, expected) = (back.task, recipe.task.located(folder.path()));
    let classification = task.supervised().unwrap();
    assert_eq!(classification.data.train, folder.path().join("digits"));
    assert_eq!(
        (back.train, back.schedule, task),
        (recipe.train, recipe.schedule, expected)
    );
}

#[test]
fn broken_toml_and_missing_parts_say_where() {
    let error = Recipe::parse("[data]\ntrain = \n", &[]).unwrap_err();
    assert!(
        error.to_string().starts_with("recipe:2: not valid TOML"),
        "{error}"
    );
    let error = Recipe::parse("[data]\ntrain = 'x'", &[]).unwrap_err();
    assert!(
        matches!(error, Error::MissingSection { section: "model", .. }),
        "{error}"
    );
    let error = Recipe::load(Path::new("/nowhere/at/all.toml"), &[]).unwrap_err();
    assert!(error.to_string().contains("/nowhere/at/all.toml"), "{error}");
}

#[test]
fn an_unknown_template_names_those_there_are() {
    let error = Recipe::template("clasifier").unwrap_err();
    assert!(
        error.to_string().contains("did you mean `classifier`?"),
        "{error}"
    );
}

#[test]
fn a_value_of_the_wrong_type_names_its_key_and_line() {
    for (text, key) in [
        (
            "[optimizer]\nname = 'sgd'\nmomentum = 'much'",
            "optimizer.momentum",
        ),
        ("[schedule]\nname = 'step'\nstep_size = []", "schedule.step_size"),
        ("[train]\nepochs = 3\nseed = -1", "train.seed"),
        (
            "[optimizer]\nweight_decay_scope = 'matrixes'\nname = 'sgd'",
            "optimizer.weight_decay_scope",
        ),
    ] {
        let message = with(text).unwrap_err().to_string();
        let rest = message
            .strip_prefix("recipe:")
            .unwrap_or_else(|| panic!("{message}"));
        assert!(
            rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains(key),
            "{message}"
        );
    }
    let message = with("[schedule]\nname = 'step'").unwrap_err().to_string();
    assert!(
        message.contains("schedule") && message.contains("step_size"),
        "{message}"
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}", overrides in proptest::collection::vec("\\PC{0,30}", 0..3)) {
        let _ = Recipe::parse(&text, &overrides);
    }

    #[test]
    fn no_change_of_a_recipe_makes_the_reader_panic(
        at in 0usize..3000, removed in 0usize..40, inserted in "[\\[\\]a-z0-9_.='\"#\n-]{0,12}",
    ) {
        let mut text = Recipe::template("classifier").unwrap().to_owned();
        let end = |from: usize| (from..=text.len()).find(|&i| text.is_char_boundary(i)).unwrap_or(text.len());
        let range = end(at.min(text.len()))..end((at + removed).min(text.len()));
        text.replace_range(range, &inserted);
        let _ = Recipe::parse(&text, &[]);
    }
}
