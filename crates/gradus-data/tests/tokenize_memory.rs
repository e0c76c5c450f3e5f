//! Tokenising holds a few megabytes, however long the text is. Alone in its file, because the peak belongs to the process.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;

use gradus_data::text::{Part, TEXT_COLUMN, TextError, TextSource, TokenizeOptions, Tokenizer, tokenize};
use gradus_kernels::pool;

/// The most memory that the process has held so far.
fn peak_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok());
    kilobytes.expect("a number of kilobytes") << 10
}

#[test]
fn memory_does_not_grow_with_the_text() {
    const TEXT_BYTES: usize = 32 << 20;
    pool::set_threads(1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.txt");
    let mut file = BufWriter::new(File::create(&path).unwrap());
    let line = "in the beginning was a line, and it came again and again\n";
    for _ in 0..TEXT_BYTES / line.len() {
        file.write_all(line.as_bytes()).unwrap();
    }
    file.into_inner().unwrap();
    let source = TextSource::open(&[path], TEXT_COLUMN).unwrap();
    let tokenizer = Tokenizer::characters([Ok::<_, TextError>(line.to_owned())]).unwrap();
    let before = peak_bytes();
    let tokens = folder.path().join("tokens");
    let options = TokenizeOptions::new(Part::All);
    let set = tokenize(&source, &tokenizer, &tokens, &options, |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(set.tokens(), source.bytes() + 1);
    // All ids at once, four bytes for each character, would be 128 MiB.
    let grown = peak_bytes() - before;
    assert!(grown < 80 << 20, "grew by {grown} bytes");
}
