use super::cache::{Cache, CacheShape, CacheType, attention_cached};
use super::*;
use crate::testing::{assert_close, noise};

fn shape(seq_q: usize, seq_k: usize) -> Shape {
    Shape {
        batch: 2,
        seq_q,
        seq_k,
        heads: 4,
        kv_heads: 2,
        head_dim: 5,
    }
}

#[test]
fn visible_keys_are_the_meeting_of_all_rules() {
    let s = shape(3, 7);
    let rule = Rule {
        causal: true,
        ..Rule::default()
    };
    assert_eq!(rule.visible(&s, 0, 0), 0..5);
    let rule = Rule {
        window: Some(3),
        ..rule
    };
    assert_eq!(rule.visible(&s, 0, 2), 4..7);
    let both_sides = Rule {
        window: Some(2),
        ..Rule::default()
    };
    assert_eq!(both_sides.visible(&s, 1, 1), 4..7);
    let rule = Rule {
        first_key: Some(&[0, 6, 9, -1, 0, 0]),
        key_lengths: Some(&[7, 5]),
        ..rule
    };
    assert_eq!(rule.visible(&s, 0, 1), 6..6);
    assert_eq!(rule.visible(&s, 0, 2), 7..7);
    assert_eq!(rule.visible(&s, 1, 0), 2..5);
}

/// Positions `range` of dense `[batch, seq, heads, head_dim]`.
fn chunk(data: &[f32], seq: usize, batch: usize, range: std::ops::Range<usize>) -> Vec<f32> {
    let row = data.len() / (batch * seq);
    data.chunks_exact(seq * row)
        .flat_map(|sequence| sequence[range.start * row..range.end * row].to_vec())
        .collect()
}

/// The output by the definition.
fn by_definition_in_f64(s: &Shape, rule: &Rule, inputs: [&[f32]; 3]) -> Vec<f64> {
    let [q, k, v] = inputs.map(|x| x.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>());
    let inputs = Inputs {
        q: Heads::dense(&q, s.seq_q, s.heads, s.head_dim),
        k: Heads::dense(&k, s.seq_k, s.kv_heads, s.head_dim),
        v: Heads::dense(&v, s.seq_k, s.kv_heads, s.head_dim),
    };
    let (mut out, mut log_sum) = (vec![0.0; s.queries_len()], vec![0.0; s.rows()]);
    naive::attention(&mut out, &mut log_sum, &inputs, s, rule);
    out
}

#[test]
fn cached_attention_equals_attention_over_what_the_cache_holds() {
    let causal = Rule {
        causal: true,
        scale: 0.2,
        ..Rule::default()
    };
    let capped = Rule {
        window: Some(270),
        softcap: Some(2.0),
        ..causal
    };
    let unseen = Rule {
        first_key: Some(&[3, 400]),
        ..causal
    };
    let cases = [
        (1, causal),
        (1, capped),
        (1, unseen),
        (3, causal),
        (3, capped),
        (45, causal),
        (45, capped),
    ];
    for cache_type in [CacheType::F32, CacheType::Bf16, CacheType::Int8] {
        for (seq_q, rule) in cases {
            let s = Shape {
                batch: 2,
                seq_q,
                seq_k: 299,
                heads: 10,
                kv_heads: 2,
                head_dim: 70,
            };
            let (q, k) = (noise::<f32>(s.queries_len(), 1), noise::<f32>(s.keys_len(), 2));
            let v = noise::<f32>(s.keys_len(), 3);
            let mut cache = Cache::new(CacheShape {
                batch: s.batch,
                kv_heads: s.kv_heads,
                head_dim: s.head_dim,
                cache_type,
            });
            for (start, end) in [(0, 15), (15, 18), (18, 200), (200, 299)] {
                cache.reserve(end);
                let [k, v] = [&k, &v].map(|x| chunk(x, s.seq_k, s.batch, start..end));
                let [k, v] = [&k, &v].map(|x| Heads::dense(x, end - start, s.kv_heads, s.head_dim));
                cache.append(&k, &v, end - start);
            }
            let (mut k, mut v) = (vec![0.0; s.keys_len()], vec![0.0; s.keys_len()]);
            cache.read(&mut k, &mut v);
            let expected = by_definition_in_f64(&s, &rule, [&q, &k, &v]);
            let q = Heads::dense(&q, s.seq_q, s.heads, s.head_dim);
            let mut out = vec![f32::NAN; s.queries_len()];
            attention_cached(&mut out, &q, &cache, (s.seq_q, s.heads), &rule);
            assert_close(&out, &expected, 4e-6);
            crate::testing::same_for_every_thread_count(|| {
                let mut out = vec![f32::NAN; s.queries_len()];
                attention_cached(&mut out, &q, &cache, (s.seq_q, s.heads), &rule);
                out
            });
        }
    }
}

