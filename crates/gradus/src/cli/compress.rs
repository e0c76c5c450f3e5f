//! `gradus compress`: a smaller package from a package.

use std::path::PathBuf;

use gradus_compress::{Plan, PruneOptions, compress};
use gradus_evaluate::{EvaluateOptions, Predictor, evaluate_task};
use gradus_package::{Package, summarize};

use super::Global;
use super::evaluate::{SplitName, model_folder};
use super::output::{self, bytes};
use super::overwrite::refuse_to_replace;
use super::unseen::{UnseenArgs, Wanted};

/// Make a smaller package: int8 weights, pruned weights, clipped weights. Several are done in the order clip, prune,
/// quantize.
///
/// Example: gradus compress runs/my/model --quantize int8 --data data/fashion-mnist-sample --out runs/my/int8
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A package, or a training run's folder.
    model: PathBuf,
    /// Store weights in this type, one scale for each output channel, and compute with it.
    #[arg(long, value_enum)]
    quantize: Option<Quantization>,
    /// Set this share of the weights, those of least magnitude, to zero; from 0 to below 1.
    #[arg(long, value_name = "SHARE")]
    prune: Option<f64>,
    /// Limit weights to the range from -LIMIT to LIMIT.
    #[arg(long, value_name = "LIMIT")]
    clip: Option<f64>,
    /// Where the new package goes.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace the package that is there.
    #[arg(long)]
    force: bool,
    /// Labelled data to measure the new package on; its metrics go into the package.
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// The part of the data to measure on, where the folder holds several.
    #[arg(long, value_enum, default_value_t = SplitName::Test)]
    split: SplitName,
    #[command(flatten)]
    unseen: UnseenArgs,
}

/// Types that weights can be stored in.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Quantization {
    /// Signed bytes.
    Int8,
}

pub(crate) fn run(args: &Args, global: Global) -> anyhow::Result<()> {
    refuse_to_replace(&args.out, args.force)?;
    let parent = Package::open(model_folder(&args.model))?;
    let plan = Plan {
        clip: args.clip,
        prune: args.prune.map(PruneOptions::new),
        quantize_int8: matches!(args.quantize, Some(Quantization::Int8)),
    };
    // Before anything is written: what may not be scored leaves no package behind.
    let split = args.split.split();
    let wanted = |data| Wanted {
        data,
        split,
        unseen: args.unseen,
    };
    let measured = match &args.data {
        Some(data) => Some(wanted(data).rows_for(&parent)?.dataset),
        None => None,
    };
    let mut contents = compress(&parent, &plan)?;
    // The parent's figures are not this model's.
    contents.manifest.metrics.clear();
    Package::save(&args.out, &contents)?;
    if let Some(dataset) = &measured {
        // Measured as it was written, then written again with its figures.
        let predictor = Predictor::open(&args.out)?;
        let evaluation = evaluate_task(&predictor, dataset, &EvaluateOptions::default())?;
        contents.manifest.metrics = evaluation.metric_values(split.name());
        Package::save(&args.out, &contents)?;
    }
    if global.json {
        return output::json(&summarize(&args.out)?);
    }
    output::write(report(&parent, &Package::open(&args.out)?).as_bytes())
}

/// What the compression gained, and what it cost where that was measured.
fn report(parent: &Package, child: &Package) -> String {
    let (before, after) = (bytes(parent.file_bytes()), bytes(child.file_bytes()));
    let mut text = format!("{before} to {after} in {}\n", child.path().display());
    for metric in &child.manifest().metrics {
        let earlier = parent
            .manifest()
            .metrics
            .iter()
            .find(|m| m.name == metric.name && m.split == metric.split);
        let earlier = earlier
            .map(|earlier| format!(" (before: {:.4})", earlier.value))
            .unwrap_or_default();
        text.push_str(&format!(
            "{:<16} {:.4}{earlier}\n",
            metric.name.replace('_', " "),
            metric.value
        ));
    }
    text
}
