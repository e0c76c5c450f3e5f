//! What only GPT-2's files do: weights stored `[in, out]`, and queries, keys and values in one tensor.
//!
//! Weights in ggml blocks (`U8`) are stored `[out, in]` as everywhere, a row after the other.

use std::collections::BTreeMap;

use gradus_tensor::{DType, Tensor};

use crate::error::{Error, Result};

/// Ends of the names whose weights are stored `[in, out]`, as TensorFlow's `Conv1D` had them.
const TRANSPOSED: [&str; 3] = ["attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight"];

/// The tensor that holds queries, keys and values, in this order along its last axis.
const FUSED: &str = "attn.c_attn.";

/// What a model calls the parts of a fused tensor.
const PARTS: [&str; 3] = ["query.", "key.", "value."];

/// A file's tensors as a model holds them.
///
/// # Errors
/// [`Error::InputShape`] for a fused tensor that is not three parts wide.
pub(super) fn from_file(tensors: Vec<(String, Tensor)>) -> Result<Vec<(String, Tensor)>> {
    let mut out = Vec::with_capacity(tensors.len() * 2);
    for (name, tensor) in tensors {
        let is_matrix = tensor.rank() == 2 && tensor.dtype() != DType::U8;
        if let Some((block, kind)) = name.split_once(FUSED) {
            let axis = if is_matrix { 1 } else { 0 };
            let width = tensor.shape().get(axis).copied().unwrap_or(1);
            if !width.is_multiple_of(3) {
                return Err(Error::InputShape {
                    layer: "gpt2",
                    expected: format!("{name} with queries, keys and values side by side"),
                    got: tensor.shape().to_vec(),
                });
            }
            for (index, part) in PARTS.iter().enumerate() {
                let piece = tensor.narrow(axis, index * width / 3, width / 3)?;
                let piece = if is_matrix { piece.t()? } else { piece };
                out.push((format!("{block}{FUSED}{part}{kind}"), piece.contiguous()?));
            }
        } else if TRANSPOSED.iter().any(|end| name.ends_with(end)) && is_matrix {
            out.push((name, tensor.t()?.contiguous()?));
        } else {
            out.push((name, tensor));
        }
    }
    Ok(out)
}

/// The block types of a file's tensors under the names that a model gives their parts.
pub(super) fn block_types(of_file: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let parts = |(name, kind): (&String, &String)| match name.split_once(FUSED) {
        Some((block, rest)) => PARTS
            .map(|part| (format!("{block}{FUSED}{part}{rest}"), kind.clone()))
            .to_vec(),
        None => vec![(name.clone(), kind.clone())],
    };
    of_file.iter().flat_map(parts).collect()
}

/// A model's tensors as files hold them: the reverse of [`from_file`].
///
/// # Errors
/// When a part is missing or of another size, which a model's own tensors are not.
pub(super) fn to_file(tensors: Vec<(String, Tensor)>) -> Result<Vec<(String, Tensor)>> {
    let mut out = Vec::with_capacity(tensors.len());
    let mut parts: Vec<Tensor> = Vec::new();
    for (name, tensor) in split_by_kind(tensors) {
        let part = name
            .split_once(FUSED)
            .and_then(|(block, rest)| Some((block, PARTS.iter().find_map(|part| rest.strip_prefix(part))?)));
        let is_matrix = tensor.rank() == 2 && tensor.dtype() != DType::U8;
        if let Some((block, kind)) = part {
            parts.push(if is_matrix { tensor.t()? } else { tensor });
            if parts.len() == PARTS.len() {
                let axis = if is_matrix { 1 } else { 0 };
                out.push((format!("{block}{FUSED}{kind}"), Tensor::cat(&parts, axis)?));
                parts.clear();
            }
        } else if TRANSPOSED.iter().any(|end| name.ends_with(end)) && is_matrix {
            out.push((name, tensor.t()?.contiguous()?));
        } else {
            out.push((name, tensor));
        }
    }
    Ok(out)
}

/// Tensors reordered so that the three weights of a fused tensor follow each other, and then its three biases.
fn split_by_kind(mut tensors: Vec<(String, Tensor)>) -> Vec<(String, Tensor)> {
    tensors.sort_by_key(|(name, _)| match name.split_once(FUSED) {
        Some((block, rest)) => {
            let kind = rest.rsplit('.').next().unwrap_or(rest).to_owned();
            let part = PARTS.iter().position(|part| rest.starts_with(part));
            (block.to_owned(), kind, part)
        }
        None => (name.clone(), String::new(), None),
    });
    tensors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_split_is_joined_again() {
        let value = |from: usize, shape: &[usize]| {
            let count: usize = shape.iter().product();
            Tensor::from_vec((from..from + count).map(|v| v as f32).collect::<Vec<_>>(), shape).unwrap()
        };
        let file = vec![
            ("transformer.h.0.attn.c_attn.bias".to_owned(), value(1, &[6])),
            (
                "transformer.h.0.attn.c_attn.weight".to_owned(),
                value(10, &[2, 6]),
            ),
            ("transformer.h.0.mlp.c_fc.weight".to_owned(), value(50, &[2, 3])),
            ("transformer.wte.weight".to_owned(), value(90, &[4, 2])),
        ];
        let model = from_file(file.clone()).unwrap();
        let key = &model
            .iter()
            .find(|(name, _)| name.ends_with("c_attn.key.weight"))
            .unwrap()
            .1;
        // Row r of a weight is column r of the file's.
        assert_eq!(key.to_vec::<f32>().unwrap(), [12.0, 18.0, 13.0, 19.0]);
        let mut back = to_file(model).unwrap();
        back.sort_by(|a, b| a.0.cmp(&b.0));
        for ((name, tensor), (expected_name, expected)) in back.iter().zip(&file) {
            assert_eq!(name, expected_name);
            assert_eq!(tensor.shape(), expected.shape());
            assert_eq!(tensor.to_vec::<f32>().unwrap(), expected.to_vec::<f32>().unwrap());
        }
        assert_eq!(back.len(), file.len());
    }

    #[test]
    fn blocks_are_split_by_rows() {
        let blocks = Tensor::from_vec((0..12u8).collect(), [6, 2]).unwrap();
        let file = vec![("h.0.attn.c_attn.weight".to_owned(), blocks)];
        let model = from_file(file.clone()).unwrap();
        assert_eq!(model[1].0, "h.0.attn.c_attn.key.weight");
        assert_eq!(model[1].1.to_vec::<u8>().unwrap(), [4, 5, 6, 7]);
        let back = to_file(model).unwrap();
        assert_eq!(
            back[0].1.to_vec::<u8>().unwrap(),
            file[0].1.to_vec::<u8>().unwrap()
        );
        let kinds = BTreeMap::from([("h.0.attn.c_attn.weight".to_owned(), "q8_0".to_owned())]);
        assert_eq!(block_types(&kinds).len(), 3);
    }

    #[test]
    fn refuses_a_fused_tensor_that_cannot_be_split() {
        let odd = Tensor::zeros([2, 7], gradus_tensor::DType::F32);
        let error = from_file(vec![("h.0.attn.c_attn.weight".to_owned(), odd)]).unwrap_err();
        assert!(error.to_string().contains("side by side"), "{error}");
    }
}
