//! The server's life: listen, load, answer, drain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::config::ServerConfig;
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::routes::{App, Model, router};
use crate::shutdown::Shutdown;
use crate::store::ModelStore;
use crate::workers::Workers;

/// Serves until `shutdown`, then finishes the requests under way and returns. Calls `ready` with the address once
/// requests are answered; with port 0 in the configuration, that is how to learn the port.
///
/// Blocks, and must not be called inside an async runtime.
///
/// # Errors
/// [`Error::Bind`] when the address is taken, [`Error::Package`] and [`Error::Load`] when the model cannot be served,
/// [`Error::Setting`] for a configuration without meaning.
///
/// ```no_run
/// use gradus_serve::{ServerConfig, Shutdown, serve};
/// let (shutdown, _handle) = Shutdown::on_signals();
/// serve(ServerConfig::new("runs/fashion/model"), shutdown, |address| println!("serving on http://{address}"))?;
/// # Ok::<(), gradus_serve::Error>(())
/// ```
pub fn serve(config: ServerConfig, shutdown: Shutdown, ready: impl FnOnce(SocketAddr)) -> Result<()> {
    config.validate()?;
    let runtime = runtime(config.io_threads)?;
    // A taken port is found out before a large model is loaded.
    let listener = runtime.block_on(bind(config.address))?;
    let address = listener.local_addr().map_err(|source| Error::Listen { source })?;
    let app = Arc::new(open(config)?);
    let (name, version) = (&app.model.store.name, app.model.store.latest().0);
    tracing::info!(model = name, version, %address, "serving");
    ready(address);
    runtime.block_on(answer_until(shutdown, listener, app))
}

fn open(config: ServerConfig) -> Result<App> {
    let store = ModelStore::open(&config)?;
    let metrics = Metrics::new(&store)?;
    let workers = Workers::start(config.workers, config.queue_capacity)?;
    Ok(App {
        config,
        model: Arc::new(Model { store, metrics }),
        workers,
        draining: AtomicBool::new(false),
    })
}

/// One thread needs no hand-offs between threads, so it is a runtime of its own kind.
fn runtime(io_threads: usize) -> Result<Runtime> {
    let mut builder = match io_threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder
        .worker_threads(io_threads)
        .thread_name("gradus-io")
        .enable_all();
    builder.build().map_err(|source| Error::Spawn { source })
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|source| Error::Bind { address, source })
}

async fn answer_until(shutdown: Shutdown, listener: TcpListener, app: Arc<App>) -> Result<()> {
    let (drain_timeout, waiting) = (app.config.drain_timeout, app.clone());
    let (begun, begins) = tokio::sync::oneshot::channel();
    let stop = async move {
        shutdown.wait().await;
        waiting.draining.store(true, Ordering::Relaxed);
        tracing::info!("draining");
        let _ = begun.send(());
    };
    let listener = listener.tap_io(|connection| {
        // An answer is one small write; waiting to fill a packet only delays it.
        let _ = connection.set_nodelay(true);
    });
    let server = axum::serve(listener, router(app)).with_graceful_shutdown(stop);
    let patience = async {
        let _ = begins.await;
        tokio::time::sleep(drain_timeout).await;
    };
    tokio::select! {
        served = server.into_future() => served.map_err(|source| Error::Listen { source }),
        () = patience => {
            tracing::warn!(seconds = drain_timeout.as_secs(), "requests were cut off after waiting to drain");
            Ok(())
        }
    }
}
