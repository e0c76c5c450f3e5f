use std::fs;

use gradus_package::Error;
use gradus_package::foreign::gguf::{self, GgufHeader, GgufType};
use gradus_package::foreign::hugging_face::{self, HuggingFaceType};
use gradus_package::foreign::{BlockType, ForeignModel, ForeignTensor};
use gradus_tensor::Tensor;
use serde_json::{Value, json};

use super::{MODELS, converted_models, golden, original};

fn values(tensor: &ForeignTensor) -> Vec<f32> {
    tensor.to_f32().unwrap().to_vec::<f32>().unwrap()
}

/// Weights agree to `allowed`, names and shapes altogether.
fn assert_same(got: &ForeignModel, want: &ForeignModel, allowed: f32, which: &str) {
    let names = |model: &ForeignModel| -> Vec<String> {
        model
            .tensors
            .iter()
            .map(|tensor| tensor.name().to_owned())
            .collect()
    };
    assert_eq!(names(got), names(want), "{which}");
    for (got, want) in got.tensors.iter().zip(&want.tensors) {
        assert_eq!(got.shape(), want.shape(), "{which} {}", want.name());
        let worst = values(got)
            .iter()
            .zip(values(want))
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(worst <= allowed, "{which} {}: {worst}", want.name());
    }
}

/// f32 in bytes, to an accuracy of one in a million.
fn assert_close(bytes: [&[u8]; 2], which: &str) {
    let [got, want] = bytes.map(|bytes| {
        let words = bytes.as_chunks::<4>().0.iter();
        words.map(|&word| f32::from_le_bytes(word)).collect::<Vec<_>>()
    });
    assert_eq!(got.len(), want.len(), "{which}");
    for (got, want) in got.into_iter().zip(want) {
        assert!(
            (got - want).abs() <= 1e-6 * want.abs(),
            "{which}: {got}, not {want}"
        );
    }
}

#[test]
fn a_model_written_as_gguf_is_the_one_that_llama_cpp_writes() {
    let dir = tempfile::tempdir().unwrap();
    for name in converted_models() {
        let path = dir.path().join(format!("{name}.gguf"));
        gguf::write(&path, &original(name), GgufType::F32).unwrap();
        let (ours, theirs) = (
            fs::read(&path).unwrap(),
            fs::read(golden(&format!("foreign/gguf/{name}.gguf"))).unwrap(),
        );
        let (ours, theirs) = (
            (GgufHeader::parse(&ours).unwrap(), &ours),
            (GgufHeader::parse(&theirs).unwrap(), &theirs),
        );
        assert_eq!(ours.0.tensors.len(), theirs.0.tensors.len(), "{name}");
        for want in &theirs.0.tensors {
            let got = ours.0.tensors.iter().find(|tensor| tensor.name == want.name);
            let got = got.unwrap_or_else(|| panic!("{name} has no {}", want.name));
            assert_eq!(got.kind, want.kind, "{name} {}", want.name);
            let bytes = [&ours.1[got.bytes.clone()], &theirs.1[want.bytes.clone()]];
            match (name, want.name) {
                // Of Gemma 3's table the converter leaves out the rows that have no token.
                ("gemma3", "token_embd.weight") => assert!(bytes[0].starts_with(bytes[1])),
                // Powers in f32 are not the same in all libraries.
                (_, "rope_freqs.weight") => assert_close(bytes, name),
                _ => {
                    assert_eq!(got.shape, want.shape, "{name} {}", want.name);
                    assert_eq!(bytes[0], bytes[1], "{name} {}", want.name);
                }
            }
        }
        for (key, want) in theirs.0.metadata.iter() {
            let told = !key.starts_with("general.") && !key.starts_with("tokenizer.");
            if let (true, Some(got)) = (told, ours.0.metadata.get(key)) {
                assert_eq!(got, want, "{name} {key}");
            }
            let may_lack = ["general.", "tokenizer.", "llama.rope.scaling.attn_factor"];
            assert!(
                may_lack.iter().any(|prefix| key.starts_with(prefix)) || ours.0.metadata.get(key).is_some(),
                "{name} lacks {key}"
            );
        }
    }
}

#[test]
fn what_is_written_as_gguf_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    for name in MODELS {
        let path = dir.path().join(format!("{name}.gguf"));
        let model = original(name);
        gguf::write(&path, &model, GgufType::F32).unwrap();
        let read = ForeignModel::open(&path).unwrap();
        assert_same(
            &read,
            &model,
            if name.starts_with("gemma") { 2e-7 } else { 0.0 },
            name,
        );
        for key in [
            "sliding_window",
            "layer_types",
            "rms_norm_eps",
            "vocab_size",
            "tie_word_embeddings",
        ] {
            if let Some(want) = model.config.get(key) {
                // Layers that all see everything need not say so.
                let plain = |value: &Value| value == "full_attention";
                let implied = key == "layer_types" && want.as_array().unwrap().iter().all(plain);
                match read.config.get(key) {
                    Some(got) => assert_eq!(got, want, "{name} {key}"),
                    None => assert!(implied, "{name} lacks {key}"),
                }
            }
        }
        // Blocks are written as they are, and equal arguments give equal bytes.
        let again = dir.path().join("again.gguf");
        gguf::write(&again, &model, GgufType::F32).unwrap();
        assert_eq!(fs::read(&path).unwrap(), fs::read(&again).unwrap(), "{name}");
    }
    assert_eq!(
        ForeignModel::open(dir.path().join("mistral.gguf"))
            .unwrap()
            .config["model_type"],
        "mistral"
    );
}

