//! The block formats of ggml: names, sizes, and how their numbers are made of codes.

use std::fmt;

/// A format of quantised weights: how many neighbours of a row form a block, and how it lies in memory.
///
/// The layouts are ggml's, byte for byte, so blocks can be read from and written to GGUF files as they are. Every
/// weight of a block is `scale * (code - zero) - min` with a scale (and in some formats a min) for each group of 16 or 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockType {
    /// 4 bits and a scale for 32 weights.
    Q4_0,
    /// 4 bits, a scale and a min for 32 weights.
    Q4_1,
    /// 5 bits and a scale for 32 weights.
    Q5_0,
    /// 5 bits, a scale and a min for 32 weights.
    Q5_1,
    /// 8 bits and a scale for 32 weights.
    Q8_0,
    /// 2 bits; 16 groups of 16, each with a 4-bit scale and a 4-bit min.
    Q2K,
    /// 3 bits; 16 groups of 16, each with a 6-bit scale.
    Q3K,
    /// 4 bits; 8 groups of 32, each with a 6-bit scale and a 6-bit min.
    Q4K,
    /// 5 bits; 8 groups of 32, each with a 6-bit scale and a 6-bit min.
    Q5K,
    /// 6 bits; 16 groups of 16, each with an 8-bit scale.
    Q6K,
}

impl BlockType {
    /// Every format, in the order of GGUF's numbers.
    pub const ALL: [BlockType; 10] = [
        BlockType::Q4_0,
        BlockType::Q4_1,
        BlockType::Q5_0,
        BlockType::Q5_1,
        BlockType::Q8_0,
        BlockType::Q2K,
        BlockType::Q3K,
        BlockType::Q4K,
        BlockType::Q5K,
        BlockType::Q6K,
    ];

    /// Weights in a block: 32, or 256 for the K formats. A row must be a whole number of blocks.
    pub const fn block_len(self) -> usize {
        match self {
            BlockType::Q4_0 | BlockType::Q4_1 | BlockType::Q5_0 | BlockType::Q5_1 | BlockType::Q8_0 => 32,
            BlockType::Q2K | BlockType::Q3K | BlockType::Q4K | BlockType::Q5K | BlockType::Q6K => 256,
        }
    }

    /// Bytes of a block.
    pub const fn block_bytes(self) -> usize {
        match self {
            BlockType::Q4_0 => 18,
            BlockType::Q4_1 => 20,
            BlockType::Q5_0 => 22,
            BlockType::Q5_1 => 24,
            BlockType::Q8_0 => 34,
            BlockType::Q2K => 84,
            BlockType::Q3K => 110,
            BlockType::Q4K => 144,
            BlockType::Q5K => 176,
            BlockType::Q6K => 210,
        }
    }

    /// Bytes of a row of `cols` weights; `None` unless it is a whole number of blocks.
    ///
    /// ```
    /// use gradus_kernels::quant::BlockType;
    /// assert_eq!(BlockType::Q4_0.row_bytes(64), Some(36));
    /// assert_eq!(BlockType::Q4K.row_bytes(64), None);
    /// ```
    pub const fn row_bytes(self, cols: usize) -> Option<usize> {
        if !cols.is_multiple_of(self.block_len()) {
            return None;
        }
        (cols / self.block_len()).checked_mul(self.block_bytes())
    }

    /// Mean bits of a weight, scales included.
    pub const fn bits_per_weight(self) -> f64 {
        (self.block_bytes() * 8) as f64 / self.block_len() as f64
    }

    /// The name used in configs and messages, such as `q4_0` or `q4_k`.
    pub const fn name(self) -> &'static str {
        match self {
            BlockType::Q4_0 => "q4_0",
            BlockType::Q4_1 => "q4_1",
            BlockType::Q5_0 => "q5_0",
            BlockType::Q5_1 => "q5_1",
            BlockType::Q8_0 => "q8_0",
            BlockType::Q2K => "q2_k",
            BlockType::Q3K => "q3_k",
            BlockType::Q4K => "q4_k",
            BlockType::Q5K => "q5_k",
            BlockType::Q6K => "q6_k",
        }
    }

    /// The format of that [`name`](BlockType::name), in any case (files say `Q4_K`).
    ///
    /// ```
    /// use gradus_kernels::quant::BlockType;
    /// assert_eq!(BlockType::from_name("Q4_K"), Some(BlockType::Q4K));
    /// assert_eq!(BlockType::from_name("q9_9"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<BlockType> {
        BlockType::ALL
            .into_iter()
            .find(|ty| ty.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for BlockType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_formats() {
        for ty in BlockType::ALL {
            assert_eq!(BlockType::from_name(&ty.to_string()), Some(ty));
        }
    }

    #[test]
    fn rows_are_whole_blocks() {
        assert_eq!(BlockType::Q6K.row_bytes(2048), Some(8 * 210));
        assert_eq!(BlockType::Q8_0.row_bytes(0), Some(0));
        assert_eq!(BlockType::Q8_0.row_bytes(31), None);
        assert_eq!(BlockType::Q8_0.row_bytes(usize::MAX - 31), None);
    }
}
