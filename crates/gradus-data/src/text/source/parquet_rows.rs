//! A text column of a Parquet file, some rows at a time.

use super::holdout::RecordChoice;
use super::json_lines::pieces;
use super::{FilePiece, SourceFile};
use crate::read::parquet_text::TextColumnReader;
use crate::text::error::Result;

pub(super) struct ParquetRows {
    rows: TextColumnReader,
    choice: RecordChoice,
    bytes: u64,
    waiting: Vec<FilePiece>,
}

impl ParquetRows {
    /// The rows of `column` from `record` on that are chosen.
    pub(super) fn open(
        source: &SourceFile,
        column: &str,
        choice: RecordChoice,
        record: u64,
    ) -> Result<ParquetRows> {
        Ok(ParquetRows {
            rows: TextColumnReader::open(&source.path, column, record)?,
            choice,
            bytes: source.bytes,
            waiting: Vec::new(),
        })
    }

    pub(super) fn next_piece(&mut self) -> Result<Option<FilePiece>> {
        loop {
            if let Some(piece) = self.waiting.pop() {
                return Ok(Some(piece));
            }
            let Some((record, text)) = self.rows.next_row()? else {
                return Ok(None);
            };
            if self.choice.takes(record) && !text.is_empty() {
                let share =
                    u128::from(record + 1) * u128::from(self.bytes) / u128::from(self.rows.rows().max(1));
                self.waiting = pieces(&text, (0, record + 1), share as u64);
            }
        }
    }
}
