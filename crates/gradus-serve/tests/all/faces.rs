//! Every way to ask gives the numbers that the predictor computes.

use base64::Engine;
use image::{ImageFormat, RgbImage};
use serde_json::{Value, json};
use std::io::Cursor;

use crate::support::{
    IMAGE_SHAPE, Server, label_package, picture_package, pixels, regression_package, table_package,
};

/// The same picture flat, as `[channels][height][width]` and as `[height][width][channels]`.
fn spellings(n: usize) -> [Value; 3] {
    let flat = pixels(n);
    let [channels, height, width] = IMAGE_SHAPE;
    let at = |c: usize, y: usize, x: usize| flat[(c * height + y) * width + x];
    let row = |c: usize, y: usize| -> Vec<u32> { (0..width).map(|x| at(c, y, x)).collect() };
    let planes: Vec<Vec<Vec<u32>>> = (0..channels)
        .map(|c| (0..height).map(|y| row(c, y)).collect())
        .collect();
    let pixel = |y: usize, x: usize| -> Vec<u32> { (0..channels).map(|c| at(c, y, x)).collect() };
    let interleaved: Vec<Vec<Vec<u32>>> = (0..height)
        .map(|y| (0..width).map(|x| pixel(y, x)).collect())
        .collect();
    [json!(flat), json!(planes), json!(interleaved)]
}

