//! TensorBoard event files: scalars in TensorFlow's record format.
//!
//! A record is a length, its checksum, the data and their checksum (TensorFlow, `lib/io/record_writer.h`). The data
//! are an `Event` message (`core/util/event.proto`, `core/framework/summary.proto`) in the protobuf wire format; the
//! six fields that a scalar needs are written by hand, which is less than a protobuf library would ask for.

use std::path::Path;

use crate::crc32c::masked_crc32c;
use crate::error::Result;
use crate::run::append::{AppendFile, LogStart};

/// The first record of every event file.
const FILE_VERSION: &[u8] = b"brain.Event:2";

// Field numbers of `Event`.
const WALL_TIME: u64 = 1;
const STEP: u64 = 2;
const VERSION: u64 = 3;
const SUMMARY: u64 = 5;
// Field numbers of `Summary` and `Summary.Value`.
const VALUE: u64 = 1;
const TAG: u64 = 1;
const SIMPLE_VALUE: u64 = 2;

/// Appends scalars for TensorBoard.
///
/// Resumed as [`MetricsLog`](crate::run::MetricsLog) is. Every event carries the time that the caller gives it, as
/// TensorBoard can plot by it; only with equal times are the bytes of two runs equal.
pub struct EventLog {
    file: AppendFile,
}

impl EventLog {
    /// Opens or creates a log.
    ///
    /// # Errors
    /// [`Error::LogTooShort`](crate::Error::LogTooShort) when it ends before the place to go on from,
    /// [`Error::Io`](crate::Error::Io) from the system.
    pub fn open(path: &Path, start: LogStart) -> Result<EventLog> {
        let mut log = EventLog {
            file: AppendFile::open(path, start)?,
        };
        if log.position() == 0 {
            log.append(&version_event())?;
        }
        Ok(log)
    }

    /// Adds one event with some scalars. `wall_time` is in seconds since 1970; tags with slashes, as `train/loss`,
    /// are grouped by what stands before.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) from the system.
    pub fn scalars(&mut self, step: u64, wall_time: f64, values: &[(&str, f32)]) -> Result<()> {
        self.append(&scalar_event(step, wall_time, values))
    }

    /// The log's length in bytes, to be kept in checkpoints.
    pub fn position(&self) -> u64 {
        self.file.position()
    }

    /// Returns once all events will survive a power cut.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) from the system.
    pub fn sync(&self) -> Result<()> {
        self.file.sync()
    }

    fn append(&mut self, event: &[u8]) -> Result<()> {
        self.file.append(&record(event))
    }
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [
        &length[..],
        &masked_crc32c(&length).to_le_bytes(),
        data,
        &masked_crc32c(data).to_le_bytes(),
    ]
    .concat()
}

fn version_event() -> Vec<u8> {
    let mut event = Vec::new();
    put_double(&mut event, WALL_TIME, 0.0);
    put_bytes(&mut event, VERSION, FILE_VERSION);
    event
}

fn scalar_event(step: u64, wall_time: f64, values: &[(&str, f32)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, value) in values {
        let mut message = Vec::new();
        put_bytes(&mut message, TAG, tag.as_bytes());
        put_float(&mut message, SIMPLE_VALUE, *value);
        put_bytes(&mut summary, VALUE, &message);
    }
    let mut event = Vec::new();
    put_double(&mut event, WALL_TIME, wall_time);
    put_varint_field(&mut event, STEP, step);
    put_bytes(&mut event, SUMMARY, &summary);
    event
}

/// The wire types of the protobuf encoding.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
    Fixed32 = 5,
}

fn put_key(out: &mut Vec<u8>, field: u64, wire: Wire) {
    put_varint(out, field << 3 | wire as u64);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Zero is the default of a plain field and is left out, as every protobuf library does.
fn put_varint_field(out: &mut Vec<u8>, field: u64, value: u64) {
    if value != 0 {
        put_key(out, field, Wire::Varint);
        put_varint(out, value);
    }
}

fn put_double(out: &mut Vec<u8>, field: u64, value: f64) {
    if value.to_bits() != 0 {
        put_key(out, field, Wire::Fixed64);
        out.extend(value.to_le_bytes());
    }
}

/// Written even when zero: `simple_value` is one of several kinds, and its presence says which.
fn put_float(out: &mut Vec<u8>, field: u64, value: f32) {
    put_key(out, field, Wire::Fixed32);
    out.extend(value.to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_key(out, field, Wire::Length);
    put_varint(out, bytes.len() as u64);
    out.extend(bytes);
}
