//! Little-endian numbers and texts, taken one after the other from a file that may end anywhere.

use crate::foreign::gguf::GgufProblem;

/// A place in a file.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(file: &'a [u8]) -> Cursor<'a> {
        Cursor { file, at: 0 }
    }

    /// Bytes before this place.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Bytes behind this place.
    pub(super) fn rest(&self) -> usize {
        self.file.len() - self.at
    }

    pub(super) fn bytes(&mut self, count: u64, what: &'static str) -> Result<&'a [u8], GgufProblem> {
        let rest = &self.file[self.at..];
        let count = usize::try_from(count).ok().filter(|&count| count <= rest.len());
        let count = count.ok_or(GgufProblem::Truncated {
            what,
            length: self.file.len(),
        })?;
        self.at += count;
        Ok(&rest[..count])
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], GgufProblem> {
        let bytes = self.file[self.at..].first_chunk::<N>();
        let bytes = bytes.ok_or(GgufProblem::Truncated {
            what,
            length: self.file.len(),
        })?;
        self.at += N;
        Ok(*bytes)
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, GgufProblem> {
        Ok(self.array::<1>(what)?[0])
    }

    pub(super) fn u16(&mut self, what: &'static str) -> Result<u16, GgufProblem> {
        Ok(u16::from_le_bytes(self.array(what)?))
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, GgufProblem> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64, GgufProblem> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// A count of things that take at least `least` bytes each, refused where the rest of the file is shorter.
    pub(super) fn count(&mut self, least: usize, what: &'static str) -> Result<usize, GgufProblem> {
        let count = self.u64(what)?;
        self.check_count(count, least, what)
    }

    pub(super) fn check_count(
        &self,
        count: u64,
        least: usize,
        what: &'static str,
    ) -> Result<usize, GgufProblem> {
        let fits = count <= (self.rest() / least) as u64;
        if fits {
            return Ok(count as usize);
        }
        Err(GgufProblem::Count {
            what,
            count,
            length: self.file.len(),
        })
    }

    /// Bytes behind their length.
    pub(super) fn text(&mut self, what: &'static str) -> Result<&'a [u8], GgufProblem> {
        let length = self.u64(what)?;
        self.bytes(length, what)
    }

    /// A text that names something: not empty, not longer than `limit` bytes.
    pub(super) fn name(&mut self, limit: usize, what: &'static str) -> Result<&'a str, GgufProblem> {
        let at = self.at;
        let name = self.text(what)?;
        let name = str::from_utf8(name).ok();
        name.filter(|name| !name.is_empty() && name.len() <= limit)
            .ok_or(GgufProblem::Name { at })
    }
}
