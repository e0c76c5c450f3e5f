//! Requests that are wrong: a status, and a message that names the field and what was expected.

use serde_json::json;

use crate::support::{PIXELS, Server, picture_package, pixels, table_package};

/// Body, status, and a part of the message.
type Refusal<'a> = (&'a str, String, u16, &'a str);

fn check(server: &Server, refusals: &[Refusal]) {
    for (path, body, status, part) in refusals {
        let message = server.post(path, body).error(*status);
        let start: String = body.chars().take(200).collect();
        assert!(message.contains(part), "{start} to {path}: {message}");
    }
    let sample = server.predictor.preprocessing().sample_len();
    assert!(sample > 0);
    assert_eq!(server.get("/healthz").status, 200, "it lives on");
}

const PLAIN: &str = "/predict";
const TENSORFLOW: &str = "/v1/models/m:predict";

#[test]
fn bodies_that_are_no_requests() {
    let server = Server::of(&picture_package());
    let nested = "[".repeat(100_000);
    check(
        &server,
        &[
            (PLAIN, String::new(), 400, "not valid JSON"),
            (PLAIN, "{".to_owned(), 400, "not valid JSON"),
            (
                PLAIN,
                r#"{"input_data": [[1, 2"#.to_owned(),
                400,
                "not valid JSON",
            ),
            (PLAIN, r#"{"input_data": [[0]]} trailing"#.to_owned(), 400, ""),
            (PLAIN, "\u{0}\u{1}".to_owned(), 400, "not valid JSON"),
            (PLAIN, nested.clone(), 400, ""),
            (PLAIN, format!("{{\"input_data\": {nested}"), 400, ""),
            (PLAIN, format!("{{\"other\": {nested}"), 400, "not valid JSON"),
            (
                PLAIN,
                "[1]".to_owned(),
                400,
                "expected an object with `input_data`",
            ),
            (
                PLAIN,
                r#"{"instances": [], "x": 1}"#.to_owned(),
                400,
                "no `input_data`; it has `instances`, `x`",
            ),
            (
                TENSORFLOW,
                "{}".to_owned(),
                400,
                "no `instances` or `inputs`; it has no fields",
            ),
            (
                TENSORFLOW,
                r#"{"instances": [], "inputs": []}"#.to_owned(),
                400,
                "send one",
            ),
            (
                TENSORFLOW,
                r#"{"signature_name": "s", "instances": []}"#.to_owned(),
                400,
                "`serving_default`",
            ),
            (
                TENSORFLOW,
                r#"{"signature_name": 3, "instances": []}"#.to_owned(),
                400,
                "expected a string",
            ),
        ],
    );
}

#[test]
fn samples_that_are_no_pictures() {
    let server = Server::of(&picture_package());
    let good = json!(pixels(0));
    let instances = |sample: serde_json::Value| json!({"instances": [good, sample]}).to_string();
    let short: Vec<u32> = pixels(0)[1..].to_vec();
    let mut out_of_range = pixels(0);
    out_of_range[7] = 256;
    let mut holes = json!(pixels(0));
    holes[3] = json!(null);
    check(
        &server,
        &[
            (
                PLAIN,
                r#"{"input_data": []}"#.to_owned(),
                400,
                "`input_data` is empty",
            ),
            (
                PLAIN,
                r#"{"input_data": 3}"#.to_owned(),
                400,
                "`input_data[0]`: invalid type: integer `3`, expected an array",
            ),
            (
                PLAIN,
                json!({"input_data": pixels(0)}).to_string(),
                400,
                "`input_data[0]`: invalid type: integer `0`",
            ),
            (
                PLAIN,
                json!({"input_data": {"input": [good]}}).to_string(),
                400,
                "got an object",
            ),
            (
                TENSORFLOW,
                instances(json!(short)),
                400,
                "`instances[1]`: expected 60 pixel values from 0 to 255",
            ),
            (TENSORFLOW, instances(json!(short)), 400, "got 59 values"),
            (TENSORFLOW, instances(json!([])), 400, "got 0 values"),
            (
                TENSORFLOW,
                instances(json!(out_of_range)),
                400,
                "`instances[1][7]`: pixel values must be from 0 to 255, raw as in the training files, got 256",
            ),
            (
                TENSORFLOW,
                instances(holes),
                400,
                "`instances[1][3]`: invalid type: null, expected a pixel value",
            ),
            (
                TENSORFLOW,
                instances(json!("picture")),
                400,
                "expected 60 pixel values",
            ),
            (
                TENSORFLOW,
                instances(json!([[1, 2], [3]])),
                400,
                "ragged array: one of its rows has 1 elements, its first 2",
            ),
            (TENSORFLOW, instances(json!([1, [2]])), 400, "nested deeper"),
            (
                TENSORFLOW,
                instances(json!([[2], 1])),
                400,
                "numbers and arrays side by side",
            ),
            (TENSORFLOW, instances(json!([[[[[[1]]]]]])), 400, "nested deeper"),
            (
                TENSORFLOW,
                instances(json!({"b64": "%%%"})),
                400,
                "`instances[1].b64` is not base64",
            ),
            (
                TENSORFLOW,
                instances(json!({"b64": 5})),
                400,
                "`instances[1]`: invalid type: integer `5`",
            ),
            (
                TENSORFLOW,
                instances(json!({"b64": "aGVsbG8="})),
                400,
                "`instances[1]`",
            ),
            (
                TENSORFLOW,
                instances(json!({"b65": "aGVsbG8="})),
                400,
                "one field, `b64` or `input`; got a field `b65`",
            ),
            (TENSORFLOW, instances(json!({})), 400, "got an empty object"),
            (
                TENSORFLOW,
                instances(json!({"input": good, "more": 1})),
                400,
                "`instances[1].more`",
            ),
            (
                TENSORFLOW,
                json!({"inputs": {"image": [good]}}).to_string(),
                400,
                "got an object",
            ),
            (
                TENSORFLOW,
                json!({"inputs": {"input": [good], "more": []}}).to_string(),
                400,
                "one input, `input`",
            ),
            (
                TENSORFLOW,
                r#"{"instances": [[1e999]]}"#.to_owned(),
                400,
                "number out of range",
            ),
            (
                TENSORFLOW,
                r#"{"instances": [[[1, 2], [3, NaN]]]}"#.to_owned(),
                400,
                "`instances[0][1][1]`: expected value",
            ),
            (
                TENSORFLOW,
                json!({"instances": "x".repeat(100_000)}).to_string(),
                400,
                "xx…",
            ),
        ],
    );
}

#[test]
fn rows_that_do_not_fit_the_table() {
    let server = Server::of(&table_package());
    let body = |rows: serde_json::Value| json!({"input_data": rows}).to_string();
    let columns = |inputs: serde_json::Value| json!({"inputs": inputs}).to_string();
    check(
        &server,
        &[
            (
                PLAIN,
                body(json!([[1.0, "red"], [1.0]])),
                400,
                "`input_data[1]`: expected 2 values for the columns `size`, `colour`",
            ),
            (PLAIN, body(json!([["big", "red"]])), 400, "`size`"),
            (
                PLAIN,
                body(json!([{"size": 1}])),
                400,
                "column `colour` is missing",
            ),
            (
                PLAIN,
                body(json!([{"size": 1, "colour": "red", "weight": 3}])),
                400,
                "`weight`",
            ),
            (
                PLAIN,
                body(json!([{"b64": "aGVsbG8="}])),
                400,
                "`size` is missing",
            ),
            (PLAIN, body(json!([7])), 400, "`input_data[0]`"),
            (
                TENSORFLOW,
                columns(json!({"size": [1, 2], "colour": ["red"]})),
                400,
                "array of",
            ),
            (
                TENSORFLOW,
                columns(json!({"size": 1, "colour": "red"})),
                400,
                "one array for each column",
            ),
            (
                TENSORFLOW,
                columns(json!({"size": [1]})),
                400,
                "column `colour` is missing",
            ),
            (TENSORFLOW, columns(json!({})), 400, "`inputs` is empty"),
        ],
    );
}

#[test]
fn too_much_at_once() {
    let server = Server::configured(&picture_package(), |config| {
        config.max_body_bytes = 4000;
        config.max_samples = 3;
    });
    let body = |samples: usize| json!({"input_data": vec![vec![0; PIXELS]; samples]}).to_string();
    assert_eq!(server.post("/predict", &body(3)).status, 200);
    let message = server.post("/predict", &body(4)).error(413);
    assert!(
        message.contains("`input_data` has more than 3 samples"),
        "{message}"
    );
    let message = server.post("/predict", &" ".repeat(4001)).error(413);
    assert!(message.contains("larger than 4000 bytes"), "{message}");
}

#[test]
fn addresses_that_serve_nothing() {
    let server = Server::of(&picture_package());
    let body = json!({"instances": [pixels(0)]}).to_string();
    check(
        &server,
        &[
            (
                "/v1/models/other:predict",
                body.clone(),
                404,
                "no model `other` here; the one served is `m`",
            ),
            (
                "/v1/models/m/versions/2:predict",
                body.clone(),
                404,
                "model `m` has no version 2; it has 1",
            ),
            ("/v1/models/m/versions/x:predict", body.clone(), 404, "version x"),
            (
                "/v1/models/m:classify",
                body.clone(),
                404,
                "`:classify` is not supported; use `:predict`",
            ),
            ("/v1/models/m", body.clone(), 404, "use `:predict`"),
            (
                "/v2/models/m/infer",
                body.clone(),
                404,
                "POST /predict or /v1/models/m:predict",
            ),
            ("/healthz", body, 405, "/healthz does not take POST; use GET"),
        ],
    );
    assert!(server.get("/predict").error(405).contains("use POST"));
    assert!(server.get("/v1/models/other").error(404).contains("`other`"));
    assert!(
        server
            .get("/v1/models/m/versions/9")
            .error(404)
            .contains("version 9")
    );
    assert!(
        server
            .get("/v1/models/other/metadata")
            .error(404)
            .contains("`other`")
    );
}
