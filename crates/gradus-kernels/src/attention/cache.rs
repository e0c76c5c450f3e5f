//! Keys and values of earlier positions, kept between calls so that each is computed once.
//!
//! A head's values lie position after position. Its keys lie in groups of sixteen positions, `[head_dim][16]`, so that the
//! scores of sixteen keys are one chain of multiply-adds over vectors read in order, without sums across a vector.
//! 8-bit elements share a scale per position and head: `scale = max |x| / 127`.

use half::bf16;

use super::{Heads, Inputs, Rule, Shape, attention};
use crate::aligned::{LINE_BYTES, Line};
use crate::scratch::with_scratch;

/// Keys side by side in memory: the lanes of a 512-bit vector of `f32`.
pub const KEY_GROUP: usize = 16;

/// How a cache stores its elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CacheType {
    /// As they come.
    #[default]
    F32,
    /// Rounded to bf16: half the memory.
    Bf16,
    /// Rounded to 8-bit integers with one `f32` scale for each position and head: about a quarter of the memory.
    Int8,
}

impl CacheType {
    /// Bytes of one element, scales aside.
    pub const fn size_bytes(self) -> usize {
        match self {
            CacheType::F32 => 4,
            CacheType::Bf16 => 2,
            CacheType::Int8 => 1,
        }
    }
}

/// Sizes of a cache that do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheShape {
    /// Sequences, all of the same length.
    pub batch: usize,
    /// Heads of keys and values.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// How the elements are stored.
    pub cache_type: CacheType,
}

/// The keys and values of one layer.
#[derive(Clone, Debug)]
pub struct Cache {
    shape: CacheShape,
    len: usize,
    capacity: usize,
    /// `[batch, kv_heads, capacity / 16, head_dim, 16]`.
    keys: Vec<Line>,
    /// `[batch, kv_heads, capacity, head_dim]`.
    values: Vec<Line>,
    /// `[batch, kv_heads, capacity]`, for 8-bit elements.
    key_scales: Vec<f32>,
    value_scales: Vec<f32>,
}

impl Cache {
    /// An empty cache without memory; [`reserve`](Cache::reserve) gives it some.
    pub fn new(shape: CacheShape) -> Self {
        Cache {
            shape,
            len: 0,
            capacity: 0,
            keys: Vec::new(),
            values: Vec::new(),
            key_scales: Vec::new(),
            value_scales: Vec::new(),
        }
    }

    /// Its fixed sizes.
    pub fn shape(&self) -> &CacheShape {
        &self.shape
    }

    /// Positions held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no position is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Positions there is memory for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes of memory taken.
    pub fn bytes(&self) -> usize {
        let scales = self.key_scales.len() + self.value_scales.len();
        (self.keys.len() + self.values.len()) * LINE_BYTES + scales * size_of::<f32>()
    }

    /// Forgets the positions from `len` on, if there are any; keeps the memory.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Makes room for at least `capacity` positions, keeping those held.
    pub fn reserve(&mut self, capacity: usize) {
        if capacity <= self.capacity {
            return;
        }
        let capacity = capacity.next_multiple_of(KEY_GROUP);
        let (from, to) = (self.capacity, capacity);
        let heads = self.shape.batch * self.shape.kv_heads;
        let row_bytes = self.shape.head_dim * self.shape.cache_type.size_bytes();
        for lines in [&mut self.keys, &mut self.values] {
            let mut grown: Vec<Line> = bytemuck::zeroed_vec((heads * to * row_bytes).div_ceil(LINE_BYTES));
            let (old, new) = (
                bytemuck::cast_slice::<Line, u8>(lines),
                bytemuck::cast_slice_mut::<Line, u8>(&mut grown),
            );
            copy_prefixes(new, old, [to, from].map(|positions| positions * row_bytes));
            *lines = grown;
        }
        if self.shape.cache_type == CacheType::Int8 {
            for scales in [&mut self.key_scales, &mut self.value_scales] {
                let mut grown = vec![0.0; heads * to];
                copy_prefixes(&mut grown, scales, [to, from]);
                *scales = grown;
            }
        }
        self.capacity = capacity;
    }

    /// Adds `seq` positions of `k` and `v` `[batch, seq, kv_heads, head_dim]`.
    ///
    /// # Panics
    /// If there is no room, or a view reaches out of its data.
    pub fn append(&mut self, k: &Heads<f32>, v: &Heads<f32>, seq: usize) {
        let CacheShape {
            batch,
            kv_heads,
            head_dim,
            cache_type,
        } = self.shape;
        assert!(
            self.len + seq <= self.capacity,
            "cache: no room for {seq} positions"
        );
        assert!(
            [k, v].iter().all(|x| x.fits([batch, seq, kv_heads, head_dim])),
            "cache: an input reaches out of its data"
        );
        match cache_type {
            CacheType::F32 => self.append_as::<f32>(k, v, seq),
            CacheType::Bf16 => self.append_as::<bf16>(k, v, seq),
            CacheType::Int8 => self.append_as::<i8>(k, v, seq),
        }
        self.len += seq;
    }

