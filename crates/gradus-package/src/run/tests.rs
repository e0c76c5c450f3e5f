use std::num::NonZeroUsize;

use gradus_tensor::Tensor;
use serde_json::json;

use super::*;
use crate::checkpoint::Checkpoint;

fn run() -> (tempfile::TempDir, RunDir) {
    let dir = tempfile::tempdir().unwrap();
    let run = RunDir::create(dir.path().join("runs/first"), "[train]\nseed = 1\n").unwrap();
    (dir, run)
}

fn checkpoint(step: u64) -> Checkpoint {
    let weight = Tensor::from_vec(vec![step as f32; 4], [4]).unwrap();
    Checkpoint {
        tensors: vec![("weight".into(), weight)],
        state: json!({ "step": step }),
    }
}

fn keep(last: usize) -> Retention {
    Retention {
        keep_last: NonZeroUsize::new(last).unwrap(),
    }
}

fn steps(run: &RunDir) -> Vec<u64> {
    run.checkpoints()
        .unwrap()
        .into_iter()
        .map(|(step, _)| step)
        .collect()
}

#[test]
fn keeps_the_recipe_and_refuses_to_start_twice() {
    let (dir, run) = run();
    assert_eq!(run.recipe().unwrap(), "[train]\nseed = 1\n");
    let path = dir.path().join("runs/first");
    assert!(matches!(RunDir::open(&path), Err(Error::RunBusy { .. })));
    drop(run);
    assert!(matches!(RunDir::create(&path, ""), Err(Error::RunExists { .. })));
    assert!(RunDir::open(&path).is_ok());
    assert!(matches!(RunDir::open(dir.path()), Err(Error::MissingFile { .. })));
}

#[test]
fn keeps_the_last_checkpoints_and_the_best() {
    let (_dir, run) = run();
    for step in [100, 200, 300, 400] {
        run.save_checkpoint(step, &checkpoint(step), keep(2)).unwrap();
        if step == 200 {
            run.mark_best(step).unwrap();
        }
    }
    assert_eq!(steps(&run), [300, 400]);
    assert_eq!(
        run.best_checkpoint().unwrap().unwrap().state,
        json!({"step": 200})
    );
    assert!(matches!(run.mark_best(200), Err(Error::MissingFile { .. })));
    assert!(
        run.checkpoints().unwrap()[0]
            .1
            .ends_with("checkpoints/step-00000300.safetensors")
    );
}

#[test]
fn resumes_from_the_newest_whole_checkpoint_and_tells_of_damaged_ones() {
    let (_dir, run) = run();
    assert!(run.latest_good().unwrap().found.is_none());
    for step in [1, 2, 3] {
        run.save_checkpoint(step, &checkpoint(step), keep(3)).unwrap();
    }
    let paths: Vec<_> = run
        .checkpoints()
        .unwrap()
        .into_iter()
        .map(|(_, path)| path)
        .collect();
    let whole = fs::read(&paths[2]).unwrap();
    fs::write(&paths[2], &whole[..whole.len() - 1]).unwrap();
    let mut flipped = fs::read(&paths[1]).unwrap();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(&paths[1], flipped).unwrap();
    let search = run.latest_good().unwrap();
    let (step, found) = search.found.unwrap();
    assert_eq!(
        (step, found.tensors[0].1.to_vec::<f32>().unwrap()),
        (1, vec![1.0; 4])
    );
    assert_eq!(
        search.skipped.iter().map(|s| &s.path).collect::<Vec<_>>(),
        [&paths[2], &paths[1]]
    );
    assert!(
        search
            .skipped
            .iter()
            .all(|s| matches!(s.error, Error::Checksum { .. }))
    );
}

#[test]
fn a_run_that_went_back_drops_the_checkpoints_ahead_of_it() {
    let (_dir, run) = run();
    for step in [1, 2, 3] {
        run.save_checkpoint(step, &checkpoint(step), keep(3)).unwrap();
    }
    fs::write(&run.checkpoints().unwrap()[2].1, "damaged").unwrap();
    run.save_checkpoint(2, &checkpoint(2), keep(1)).unwrap();
    assert_eq!(steps(&run), [2]);
}

#[test]
fn a_checkpoint_cut_short_by_a_crash_is_neither_found_nor_left() {
    let (_dir, run) = run();
    run.save_checkpoint(1, &checkpoint(1), keep(1)).unwrap();
    let leftover = run
        .path()
        .join("checkpoints/.step-00000001.safetensors.gradus-tmp-999999-0");
    fs::write(&leftover, "half").unwrap();
    assert_eq!(steps(&run), [1]);
    assert!(run.latest_good().unwrap().found.is_some());
    assert!(!leftover.exists());
}

#[test]
fn a_resumed_metrics_log_has_the_bytes_of_an_uninterrupted_one() {
    let (_dir, run) = run();
    let record = |step: u64| json!({"step": step, "loss": 1.0 / (step as f64 + 3.0)});
    let mut log = run.metrics_log(LogStart::Fresh).unwrap();
    (0..10).for_each(|step| log.append(&record(step)).unwrap());
    let uninterrupted = fs::read(run.metrics_path()).unwrap();

    let mut log = run.metrics_log(LogStart::Fresh).unwrap();
    (0..4).for_each(|step| log.append(&record(step)).unwrap());
    log.sync().unwrap();
    let at_checkpoint = log.position();
    (4..7).for_each(|step| log.append(&record(step)).unwrap());
    drop(log);
    // Killed in the middle of a line.
    let torn = [
        fs::read(run.metrics_path()).unwrap(),
        br#"{"step": 7, "lo"#.to_vec(),
    ]
    .concat();
    fs::write(run.metrics_path(), torn).unwrap();
    assert_eq!(read_metrics(&run.metrics_path()).unwrap().len(), 7);
    assert_eq!(offset_after_step(&run.metrics_path(), 3).unwrap(), at_checkpoint);

    let mut log = run.metrics_log(LogStart::AtByte(at_checkpoint)).unwrap();
    (4..10).for_each(|step| log.append(&record(step)).unwrap());
    assert_eq!(fs::read(run.metrics_path()).unwrap(), uninterrupted);
    assert_eq!(read_metrics(&run.metrics_path()).unwrap()[9], record(9));

    let beyond = log.position() + 1;
    assert!(matches!(
        run.metrics_log(LogStart::AtByte(beyond)),
        Err(Error::LogTooShort { .. })
    ));
}

#[test]
fn events_are_the_very_bytes_that_tensorboard_writes() {
    let (_dir, run) = run();
    let mut log = run.event_log(LogStart::Fresh).unwrap();
    log.scalars(0, 1.5, &[("train/loss", 2.375)]).unwrap();
    let at_checkpoint = log.position();
    log.scalars(99, 2.0, &[("train/loss", 9.9)]).unwrap();
    drop(log);
    let mut log = run.event_log(LogStart::AtByte(at_checkpoint)).unwrap();
    log.scalars(100, 2.25, &[("train/loss", 0.5), ("train/learning_rate", 0.0)])
        .unwrap();
    log.scalars(70000, 1e9 + 0.125, &[("validation/accuracy", 0.8875)])
        .unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/scalars.tfevents");
    assert_eq!(
        fs::read(run.path().join(EVENTS_FILE)).unwrap(),
        fs::read(golden).unwrap()
    );
}
