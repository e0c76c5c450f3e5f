//! Which type each tensor of a file gets: llama.cpp's rules (`src/llama-quant.cpp`) for models without an importance
//! matrix.

use gradus_kernels::quant::BlockType;
use gradus_tensor::DType;

use crate::foreign::gguf::tensor_type::GgufTensorType;
use crate::foreign::gguf::write::hyperparameters::Hyperparameters;
use crate::foreign::gguf::write::{Planned, layer_of};
use crate::foreign::gguf::{EMBEDDING, OUTPUT};

/// The type of a file's matrices, by the names of llama.cpp's `llama-quantize`.
///
/// The output matrix (the embedding, where it is both) of a quantised file has 6 bits, or 8; types whose names end in
/// `m` give more bits to the values of attention and to the way out of the feed-forward network, in some layers or all.
/// Matrices whose rows are no multiple of 256 fall back from a K type to one with blocks of 32, and those whose rows
/// are no multiple of 32 to F16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GgufType {
    /// Each matrix in the type it has.
    Held,
    /// 32-bit floats.
    F32,
    /// 16-bit IEEE floats.
    F16,
    /// bfloat16.
    Bf16,
    /// 8 bits.
    Q8_0,
    /// 4 bits, symmetric.
    Q4_0,
    /// 4 bits with a min.
    Q4_1,
    /// 5 bits, symmetric.
    Q5_0,
    /// 5 bits with a min.
    Q5_1,
    /// 2 bits, with 3 and 4 where it matters.
    Q2K,
    /// 3 bits, with 4 and 5 where it matters.
    Q3KM,
    /// 4 bits, with 6 where it matters.
    Q4KM,
    /// 5 bits, with 6 where it matters.
    Q5KM,
    /// 6 bits.
    Q6K,
}

impl GgufType {
    /// Every type, widest first.
    pub const ALL: [GgufType; 14] = [
        GgufType::Held,
        GgufType::F32,
        GgufType::F16,
        GgufType::Bf16,
        GgufType::Q8_0,
        GgufType::Q6K,
        GgufType::Q5KM,
        GgufType::Q5_1,
        GgufType::Q5_0,
        GgufType::Q4KM,
        GgufType::Q4_1,
        GgufType::Q4_0,
        GgufType::Q3KM,
        GgufType::Q2K,
    ];

    /// The name on a command line: `q4_k_m`; `held` for the types that the tensors have.
    pub const fn name(self) -> &'static str {
        match self {
            GgufType::Held => "held",
            GgufType::F32 => "f32",
            GgufType::F16 => "f16",
            GgufType::Bf16 => "bf16",
            GgufType::Q8_0 => "q8_0",
            GgufType::Q4_0 => "q4_0",
            GgufType::Q4_1 => "q4_1",
            GgufType::Q5_0 => "q5_0",
            GgufType::Q5_1 => "q5_1",
            GgufType::Q2K => "q2_k",
            GgufType::Q3KM => "q3_k_m",
            GgufType::Q4KM => "q4_k_m",
            GgufType::Q5KM => "q5_k_m",
            GgufType::Q6K => "q6_k",
        }
    }

    /// The type of that name, in any case.
    pub fn from_name(name: &str) -> Option<GgufType> {
        GgufType::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// llama.cpp's number of the type, `general.file_type`.
    fn number(self) -> u32 {
        match self {
            GgufType::Held | GgufType::F32 => 0,
            GgufType::F16 => 1,
            GgufType::Q4_0 => 2,
            GgufType::Q4_1 => 3,
            GgufType::Q8_0 => 7,
            GgufType::Q5_0 => 8,
            GgufType::Q5_1 => 9,
            GgufType::Q2K => 10,
            GgufType::Q3KM => 12,
            GgufType::Q4KM => 15,
            GgufType::Q5KM => 17,
            GgufType::Q6K => 18,
            GgufType::Bf16 => 32,
        }
    }

    /// What a matrix gets if no rule says otherwise; `None` where it keeps what it has.
    fn base(self) -> Option<GgufTensorType> {
        let blocks = match self {
            GgufType::Held => return None,
            GgufType::F32 => return Some(GgufTensorType::Plain(DType::F32)),
            GgufType::F16 => return Some(GgufTensorType::Plain(DType::F16)),
            GgufType::Bf16 => return Some(GgufTensorType::Plain(DType::BF16)),
            GgufType::Q8_0 => BlockType::Q8_0,
            GgufType::Q4_0 => BlockType::Q4_0,
            GgufType::Q4_1 => BlockType::Q4_1,
            GgufType::Q5_0 => BlockType::Q5_0,
            GgufType::Q5_1 => BlockType::Q5_1,
            GgufType::Q2K => BlockType::Q2K,
            GgufType::Q3KM => BlockType::Q3K,
            GgufType::Q4KM => BlockType::Q4K,
            GgufType::Q5KM => BlockType::Q5K,
            GgufType::Q6K => BlockType::Q6K,
        };
        Some(GgufTensorType::Blocks(blocks))
    }
}

