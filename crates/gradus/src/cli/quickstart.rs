//! `gradus quickstart`: the whole road on real data, in under a minute.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use gradus_compress::{PruneOptions, prune, quantize_int8};
use gradus_data::{Dataset, Split, load_labelled};
use gradus_evaluate::{EvaluateOptions, Evaluation, Predictor, evaluate};
use gradus_package::{Package, PackageContents};
use gradus_serve::{ServerConfig, Shutdown, serve};
use gradus_train::recipe::Recipe;
use serde::Serialize;

use super::Global;
use super::evaluate::{figure, write_report};
use super::output::{self, Table, bytes, grouped};
use super::train::train_with_progress;

/// Walk the whole road on real data: train, evaluate, compress, package, serve, predict.
///
/// Example: gradus quickstart
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A folder of IDX files; the sample lies in the repository.
    #[arg(long, value_name = "DIR", default_value = "data/fashion-mnist-sample")]
    data: PathBuf,
    /// Where everything is written.
    #[arg(long, value_name = "DIR", default_value = "runs/quickstart")]
    out: PathBuf,
}

/// The share of weights that the pruned variant loses.
const SPARSITY: f64 = 0.8;

/// How long each variant's speed is measured.
const MEASURE_TIME: Duration = Duration::from_millis(300);

/// One way to ship the model, and what it costs.
#[derive(Serialize)]
struct Variant {
    name: &'static str,
    folder: PathBuf,
    bytes: u64,
    rows_per_s: f64,
    evaluation: Evaluation,
}

/// What the server answered for one image.
#[derive(Serialize)]
struct Served {
    true_class: String,
    answer: String,
    probability: f64,
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    if !args.data.is_dir() {
        bail!(
            "{} is no folder; run quickstart from the repository, whose sample lies there, or name IDX files with --data",
            args.data.display()
        );
    }
    make_room(&args.out)?;
    output::say(format_args!("1/4 train"));
    let run = args.out.join("run");
    let outcome = train_with_progress(&recipe(&args.data)?, &run, false)?;
    let Some(trained) = outcome.package else {
        bail!("stopped before the end; run quickstart again")
    };
    output::say(format_args!("2/4 compress"));
    let folders = compress(&trained.folder, &args.out)?;
    output::say(format_args!("3/4 evaluate"));
    let package = Package::open(&trained.folder)?;
    let manifest = package.manifest();
    let Some(preprocessing) = &manifest.preprocessing else {
        bail!("the trained package does not say how its inputs are made; run quickstart again")
    };
    let dataset = load_labelled(&args.data, Split::Test, preprocessing, &manifest.signature.labels)?;
    let variants = folders
        .into_iter()
        .map(|(name, folder)| measure(name, folder, &dataset))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let report = args.out.join("report.html");
    write_report(&report, &trained.folder, &args.data, &variants[0].evaluation)?;
    output::say(format_args!("4/4 serve"));
    let served = serve_one(&trained.folder, &dataset)?;
    if global.json {
        return output::json(
            &serde_json::json!({ "variants": variants, "served": served, "report": report }),
        );
    }
    output::write(summary(args, &variants, &served).as_bytes())
}

/// Removes what an earlier quickstart left, and nothing else.
fn make_room(out: &Path) -> anyhow::Result<()> {
    if !out.exists() {
        return Ok(());
    }
    if !gradus_train::training::is_run(&out.join("run")) {
        bail!(
            "{} exists and is no quickstart's; name another folder with --out",
            out.display()
        );
    }
    std::fs::remove_dir_all(out).with_context(|| format!("cannot remove the earlier {}", out.display()))
}

fn recipe(data: &Path) -> anyhow::Result<Recipe> {
    let data = std::path::absolute(data).context("cannot find the data")?;
    let path = toml::Value::String(data.to_string_lossy().into_owned());
    Ok(Recipe::parse(
        Recipe::template("classifier")?,
        &[format!("data.train={path}")],
    )?)
}

/// Each way to ship the model: its name and the package's folder.
fn compress(trained: &Path, out: &Path) -> anyhow::Result<Vec<(&'static str, PathBuf)>> {
    let package = Package::open(trained)?;
    let save = |name: &'static str, contents: &PackageContents| -> anyhow::Result<(&'static str, PathBuf)> {
        let folder = out.join(name);
        Package::save(&folder, contents)?;
        Ok((name, folder))
    };
    let quantized = save("int8", &quantize_int8(&package)?)?;
    let pruned = save("pruned", &prune(&package, PruneOptions::new(SPARSITY))?)?;
    Ok(vec![("f32", trained.to_owned()), quantized, pruned])
}

