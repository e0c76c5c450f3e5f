//! Eight 6-bit scales and eight 6-bit mins in twelve bytes, as `q4_k` and `q5_k` have them.

/// Reads group `g`: its scale and its min.
#[inline]
pub(super) fn get(packed: &[u8; 12], g: usize) -> (u8, u8) {
    if g < 4 {
        (packed[g] & 63, packed[g + 4] & 63)
    } else {
        let scale = packed[g + 4] & 15 | packed[g - 4] >> 6 << 4;
        let min = packed[g + 4] >> 4 | packed[g] >> 6 << 4;
        (scale, min)
    }
}

/// Writes group `g`; groups are written in order, from zeros.
pub(super) fn set(packed: &mut [u8; 12], g: usize, scale: u8, min: u8) {
    if g < 4 {
        packed[g] = scale;
        packed[g + 4] = min;
    } else {
        packed[g + 4] = scale & 15 | (min & 15) << 4;
        packed[g - 4] |= scale >> 4 << 6;
        packed[g] |= min >> 4 << 6;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_wrote() {
        let of = |g: usize| ((g * 9) as u8, 63 - g as u8);
        let mut packed = [0; 12];
        (0..8).for_each(|g| set(&mut packed, g, of(g).0, of(g).1));
        (0..8).for_each(|g| assert_eq!(get(&packed, g), of(g)));
    }
}