/// What the rules depend on beside a tensor's name.
pub(super) struct Choice {
    kind: GgufType,
    tied: bool,
    layers: usize,
    /// Query heads for each key head.
    group: u64,
    /// Whether it is the one model, Llama's of 70B, for which values get more bits.
    is_70b: bool,
}

impl Choice {
    pub(super) fn new(
        kind: GgufType,
        tensors: &[Planned<'_>],
        hyperparameters: &Hyperparameters<'_>,
    ) -> Choice {
        let (heads, kv_heads) = (hyperparameters.heads, hyperparameters.kv_heads);
        let layers = tensors
            .iter()
            .filter_map(|tensor| layer_of(&tensor.name))
            .max()
            .map_or(0, |last| last + 1);
        Choice {
            kind,
            tied: !tensors.iter().any(|tensor| tensor.name == OUTPUT),
            layers,
            group: heads.checked_div(kv_heads).unwrap_or(1),
            is_70b: hyperparameters.architecture.name == "llama" && layers == 80 && heads != kv_heads,
        }
    }

    /// The type of one tensor.
    pub(super) fn kind(&self, tensor: &Planned<'_>) -> GgufTensorType {
        let f32 = GgufTensorType::Plain(DType::F32);
        let always_f32 = ["position_embd.weight", "token_types.weight"];
        let name = tensor.name.as_str();
        if tensor.shape.len() < 2
            || !name.ends_with(".weight")
            || name.ends_with("_norm.weight")
            || always_f32.contains(&name)
        {
            return f32;
        }
        match self.kind.base() {
            None => held(tensor),
            Some(GgufTensorType::Blocks(base)) => fitting(tensor, self.blocks(name, base)),
            Some(plain) => plain,
        }
    }

    /// The number of the whole file: the type asked for, or that of the most weights.
    pub(super) fn file_type(&self, tensors: &[Planned<'_>]) -> u32 {
        if self.kind != GgufType::Held {
            return self.kind.number();
        }
        let weights = |kind: GgufType| -> usize {
            let of_kind = tensors.iter().filter(|tensor| kind.base() == Some(tensor.kind));
            of_kind.map(|tensor| tensor.shape.iter().product::<usize>()).sum()
        };
        GgufType::ALL
            .into_iter()
            .max_by_key(|&kind| weights(kind))
            .map_or(0, GgufType::number)
    }

    fn blocks(&self, name: &str, base: BlockType) -> BlockType {
        if name == OUTPUT || (self.tied && name == EMBEDDING) {
            return if base == BlockType::Q8_0 {
                base
            } else {
                BlockType::Q6K
            };
        }
        let layer = layer_of(name).unwrap_or(0);
        let is = |part: &str| name.ends_with(part);
        if is(".attn_v.weight") || is(".attn_qkv.weight") {
            return self.values(layer, base);
        }
        if is(".ffn_down.weight") {
            return self.feed_forward_down(layer, base);
        }
        if !is(".attn_output.weight") {
            return base;
        }
        match self.kind {
            GgufType::Q2K => BlockType::Q3K,
            GgufType::Q3KM => BlockType::Q4K,
            GgufType::Held
            | GgufType::F32
            | GgufType::F16
            | GgufType::Bf16
            | GgufType::Q8_0
            | GgufType::Q4_0
            | GgufType::Q4_1
            | GgufType::Q5_0
            | GgufType::Q5_1
            | GgufType::Q4KM
            | GgufType::Q5KM
            | GgufType::Q6K => base,
        }
    }

    fn values(&self, layer: usize, base: BlockType) -> BlockType {
        let chosen = match self.kind {
            GgufType::Q2K if self.group >= 4 => BlockType::Q4K,
            GgufType::Q2K => BlockType::Q3K,
            GgufType::Q3KM if layer < 2 => BlockType::Q5K,
            GgufType::Q3KM => BlockType::Q4K,
            GgufType::Q4KM | GgufType::Q5KM if self.uses_more_bits(layer) => BlockType::Q6K,
            GgufType::Held
            | GgufType::F32
            | GgufType::F16
            | GgufType::Bf16
            | GgufType::Q8_0
            | GgufType::Q4_0
            | GgufType::Q4_1
            | GgufType::Q5_0
            | GgufType::Q5_1
            | GgufType::Q4KM
            | GgufType::Q5KM
            | GgufType::Q6K => base,
        };
        match chosen {
            BlockType::Q3K | BlockType::Q4K if self.is_70b => BlockType::Q5K,
            chosen => chosen,
        }
    }

    fn feed_forward_down(&self, layer: usize, base: BlockType) -> BlockType {
        match self.kind {
            GgufType::Q2K => BlockType::Q3K,
            GgufType::Q3KM if layer < self.layers / 16 => BlockType::Q5K,
            GgufType::Q3KM => BlockType::Q4K,
            GgufType::Q4KM | GgufType::Q5KM if self.uses_more_bits(layer) => BlockType::Q6K,
            GgufType::Held
            | GgufType::F32
            | GgufType::F16
            | GgufType::Bf16
            | GgufType::Q8_0
            | GgufType::Q4_0
            | GgufType::Q4_1
            | GgufType::Q5_0
            | GgufType::Q5_1
            | GgufType::Q4KM
            | GgufType::Q5KM
            | GgufType::Q6K => base,
        }
    }

    /// The first and last eighth of the layers, and every third between.
    fn uses_more_bits(&self, layer: usize) -> bool {
        let eighth = self.layers / 8;
        layer < eighth || layer >= 7 * self.layers / 8 || (layer - eighth) % 3 == 2
    }
}

/// The type that a tensor has already, if a file can have it.
fn held(tensor: &Planned<'_>) -> GgufTensorType {
    let source = tensor.tensor();
    match (source.block_type(), source.tensor().dtype()) {
        (Some(blocks), _) => GgufTensorType::Blocks(blocks),
        (None, dtype @ (DType::F32 | DType::F16 | DType::BF16)) => GgufTensorType::Plain(dtype),
        (None, DType::F64 | DType::I64 | DType::U8 | DType::I8) => GgufTensorType::Plain(DType::F32),
    }
}

/// The type, or the one that llama.cpp falls back to for rows that are no whole number of blocks.
fn fitting(tensor: &Planned<'_>, wanted: BlockType) -> GgufTensorType {
    let cols = tensor.shape.last().copied().unwrap_or(0);
    let fits = |blocks: BlockType| cols.is_multiple_of(blocks.block_len());
    let smaller = match wanted {
        BlockType::Q2K | BlockType::Q3K => BlockType::Q4_0,
        BlockType::Q4K => BlockType::Q5_0,
        BlockType::Q5K => BlockType::Q5_1,
        BlockType::Q6K => BlockType::Q8_0,
        BlockType::Q4_0 | BlockType::Q4_1 | BlockType::Q5_0 | BlockType::Q5_1 | BlockType::Q8_0 => wanted,
    };
    match [wanted, smaller].into_iter().find(|&blocks| fits(blocks)) {
        Some(blocks) => GgufTensorType::Blocks(blocks),
        None => GgufTensorType::Plain(DType::F16),
    }
}
