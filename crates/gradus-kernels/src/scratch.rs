//! Working memory that each thread keeps between calls, so that kernels allocate nothing in a steady loop.

use std::cell::RefCell;

use crate::aligned::{LINE_BYTES, Line};

thread_local! {
    /// Buffers not in use, the last returned on top: nested calls each find the one they had before.
    static BUFFERS: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `body` with `len` elements of unspecified value. A buffer grows to the largest request that met it and stays
/// with the thread; a call from inside `body` uses another one.
pub(crate) fn with_scratch<T: bytemuck::Pod, R>(len: usize, body: impl FnOnce(&mut [T]) -> R) -> R {
    let mut lines = BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_default();
    let needed = (len * size_of::<T>()).div_ceil(LINE_BYTES);
    if lines.len() < needed {
        lines.resize(needed, Line::ZERO);
    }
    let result = body(&mut bytemuck::cast_slice_mut(&mut lines)[..len]);
    BUFFERS.with_borrow_mut(|buffers| buffers.push(lines));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_calls_keep_their_memory_apart_and_find_it_again() {
        let both = || {
            with_scratch(100, |outer: &mut [f32]| {
                outer.fill(1.0);
                let inner = with_scratch(50, |inner: &mut [f64]| {
                    inner.fill(2.0);
                    inner.as_ptr() as usize
                });
                assert!(outer.iter().all(|&x| x == 1.0));
                (outer.as_ptr() as usize, inner)
            })
        };
        let first = both();
        assert_ne!(first.0, first.1);
        assert_eq!(both(), first);
    }
}
