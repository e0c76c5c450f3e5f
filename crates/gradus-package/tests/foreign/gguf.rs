use std::fs;

use gradus_package::foreign::gguf::{GgufHeader, GgufTensorType, GgufValue};
use gradus_package::foreign::{BlockType, ForeignModel};
use gradus_tensor::DType;
use serde_json::{Value, json};

use super::{converted_models, golden, original};

fn converted(name: &str) -> ForeignModel {
    ForeignModel::open(golden(&format!("foreign/gguf/{name}.gguf"))).unwrap()
}

#[test]
fn converted_models_have_the_weights_they_were_made_of() {
    for name in converted_models() {
        let (original, read) = (original(name), converted(name));
        let names = |model: &ForeignModel| -> Vec<String> {
            model
                .tensors
                .iter()
                .map(|tensor| tensor.name().to_owned())
                .collect()
        };
        assert_eq!(names(&read), names(&original), "{name}");
        for (got, want) in read.tensors.iter().zip(&original.tensors) {
            // Of Gemma 3's table the converter leaves out the rows that have no token.
            let is_cut = name == "gemma3" && want.name() == "model.embed_tokens.weight";
            assert!(is_cut || got.shape() == want.shape(), "{name} {}", want.name());
            let (got_values, want_values) = (
                got.tensor().to_vec::<f32>().unwrap(),
                want.to_f32().unwrap().to_vec::<f32>().unwrap(),
            );
            // Gemma's gains have had 1 added and taken away again.
            let allowed = if name.starts_with("gemma") { 2e-7 } else { 0.0 };
            let worst = got_values
                .iter()
                .zip(&want_values)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(worst <= allowed, "{name} {}: {worst}", want.name());
        }
    }
}

#[test]
fn converted_bert_lacks_only_its_pooler() {
    let (original, read) = (original("bert"), converted("bert"));
    for want in original
        .tensors
        .iter()
        .filter(|tensor| !tensor.name().starts_with("pooler."))
    {
        let got = read
            .tensor(want.name())
            .unwrap_or_else(|| panic!("{} is missing", want.name()));
        assert_eq!(
            got.tensor().to_vec::<f32>().unwrap(),
            want.tensor().to_vec::<f32>().unwrap(),
            "{}",
            want.name()
        );
    }
    assert_eq!(read.config["type_vocab_size"], 2);
}

#[test]
fn configs_say_what_the_originals_say() {
    let same = [
        "model_type",
        "architectures",
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "max_position_embeddings",
        "rms_norm_eps",
        "tie_word_embeddings",
        "attention_bias",
        "mlp_bias",
        "hidden_act",
        "hidden_activation",
        "query_pre_attn_scalar",
        "attn_logit_softcapping",
        "final_logit_softcapping",
        "layer_types",
        "n_embd",
        "n_head",
        "n_layer",
        "n_positions",
        "layer_norm_epsilon",
        "activation_function",
    ];
    for name in converted_models() {
        let (original, read) = (original(name).config, converted(name).config);
        for key in same {
            // Mistral's window is not in the file: llama.cpp has none for it. Nor is Gemma's scale.
            let untold = match name {
                "mistral" => matches!(key, "model_type" | "architectures"),
                "gemma2" => key == "query_pre_attn_scalar",
                "gemma3" => matches!(key, "query_pre_attn_scalar" | "layer_types" | "vocab_size"),
                _ => false,
            };
            if let (Some(want), Some(got), false) = (original.get(key), read.get(key), untold) {
                assert_eq!(got, want, "{name} {key}");
            }
        }
    }
}

#[test]
fn scaled_rotations_are_told_in_the_words_of_transformers() {
    let scaling = |name: &str| converted(name).config["rope_scaling"].clone();
    assert_eq!(scaling("llama"), Value::Null);
    assert_eq!(
        scaling("llama-linear"),
        json!({ "rope_type": "linear", "factor": 4.0 })
    );
    let yarn = scaling("llama-yarn");
    assert_eq!(
        yarn,
        json!({
            "rope_type": "yarn",
            "factor": 8.0,
            "original_max_position_embeddings": 8,
            "beta_fast": 4.0,
            "beta_slow": 0.5,
        })
    );
    // The factors of a llama3 scaling that no published model has, each as it is.
    let factors = scaling("llama-llama3");
    assert_eq!(
        (&factors["rope_type"], &factors["attention_factor"]),
        (&json!("longrope"), &json!(1.0))
    );
    assert_eq!(factors["long_factor"], factors["short_factor"]);
    assert_eq!(factors["long_factor"].as_array().unwrap().len(), 8);
    assert_eq!(converted("llama").config["rope_theta"], 1000.0);
}

