//! The prediction server: HTTP faces, model store and metrics.
//!
//! [`serve`] answers until its [`Shutdown`] comes, then drains. It speaks two dialects over one model:
//!
//! | request | answer |
//! |---|---|
//! | `POST /predict` `{"input_data": [sample, ..]}` | `{"output_data": [[probability, ..], ..]}` |
//! | `POST /v1/models/NAME[/versions/N]:predict` `{"instances": [sample, ..]}` | `{"predictions": [[probability, ..], ..]}` |
//! | the same with `{"inputs": [sample, ..]}` or `{"inputs": {"input": [sample, ..]}}` | `{"outputs": [[probability, ..], ..]}` |
//! | `GET /v1/models/NAME[/versions/N]` | the state of each version |
//! | `GET /v1/models/NAME[/versions/N]/metadata` | signature, labels and measured metrics |
//! | `GET /healthz`, `GET /readyz` | whether the process lives; whether it takes requests |
//! | `GET /metrics` | Prometheus' text format |
//! | `GET /` | what is served, and these routes |
//!
//! A model is a package, or a folder of numbered packages (`name/1`, `name/2`, …). All versions are loaded at the start
//! and can be asked by their number; the newest answers otherwise. A version that cannot be loaded is listed with the
//! reason, and the others answer.
//!
//! The second to fifth rows are TensorFlow Serving's REST interface. A *sample* is what the package's preprocessing takes,
//! raw as in the training files (see [`gradus_data::Preprocessing::json_sample`]): pixel values from 0 to 255, flat or
//! nested; or `{"b64": "…"}` with a PNG or JPEG file in base64; or the row of a table as an array or an object.
//! In the column format a table's `inputs` may also hold one array per column. A probability is the softmax of the
//! model's logits; the classes stand in the order of the labels.
//!
//! Every refusal is a JSON object `{"error": "…"}` that names the field and what was expected. The status is decided from
//! the error type in one place.
//!
//! `async` stops here: [`serve`] blocks. Requests are parsed and answered on worker threads behind a bounded queue, never
//! on the threads that move bytes; a full queue is answered 503 at once.
#![forbid(unsafe_code)]

mod answer;
mod config;
mod error;
mod input;
mod metrics;
mod reply;
mod request;
mod routes;
mod server;
mod shutdown;
mod store;
mod tensorflow;
mod workers;

pub use config::ServerConfig;
pub use error::{Error, Result};
pub use server::serve;
pub use shutdown::{Shutdown, ShutdownHandle};
