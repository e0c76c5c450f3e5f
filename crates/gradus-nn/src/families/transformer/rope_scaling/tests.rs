use super::*;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    config: Map<String, Value>,
    local: bool,
    seq_len: usize,
    inverse: Vec<f64>,
    attention_scaling: f64,
}

fn size(config: &Map<String, Value>, key: &str) -> usize {
    config[key].as_u64().unwrap() as usize
}

#[test]
fn frequencies_equal_those_of_transformers() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/rope.json");
    let golden: Golden = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(!golden.cases.is_empty());
    for case in golden.cases {
        let (head_dim, most) = (
            size(&case.config, "head_dim"),
            size(&case.config, "max_position_embeddings"),
        );
        let rope = match case.local {
            true => RopeParameters::local_from_huggingface(&case.config, head_dim, most)
                .unwrap()
                .unwrap(),
            false => RopeParameters::from_huggingface(&case.config, head_dim, most).unwrap(),
        };
        let got = rope.frequencies(case.seq_len);
        assert_eq!(got.inverse.len(), case.inverse.len(), "{}", case.name);
        assert!(
            (got.attention_scaling - case.attention_scaling).abs() < 1e-9,
            "{}",
            case.name
        );
        for (got, want) in got.inverse.iter().zip(&case.inverse) {
            // Transformers computes in f32; its powers are good to a few units in the last place.
            assert!((got - want).abs() <= 1e-6 * want, "{}: {got} {want}", case.name);
        }
    }
}

fn refused(config: Value) -> RopeProblem {
    RopeParameters::from_huggingface(config.as_object().unwrap(), 8, 100).unwrap_err()
}

#[test]
fn mistakes_are_named() {
    let scaling = |scaling: Value| serde_json::json!({ "rope_scaling": scaling });
    for (config, part) in [
        (scaling(serde_json::json!({"type": "magic"})), "magic"),
        (
            scaling(serde_json::json!({"type": "linear"})),
            "factor is missing",
        ),
        (
            scaling(serde_json::json!({"type": "linear", "factor": 0.0})),
            "factor is 0",
        ),
        (
            scaling(
                serde_json::json!({"type": "longrope", "short_factor": [1.0], "long_factor": [1.0, 1.0, 1.0, 1.0]}),
            ),
            "short_factor has 1",
        ),
        (
            scaling(
                serde_json::json!({"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 1}),
            ),
            "high_freq_factor 1",
        ),
        (
            scaling(serde_json::json!({"rope_type": "linear", "factor": "2"})),
            "invalid type",
        ),
        (scaling(serde_json::json!([1])), "[1]"),
        (
            serde_json::json!({"partial_rotary_factor": 2.0}),
            "partial_rotary_factor 2",
        ),
        (serde_json::json!({"rope_theta": -1.0}), "rope_theta is -1"),
    ] {
        let problem = refused(config);
        assert!(problem.to_string().contains(part), "{problem}");
    }
}

#[test]
fn tables_change_with_the_regime_alone() {
    let long = LongRope {
        short_factor: vec![1.0, 2.0],
        long_factor: vec![4.0, 8.0],
        original_max_position_embeddings: 10.0,
        attention_factor: 1.5,
    };
    let parameters = RopeParameters {
        scaling: RopeScaling::LongRope(long),
        ..RopeParameters::unscaled(100.0, 4)
    };
    assert_eq!(parameters.frequencies(10).inverse, [1.0, 0.05]);
    assert_eq!(parameters.frequencies(11).inverse, [0.25, 0.0125]);
    let tables = RopeTables::new(parameters).unwrap();
    let angle = |seq_len: usize| format!("{:?}", tables.for_length(seq_len).unwrap());
    assert_eq!(angle(1), angle(10));
    assert_ne!(angle(10), angle(11));
    assert_eq!(angle(3), angle(10));
}
