//! Keys and values of earlier positions, kept between calls so that each is computed once.
//!
//! A head's values lie position after position. Its keys lie in groups of sixteen positions, `[head_dim][16]`, so that the
//! scores of sixteen keys are one chain of multiply-adds over vectors read in order, without sums across a vector.
//! 8-bit elements share a scale per position and head: `scale = max |x| / 127`.

use half::bf16;

use super::engine::{Engine, Portable};
use super::forward::{self, Block, KEY_BLOCK, Outputs, Source};
use super::panel::PANEL;
use super::stored::{Stored, decode_group, decode_rows, encode_row};
use super::{Heads, Rule, Shape, decode, on_engine};
use crate::aligned::{LINE_BYTES, Line};
use crate::gemm::Precision;
use crate::isa::{Isa, isa};
use crate::matrix::MatRef;
use crate::partition::Pieces;
use crate::pool;

/// Keys side by side in memory: the lanes of a 512-bit vector of `f32`.
pub const KEY_GROUP: usize = 16;

/// Fewer elements than this (about 10 µs) are appended on the caller.
const MIN_PARALLEL_APPEND: usize = 16 * 1024;

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

    /// Becomes copies of the one sequence that `source` holds, as many as this cache has sequences; what it held is forgotten.
    /// Makes room where there is too little.
    ///
    /// # Panics
    /// If `source` has more than one sequence or stores other elements.
    pub fn branch(&mut self, source: &Cache) {
        let one = CacheShape {
            batch: 1,
            ..self.shape
        };
        assert_eq!(source.shape, one, "cache: branches of one sequence");
        self.len = 0;
        self.reserve(source.len);
        // Keys lie in whole groups.
        let positions = source.len.next_multiple_of(KEY_GROUP).min(source.capacity);
        let row_bytes = self.shape.head_dim * self.shape.cache_type.size_bytes();
        let [to, from] = [self.capacity, source.capacity];
        for (lines, old) in [(&mut self.keys, &source.keys), (&mut self.values, &source.values)] {
            let new = bytemuck::cast_slice_mut::<Line, u8>(lines);
            let old = bytemuck::cast_slice::<Line, u8>(old);
            copy_repeated(
                new,
                old,
                [to, from, positions].map(|positions| positions * row_bytes),
            );
        }
        for (new, old) in [
            (&mut self.key_scales, &source.key_scales),
            (&mut self.value_scales, &source.value_scales),
        ] {
            copy_repeated(new, old, [to, from, positions]);
        }
        self.len = source.len;
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
            batch,
            kv_heads,
            head_dim,
            ..
        } = self.shape;
        let (capacity, len) = (self.capacity, self.len);
        let keys = Pieces::new(bytemuck::cast_slice_mut::<Line, S>(&mut self.keys));
        let values = Pieces::new(bytemuck::cast_slice_mut::<Line, S>(&mut self.values));
        let scales = [&mut self.key_scales, &mut self.value_scales].map(|scales| Pieces::new(scales));
        let head = |pair: usize| {
            let positions = pair * capacity..(pair + 1) * capacity;
            let elements = positions.start * head_dim..positions.end * head_dim;
            // SAFETY: each head is written by one task.
            let (keys, values) = unsafe { (keys.get(elements.clone()), values.get(elements)) };
            for i in 0..seq {
                let at = len + i;
                let start = |x: &Heads<f32>| x.start(pair / kv_heads, i, pair % kv_heads);
                let (k, v) = (&k.data[start(k)..][..head_dim], &v.data[start(v)..][..head_dim]);
                let (k_scale, v_scale) = (S::scale(k), S::scale(v));
                let lane = at / KEY_GROUP * KEY_GROUP * head_dim + at % KEY_GROUP;
                for (stored, &x) in keys[lane..].iter_mut().step_by(KEY_GROUP).zip(k) {
                    *stored = S::encode(x, k_scale);
                }
                encode_row(&mut values[at * head_dim..(at + 1) * head_dim], v, v_scale);
                if S::SCALED {
                    let at = positions.start + at;
                    // SAFETY: as above.
                    unsafe { scales[0].get(at..at + 1)[0] = k_scale };
                    // SAFETY: as above.
                    unsafe { scales[1].get(at..at + 1)[0] = v_scale };
                }
            }
        };
        if batch * seq * kv_heads * head_dim < MIN_PARALLEL_APPEND {
            (0..batch * kv_heads).for_each(head);
        } else {
            pool::parallel_for(batch * kv_heads, head);
        }
    }

    fn view<S: Stored>(&self) -> View<'_, S> {
        View {
            keys: bytemuck::cast_slice(&self.keys),
            values: bytemuck::cast_slice(&self.values),
            key_scales: &self.key_scales,
            value_scales: &self.value_scales,
            capacity: self.capacity,
            kv_heads: self.shape.kv_heads,
            head_dim: self.shape.head_dim,
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

/// Copies the first `count` elements of the runs of `from` elements in `old`, over and over, to the starts of the runs of
/// `to` elements in `new`.
fn copy_repeated<T: Copy>(new: &mut [T], old: &[T], [to, from, count]: [usize; 3]) {
    if count > 0 {
        for (new, old) in new.chunks_exact_mut(to).zip(old.chunks_exact(from).cycle()) {
            new[..count].copy_from_slice(&old[..count]);
        }
    }
}

/// A cache of a known element type, for reading. A `pair` is a sequence and a head: `batch · kv_heads + head`.
pub(super) struct View<'a, S> {
    keys: &'a [S],
    values: &'a [S],
    key_scales: &'a [f32],
    value_scales: &'a [f32],
    capacity: usize,
    kv_heads: usize,
    pub head_dim: usize,
}

