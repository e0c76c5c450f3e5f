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

#[test]
fn cached_attention_equals_attention_over_what_the_cache_holds() {
    for cache_type in [CacheType::F32, CacheType::Bf16, CacheType::Int8] {
        let s = shape(3, 21);
        let (q, k, v) = (
            noise::<f32>(s.queries_len(), 1),
            noise::<f32>(s.keys_len(), 2),
            noise::<f32>(s.keys_len(), 3),
        );
        let dense = |x| Heads::dense(x, s.seq_k, s.kv_heads, s.head_dim);
        let mut cache = Cache::new(CacheShape {
            batch: s.batch,
            kv_heads: s.kv_heads,
            head_dim: s.head_dim,
            cache_type,
        });
        for (start, end) in [(0, 15), (15, 18), (18, 21)] {
            cache.reserve(end);
            // One sequence after the other, as the views of a batch of chunks would.
            let chunk = |data: &[f32]| -> Vec<f32> {
                let row = s.kv_heads * s.head_dim;
                data.chunks_exact(s.seq_k * row)
                    .flat_map(|sequence| sequence[start * row..end * row].to_vec())
                    .collect()
            };
            let (k, v) = (chunk(&k), chunk(&v));
            let dense = |x| Heads::dense(x, end - start, s.kv_heads, s.head_dim);
            cache.append(&dense(&k), &dense(&v), end - start);
        }
        let (mut k, mut v) = (vec![0.0; s.keys_len()], vec![0.0; s.keys_len()]);
        cache.read(&mut k, &mut v);
        let rule = Rule {
            causal: true,
            scale: 0.4,
            ..Rule::default()
        };
        let inputs = Inputs {
            q: Heads::dense(&q, s.seq_q, s.heads, s.head_dim),
            k: dense(&k),
            v: dense(&v),
        };
        let (mut expected, mut log_sum) = (vec![0.0; s.queries_len()], vec![0.0; s.rows()]);
        naive::attention(&mut expected, &mut log_sum, &inputs, &s, &rule);
        let mut out = vec![f32::NAN; s.queries_len()];
        attention_cached(&mut out, &inputs.q, &cache, (s.seq_q, s.heads), &rule);
        let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
        assert_close(&out, &expected, 1e-6);
    }
}
