//! The directory of a zip archive whose entries are stored, not compressed.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::foreign::pickle::PickleProblem;

/// "PK\x05\x06": the end of the directory, the last record of the file.
const END: u32 = 0x0605_4b50;
const END_BYTES: usize = 22;
/// "PK\x06\x07": before it, where the zip64 end lies.
const LOCATOR: u32 = 0x0706_4b50;
const LOCATOR_BYTES: usize = 20;
/// "PK\x06\x06": the end of the directory with numbers of 64 bits.
const END_64: u32 = 0x0606_4b50;
/// "PK\x01\x02": an entry of the directory.
const ENTRY: u32 = 0x0201_4b50;
const ENTRY_BYTES: usize = 46;
/// "PK\x03\x04": what stands before an entry's bytes.
const LOCAL: u32 = 0x0403_4b50;
const LOCAL_BYTES: usize = 30;
/// The extra field with the 64-bit numbers that did not fit an entry.
const EXTRA_64: u16 = 1;
/// Stands in a 32-bit field for a number in the zip64 record.
const ELSEWHERE: u64 = 0xffff_ffff;

/// Where PyTorch puts the pickle program and the storages, behind a folder of any name.
const PROGRAM: &str = "data.pkl";
const BYTE_ORDER: &str = "byteorder";

/// The entries of an archive, all of them within the file and apart from each other.
pub(super) struct Archive<'a> {
    file: &'a [u8],
    entries: BTreeMap<&'a str, Range<usize>>,
    /// The folder that all of PyTorch's entries are in, with its slash.
    folder: &'a str,
}

impl<'a> Archive<'a> {
    /// Reads the directory. Takes memory for a few numbers and a name per entry, and the file has the names.
    pub(super) fn parse(file: &'a [u8]) -> Result<Archive<'a>, PickleProblem> {
        check_kind(file)?;
        let directory = find_directory(file)?;
        let mut entries = BTreeMap::new();
        let mut rest = Fields(&file[directory]);
        while !rest.0.is_empty() {
            let (name, range) = read_entry(file, &mut rest)?;
            if entries.insert(name, range).is_some() {
                let entry = name.to_owned();
                return Err(PickleProblem::DuplicateEntry { entry });
            }
        }
        check_apart(&entries)?;
        let program = entries.keys().find_map(|name| name.strip_suffix(PROGRAM));
        let missing = || PickleProblem::MissingEntry {
            entry: PROGRAM.to_owned(),
        };
        let folder = program.ok_or_else(missing)?;
        let archive = Archive {
            file,
            entries,
            folder,
        };
        match archive.range(BYTE_ORDER) {
            Some(range) if &file[range.clone()] == b"big" => Err(PickleProblem::BigEndian),
            Some(_) | None => Ok(archive),
        }
    }

    /// The pickle program.
    pub(super) fn program(&self) -> Result<&'a [u8], PickleProblem> {
        let missing = || PickleProblem::MissingEntry {
            entry: PROGRAM.to_owned(),
        };
        Ok(&self.file[self.range(PROGRAM).ok_or_else(missing)?.clone()])
    }

    /// Where the bytes of a storage lie in the file.
    pub(super) fn storage(&self, key: &str) -> Result<Range<usize>, PickleProblem> {
        let entry = format!("data/{key}");
        let range = self.range(&entry).cloned();
        range.ok_or(PickleProblem::MissingEntry { entry })
    }

    fn range(&self, name: &str) -> Option<&Range<usize>> {
        self.entries.get(format!("{}{name}", self.folder).as_str())
    }
}

/// Tells PyTorch's older formats and other files apart from a damaged archive.
fn check_kind(file: &[u8]) -> Result<(), PickleProblem> {
    /// Protocol 2, then the ten bytes of the magic number that the older format begins with.
    const LEGACY: &[u8] = &[0x80, 2, 0x8a, 10];
    /// A tar archive has its name here.
    const TAR: Range<usize> = 257..262;
    if file.starts_with(&LOCAL.to_le_bytes()) {
        return Ok(());
    }
    if file.starts_with(LEGACY) || file.get(TAR) == Some(b"ustar") {
        return Err(PickleProblem::Legacy);
    }
    Err(PickleProblem::NotAnArchive)
}

fn find_directory(file: &[u8]) -> Result<Range<usize>, PickleProblem> {
    let damaged = |what| move || PickleProblem::Archive(what);
    let end = find_end(file).ok_or_else(damaged("its directory has no end; the file was cut short"))?;
    let mut fields = Fields(&file[end + 10..]);
    let short = damaged("its directory's end is incomplete");
    let entries = u64::from(fields.u16().ok_or_else(&short)?);
    let size = u64::from(fields.u32().ok_or_else(&short)?);
    let start = u64::from(fields.u32().ok_or_else(&short)?);
    let (size, start) = if entries == 0xffff || size == ELSEWHERE || start == ELSEWHERE {
        find_directory_64(file, end).ok_or_else(damaged("its zip64 directory cannot be found"))?
    } else {
        (size, start)
    };
    let range = start.checked_add(size).filter(|&stop| stop <= end as u64);
    let stop = range.ok_or_else(damaged("its directory lies outside the file"))?;
    Ok(start as usize..stop as usize)
}

