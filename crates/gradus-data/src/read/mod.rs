//! Readers: bytes on disk into pixels, labels and tables. They know nothing of models or of preparation.

pub(crate) mod advice;
pub(crate) mod bytes;
pub(crate) mod csv;
pub(crate) mod folder;
pub(crate) mod idx;
pub(crate) mod parquet;
pub(crate) mod parquet_text;
pub(crate) mod picture;
mod thrift;
