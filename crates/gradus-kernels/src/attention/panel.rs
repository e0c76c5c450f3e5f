//! Queries side by side: the lanes of a block of scores.

use super::{Rule, Shape};

/// Queries of a panel: the columns of a product tile, two 512-bit vectors of f32.
pub(super) const PANEL: usize = 32;

/// Rows of scores that go through together: queries of one sequence whose heads share one head of keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panel {
    pub batch: usize,
    pub kv_head: usize,
    /// Lanes in use.
    pub lanes: usize,
    /// Head and query of the first lane. Lanes follow each other in the order of queries, then of heads.
    first: (usize, usize),
    seq_q: usize,
    /// The keys that each lane sees. Lanes not in use see what the first does.
    pub starts: [u32; PANEL],
    pub ends: [u32; PANEL],
}

impl Panel {
    /// How many there are: short sequences share panels among the heads of a group.
    pub(super) fn count(shape: &Shape) -> usize {
        shape.batch * shape.kv_heads * Panel::per_kv_head(shape)
    }

    pub(super) fn per_kv_head(shape: &Shape) -> usize {
        shape.group().div_ceil(Panel::heads_together(shape)) * shape.seq_q.div_ceil(PANEL)
    }

    fn heads_together(shape: &Shape) -> usize {
        (PANEL / shape.seq_q.max(1)).clamp(1, shape.group().max(1))
    }

    /// Number `index` of [`count`](Panel::count).
    pub(super) fn new(shape: &Shape, rule: &Rule, index: usize) -> Panel {
        Panel::number(shape, rule, index, Panel::heads_together(shape))
    }

    /// Number `index` of the panels that no two heads share, `group · ⌈seq_q / PANEL⌉` for each head of the keys.
    pub(super) fn of_one_head(shape: &Shape, rule: &Rule, index: usize) -> Panel {
        Panel::number(shape, rule, index, 1)
    }

    fn number(shape: &Shape, rule: &Rule, index: usize, together: usize) -> Panel {
        let per_kv_head = shape.group().div_ceil(together) * shape.seq_q.div_ceil(PANEL);
        let (pair, index) = (index / per_kv_head, index % per_kv_head);
        let (batch, kv_head) = (pair / shape.kv_heads, pair % shape.kv_heads);
        let per_head = shape.seq_q.div_ceil(PANEL);
        // First, last, second, last but one: equal runs of panels are equal work although later queries see more keys.
        let nth = index % per_head;
        let nth = if nth.is_multiple_of(2) {
            nth / 2
        } else {
            per_head - 1 - nth / 2
        };
        let first_head = index / per_head * together;
        let lanes = if together == 1 {
            PANEL.min(shape.seq_q - nth * PANEL)
        } else {
            together.min(shape.group() - first_head) * shape.seq_q
        };
        let mut panel = Panel {
            batch,
            kv_head,
            lanes,
            first: (kv_head * shape.group() + first_head, nth * PANEL),
            seq_q: shape.seq_q,
            starts: [0; PANEL],
            ends: [0; PANEL],
        };
        for lane in 0..PANEL {
            let (_, i) = panel.row(if lane < lanes { lane } else { 0 });
            let keys = rule.visible(shape, batch, i);
            (panel.starts[lane], panel.ends[lane]) = (keys.start as u32, keys.end as u32);
        }
        panel
    }

    /// The head and the query of a lane.
    pub(super) fn row(&self, lane: usize) -> (usize, usize) {
        let at = self.first.1 + lane;
        (self.first.0 + at / self.seq_q, at % self.seq_q)
    }

    /// From the first key that some lane sees to the last.
    pub(super) fn span(&self) -> std::ops::Range<usize> {
        let seen = || (0..PANEL).filter(|&lane| self.starts[lane] < self.ends[lane]);
        let start = seen().map(|lane| self.starts[lane]).min().unwrap_or(0);
        let end = seen().map(|lane| self.ends[lane]).max().unwrap_or(0);
        start as usize..end as usize
    }

    /// Whether every lane sees all of these keys.
    pub(super) fn sees_all(&self, keys: &std::ops::Range<usize>) -> bool {
        let (start, end) = (keys.start as u32, keys.end as u32);
        self.starts.iter().all(|&first| first <= start) && self.ends.iter().all(|&last| last >= end)
    }
}
