//! Every differentiable op against central differences in `f64`: one list, [`cases`], on odd shapes, each case with
//! contiguous and with strided inputs. A test reads the op files and fails when an op is in no list.

use std::collections::BTreeSet;

use gradus_tensor::{
    Activation, AttentionOptions, ChannelAffine, Conv2dOptions, CrossEntropyOptions, DType,
    LinearCrossEntropyOptions, PoolOptions, Precision, Reduction, Result, RopePositions, RopeTable, Tensor,
};

/// Ops whose result has no gradient, by decision: truth values, places, and an inference-only packing of weights.
/// Token losses are `linear_cross_entropy` without reduction, for scoring.
const NOT_DIFFERENTIABLE: [&str; 11] = [
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "argmax",
    "new",
    "new_in",
    "forward",
    "linear_token_losses",
];

/// Half the distance of the two points of a difference; the error is about its square.
const STEP: f64 = 1e-5;

/// Allowed difference, absolute plus relative.
const TOLERANCE: f64 = 2e-7;

type Op = Box<dyn Fn(&[Tensor]) -> Result<Tensor>>;

/// An op, the shapes of its float inputs, and its call.
struct Case {
    op: &'static str,
    shapes: Vec<Vec<usize>>,
    run: Op,
}

fn case(op: &'static str, shapes: &[&[usize]], run: impl Fn(&[Tensor]) -> Result<Tensor> + 'static) -> Case {
    Case {
        op,
        shapes: shapes.iter().map(|shape| shape.to_vec()).collect(),
        run: Box::new(run),
    }
}