#[test]
fn quantised_rows_are_permuted_whole() {
    let (whole, quantised) = (converted("llama"), converted("llama-q8_0"));
    let mut blocks = 0;
    for tensor in &quantised.tensors {
        let want = whole
            .tensor(tensor.name())
            .unwrap()
            .tensor()
            .to_vec::<f32>()
            .unwrap();
        let got = tensor.to_f32().unwrap();
        assert_eq!(got.shape(), whole.tensor(tensor.name()).unwrap().shape());
        let largest = want.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
        let got = got.to_vec::<f32>().unwrap();
        let worst = got
            .iter()
            .zip(&want)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        // Half a step of 1/127 of the largest weight of a block.
        assert!(
            worst <= largest / 127.0 * 0.51,
            "{}: {worst} of {largest}",
            tensor.name()
        );
        if let Some(kind) = tensor.block_type() {
            assert_eq!(kind, BlockType::Q8_0);
            assert_eq!(tensor.tensor().dtype(), DType::U8);
            blocks += 1;
        }
    }
    assert!(blocks > 10, "{blocks}");
    let config = quantised.config_with_blocks();
    let listed = &config["quantization_config"];
    assert_eq!(listed["quant_method"], "ggml");
    assert_eq!(
        listed["tensors"]["model.layers.0.self_attn.q_proj.weight"],
        "q8_0"
    );
    assert_eq!(listed["tensors"].as_object().unwrap().len(), blocks);
}

#[test]
fn every_type_of_value_and_tensor_is_read() {
    let bytes = fs::read(golden("foreign/gguf/values.gguf")).unwrap();
    let header = GgufHeader::parse(&bytes).unwrap();
    let value = |name: &str| header.metadata.get(&format!("test.{name}")).unwrap().clone();
    assert_eq!(value("u8"), GgufValue::Unsigned(200));
    assert_eq!(value("i8"), GgufValue::Signed(-100));
    assert_eq!(value("u16"), GgufValue::Unsigned(60000));
    assert_eq!(value("i16"), GgufValue::Signed(-30000));
    assert_eq!(value("u32"), GgufValue::Unsigned(4_000_000_000));
    assert_eq!(value("i32"), GgufValue::Signed(-2_000_000_000));
    assert_eq!(value("u64"), GgufValue::Unsigned((1 << 63) + 5));
    assert_eq!(value("i64"), GgufValue::Signed(-(1 << 62)));
    assert_eq!(value("f32").as_f64(), Some(1e-5));
    assert_eq!(value("f64"), GgufValue::F64(0.1));
    assert_eq!(value("bool"), GgufValue::Bool(true));
    assert_eq!(value("text"), GgufValue::Text("grüß".as_bytes()));
    assert_eq!(value("texts"), GgufValue::Texts(vec![b"a", b"", "ü".as_bytes()]));
    let numbers = |name: &str| match value(name) {
        GgufValue::Numbers(numbers) => numbers.iter().collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(numbers("ints"), [1, -2, 3].map(GgufValue::Signed));
    assert_eq!(numbers("floats"), [0.5, -1.5].map(GgufValue::F32));
    assert_eq!(numbers("bools"), [true, false].map(GgufValue::Bool));
    let tensors: Vec<_> = header
        .tensors
        .iter()
        .map(|tensor| (tensor.name, &tensor.shape[..], tensor.kind))
        .collect();
    let plain = GgufTensorType::Plain;
    assert_eq!(
        tensors,
        [
            ("f32", &[2, 3, 32][..], plain(DType::F32)),
            ("f16", &[3, 32], plain(DType::F16)),
            ("f64", &[32], plain(DType::F64)),
            ("i8", &[3], plain(DType::I8)),
            ("i16", &[3], GgufTensorType::I16),
            ("i32", &[3], GgufTensorType::I32),
            ("i64", &[3], plain(DType::I64)),
            ("bf16", &[2, 3, 32], plain(DType::BF16)),
            ("q4_0", &[2, 3, 32], GgufTensorType::Blocks(BlockType::Q4_0)),
            ("q5_1", &[2, 3, 32], GgufTensorType::Blocks(BlockType::Q5_1)),
            ("q8_0", &[2, 3, 32], GgufTensorType::Blocks(BlockType::Q8_0)),
        ]
    );
    assert!(header.tensors.iter().all(|tensor| tensor.bytes.start % 64 == 0));
    let i16 = &header.tensors[4].bytes;
    assert_eq!(&bytes[i16.clone()], [253, 255, 4, 0, 5, 0]);
}