impl<S: Stored> View<'_, S> {
    /// The group of keys `[head_dim][KEY_GROUP]` that starts at position `at`, and their scales if they have any.
    pub(super) fn group(&self, pair: usize, at: usize) -> (&[S], &[f32]) {
        let start = pair * self.capacity + at;
        let scales = if S::SCALED {
            &self.key_scales[start..start + KEY_GROUP]
        } else {
            &[]
        };
        (
            &self.keys[start * self.head_dim..][..KEY_GROUP * self.head_dim],
            scales,
        )
    }

    /// Rows of values, and their scales if they have any.
    pub(super) fn values(&self, pair: usize, at: std::ops::Range<usize>) -> (&[S], &[f32]) {
        let (start, end) = (pair * self.capacity + at.start, pair * self.capacity + at.end);
        let scales = if S::SCALED {
            &self.value_scales[start..end]
        } else {
            &[]
        };
        (&self.values[start * self.head_dim..end * self.head_dim], scales)
    }

    fn pair(&self, block: &Block) -> usize {
        block.batch * self.kv_heads + block.head
    }
}

impl<S: Stored> Source<f32> for View<'_, S> {
    fn scratch_len(&self) -> usize {
        KEY_BLOCK * self.head_dim
    }

    fn alignment(&self) -> usize {
        KEY_GROUP
    }

    fn scores<E: Engine<f32>>(
        &self,
        engine: E,
        scores: &mut [f32],
        block: &Block,
        queries: MatRef<f32>,
        scratch: &mut [f32],
    ) {
        for (group, scores) in scores.chunks_mut(KEY_GROUP * PANEL).enumerate() {
            let at = block.keys.start + group * KEY_GROUP;
            let (stored, scales) = View::group(self, self.pair(block), at);
            let data = match S::as_numbers(stored) {
                Some(numbers) => numbers,
                None => {
                    let numbers = &mut scratch[..stored.len()];
                    decode_group(numbers, stored, scales);
                    numbers
                }
            };
            let keys = MatRef {
                data,
                rows: KEY_GROUP.min(block.keys.end - at),
                cols: self.head_dim,
                row_stride: 1,
                col_stride: KEY_GROUP,
            };
            engine.product(scores, PANEL, keys, queries, false);
        }
    }

    /// The rows of a head lie one after the other: the machine foresees them.
    fn prefetch(&self, _block: &Block, _next: &Block) {}

    fn values<'a>(&'a self, block: &Block, scratch: &'a mut [f32]) -> MatRef<'a, f32> {
        let (stored, scales) = View::values(self, self.pair(block), block.keys.clone());
        let data = match S::as_numbers(stored) {
            Some(numbers) => numbers,
            None => {
                let numbers = &mut scratch[..stored.len()];
                decode_rows(numbers, stored, scales, self.head_dim);
                numbers
            }
        };
        MatRef::row_major(data, block.keys.len(), self.head_dim).t()
    }
}

/// Attention of queries `[batch, seq_q, heads, head_dim]`, which stand at the last `seq_q` positions of the cache, over all
/// that it holds. `out` is dense and like the queries. The products of a single query are of f32, whatever
/// [`Rule::precision`].
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
        cache_type,
    } = cache.shape;
    let shape = Shape {
        batch,
        seq_q,
        seq_k: cache.len,
        heads,
        kv_heads,
        head_dim,
    };
    assert_eq!(out.len(), shape.queries_len(), "cache: out has the size of q");
    assert!(
        kv_heads * shape.group() == heads && seq_q <= cache.len && q.fits([batch, seq_q, heads, head_dim]),
        "cache: queries fit the cache"
    );
    assert!(rule.fits(&shape), "cache: masks have the sizes of the queries");
    if out.is_empty() {
        return;
    }
    match cache_type {
        CacheType::F32 => attend(out, q, &cache.view::<f32>(), &shape, rule),
        CacheType::Bf16 => attend(out, q, &cache.view::<bf16>(), &shape, rule),
        CacheType::Int8 => attend(out, q, &cache.view::<i8>(), &shape, rule),
    }
}

fn attend<S: Stored>(out: &mut [f32], q: &Heads<f32>, view: &View<S>, shape: &Shape, rule: &Rule) {
    if shape.seq_q == 1 {
        return decode::decode(out, q, view, shape, rule);
    }
    let outputs = Outputs {
        out: Pieces::new(out),
        log_sum: None,
    };
    on_engine!(isa(), rule.precision, engine => forward::forward(engine, &outputs, (q, view), shape, rule));
}