fn measure(name: &'static str, folder: PathBuf, dataset: &Dataset) -> anyhow::Result<Variant> {
    let package = Package::open(&folder)?;
    let predictor = Predictor::from_package(&package)?;
    let evaluation = evaluate(&predictor, dataset, &EvaluateOptions::default())?;
    let rows_per_s = speed(&predictor, dataset)?;
    Ok(Variant {
        name,
        bytes: package.file_bytes(),
        folder,
        rows_per_s,
        evaluation,
    })
}

/// Rows a second, over and over the same data, which the evaluation has warmed up.
fn speed(predictor: &Predictor, dataset: &Dataset) -> anyhow::Result<f64> {
    let (start, mut rows) = (Instant::now(), 0);
    while start.elapsed() < MEASURE_TIME {
        predictor.predict_dataset(dataset, EvaluateOptions::default().batch_size)?;
        rows += dataset.len();
    }
    Ok(rows as f64 / start.elapsed().as_secs_f64())
}

/// Serves the package, posts the first test image to it, and stops the server.
fn serve_one(package: &Path, dataset: &Dataset) -> anyhow::Result<Served> {
    let pixels = dataset.pixels(0).context("bug: the sample holds images")?;
    let probabilities = ask_once(package, pixels)?;
    let (class, &probability) = probabilities
        .iter()
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(b.1))
        .context("the server answered with no probabilities")?;
    let label = |class: usize| dataset.label_names()[class].clone();
    Ok(Served {
        true_class: label(dataset.labels()[0] as usize),
        answer: label(class),
        probability,
    })
}

/// Serves a package on a free port, posts one image given as raw pixels to it, and stops the server: the probability of
/// each class.
fn ask_once(package: &Path, pixels: &[u8]) -> anyhow::Result<Vec<f64>> {
    let mut config = ServerConfig::new(package);
    config.address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (shutdown, handle) = Shutdown::by_hand();
    let (ready, address) = mpsc::channel();
    let server = std::thread::spawn(move || {
        serve(config, shutdown, |address| {
            // The receiver lives until it has the address.
            let _ = ready.send(address);
        })
    });
    // When the server cannot start, there is no address, and its own error says why.
    let answer = address.recv().ok().map(|address| post_pixels(address, pixels));
    handle.stop();
    server
        .join()
        .map_err(|_| anyhow!("bug: the server's thread panicked"))??;
    answer.context("bug: the server stopped before it was ready")?
}

fn post_pixels(address: SocketAddr, pixels: &[u8]) -> anyhow::Result<Vec<f64>> {
    #[derive(serde::Deserialize)]
    struct Answer {
        output_data: Vec<Vec<f64>>,
    }
    let mut response = ureq::post(format!("http://{address}/predict"))
        .send_json(serde_json::json!({ "input_data": [pixels] }))?;
    let answer: Answer = response.body_mut().read_json()?;
    answer
        .output_data
        .into_iter()
        .next()
        .context("the server answered without a row")
}

fn summary(args: &Args, variants: &[Variant], served: &Served) -> String {
    let mut table = Table::new(&[
        "variant",
        "accuracy",
        "macro precision",
        "macro recall",
        "macro F1",
        "size",
        "rows/s",
    ]);
    for Variant {
        name,
        bytes: size,
        rows_per_s,
        evaluation,
        ..
    } in variants
    {
        let averages = &evaluation.report.macro_average;
        let figures = [
            evaluation.report.accuracy,
            averages.precision,
            averages.recall,
            averages.f1,
        ]
        .map(figure);
        let cost = [bytes(*size), grouped(*rows_per_s as u64)];
        table.row([(*name).to_owned()].into_iter().chain(figures).chain(cost));
    }
    let (out, data) = (args.out.display(), args.data.display());
    let Served {
        true_class,
        answer,
        probability,
    } = served;
    format!(
        "{table}
Posted one image ({true_class}) to the served model: it answered {answer} with probability {probability:.3}.

Next:
  gradus inspect {out}/int8
  gradus serve {out}/run/model --port 8501
  gradus predict {out}/run/model --input {data}/t10k-images-idx3-ubyte.gz --top 3
  gradus new classifier > my.toml && gradus train my.toml --set train.epochs=20
The report, for a browser: {out}/report.html
"
    )
}
