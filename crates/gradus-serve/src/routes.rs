//! Addresses and what answers them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Path, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::answer;
use crate::config::ServerConfig;
use crate::error::{Error, Result};
use crate::input::SampleReader;
use crate::metrics::Metrics;
use crate::reply::{json, json_of};
use crate::request::{self, Dialect};
use crate::store::ModelStore;
use crate::tensorflow;
use crate::workers::Workers;

/// How requests that match no address are counted.
const OTHER_ROUTE: &str = "other";

/// What jobs on the workers share with the handlers.
pub(crate) struct Model {
    pub store: ModelStore,
    pub metrics: Metrics,
}

/// What handlers share.
pub(crate) struct App {
    pub config: ServerConfig,
    pub model: Arc<Model>,
    pub workers: Workers,
    /// Whether a shutdown has begun.
    pub draining: AtomicBool,
}

/// The server's addresses.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/predict", post(predict))
        .route("/v1/models/{target}", get(model_status).post(predict_model))
        .route("/v1/models/{name}/metadata", get(model_metadata))
        .route(
            "/v1/models/{name}/versions/{target}",
            get(version_status).post(predict_version),
        )
        .route(
            "/v1/models/{name}/versions/{version}/metadata",
            get(version_metadata),
        )
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(app.clone(), measure))
        .with_state(app)
}

type Shared = State<Arc<App>>;

async fn predict(State(app): Shared, request: Request) -> Result<Response> {
    let latest = app.model.store.latest_place();
    answer_prediction(&app, Dialect::Plain, latest, request.into_body()).await
}

async fn predict_model(State(app): Shared, Path(target): Path<String>, request: Request) -> Result<Response> {
    let version_at = app.model.store.find(before_verb(&target)?, None)?;
    answer_prediction(&app, Dialect::TensorFlow, version_at, request.into_body()).await
}

async fn predict_version(
    State(app): Shared,
    Path((name, target)): Path<(String, String)>,
    request: Request,
) -> Result<Response> {
    let version_at = app.model.store.find(&name, Some(before_verb(&target)?))?;
    answer_prediction(&app, Dialect::TensorFlow, version_at, request.into_body()).await
}

/// `name:predict` as `name`.
fn before_verb(target: &str) -> Result<&str> {
    match target.rsplit_once(':') {
        Some((name, "predict")) => Ok(name),
        Some((_, verb)) => Err(Error::UnknownVerb {
            verb: verb.to_owned(),
        }),
        None => Err(Error::UnknownVerb { verb: String::new() }),
    }
}

/// Reads the body here and does everything else on a worker.
async fn answer_prediction(app: &App, dialect: Dialect, version_at: usize, body: Body) -> Result<Response> {
    let body = read_body(body, &app.config).await?;
    let (model, max_samples) = (app.model.clone(), app.config.max_samples);
    let answer = app
        .workers
        .run(move || model.answer(version_at, dialect, &body, max_samples))
        .await;
    if let Err(Error::QueueFull { .. }) = answer {
        app.model.metrics.reject();
    }
    answer?.map(json)
}

impl Model {
    /// The body that answers a body, by the version at this place.
    fn answer(
        &self,
        version_at: usize,
        dialect: Dialect,
        body: &[u8],
        max_samples: usize,
    ) -> Result<Vec<u8>> {
        let predictor = &self.store.servable(version_at).predictor;
        let input_name = &predictor.signature().inputs[0].name;
        let reader = SampleReader::new(predictor.preprocessing(), input_name, max_samples);
        let request = request::Request::parse(body, dialect, reader)?;
        let answers = predictor.predict_answers(&request.inputs)?;
        let answers = answers.contiguous().map_err(gradus_evaluate::Error::from)?;
        let values = answers.as_slice::<f32>().map_err(gradus_evaluate::Error::from)?;
        let body = answer::body(request.format, values, predictor.labels().len())?;
        self.metrics
            .count_predictions(version_at, predictor.task(), values);
        Ok(body)
    }
}

