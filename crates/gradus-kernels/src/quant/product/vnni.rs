//! The product with AVX-512 VNNI: `vpdpbusd` on unsigned codes and signed activations, sixteen outputs at a time.
//!
//! Codes are unpacked in registers on their way from memory, which costs little beside the products even for one row
//! and nothing for twelve. The zero of the codes is taken out by starting each sum from `-zero` times the sum of
//! the activations, which is exact.

use std::arch::x86_64::*;
use std::ops::Range;

use super::{Panel, Target};
use crate::quant::activations::{Activations, HALVES, Tile as Cells};
use crate::quant::blocks::Block;
use crate::quant::layout::{QUAD, STEP, ScaleLayout, VECTOR, planes, step_bytes};
use crate::scratch::with_scratch;

/// How far ahead of its use memory is asked for, in bytes of codes.
const PREFETCH: usize = 2048;

/// Tiles of more rows than this work on what is in cache, and ask for nothing ahead.
const PREFETCH_ROWS: usize = 4;

/// # Safety
/// As [`Target::run`], and the machine has AVX-512 F, BW, DQ, VL and VNNI.
pub(super) unsafe fn run<B: Block>(target: &Target<'_>, activations: &Activations<'_>, panels: Range<usize>) {
    let groups = STEP / B::GROUP;
    let cells = activations.scales.len();
    let (starts, offsets) = if B::HAS_MIN {
        (0, cells * groups)
    } else {
        (cells * groups, 0)
    };
    with_scratch(starts, |starts: &mut [i32]| {
        with_scratch(offsets, |offsets: &mut [f32]| {
            if B::HAS_MIN {
                offsets_of_sums(offsets, activations, groups);
            } else {
                starts_of_sums(starts, activations, groups, -i32::from(B::ZERO));
            }
            for index in panels {
                let panel = Panel::new::<B>(target.weight, index);
                for index in 0..activations.tiles.len() {
                    let cells = activations.tile(index);
                    let first = cells.rows.start * activations.steps * groups;
                    let at = cells.rows.start * target.weight.rows() + panel.first;
                    let tile = Tile {
                        codes: panel.codes.as_ptr(),
                        scales: panel.scales.as_ptr(),
                        blocks: target.weight.cols() / B::LEN,
                        x: cells.codes.as_ptr(),
                        x_scales: cells.scales.as_ptr(),
                        starts: starts.as_ptr().wrapping_add(first),
                        offsets: offsets.as_ptr().wrapping_add(first),
                        out: target.out.get().wrapping_add(at),
                        out_stride: target.weight.rows(),
                        lanes: panel.lanes,
                        bias: target
                            .bias
                            .map_or(std::ptr::null(), |bias| bias[panel.first..].as_ptr()),
                    };
                    // SAFETY: the pointers are to whole panels and tiles; the caller's promise for the output.
                    unsafe { tile.run::<B>(&cells) };
                }
            }
        });
    });
}

/// `zero` times the sums of each group.
fn starts_of_sums(starts: &mut [i32], activations: &Activations<'_>, groups: usize, zero: i32) {
    if groups == HALVES {
        for (starts, sums) in starts.chunks_exact_mut(HALVES).zip(activations.sums) {
            (starts[0], starts[1]) = (zero * sums[0], zero * sums[1]);
        }
    } else {
        for (start, sums) in starts.iter_mut().zip(activations.sums) {
            *start = zero * (sums[0] + sums[1]);
        }
    }
}

/// What mins are multiplied by: less the sums of the activations of each group.
fn offsets_of_sums(offsets: &mut [f32], activations: &Activations<'_>, groups: usize) {
    let cells = activations.sums.iter().zip(activations.scales);
    if groups == HALVES {
        for (offsets, (sums, scale)) in offsets.chunks_exact_mut(HALVES).zip(cells) {
            (offsets[0], offsets[1]) = (-(scale * sums[0] as f32), -(scale * sums[1] as f32));
        }
    } else {
        for (offset, (sums, scale)) in offsets.iter_mut().zip(cells) {
            *offset = -(scale * (sums[0] + sums[1]) as f32);
        }
    }
}

/// One call of the innermost product.
struct Tile {
    codes: *const u8,
    scales: *const u8,
    blocks: usize,
    x: *const i8,
    x_scales: *const f32,
    /// For each step, row and group, where the integer sums start; dangling for formats with mins.
    starts: *const i32,
    /// For each step, row and group, the factor of the mins; dangling for formats without.
    offsets: *const f32,
    out: *mut f32,
    out_stride: usize,
    /// Outputs of each row.
    lanes: usize,
    /// One value for each lane, or null.
    bias: *const f32,
}

impl Tile {
    /// # Safety
    /// The pointers are to a panel, a tile of that height and its output; see [`run`].
    unsafe fn run<B: Block>(&self, cells: &Cells<'_>) {
        // SAFETY: the caller's promise.
        unsafe {
            match cells.rows.len() {
                12 => tile::<B, 12>(self),
                8 => tile::<B, 8>(self),
                4 => tile::<B, 4>(self),
                2 => tile::<B, 2>(self),
                1 => tile::<B, 1>(self),
                height => unreachable!("bug: no tile is {height} rows tall"),
            }
        }
    }
}

