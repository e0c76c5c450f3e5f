//! How the K formats look for the scale of a group: not from its extremes alone, but by trying several and keeping
//! the one of least weighted error. The order of every float operation is ggml's, since one bit can tip a choice; that
//! leaves no vectors within a group, so groups are searched side by side, one to a lane.

mod affine;
mod refined;
mod symmetric;

pub(super) use affine::{Steps, affine};
pub(super) use refined::refined;
pub(super) use symmetric::symmetric;

/// The groups of a block, one to a lane: `[weight][group]`. Codes take this form too, as whole numbers.
pub(super) type SideBySide<const G: usize, const N: usize> = [[f32; G]; N];

/// Puts `G` groups of `N` neighbours side by side.
#[inline(always)]
pub(super) fn side_by_side<const G: usize, const N: usize>(x: &[f32]) -> SideBySide<G, N> {
    std::array::from_fn(|n| std::array::from_fn(|g| x[g * N + n]))
}

/// The inverse, for codes.
#[inline(always)]
pub(super) fn in_a_row<const G: usize, const N: usize>(codes: &mut [u8], side: &SideBySide<G, N>) {
    for (g, codes) in codes.chunks_exact_mut(N).enumerate() {
        for (code, lanes) in codes.iter_mut().zip(side) {
            *code = lanes[g] as u8;
        }
    }
}

/// A group with magnitudes below this is all zeros to the symmetric searches.
pub(super) const SMALLEST: f32 = 1e-15;

/// The integer nearest to `x`, half to even, for magnitudes below 2^22; the low bits of the sum hold it.
#[inline]
pub(super) fn nearest(x: f32) -> i32 {
    /// 1.5 * 2^23, whose neighbours are one apart.
    const MAGIC: f32 = 12_582_912.0;
    ((x + MAGIC).to_bits() & 0x007f_ffff) as i32 - 0x0040_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_half_to_even() {
        let rounded = [-2.5, -1.5, -0.4, 0.5, 1.5, 1000.7].map(nearest);
        assert_eq!(rounded, [-2, -2, 0, 0, 2, 1001]);
    }
}
