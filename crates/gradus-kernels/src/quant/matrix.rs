//! A matrix of quantised weights, laid out once for the products.

use std::ops::Range;

use half::f16;

use super::BlockType;
use super::blocks::{Block, Unpacked, for_block};
use super::layout::{PANEL, QUAD, QUADS, STEP, ScaleLayout, planes, step_bytes};
use crate::aligned::{LINE_BYTES, Line};
use crate::pool::{SharedMut, parallel_chunks_mut, parallel_for};

/// Longest row: sums of a row in 32-column steps are f32, so the limit is there for sizes in bytes alone.
const MAX_COLS: usize = 1 << 24;

/// Weights `[rows, cols]` in one of ggml's formats, repacked for this crate's products.
///
/// The repacking is exact: it moves codes and scales and rounds nothing, so [`dequantize_rows`](Self::dequantize_rows)
/// gives the bits of [`dequantize`](super::dequantize). It takes as many bytes as the blocks, plus those that fill up the
/// last panel of 16 rows, and a few for `q2_k`, `q4_k` and `q5_k`, whose group scales become whole bytes.
#[derive(Clone)]
pub struct QuantizedMatrix {
    ty: BlockType,
    rows: usize,
    cols: usize,
    codes: Vec<Line>,
    /// The scales of all panels (see [`ScaleLayout`]), filled up to a whole line at the end.
    scales: Vec<Line>,
}

/// Why blocks do not make a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatrixError {
    /// A row is no whole number of blocks, or longer than the products allow.
    Columns,
    /// The bytes are not those of so many rows.
    Bytes {
        /// What the shape needs; `None` if no machine could hold it.
        expected: Option<usize>,
    },
}

impl QuantizedMatrix {
    /// Repacks `blocks`, row after row.
    ///
    /// # Errors
    /// [`MatrixError`] when the bytes and the shape do not fit.
    ///
    /// ```
    /// use gradus_kernels::quant::{BlockType, QuantizedMatrix, quantize};
    /// let mut blocks = [0; 36];
    /// quantize(&mut blocks, &[0.5; 64], BlockType::Q4_0);
    /// let matrix = QuantizedMatrix::from_blocks(BlockType::Q4_0, &blocks, 2, 32)?;
    /// let mut row = [0.0; 32];
    /// matrix.dequantize_rows(&mut row, 1..2);
    /// assert_eq!(row, [0.5; 32]);
    /// # Ok::<(), gradus_kernels::quant::MatrixError>(())
    /// ```
    pub fn from_blocks(ty: BlockType, blocks: &[u8], rows: usize, cols: usize) -> Result<Self, MatrixError> {
        let row_bytes = ty
            .row_bytes(cols)
            .filter(|_| cols <= MAX_COLS)
            .ok_or(MatrixError::Columns)?;
        let expected = row_bytes.checked_mul(rows);
        if expected != Some(blocks.len()) || (cols == 0 && rows > MAX_COLS) {
            return Err(MatrixError::Bytes { expected });
        }
        for_block!(ty, B => {
            let (codes, scales) = repack::<B>(bytemuck::cast_slice(blocks), rows, cols);
            Ok(QuantizedMatrix { ty, rows, cols, codes, scales })
        })
    }

    /// The format of the blocks.
    pub fn block_type(&self) -> BlockType {
        self.ty
    }

    /// Rows: features of the output.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns: features of the input.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Bytes of memory that hold the weights, and that a product reads.
    pub fn bytes(&self) -> usize {
        (self.codes.len() + self.scales.len()) * LINE_BYTES
    }

    /// Computes the weights of some rows, `[range, cols]`.
    ///
    /// # Panics
    /// If the range leaves the matrix, or `out` has another size.
    pub fn dequantize_rows(&self, out: &mut [f32], rows: Range<usize>) {
        assert!(
            rows.start <= rows.end && rows.end <= self.rows,
            "quant: rows {rows:?} of {}",
            self.rows
        );
        assert_eq!(out.len(), rows.len() * self.cols, "quant: out must hold the rows");
        if out.is_empty() {
            return;
        }
        for_block!(self.ty, B => {
            parallel_chunks_mut(out, self.cols, |i, out| self.dequantize_row::<B>(out, rows.start + i));
        });
    }

    /// Computes the weights of the rows `ids`, `[ids.len(), cols]`, in that order: an embedding.
    ///
    /// # Panics
    /// If an id is no row, or `out` has another size.
    pub fn gather_rows(&self, out: &mut [f32], ids: &[i64]) {
        assert_eq!(out.len(), ids.len() * self.cols, "quant: out must hold the rows");
        let row = |&id: &i64| usize::try_from(id).ok().filter(|&row| row < self.rows);
        assert!(
            ids.iter().all(|id| row(id).is_some()),
            "quant: an id is outside 0..{}",
            self.rows
        );
        if out.is_empty() {
            return;
        }
        for_block!(self.ty, B => {
            parallel_chunks_mut(out, self.cols, |i, out| self.dequantize_row::<B>(out, ids[i] as usize));
        });
    }

