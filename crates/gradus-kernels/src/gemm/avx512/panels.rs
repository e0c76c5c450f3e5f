//! A right-hand operand packed whole.

use std::marker::PhantomData;

use super::pack::panel_len;
use super::tile::COLS;
use super::words::{Words, words};
use crate::aligned::{LINE_BYTES, Line};
use crate::pool::{SharedMut, parallel_for};

/// B packed as `[panel][word][32 columns]`, the last panel filled up with zeros.
#[derive(Clone)]
pub(in crate::gemm) struct PackedPanels<W> {
    lines: Vec<Line>,
    /// Words along the sum.
    words: usize,
    kind: PhantomData<W>,
}

impl<W> std::fmt::Debug for PackedPanels<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackedPanels")
            .field("words", &self.words)
            .finish_non_exhaustive()
    }
}

impl<W: Words> PackedPanels<W> {
    /// Packs the transposed of `columns`, which has `shape` (columns of B, terms of the sum).
    ///
    /// # Safety
    /// The machine has the instructions of the words.
    pub(in crate::gemm) unsafe fn new(columns: W::Matrix<'_>, shape: (usize, usize)) -> Self {
        let (cols, terms) = shape;
        let words = words::<W>(terms);
        let len = panel_len(words);
        let panels = cols.div_ceil(COLS);
        let mut lines = vec![Line::ZERO; panels * len * size_of::<u32>() / LINE_BYTES];
        let base = SharedMut(lines.as_mut_ptr().cast::<u32>());
        parallel_for(panels, |panel| {
            let col = panel * COLS;
            let side = (col, COLS.min(cols - col));
            // SAFETY: the columns lie in the matrix, the panel in `lines`, and no two panels overlap; the caller
            // promises the instructions.
            unsafe { W::pack_rows(&columns, (0, terms), side, base.get().add(panel * len), COLS) };
        });
        PackedPanels {
            lines,
            words,
            kind: PhantomData,
        }
    }

    /// Word `word` of a panel.
    pub(super) fn at(&self, panel: usize, word: usize) -> *const u32 {
        let start = self.lines.as_ptr().cast::<u32>();
        start.wrapping_add(panel * panel_len(self.words) + word * COLS)
    }
}
