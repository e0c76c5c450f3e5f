//! Answers to clients: JSON bodies, and the one place where an error becomes a status.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::error::Error;

/// Seconds that a client is asked to wait when the queue is full.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// The longest message: some quote what the client sent, which may be as long as a body.
const MESSAGE_CHARS: usize = 1000;

/// A body of JSON that is already written.
pub(crate) fn json(body: Vec<u8>) -> Response {
    (
        [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))],
        body,
    )
        .into_response()
}

/// A small document as a body of JSON.
pub(crate) fn json_of(document: &serde_json::Value) -> Response {
    json(document.to_string().into_bytes())
}

impl Error {
    /// The HTTP status that tells a client about this error.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Error::UnknownPath { .. }
            | Error::UnknownModel { .. }
            | Error::UnknownVersion { .. }
            | Error::FailedVersion { .. }
            | Error::UnknownVerb { .. } => StatusCode::NOT_FOUND,
            Error::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Error::BodyTooLarge { .. } | Error::TooManySamples { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Error::BodyTimeout { .. } => StatusCode::REQUEST_TIMEOUT,
            Error::BodyBroken { .. }
            | Error::Json { .. }
            | Error::Value { .. }
            | Error::MissingField { .. }
            | Error::BothFormats
            | Error::UnknownSignature { .. }
            | Error::NoSamples { .. }
            | Error::Sample { .. }
            | Error::Base64 { .. } => StatusCode::BAD_REQUEST,
            Error::NotFinite { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Error::QueueFull { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Error::Setting { .. }
            | Error::Unnamed { .. }
            | Error::Package(_)
            | Error::Load { .. }
            | Error::NoVersion { .. }
            | Error::Metrics(_)
            | Error::Bind { .. }
            | Error::Spawn { .. }
            | Error::Listen { .. }
            | Error::Panicked
            | Error::Predict(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The message and its causes in one line.
    pub(crate) fn chain(&self) -> String {
        let mut line = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&error.to_string());
            cause = error.source();
        }
        line
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            error: String,
        }
        let status = self.status();
        let mut message = self.chain();
        if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARS) {
            message.truncate(end);
            message.push('…');
        }
        if status.is_server_error() {
            tracing::error!(%status, error = message);
        }
        let body = serde_json::to_vec(&Body { error: message }).expect("a string is always JSON");
        let mut response = json(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if let Error::QueueFull { .. } = self {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        if let Error::Method { allowed, .. } = self {
            headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_asks_to_come_back() {
        let response = Error::QueueFull { capacity: 3 }.into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }

    #[test]
    fn a_wrong_method_is_told_the_right_one() {
        let (path, method) = ("/predict".to_owned(), "GET".to_owned());
        let response = Error::Method {
            path,
            method,
            allowed: "POST",
        }
        .into_response();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::ALLOW], "POST");
    }
}
