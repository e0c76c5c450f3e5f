//! When a server stops.

use std::sync::Arc;

use tokio::sync::watch;

/// The event that stops a server.
pub struct Shutdown {
    on_signals: bool,
    stopped: watch::Receiver<bool>,
}

/// Stops the server that holds the [`Shutdown`] it was made with. Clones stop the same one; dropping them does nothing.
#[derive(Clone)]
pub struct ShutdownHandle {
    stop: Arc<watch::Sender<bool>>,
}

impl Shutdown {
    /// A shutdown on Ctrl-C or SIGTERM, or by the handle.
    pub fn on_signals() -> (Shutdown, ShutdownHandle) {
        Shutdown::with_signals(true)
    }

    /// A shutdown by the handle alone.
    pub fn by_hand() -> (Shutdown, ShutdownHandle) {
        Shutdown::with_signals(false)
    }

    fn with_signals(on_signals: bool) -> (Shutdown, ShutdownHandle) {
        let (stop, stopped) = watch::channel(false);
        (
            Shutdown { on_signals, stopped },
            ShutdownHandle { stop: Arc::new(stop) },
        )
    }

    /// Returns when the server should stop. Must run inside the server's runtime.
    pub(crate) async fn wait(mut self) {
        let by_hand = async {
            if self.stopped.wait_for(|stopped| *stopped).await.is_err() {
                // Every handle is gone: nobody can stop the server by hand any more.
                std::future::pending::<()>().await;
            }
        };
        match self.on_signals {
            true => tokio::select! { () = by_hand => (), () = signal() => () },
            false => by_hand.await,
        }
    }
}

impl ShutdownHandle {
    /// Tells the server to stop taking requests and to finish those under way.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

/// Returns on Ctrl-C or, where there is one, SIGTERM.
async fn signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! { () = interrupt => (), () = terminate => () }
}
