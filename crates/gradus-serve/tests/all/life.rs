//! Starting, versions, draining.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use gradus_evaluate::Predictor;
use gradus_package::Package;
use gradus_serve::{Error, ServerConfig, Shutdown, serve};
use serde_json::json;

use crate::support::{Server, picture_package, pixels, table_package};

#[test]
fn the_newest_version_of_a_folder_answers_and_every_other_by_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("insects");
    Package::save(model.join("2"), &table_package()).unwrap();
    Package::save(model.join("10"), &picture_package()).unwrap();
    std::fs::create_dir(model.join("11")).unwrap();
    let server = Server::at(&model, |_| ());
    let body = json!({"instances": [pixels(0)]});
    for path in [
        "/v1/models/insects:predict",
        "/v1/models/insects/versions/10:predict",
    ] {
        assert_eq!(
            server.rows(path, &body, "predictions"),
            server.expected(&[json!(pixels(0))])
        );
    }
    assert_eq!(states(&server, "/v1/models/insects"), "10:AVAILABLE 2:AVAILABLE");
    assert_eq!(states(&server, "/v1/models/insects/versions/2"), "2:AVAILABLE");
    let table = Predictor::open(model.join("2")).unwrap();
    let expected = table.predict_probabilities(&table.encode_json(&[json!([1.5, "red"])]).unwrap());
    let expected = expected.unwrap().to_vec::<f32>().unwrap();
    let row = json!({"instances": [{"size": 1.5, "colour": "red"}]});
    assert_eq!(
        server.rows("/v1/models/insects/versions/2:predict", &row, "predictions"),
        [expected]
    );
    let metadata = server.get("/v1/models/insects/versions/2/metadata").json();
    assert_eq!(metadata["model_spec"]["version"], "2");
    server.stop().unwrap();

    let one = Server::at(&model.join("10"), |_| ());
    assert_eq!(
        one.get("/v1/models/insects/versions/10").status,
        200,
        "named after the model, not `10`"
    );
}

/// Number and state of each version that a status document lists.
fn states(server: &Server, path: &str) -> String {
    let document = server.get(path).json();
    let listed = document["model_version_status"].as_array().unwrap();
    let states = listed.iter().map(|v| {
        format!(
            "{}:{}",
            v["version"].as_str().unwrap(),
            v["state"].as_str().unwrap()
        )
    });
    states.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_damaged_version_is_reported_and_the_others_answer() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("insects");
    Package::save(model.join("1"), &picture_package()).unwrap();
    Package::save(model.join("2"), &picture_package()).unwrap();
    let weights = model.join("2/model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, bytes).unwrap();

    let server = Server::at_with(&model, &model.join("1"), |_| ());
    let document = server.get("/v1/models/insects").json();
    let newest = &document["model_version_status"][0];
    assert_eq!(
        (&newest["version"], &newest["state"]),
        (&json!("2"), &json!("END"))
    );
    assert_eq!(newest["status"]["error_code"], "FAILED_PRECONDITION");
    let reason = newest["status"]["error_message"].as_str().unwrap();
    assert!(reason.contains("is damaged"), "{reason}");

    let body = json!({"instances": [pixels(0)]});
    assert_eq!(
        server.rows("/v1/models/insects:predict", &body, "predictions"),
        server.expected(&[json!(pixels(0))])
    );
    let refused = server
        .post("/v1/models/insects/versions/2:predict", &body.to_string())
        .error(404);
    assert!(refused.contains("version 2"), "{refused}");
    let index = server.get("/").json();
    assert_eq!(
        (&index["model"], &index["version"]),
        (&json!("insects"), &json!(1))
    );
}

#[test]
fn a_name_may_be_given() {
    let server = Server::configured(&picture_package(), |config| config.name = Some("bugs".to_owned()));
    assert_eq!(server.get("/v1/models/bugs").status, 200);
    assert_eq!(server.get("/v1/models/m").status, 404);
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let start = |config: ServerConfig| {
        let (shutdown, _handle) = Shutdown::by_hand();
        serve(config, shutdown, |_| panic!("must not start")).unwrap_err()
    };
    let config = |path: &std::path::Path| {
        let mut config = ServerConfig::new(path);
        config.address.set_port(0);
        config
    };
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(start(config(folder.path())), Error::Package(_)));
    assert!(matches!(
        start(config(&folder.path().join("absent"))),
        Error::Package(_)
    ));
    let named = ServerConfig {
        name: Some("a/b".to_owned()),
        ..config(folder.path())
    };
    assert!(matches!(start(named), Error::Setting { setting: "name", .. }));
    let idle = ServerConfig {
        workers: 0,
        ..config(folder.path())
    };
    assert!(matches!(
        start(idle),
        Error::Setting {
            setting: "workers",
            ..
        }
    ));

    let server = Server::of(&picture_package());
    let taken = ServerConfig {
        address: server.address,
        ..config(folder.path())
    };
    assert!(matches!(start(taken), Error::Bind { .. }));
}

/// Sends the head and half of a body; the other half is what is returned.
fn half_a_request(server: &Server) -> (TcpStream, String) {
    let body = json!({"input_data": [pixels(0)]}).to_string();
    let (first, second) = body.split_at(body.len() / 2);
    let mut connection = TcpStream::connect(server.address).unwrap();
    connection
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let head = format!(
        "POST /predict HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(format!("{head}{first}").as_bytes()).unwrap();
    (connection, second.to_owned())
}

fn answer(mut connection: TcpStream) -> String {
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    text
}

/// Waits until the server has begun to answer this many requests besides the one that asks.
fn wait_for_requests(server: &Server, count: usize) {
    let wanted = format!("gradus_requests_in_flight {}\n", count + 1);
    while !server.get("/metrics").text.contains(&wanted) {
        std::thread::yield_now();
    }
}

#[test]
fn shutting_down_finishes_what_is_under_way() {
    let server = Server::of(&picture_package());
    let (mut connection, rest) = half_a_request(&server);
    wait_for_requests(&server, 1);
    server.handle.stop();
    connection.write_all(rest.as_bytes()).unwrap();
    let text = answer(connection);
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
    let body = text.split_once("\r\n\r\n").unwrap().1;
    let document: serde_json::Value = serde_json::from_str(body).unwrap();
    let rows: Vec<Vec<f32>> = serde_json::from_value(document["output_data"].clone()).unwrap();
    assert_eq!(rows, server.expected(&[json!(pixels(0))]));
    let address = server.address;
    server.stop().unwrap();
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn a_request_that_never_ends_does_not_hold_the_shutdown() {
    let server = Server::configured(&picture_package(), |config| {
        config.drain_timeout = Duration::from_millis(50)
    });
    let (_connection, _rest) = half_a_request(&server);
    wait_for_requests(&server, 1);
    server.stop().unwrap();
}

#[test]
fn a_body_that_does_not_arrive_is_given_up() {
    let server = Server::configured(&picture_package(), |config| {
        config.body_timeout = Duration::from_millis(50)
    });
    let (connection, _rest) = half_a_request(&server);
    let text = answer(connection);
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    assert!(
        text.contains(r#"{"error":"the body did not arrive within"#),
        "{text}"
    );
}
