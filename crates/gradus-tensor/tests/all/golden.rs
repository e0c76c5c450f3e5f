//! Every case of `golden/ops.safetensors`, and the cross-entropies of `golden/losses.safetensors`, forward and backward,
//! against PyTorch: in `f32` and in `f64`.

use crate::golden_file::{Case, GoldenFile};
use gradus_tensor::{
    Activation, ChannelAffine, Conv2dOptions, CrossEntropyOptions, DType, Error, LinearCrossEntropyOptions,
    PoolOptions, Reduction, Result, RopePositions, RopeTable, Tensor,
};

/// Allowed error, absolute and relative. The answers are `f64` results rounded once to `f32`, so the whole of it
/// belongs to the ops; in `f64` it is that one rounding.
const F32: [f64; 2] = [2e-6, 3e-6];
const F64: [f64; 2] = [1e-9, 1.2e-7];

/// Losses that another crate composes of these ops and tests itself.
const OTHER_LOSSES: [&str; 7] = [
    "nll",
    "bce_with_logits",
    "mse",
    "mae",
    "huber",
    "smooth_l1",
    "kl_div",
];

#[test]
fn every_op_equals_pytorch_in_f32() {
    check_all("ops.safetensors", DType::F32, F32);
}

#[test]
fn every_op_equals_pytorch_in_f64() {
    check_all("ops.safetensors", DType::F64, F64);
}

#[test]
fn every_transformer_op_equals_pytorch() {
    check_all("transformer_ops.safetensors", DType::F32, F32);
    // Cosines and sines are stored in `f32`.
    check_all("transformer_ops.safetensors", DType::F64, [3e-7, F64[1]]);
}

#[test]
fn cross_entropy_equals_pytorch() {
    check_all("losses.safetensors", DType::F32, F32);
    check_all("losses.safetensors", DType::F64, F64);
}