    fn dequantize_row<B: Block>(&self, out: &mut [f32], row: usize) {
        let (panel, lane) = (row / PANEL, row % PANEL);
        let steps = self.cols / STEP;
        let codes: &[u32] = bytemuck::cast_slice(&self.codes);
        let scales: &[u8] = bytemuck::cast_slice(&self.scales);
        let layout = ScaleLayout::of::<B>();
        let blocks = self.cols / B::LEN;
        for (block, out) in out.chunks_exact_mut(B::LEN).enumerate() {
            let scales = &scales[(panel * blocks + block) * layout.bytes()..][..layout.bytes()];
            let mut unpacked = Unpacked::EMPTY;
            read_scales(&mut unpacked, scales, layout, lane);
            for (s, codes_out) in unpacked.codes[..B::LEN].chunks_exact_mut(STEP).enumerate() {
                let step = panel * steps + block * (B::LEN / STEP) + s;
                let words = &codes[step * step_bytes(B::BITS) / QUAD..][..step_bytes(B::BITS) / QUAD];
                for (q, out) in codes_out.chunks_exact_mut(QUAD).enumerate() {
                    out.copy_from_slice(&read_quad(words, B::BITS, q, lane).to_ne_bytes());
                }
            }
            super::blocks::weights::<B>(out, &unpacked);
        }
    }

    /// The codes and the scales, for the products.
    pub(super) fn data(&self) -> (&[u8], &[u8]) {
        (
            bytemuck::cast_slice(&self.codes),
            bytemuck::cast_slice(&self.scales),
        )
    }

    /// Panels of 16 rows, the last of which may have fewer.
    pub(super) fn panels(&self) -> usize {
        self.rows.div_ceil(PANEL)
    }
}

impl std::fmt::Debug for QuantizedMatrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "QuantizedMatrix {} [{}, {}]", self.ty, self.rows, self.cols)
    }
}

fn repack<B: Block>(blocks: &[B], rows: usize, cols: usize) -> (Vec<Line>, Vec<Line>) {
    let (panels, steps, row_blocks) = (rows.div_ceil(PANEL), cols / STEP, cols / B::LEN);
    let layout = ScaleLayout::of::<B>();
    let panel_lines = steps * step_bytes(B::BITS) / LINE_BYTES;
    let panel_scales = row_blocks * layout.bytes();
    // Zeroed by the system, page by page as the threads first touch them.
    let mut codes: Vec<Line> = bytemuck::zeroed_vec(panels * panel_lines);
    let mut scales: Vec<Line> = bytemuck::zeroed_vec((panels * panel_scales).div_ceil(LINE_BYTES));
    let to_codes = SharedMut(codes.as_mut_ptr());
    let to_scales = SharedMut(bytemuck::cast_slice_mut::<Line, u8>(&mut scales).as_mut_ptr());
    parallel_for(panels, |panel| {
        // SAFETY: the parts of different panels do not overlap, and both buffers outlive the call.
        let (codes, scales) = unsafe {
            (
                to_codes.slice(panel * panel_lines..(panel + 1) * panel_lines),
                to_scales.slice(panel * panel_scales..(panel + 1) * panel_scales),
            )
        };
        let codes: &mut [u32] = bytemuck::cast_slice_mut(codes);
        let mut unpacked = Unpacked::EMPTY;
        for lane in 0..PANEL.min(rows - panel * PANEL) {
            let row = &blocks[(panel * PANEL + lane) * row_blocks..][..row_blocks];
            for (block, source) in row.iter().enumerate() {
                source.unpack(&mut unpacked);
                write_scales(
                    &mut scales[block * layout.bytes()..][..layout.bytes()],
                    &unpacked,
                    layout,
                    lane,
                );
                let words = B::LEN / STEP * step_bytes(B::BITS) / QUAD;
                let words = &mut codes[block * words..][..words];
                for (step, words) in words.chunks_exact_mut(step_bytes(B::BITS) / QUAD).enumerate() {
                    for q in 0..QUADS {
                        let quad = &unpacked.codes[step * STEP + q * QUAD..][..QUAD];
                        let quad = u32::from_ne_bytes([quad[0], quad[1], quad[2], quad[3]]);
                        write_quad(words, B::BITS, (q, lane), quad);
                    }
                }
            }
        }
    });
    (codes, scales)
}

/// Four bytes, each with the low `bits` bits set.
const fn low_bits(bits: usize) -> u32 {
    u32::from_ne_bytes([u8::MAX >> (8 - bits); QUAD])
}

