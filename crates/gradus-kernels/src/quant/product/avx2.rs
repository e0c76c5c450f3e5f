//! The product with AVX2: `vpmaddubsw` on codes of one byte.
//!
//! That instruction adds pairs of products to 16 bits with saturation. Codes of up to six bits cannot reach it; those of
//! eight are multiplied as magnitudes, with their signs moved to the activations.

use std::arch::x86_64::*;
use std::ops::Range;

use super::{Panel, Target, plain};
use crate::quant::activations::{Activations, HEIGHTS, Tile};
use crate::quant::blocks::Block;
use crate::quant::layout::{PANEL, QUAD, QUADS, STEP, ScaleLayout, VECTOR, step_bytes};

/// Lanes of a vector of f32, half a panel.
const LANES: usize = 8;

/// Both halves of a panel.
type Pair<T> = [T; 2];

/// # Safety
/// As [`Target::run`], and the machine has AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn run<B: Block>(target: &Target<'_>, activations: &Activations<'_>, panels: Range<usize>) {
    for index in panels {
        let panel = Panel::new::<B>(target.weight, index);
        for index in 0..activations.tiles.len() {
            let tile = activations.tile(index);
            let mut start = [0.0; PANEL];
            if let Some(bias) = target.bias {
                start[..panel.lanes].copy_from_slice(&bias[panel.first..][..panel.lanes]);
            }
            let mut sums = [start; HEIGHTS[0]];
            add_products::<B>(&mut sums, &panel, &tile);
            for (row, sums) in tile.rows.clone().zip(&sums) {
                let at = row * target.weight.rows() + panel.first;
                // SAFETY: the panel's columns of the output are ours alone (the caller's promise).
                let out = unsafe { target.out.slice(at..at + panel.lanes) };
                out.copy_from_slice(&sums[..panel.lanes]);
            }
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn add_products<B: Block>(sums: &mut [[f32; PANEL]; HEIGHTS[0]], panel: &Panel<'_>, tile: &Tile<'_>) {
    let height = tile.rows.len();
    let layout = ScaleLayout::of::<B>();
    for (step, packed) in panel.codes.chunks_exact(step_bytes(B::BITS)).enumerate() {
        let (block, in_block) = (step / (B::LEN / STEP), step % (B::LEN / STEP));
        let scales = &panel.scales[block * layout.bytes()..][..layout.bytes()];
        let codes = plain::expand::<B>(packed);
        for part in 0..STEP / B::GROUP {
            let group = in_block * (STEP / B::GROUP) + part;
            let (group_scales, group_mins) = group_scales::<B>(scales, layout, group);
            for (row, sums) in sums.iter_mut().enumerate().take(height) {
                let cell = step * height + row;
                let x = &tile.codes[cell * STEP + part * B::GROUP..][..B::GROUP];
                let dots = dots::<B>(&codes, x, part);
                let sum = if B::GROUP == STEP {
                    tile.sums[cell].iter().sum()
                } else {
                    tile.sums[cell][part]
                };
                let scale = tile.scales[cell];
                // For codes of eight bits the zero is in the products already.
                let zero = if B::BITS == 8 { 0 } else { i32::from(B::ZERO) * sum };
                let offset = _mm256_set1_ps(-(scale * sum as f32));
                for half in 0..2 {
                    let dot = _mm256_cvtepi32_ps(_mm256_sub_epi32(dots[half], _mm256_set1_epi32(zero)));
                    let scale = _mm256_mul_ps(group_scales[half], _mm256_set1_ps(scale));
                    let lanes = &mut sums[half * LANES..][..LANES];
                    // SAFETY: eight lanes can be read and written.
                    unsafe {
                        let mut sum = _mm256_fmadd_ps(dot, scale, _mm256_loadu_ps(lanes.as_ptr()));
                        if B::HAS_MIN {
                            sum = _mm256_fmadd_ps(group_mins[half], offset, sum);
                        }
                        _mm256_storeu_ps(lanes.as_mut_ptr(), sum);
                    }
                }
            }
        }
    }
}

/// Dot products of one group of a row with all lanes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn dots<B: Block>(codes: &[[u8; VECTOR]; QUADS], x: &[i8], part: usize) -> Pair<__m256i> {
    let ones = _mm256_set1_epi16(1);
    let mut sums = [_mm256_setzero_si256(); 2];
    for (codes, x) in codes[part * (B::GROUP / QUAD)..]
        .iter()
        .zip(x.as_chunks::<QUAD>().0)
    {
        let x = _mm256_set1_epi32(i32::from_ne_bytes(x.map(i8::cast_unsigned)));
        for (half, sum) in sums.iter_mut().enumerate() {
            // SAFETY: half a vector of codes can be read.
            let codes = unsafe { _mm256_loadu_si256(codes.as_ptr().add(half * VECTOR / 2).cast()) };
            let pairs = if B::BITS == 8 {
                let signed = _mm256_xor_si256(codes, _mm256_set1_epi8(i8::MIN));
                _mm256_maddubs_epi16(_mm256_abs_epi8(signed), _mm256_sign_epi8(x, signed))
            } else {
                _mm256_maddubs_epi16(codes, x)
            };
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, ones));
        }
    }
    sums
}

/// Scales and mins of a group.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn group_scales<B: Block>(bytes: &[u8], layout: ScaleLayout, group: usize) -> (Pair<__m256>, Pair<__m256>) {
    let halves = |at: usize| {
        std::array::from_fn(|half| {
            let bytes = &bytes[at + half * 2 * LANES..][..2 * LANES];
            // SAFETY: sixteen bytes can be read.
            unsafe { _mm256_cvtph_ps(_mm_loadu_si128(bytes.as_ptr().cast())) }
        })
    };
    let mut scales: Pair<__m256> = halves(0);
    let mut mins = if layout.mins {
        halves(layout.mins_at())
    } else {
        [_mm256_setzero_ps(); 2]
    };
    if layout.groups > 0 {
        for half in 0..2 {
            let lanes = |at: usize| &bytes[at + half * LANES..][..LANES];
            let scale = lanes(layout.group_scales_at(group));
            // SAFETY: eight bytes can be read.
            unsafe {
                let scale = _mm256_cvtepi8_epi32(_mm_loadl_epi64(scale.as_ptr().cast()));
                scales[half] = _mm256_mul_ps(scales[half], _mm256_cvtepi32_ps(scale));
                if layout.mins {
                    let min = lanes(layout.group_mins_at(group));
                    let min = _mm256_cvtepu8_epi32(_mm_loadl_epi64(min.as_ptr().cast()));
                    mins[half] = _mm256_mul_ps(mins[half], _mm256_cvtepi32_ps(min));
                }
            }
        }
    }
    (scales, mins)
}