/// The sums of a tile, in registers.
struct Sums<const R: usize> {
    whole: [__m512i; R],
    scaled: [__m512; R],
}

/// Scales and mins of one group.
struct Scales {
    scale: __m512,
    min: __m512,
}

/// # Safety
/// As [`Tile::run`], with `R` rows; the machine has the features.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn tile<B: Block, const R: usize>(t: &Tile) {
    let layout = ScaleLayout::of::<B>();
    let mask = ((1_u32 << t.lanes) - 1) as __mmask16;
    let mut sums = Sums {
        whole: [_mm512_setzero_si512(); R],
        scaled: [_mm512_setzero_ps(); R],
    };
    // SAFETY: the caller's promise; lanes outside the mask are neither read nor written.
    unsafe {
        if !t.bias.is_null() {
            sums.scaled = [_mm512_maskz_loadu_ps(mask, t.bias); R];
        }
        for row in 0..R {
            _mm_prefetch::<_MM_HINT_ET0>(t.out.wrapping_add(row * t.out_stride).cast());
        }
        let mut at = At {
            codes: t.codes,
            x: t.x,
            x_scales: t.x_scales,
            starts: t.starts,
            offsets: t.offsets,
        };
        let mut scales = t.scales;
        for _ in 0..t.blocks {
            let block = Scales {
                scale: _mm512_cvtph_ps(_mm256_loadu_si256(scales.cast())),
                min: if B::HAS_MIN {
                    _mm512_cvtph_ps(_mm256_loadu_si256(scales.add(layout.mins_at()).cast()))
                } else {
                    _mm512_setzero_ps()
                },
            };
            for step in 0..B::LEN / STEP {
                at.prefetch::<B, R>();
                if B::GROUP == STEP {
                    at.start::<B, R>(&mut sums, 0);
                    at.half::<B, R, 0>(&mut sums);
                    at.half::<B, R, 1>(&mut sums);
                    let group = group_scales(&block, scales, layout, step);
                    at.finish::<B, R>(&mut sums, &group, 0);
                } else {
                    at.start::<B, R>(&mut sums, 0);
                    at.half::<B, R, 0>(&mut sums);
                    let group = group_scales(&block, scales, layout, HALVES * step);
                    at.finish::<B, R>(&mut sums, &group, 0);
                    at.start::<B, R>(&mut sums, 1);
                    at.half::<B, R, 1>(&mut sums);
                    let group = group_scales(&block, scales, layout, HALVES * step + 1);
                    at.finish::<B, R>(&mut sums, &group, 1);
                }
                at.advance::<B, R>();
            }
            scales = scales.add(layout.bytes());
            if R <= PREFETCH_ROWS {
                let ahead = PREFETCH / step_bytes(B::BITS) * STEP * layout.bytes() / B::LEN;
                for line in (0..layout.bytes()).step_by(VECTOR) {
                    _mm_prefetch::<_MM_HINT_T0>(scales.wrapping_add(ahead + line).cast());
                }
            }
        }
        for row in 0..R {
            _mm512_mask_storeu_ps(t.out.add(row * t.out_stride), mask, sums.scaled[row]);
        }
    }
}

/// The scales of group `group` of a block.
///
/// # Safety
/// A block of scales of that layout can be read; the machine has AVX-512 F and BW.
#[inline(always)]
unsafe fn group_scales(block: &Scales, bytes: *const u8, layout: ScaleLayout, group: usize) -> Scales {
    // SAFETY: the caller's promise.
    unsafe {
        if layout.groups == 0 {
            return Scales { ..*block };
        }
        let scale = _mm_loadu_si128(bytes.add(layout.group_scales_at(group)).cast());
        let min = if layout.mins {
            let min = _mm_loadu_si128(bytes.add(layout.group_mins_at(group)).cast());
            _mm512_mul_ps(block.min, _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(min)))
        } else {
            block.min
        };
        Scales {
            scale: _mm512_mul_ps(block.scale, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(scale))),
            min,
        }
    }
}

/// Where a tile stands: the operands of the next step.
struct At {
    codes: *const u8,
    x: *const i8,
    x_scales: *const f32,
    starts: *const i32,
    offsets: *const f32,
}

