//! Reading the golden files of metrics, and comparing with them.
#![cfg(test)]

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Largest difference accepted, relative above 1 and absolute below.
const TOLERANCE: f64 = 1e-12;

/// Cases that each golden file must have.
const CASES: usize = 200;

#[derive(Deserialize)]
struct Golden<C> {
    cases: Vec<C>,
}

pub fn cases<C: DeserializeOwned>(file: &str) -> Vec<C> {
    let path = format!("{}/../../golden/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("a valid fixture");
    let golden: Golden<C> = serde_json::from_str(&text).expect("a valid fixture");
    assert_eq!(golden.cases.len(), CASES, "{file}");
    golden.cases
}

/// Whole numbers over a power of two.
pub fn scaled(values: &[i64], scale: f64) -> Vec<f64> {
    values.iter().map(|&value| value as f64 / scale).collect()
}

/// Weights, in sixteenths.
pub fn weights(drawn: &Option<Vec<i64>>) -> Option<Vec<f64>> {
    drawn.as_ref().map(|drawn| scaled(drawn, 16.0))
}

/// What has failed so far; all of it is shown at once.
#[derive(Default)]
pub struct Comparison {
    compared: usize,
    failures: Vec<String>,
}

impl Comparison {
    pub fn number(&mut self, what: &str, got: f64, want: Option<f64>) {
        self.compared += 1;
        let close = match want {
            Some(want) => (got - want).abs() <= TOLERANCE * want.abs().max(1.0),
            None => got.is_nan(),
        };
        if !close {
            self.failures.push(format!("{what} is {got}, expected {want:?}"));
        }
    }

    pub fn numbers(&mut self, what: &str, got: &[f64], want: &[Option<f64>]) {
        if got.len() != want.len() {
            self.failures
                .push(format!("{what}: {} numbers, expected {}", got.len(), want.len()));
            return;
        }
        for (at, (&got, &want)) in got.iter().zip(want).enumerate() {
            self.number(&format!("{what}[{at}]"), got, want);
        }
    }

    /// Where the reference has no answer there must be an error.
    pub fn answer(&mut self, what: &str, got: gradus_evaluate::Result<f64>, want: Option<f64>) {
        match (got, want) {
            (Ok(got), Some(want)) => self.number(what, got, Some(want)),
            (Err(_), None) => self.compared += 1,
            (got, want) => self
                .failures
                .push(format!("{what} is {got:?}, expected {want:?}")),
        }
    }

    pub fn finish(self, at_least: usize) {
        let shown = self.failures.len().min(40);
        assert!(self.failures.is_empty(), "{}", self.failures[..shown].join("\n"));
        assert!(self.compared >= at_least, "only {} comparisons", self.compared);
    }
}
