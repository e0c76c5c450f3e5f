//! Where a model's tensors come from while it is built: drawn afresh, or taken from a file's.

use std::collections::{BTreeMap, HashMap};

use gradus_kernels::quant::BlockType;
use gradus_tensor::{DType, QuantizedLinear, Rng, Tensor};

use crate::error::{Error, Result};
use crate::init::Init;
use crate::state_dict::{MismatchedTensor, MissingTensor, StateDictMismatch, TensorKind};

/// A weight matrix as it comes.
pub(super) enum Matrix {
    /// Floats, `[rows, cols]`.
    Float(Tensor),
    /// ggml blocks, `U8` `[rows, bytes per row]`.
    Blocks(Tensor, BlockType),
}

/// Gives each part of a model its tensors, by name.
pub(super) enum Source<'a> {
    /// Values drawn in the order in which they are asked for.
    Fresh(&'a mut Rng),
    /// Values that are there.
    Loaded(Loaded),
}

/// In which type a model holds its weight matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightType {
    /// `f32`, whatever the file has, blocks included: for training, and for the most exact answers.
    F32,
    /// Blocks and `bf16` where the file has them; `f32` for all else.
    AsStored,
}

/// Tensors by name, and what was wrong with those asked for.
pub(super) struct Loaded {
    tensors: HashMap<String, Tensor>,
    block_types: BTreeMap<String, String>,
    weight_type: WeightType,
    report: StateDictMismatch,
}

impl Loaded {
    pub fn new(
        tensors: Vec<(String, Tensor)>,
        block_types: BTreeMap<String, String>,
        weight_type: WeightType,
    ) -> Loaded {
        let mut loaded = Loaded {
            tensors: HashMap::with_capacity(tensors.len()),
            block_types,
            weight_type,
            report: StateDictMismatch::default(),
        };
        for (name, tensor) in tensors {
            if loaded.tensors.insert(name.clone(), tensor).is_some() {
                loaded.report.duplicates.push(name);
            }
        }
        loaded
    }

    /// The tensor of a name, or a note that it is missing.
    fn take(&mut self, name: &str, expected: TensorKind) -> Option<Tensor> {
        let tensor = self.tensors.remove(name);
        if tensor.is_none() {
            self.report.missing.push(MissingTensor {
                name: name.to_owned(),
                expected,
            });
        }
        tensor
    }

    fn mismatched(&mut self, name: &str, expected: TensorKind, got: &Tensor) {
        let got = TensorKind {
            dtype: got.dtype(),
            shape: got.shape().to_vec(),
        };
        self.report.mismatched.push(MismatchedTensor {
            name: name.to_owned(),
            expected,
            got,
        });
    }

    /// Floats of a shape, in `f32`, or `None` with a note of what was wrong.
    fn float(&mut self, name: &str, shape: &[usize]) -> Result<Option<Tensor>> {
        let expected = TensorKind {
            dtype: DType::F32,
            shape: shape.to_vec(),
        };
        let Some(tensor) = self.take(name, expected.clone()) else {
            return Ok(None);
        };
        if !tensor.dtype().is_float() || tensor.shape() != shape {
            self.mismatched(name, expected, &tensor);
            return Ok(None);
        }
        Ok(Some(tensor))
    }

    fn matrix(&mut self, name: &str, [rows, cols]: [usize; 2]) -> Result<Option<Matrix>> {
        let Some(type_name) = self.block_types.get(name) else {
            let Some(tensor) = self.float(name, &[rows, cols])? else {
                return Ok(None);
            };
            let keep = self.weight_type == WeightType::AsStored && tensor.dtype() == DType::BF16;
            return Ok(Some(Matrix::Float(if keep {
                tensor
            } else {
                tensor.to_dtype(DType::F32)?
            })));
        };
        let Some(block_type) = BlockType::from_name(type_name) else {
            return Err(Error::InvalidSetting {
                owner: "transformer",
                setting: "quantization_config.tensors",
                value: format!("{type_name} for {name}"),
                rule: "the block types are q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k and q6_k",
            });
        };
        let row_bytes = cols.div_ceil(block_type.block_len()) * block_type.block_bytes();
        let expected = TensorKind {
            dtype: DType::U8,
            shape: vec![rows, row_bytes],
        };
        let Some(tensor) = self.take(name, expected.clone()) else {
            return Ok(None);
        };
        if tensor.dtype() != DType::U8
            || tensor.shape() != expected.shape
            || !cols.is_multiple_of(block_type.block_len())
        {
            self.mismatched(name, expected, &tensor);
            return Ok(None);
        }
        match self.weight_type {
            WeightType::AsStored => Ok(Some(Matrix::Blocks(tensor, block_type))),
            WeightType::F32 => {
                let blocks = QuantizedLinear::new(&tensor, block_type, cols, None)?;
                Ok(Some(Matrix::Float(blocks.dequantize())))
            }
        }
    }

    /// Nothing, if every tensor was there, fitted and was used.
    fn finish(mut self) -> Result<()> {
        let mut left: Vec<String> = self.tensors.into_keys().collect();
        left.sort();
        self.report.add_unexpected(left.iter().map(String::as_str));
        match self.report.is_empty() {
            true => Ok(()),
            false => Err(Box::new(self.report).into()),
        }
    }
}

impl Source<'_> {
    /// Whether there is a tensor of that name: a fresh model has whatever it asks for.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Source::Fresh(_) => true,
            Source::Loaded(loaded) => loaded.tensors.contains_key(name),
        }
    }

    /// A vector or table in `f32`, drawn by `init` if it is not there.
    pub fn float(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
        match self {
            Source::Fresh(rng) => init.tensor(shape, rng),
            Source::Loaded(loaded) => match loaded.float(name, shape)? {
                Some(tensor) => Ok(tensor.to_dtype(DType::F32)?),
                // The model is dropped when the report comes, so what stands here does not matter but costs nothing.
                None => Ok(Tensor::zeros([0], DType::F32)),
            },
        }
    }

    /// A weight matrix, drawn by `init` if it is not there.
    pub fn matrix(&mut self, name: &str, shape: [usize; 2], init: Init) -> Result<Matrix> {
        match self {
            Source::Fresh(rng) => Ok(Matrix::Float(init.tensor(&shape, rng)?)),
            Source::Loaded(loaded) => {
                let found = loaded.matrix(name, shape)?;
                Ok(found.unwrap_or_else(|| Matrix::Float(Tensor::zeros([0, 0], DType::F32))))
            }
        }
    }

    /// Whether every tensor that was there was right and has been used.
    ///
    /// # Errors
    /// [`Error::StateDict`] with every name that is missing, left over, given twice or of another kind.
    pub fn finish(self) -> Result<()> {
        match self {
            Source::Fresh(_) => Ok(()),
            Source::Loaded(loaded) => loaded.finish(),
        }
    }
}