fn png(n: usize) -> Vec<u8> {
    let [_, height, width] = IMAGE_SHAPE;
    let flat = pixels(n);
    let picture = RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let at = |c: usize| flat[(c * height + y as usize) * width + x as usize] as u8;
        image::Rgb([at(0), at(1), at(2)])
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn b64(bytes: &[u8]) -> Value {
    json!({"b64": base64::engine::general_purpose::STANDARD.encode(bytes)})
}

#[test]
fn plain_row_and_column_formats_answer_alike() {
    let server = Server::of(&picture_package());
    let samples: Vec<Value> = (0..5).map(|n| json!(pixels(n))).collect();
    let expected = server.expected(&samples);
    assert!((expected[0].iter().sum::<f32>() - 1.0).abs() < 1e-6 && expected[0] != expected[1]);

    assert_eq!(
        server.rows("/predict", &json!({"input_data": samples}), "output_data"),
        expected
    );
    let row = json!({"signature_name": "serving_default", "instances": samples});
    for path in ["/v1/models/m:predict", "/v1/models/m/versions/1:predict"] {
        assert_eq!(server.rows(path, &row, "predictions"), expected);
        assert_eq!(
            server.rows(path, &json!({"inputs": samples}), "outputs"),
            expected
        );
        assert_eq!(
            server.rows(path, &json!({"inputs": {"input": samples}}), "outputs"),
            expected
        );
    }
    let named: Vec<Value> = samples.iter().map(|sample| json!({"input": sample})).collect();
    assert_eq!(
        server.rows(
            "/v1/models/m:predict",
            &json!({"instances": named}),
            "predictions"
        ),
        expected
    );
}

#[test]
fn pictures_may_be_nested_in_either_order_or_files() {
    let server = Server::of(&picture_package());
    for n in 0..3 {
        let [flat, planes, interleaved] = spellings(n);
        let expected = server.expected(std::slice::from_ref(&flat));
        for sample in [
            flat,
            planes,
            interleaved,
            b64(&png(n)),
            json!({"input": b64(&png(n))}),
        ] {
            let got = server.rows(
                "/v1/models/m:predict",
                &json!({"instances": [sample]}),
                "predictions",
            );
            assert_eq!(got, expected, "{sample}");
        }
    }
}

#[test]
fn floats_count_as_pixels_and_fields_may_come_in_any_order() {
    let server = Server::of(&picture_package());
    let sample: Vec<f32> = pixels(1).iter().map(|&p| p as f32 / 255.0 * 254.5).collect();
    let expected = server.expected(&[json!(sample)]);
    let body = format!(
        r#"{{"instances": [{}], "id": [1, {{}}], "signature_name": ""}}"#,
        json!(sample)
    );
    let reply = server.post("/v1/models/m:predict", &body);
    let rows: Vec<Vec<f32>> = serde_json::from_value(reply.json()["predictions"].clone()).unwrap();
    assert_eq!(rows, expected, "{}", reply.text);
}

#[test]
fn tables_take_arrays_objects_and_columns() {
    let server = Server::of(&table_package());
    let rows = [
        json!([1.5, "red"]),
        json!([null, "blue"]),
        json!(["3", "unheard of"]),
    ];
    let expected = server.expected(&rows);
    assert_ne!(expected[0], expected[1]);
    let objects = json!([
        {"size": 1.5, "colour": "red"},
        {"colour": "blue", "size": null},
        {"size": "3", "colour": "unheard of", "kind": "no"}
    ]);
    let columns = json!({"size": [1.5, null, "3"], "colour": ["red", "blue", "unheard of"]});
    assert_eq!(
        server.rows("/predict", &json!({"input_data": rows}), "output_data"),
        expected
    );
    let path = "/v1/models/m:predict";
    assert_eq!(
        server.rows(path, &json!({"instances": objects}), "predictions"),
        expected
    );
    assert_eq!(
        server.rows(path, &json!({"inputs": columns}), "outputs"),
        expected
    );
    assert_eq!(server.rows(path, &json!({"inputs": rows}), "outputs"), expected);
}

/// The rows that every face answers to the same samples.
fn every_face(server: &Server, rows: &Value, columns: &Value) -> Vec<Vec<f32>> {
    let path = "/v1/models/m:predict";
    let plain = server.rows("/predict", &json!({"input_data": rows}), "output_data");
    assert_eq!(
        server.rows(path, &json!({"instances": rows}), "predictions"),
        plain
    );
    assert_eq!(server.rows(path, &json!({"inputs": columns}), "outputs"), plain);
    plain
}

fn counted(server: &Server) -> Vec<String> {
    let text = server.get("/metrics").text;
    let lines = text
        .lines()
        .filter(|line| line.starts_with("gradus_predictions_total"));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_regression_answers_in_its_units() {
    let server = Server::of(&regression_package());
    let rows = json!([[1.5, "red"], {"size": 30.0, "colour": "blue", "price": 7}]);
    let columns = json!({"size": [1.5, 30.0], "colour": ["red", "blue"]});
    let answers = every_face(&server, &rows, &columns);
    // What the model puts out is standardised; its units are those of the preparation.
    let samples = rows.as_array().unwrap();
    let inputs = server.predictor.encode_json(samples).unwrap();
    let outputs = server
        .predictor
        .predict_batch(&inputs)
        .unwrap()
        .to_vec::<f32>()
        .unwrap();
    for (row, output) in answers.iter().zip(outputs.chunks_exact(2)) {
        let expected = [output[0] * 50.0 + 1000.0, output[1] * 0.25 - 3.0];
        assert!(
            row.iter()
                .zip(expected)
                .all(|(got, expected)| (got - expected).abs() <= 1e-4 * expected.abs()),
            "{row:?} {expected:?}"
        );
    }
    let index = server.get("/").json();
    assert_eq!(
        (&index["task"], &index["labels"]),
        (&json!("regression"), &json!(["price", "age"]))
    );
    let metadata = server.get("/v1/models/m/metadata").json();
    let signature = &metadata["metadata"]["signature_def"]["signature_def"]["serving_default"];
    assert_eq!(
        signature["outputs"]["values"]["tensor_shape"]["dim"][1]["size"],
        "2"
    );
    assert_eq!(metadata["metadata"]["gradus"]["task"], "regression");
    assert_eq!(
        counted(&server),
        [r#"gradus_predictions_total{class="",model="m",version="1"} 12"#]
    );
}

#[test]
fn labels_have_a_probability_each() {
    let server = Server::of(&label_package());
    let rows = json!([[1.5, "red"], [90.0, "blue"], [-90.0, null]]);
    let columns = json!({"size": [1.5, 90.0, -90.0], "colour": ["red", "blue", null]});
    let answers = every_face(&server, &rows, &columns);
    let inputs = server.predictor.encode_json(rows.as_array().unwrap()).unwrap();
    let logits = server
        .predictor
        .predict_batch(&inputs)
        .unwrap()
        .to_vec::<f32>()
        .unwrap();
    let mut applied = [0; 3];
    for (row, logits) in answers.iter().zip(logits.chunks_exact(3)) {
        for ((probability, logit), applied) in row.iter().zip(logits).zip(&mut applied) {
            assert!((probability - 1.0 / (1.0 + (-logit).exp())).abs() < 1e-6);
            *applied += 3 * usize::from(*probability >= 0.5);
        }
    }
    assert!(applied.iter().sum::<usize>() > 0, "{answers:?}");
    let names = ["warm", "loud", "new"];
    for (name, applied) in names.iter().zip(applied) {
        let line = format!(r#"gradus_predictions_total{{class="{name}",model="m",version="1"}} {applied}"#);
        assert!(
            counted(&server).contains(&line),
            "no {line} in {:?}",
            counted(&server)
        );
    }
    assert_eq!(server.get("/").json()["task"], "multilabel");
}

#[test]
fn status_and_metadata_are_tensorflow_servings() {
    let server = Server::of(&picture_package());
    let status = server.get("/v1/models/m").json();
    let available = json!({"model_version_status": [
        {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    ]});
    assert_eq!(status, available);
    assert_eq!(server.get("/v1/models/m/versions/1").json(), available);

    let metadata = server.get("/v1/models/m/metadata").json();
    assert_eq!(metadata, server.get("/v1/models/m/versions/1/metadata").json());
    assert_eq!(
        metadata["model_spec"],
        json!({"name": "m", "signature_name": "", "version": "1"})
    );
    let signature = &metadata["metadata"]["signature_def"]["signature_def"]["serving_default"];
    let sizes: Vec<&Value> = signature["inputs"]["input"]["tensor_shape"]["dim"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| &d["size"])
        .collect();
    assert_eq!(sizes, ["-1", "3", "4", "5"]);
    assert_eq!(signature["outputs"]["probabilities"]["dtype"], "DT_FLOAT");
    assert_eq!(
        metadata["metadata"]["gradus"]["labels"],
        json!(["ant", "bee", "cat"])
    );

    let table = Server::of(&table_package());
    let metadata = table.get("/v1/models/m/metadata").json();
    let inputs = &metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"];
    assert_eq!(
        (&inputs["size"]["dtype"], &inputs["colour"]["dtype"]),
        (&json!("DT_FLOAT"), &json!("DT_STRING"))
    );
}

#[test]
fn metrics_count_requests_and_classes() {
    let server = Server::of(&picture_package());
    let samples: Vec<Value> = (0..4).map(|n| json!(pixels(n))).collect();
    server.rows("/predict", &json!({"input_data": samples}), "output_data");
    server.post("/predict", "{}").error(400);
    server.get("/nowhere/at/all").error(404);

    let text = server.get("/metrics").text;
    let has = |line: &str| assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    has(r#"gradus_requests_total{code="200",route="/predict"} 1"#);
    has(r#"gradus_requests_total{code="400",route="/predict"} 1"#);
    has(r#"gradus_requests_total{code="404",route="other"} 1"#);
    has(r#"gradus_request_duration_seconds_count{code="200",route="/predict"} 1"#);
    assert!(
        text.contains(r#"gradus_model_info{created_by="gradus "#),
        "{text}"
    );
    let counted: u64 = text
        .lines()
        .filter(|line| line.starts_with("gradus_predictions_total"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(counted, 4);
    assert_eq!(server.get("/healthz").text, "ok\n");
    assert_eq!(server.get("/readyz").text, "ready\n");
}