/// The last place where an end can be: its comment must reach to the end of the file.
fn find_end(file: &[u8]) -> Option<usize> {
    let last = file.len().checked_sub(END_BYTES)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    (first..=last).rev().find(|&at| {
        let mut fields = Fields(&file[at..]);
        let signature = fields.u32();
        let mut comment = Fields(&file[at + END_BYTES - 2..]);
        signature == Some(END) && comment.u16().map(usize::from) == Some(last - at)
    })
}

/// Size and start of the directory by the zip64 record.
fn find_directory_64(file: &[u8], end: usize) -> Option<(u64, u64)> {
    let mut locator = Fields(&file[end.checked_sub(LOCATOR_BYTES)?..]);
    let (signature, _disk, at) = (locator.u32()?, locator.u32()?, locator.u64()?);
    let mut record = Fields(file.get(usize::try_from(at).ok()?..)?);
    if signature != LOCATOR || record.u32()? != END_64 {
        return None;
    }
    // The record's length, two versions, two disks, and two counts of entries.
    record.skip(8 + 2 + 2 + 4 + 4 + 8 + 8)?;
    Some((record.u64()?, record.u64()?))
}

fn read_entry<'a>(file: &'a [u8], rest: &mut Fields<'a>) -> Result<(&'a str, Range<usize>), PickleProblem> {
    let short = || PickleProblem::Archive("an entry of its directory is incomplete");
    let entry = Entry::read(rest).ok_or_else(short)?;
    let name = str::from_utf8(entry.name)
        .map_err(|_| PickleProblem::Archive("the name of an entry is not UTF-8"))?;
    if entry.encrypted || entry.method != 0 || entry.stored != entry.size {
        let entry = name.to_owned();
        return Err(PickleProblem::NotStored { entry });
    }
    let outside = || PickleProblem::EntryPlace {
        entry: name.to_owned(),
    };
    Ok((name, entry.range(file).ok_or_else(outside)?))
}

struct Entry<'a> {
    name: &'a [u8],
    encrypted: bool,
    method: u16,
    stored: u64,
    size: u64,
    local: u64,
}

impl<'a> Entry<'a> {
    fn read(fields: &mut Fields<'a>) -> Option<Entry<'a>> {
        let mut fixed = Fields(fields.take(ENTRY_BYTES)?);
        if fixed.u32()? != ENTRY {
            return None;
        }
        fixed.skip(4)?;
        let (flags, method) = (fixed.u16()?, fixed.u16()?);
        fixed.skip(8)?;
        let (stored, size) = (u64::from(fixed.u32()?), u64::from(fixed.u32()?));
        let lengths = [fixed.u16()?, fixed.u16()?, fixed.u16()?].map(usize::from);
        fixed.skip(8)?;
        let local = u64::from(fixed.u32()?);
        let name = fields.take(lengths[0])?;
        let extra = fields.take(lengths[1])?;
        fields.skip(lengths[2])?;
        let mut wide = [size, stored, local];
        widen(&mut wide, extra)?;
        let [size, stored, local] = wide;
        Some(Entry {
            name,
            encrypted: flags & 1 != 0,
            method,
            stored,
            size,
            local,
        })
    }

    /// Where the bytes lie: behind the local header, whose own name and extra field may have other lengths.
    fn range(&self, file: &[u8]) -> Option<Range<usize>> {
        let local = usize::try_from(self.local).ok()?;
        let mut fields = Fields(file.get(local..)?);
        if fields.u32()? != LOCAL {
            return None;
        }
        fields.skip(22)?;
        let (name, extra) = (usize::from(fields.u16()?), usize::from(fields.u16()?));
        let start = local + LOCAL_BYTES + name + extra;
        let end = start.checked_add(usize::try_from(self.size).ok()?)?;
        (end <= file.len()).then_some(start..end)
    }
}

/// Replaces numbers that did not fit 32 bits by those of the zip64 extra field, where they stand in this order.
fn widen(numbers: &mut [u64; 3], extra: &[u8]) -> Option<()> {
    if numbers.iter().all(|&number| number != ELSEWHERE) {
        return Some(());
    }
    let mut extra = Fields(extra);
    loop {
        let (id, length) = (extra.u16()?, usize::from(extra.u16()?));
        let mut field = Fields(extra.take(length)?);
        if id == EXTRA_64 {
            for number in numbers.iter_mut().filter(|number| **number == ELSEWHERE) {
                *number = field.u64()?;
            }
            return Some(());
        }
    }
}

/// Entries that overlap could make a small file unfold to a large one.
fn check_apart(entries: &BTreeMap<&str, Range<usize>>) -> Result<(), PickleProblem> {
    let mut places: Vec<(&Range<usize>, &str)> = entries.iter().map(|(name, range)| (range, *name)).collect();
    places.sort_by_key(|(range, _)| (range.start, range.end));
    match places.windows(2).find(|pair| pair[1].0.start < pair[0].0.end) {
        Some(pair) => Err(PickleProblem::EntryPlace {
            entry: pair[1].1.to_owned(),
        }),
        None => Ok(()),
    }
}

/// Little-endian numbers, taken from the front; `None` where the bytes end.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(|_| ())
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}
