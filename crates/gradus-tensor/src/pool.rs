//! The buffer pool: freed tensor memory waits here for the next tensor of its size.
//!
//! A training step asks for the same sizes as the step before, so after the first steps every request is served
//! from here and none reaches the allocator. Recycled buffers keep their old contents: whoever takes one overwrites
//! all of it. No more waits than was in use at the peak; beyond that, freed memory goes back to the system.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use gradus_kernels::aligned::{LINE_BYTES, Line};

/// Counts of the pool since the program started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Requests that reached the system's allocator.
    pub allocations: u64,
    /// Requests served from freed buffers.
    pub reuses: u64,
    /// Bytes in living tensors.
    pub live_bytes: usize,
    /// The highest `live_bytes` so far.
    pub peak_bytes: usize,
    /// Bytes that wait to be used again.
    pub free_bytes: usize,
}

/// The waiting buffers of one size.
#[derive(Default)]
struct Class {
    buffers: Vec<Vec<Line>>,
    /// When a buffer of this size was last asked for or given back, in calls of the pool.
    last_use: u64,
}

#[derive(Default)]
struct Pool {
    /// By lines of a buffer.
    free: HashMap<usize, Class>,
    calls: u64,
    stats: PoolStats,
}

impl Pool {
    fn class(&mut self, lines: usize) -> &mut Class {
        self.calls += 1;
        let class = self.free.entry(lines).or_default();
        class.last_use = self.calls;
        class
    }

    /// Takes out the buffer whose size was used longest ago.
    fn evict(&mut self) -> Option<Vec<Line>> {
        let waiting = self.free.values_mut().filter(|class| !class.buffers.is_empty());
        let buffer = waiting.min_by_key(|class| class.last_use)?.buffers.pop()?;
        self.stats.free_bytes -= buffer.len() * LINE_BYTES;
        Some(buffer)
    }
}

static POOL: LazyLock<Mutex<Pool>> = LazyLock::new(Mutex::default);

/// The pool's state is a set of counters and lists that no panic can leave half-changed.
fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the pool has done so far, in this process.
pub fn pool_stats() -> PoolStats {
    pool().stats
}

/// Returns all waiting buffers to the system.
pub fn pool_trim() {
    let mut pool = pool();
    pool.free.clear();
    pool.stats.free_bytes = 0;
}

/// A buffer of at least `bytes` bytes. Its contents are arbitrary (but initialised).
pub(crate) fn take(bytes: usize) -> Vec<Line> {
    let lines = size_class(bytes.div_ceil(LINE_BYTES));
    if lines == 0 {
        return Vec::new();
    }
    let size = lines * LINE_BYTES;
    let mut pool = pool();
    pool.stats.live_bytes += size;
    pool.stats.peak_bytes = pool.stats.peak_bytes.max(pool.stats.live_bytes);
    if let Some(buffer) = pool.class(lines).buffers.pop() {
        pool.stats.reuses += 1;
        pool.stats.free_bytes -= size;
        return buffer;
    }
    pool.stats.allocations += 1;
    drop(pool);
    // Zeroed once, on the way in: what is recycled need only be initialised.
    bytemuck::zeroed_vec(lines)
}

/// Gives a buffer from [`take`] back.
pub(crate) fn give(buffer: Vec<Line>) {
    if buffer.is_empty() {
        return;
    }
    let size = buffer.len() * LINE_BYTES;
    let mut pool = pool();
    pool.stats.live_bytes -= size;
    pool.stats.free_bytes += size;
    pool.class(buffer.len()).buffers.push(buffer);
    // Returned after the lock is: the system takes its time over large ones.
    let mut evicted = Vec::new();
    while pool.stats.free_bytes > pool.stats.peak_bytes {
        evicted.extend(pool.evict());
    }
    drop(pool);
}

/// Rounds up to one of eight sizes per power of two, so that near-equal requests share buffers at a cost of at most
/// one eighth in memory.
fn size_class(lines: usize) -> usize {
    let step = (lines.next_power_of_two() / 16).max(1);
    lines.div_ceil(step) * step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_classes_waste_at_most_an_eighth() {
        for lines in 1..5000 {
            let class = size_class(lines);
            assert!(
                class >= lines && class <= lines + lines / 8,
                "{lines} became {class}"
            );
        }
        assert_eq!(size_class(0), 0);
    }

    #[test]
    fn a_freed_buffer_serves_the_next_request_of_its_size() {
        let size = 777_216;
        // A second buffer lifts the peak, which bounds what may wait, above what other tests leave behind.
        let (first, other) = (take(size), take(size));
        let address = first.as_ptr();
        give(first);
        let second = take(size);
        assert_eq!(second.as_ptr(), address);
        give(second);
        give(other);
    }
}