fn cases() -> Vec<Case> {
    [
        elementwise(),
        reductions(),
        views(),
        products(),
        images(),
        normalization(),
        positions(),
        indexing(),
        checkpoints(),
        losses(),
        attentions(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn elementwise() -> Vec<Case> {
    let pairs: [[&[usize]; 2]; 4] = [
        [&[3, 5], &[3, 5]],
        [&[3, 5], &[5]],
        [&[2, 1, 3], &[4, 1]],
        [&[], &[7]],
    ];
    let mut cases = vec![];
    for shapes in pairs {
        cases.push(case("add", &shapes, |x| x[0].add(&x[1])));
        cases.push(case("sub", &shapes, |x| x[0].sub(&x[1])));
        cases.push(case("mul", &shapes, |x| x[0].mul(&x[1])));
        cases.push(case("div", &shapes, |x| x[0].div(&x[1].abs()?.add_scalar(0.5)?)));
        cases.push(case("where_cond", &shapes, |x| {
            x[0].detach().gt(&x[1].detach())?.where_cond(&x[0], &x[1])
        }));
    }
    let shape: [&[usize]; 1] = [&[3, 7]];
    let positive = |x: &Tensor| x.abs()?.add_scalar(0.3);
    cases.extend([
        case("relu", &shape, |x| x[0].relu()),
        case("gelu", &shape, |x| x[0].gelu()),
        case("gelu_tanh", &shape, |x| x[0].gelu_tanh()),
        case("silu", &shape, |x| x[0].silu()),
        case("tanh", &shape, |x| x[0].tanh()),
        case("sigmoid", &shape, |x| x[0].sigmoid()),
        case("exp", &shape, |x| x[0].exp()),
        case("log", &shape, move |x| positive(&x[0])?.log()),
        case("sqrt", &shape, move |x| positive(&x[0])?.sqrt()),
        case("abs", &shape, |x| x[0].abs()),
        case("neg", &shape, |x| x[0].neg()),
        case("add_scalar", &shape, |x| x[0].add_scalar(1.5)),
        case("mul_scalar", &shape, |x| x[0].mul_scalar(-2.5)),
        case("affine", &shape, |x| x[0].affine(3.0, -1.0)),
        case("pow", &shape, |x| x[0].pow(3.0)),
        case("pow", &shape, move |x| positive(&x[0])?.pow(-1.7)),
        case("clamp", &shape, |x| x[0].clamp(-0.6, 0.9)),
        case("dropout", &shape, |x| x[0].dropout(0.4, 11)),
        case("to_dtype", &shape, |x| x[0].to_dtype(DType::F64)),
    ]);
    for activation in [
        Activation::Identity,
        Activation::Relu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::Tanh,
        Activation::Sigmoid,
    ] {
        cases.push(case("activate", &shape, move |x| x[0].activate(activation)));
        cases.push(case("gated", &[&[3, 7], &[3, 7]], move |x| {
            x[0].gated(&x[1], activation)
        }));
    }
    cases
}

fn reductions() -> Vec<Case> {
    let shape: [&[usize]; 1] = [&[3, 4, 5]];
    vec![
        case("sum", &shape, |x| x[0].sum([0, 2], false)),
        case("sum", &shape, |x| x[0].sum([1], true)),
        case("sum_all", &shape, |x| x[0].sum_all()),
        case("mean", &shape, |x| x[0].mean([1, 2], false)),
        case("mean_all", &shape, |x| x[0].mean_all()),
        case("max", &shape, |x| x[0].max(1, false)),
        case("max", &shape, |x| x[0].max(2, true)),
        case("softmax", &shape, |x| x[0].softmax(1)),
        case("softmax", &[&[2, 17]], |x| x[0].softmax(1)),
        case("log_softmax", &shape, |x| x[0].log_softmax(0)),
        case("log_softmax", &[&[2, 17]], |x| x[0].log_softmax(1)),
    ]
}

fn views() -> Vec<Case> {
    let shape: [&[usize]; 1] = [&[3, 4, 5]];
    vec![
        case("reshape", &shape, |x| x[0].reshape([5, 12])),
        case("flatten", &shape, |x| x[0].flatten(1, 2)),
        case("permute", &shape, |x| x[0].permute([2, 0, 1])),
        case("transpose", &shape, |x| x[0].transpose(0, 2)),
        case("t", &shape, |x| x[0].t()),
        case("slice", &shape, |x| x[0].slice(2, 1, 5, 2)),
        case("narrow", &shape, |x| x[0].narrow(1, 1, 2)),
        case("broadcast_to", &[&[3, 1]], |x| x[0].broadcast_to([2, 3, 4])),
        case("squeeze", &[&[3, 1, 2]], |x| x[0].squeeze(1)),
        case("unsqueeze", &shape, |x| x[0].unsqueeze(1)),
        case("contiguous", &shape, |x| x[0].transpose(0, 2)?.contiguous()),
        case("cat", &[&[2, 3], &[2, 1], &[2, 4]], |x| Tensor::cat(x, 1)),
        case("stack", &[&[2, 3], &[2, 3]], |x| Tensor::stack(x, 1)),
    ]
}

fn products() -> Vec<Case> {
    let mut cases = vec![
        case("matmul", &[&[3, 5], &[5, 2]], |x| x[0].matmul(&x[1])),
        case("matmul", &[&[3, 5], &[2, 5]], |x| x[0].matmul(&x[1].t()?)),
        case("matmul", &[&[2, 1, 3, 5], &[4, 5, 2]], |x| x[0].matmul(&x[1])),
        case("linear", &[&[2, 3, 5], &[4, 5]], |x| {
            x[0].linear(&x[1], None, Activation::Identity)
        }),
    ];
    for activation in [
        Activation::Identity,
        Activation::Relu,
        Activation::Gelu,
        Activation::Tanh,
    ] {
        let shapes: [&[usize]; 3] = [&[3, 5], &[4, 5], &[4]];
        cases.push(case("linear", &shapes, move |x| {
            x[0].linear(&x[1], Some(&x[2]), activation)
        }));
        cases.push(case("linear_in", &shapes, move |x| {
            x[0].linear_in(&x[1], Some(&x[2]), activation, Precision::F32)
        }));
    }
    cases
}

fn images() -> Vec<Case> {
    let pool = PoolOptions {
        kernel: [3, 2],
        stride: [2, 1],
        padding: [1, 1],
        ..PoolOptions::default()
    };
    let conv = Conv2dOptions {
        stride: [2, 1],
        padding: [1, 2],
        dilation: [1, 2],
        groups: 2,
    };
    vec![
        case("conv2d", &[&[2, 3, 5, 4], &[2, 3, 3, 2], &[2]], |x| {
            x[0].conv2d(&x[1], Some(&x[2]), &Conv2dOptions::default())
        }),
        case("conv2d", &[&[1, 4, 5, 4], &[2, 2, 3, 2]], move |x| {
            x[0].conv2d(&x[1], None, &conv)
        }),
        case("conv2d", &[&[2, 3, 2, 3], &[4, 3, 1, 1]], |x| {
            x[0].conv2d(&x[1], None, &Conv2dOptions::default())
        }),
        case("max_pool2d", &[&[2, 2, 5, 4]], move |x| x[0].max_pool2d(&pool)),
        case("max_pool2d", &[&[1, 2, 5, 6]], move |x| {
            x[0].max_pool2d(&PoolOptions {
                dilation: [1, 2],
                ..pool
            })
        }),
        case("avg_pool2d", &[&[2, 2, 5, 4]], move |x| x[0].avg_pool2d(&pool)),
        case("avg_pool2d", &[&[1, 2, 5, 4]], move |x| {
            x[0].avg_pool2d(&PoolOptions {
                count_include_pad: false,
                ..pool
            })
        }),
        case("adaptive_avg_pool2d", &[&[2, 1, 5, 7]], |x| {
            x[0].adaptive_avg_pool2d([2, 3])
        }),
    ]
}

fn normalization() -> Vec<Case> {
    fn affine(x: &[Tensor]) -> ChannelAffine<'_> {
        ChannelAffine {
            weight: Some(&x[1]),
            bias: Some(&x[2]),
        }
    }
    let running = || {
        let mean = Tensor::from_vec(vec![0.3, -0.2, 0.1], [3]).unwrap();
        (mean, Tensor::from_vec(vec![1.5, 0.7, 1.1], [3]).unwrap())
    };
    vec![
        case("layer_norm", &[&[4, 3, 5], &[3, 5], &[3, 5]], |x| {
            x[0].layer_norm(&[3, 5], Some(&x[1]), Some(&x[2]), 1e-5)
        }),
        case("layer_norm", &[&[4, 17]], |x| {
            x[0].layer_norm(&[17], None, None, 1e-5)
        }),
        case("rms_norm", &[&[4, 3, 17], &[17]], |x| x[0].rms_norm(&x[1], 1e-5)),
        case("rms_norm", &[&[4, 5], &[5]], |x| x[0].rms_norm(&x[1], 1e-2)),
        case("batch_norm_train", &[&[5, 3], &[3], &[3]], |x| {
            Ok(x[0].batch_norm_train(affine(x), 1e-5)?.0)
        }),
        case("batch_norm_train", &[&[2, 3, 2, 3], &[3], &[3]], |x| {
            Ok(x[0].batch_norm_train(affine(x), 1e-5)?.0)
        }),
        case("batch_norm_train", &[&[4, 2, 3]], |x| {
            Ok(x[0].batch_norm_train(ChannelAffine::default(), 1e-3)?.0)
        }),
        case("batch_norm_eval", &[&[2, 3, 4], &[3], &[3]], move |x| {
            let (mean, variance) = running();
            x[0].batch_norm_eval(&mean, &variance, affine(x), 1e-5)
        }),
    ]
}

fn ids(values: &[i64], shape: &[usize]) -> Tensor {
    Tensor::from_slice(values, shape).unwrap()
}

fn positions() -> Vec<Case> {
    let table = || RopeTable::new(&[1.0, 0.1, 0.01], 1.2).unwrap();
    let each = ids(&[5, 0, 700, 3, 3, 1], &[2, 3]);
    vec![
        case("rope", &[&[2, 3, 2, 6]], move |x| {
            x[0].rope(&table(), RopePositions::From(4))
        }),
        case("rope", &[&[2, 3, 1, 7]], move |x| {
            x[0].rope(&table(), RopePositions::Each(&each))
        }),
        case("rope", &[&[2, 3, 12]], move |x| {
            let heads = x[0].narrow(2, 3, 6)?.reshape([2, 3, 1, 6])?;
            heads.rope(&table(), RopePositions::From(0))
        }),
    ]
}

fn indexing() -> Vec<Case> {
    vec![
        case("index_select", &[&[3, 4, 2]], |x| {
            x[0].index_select(1, &ids(&[3, 0, 3], &[3]))
        }),
        case("embedding", &[&[5, 3]], |x| {
            x[0].embedding(&ids(&[4, 0, 4, 2], &[2, 2]))
        }),
        case("gather", &[&[3, 4]], |x| {
            x[0].gather(1, &ids(&[0, 3, 3, 1, 2, 2], &[3, 2]))
        }),
        case("gather", &[&[3, 4]], |x| {
            x[0].gather(0, &ids(&[0, 2, 1, 1], &[2, 2]))
        }),
    ]
}

fn checkpoints() -> Vec<Case> {
    vec![
        case("checkpoint", &[&[3, 5], &[4, 5]], |x| {
            Tensor::checkpoint(&[&x[0], &x[1]], |x| {
                x[0].linear(&x[1], None, Activation::Gelu)?.dropout(0.3, 5)
            })
        }),
        case("checkpoint", &[&[3, 5]], |x| {
            Tensor::checkpoint(&[&x[0]], |x| {
                Tensor::checkpoint(&[&x[0]], |x| x[0].tanh()?.mul(&x[0]))?.exp()
            })
        }),
    ]
}

fn losses() -> Vec<Case> {
    let mut cases = vec![];
    for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
        for label_smoothing in [0.0, 0.2] {
            let class_weights = Some(Tensor::from_vec(vec![0.5, 1.0, 2.0, 0.1, 0.7], [5]).unwrap());
            let options = CrossEntropyOptions {
                class_weights,
                label_smoothing,
                ignore_index: 3,
                reduction,
            };
            cases.push(case("cross_entropy", &[&[4, 5]], move |x| {
                x[0].cross_entropy(&ids(&[0, 3, 4, 2], &[4]), &options)
            }));
        }
    }
    for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
        for softcap in [None, Some(1.5)] {
            let options = LinearCrossEntropyOptions {
                ignore_index: 3,
                softcap,
                reduction,
                precision: Precision::F32,
            };
            cases.push(case("linear_cross_entropy", &[&[2, 3, 4], &[7, 4]], move |x| {
                x[0].linear_cross_entropy(&x[1], &ids(&[0, 3, 6, 2, 2, 3], &[2, 3]), &options)
            }));
        }
    }
    let options = LinearCrossEntropyOptions::default();
    cases.push(case("linear_cross_entropy", &[&[3, 4], &[2, 4]], move |x| {
        x[0].linear_cross_entropy(&x[1], &ids(&[0, 1, 1], &[3]), &options)
    }));
    let options = CrossEntropyOptions::default();
    cases.push(case("cross_entropy", &[&[2, 5, 3]], move |x| {
        x[0].cross_entropy(&ids(&[0, 3, 4, 2, 1, 1], &[2, 3]), &options)
    }));
    cases
}

