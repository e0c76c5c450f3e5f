//! Random and mutated bodies: an answer or a refusal, never a failure.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::json;

use crate::support::{Server, picture_package, pixels, table_package};

const PATHS: [&str; 2] = ["/predict", "/v1/models/m:predict"];

/// Pieces that bodies are made of, right and wrong ones.
const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"instances\"",
    "\"inputs\"",
    "\"input_data\"",
    "\"input\"",
    "\"b64\"",
    "\"size\"",
    "\"colour\"",
    "\"signature_name\"",
    "\"red\"",
    "\"aGk=\"",
    "0",
    "255",
    "-1",
    "1e38",
    "1e999",
    "null",
    "true",
    "NaN",
];

/// One change to a body.
#[derive(Clone, Debug)]
enum Mutation {
    Replace(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Insert(prop::sample::Index, prop::sample::Index),
    Truncate(prop::sample::Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), any::<u8>()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        index().prop_map(Mutation::Remove),
        (index(), index()).prop_map(|(at, piece)| Mutation::Insert(at, piece)),
        index().prop_map(Mutation::Truncate),
    ]
}

impl Mutation {
    fn apply(&self, body: &mut Vec<u8>) {
        match self {
            _ if body.is_empty() => (),
            Mutation::Replace(at, byte) => {
                let at = at.index(body.len());
                body[at] = *byte;
            }
            Mutation::Remove(at) => drop(body.remove(at.index(body.len()))),
            Mutation::Insert(at, piece) => {
                let at = at.index(body.len());
                body.splice(at..at, piece.get(&PIECES).bytes());
            }
            Mutation::Truncate(at) => body.truncate(at.index(body.len())),
        }
    }
}

fn originals() -> Vec<Vec<u8>> {
    let bodies = [
        json!({"input_data": [pixels(0)]}),
        json!({"instances": [{"b64": "aGVsbG8="}, pixels(1)], "signature_name": "serving_default"}),
        json!({"inputs": {"input": [pixels(2)]}}),
        json!({"instances": [{"size": 1.5, "colour": "red"}, [null, "blue"]]}),
        json!({"inputs": {"size": [1.5, 1e38], "colour": ["red", null]}}),
    ];
    bodies.iter().map(|body| body.to_string().into_bytes()).collect()
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let mutated = (
        prop::sample::select(originals()),
        prop::collection::vec(mutation(), 0..4),
    );
    let mutated = mutated.prop_map(|(mut body, mutations)| {
        mutations.iter().for_each(|mutation| mutation.apply(&mut body));
        body
    });
    let pieces = prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..40);
    prop_oneof![
        4 => mutated,
        2 => pieces.prop_map(|pieces| pieces.concat().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ]
}

#[test]
fn no_body_makes_the_server_fail() {
    let servers = [Server::of(&picture_package()), Server::of(&table_package())];
    let mut runner = TestRunner::new(Config {
        cases: 1000,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&body(), |body| {
        for (server, path) in servers.iter().flat_map(|server| PATHS.map(|path| (server, path))) {
            let reply = server.post_bytes(path, &body);
            let document: serde_json::Value =
                serde_json::from_str(&reply.text).map_err(|error| TestCaseError::fail(error.to_string()))?;
            match reply.status {
                200 => prop_assert!(document["error"].is_null()),
                status => prop_assert!((400..500).contains(&status) && document["error"].is_string()),
            }
        }
        Ok(())
    });
    outcome.unwrap();
}