fn check_all(file: &str, dtype: DType, tolerance: [f64; 2]) {
    let golden = GoldenFile::open(file);
    let mut failures = vec![];
    for case in golden
        .cases()
        .iter()
        .filter(|case| !OTHER_LOSSES.contains(&case.op.as_str()))
    {
        if let Err(message) = check(&golden, case, dtype, tolerance) {
            failures.push(format!("{} {}: {message}", case.name, case.attrs));
        }
    }
    assert!(
        failures.is_empty(),
        "{} cases differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn check(golden: &GoldenFile, case: &Case, dtype: DType, tolerance: [f64; 2]) -> Result<(), String> {
    let differentiable = |name: &String| {
        case.grads
            .iter()
            .any(|d| d.ends_with(&format!(".d_{}", short(name))))
    };
    let inputs: Result<Vec<Tensor>> = case
        .inputs
        .iter()
        .map(|name| {
            let x = golden.tensor(name);
            let x = if x.dtype() == DType::F32 {
                x.to_dtype(dtype)?
            } else {
                x
            };
            if differentiable(name) {
                x.with_grad()
            } else {
                Ok(x)
            }
        })
        .collect();
    let inputs = inputs.map_err(|error| error.to_string())?;
    let outputs = run(case, &inputs).map_err(|error| error.to_string())?;
    for (name, output) in case.outputs.iter().zip(&outputs) {
        compare(name, output, &golden.tensor(name), tolerance)?;
    }
    if let Some(upstream) = case.upstream.first() {
        let d_out = golden
            .tensor(upstream)
            .to_dtype(dtype)
            .and_then(|d| d.reshape(outputs[0].shape()));
        d_out
            .and_then(|d_out| outputs[0].backward_with(&d_out))
            .map_err(|error| error.to_string())?;
    }
    for grad in &case.grads {
        let at = case
            .inputs
            .iter()
            .position(|name| grad.ends_with(&format!(".d_{}", short(name))));
        let input = &inputs[at.ok_or_else(|| format!("{grad} belongs to no input"))?];
        let got = input
            .grad()
            .ok_or_else(|| format!("{grad}: no gradient arrived"))?;
        compare(grad, &got, &golden.tensor(grad), tolerance)?;
    }
    Ok(())
}

/// `conv2d.3.weight` is `weight`.
fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn compare(name: &str, got: &Tensor, want: &Tensor, [absolute, relative]: [f64; 2]) -> Result<(), String> {
    // A scalar is stored with one axis where PyTorch's answer had none.
    if got.shape() != want.shape() && !(got.rank() == 0 && want.shape() == [1]) {
        return Err(format!(
            "{name} has shape {:?}, want {:?}",
            got.shape(),
            want.shape()
        ));
    }
    let numbers = |x: &Tensor| {
        x.to_dtype(DType::F64)
            .and_then(|x| x.to_vec::<f64>())
            .map_err(|e| e.to_string())
    };
    for (at, (got, want)) in numbers(got)?.into_iter().zip(numbers(want)?).enumerate() {
        let same = got == want || (got.is_nan() && want.is_nan());
        let error = (got - want).abs();
        let close = error <= absolute + relative * want.abs();
        if !same && !close {
            return Err(format!(
                "{name}[{at}] is {got:e}, want {want:e}, off by {error:e}"
            ));
        }
    }
    Ok(())
}

/// Calls the op of a case.
fn run(case: &Case, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let named = |name: &str| {
        case.inputs
            .iter()
            .position(|input| short(input) == name)
            .map(|at| &inputs[at])
    };
    let x = &inputs[0];
    let axis = || case.axis("dim", x.rank());
    let one = |result: Result<Tensor>| result.map(|out| vec![out]);
    match case.op.as_str() {
        "batch_norm" => batch_norm(case, inputs),
        "conv2d" => one(x.conv2d(&inputs[1], named("bias"), &conv_options(case))),
        "max_pool2d" => one(x.max_pool2d(&pool_options(case))),
        "avg_pool2d" => one(x.avg_pool2d(&pool_options(case))),
        "adaptive_avg_pool2d" => one(x.adaptive_avg_pool2d(case.pair("output_size"))),
        "layer_norm" => {
            let shape = case.list("normalized_shape");
            one(x.layer_norm(&shape, named("weight"), named("bias"), case.number("eps")))
        }
        "rms_norm" => one(x.rms_norm(&inputs[1], case.number("eps"))),
        "rope" => one(rope(case, x, named("positions"))),
        "gated" => one(x.gated(&inputs[1], activation(case.text("activation")))),
        "linear" => one(x.linear(&inputs[1], named("bias"), activation(case.text("activation")))),
        "matmul" => {
            let side = |x: &Tensor, key| if case.flag(key) { x.t() } else { Ok(x.clone()) };
            one(side(x, "transpose_x")?.matmul(&side(&inputs[1], "transpose_y")?))
        }
        "cross_entropy" => one(x.cross_entropy(&inputs[1], &loss_options(case, named("weight").cloned()))),
        "linear_cross_entropy" => one(x.linear_cross_entropy(&inputs[1], &inputs[2], &output_options(case))),
        "cat" => one(Tensor::cat(inputs, axis())),
        "stack" => one(Tensor::stack(inputs, case.axis("dim", x.rank() + 1))),
        "sum" => one(x.sum(case.axes("dim", x.rank()), case.flag("keepdim"))),
        "mean" => one(x.mean(case.axes("dim", x.rank()), case.flag("keepdim"))),
        "max" => one(x.max(axis(), case.flag("keepdim"))),
        "argmax" => {
            let places = x.argmax(axis())?;
            one(if case.flag("keepdim") {
                places.unsqueeze(axis())
            } else {
                Ok(places)
            })
        }
        "softmax" => one(x.softmax(axis())),
        "log_softmax" => one(x.log_softmax(axis())),
        "embedding" => one(x.embedding(&inputs[1])),
        "gather" => one(x.gather(axis(), &inputs[1])),
        "index_select" => one(x.index_select(axis(), &inputs[1])),
        "where_cond" => one(x.where_cond(&inputs[1], &inputs[2])),
        _ => match named("scale") {
            // A view is multiplied by another input, so that its gradient is more than a copy.
            Some(scale) => one(view(case, x)?.mul(scale)),
            None => one(elementwise(case, inputs)),
        },
    }
}

fn elementwise(case: &Case, inputs: &[Tensor]) -> Result<Tensor> {
    let x = &inputs[0];
    match case.op.as_str() {
        "add" => x.add(&inputs[1]),
        "sub" => x.sub(&inputs[1]),
        "mul" => x.mul(&inputs[1]),
        "div" => x.div(&inputs[1]),
        "eq" => x.eq(&inputs[1]),
        "ne" => x.ne(&inputs[1]),
        "lt" => x.lt(&inputs[1]),
        "le" => x.le(&inputs[1]),
        "gt" => x.gt(&inputs[1]),
        "ge" => x.ge(&inputs[1]),
        "relu" => x.relu(),
        "gelu" => x.gelu(),
        "gelu_tanh" => x.gelu_tanh(),
        "silu" => x.silu(),
        "tanh" => x.tanh(),
        "sigmoid" => x.sigmoid(),
        "neg" => x.neg(),
        "abs" => x.abs(),
        "exp" => x.exp(),
        "log" => x.log(),
        "sqrt" => x.sqrt(),
        "add_scalar" => x.add_scalar(case.number("scalar")),
        "mul_scalar" => x.mul_scalar(case.number("scalar")),
        "pow" => x.pow(case.number("exponent")),
        "clamp" => x.clamp(case.number("min"), case.number("max")),
        "sum_all" => x.sum_all(),
        "mean_all" => x.mean_all(),
        other => panic!("golden op `{other}` has no counterpart in this test"),
    }
}

fn view(case: &Case, x: &Tensor) -> Result<Tensor> {
    let size = |key| case.integer(key) as usize;
    let axis = |key| case.axis(key, x.rank());
    match case.op.as_str() {
        "slice" => x.slice(axis("dim"), size("start"), size("end"), size("step")),
        "narrow" => x.narrow(axis("dim"), size("start"), size("length")),
        "permute" => x.permute(case.list("dims")),
        "transpose" => x.transpose(axis("dim0"), axis("dim1")),
        "t" => x.t(),
        "reshape" => x.reshape(case.list("shape")),
        "flatten" => x.flatten(axis("start_dim"), axis("end_dim")),
        "broadcast_to" => x.broadcast_to(case.list("shape")),
        "squeeze" => x.squeeze(axis("dim")),
        "unsqueeze" => x.unsqueeze(case.axis("dim", x.rank() + 1)),
        other => panic!("golden view `{other}` has no counterpart in this test"),
    }
}

fn rope(case: &Case, x: &Tensor, positions: Option<&Tensor>) -> Result<Tensor> {
    let table = RopeTable::new(
        &case.numbers("inverse_frequencies"),
        case.number("attention_scaling"),
    )?;
    match positions {
        Some(positions) => x.rope(&table, RopePositions::Each(positions)),
        None => x.rope(&table, RopePositions::From(case.integer("start") as usize)),
    }
}

fn batch_norm(case: &Case, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let [x, weight, bias, running_mean, running_var] = inputs else {
        panic!("batch_norm has five inputs")
    };
    let affine = ChannelAffine {
        weight: Some(weight),
        bias: Some(bias),
    };
    let epsilon = case.number("eps");
    if !case.flag("training") {
        return Ok(vec![x.batch_norm_eval(
            running_mean,
            running_var,
            affine,
            epsilon,
        )?]);
    }
    let (out, found) = x.batch_norm_train(affine, epsilon)?;
    let momentum = case.number("momentum");
    let moved = |running: &Tensor, found: &Tensor| {
        running
            .mul_scalar(1.0 - momentum)?
            .add(&found.mul_scalar(momentum)?)
    };
    Ok(vec![
        out,
        moved(running_mean, &found.mean)?,
        moved(running_var, &found.unbiased_variance)?,
    ])
}

fn conv_options(case: &Case) -> Conv2dOptions {
    let (stride, padding, dilation) = (case.pair("stride"), case.pair("padding"), case.pair("dilation"));
    Conv2dOptions {
        stride,
        padding,
        dilation,
        groups: case.integer("groups") as usize,
    }
}

fn pool_options(case: &Case) -> PoolOptions {
    PoolOptions {
        kernel: case.pair("kernel_size"),
        stride: case.pair("stride"),
        padding: case.pair("padding"),
        dilation: if case.has("dilation") {
            case.pair("dilation")
        } else {
            [1, 1]
        },
        count_include_pad: !case.has("count_include_pad") || case.flag("count_include_pad"),
    }
}

fn activation(name: &str) -> Activation {
    match name {
        "none" => Activation::Identity,
        "relu" => Activation::Relu,
        "gelu" => Activation::Gelu,
        "gelu_tanh" => Activation::GeluTanh,
        "silu" => Activation::Silu,
        "tanh" => Activation::Tanh,
        "sigmoid" => Activation::Sigmoid,
        other => panic!("golden activation `{other}` has no counterpart in this test"),
    }
}

fn reduction(case: &Case) -> Reduction {
    match case.text("reduction") {
        "mean" => Reduction::Mean,
        "sum" => Reduction::Sum,
        "none" => Reduction::None,
        other => panic!("golden reduction `{other}` has no counterpart in this test"),
    }
}

fn output_options(case: &Case) -> LinearCrossEntropyOptions {
    LinearCrossEntropyOptions {
        softcap: Some(case.number("softcap")).filter(|&cap| cap > 0.0),
        reduction: reduction(case),
        ..LinearCrossEntropyOptions::default()
    }
}

fn loss_options(case: &Case, class_weights: Option<Tensor>) -> CrossEntropyOptions {
    let (label_smoothing, ignore_index) = (case.number("label_smoothing"), case.integer("ignore_index"));
    CrossEntropyOptions {
        class_weights,
        label_smoothing,
        ignore_index,
        reduction: reduction(case),
    }
}

#[test]
fn a_target_that_is_no_class_is_refused() {
    let x = Tensor::zeros([2, 3], DType::F32);
    let targets = Tensor::from_vec(vec![0_i64, 3], [2]).unwrap();
    let error = x
        .cross_entropy(&targets, &CrossEntropyOptions::default())
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::IndexOutOfRange {
                index: 3,
                bound: 3,
                position: 1,
                ..
            }
        ),
        "{error}"
    );
}