/// Every set of options alone and with every other, on grouped heads and more keys than queries; then single positions, a
/// head dimension past a vector, and sequences longer than a block.
fn attentions() -> Vec<Case> {
    let (grouped, one): ([&[usize]; 3], [&[usize]; 3]) = (
        [&[2, 3, 4, 3], &[2, 5, 2, 3], &[2, 5, 2, 3]],
        [&[1, 1, 1, 2], &[1, 1, 1, 2], &[1, 1, 1, 2]],
    );
    let attend = |shapes: &[&[usize]], options: AttentionOptions| {
        case("attention", shapes, move |x| {
            x[0].attention(&x[1], &x[2], &options)
        })
    };
    let mut cases: Vec<Case> = (0..64)
        .map(|bits| {
            let on = |bit: usize| bits >> bit & 1 == 1;
            let options = AttentionOptions {
                causal: on(0),
                window: on(1).then_some(2),
                scale: on(2).then_some(0.7),
                softcap: on(3).then_some(1.5),
                first_key: on(4).then(|| ids(&[0, 1, 3, 2, 5, -1], &[2, 3])),
                key_lengths: on(5).then(|| ids(&[5, 3], &[2])),
                ..AttentionOptions::default()
            };
            attend(&grouped, options)
        })
        .collect();
    cases.push(attend(&one, AttentionOptions::causal()));
    cases.push(attend(
        &[&[1, 2, 1, 19], &[1, 3, 1, 19], &[1, 3, 1, 19]],
        AttentionOptions::default(),
    ));
    cases.push(attend(
        &[&[1, 67, 1, 1], &[1, 70, 1, 1], &[1, 70, 1, 1]],
        AttentionOptions::causal(),
    ));
    cases
}