    fn append_as<S: Stored>(&mut self, k: &Heads<f32>, v: &Heads<f32>, seq: usize) {
        let CacheShape {
            kv_heads, head_dim, ..
        } = self.shape;
        let keys = bytemuck::cast_slice_mut::<Line, S>(&mut self.keys);
        let values = bytemuck::cast_slice_mut::<Line, S>(&mut self.values);
        for pair in 0..self.shape.batch * kv_heads {
            for i in 0..seq {
                let at = pair * self.capacity + self.len + i;
                let row = |x: &Heads<f32>| x.start(pair / kv_heads, i, pair % kv_heads);
                let (k, v) = (&k.data[row(k)..][..head_dim], &v.data[row(v)..][..head_dim]);
                let lane = at / KEY_GROUP * KEY_GROUP * head_dim + at % KEY_GROUP;
                let scale = S::scale(k);
                for (stored, &x) in keys[lane..].iter_mut().step_by(KEY_GROUP).zip(k) {
                    *stored = S::encode(x, scale);
                }
                self.key_scales
                    .get_mut(at)
                    .into_iter()
                    .for_each(|slot| *slot = scale);
                let scale = S::scale(v);
                for (stored, &x) in values[at * head_dim..].iter_mut().zip(v) {
                    *stored = S::encode(x, scale);
                }
                self.value_scales
                    .get_mut(at)
                    .into_iter()
                    .for_each(|slot| *slot = scale);
            }
        }
    }

    /// The keys and values held, as they will be read, dense `[batch, len, kv_heads, head_dim]`.
    pub fn read(&self, k: &mut [f32], v: &mut [f32]) {
        match self.shape.cache_type {
            CacheType::F32 => self.read_as::<f32>(k, v),
            CacheType::Bf16 => self.read_as::<bf16>(k, v),
            CacheType::Int8 => self.read_as::<i8>(k, v),
        }
    }

    fn read_as<S: Stored>(&self, k: &mut [f32], v: &mut [f32]) {
        let CacheShape {
            kv_heads, head_dim, ..
        } = self.shape;
        let keys = bytemuck::cast_slice::<Line, S>(&self.keys);
        let values = bytemuck::cast_slice::<Line, S>(&self.values);
        let dense = Heads::dense(&[] as &[f32], self.len, kv_heads, head_dim);
        for pair in 0..self.shape.batch * kv_heads {
            for i in 0..self.len {
                let at = pair * self.capacity + i;
                let start = dense.start(pair / kv_heads, i, pair % kv_heads);
                let scale = |scales: &[f32]| scales.get(at).copied().unwrap_or(1.0);
                let lane = at / KEY_GROUP * KEY_GROUP * head_dim + at % KEY_GROUP;
                let stored = keys[lane..].iter().step_by(KEY_GROUP);
                for (out, &x) in k[start..start + head_dim].iter_mut().zip(stored) {
                    *out = x.decode() * scale(&self.key_scales);
                }
                for (out, &x) in v[start..start + head_dim]
                    .iter_mut()
                    .zip(&values[at * head_dim..])
                {
                    *out = x.decode() * scale(&self.value_scales);
                }
            }
        }
    }
}

/// Copies what `old` holds in runs of `from` elements to the starts of runs of `to` elements.
fn copy_prefixes<T: Copy>(new: &mut [T], old: &[T], [to, from]: [usize; 2]) {
    if from > 0 {
        for (new, old) in new.chunks_exact_mut(to).zip(old.chunks_exact(from)) {
            new[..from].copy_from_slice(old);
        }
    }
}

/// An element of a cache.
trait Stored: bytemuck::Pod {
    /// The scale that a row is stored with.
    fn scale(row: &[f32]) -> f32;
    /// The nearest element to `x / scale`.
    fn encode(x: f32, scale: f32) -> Self;
    /// The number, scale aside.
    fn decode(self) -> f32;
}

impl Stored for f32 {
    fn scale(_row: &[f32]) -> f32 {
        1.0
    }
    fn encode(x: f32, _scale: f32) -> Self {
        x
    }
    fn decode(self) -> f32 {
        self
    }
}

impl Stored for bf16 {
    fn scale(_row: &[f32]) -> f32 {
        1.0
    }
    fn encode(x: f32, _scale: f32) -> Self {
        bf16::from_f32(x)
    }
    fn decode(self) -> f32 {
        self.to_f32()
    }
}

impl Stored for i8 {
    fn scale(row: &[f32]) -> f32 {
        row.iter().fold(0.0, |max: f32, x| max.max(x.abs())) / 127.0
    }
    fn encode(x: f32, scale: f32) -> Self {
        // A row of zeros has scale zero.
        if scale > 0.0 {
            (x / scale).round_ties_even() as i8
        } else {
            0
        }
    }
    fn decode(self) -> f32 {
        f32::from(self)
    }
}

/// Attention of queries `[batch, seq_q, heads, head_dim]`, which stand at the last `seq_q` positions of the cache, over all
/// that it holds. `out` is dense and like the queries.
///
/// # Panics
/// If sizes do not fit together.
pub fn attention_cached(
    out: &mut [f32],
    q: &Heads<f32>,
    cache: &Cache,
    (seq_q, heads): (usize, usize),
    rule: &Rule,
) {
    let CacheShape {
        batch,
        kv_heads,
        head_dim,
        ..
    } = cache.shape;
    let shape = Shape {
        batch,
        seq_q,
        seq_k: cache.len,
        heads,
        kv_heads,
        head_dim,
    };
    with_scratch(2 * shape.keys_len() + shape.rows(), |scratch: &mut [f32]| {
        let (k, rest) = scratch.split_at_mut(shape.keys_len());
        let (v, log_sum) = rest.split_at_mut(shape.keys_len());
        cache.read(k, v);
        let [k, v] = [&*k, &*v].map(|x| Heads::dense(x, cache.len, kv_heads, head_dim));
        attention(out, log_sum, &Inputs { q: *q, k, v }, &shape, rule);
    });
}
