use super::*;
use crate::testing::{assert_close, noise, same_for_every_thread_count};

/// `torch.nn.functional.cross_entropy` from its definition: losses of the rows, the reduced loss.
fn reference(logits: &[f64], classes: usize, options: &CrossEntropy<f64>) -> (Vec<f64>, f64) {
    let weight = |c: usize| options.class_weights.map_or(1.0, |w| w[c]);
    let mut losses = vec![];
    let mut weights = 0.0;
    for (x, &target) in logits.chunks(classes).zip(options.targets) {
        if target == options.ignore_index {
            losses.push(0.0);
            continue;
        }
        let log_sum = x.iter().map(|x| x.exp()).sum::<f64>().ln();
        let nll = weight(target as usize) * (log_sum - x[target as usize]);
        let smooth: f64 = (0..classes).map(|c| weight(c) * (log_sum - x[c])).sum();
        weights += weight(target as usize);
        losses
            .push((1.0 - options.label_smoothing) * nll + options.label_smoothing / classes as f64 * smooth);
    }
    let sum: f64 = losses.iter().sum();
    match options.reduction {
        Reduction::Mean => (losses.iter().map(|loss| loss / weights).collect(), sum / weights),
        Reduction::Sum | Reduction::None => (losses, sum),
    }
}

#[test]
fn loss_and_gradient_equal_the_definition() {
    for classes in [1, 2, 10, 16, 17, 40] {
        let rows = 13;
        let logits = noise::<f64>(rows * classes, 1);
        let weights: Vec<f64> = noise::<f64>(classes, 2).iter().map(|w| w + 2.5).collect();
        let mut targets: Vec<i64> = (0..rows).map(|i| (i * 7 % classes) as i64).collect();
        targets[5] = -100;
        for class_weights in [None, Some(&weights[..])] {
            for label_smoothing in [0.0, 0.1] {
                for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
                    let options = CrossEntropy {
                        targets: &targets,
                        class_weights,
                        label_smoothing,
                        ignore_index: -100,
                        reduction,
                    };
                    check(&logits, classes, &options);
                }
            }
        }
    }
}

fn check(logits: &[f64], classes: usize, options: &CrossEntropy<f64>) {
    let rows = options.targets.len();
    let (expected_losses, expected) = reference(logits, classes, options);
    let mut losses = vec![f64::NAN; rows];
    let mut d_logits = vec![f64::NAN; logits.len()];
    let loss = cross_entropy(&mut losses, Some(&mut d_logits), logits, classes, options);
    assert_close(&losses, &expected_losses, 1e-12);
    assert_close(&[loss], &[expected], 1e-12);
    for i in 0..logits.len() {
        let bumped = |by: f64| {
            let mut x = logits.to_vec();
            x[i] += by;
            reference(&x, classes, options).1
        };
        assert_close(&[d_logits[i]], &[(bumped(1e-5) - bumped(-1e-5)) / 2e-5], 1e-8);
    }
    let mut alone = vec![f64::NAN; rows];
    assert_eq!(
        cross_entropy(&mut alone, None, logits, classes, options).to_bits(),
        loss.to_bits()
    );
    assert_eq!(alone, losses);
}

#[test]
fn f32_agrees_with_f64_at_the_size_of_a_batch() {
    let (rows, classes) = (2000, 10);
    let logits: Vec<f32> = noise::<f32>(rows * classes, 3).iter().map(|x| x * 10.0).collect();
    let wide: Vec<f64> = logits.iter().map(|&x| x.into()).collect();
    let targets: Vec<i64> = (0..rows as i64).map(|i| i % 10).collect();
    let options = CrossEntropy {
        targets: &targets,
        class_weights: None,
        label_smoothing: 0.0,
        ignore_index: -100,
        reduction: Reduction::Mean,
    };
    let (mut losses, mut d_logits) = (vec![0.0; rows], vec![0.0; rows * classes]);
    let loss = cross_entropy(&mut losses, Some(&mut d_logits), &logits, classes, &options);
    let (mut wide_losses, mut wide_gradient) = (vec![0.0; rows], vec![0.0; rows * classes]);
    let options = CrossEntropy {
        targets: &targets,
        class_weights: None,
        label_smoothing: 0.0,
        ignore_index: -100,
        reduction: Reduction::Mean,
    };
    let exact = cross_entropy(
        &mut wide_losses,
        Some(&mut wide_gradient),
        &wide,
        classes,
        &options,
    );
    assert_close(&[loss], &[exact], 1e-6);
    assert_close(&d_logits, &wide_gradient, 1e-9);
}

#[test]
fn nothing_counted_is_nan_for_a_mean_and_zero_for_a_sum() {
    let mut options = CrossEntropy {
        targets: &[-100, -100],
        class_weights: None,
        label_smoothing: 0.0,
        ignore_index: -100,
        reduction: Reduction::Mean,
    };
    let mut losses = [1.0_f32; 2];
    let mut d_logits = [1.0_f32; 4];
    assert!(cross_entropy(&mut losses, Some(&mut d_logits), &[0.0; 4], 2, &options).is_nan());
    options.reduction = Reduction::Sum;
    assert_eq!(
        cross_entropy(&mut losses, Some(&mut d_logits), &[0.0; 4], 2, &options),
        0.0
    );
    assert_eq!(d_logits, [0.0; 4]);
}

#[test]
fn thread_count_does_not_change_bits() {
    let logits = noise::<f32>(3000 * 10, 1);
    let targets: Vec<i64> = (0..3000).map(|i| i % 10).collect();
    same_for_every_thread_count(|| {
        let options = CrossEntropy {
            targets: &targets,
            class_weights: None,
            label_smoothing: 0.1,
            ignore_index: -100,
            reduction: Reduction::Mean,
        };
        let (mut losses, mut d_logits) = (vec![0.0; 3000], vec![0.0; 30_000]);
        let loss = cross_entropy(&mut losses, Some(&mut d_logits), &logits, 10, &options);
        (loss, losses, d_logits)
    });
}