/// Reproducible numbers in (-2, 2), no two closer than the steps of a difference, none near a kink at 0.
fn noise(shape: &[usize], seed: usize) -> Vec<f64> {
    let n = shape.iter().product::<usize>();
    (0..n)
        .map(|i| ((i * 7919 + seed * 104_729 + 17) % 3989) as f64 / 997.3 - 2.000_37)
        .collect()
}

fn tensor(values: &[f64], shape: &[usize]) -> Tensor {
    Tensor::from_slice(values, shape).unwrap()
}

/// The same elements with every second place of memory unused.
fn strided(x: &Tensor) -> Tensor {
    let gap = Tensor::full(x.shape(), f64::NAN, x.dtype());
    Tensor::stack(&[x.clone(), gap], x.rank())
        .unwrap()
        .narrow(x.rank(), 0, 1)
        .unwrap()
        .squeeze(x.rank())
        .unwrap()
}

/// `Σ op(inputs) · weights`, the scalar that is differentiated.
fn loss(case: &Case, inputs: &[Tensor], weights: &[f64]) -> f64 {
    let out = (case.run)(inputs).unwrap().to_vec::<f64>().unwrap();
    out.iter().zip(weights).map(|(out, weight)| out * weight).sum()
}

fn check(case: &Case, lay_out: fn(&Tensor) -> Tensor) {
    let values: Vec<Vec<f64>> = case
        .shapes
        .iter()
        .enumerate()
        .map(|(i, shape)| noise(shape, i))
        .collect();
    let plain: Vec<Tensor> = values
        .iter()
        .zip(&case.shapes)
        .map(|(v, shape)| tensor(v, shape))
        .collect();
    let leaves: Vec<Tensor> = plain.iter().map(|x| lay_out(x).with_grad().unwrap()).collect();
    let out = (case.run)(&leaves).unwrap();
    let weights = noise(out.shape(), 9);
    out.backward_with(&tensor(&weights, out.shape())).unwrap();
    for (i, leaf) in leaves.iter().enumerate() {
        let gradient = leaf
            .grad()
            .unwrap_or_else(|| panic!("{}: input {i} has no gradient", case.op));
        assert_eq!(gradient.shape(), leaf.shape(), "{}: input {i}", case.op);
        let gradient = gradient.to_vec::<f64>().unwrap();
        for (at, &got) in gradient.iter().enumerate() {
            let moved = |by: f64| {
                let mut inputs = plain.clone();
                let mut bumped = values[i].clone();
                bumped[at] += by;
                inputs[i] = tensor(&bumped, &case.shapes[i]);
                loss(case, &inputs, &weights)
            };
            let expected = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
            let error = (got - expected).abs();
            let place = format!("{}: input {i} of {:?}, element {at}", case.op, case.shapes);
            assert!(
                error <= TOLERANCE * (1.0 + expected.abs()),
                "{place}: expected {expected}, got {got}"
            );
        }
    }
}

