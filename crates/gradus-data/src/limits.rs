//! The sizes past which a reader refuses to go on. A file can claim anything; these and the file's own length decide
//! what is allocated.

/// The largest file read, and the largest decoded data set held in memory: 16 GiB. Data sets that do not fit in the
/// memory of one machine are not what the in-memory readers are for.
pub const MAX_DATA_BYTES: u64 = 16 << 30;

/// The most that compressed bytes may expand: deflate's best case is 1032 to 1 (a 258-byte match in two bits; see
/// RFC 1951), and a JPEG spends at least one bit on each 8×8 block of a component, which comes to the same order.
pub const MAX_EXPANSION: u64 = 1032;

/// What may always be allocated for decoded values, however small the file: 16 MiB. Formats with one-bit pixels or
/// run lengths pass [`MAX_EXPANSION`] honestly, but only small files of them are worth taking on trust.
pub const FREE_EXPANSION_BYTES: u64 = 16 << 20;

/// The largest picture decoded, in pixels: 8192 × 8192. Anything larger is scaled down before it is used anyway.
pub const MAX_IMAGE_PIXELS: u64 = 1 << 26;

/// The largest PNG or JPEG file read: 64 MiB.
pub const MAX_IMAGE_FILE_BYTES: u64 = 64 << 20;

/// The longest side that images may be resized to.
pub const MAX_IMAGE_SIDE: usize = 4096;

/// The most columns a table may have.
pub const MAX_COLUMNS: usize = 1 << 16;

/// The most different values that a text column may have to be encoded with one input per value. Names, tickets and
/// identifiers have more; they carry nothing that a one-hot encoding could learn.
pub const MAX_CATEGORIES: usize = 256;

/// The most classes of one data set.
pub const MAX_CLASSES: usize = 1 << 16;

/// The largest `tokenizer.json` read: 256 MiB. The largest in use (vocabularies of 260,000 tokens) take 35 MB.
pub const MAX_TOKENIZER_BYTES: u64 = 256 << 20;

/// The longest chat template: 1 MiB. The longest in use are 20 kB.
pub const MAX_TEMPLATE_BYTES: usize = 1 << 20;

/// The most tokens of a vocabulary: four times the largest in use.
pub const MAX_VOCABULARY: usize = 1 << 20;

/// The longest line of a JSON Lines file: 64 MiB. A line is held in memory whole.
pub const MAX_LINE_BYTES: usize = 64 << 20;

/// The most tokens of one file of instruction data, which are held in memory: a billion, 4 GiB.
pub const MAX_INSTRUCTION_TOKENS: usize = 1 << 30;

/// Whether `decoded` bytes may be allocated for a file of `encoded` bytes.
pub(crate) fn expansion_is_justified(encoded: u64, decoded: u64) -> bool {
    decoded <= FREE_EXPANSION_BYTES.max(encoded.saturating_mul(MAX_EXPANSION))
}
