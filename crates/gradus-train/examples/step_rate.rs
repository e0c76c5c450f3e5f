//! Steps per second of the 784-128-10 network through the whole loop: `step_rate [BATCH] [OPTIMIZER] [THREADS]`.
//!
//! The data are 60,000 synthetic images in memory, as many as the first lesson's set has. Prints the median and the
//! best of the epochs after the first, and what a step costs at the median.

use gradus_train::{Event, Recipe, TrainOptions, train};
use std::path::Path;
use std::time::Instant;

const SAMPLES: usize = 60_000;
const PIXELS: usize = 28 * 28;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let batch = arguments.next().unwrap_or("64".to_owned());
    let optimizer = arguments.next().unwrap_or("sgd".to_owned());
    if let Some(threads) = arguments.next() {
        gradus_kernels::pool::set_threads(threads.parse()?);
    }
    let folder = tempfile::tempdir()?;
    write_images(folder.path())?;
    let rates = measure(folder.path(), &batch, &optimizer)?;
    let (median, best) = (rates[rates.len() / 2], rates[rates.len() - 1]);
    println!(
        "{optimizer}, batch {batch}, {} threads: median {median:.0}, best {best:.0} steps/s, {:.1} us a step",
        gradus_kernels::pool::threads(),
        1e6 / median
    );
    Ok(())
}

/// Steps per second of each epoch after the first, ascending.
fn measure(folder: &Path, batch: &str, optimizer: &str) -> Result<Vec<f64>, gradus_train::Error> {
    let settings = [
        format!("data.train={}", folder.display()),
        "data.validation_fraction=0.0".to_owned(),
        "train.epochs=9".to_owned(),
        "train.checkpoint_every_epochs=100".to_owned(),
        format!("train.batch_size={batch}"),
        format!("optimizer.name={optimizer}"),
    ];
    let recipe = Recipe::parse(Recipe::template("classifier")?, &settings)?;
    // An epoch's end, with its checkpoint of a new best, lies between the last step of one and the first of the next.
    let (mut rates, mut start, mut steps, mut epoch) = (Vec::new(), Instant::now(), 0u64, 1);
    let mut observer = |event: &Event<'_>| match event {
        Event::Step(report) if report.epoch != epoch => {
            (start, steps, epoch) = (Instant::now(), 0, report.epoch);
        }
        Event::Step(_) => steps += 1,
        Event::Evaluated(_) if epoch > 1 => rates.push(steps as f64 / start.elapsed().as_secs_f64()),
        _ => {}
    };
    train(&recipe, &TrainOptions::new(folder.join("run")), &mut observer)?;
    rates.sort_by(f64::total_cmp);
    Ok(rates)
}

/// Images of noise whose brightness tells their class.
fn write_images(folder: &Path) -> std::io::Result<()> {
    let header = |magic: u32, sizes: &[u32]| -> Vec<u8> {
        std::iter::once(magic)
            .chain(sizes.iter().copied())
            .flat_map(u32::to_be_bytes)
            .collect()
    };
    let mut rng = gradus_tensor::Rng::seed_from(1);
    let mut images = header(0x803, &[SAMPLES as u32, 28, 28]);
    let mut labels = header(0x801, &[SAMPLES as u32]);
    for index in 0..SAMPLES {
        let class = (index % 10) as u8;
        labels.push(class);
        images.extend((0..PIXELS).map(|_| (rng.next_u64() % 128) as u8 + class * 12));
    }
    std::fs::write(folder.join("train-images-idx3-ubyte"), images)?;
    std::fs::write(folder.join("train-labels-idx1-ubyte"), labels)
}
