//! The unit of tensor memory: one 64-byte line, aligned to itself.
//!
//! Buffers are allocated as whole lines so that every vector load of up to 512 bits at an aligned index touches a
//! single cache line. A plain `Vec<f32>` starts 16 bytes past a boundary when the allocator maps it, and each
//! 512-bit load then crosses two lines.

/// 64 bytes, aligned to 64: any plain number type can be viewed over a slice of these with `bytemuck`.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Line([u8; LINE_BYTES]);

/// Size and alignment of a [`Line`]: a cache line, and an AVX-512 register.
pub const LINE_BYTES: usize = 64;

impl Line {
    /// A line of zero bytes.
    pub const ZERO: Line = Line([0; LINE_BYTES]);
}

// SAFETY: a `Line` is an array of bytes; all-zero bytes are one of its values.
unsafe impl bytemuck::Zeroable for Line {}
// SAFETY: `repr(C)` over an array whose length equals the alignment: no padding, every bit pattern valid, `Copy`.
unsafe impl bytemuck::Pod for Line {}
