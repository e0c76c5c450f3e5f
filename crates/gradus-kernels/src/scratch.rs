//! Working memory that each thread keeps between calls, so that kernels allocate nothing in a steady loop.

use std::cell::RefCell;

use crate::aligned::{LINE_BYTES, Line};

thread_local! {
    static LINES: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// Runs `body` with `len` elements of unspecified value. The memory grows to the largest request of this thread and
/// stays. A call from inside `body` gets memory of its own.
pub(crate) fn with_scratch<T: bytemuck::Pod, R>(len: usize, body: impl FnOnce(&mut [T]) -> R) -> R {
    let mut lines = LINES.take();
    lines.resize(
        lines.len().max((len * size_of::<T>()).div_ceil(LINE_BYTES)),
        Line::ZERO,
    );
    let result = body(&mut bytemuck::cast_slice_mut(&mut lines)[..len]);
    LINES.replace(lines);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_its_memory_and_survives_nesting() {
        let first = with_scratch(100, |outer: &mut [f32]| {
            outer.fill(1.0);
            with_scratch(50, |inner: &mut [f64]| inner.fill(2.0));
            assert!(outer.iter().all(|&x| x == 1.0));
            outer.as_ptr() as usize
        });
        // The inner call's buffer was put back first and then replaced by the outer's.
        assert_eq!(
            with_scratch(100, |again: &mut [f32]| again.as_ptr() as usize),
            first
        );
    }
}
