//! How the numbers of a matrix lie in memory for the products: sixteen rows side by side.
//!
//! A *panel* is sixteen rows, a *step* is 32 columns of a panel. The codes of a step are eight *quads* of four columns, each
//! a 64-byte vector `[row][column]`, as the byte dot products want them. Codes keep their bits: a code of 5 bits lies
//! in a plane of 4 bits and a plane of 1, one of 6 in planes of 4 and 2, and so on ([`planes`]). In a plane of `b`
//! bits, field `j` of vector `i` belongs to quad `i + b * j`. Scales lie in an array of their own, panel after panel
//! and block after block ([`ScaleLayout`]).

use super::blocks::Block;

/// Rows of a panel.
pub(super) const PANEL: usize = 16;

/// Columns of a step.
pub(super) const STEP: usize = 32;

/// Columns of a quad.
pub(super) const QUAD: usize = 4;

/// Quads of a step.
pub(super) const QUADS: usize = STEP / QUAD;

/// Bytes of a vector of one quad.
pub(super) const VECTOR: usize = PANEL * QUAD;

/// The planes of codes of `bits` bits: pairs of (bits, where they go in the code), in the order they are stored.
pub(super) const fn planes(bits: usize) -> &'static [(usize, usize)] {
    match bits {
        2 => &[(2, 0)],
        3 => &[(2, 0), (1, 2)],
        4 => &[(4, 0)],
        5 => &[(4, 0), (1, 4)],
        6 => &[(4, 0), (2, 4)],
        8 => &[(8, 0)],
        _ => panic!("bug: no format has codes of this many bits"),
    }
}

/// Bytes of the codes of a step.
pub(super) const fn step_bytes(bits: usize) -> usize {
    bits * VECTOR
}

/// Where the scales of one block of a panel lie: sixteen f16 scales, sixteen f16 mins, and for each group sixteen
/// group scales and sixteen group mins of a byte. Parts that a format does not have are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScaleLayout {
    /// Whether there are mins.
    pub(super) mins: bool,
    /// Groups with scales of their own; 0 when the block is one group.
    pub(super) groups: usize,
}

impl ScaleLayout {
    pub(super) const fn of<B: Block>() -> Self {
        let groups = B::LEN / B::GROUP;
        ScaleLayout {
            mins: B::HAS_MIN,
            groups: if groups == 1 { 0 } else { groups },
        }
    }

    /// Numbers for each row and group: a scale, or a scale and a min.
    const fn kinds(self) -> usize {
        if self.mins { 2 } else { 1 }
    }

    /// Bytes of the block.
    pub(super) const fn bytes(self) -> usize {
        self.kinds() * PANEL * (size_of::<half::f16>() + self.groups)
    }

    /// Where the f16 mins start; the f16 scales start at 0.
    pub(super) const fn mins_at(self) -> usize {
        PANEL * size_of::<half::f16>()
    }

    /// Where the group scales of group `g` start.
    pub(super) const fn group_scales_at(self, g: usize) -> usize {
        self.kinds() * PANEL * (size_of::<half::f16>() + g)
    }

    /// Where the group mins of group `g` start.
    pub(super) const fn group_mins_at(self, g: usize) -> usize {
        self.group_scales_at(g) + PANEL
    }
}
