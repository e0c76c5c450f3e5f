//! Every schedule against the learning rates that `torch.optim.lr_scheduler` gives (golden/schedules.json).

use gradus_train::monitor::Direction;
use gradus_train::schedules::{RunLength, Schedule, ScheduleConfig};
use serde_json::{Value, json};

/// Both sides compute in f64; PyTorch multiplies step by step where we raise to a power.
const RELATIVE_TOLERANCE: f64 = 1e-12;

/// Rates that should be zero come out of a cosine as about 1e-18.
const ABSOLUTE_TOLERANCE: f64 = 1e-16;

fn cases() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/schedules.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    file["cases"].as_array().unwrap().clone()
}

/// Our names for PyTorch's attributes.
const RENAMED: [(&str, &str); 16] = [
    ("total_iters", "total"),
    ("T_max", "total"),
    ("total_steps", "total"),
    ("eta_min", "min_learning_rate"),
    ("min_lr", "min_learning_rate"),
    ("T_0", "first_period"),
    ("T_mult", "period_factor"),
    ("pct_start", "rise"),
    ("anneal_strategy", "anneal"),
    ("eps", "min_change"),
    ("cos", "cosine"),
    ("rel", "relative"),
    ("abs", "absolute"),
    ("max_lr", ""),
    ("mode", ""),
    ("verbose", ""),
];

fn renamed(name: &str) -> String {
    RENAMED
        .iter()
        .find(|(theirs, _)| *theirs == name)
        .map_or(name, |(_, ours)| ours)
        .to_owned()
}

fn schedule_name(theirs: &str) -> &'static str {
    match theirs {
        "ConstantLR" => "constant",
        "StepLR" => "step",
        "MultiStepLR" => "multi_step",
        "ExponentialLR" => "exponential",
        "LinearLR" => "linear",
        "PolynomialLR" => "polynomial",
        "CosineAnnealingLR" => "cosine",
        "CosineAnnealingWarmRestarts" => "cosine_restarts",
        "OneCycleLR" => "one_cycle",
        "ReduceLROnPlateau" => "reduce_on_plateau",
        other => panic!("the golden file has a schedule we lack: {other}"),
    }
}

/// The case as a recipe's `[schedule]`.
fn config(case: &Value) -> ScheduleConfig {
    let mut section = json!({"name": schedule_name(case["schedule"].as_str().unwrap()), "unit": "step"});
    for (theirs, value) in case["attrs"].as_object().unwrap() {
        let ours = renamed(theirs);
        if !ours.is_empty() {
            section[ours] = value
                .as_str()
                .map_or_else(|| value.clone(), |text| json!(renamed(text)));
        }
    }
    if let Some(warmup) = case["warmup"].as_object() {
        assert_eq!(warmup["end_factor"], 1.0, "warm-up leads to the whole rate");
        section["warmup_steps"] = warmup["total_iters"].clone();
        section["warmup_start_factor"] = warmup["start_factor"].clone();
    }
    serde_json::from_value(section).unwrap()
}

fn schedule(case: &Value) -> Schedule {
    let total_steps = case["values"].as_array().unwrap().len() as u64;
    let base = case["attrs"]["max_lr"]
        .as_f64()
        .unwrap_or_else(|| case["base_lr"].as_f64().unwrap());
    Schedule::new(
        config(case),
        base,
        RunLength {
            steps_per_epoch: 10,
            total_steps,
        },
    )
    .unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect()
}

fn assert_close(case: &Value, step: usize, got: f64, expected: f64) {
    let allowed = RELATIVE_TOLERANCE * expected.abs() + ABSOLUTE_TOLERANCE;
    assert!(
        (got - expected).abs() <= allowed,
        "{}: step {step}: {got} instead of {expected}",
        case["name"]
    );
}

#[test]
fn every_schedule_follows_pytorch() {
    let mut checked = 0;
    for case in cases().iter().filter(|case| case.get("metrics").is_none()) {
        let schedule = schedule(case);
        for (step, expected) in numbers(&case["values"]).into_iter().enumerate() {
            assert_close(case, step, schedule.learning_rate(step as u64), expected);
        }
        checked += 1;
    }
    assert!(checked >= 20, "only {checked} cases");
}

#[test]
fn reduce_on_plateau_follows_pytorch() {
    let cases: Vec<Value> = cases()
        .into_iter()
        .filter(|case| case.get("metrics").is_some())
        .collect();
    assert!(!cases.is_empty());
    for case in &cases {
        let mut schedule = schedule(case);
        let direction = match case["attrs"]["mode"].as_str().unwrap() {
            "min" => Direction::Minimize,
            _ => Direction::Maximize,
        };
        let expected = numbers(&case["values"]);
        assert_close(case, 0, schedule.learning_rate(0), expected[0]);
        for (index, metric) in numbers(&case["metrics"]).into_iter().enumerate() {
            schedule.observe(metric, direction);
            assert_close(
                case,
                index,
                schedule.learning_rate(index as u64 + 1),
                expected[index + 1],
            );
        }
    }
}
