//! `gradus serve`: a packaged model behind HTTP.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use gradus_data::Preprocessing;
use gradus_serve::{ServerConfig, Shutdown, serve};
use serde_json::{Value, json};

use super::Global;
use super::evaluate::model_folder;
use super::output;

/// A grey picture of one pixel as PNG, for an example that works as typed: pictures are scaled to the model's size.
const ONE_PIXEL_PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg==";

/// Serve a model over HTTP: POST /predict, TensorFlow Serving's REST interface, health and Prometheus metrics.
///
/// Example: gradus serve runs/my/model --port 8501
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A package, a training run's folder, or a folder of numbered packages.
    model: PathBuf,
    /// Address to listen on; 0.0.0.0 for every one this machine has.
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port to listen on; 0 takes any free one.
    #[arg(long, default_value_t = 8501)]
    port: u16,
    /// The model's name in addresses. Default: the name of its folder, or of the run it came from.
    #[arg(long)]
    name: Option<String>,
    /// The largest request body, in megabytes of 1,048,576 bytes.
    #[arg(long, value_name = "MB", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=4096))]
    max_body_mb: u32,
    /// The most samples in one request.
    #[arg(long, value_name = "N")]
    max_samples: Option<usize>,
    /// Requests that may wait before more are refused with 503.
    #[arg(long, value_name = "N")]
    queue: Option<usize>,
    /// Threads that parse requests and predict. Default: as many as --threads.
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    let config = args.config();
    let folder = config.model.clone();
    let (shutdown, _handle) = Shutdown::on_signals();
    let mut announced = Ok(());
    serve(config, shutdown, |address| {
        announced = announce(&folder, address, global)
    })?;
    announced
}

impl Args {
    fn config(&self) -> ServerConfig {
        let mut config = ServerConfig::new(model_folder(&self.model));
        config.address = SocketAddr::new(self.host, self.port);
        config.name = self.name.clone();
        config.max_body_bytes = self.max_body_mb as usize * (1 << 20);
        config.max_samples = self.max_samples.unwrap_or(config.max_samples);
        config.queue_capacity = self.queue.unwrap_or(config.queue_capacity);
        config.workers = self.workers.unwrap_or(config.workers);
        config
    }
}

/// Says where the server listens and how to ask it; for a program, the address alone on standard output.
fn announce(model: &Path, address: SocketAddr, global: Global) -> anyhow::Result<()> {
    output::say(format_args!(
        "serving {} on http://{address} (Ctrl-C stops); try:",
        model.display()
    ));
    let newest = gradus_package::resolve(model)?;
    let (manifest, _) = gradus_package::read_manifest(&newest)?;
    if let Some(preprocessing) = &manifest.preprocessing {
        let body = json!({ "input_data": [example_sample(preprocessing)] }).to_string();
        output::say(format_args!(
            "  curl http://{}/predict -d '{}'",
            reachable(address),
            body.replace('\'', r"'\''")
        ));
    }
    if global.json {
        output::json(&json!({ "url": format!("http://{address}") }))?;
    }
    Ok(())
}

/// A sample that the model takes.
fn example_sample(preprocessing: &Preprocessing) -> Value {
    match preprocessing {
        Preprocessing::Image(_) => json!({ "b64": ONE_PIXEL_PNG }),
        // Null stands for a missing value, which every column takes.
        Preprocessing::Table(table) => table
            .columns
            .iter()
            .map(|column| (column.name.clone(), Value::Null))
            .collect(),
    }
}

/// The address that a client on this machine uses: one that means "every address" is none to connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        return SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
    }
    address
}