/// The parts of a step. No `target_feature`, so that they can be `inline(always)`.
///
/// # Safety
/// All of them: as [`tile`], at a step that exists.
impl At {
    #[inline(always)]
    unsafe fn prefetch<B: Block, const R: usize>(&self) {
        if R > PREFETCH_ROWS {
            return;
        }
        for vector in 0..B::BITS {
            // SAFETY: prefetching is no access.
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(self.codes.wrapping_add(PREFETCH + vector * VECTOR).cast())
            };
        }
    }

    #[inline(always)]
    unsafe fn start<B: Block, const R: usize>(&self, sums: &mut Sums<R>, group: usize) {
        for row in 0..R {
            sums.whole[row] = if B::HAS_MIN {
                // SAFETY: as below.
                unsafe { _mm512_setzero_si512() }
            } else {
                // SAFETY: the caller's promise.
                unsafe { _mm512_set1_epi32(*self.starts.add(row * (STEP / B::GROUP) + group)) }
            };
        }
    }

    /// Adds the products of four quads.
    #[inline(always)]
    unsafe fn half<B: Block, const R: usize, const H: usize>(&self, sums: &mut Sums<R>) {
        // SAFETY: the caller's promise.
        unsafe {
            if H == 0 {
                self.quad::<B, R, 0>(sums);
                self.quad::<B, R, 1>(sums);
                self.quad::<B, R, 2>(sums);
                self.quad::<B, R, 3>(sums);
            } else {
                self.quad::<B, R, 4>(sums);
                self.quad::<B, R, 5>(sums);
                self.quad::<B, R, 6>(sums);
                self.quad::<B, R, 7>(sums);
            }
        }
    }

    #[inline(always)]
    unsafe fn quad<B: Block, const R: usize, const Q: usize>(&self, sums: &mut Sums<R>) {
        // SAFETY: the caller's promise.
        unsafe {
            let codes = self.codes::<B, Q>();
            for row in 0..R {
                let x = self.x.add(row * STEP + Q * QUAD).cast::<i32>().read_unaligned();
                sums.whole[row] = _mm512_dpbusd_epi32(sums.whole[row], codes, _mm512_set1_epi32(x));
            }
        }
    }

    /// The codes of a quad, one to a byte.
    #[inline(always)]
    unsafe fn codes<B: Block, const Q: usize>(&self) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe {
            let planes = planes(B::BITS);
            let low = field(self.codes, planes[0], Q);
            if planes.len() == 1 {
                return low;
            }
            let high = field(self.codes.add(planes[0].0 * VECTOR), planes[1], Q);
            _mm512_or_si512(low, high)
        }
    }

    /// Scales the sums of a group and adds them up.
    #[inline(always)]
    unsafe fn finish<B: Block, const R: usize>(&self, sums: &mut Sums<R>, group: &Scales, index: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            for row in 0..R {
                let whole = _mm512_cvtepi32_ps(sums.whole[row]);
                let scale = _mm512_mul_ps(group.scale, _mm512_set1_ps(*self.x_scales.add(row)));
                sums.scaled[row] = _mm512_fmadd_ps(whole, scale, sums.scaled[row]);
                if B::HAS_MIN {
                    let offset = _mm512_set1_ps(*self.offsets.add(row * (STEP / B::GROUP) + index));
                    sums.scaled[row] = _mm512_fmadd_ps(group.min, offset, sums.scaled[row]);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn advance<B: Block, const R: usize>(&mut self) {
        self.codes = self.codes.wrapping_add(step_bytes(B::BITS));
        self.x = self.x.wrapping_add(R * STEP);
        self.x_scales = self.x_scales.wrapping_add(R);
        self.starts = self.starts.wrapping_add(R * (STEP / B::GROUP));
        self.offsets = self.offsets.wrapping_add(R * (STEP / B::GROUP));
    }
}

/// The bits of quad `q` in a plane, in their place in the code.
///
/// # Safety
/// A plane can be read; the machine has AVX-512 F and BW.
#[inline(always)]
unsafe fn field(vectors: *const u8, (plane, shift): (usize, usize), q: usize) -> __m512i {
    // SAFETY: the caller's promise.
    unsafe {
        let vector = _mm512_load_si512(vectors.add(q % plane * VECTOR).cast());
        if plane == 8 {
            return vector;
        }
        let from = q / plane * plane;
        let moved = if from > shift {
            shift_right(vector, from - shift)
        } else {
            shift_left(vector, shift - from)
        };
        let mask = (u8::MAX >> (8 - plane)) << shift;
        _mm512_and_si512(moved, _mm512_set1_epi8(mask.cast_signed()))
    }
}

/// Shifts pairs of bytes; the caller masks out what crosses from one byte to the other.
///
/// # Safety
/// The machine has AVX-512 BW.
#[inline(always)]
unsafe fn shift_right(x: __m512i, bits: usize) -> __m512i {
    // SAFETY: the caller's promise.
    unsafe {
        match bits {
            1 => _mm512_srli_epi16::<1>(x),
            2 => _mm512_srli_epi16::<2>(x),
            3 => _mm512_srli_epi16::<3>(x),
            4 => _mm512_srli_epi16::<4>(x),
            5 => _mm512_srli_epi16::<5>(x),
            6 => _mm512_srli_epi16::<6>(x),
            7 => _mm512_srli_epi16::<7>(x),
            _ => x,
        }
    }
}

/// As [`shift_right`], the other way.
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn shift_left(x: __m512i, bits: usize) -> __m512i {
    // SAFETY: the caller's promise.
    unsafe {
        match bits {
            1 => _mm512_slli_epi16::<1>(x),
            2 => _mm512_slli_epi16::<2>(x),
            3 => _mm512_slli_epi16::<3>(x),
            4 => _mm512_slli_epi16::<4>(x),
            _ => x,
        }
    }
}