/// A llama whose rows are whole blocks of 256.
fn wide_model() -> ForeignModel {
    let mut model = original("llama");
    let tensors = [
        ("model.embed_tokens.weight", vec![8, 256]),
        ("model.norm.weight", vec![256]),
        ("model.layers.0.self_attn.q_proj.weight", vec![256, 256]),
        ("model.layers.0.self_attn.k_proj.weight", vec![128, 256]),
        ("model.layers.0.self_attn.v_proj.weight", vec![128, 256]),
        ("model.layers.0.mlp.down_proj.weight", vec![256, 96]),
    ];
    let tensor = |(name, shape): (&str, Vec<usize>)| {
        let count = shape.iter().product::<usize>();
        let data: Vec<f32> = (0..count)
            .map(|i| ((i * 7919 % 1009) as f32 / 504.5 - 1.0) * 0.3)
            .collect();
        ForeignTensor::plain(name, Tensor::from_vec(data, &shape[..]).unwrap())
    };
    model.tensors = tensors.into_iter().map(tensor).collect();
    model.tensors.sort_by(|a, b| a.name().cmp(b.name()));
    model
}

#[test]
fn every_type_is_written_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let model = wide_model();
    // The largest error of a weight of at most 0.3, by the bits of a code.
    let bits = |kind: GgufType| match kind {
        GgufType::Held | GgufType::F32 => 0.0,
        GgufType::F16 => 2e-4,
        GgufType::Bf16 => 2e-3,
        GgufType::Q8_0 => 0.3 / 127.0,
        GgufType::Q6K => 0.3 / 16.0,
        GgufType::Q5_0 | GgufType::Q5_1 | GgufType::Q5KM => 0.3 / 10.0,
        GgufType::Q4_0 | GgufType::Q4_1 | GgufType::Q4KM => 0.3 / 5.0,
        GgufType::Q3KM => 0.3 / 2.5,
        GgufType::Q2K => 0.3,
    };
    for kind in GgufType::ALL {
        assert_eq!(GgufType::from_name(kind.name()), Some(kind));
        let path = dir.path().join("model.gguf");
        let written = gguf::write(&path, &model, kind).unwrap();
        assert_eq!(written.bytes, fs::metadata(&path).unwrap().len());
        let read = ForeignModel::open(&path).unwrap();
        assert_same(&read, &model, bits(kind), kind.name());
        // What is in blocks of the wanted type already keeps every bit.
        let again = dir.path().join("again.gguf");
        gguf::write(&again, &read, kind).unwrap();
        let read_again = ForeignModel::open(&again).unwrap();
        assert_same(&read_again, &read, 0.0, kind.name());
    }
    let q4 = dir.path().join("q4.gguf");
    let written = gguf::write(&q4, &model, GgufType::Q4KM).unwrap();
    let kind = |name: &str| written.tensors.iter().find(|(known, _)| known == name).unwrap().1;
    assert_eq!(kind("token_embd.weight"), "Q6_K");
    assert_eq!(kind("blk.0.attn_q.weight"), "Q4_K");
    assert_eq!(kind("blk.0.attn_v.weight"), "Q6_K");
    assert_eq!(kind("blk.0.ffn_down.weight"), "Q8_0");
    assert_eq!(kind("output_norm.weight"), "F32");
}

