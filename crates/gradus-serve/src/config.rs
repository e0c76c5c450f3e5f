//! What a server is told.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, Result};

/// TensorFlow Serving's port for its REST interface.
const DEFAULT_PORT: u16 = 8501;

/// What a server serves, where, and within which bounds.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// A package, or a folder of numbered packages of which the newest is served.
    pub model: PathBuf,
    /// The model's name in addresses; by default that of its folder.
    pub name: Option<String>,
    /// Where to listen; `127.0.0.1:8501` by default. Port 0 takes any free port.
    pub address: SocketAddr,
    /// The largest body that is read; 32 MiB by default.
    pub max_body_bytes: usize,
    /// The most samples in one request; 1,024 by default.
    pub max_samples: usize,
    /// Requests that may wait for a worker before more are refused; 256 by default.
    pub queue_capacity: usize,
    /// Threads that parse and predict; by default as many as the kernels use.
    pub workers: usize,
    /// Threads that move bytes; 1 by default, which fills two workers.
    pub io_threads: usize,
    /// How long a body may take to arrive; 30 s by default.
    pub body_timeout: Duration,
    /// How long a shutdown waits for requests under way; 30 s by default.
    pub drain_timeout: Duration,
}

impl ServerConfig {
    /// The defaults for this model.
    pub fn new(model: impl Into<PathBuf>) -> ServerConfig {
        ServerConfig {
            model: model.into(),
            name: None,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            max_body_bytes: 32 << 20,
            max_samples: 1024,
            queue_capacity: 256,
            workers: gradus_kernels::pool::threads(),
            io_threads: 1,
            body_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(30),
        }
    }

    pub(crate) fn validate(&self) -> Result<()> {
        let at_least_one = [
            ("max_body_bytes", self.max_body_bytes),
            ("max_samples", self.max_samples),
            ("queue_capacity", self.queue_capacity),
            ("workers", self.workers),
            ("io_threads", self.io_threads),
        ];
        for (setting, value) in at_least_one {
            if value == 0 {
                return Err(Error::Setting {
                    setting,
                    value: "0".to_owned(),
                    expected: "at least 1",
                });
            }
        }
        match &self.name {
            Some(name) if name.is_empty() || name.contains(['/', ':']) => {
                let expected = "a name without `/` and `:`, as it stands in addresses";
                Err(Error::Setting {
                    setting: "name",
                    value: format!("`{name}`"),
                    expected,
                })
            }
            Some(_) | None => Ok(()),
        }
    }
}