/// Rules and shapes that between them take every branch of the blocked loops.
fn rules() -> Vec<(Shape, Rule<'static>)> {
    const FIRST: [i64; 140] = {
        let mut first = [0; 140];
        let mut i = 0;
        while i < 140 {
            // Documents of 33 keys; query 7 sees nothing.
            first[i] = if i == 7 {
                200
            } else {
                (i as i64 % 70 + 9) / 33 * 33
            };
            i += 1;
        }
        first
    };
    let causal = Rule {
        causal: true,
        scale: 0.3,
        ..Rule::default()
    };
    let shape = |seq_q, seq_k, [heads, kv_heads]: [usize; 2], head_dim| Shape {
        batch: 2,
        seq_q,
        seq_k,
        heads,
        kv_heads,
        head_dim,
    };
    let mut all = vec![];
    for head_dim in [1_u32, 5, 16, 32, 40, 64, 96, 128, 256] {
        let scale = 1.0 / f64::from(head_dim).sqrt();
        all.push((
            shape(67, 131, [2, 1], head_dim as usize),
            Rule { scale, ..causal },
        ));
    }
    let packed = Rule {
        first_key: Some(&FIRST),
        ..causal
    };
    let windowed = Rule {
        window: Some(20),
        softcap: Some(2.0),
        ..causal
    };
    let padded = Rule {
        key_lengths: Some(&[79, 0]),
        causal: false,
        ..causal
    };
    for rule in [causal, packed, windowed, padded] {
        all.push((shape(70, 79, [6, 2], 24), rule));
    }
    for seq_q in [1, 2, 7, 31, 32] {
        all.push((shape(seq_q, 90, [6, 2], 16), causal));
        all.push((
            shape(seq_q, 90, [3, 3], 16),
            Rule {
                window: Some(30),
                ..causal
            },
        ));
    }
    all.push((shape(3, 3, [40, 1], 8), causal));
    all
}

/// Output, log-sums and gradients.
type Results<T> = [Vec<T>; 5];

fn inputs_of<T: Float>(s: &Shape) -> [Vec<T>; 4] {
    [
        (s.queries_len(), 1),
        (s.keys_len(), 2),
        (s.keys_len(), 3),
        (s.queries_len(), 4),
    ]
    .map(|(len, seed)| noise(len, seed))
}

fn run<T: Float>(
    s: &Shape,
    [q, k, v, d_out]: &[Vec<T>; 4],
    forward: impl Fn([&mut [T]; 2], &Inputs<T>),
    backward: impl Fn(Gradients<T>, &Inputs<T>, (&Saved<T>, &Heads<T>)),
) -> Results<T> {
    let nan = T::from_f64(f64::NAN);
    let keys = |x| Heads::dense(x, s.seq_k, s.kv_heads, s.head_dim);
    let queries = |x| Heads::dense(x, s.seq_q, s.heads, s.head_dim);
    let inputs = Inputs {
        q: queries(q),
        k: keys(k),
        v: keys(v),
    };
    let (mut out, mut log_sum) = (vec![nan; s.queries_len()], vec![nan; s.rows()]);
    forward([&mut out, &mut log_sum], &inputs);
    let [mut d_q, mut d_k, mut d_v] = [s.queries_len(), s.keys_len(), s.keys_len()].map(|len| vec![nan; len]);
    let gradients = Gradients {
        d_q: &mut d_q,
        d_k: &mut d_k,
        d_v: &mut d_v,
    };
    let saved = Saved {
        out: &out,
        log_sum: &log_sum,
    };
    backward(gradients, &inputs, (&saved, &queries(d_out)));
    [out, log_sum, d_q, d_k, d_v]
}

fn blocked<T: Float>(isa: Isa, s: &Shape, rule: &Rule, inputs: &[Vec<T>; 4]) -> Results<T> {
    run(
        s,
        inputs,
        |outputs, inputs| T::forward_on(isa, outputs, inputs, s, rule),
        |gradients, inputs, saved| T::backward_on(isa, gradients, inputs, saved, (s, rule)),
    )
}

fn by_definition<T: Float>(s: &Shape, rule: &Rule, inputs: &[Vec<T>; 4]) -> Results<T> {
    run(
        s,
        inputs,
        |[out, log_sum], inputs| naive::attention(out, log_sum, inputs, s, rule),
        |gradients, inputs, saved| naive::attention_backward(gradients, inputs, saved, s, rule),
    )
}

fn assert_same<T: Float>(got: &Results<T>, want: &Results<f64>, tolerance: f64) {
    for (got, want) in got.iter().zip(want) {
        let largest = want
            .iter()
            .filter(|x| x.is_finite())
            .fold(1.0_f64, |max, x| max.max(x.abs()));
        assert_close(got, want, tolerance * largest);
    }
}

#[test]
fn blocked_attention_equals_the_definition_on_every_instruction_set() {
    for (shape, rule) in rules() {
        let wide: [Vec<f64>; 4] = inputs_of(&shape);
        let want = by_definition(&shape, &rule, &wide);
        assert_same(&blocked(isa(), &shape, &rule, &wide), &want, 1e-12);
        for isa in crate::isa::available() {
            let got = blocked::<f32>(isa, &shape, &rule, &inputs_of(&shape));
            assert_same(&got, &want, 4e-6);
        }
    }
}

#[test]
fn products_of_bf16_pairs_are_as_near_as_their_eight_bits() {
    /// Two roundings of half of 2⁻⁸ each, relative to the largest result.
    const TOLERANCE: f64 = 1.2e-2;
    for (shape, rule) in rules() {
        let rule = Rule {
            precision: Precision::Bf16,
            ..rule
        };
        let want = by_definition(&shape, &rule, &inputs_of(&shape));
        for isa in crate::isa::available() {
            let got = blocked::<f32>(isa, &shape, &rule, &inputs_of(&shape));
            assert_same(&got, &want, TOLERANCE);
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let (shape, rule) = rules()[9];
    let inputs: [Vec<f32>; 4] = inputs_of(&shape);
    for precision in Precision::ALL {
        let rule = Rule { precision, ..rule };
        crate::testing::same_for_every_thread_count(|| blocked(isa(), &shape, &rule, &inputs));
    }
}