#[test]
fn tensors_get_the_types_that_llama_quantize_gives_them() {
    let expected: Value = serde_json::from_slice(&fs::read(golden("foreign/types.json")).unwrap()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for (which, cases) in expected.as_object().unwrap() {
        let mut model = original(if which.starts_with("gpt2") {
            "gpt2"
        } else {
            "llama"
        });
        model.config = cases["config"].clone();
        model.tensors = Vec::new();
        for (name, shape) in cases["shapes"].as_object().unwrap() {
            let shape: Vec<usize> = shape
                .as_array()
                .unwrap()
                .iter()
                .map(|n| n.as_u64().unwrap() as usize)
                .collect();
            let zeros = Tensor::zeros(&shape, gradus_tensor::DType::BF16);
            model.tensors.push(ForeignTensor::plain(name, zeros));
        }
        for (kind, types) in cases["types"].as_object().unwrap() {
            let kind = GgufType::from_name(kind).unwrap();
            let written = gguf::write(dir.path().join("m.gguf"), &model, kind).unwrap();
            for (name, got) in &written.tensors {
                assert_eq!(types[name], json!(got), "{which} {} {name}", kind.name());
            }
            assert_eq!(written.tensors.len(), types.as_object().unwrap().len());
        }
    }
}

#[test]
fn vocabularies_survive_the_way_there_and_back() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["gpt-2", "smollm", "llama-bpe", "qwen2", "spm"] {
        let mut model = wide_model();
        model.files = gguf::read_vocabulary(golden(&format!("foreign/vocabulary/{name}.gguf"))).unwrap();
        let tokenizer: Value = serde_json::from_slice(&model.files["tokenizer.json"]).unwrap();
        let rows = tokenizer["model"]["vocab"].as_object().unwrap().len();
        let embedding = Tensor::zeros([rows, 256], gradus_tensor::DType::F32);
        model.tensors[0] = ForeignTensor::plain("model.embed_tokens.weight", embedding);
        let path = dir.path().join("model.gguf");
        gguf::write(&path, &model, GgufType::Q8_0).unwrap();
        let back = gguf::read_vocabulary(&path).unwrap();
        let again: Value = serde_json::from_slice(&back["tokenizer.json"]).unwrap();
        for part in [
            "added_tokens",
            "normalizer",
            "pre_tokenizer",
            "post_processor",
            "decoder",
        ] {
            assert_eq!(again[part], tokenizer[part], "{name} {part}");
        }
        assert_eq!(again["model"]["vocab"], tokenizer["model"]["vocab"], "{name}");
        if name != "spm" {
            assert_eq!(again["model"]["merges"], tokenizer["model"]["merges"], "{name}");
        }
        let settings = |files: &gradus_package::ExtraFiles| -> Value {
            let mut settings: Value = serde_json::from_slice(&files["tokenizer_config.json"]).unwrap();
            settings.as_object_mut().unwrap().remove("model_max_length");
            settings
        };
        assert_eq!(settings(&back), settings(&model.files), "{name}");
    }
}

#[test]
fn a_folder_is_written_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut model = original("llama");
    model.files.insert("tokenizer.json".to_owned(), b"{}"[..].into());
    model
        .files
        .insert("1_Pooling/config.json".to_owned(), b"{}"[..].into());
    for (kind, dtype) in [
        (HuggingFaceType::Held, "float32"),
        (HuggingFaceType::Bf16, "bfloat16"),
        (HuggingFaceType::F16, "float16"),
    ] {
        let folder = dir.path().join(dtype);
        hugging_face::write(&folder, &model, kind).unwrap();
        let read = ForeignModel::open(&folder).unwrap();
        assert_same(
            &read,
            &model,
            if kind == HuggingFaceType::Held { 0.0 } else { 0.02 },
            dtype,
        );
        assert_eq!(read.config["torch_dtype"], dtype);
        assert_eq!(read.files, model.files);
        assert!(matches!(
            hugging_face::write(&folder, &model, kind),
            Err(Error::WouldReplace { .. })
        ));
    }
}

#[test]
fn quantised_weights_become_floats_in_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let quantised = ForeignModel::open(golden("foreign/gguf/llama-q8_0.gguf")).unwrap();
    let folder = dir.path().join("folder");
    hugging_face::write(&folder, &quantised, HuggingFaceType::F32).unwrap();
    assert_same(&ForeignModel::open(&folder).unwrap(), &quantised, 0.0, "f32");
    // GPT-2's matrices lie the other way round in transformers.
    let gpt2 = original("gpt2");
    let file = dir.path().join("gpt2.gguf");
    gguf::write(&file, &gpt2, GgufType::Q8_0).unwrap();
    let blocks = ForeignModel::open(&file).unwrap();
    let matrix = blocks.tensor("transformer.h.0.mlp.c_fc.weight").unwrap();
    assert_eq!(
        (matrix.block_type(), matrix.shape()),
        (Some(BlockType::Q8_0), &[128, 32][..])
    );
    let folder = dir.path().join("gpt2");
    hugging_face::write(&folder, &blocks, HuggingFaceType::F32).unwrap();
    assert_same(&ForeignModel::open(&folder).unwrap(), &gpt2, 0.01, "gpt2");
}

#[test]
fn quantised_models_live_in_packages() {
    use gradus_package::{CAUSAL_LM, Encoding, Lineage, Manifest, Package, PackageContents, Signature};
    let dir = tempfile::tempdir().unwrap();
    let model = ForeignModel::open(golden("foreign/gguf/llama-q8_0.gguf")).unwrap();
    let signature = Signature {
        inputs: Vec::new(),
        outputs: Vec::new(),
        labels: Vec::new(),
    };
    let contents = PackageContents {
        config: model.config_with_blocks(),
        tensors: model.named_tensors(),
        manifest: Manifest::new(CAUSAL_LM, signature, None, Lineage::by_this_build()),
        encoding: Encoding::Dense,
        files: model.files.clone(),
    };
    let folder = dir.path().join("model");
    Package::save(&folder, &contents).unwrap();
    let read = ForeignModel::open(&folder).unwrap();
    assert_same(&read, &model, 0.0, "package");
    assert_eq!(read.config, model.config);
    assert_eq!(read.files, model.files);
    let blocks = |model: &ForeignModel| {
        model
            .tensors
            .iter()
            .map(ForeignTensor::block_type)
            .collect::<Vec<_>>()
    };
    assert_eq!(blocks(&read), blocks(&model));
}
