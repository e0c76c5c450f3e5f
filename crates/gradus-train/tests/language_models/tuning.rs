//! Models that are there already.

use crate::common::{assert_same, comparable_files, parse, run, write_text};
use gradus_evaluate::language_model::LanguageModel;
use gradus_nn::Layer;
use gradus_nn::families::transformer::{Transformer, WeightType};
use gradus_tensor::{Tensor, no_grad};
use gradus_train::lora::Adapter;
use gradus_train::{Recipe, StopReason};
use std::path::Path;

/// A small Llama, trained a little, in `folder/base/model`, and conversations in `folder/chat.jsonl`.
fn prepare(folder: &Path) {
    write_text(folder);
    let text = format!(
        "[data]\ntext = ['{}']\ntokenizer = 'characters'\n[model]\nmodel_type = 'llama'\nhidden_size = 32\n\
         intermediate_size = 48\nnum_hidden_layers = 2\nnum_attention_heads = 4\nnum_key_value_heads = 2\n\
         max_position_embeddings = 192\n[train]\nmax_steps = 5\nbatch_size = 2\nblock_size = 32",
        folder.join("text.txt").display()
    );
    run(&Recipe::parse(&text, &[]).unwrap(), &folder.join("base"), None);
    let lines = |range: std::ops::Range<u32>| -> String {
        let line = |n: u32| {
            format!(
                "{{\"messages\": [{{\"role\": \"user\", \"content\": \"say {n}\"}}, {{\"role\": \"assistant\", \"content\": \"{n}!\"}}]}}\n"
            )
        };
        range.map(line).collect()
    };
    std::fs::write(folder.join("chat.jsonl"), lines(0..40)).unwrap();
    std::fs::write(folder.join("heldout.jsonl"), lines(40..50)).unwrap();
}

fn recipe(folder: &Path, more: &[&str]) -> Recipe {
    let chat = format!("data.chat={}", folder.join("chat.jsonl").display());
    let held_out = format!("data.validation={}", folder.join("heldout.jsonl").display());
    let model = format!("model.path={}", folder.join("base").display());
    let base = [
        held_out.as_str(),
        model.as_str(),
        "train.block_size=160",
        "train.batch_size=2",
        "train.epochs=2",
        "train.precision=f32",
        "train.learning_rate=0.01",
        "train.keep_last=1",
        "train.log_every_steps=2",
    ];
    parse("finetune", chat, &base, more)
}

fn logits(model: &Transformer) -> Vec<f32> {
    let _no_grad = no_grad();
    gradus_nn::Module::eval(model);
    let ids = Tensor::from_vec((0..24i64).map(|index| index * 3 % 90).collect(), [1, 24]).unwrap();
    model.forward(&ids).unwrap().to_vec::<f32>().unwrap()
}

#[test]
fn adapters_learn_resume_to_the_same_bytes_and_load_unmerged_or_merged() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let recipe = recipe(
        folder.path(),
        &["model.lora={rank=4, alpha=8.0, dropout=0.1, targets=['q_proj', 'v_proj', 'down_proj']}"],
    );
    let place = |name: &str| folder.path().join(name);
    let whole = run(&recipe, &place("whole"), None);
    assert_eq!(whole.reason, StopReason::Completed);
    for stop in [1, 3] {
        run(&recipe, &place("cut"), Some(stop));
    }
    run(&recipe, &place("cut"), None);
    let files = |name: &str| comparable_files(&place(name), &["model", "adapter", "checkpoints"]);
    assert_same(&files("cut"), &files("whole"), "adapters");

    let lines = gradus_package::run::read_metrics(&place("whole").join("metrics.jsonl")).unwrap();
    let held_out: Vec<f64> = lines
        .iter()
        .filter_map(|line| line.get("validation_loss")?.as_f64())
        .collect();
    assert!(held_out[1] < held_out[0], "{held_out:?}");

    let open = |name: &str| LanguageModel::open(place(name), WeightType::F32).unwrap();
    let (base, tuned) = (open("base"), open("whole"));
    let before = logits(base.model());
    let adapter = Adapter::load(base.model(), &place("whole").join("adapter")).unwrap();
    assert_eq!(adapter.config().scaling(), 2.0);
    let unmerged = logits(base.model());
    base.model().merge_lora().unwrap();
    let merged = logits(base.model());
    let most = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    assert!(most(&before, &unmerged) > 1e-2, "the adapters changed nothing");
    assert!(most(&merged, &unmerged) < 1e-4, "{}", most(&merged, &unmerged));
    assert!(most(&merged, &logits(tuned.model())) < 1e-5);
}

#[test]
fn adapters_are_written_as_peft_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let recipe = recipe(
        folder.path(),
        &["train.max_steps=1", "model.lora={targets=['q_proj']}"],
    );
    run(&recipe, &folder.path().join("run"), None);
    let adapter = folder.path().join("run/adapter");
    let config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(adapter.join("adapter_config.json")).unwrap()).unwrap();
    assert_eq!(config["peft_type"], "LORA");
    assert_eq!(
        (config["r"].as_u64(), config["lora_alpha"].as_f64()),
        (Some(8), Some(16.0))
    );
    assert_eq!(config["target_modules"], serde_json::json!(["q_proj"]));
    let weights =
        gradus_package::safetensors::read_safetensors(&adapter.join("adapter_model.safetensors")).unwrap();
    let mut shapes: Vec<(String, Vec<usize>)> = weights
        .tensors
        .iter()
        .map(|(name, tensor)| (name.clone(), tensor.shape().to_vec()))
        .collect();
    shapes.sort();
    let name = |layer: usize, part: &str| {
        format!("base_model.model.model.layers.{layer}.self_attn.q_proj.lora_{part}.weight")
    };
    let expected = [
        (name(0, "A"), vec![8, 32]),
        (name(0, "B"), vec![32, 8]),
        (name(1, "A"), vec![8, 32]),
        (name(1, "B"), vec![32, 8]),
    ];
    assert_eq!(shapes, expected);
}

#[test]
fn all_weights_can_be_tuned() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let chat = folder.path().join("chat.jsonl");
    let text = format!(
        "[data]\nchat = '{}'\npacking = 'padded'\n[model]\nmodel_type = 'pretrained'\npath = '{}'\n[train]\nepochs = 2\n\
         batch_size = 8\nblock_size = 128\nlearning_rate = 0.01\nlog_every_steps = 1",
        chat.display(),
        folder.path().join("base").display()
    );
    let path = folder.path().join("run");
    let outcome = run(&Recipe::parse(&text, &[]).unwrap(), &path, None);
    assert_eq!((outcome.reason, outcome.step), (StopReason::Completed, 10));
    let lines = gradus_package::run::read_metrics(&path.join("metrics.jsonl")).unwrap();
    let losses: Vec<f64> = lines
        .iter()
        .filter_map(|line| line.get("train_loss")?.as_f64())
        .collect();
    assert!(losses[1] < losses[0], "{losses:?}");
    assert!(!path.join("adapter").exists());
    assert!(LanguageModel::open(&path, WeightType::F32).is_ok());
}
