//! Keys and values of earlier positions, for generation.
//!
//! A [`KvCache`] has a [`KvCacheLayer`] for each layer of a model. Its memory grows by doubling as positions are added, up to
//! the limit it was made with, so steady steps allocate nothing. Unlike tensors it is changed in place.

use gradus_kernels::attention::Shape;
use gradus_kernels::attention::cache::{self, Cache, CacheShape, CacheType};

use crate::autograd::refuse_tracked;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::ops::{AttentionOptions, check_mask, heads, rows_contiguous};
use crate::tensor::Tensor;

/// Positions that memory is first taken for.
const FIRST_CAPACITY: usize = 64;

/// Sizes of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvCacheOptions {
    /// Layers of the model.
    pub layers: usize,
    /// Sequences that go forward together, all of the same length (padded on the left where they are not; see
    /// [`AttentionOptions::first_key`]).
    pub batch: usize,
    /// Heads of keys and values.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Positions it may grow to.
    pub max_len: usize,
    /// How elements are stored.
    pub cache_type: CacheType,
}

/// The caches of all layers of a model.
#[derive(Clone, Debug)]
pub struct KvCache {
    options: KvCacheOptions,
    layers: Vec<KvCacheLayer>,
}

impl KvCache {
    /// An empty cache, which takes no memory yet.
    pub fn new(options: KvCacheOptions) -> KvCache {
        KvCache {
            options,
            layers: vec![KvCacheLayer::new(&options); options.layers],
        }
    }

    /// The sizes it was made with.
    pub fn options(&self) -> &KvCacheOptions {
        &self.options
    }

    /// Positions that every layer holds: where the next token stands.
    pub fn len(&self) -> usize {
        self.layers.iter().map(KvCacheLayer::len).min().unwrap_or(0)
    }

    /// Whether no position is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets the positions from `len` on and keeps the memory, so that a common beginning is computed once; does nothing if
    /// there are none.
    pub fn truncate(&mut self, len: usize) {
        self.layers.iter_mut().for_each(|layer| layer.truncate(len));
    }

    /// Makes every sequence of this cache continue the one that `prefix` holds; what it held is forgotten. So texts with a
    /// common beginning go forward together and the beginning is computed once.
    ///
    /// # Errors
    /// [`Error::InvalidShape`] when `prefix` holds several sequences or is of another model, [`Error::CacheFull`] when it holds
    /// more positions than this cache may.
    pub fn branch(&mut self, prefix: &KvCache) -> Result<()> {
        let (mine, other) = (self.options, prefix.options);
        let sizes = |options: KvCacheOptions| [options.layers, options.kv_heads, options.head_dim];
        if other.batch != 1 || sizes(mine) != sizes(other) || mine.cache_type != other.cache_type {
            return Err(Error::InvalidShape {
                op: "branch",
                shape: vec![other.layers, other.batch, other.kv_heads, other.head_dim],
                rule: "a cache [layers, batch, kv_heads, head_dim] branches from one of batch 1 with the same sizes and elements",
            });
        }
        if prefix.len() > mine.max_len {
            return Err(Error::CacheFull {
                held: 0,
                added: prefix.len(),
                limit: mine.max_len,
            });
        }
        for (layer, source) in self.layers.iter_mut().zip(&prefix.layers) {
            layer.cache.branch(&source.cache);
        }
        Ok(())
    }

    /// Bytes of memory taken.
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(KvCacheLayer::bytes).sum()
    }

    /// The layers in order, for a model's forward.
    pub fn layers_mut(&mut self) -> &mut [KvCacheLayer] {
        &mut self.layers
    }
}

/// The cache of one layer.
#[derive(Clone, Debug)]
pub struct KvCacheLayer {
    cache: Cache,
    max_len: usize,
}

impl KvCacheLayer {
    /// An empty layer; [`KvCacheOptions::layers`] is not looked at.
    pub fn new(options: &KvCacheOptions) -> KvCacheLayer {
        let cache = Cache::new(CacheShape {
            batch: options.batch,
            kv_heads: options.kv_heads,
            head_dim: options.head_dim,
            cache_type: options.cache_type,
        });
        KvCacheLayer {
            cache,
            max_len: options.max_len,
        }
    }

    /// Positions held.
    pub fn len(&self) -> usize {
        self.cache.len()
    }

    /// Whether no position is held.
    pub fn is_empty(&self) -> bool {
        self.cache.is_empty()
    }

    /// Forgets the positions from `len` on; does nothing if there are none.
    pub fn truncate(&mut self, len: usize) {
        self.cache.truncate(len);
    }

    /// Bytes of memory taken.
    pub fn bytes(&self) -> usize {
        self.cache.bytes()
    }

