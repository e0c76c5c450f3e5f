//! The product in plain Rust: the reference of the other kernels, and what runs where there is none.

use std::marker::PhantomData;
use std::ops::Range;

use super::{Panel, Target};
use crate::quant::activations::{Activations, HEIGHTS, Tile};
use crate::quant::blocks::{Block, Unpacked};
use crate::quant::layout::{PANEL, QUAD, QUADS, STEP, ScaleLayout, VECTOR, planes, step_bytes};
use crate::quant::matrix::read_scales;
use crate::vectorize::vectorize;

/// Sums of a tile: a row of the panel's lanes for each row of activations.
type Sums = [[f32; PANEL]; HEIGHTS[0]];

/// # Safety
/// As [`Target::run`].
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
            add_products(&mut sums, &panel, &tile, PhantomData::<B>);
            for (row, sums) in tile.rows.clone().zip(&sums) {
                let at = row * target.weight.rows() + panel.first;
                // SAFETY: the panel's columns of the output are ours alone (the caller's promise).
                let out = unsafe { target.out.slice(at..at + panel.lanes) };
                out.copy_from_slice(&sums[..panel.lanes]);
            }
        }
    }
}

vectorize! {
    fn add_products[B: Block](sums: &mut Sums, panel: &Panel<'_>, tile: &Tile<'_>, format: PhantomData<B>) {
        let _ = format;
        let height = tile.rows.len();
        let layout = ScaleLayout::of::<B>();
        let steps = panel.codes.chunks_exact(step_bytes(B::BITS));
        let mut scales = Scales::ZERO;
        for (step, packed) in steps.enumerate() {
            let (block, in_block) = (step / (B::LEN / STEP), step % (B::LEN / STEP));
            if in_block == 0 {
                scales.read::<B>(&panel.scales[block * layout.bytes()..][..layout.bytes()], layout);
            }
            let codes = expand::<B>(packed);
            for (row, sums) in sums.iter_mut().enumerate().take(height) {
                let cell = step * height + row;
                let (x, scale) = (&tile.codes[cell * STEP..][..STEP], tile.scales[cell]);
                for part in 0..STEP / B::GROUP {
                    let quads = part * (B::GROUP / QUAD)..(part + 1) * (B::GROUP / QUAD);
                    let dots = dots(&codes, x, quads);
                    let sum = if B::GROUP == STEP { tile.sums[cell].iter().sum() } else { tile.sums[cell][part] };
                    let group = in_block * (STEP / B::GROUP) + part;
                    let (group_scales, group_mins) = (&scales.scales[group], &scales.mins[group]);
                    let offset = -(scale * sum as f32);
                    for lane in 0..PANEL {
                        let dot = dots[lane] - i32::from(B::ZERO) * sum;
                        sums[lane] += dot as f32 * (group_scales[lane] * scale);
                        if B::HAS_MIN {
                            sums[lane] += group_mins[lane] * offset;
                        }
                    }
                }
            }
        }
    }
}

/// Scales and mins of the groups of a block, for each lane.
struct Scales {
    scales: [[f32; PANEL]; 16],
    mins: [[f32; PANEL]; 16],
}

impl Scales {
    const ZERO: Scales = Scales {
        scales: [[0.0; PANEL]; 16],
        mins: [[0.0; PANEL]; 16],
    };

    #[inline(always)]
    fn read<B: Block>(&mut self, bytes: &[u8], layout: ScaleLayout) {
        let mut unpacked = Unpacked::EMPTY;
        for lane in 0..PANEL {
            read_scales(&mut unpacked, bytes, layout, lane);
            let (scale, min) = (unpacked.scale.to_f32(), unpacked.min.to_f32());
            for group in 0..B::LEN / B::GROUP {
                self.scales[group][lane] = scale * f32::from(unpacked.group_scales[group]);
                self.mins[group][lane] = min * f32::from(unpacked.group_mins[group]);
            }
        }
    }
}

/// A step's codes, one to a byte: `[quad][lane][column]`.
#[inline(always)]
pub(super) fn expand<B: Block>(packed: &[u8]) -> [[u8; VECTOR]; QUADS] {
    let mut codes = [[0; VECTOR]; QUADS];
    let mut first = 0;
    for &(plane, shift) in planes(B::BITS) {
        for (q, codes) in codes.iter_mut().enumerate() {
            let vector = &packed[(first + q % plane) * VECTOR..][..VECTOR];
            let (down, mask) = (q / plane * plane, u8::MAX >> (8 - plane));
            for (code, byte) in codes.iter_mut().zip(vector) {
                *code |= (byte >> down & mask) << shift;
            }
        }
        first += plane;
    }
    codes
}

#[inline(always)]
fn dots(codes: &[[u8; VECTOR]; QUADS], x: &[i8], quads: Range<usize>) -> [i32; PANEL] {
    let mut dots = [0; PANEL];
    for (codes, x) in codes[quads.clone()]
        .iter()
        .zip(x[quads.start * QUAD..].as_chunks::<QUAD>().0)
    {
        for (dot, codes) in dots.iter_mut().zip(codes.as_chunks::<QUAD>().0) {
            for (&code, &x) in codes.iter().zip(x) {
                *dot += i32::from(code) * i32::from(x);
            }
        }
    }
    dots
}