#[test]
fn gradients_agree_with_central_differences() {
    cases().iter().for_each(|case| check(case, Tensor::clone));
}

#[test]
fn gradients_of_strided_inputs_agree_with_central_differences() {
    cases().iter().for_each(|case| check(case, strided));
}

#[test]
fn only_the_inputs_that_are_tracked_get_a_gradient() {
    for case in cases().iter().filter(|case| case.shapes.len() > 1) {
        for tracked in 0..case.shapes.len() {
            let inputs: Vec<Tensor> = (0..case.shapes.len())
                .map(|i| {
                    let x = tensor(&noise(&case.shapes[i], i), &case.shapes[i]);
                    if i == tracked { x.with_grad().unwrap() } else { x }
                })
                .collect();
            let out = (case.run)(&inputs).unwrap();
            out.backward_with(&tensor(&noise(out.shape(), 9), out.shape()))
                .unwrap();
            for (i, input) in inputs.iter().enumerate() {
                assert_eq!(input.grad().is_some(), i == tracked, "{}: input {i}", case.op);
            }
        }
    }
}

/// Names of the ops that a source file defines: documented `pub fn`s and documented rows of its op macros.
fn ops_in(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines: Vec<&str> = code.lines().map(str::trim_start).collect();
    let documented = lines
        .windows(2)
        .filter(|pair| pair[0].starts_with("///"))
        .map(|pair| pair[1]);
    documented
        .filter_map(|line| {
            let is_fn = line.starts_with("pub fn ");
            let rest = line.trim_start_matches("pub fn ");
            let end = rest.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '_')?;
            let (name, tail) = rest.split_at(end);
            let row = tail.starts_with(": |") || (tail.starts_with(", ") && tail.ends_with(';'));
            (!name.is_empty() && (is_fn || row)).then(|| name.to_owned())
        })
        .collect()
}

#[test]
fn every_op_is_checked_or_has_no_gradient_by_decision() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops");
    let listed: BTreeSet<&str> = cases()
        .iter()
        .map(|case| case.op)
        .chain(NOT_DIFFERENTIABLE)
        .collect();
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let ops = ops_in(&std::fs::read_to_string(&path).unwrap());
        assert!(
            path.ends_with("mod.rs") || !ops.is_empty(),
            "no op found in {}",
            path.display()
        );
        found.extend(ops);
    }
    let missing: Vec<&String> = found.iter().filter(|op| !listed.contains(op.as_str())).collect();
    assert!(missing.is_empty(), "ops in no list of this file: {missing:?}");
    let unknown: Vec<&&str> = listed.iter().filter(|op| !found.contains(**op)).collect();
    assert!(unknown.is_empty(), "listed here but in no op file: {unknown:?}");
}