/// The whole body, refused as soon as it is known to be too large or too slow.
async fn read_body(body: Body, config: &ServerConfig) -> Result<Bytes> {
    let limit = config.max_body_bytes;
    if body.size_hint().lower() > limit as u64 {
        return Err(Error::BodyTooLarge { limit });
    }
    let collected = tokio::time::timeout(config.body_timeout, collect(body, limit)).await;
    collected.unwrap_or(Err(Error::BodyTimeout {
        seconds: config.body_timeout.as_secs(),
    }))
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes> {
    let mut first = Bytes::new();
    let mut rest = Vec::new();
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| Error::BodyBroken {
            reason: error.to_string(),
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + rest.len() + data.len() > limit {
            return Err(Error::BodyTooLarge { limit });
        }
        // A small body comes in one piece, which needs no copy.
        match first.is_empty() {
            true => first = data,
            false => rest.extend_from_slice(&data),
        }
    }
    match rest.is_empty() {
        true => Ok(first),
        false => Ok([&first[..], &rest].concat().into()),
    }
}

async fn model_status(State(app): Shared, Path(name): Path<String>) -> Result<Response> {
    let versions = app.model.store.listed(&name, None)?;
    Ok(json_of(&tensorflow::status(versions)))
}

async fn version_status(
    State(app): Shared,
    Path((name, version)): Path<(String, String)>,
) -> Result<Response> {
    let versions = app.model.store.listed(&name, Some(&version))?;
    Ok(json_of(&tensorflow::status(versions)))
}

async fn model_metadata(State(app): Shared, Path(name): Path<String>) -> Result<Response> {
    let version_at = app.model.store.find(&name, None)?;
    Ok(json_of(&tensorflow::metadata(&app.model.store, version_at)))
}

async fn version_metadata(
    State(app): Shared,
    Path((name, version)): Path<(String, String)>,
) -> Result<Response> {
    let version_at = app.model.store.find(&name, Some(&version))?;
    Ok(json_of(&tensorflow::metadata(&app.model.store, version_at)))
}

/// What is served here, for somebody who opens the address in a browser.
async fn index(State(app): Shared) -> Response {
    let store = &app.model.store;
    let (version, servable) = store.latest();
    let model = format!("/v1/models/{}", store.name);
    json_of(&serde_json::json!({
        "model": store.name,
        "version": version,
        "task": servable.predictor.task().name(),
        "labels": servable.predictor.labels(),
        "sample": servable.predictor.preprocessing().describe_input(),
        "routes": [
            "POST /predict",
            format!("POST {model}:predict"),
            format!("GET {model}"),
            format!("GET {model}/metadata"),
            "GET /healthz",
            "GET /readyz",
            "GET /metrics",
        ],
    }))
}

async fn readiness(State(app): Shared) -> Response {
    match app.draining.load(Ordering::Relaxed) {
        true => (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n").into_response(),
        false => "ready\n".into_response(),
    }
}

async fn metrics(State(app): Shared) -> Result<Response> {
    let content_type = HeaderValue::from_static(prometheus::TEXT_FORMAT);
    Ok(([(header::CONTENT_TYPE, content_type)], app.model.metrics.text()?).into_response())
}

async fn unknown_path(State(app): Shared, uri: Uri) -> Error {
    Error::UnknownPath {
        path: uri.path().to_owned(),
        model: app.model.store.name.clone(),
    }
}

async fn wrong_method(method: Method, uri: Uri) -> Error {
    let path = uri.path();
    let allowed = if path == "/predict" || path.ends_with(":predict") {
        "POST"
    } else {
        "GET"
    };
    Error::Method {
        path: path.to_owned(),
        method: method.to_string(),
        allowed,
    }
}

/// Counts and times every request by its address and its status.
async fn measure(State(app): Shared, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let metrics = &app.model.metrics;
    let _under_way = metrics.begin();
    let response = next.run(request).await;
    let route = route.as_ref().map_or(OTHER_ROUTE, MatchedPath::as_str);
    metrics.answered(route, response.status().as_str(), started.elapsed());
    response
}