/// Adds a quad of one lane to the words of a step, which hold zeros there.
#[inline]
fn write_quad(words: &mut [u32], bits: usize, (q, lane): (usize, usize), quad: u32) {
    let mut first = 0;
    for &(plane, shift) in planes(bits) {
        let word = &mut words[(first + q % plane) * PANEL + lane];
        *word |= (quad >> shift & low_bits(plane)) << (q / plane * plane);
        first += plane;
    }
}

/// The inverse of [`write_quad`].
#[inline]
fn read_quad(words: &[u32], bits: usize, q: usize, lane: usize) -> u32 {
    let (mut first, mut quad) = (0, 0);
    for &(plane, shift) in planes(bits) {
        let word = words[(first + q % plane) * PANEL + lane];
        quad |= (word >> (q / plane * plane) & low_bits(plane)) << shift;
        first += plane;
    }
    quad
}

fn write_scales(bytes: &mut [u8], from: &Unpacked, layout: ScaleLayout, lane: usize) {
    let half = |at: usize| at + 2 * lane..at + 2 * lane + 2;
    bytes[half(0)].copy_from_slice(&from.scale.to_le_bytes());
    if layout.mins {
        bytes[half(layout.mins_at())].copy_from_slice(&from.min.to_le_bytes());
    }
    for g in 0..layout.groups {
        bytes[layout.group_scales_at(g) + lane] = from.group_scales[g].cast_unsigned();
        if layout.mins {
            bytes[layout.group_mins_at(g) + lane] = from.group_mins[g];
        }
    }
}

/// The inverse of [`write_scales`]; parts that the layout does not have keep their values.
pub(super) fn read_scales(to: &mut Unpacked, bytes: &[u8], layout: ScaleLayout, lane: usize) {
    let half = |at: usize| f16::from_le_bytes([bytes[at + 2 * lane], bytes[at + 2 * lane + 1]]);
    to.scale = half(0);
    if layout.mins {
        to.min = half(layout.mins_at());
    }
    for g in 0..layout.groups {
        to.group_scales[g] = bytes[layout.group_scales_at(g) + lane].cast_signed();
        if layout.mins {
            to.group_mins[g] = bytes[layout.group_mins_at(g) + lane];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::{dequantize, quantize};
    use crate::testing::noise;

    #[test]
    fn repacked_rows_have_the_bits_of_their_blocks() {
        for ty in BlockType::ALL {
            for rows in [1, 15, 16, 37] {
                let cols = 3 * ty.block_len();
                let x: Vec<f32> = noise(rows * cols, 5);
                let mut blocks = vec![0; ty.row_bytes(x.len()).expect("whole blocks")];
                quantize(&mut blocks, &x, ty);
                let (mut want, mut got) = (vec![0.0; x.len()], vec![f32::NAN; x.len()]);
                dequantize(&mut want, &blocks, ty);
                let matrix = QuantizedMatrix::from_blocks(ty, &blocks, rows, cols).expect("fits");
                matrix.dequantize_rows(&mut got, 0..rows);
                let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&got), bits(&want), "{ty}");
            }
        }
    }

    #[test]
    fn refuses_shapes_that_the_bytes_do_not_fill() {
        let of = |ty, bytes: usize, rows, cols| {
            QuantizedMatrix::from_blocks(ty, &vec![0; bytes], rows, cols)
                .map(|m| m.bytes())
                .unwrap_err()
        };
        assert_eq!(of(BlockType::Q4_0, 18, 1, 33), MatrixError::Columns);
        assert_eq!(of(BlockType::Q4_0, 18, 1, usize::MAX - 31), MatrixError::Columns);
        assert_eq!(
            of(BlockType::Q4_0, 18, 2, 32),
            MatrixError::Bytes { expected: Some(36) }
        );
        let expected = None;
        assert_eq!(
            of(BlockType::Q4_0, 18, usize::MAX, 32),
            MatrixError::Bytes { expected }
        );
        assert!(matches!(
            of(BlockType::Q4_0, 0, usize::MAX, 0),
            MatrixError::Bytes { .. }
        ));
    }

    #[test]
    fn every_quad_reads_back() {
        for ty in BlockType::ALL {
            for_block!(ty, B => {
                let mut words = vec![0; step_bytes(B::BITS) / QUAD];
                let quad = |q: usize, lane: usize| (0x0102_0407 * (q + lane + 1) as u32) & low_bits(B::BITS);
                let all = || (0..QUADS).flat_map(|q| (0..PANEL).map(move |lane| (q, lane)));
                all().for_each(|(q, lane)| write_quad(&mut words, B::BITS, (q, lane), quad(q, lane)));
                assert!(all().all(|(q, lane)| read_quad(&words, B::BITS, q, lane) == quad(q, lane)), "{ty}");
            });
        }
    }

    #[test]
    fn a_vector_is_a_line() {
        assert_eq!(crate::quant::layout::VECTOR, LINE_BYTES);
    }
}
