//! Every loss, option and reduction against PyTorch, with the gradient of the input.

use crate::file::{Case, GoldenFile};
use gradus_nn::losses::{
    BceOptions, CrossEntropyOptions, HuberOptions, KlDivOptions, KlReduction, NllOptions, Reduction,
    SmoothL1Options, bce_with_logits_with, cross_entropy_with, huber_with, kl_div_with, mae_with, mse_with,
    nll_with, smooth_l1_with,
};
use gradus_tensor::Tensor;

/// How many cases each loss must have: none may drop out of the file unnoticed.
const AT_LEAST: [(&str, usize); 8] = [
    ("cross_entropy", 36),
    ("nll", 12),
    ("bce_with_logits", 12),
    ("mse", 3),
    ("mae", 3),
    ("huber", 9),
    ("smooth_l1", 6),
    ("kl_div", 8),
];

#[test]
fn losses_and_gradients_are_pytorchs() {
    let file = GoldenFile::open("losses.safetensors");
    for (op, count) in AT_LEAST {
        assert!(file.cases_of(op).count() >= count, "{op} lacks cases");
    }
    for case in &file.cases {
        let input = file.tensor(case, "x").with_grad().unwrap();
        let loss = compute(&file, case, &input);
        file.assert_is(case, "out", &loss);
        loss.backward_with(&file.shaped(case, "d_out", loss.shape()))
            .unwrap();
        file.assert_is(case, "d_x", &input.grad().expect("a gradient"));
    }
}

fn compute(file: &GoldenFile, case: &Case, input: &Tensor) -> Tensor {
    let targets = file.tensor(case, "targets");
    let optional = |name: &str| case.has(name).then(|| file.tensor(case, name));
    let reduction = || reduction(case.text("reduction"));
    match case.op.as_str() {
        "cross_entropy" => {
            let options = CrossEntropyOptions {
                class_weights: optional("weight"),
                label_smoothing: case.number("label_smoothing"),
                ignore_index: case.number("ignore_index") as i64,
                reduction: reduction(),
            };
            cross_entropy_with(input, &targets, &options)
        }
        "nll" => {
            let options = NllOptions {
                class_weights: optional("weight"),
                ignore_index: case.number("ignore_index") as i64,
                reduction: reduction(),
            };
            nll_with(input, &targets, &options)
        }
        "bce_with_logits" => {
            let (weight, pos_weight) = (optional("weight"), optional("pos_weight"));
            bce_with_logits_with(
                input,
                &targets,
                &BceOptions {
                    weight,
                    pos_weight,
                    reduction: reduction(),
                },
            )
        }
        "mse" => mse_with(input, &targets, reduction()),
        "mae" => mae_with(input, &targets, reduction()),
        "huber" => {
            let options = HuberOptions {
                delta: case.number("delta"),
                reduction: reduction(),
            };
            huber_with(input, &targets, &options)
        }
        "smooth_l1" => {
            let options = SmoothL1Options {
                beta: case.number("beta"),
                reduction: reduction(),
            };
            smooth_l1_with(input, &targets, &options)
        }
        "kl_div" => {
            let reduction = match case.text("reduction") {
                "batchmean" => KlReduction::BatchMean,
                "none" => KlReduction::None,
                "mean" => KlReduction::Mean,
                "sum" => KlReduction::Sum,
                other => panic!("{}: reduction {other}", case.name),
            };
            kl_div_with(
                input,
                &targets,
                &KlDivOptions {
                    log_target: case.flag("log_target"),
                    reduction,
                },
            )
        }
        other => panic!("no test for the loss {other}"),
    }
    .unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

fn reduction(name: &str) -> Reduction {
    match name {
        "none" => Reduction::None,
        "mean" => Reduction::Mean,
        "sum" => Reduction::Sum,
        other => panic!("reduction {other}"),
    }
}
