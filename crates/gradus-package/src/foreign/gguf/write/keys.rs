//! Metadata as it stands in a file.

const U32: u32 = 4;
const I32: u32 = 5;
const F32: u32 = 6;
const BOOL: u32 = 7;
const TEXT: u32 = 8;
const ARRAY: u32 = 9;

/// Keys and values, in the order they were added.
#[derive(Default)]
pub(super) struct Keys {
    bytes: Vec<u8>,
    count: u64,
}

impl Keys {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    fn start(&mut self, key: &str, kind: u32) {
        push_text(&mut self.bytes, key.as_bytes());
        self.bytes.extend(kind.to_le_bytes());
        self.count += 1;
    }

    pub(super) fn u32(&mut self, key: &str, number: u32) {
        self.start(key, U32);
        self.bytes.extend(number.to_le_bytes());
    }

    pub(super) fn f32(&mut self, key: &str, number: f64) {
        self.start(key, F32);
        self.bytes.extend((number as f32).to_le_bytes());
    }

    pub(super) fn bool(&mut self, key: &str, truth: bool) {
        self.start(key, BOOL);
        self.bytes.push(u8::from(truth));
    }

    pub(super) fn text(&mut self, key: &str, text: &str) {
        self.start(key, TEXT);
        push_text(&mut self.bytes, text.as_bytes());
    }

    fn start_array(&mut self, key: &str, kind: u32, count: usize) {
        self.start(key, ARRAY);
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend((count as u64).to_le_bytes());
    }

    pub(super) fn texts<T: AsRef<str>>(&mut self, key: &str, texts: &[T]) {
        self.start_array(key, TEXT, texts.len());
        for text in texts {
            push_text(&mut self.bytes, text.as_ref().as_bytes());
        }
    }

    pub(super) fn i32s(&mut self, key: &str, numbers: &[i32]) {
        self.start_array(key, I32, numbers.len());
        self.bytes
            .extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }

    pub(super) fn f32s(&mut self, key: &str, numbers: &[f32]) {
        self.start_array(key, F32, numbers.len());
        self.bytes
            .extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }

    pub(super) fn bools(&mut self, key: &str, truths: &[bool]) {
        self.start_array(key, BOOL, truths.len());
        self.bytes.extend(truths.iter().map(|&truth| u8::from(truth)));
    }
}

/// A text behind its length.
pub(super) fn push_text(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text);
}