    fn append(&mut self, k: &Tensor, v: &Tensor) -> Result<()> {
        let (added, held) = (k.shape()[1], self.cache.len());
        let wanted = held + added;
        if wanted > self.max_len {
            return Err(Error::CacheFull {
                held,
                added,
                limit: self.max_len,
            });
        }
        if wanted > self.cache.capacity() {
            let doubled = wanted.max(2 * self.cache.capacity()).max(FIRST_CAPACITY);
            self.cache.reserve(doubled.min(self.max_len));
        }
        let [k, v] = [k, v].map(rows_contiguous);
        let (k, v) = (k?, v?);
        self.cache.append(&heads(&k)?, &heads(&v)?, added);
        Ok(())
    }
}

impl Tensor {
    /// Adds `k` and `v` `[batch, seq, kv_heads, head_dim]` to the cache, then gives the [`attention`](Tensor::attention) of the
    /// queries `self` `[batch, seq, heads, head_dim]` over all it holds: the prompt in one call or in chunks, then a token at a
    /// time. The queries stand at the last `seq` positions; with [`causal`](AttentionOptions::causal), results equal those of one
    /// uncached call up to rounding, and to that of the cache's elements. All tensors are `f32`.
    ///
    /// # Errors
    /// As [`attention`](Tensor::attention); [`Error::CacheFull`] past the limit, [`Error::ShapeMismatch`] when the cache has other
    /// sizes, [`Error::NoGradient`] for tracked inputs while gradients are recorded. The cache is unchanged then.
    ///
    /// ```
    /// use gradus_tensor::{AttentionOptions, CacheType, DType, KvCache, KvCacheOptions, Tensor};
    /// let mut cache = KvCache::new(KvCacheOptions {
    ///     layers: 1, batch: 1, kv_heads: 2, head_dim: 8, max_len: 100, cache_type: CacheType::Bf16,
    /// });
    /// for seq in [5, 1, 1] {
    ///     let [q, k, v] = [4, 2, 2].map(|heads| Tensor::ones([1, seq, heads, 8], DType::F32));
    ///     q.attention_cached(&k, &v, &mut cache.layers_mut()[0], &AttentionOptions::causal())?;
    /// }
    /// assert_eq!(cache.len(), 7);
    /// # Ok::<(), gradus_tensor::Error>(())
    /// ```
    pub fn attention_cached(
        &self,
        k: &Tensor,
        v: &Tensor,
        cache: &mut KvCacheLayer,
        options: &AttentionOptions,
    ) -> Result<Tensor> {
        let op = "attention_cached";
        refuse_tracked(op, &[self, k, v])?;
        let shape = cached_shape(self, k, v, cache)?;
        let mask = check_mask(&shape, options)?;
        let q = rows_contiguous(self)?;
        cache.append(k, v)?;
        let (q, rule) = (heads::<f32>(&q)?, mask.rule()?);
        Ok(Tensor::build(self.shape(), |out| {
            cache::attention_cached(out, &q, &cache.cache, (shape.seq_q, shape.heads), &rule);
        }))
    }
}

/// The sizes of the attention once `k` and `v` have been added.
fn cached_shape(q: &Tensor, k: &Tensor, v: &Tensor, cache: &KvCacheLayer) -> Result<Shape> {
    let op = "attention_cached";
    for x in [q, k, v] {
        if x.dtype() != DType::F32 {
            return Err(Error::UnsupportedDType {
                op,
                got: x.dtype(),
                expected: "f32",
            });
        }
        if x.rank() != 4 {
            return Err(Error::InvalidShape {
                op,
                shape: x.shape().to_vec(),
                rule: "queries, keys and values are [batch, seq, heads, head_dim]",
            });
        }
    }
    let held = cache.cache.shape();
    let (q_shape, k_shape) = (q.shape(), k.shape());
    let wanted = [held.batch, q_shape[1], held.kv_heads, held.head_dim];
    for x in [k, v] {
        if x.shape() != wanted {
            return Err(Error::ShapeMismatch {
                op,
                lhs: x.shape().to_vec(),
                rhs: wanted.to_vec(),
                rule: "keys and values are [batch, seq, kv_heads, head_dim], with the sizes of the cache and one position a query",
            });
        }
    }
    let divides = held.kv_heads > 0 && q_shape[2].is_multiple_of(held.kv_heads);
    if q_shape[0] != held.batch || q_shape[3] != held.head_dim || !divides {
        return Err(Error::ShapeMismatch {
            op,
            lhs: q_shape.to_vec(),
            rhs: k_shape.to_vec(),
            rule: "batch and head_dim are the same, and the heads of the keys divide those of the queries",
        });
    }
    Ok(Shape {
        batch: held.batch,
        seq_q: q_shape[1],
        seq_k: cache.len() + k_shape[1],
        heads: q_shape[2],
        kv_heads: held.kv_heads,
        head_dim: held.head_dim,
    })
}
