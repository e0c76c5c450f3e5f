//! Byte-level vocabularies: the bytes that each id stands for.
//!
//! GPT-2 writes the 256 bytes as 256 printable characters, so that its vocabulary can be kept in text files.

use std::collections::HashMap;

/// The character that stands for each byte (GPT-2's `bytes_to_unicode`): printable bytes stand for themselves, the
/// others for the characters from U+0100 on, in order.
pub(super) fn byte_characters() -> [char; 256] {
    let mut next_substitute = 0x100;
    std::array::from_fn(|byte| match byte as u8 {
        b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => char::from(byte as u8),
        _ => {
            next_substitute += 1;
            char::from_u32(next_substitute - 1).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
    })
}

/// The bytes of every id, one after the other.
#[derive(Debug)]
pub(crate) struct ByteTable {
    bytes: Vec<u8>,
    /// Where the bytes of id `i` start; one more at the end.
    starts: Vec<usize>,
}

impl ByteTable {
    /// The bytes of `len` ids, each spelled by `spell`; ids without a spelling have none.
    ///
    /// A spelling with a character that stands for no byte means itself, as for tokens that were added as text.
    pub(super) fn new(len: usize, spell: impl Fn(u32) -> Option<String>) -> ByteTable {
        let characters = byte_characters();
        let byte_of: HashMap<char, u8> = (0..=255u8)
            .map(|byte| (characters[usize::from(byte)], byte))
            .collect();
        let mut table = ByteTable {
            bytes: Vec::new(),
            starts: vec![0],
        };
        for id in 0..len as u32 {
            if let Some(text) = spell(id) {
                match text
                    .chars()
                    .map(|character| byte_of.get(&character).copied())
                    .collect::<Option<Vec<u8>>>()
                {
                    Some(bytes) => table.bytes.extend(bytes),
                    None => table.bytes.extend(text.as_bytes()),
                }
            }
            table.starts.push(table.bytes.len());
        }
        table
    }

    /// The bytes of an id; none for one past the vocabulary.
    pub(super) fn of(&self, id: u32) -> &[u8] {
        match self.starts.get(id as usize..).and_then(|starts| starts.get(..2)) {
            Some(bounds) => &self.bytes[bounds[0]..bounds[1]],
            None => &[],
        }
    }
}
